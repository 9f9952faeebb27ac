package pure

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dsync/merge"
)

// named is one history with its exact result.
type named struct {
	name    string
	n       int    // replicas
	past    string // what all hold before; every replica is brought level after it
	history string
	want    string // what replica 0 shows then (Show); all others too, unless:
	others  map[int]string
	rules   string // numbers of the decisions of the history's runs, in order
	final   string // what all show after Converge; "": as want, but for UIDs
}

func (c named) run(t *testing.T, p *merge.Policy) *World {
	t.Helper()
	w := NewWorld(c.n, p)
	do := func(s string) {
		for i, o := range MustParse(s) {
			if err := w.Run(o); err != nil {
				t.Fatalf("history: %s\nat %d, %v: %v", s, i, o, err)
			}
		}
	}
	if c.past != "" {
		do(c.past)
		if err := w.Level(); err != nil {
			t.Fatal(err)
		}
		do("tick")
	}
	do(c.history)
	var rules []string
	for _, d := range w.Reported {
		rules = append(rules, fmt.Sprint(d.Rule))
	}
	for i, r := range w.R {
		want, ok := c.others[i]
		if !ok {
			want = c.want
		}
		if got := r.Show(w.Policy); got != want {
			t.Errorf("history: %s\nreplica %d shows %s\n          want %s", c.history, i, got, want)
		}
	}
	if got := strings.Join(rules, " "); got != c.rules {
		t.Errorf("history: %s\nrules %q, want %q: %v", c.history, got, c.rules, w.Reported)
	}
	if err := w.Converge(); err != nil {
		t.Errorf("history: %s\n%v", c.history, err)
	}
	want := c.final
	if want == "" {
		want = c.want
	}
	if got := w.R[0].Show(w.Policy); withoutUIDs(got) != withoutUIDs(want) {
		t.Errorf("history: %s\nin the end all show %s\n               want %s", c.history, got, want)
	}
	return w
}

// withoutUIDs takes the UIDs out of a Show.
func withoutUIDs(s string) string {
	boxes := strings.Split(s, "; ")
	for i, b := range boxes {
		fs := strings.Split(b, " ")
		for j, f := range fs {
			if n := strings.IndexByte(f, ':'); n > 0 && strings.Trim(f[:n], "0123456789") == "" {
				fs[j] = f[n+1:]
			}
		}
		boxes[i] = strings.Join(fs, " ")
	}
	return strings.Join(boxes, "; ")
}

func runNamed(t *testing.T, cs []named) {
	t.Helper()
	for _, c := range cs {
		t.Run(c.name, func(t *testing.T) { c.run(t, merge.Safe) })
	}
}

func TestParseReadsWhatHistoryPrints(t *testing.T) {
	for _, k := range []Kind{{Replicas: 3, Ops: 60}, {Replicas: 4, Ops: 60, Tree: true, Parts: true, Direct: true}} {
		for s := range uint64(200) {
			ops := k.Generate(rand.New(rand.NewPCG(s, 5)))
			for i := range ops {
				ops[i] = canonical(ops[i])
			}
			got, err := Parse(History(ops))
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", s, err, History(ops))
			}
			if !slices.Equal(got, ops) {
				t.Fatalf("seed %d:\n%s\nread as\n%s", s, History(ops), History(got))
			}
		}
	}
	for _, s := range []string{"0:lost", "1:clone 0", "2:save", "1:restore", "0:trim", "1:skew -3600", "0=1 -m A", "0:mv A#g1>B", "0:ex A", "0:ap INBOX", "0:cr A,B", "0,1:f+F A#g0"} {
		ops, err := Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(History(ops))
		if err != nil || !slices.Equal(again, ops) {
			t.Errorf("%s: %s read as %s, %v", s, History(ops), History(again), err)
		}
	}
	for _, s := range []string{"x", "0", "0:zz A", "0=1 bogus", "0:mv A", "a:cr A", "0=x", "0:"} {
		if ops, err := Parse(s); err == nil {
			t.Errorf("%q was read as %v", s, ops)
		}
	}
}

// canonical keeps what an operation's print shows.
func canonical(o Op) Op {
	c := Op{Verb: o.Verb, R: o.R}
	switch o.Verb {
	case Tick:
		c.R = 0
	case SyncWhole, OneWay, Backup, Half, SyncSince:
		c.Peer = o.Peer
	case SyncBox:
		c.Peer, c.Path = o.Peer, o.Path
	case Partly:
		c.Peer, c.Arg = o.Peer, o.Arg
	case Copy, Move:
		c.Path, c.Path2, c.N = o.Path, o.Path2, o.N
	case RenameBox:
		c.Path, c.Path2 = o.Path, o.Path2
	case Expunge:
		c.Path, c.N = o.Path, o.N
	case Flag, Unflag, Keyword, Unkeyword:
		c.Path, c.N, c.Arg = o.Path, o.N, o.Arg
	case Append, SetAttr, ResetUIDs:
		c.Path, c.Arg = o.Path, o.Arg
	default:
		c.Path = o.Path
	}
	return c
}
