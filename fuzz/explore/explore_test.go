package explore

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // much is made and dropped, little kept
	os.Exit(m.Run())
}

// find searches, and fails unless every law is kept.
func find(t *testing.T, o Options) *Report {
	t.Helper()
	start := time.Now()
	if o.Policy == nil {
		o.Policy = merge.Safe
	}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v\n%s", time.Since(start).Round(time.Millisecond), r.Text())
	return r
}

// kept fails unless every law is kept, every cell hit, and so many cases were tried:
// the figure is the same on every machine.
func kept(t *testing.T, o Options, cases int) {
	t.Helper()
	if r := find(t, o); !r.Kept() || r.Cases != cases {
		t.Errorf("kept: %v, %d cases, want %d; repeat with: dsync lab explore --replicas %d --messages %d --mailboxes %d --flags %d --ops %d --modes %s --policy %s",
			r.Kept(), r.Cases, cases, o.Replicas, o.Messages, o.Mailboxes, o.Flags, o.Ops, strings.Join(r.Modes, ","), r.PolicyID)
	}
}

// L1: one message in each of two mailboxes, two operations a side, in all modes of
// fuzz/pure.
func TestPairsInAllModes(t *testing.T) {
	if testing.Short() {
		t.Skip("tries all pairs")
	}
	kept(t, Options{Replicas: 2, Messages: 2, Mailboxes: 2, Flags: 1, Ops: 2, Modes: Parts}, 35_476)
}

// L1: three messages in two mailboxes, two flags, two operations a side.
func TestMorePairs(t *testing.T) {
	if testing.Short() {
		t.Skip("tries all pairs")
	}
	kept(t, Options{Replicas: 2, Messages: 3, Mailboxes: 2, Flags: 2, Ops: 2}, 113_508)
}

// L1, P17, P18: three replicas that made one operation each meet in every order.
func TestTriplesInEveryOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("tries all triples")
	}
	kept(t, Options{Replicas: 3, Messages: 2, Mailboxes: 2, Flags: 1, Ops: 1}, 1732)
}

// Every policy that is no negative control, in the smallest universe, in every mode
// there is. crdt-pluto keeps the copies that both sides made, against P9.
func TestPolicies(t *testing.T) {
	follows := &merge.Policy{Name: "expunge-follows-move", ExpungeFollowsMove: true}
	// What a policy is known to break: dovecot loses mail that -1 brings into a mailbox
	// which the destination deleted, and does not say so, as doveadm does.
	known := map[string]string{merge.CRDTPluto.Name: "P9", merge.Dovecot.Name: "P22"}
	for _, p := range append(merge.Policies(), follows) {
		if p.Control() {
			continue
		}
		o := Options{Replicas: 2, Messages: 1, Mailboxes: 1, Flags: 3, Ops: 1, Modes: AllModes(), Policy: p}
		t.Run(p.Name, func(t *testing.T) {
			for _, b := range find(t, o).Broken {
				if b.Law != known[p.Name] {
					t.Errorf("%s: %s\n%s", b.Law, b.History, b.Why)
				}
			}
		})
	}
}

// L2: the negative controls are caught within 100 cases, of pairs and of triples, and
// what is said to break a law does so again, as a history and as a scenario.
func TestControlsAreCaught(t *testing.T) {
	for _, p := range []*merge.Policy{merge.LeftWins, merge.RightWins, merge.Random(1), merge.Random(2), merge.Random(77)} {
		for _, o := range []Options{{Replicas: 2, Ops: 2}, {Replicas: 3, Ops: 1}} {
			o.Messages, o.Mailboxes, o.Flags, o.Most, o.Policy = 2, 2, 2, 100, p
			r := find(t, o)
			if len(r.Broken) == 0 || r.Cases > 100 {
				t.Errorf("L2: %s: %d cases of %d replicas broke no law", p.Name, r.Cases, o.Replicas)
			}
			for _, b := range r.Broken {
				if got := pure.LawOf(again(o.Replicas, p, b)); got != b.Law {
					t.Errorf("%s: %s breaks %q, not %s", p.Name, b.History, got, b.Law)
				}
				f, err := scenario.Parse("t", []byte(b.Scenario))
				if err != nil || len(f.Scenarios) != 1 {
					t.Errorf("%s: %v\n%s", p.Name, err, b.Scenario)
				}
			}
		}
	}
}

// again runs what is said to break a law: by itself, or settled as it stands.
func again(replicas int, p *merge.Policy, b Broken) error {
	k := pure.Kind{Replicas: replicas, Policy: p, Mute: func(l string) bool { return l != b.Law }}
	ops := pure.MustParse(b.History)
	if err := k.Try(ops); err != nil {
		return err
	}
	w := pure.NewWorld(replicas, p)
	w.Mute = k.Mute
	for _, o := range ops {
		if err := w.Run(o); err != nil {
			return err
		}
	}
	return w.Settle()
}

// tiny is a universe that is searched in no time, and broken has laws broken in it.
var tiny = Options{Replicas: 2, Messages: 1, Mailboxes: 1, Flags: 1, Ops: 1, Policy: merge.LeftWins, Modes: []string{"whole", "oneway", "half"}}

func marshal(t *testing.T, r *Report) string {
	t.Helper()
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The report is the same with any number of workers, and whether the search was
// stopped in between or not.
func TestStopsAndWorkersChangeNothing(t *testing.T) {
	want := marshal(t, find(t, tiny))
	for _, workers := range []int{1, 3} {
		o := tiny
		o.Workers, o.File = workers, filepath.Join(t.TempDir(), "progress")
		stops := 0
		for {
			ctx, stop := context.WithCancel(context.Background())
			o.Progress = func(Status) { stop() } // after one batch, or two
			r, err := Run(ctx, o)
			stop()
			if err != nil {
				t.Fatal(err)
			}
			if r.Cases == r.All {
				if got := marshal(t, r); got != want {
					t.Errorf("with %d workers and %d stops\n%s\nwant\n%s", workers, stops, got, want)
				}
				break
			}
			if stops++; stops > 1000 {
				t.Fatal("no progress is made")
			}
		}
		if workers == 1 && stops == 0 {
			t.Error("never stopped")
		}
	}
}

// A search that is stopped without a progress file leaves one behind.
func TestStoppedLeavesProgress(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	o := tiny
	o.Stopped = filepath.Join(t.TempDir(), "stopped")
	if r, err := Run(ctx, o); err != nil || r.Cases == r.All || r.Kept() {
		t.Fatalf("%+v, %v", r, err)
	}
	o.File = o.Stopped
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := marshal(t, r), marshal(t, find(t, tiny)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Progress of another search, or what is none, is refused by name.
func TestProgressIsChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "progress")
	o := tiny
	o.File = path
	if _, err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := o
	other.Flags = 2
	if _, err := Run(context.Background(), other); !errors.Is(err, ErrProgress) || !strings.Contains(err.Error(), path) {
		t.Errorf("of another search: %v", err)
	}
	for _, bad := range []string{"", "{}", "[]", string(good) + "x", string(good[:len(good)/2]), strings.Replace(string(good), `"format":1`, `"format":2`, 1),
		strings.Replace(string(good), `"cases":`, `"cases":1`, 1), strings.Replace(string(good), `"next":`, `"next":-`, 1), strings.Replace(string(good), `"mode":`, `"mode":9`, 1)} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(context.Background(), o); !errors.Is(err, ErrProgress) {
			t.Errorf("%.80s: %v", bad, err)
		}
	}
}

func FuzzProgress(f *testing.F) {
	f.Add([]byte(`{"format":1,"print":"x","next":1,"sum":{"cases":1,"runs":[1],"laws":{"P1":{"count":1,"example":{"case":[0,0]}}}}}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodeProgress(b)
		if err == nil && p.Format != progressFormat {
			t.Errorf("format %d was taken", p.Format)
		}
	})
}

func TestBounds(t *testing.T) {
	for _, change := range []func(*Options){
		func(o *Options) { o.Replicas = 1 }, func(o *Options) { o.Replicas = 4 }, func(o *Options) { o.Messages = MaxMessages + 1 },
		func(o *Options) { o.Messages = -1 }, func(o *Options) { o.Mailboxes = 0 }, func(o *Options) { o.Mailboxes = MaxMailboxes + 1 },
		func(o *Options) { o.Flags = 7 }, func(o *Options) { o.Ops = 0 }, func(o *Options) { o.Ops = MaxOps + 1 },
		func(o *Options) { o.Modes = []string{"nonesuch"} }, func(o *Options) { o.Replicas, o.Modes = 3, []string{"half"} }, func(o *Options) { o.Policy = nil },
	} {
		o := tiny
		change(&o)
		if _, err := Run(context.Background(), o); !errors.Is(err, ErrBounds) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Histories are one if they differ in the order of what does not touch each other, and
// not if they differ in more.
func TestWhatIsOneHistory(t *testing.T) {
	o := Options{Replicas: 2, Messages: 2, Mailboxes: 2, Flags: 2, Ops: 2, Policy: merge.Safe}
	ts, err := newTails(newUniverse(o))
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]int{}
	for _, x := range ts.all {
		by[pure.History(x.ops)]++
	}
	for _, c := range []struct {
		a, b string
		both bool
	}{
		{"0:f+F X#m2; 0:ap Y g1", "0:ap Y g1; 0:f+F X#m2", false},
		{"0:dl X; 0:su Y", "0:su Y; 0:dl X", false},
		{"0:f+F X#m2; 0:cp X#m2>Y", "0:cp X#m2>Y; 0:f+F X#m2", true},
		{"0:f+F X#m2; 0:ex X#m2", "0:ex X#m2; 0:f+F X#m2", false}, // the second flag change finds nothing
		{"0:f+F X#m2; 0:f-F X#m2", "0:f+F X#m2; 0:f-F X#m2", true},
		{"0:su X; 0:rn X>Z", "0:rn X>Z; 0:su X", true},
	} {
		if n := by[c.a] + by[c.b]; c.a != c.b && (n == 2) != c.both || n == 0 {
			t.Errorf("%s | %s: %d of them", c.a, c.b, n)
		}
	}
	for h, n := range by {
		if n > 1 {
			t.Errorf("%s is there %d times", h, n)
		}
	}
}

// What is left out for being like another is one renaming, and maybe an exchange of
// sides, away from what is tried: every case has just one that stands for it.
func TestEveryCaseIsStoodFor(t *testing.T) {
	o := Options{Replicas: 2, Messages: 2, Mailboxes: 2, Flags: 1, Ops: 1, Policy: merge.Safe}
	ts, err := newTails(newUniverse(o))
	if err != nil {
		t.Fatal(err)
	}
	for i := range ts.all {
		for j := range ts.all {
			stand := map[[2]int]bool{}
			for g := -1; g < len(ts.u.alike); g++ {
				c := []int{i, j}
				if g >= 0 {
					c = []int{ts.all[i].image[g], ts.all[j].image[g]}
				}
				c = []int{min(c[0], c[1]), max(c[0], c[1])}
				if ts.first(c, true) {
					stand[[2]int(c)] = true
				}
			}
			if len(stand) != 1 {
				t.Errorf("%d, %d: %d cases stand for it", i, j, len(stand))
			}
		}
	}
}
