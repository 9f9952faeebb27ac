package policy

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

var update = flag.Bool("update", false, "write testdata/table.md anew")

// The table in testdata, which stands in DESIGN.md, is what the code gives; and it
// says of P24 what architecture.md wants.
func TestTable(t *testing.T) {
	if testing.Short() {
		t.Skip("checks all policies")
	}
	reports := CheckAll(TableOptions)
	path := filepath.Join("testdata", "table.md")
	got := Table(reports)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("go test -run TestTable -update ./fuzz/policy writes it anew\ngot\n%s\nwant\n%s", got, want)
	}
	for _, r := range reports {
		lawful := true
		for _, l := range Laws[:5] {
			lawful = lawful && !r.Of(l.ID).Broken
		}
		if emulation := r.Policy == merge.Dovecot.Name; lawful == r.Control && !emulation {
			t.Errorf("P24: %s: all of P24 kept: %v, a negative control: %v", r.Policy, lawful, r.Control)
		}
		if r.Control {
			continue
		}
		for _, v := range r.Broken() {
			if r.Policy != merge.CRDTPluto.Name || v.ID != "P9" {
				t.Errorf("%s breaks %s: %s\n%s", r.Policy, v.Name, v.History, v.Why)
			}
		}
	}
}

// L2: the negative controls are caught within 100 cases, by the pairs and by the
// random histories, each alone.
func TestControlsAreCaught(t *testing.T) {
	for _, p := range []*merge.Policy{merge.LeftWins, merge.RightWins, merge.Random(1), merge.Random(2), merge.Random(77)} {
		for _, o := range []Options{{Pairs: 100, Seed: 1}, {Histories: 100, Seed: 1}, {Pairs: 100, Seed: 9}, {Histories: 100, Seed: 9}} {
			r := Check(p, o)
			if len(r.Broken()) == 0 {
				t.Errorf("L2: %s: %d pairs and %d histories broke no law", p.Name, o.Pairs, o.Histories)
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
	o := Options{Pairs: 60, Histories: 21, Seed: 5}
	a, b := Check(p, o), Check(p, o)
	if a.Text() != b.Text() {
		t.Errorf("got\n%s\nthen\n%s", a.Text(), b.Text())
	}
	for _, v := range a.Broken() {
		law := v.ID
		k := pure.Kind{Replicas: 4, Policy: p, Mute: func(l string) bool { return l != law }}
		if pure.LawOf(k.Try(pure.MustParse(v.History))) != law && v.ID != "P12" {
			t.Errorf("%s does not break %s", v.History, law)
		}
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
