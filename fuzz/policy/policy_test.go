package policy

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

var update = flag.Bool("update", false, "write testdata/table.md anew")

// The table in testdata, which stands in DESIGN.md, says of P24 what architecture.md
// wants; each history in it breaks the law that it stands for; and a part of the
// check, of a seed that turns day by day, breaks no law that the table has as kept.
// DSYNC_TABLE=1 makes the whole table anew and compares it.
func TestTable(t *testing.T) {
	path := filepath.Join("testdata", "table.md")
	if *update || os.Getenv("DSYNC_TABLE") != "" {
		got := Table(CheckAll(TableOptions))
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || got != string(want) {
			t.Errorf("%v: go test -run TestTable -update ./fuzz/policy writes it anew\ngot\n%s\nwant\n%s", err, got, want)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	words, broken := readTable(t, string(text))
	lawful(t, words)
	for _, p := range merge.Policies() {
		for law, word := range words[p.Name] {
			if (word == "broken") != (broken[p.Name][law] != example{}) {
				t.Errorf("%s, %s: %s, with the example %+v", p.Name, law, word, broken[p.Name][law])
			}
		}
		for law, e := range broken[p.Name] {
			e.breaks(t, p, law, TableOptions)
		}
	}
	seed := int64(1)
	if s, err := strconv.ParseInt(os.Getenv("DSYNC_TABLE_SEED"), 10, 64); err == nil {
		seed = s
	}
	for i, p := range merge.Policies() {
		// Each law that the table has as kept stays so under a few cases more.
		r := Check(p, Options{Pairs: 16, Histories: 14, Sessions: 3, Seed: uint64(seed)*100 + uint64(i)})
		for _, v := range r.Broken() {
			if words[p.Name][v.Name] != "broken" && !p.Control() {
				t.Errorf("repeat with: DSYNC_TABLE_SEED=%d go test -run TestTable ./fuzz/policy\n%s breaks %s, which the table has as %q: %s (%s)\n%s",
					seed, p.Name, v.Name, words[p.Name][v.Name], v.History, v.Repeat, v.Why)
			}
		}
	}
}

// P24: every policy but the negative controls and the emulation keeps all of it; and
// but for the copies of crdt-pluto no law is broken by any of them.
func lawful(t *testing.T, words map[string]map[string]string) {
	t.Helper()
	for _, p := range merge.Policies() {
		if len(words[p.Name]) != len(Laws) {
			t.Fatalf("%s: %d laws in the table, of %d: go test -run TestTable -update ./fuzz/policy", p.Name, len(words[p.Name]), len(Laws))
		}
		lawful := true
		for _, l := range Laws[:5] {
			lawful = lawful && words[p.Name][l.Name] != "broken"
		}
		if emulation := p.Name == merge.Dovecot.Name; lawful == p.Control() && !emulation {
			t.Errorf("P24: %s: all of P24 kept: %v, a negative control: %v", p.Name, lawful, p.Control())
		}
		for law, word := range words[p.Name] {
			if word == "broken" && !p.Control() && (p.Name != merge.CRDTPluto.Name || law != "P9") {
				t.Errorf("%s breaks %s", p.Name, law)
			}
		}
	}
}

// example is a history of the table, and the case as which it was found.
type example struct{ history, repeat string }

// breaks is that the history breaks the law still.
func (e example) breaks(t *testing.T, p *merge.Policy, law string, o Options) {
	t.Helper()
	id := Laws[slices.IndexFunc(Laws, func(l Law) bool { return l.Name == law })].ID
	var c tried
	if _, err := fmt.Sscanf(e.repeat, "%s %d", &c.what, &c.n); err != nil {
		t.Fatalf("%s, %s: case %q: %v", p.Name, law, e.repeat, err)
	}
	x := &checker{p: p, o: o}
	err := x.ask(c, nil, func(l string) bool { return l != id })(pure.MustParse(e.history))
	if pure.LawOf(err) != id {
		t.Errorf("%s does not break %s of %s any more (%v): go test -run TestTable -update ./fuzz/policy", e.history, law, p.Name, err)
	}
}

var exampleLine = regexp.MustCompile("^- ([^,]+), (.+): `(.*)` \\((.*)\\)$")

// readTable gives the words of the table and its examples, by policy and law.
func readTable(t *testing.T, text string) (words map[string]map[string]string, broken map[string]map[string]example) {
	t.Helper()
	words, broken = map[string]map[string]string{}, map[string]map[string]example{}
	var laws []string
	for _, line := range strings.Split(text, "\n") {
		if m := exampleLine.FindStringSubmatch(line); m != nil {
			if broken[m[1]] == nil {
				broken[m[1]] = map[string]example{}
			}
			broken[m[1]][m[2]] = example{m[3], m[4]}
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) < 2 || strings.HasPrefix(line, "|-") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if laws == nil {
			laws = cells[1:]
			continue
		}
		words[cells[0]] = map[string]string{}
		for i, law := range laws {
			words[cells[0]][law] = cells[i+1]
		}
	}
	return words, broken
}

// L2: the negative controls are caught within 100 cases, by the pairs, by the random
// histories and by whole sessions, each alone.
func TestControlsAreCaught(t *testing.T) {
	for _, p := range []*merge.Policy{merge.LeftWins, merge.RightWins, merge.Random(1), merge.Random(2), merge.Random(77)} {
		for _, o := range []Options{{Pairs: 100}, {Histories: 100}, {Sessions: 100}} {
			for _, seed := range []uint64{1, 9} {
				o.Seed, o.First = seed, true
				if r := Check(p, o); len(r.Broken()) == 0 {
					t.Errorf("L2: %s: %d pairs, %d histories and %d in sessions broke no law", p.Name, o.Pairs, o.Histories, o.Sessions)
				}
			}
		}
	}
}

// A choice that conflicts.md names as an option, and that no law allows: what was
// expunged by itself comes back with the mailbox.
func TestCounterexampleIsTold(t *testing.T) {
	p := *merge.Safe
	p.Name, p.RenameRescues = "rename-rescues", true
	k := pure.Kind{Replicas: 4, Policy: &p}
	h := "0:cr A; 0:ap A g1; 0=1; 1=2; 2=3; 0:ex A#0; 3:rn A>INBOX/D; 2:dl A"
	if law := pure.LawOf(k.Try(pure.MustParse(h))); law != "P17" && law != "P18" {
		t.Errorf("%s: breaks %q; the choice may be lawful now: say so in merge.Rules", h, law)
	}
}

// The report is the same each time, and its histories break the law that they stand
// for.
func TestReportRepeats(t *testing.T) {
	p := merge.Random(3)
	o := Options{Pairs: 30, Histories: 14, Sessions: 3, Seed: 5}
	a, b := Check(p, o), Check(p, o)
	if a.Text() != b.Text() {
		t.Errorf("got\n%s\nthen\n%s", a.Text(), b.Text())
	}
	for _, v := range a.Broken() {
		example{v.History, v.Repeat}.breaks(t, p, v.Name, o)
	}
}

// What each policy is for, by the shortest histories that tell it from safe.
func TestChoices(t *testing.T) {
	mail := "0:cr X,Y; 0:ap X m; 0=1; "
	for _, c := range []struct{ policy, history, want string }{
		{"safe", "0:f+F X; 1:f+F X; 1:f-F X; 0=1", "INBOX; X 1:m[F]; Y"},
		{"three-way-state", "0:f+F X; 1:f+F X; 1:f-F X; 0=1", "INBOX; X 1:m[F]; Y"},
		{"three-way-state", "0:f+T X; 1:f+T X; 1:f-T X; 0=1", "INBOX; X 1:m[T]; Y"},
		{"three-way-state", "0:f+F X; 0=1; 0:f-F X; 0:f+F X; tick; 1:f-F X; 0=1", "INBOX; X 1:m; Y"},
		{"dovecot", "0:f+F X; 1:f+F X; 1:f-F X; 0=1", "INBOX; X 1:m; Y"},
		{"dovecot", "0:dl X; 1:ap X a; 0=1", "INBOX; Y"},
		{"later-modseq-wins", "1:f+F X; 1:f-F X; tick; 0:f+F X; 0=1", "INBOX; X 1:m[F]; Y"},
		{"later-wins", "1:f+F X; 1:f-F X; tick; 0:f+F X; 0=1", "INBOX; X 1:m[F]; Y"},
		{"remove-wins", "1:f+F X; 1:f-F X; tick; 0:f+F X; 0=1", "INBOX; X 1:m; Y"},
		{"union", "0:f+F X; 0=1; 0:f-F X; 0=1", "INBOX; X 1:m[F]; Y"},
		{"union", "0:ex X; 0=1", "INBOX; X 2:m; Y"},
		{"union", "0:dl Y; 0=1", "INBOX; X 1:m; Y"},
		{"expunge-never", "0:ex X; 0=1", "INBOX; X 2:m; Y"},
		{"expunge-never", "0:dl X; 0=1", "INBOX; X 2:m; Y"},
		{"expunge-never", "0:f+F X; 0=1; 0:f-F X; 0=1", "INBOX; X 1:m; Y"},
		{"crdt-pluto", "0:ex X; 1:k+kw X; 0=1", "INBOX; X 2:m[kw]; Y"},
		{"crdt-pluto", "0:ap Y g; 1:ap Y g; 0=1", "INBOX; X 1:m; Y 2:g 3:g"},
		{"left-wins", "1:f+F X; 0=1", "INBOX; X 1:m; Y"},
		{"right-wins", "1:f+F X; 0=1", "INBOX; X 1:m[F]; Y"},
	} {
		p, err := merge.PolicyByName(c.policy)
		if err != nil {
			t.Fatal(err)
		}
		w := pure.NewWorld(2, p)
		w.Mute = func(string) bool { return true }
		for _, o := range pure.MustParse(mail + c.history) {
			if err := w.Run(o); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range w.R {
			if got := r.Show(p); got != c.want {
				t.Errorf("%s: %s: replica %d shows\n%s, want\n%s", c.policy, c.history, r.Name, got, c.want)
			}
		}
	}
}

// Rules with a number of their own are named once, and every choice has a name.
func TestRulesAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range merge.Rules() {
		if seen[r.Key] || strings.Count(r.Key, ".") != 1 || r.Number == 0 || r.About == "" || len(r.Choices) < 2 {
			t.Errorf("rule %+v", r)
		}
		seen[r.Key] = true
		for _, c := range r.Choices {
			p := &merge.Policy{}
			if err := r.Set(p, c.Name); err != nil || r.Of(p) != c.Name || c.About == "" {
				t.Errorf("%s: choice %q: %v, reads as %q", r.Key, c.Name, err, r.Of(p))
			}
		}
	}
}

// The showcase of conflicts.md: both ends, and who comes to which; and an end that
// no built-in policy has.
func TestOutcomes(t *testing.T) {
	f, err := scenario.Parse("t", []byte(`scenario "showcase"
A: deliver m to INBOX
level
A: flag m in INBOX +\Flagged
B: flag m in INBOX +\Flagged
B: flag m in INBOX -\Flagged
sync A B
`))
	if err != nil {
		t.Fatal(err)
	}
	o := OutcomesOf(f.Scenarios[0])
	if len(o.Ends) != 2 || len(o.Rules) != 1 || o.Rules[0] != "flags.flagged" {
		t.Fatalf("got\n%s", o.Text())
	}
	for _, e := range o.Ends {
		set := strings.Contains(e.key, "Flagged")
		for _, p := range []string{"safe", "add-wins", "union", "three-way-state"} {
			if slices.Contains(e.Policies, p) != set {
				t.Errorf("%s: \\Flagged set: %v\n%s", p, set, o.Text())
			}
		}
		for _, p := range []string{"remove-wins", "dovecot"} {
			if slices.Contains(e.Policies, p) == set {
				t.Errorf("%s: \\Flagged set: %v\n%s", p, set, o.Text())
			}
		}
	}
	f, err = scenario.Parse("t", []byte("scenario \"move\"\nA: create X\nA: deliver m to INBOX\nlevel\nA: move m from INBOX to X\nB: expunge m from INBOX\nsync A B\n"))
	if err != nil {
		t.Fatal(err)
	}
	o = OutcomesOf(f.Scenarios[0])
	own := func(e *End) bool { return slices.Equal(e.Choices, []string{"rules.expunge-move = expunge-wins"}) }
	if len(o.Ends) != 2 || !slices.ContainsFunc(o.Ends, own) {
		t.Errorf("got\n%s", o.Text())
	}
}
