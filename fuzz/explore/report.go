package explore

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dsync/fuzz/engine"
	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

// Report is what came of a search.
type Report struct {
	Options
	PolicyID  string `json:"policy"`
	Past      string `json:"past"`      // in the notation of fuzz/pure
	Histories int    `json:"histories"` // of one side that come to different states
	Cases     int    `json:"cases"`     // tried
	All       int    `json:"all"`       // to be tried; more than Cases if the search was stopped
	// Runs are the cases by mode. Same counts whole runs that were left out after a
	// limited one that changed nothing.
	Runs    []Count        `json:"runs"`
	Same    int            `json:"same"`
	Broken  []Broken       `json:"broken,omitempty"`  // by law
	Excused map[string]int `json:"excused,omitempty"` // law -> rule that the report named, as the law allows
	Cells   int            `json:"cells"`             // of the matrix that were hit
	Rarest  string         `json:"rarest"`            // of them, with how often
	Never   []string       `json:"never,omitempty"`   // cells that should have been hit
	// Outside are rows of the matrix of which the universe has no operation.
	Outside []Outside `json:"outside,omitempty"`
}

// Count is how often a mode was tried.
type Count struct {
	Mode  string `json:"mode"`
	Cases int    `json:"cases"`
}

// Outside is a row of the matrix that a universe cannot hit, and why.
type Outside struct {
	Row string `json:"row"`
	Why string `json:"why"`
}

// Broken is a law that was broken.
type Broken struct {
	Law   string `json:"law"`
	Count int    `json:"count"` // cases and modes
	// History is the shortest case as fuzz/pure has it, and if it breaks the law under
	// pure.Kind, too, with nothing that can be left out; Scenario is the same as a
	// scenario file.
	History  string `json:"history"`
	Scenario string `json:"scenario"`
	Mode     string `json:"mode"` // in which it was found
	Why      string `json:"why"`
}

// Kept reports whether no law was broken and no cell missed in all cases.
func (r *Report) Kept() bool { return len(r.Broken) == 0 && len(r.Never) == 0 && r.Cases == r.All }

func (s *search) report() *Report {
	r := &Report{Options: s.o, PolicyID: s.o.Policy.ID(), Past: s.t.u.past, Histories: len(s.t.all),
		Cases: s.sum.Cases, All: s.all, Same: s.sum.Same, Excused: s.sum.Excused}
	for i, m := range s.modes {
		r.Runs = append(r.Runs, Count{m.title(), s.sum.Runs[i]})
	}
	for _, law := range slices.Sorted(maps.Keys(s.sum.Laws)) {
		r.Broken = append(r.Broken, s.broken(law, s.sum.Laws[law]))
	}
	s.matrix(r)
	return r
}

func (m *mode) title() string {
	switch {
	case m.late >= 0:
		return fmt.Sprintf("%s, side %d a second later", m.name, m.late)
	}
	return m.name
}

// why a row of the matrix may have no operation in a universe.
func (o *Options) why(row string) string {
	switch {
	case o.Messages == 0 && slices.Contains([]string{"EX", "CP", "MV", "F+", "F-", "KW"}, row):
		return "the past has no message"
	case o.Mailboxes < 2 && (row == "CP" || row == "MV"):
		return "there is no other mailbox to go to"
	case o.Flags < 2 && row == "KW":
		return "the keyword is the second flag"
	case o.Flags < 1 && (row == "F+" || row == "F-"):
		return "there is no flag"
	case o.Ops < 2 && row == "F-":
		return "no flag is set in the past, and one operation sets none and clears it"
	case o.Ops < 2 && row == "US":
		return "nothing is subscribed in the past, and one operation does not undo another"
	}
	return ""
}

// matrix reports which cells of conflicts.md were hit.
func (s *search) matrix(r *Report) {
	cover := s.sum.coverage()
	r.Cells = len(cover.Cells)
	least := 0
	for _, c := range slices.SortedFunc(maps.Keys(cover.Cells), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		if n := cover.Cells[c]; least == 0 || n < least {
			least, r.Rarest = n, fmt.Sprintf("%s x %s, %d times", c[0], c[1], n)
		}
	}
	out := map[string]bool{}
	for _, row := range pure.Kinds {
		if why := s.o.why(row); why != "" {
			out[row] = true
			r.Outside = append(r.Outside, Outside{row, why})
		}
	}
	if r.Cases < r.All || s.o.Most > 0 {
		return // not the full universe
	}
	for _, cell := range cover.Missing() {
		x, y, _ := strings.Cut(cell, " x ")
		if !out[x] && !out[y] {
			r.Never = append(r.Never, cell)
		}
	}
}

// broken makes the shortest example of a law as small as it gets.
func (s *search) broken(law string, b *broken) Broken {
	m := s.modes[b.Example.Mode]
	out := Broken{Law: law, Count: b.Count, Mode: m.title(), Why: strings.TrimSpace(b.Example.Why)}
	ops := s.t.history(b.Example.Case, m)
	met, err := pure.Parse(b.Example.Met)
	if err == nil { // a progress file may hold anything
		ops = append(ops, met...)
	}
	k := pure.Kind{Replicas: s.o.Replicas, Policy: s.o.Policy, Mute: func(l string) bool { return l != law }}
	for _, try := range []func([]pure.Op) error{k.Try, k.CheckTrimmed} {
		if pure.LawOf(try(ops)) == law {
			ops = pure.Shrink(ops, try)
			out.Why = strings.TrimSpace(try(ops).Error())
			break
		}
	}
	out.History = pure.History(ops)
	out.Scenario = s.scenario(law, ops, out.History).String()
	return out
}

// scenario is an example as fuzz/scenario has it.
func (s *search) scenario(law string, ops []pure.Op, history string) *scenario.Scenario {
	names := []string{"A", "B", "C"}[:s.o.Replicas]
	x := &scenario.Scenario{Name: law + " under " + s.o.Policy.Name, Notes: []string{"shortest of all, found by dsync lab explore; in the notation of fuzz/pure:", history},
		Laws: []string{law}, Found: "pure", Replicas: names, Steps: engine.Steps(ops, names)}
	if n := len(ops); n == 0 || !isRun(ops[n-1]) {
		x.Steps = append(x.Steps, scenario.Step{Verb: scenario.Converge})
	}
	if s.o.Policy.Name != merge.Safe.Name {
		x.Policy = s.o.Policy.Name
	}
	return x
}

func isRun(o pure.Op) bool {
	switch o.Verb {
	case pure.SyncWhole, pure.OneWay, pure.Backup, pure.Half, pure.Partly, pure.Limited:
		return true
	}
	return false
}

// Text is the report for people.
func (r *Report) Text() string {
	var w strings.Builder
	fmt.Fprintf(&w, "policy %s: %d replicas, %d messages, %d mailboxes, %d flags, %d operations a side\n", r.PolicyID, r.Replicas, r.Messages, r.Mailboxes, r.Flags, r.Ops)
	fmt.Fprintf(&w, "past: %s\n", r.Past)
	fmt.Fprintf(&w, "%d histories of a side; %d of %d cases tried\n", r.Histories, r.Cases, r.All)
	for _, c := range r.Runs {
		fmt.Fprintf(&w, "  %9d  %s\n", c.Cases, c.Mode)
	}
	if r.Same > 0 {
		fmt.Fprintf(&w, "  of which %d changed nothing before the whole run, which was not made again\n", r.Same)
	}
	fmt.Fprintf(&w, "%d cells of the matrix hit, the rarest %s\n", r.Cells, cmp.Or(r.Rarest, "none"))
	for _, o := range r.Outside {
		fmt.Fprintf(&w, "  no %s: %s\n", o.Row, o.Why)
	}
	for _, c := range r.Never {
		fmt.Fprintf(&w, "  NEVER HIT: %s\n", c)
	}
	for _, law := range slices.Sorted(maps.Keys(r.Excused)) {
		fmt.Fprintf(&w, "%s: not as worded, but by rule %d, which the report names\n", law, r.Excused[law])
	}
	if len(r.Broken) == 0 {
		w.WriteString("no law is broken\n")
	}
	for _, b := range r.Broken {
		fmt.Fprintf(&w, "\n%s is broken in %d cases; the shortest (%s):\n    %s\n", b.Law, b.Count, b.Mode, b.History)
		for _, l := range strings.Split(b.Why, "\n") {
			w.WriteString("      " + l + "\n")
		}
		w.WriteString(b.Scenario)
	}
	return w.String()
}
