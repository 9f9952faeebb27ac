package pure

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"dsync/merge"
)

// The small universe of testing.md ring 4: one mail in each of two mailboxes, and
// all that one side can do there in at most two operations.
const smallPast = "0:cr X,Y; 0:ap X m; 0:ap Y n; 0:f+F Y#n; 0:su Y"

var smallOps = []string{
	"ap X g", "ap Y g", "ex X", "ex Y", "mv X>Y", "mv Y>X", "cp X>Y", "f+F X", "f-F Y", "k+kw Y",
	"cr Z", "cr X", "dl X", "dl Y", "rn X>Z", "rn Y>Z", "rn X>Y/X", "rn Y>X/Y", "su X", "us Y", "md X v", "uv X up", "un X",
}

// tail is what one side did: the operations, and each side as it is afterwards.
type tail struct {
	ops  string
	at   [2]*Replica
	now  int64
	size int
}

// tails lists all histories of at most n operations from the past, without those
// in which an operation does nothing.
func tails(w *World, n int, ops []string) []tail {
	out := []tail{{at: [2]*Replica{w.R[0], w.R[1]}}}
	for i := 0; i < len(out); i++ {
		t := out[i]
		if t.size == n {
			continue
		}
		for _, op := range ops {
			next := tail{ops: t.ops + "; " + op, size: t.size + 1}
			idle := false
			for s := range next.at {
				r := t.at[s].Clone()
				seq, dump := r.Seq, r.Dump(w.Policy, true)
				r.Do(MustParse("0:" + op)[0])
				r.changed()
				r.forgive()
				next.at[s] = r
				idle = idle || r.Seq == seq && r.Dump(w.Policy, true) == dump
			}
			if !idle {
				out = append(out, next)
			}
		}
	}
	return out
}

// exhaust runs every step-th pair of tails, most of them at most, through a whole
// run with its laws, until one breaks a law.
func exhaust(t *testing.T, p *merge.Policy, step, most int) (pairs int, err error) {
	t.Helper()
	w := NewWorld(2, p)
	for _, o := range MustParse(smallPast) {
		if err := w.Run(o); err != nil {
			t.Fatal(err)
		}
	}
	w.level(t)
	w.now += 1e6
	ts := tails(w, 2, smallOps)
	for i, a := range ts {
		for j := i; j < len(ts); j++ {
			if (i*len(ts)+j)%step != 0 || pairs == most {
				continue
			}
			b := ts[j]
			pair := &World{R: []*Replica{a.at[0].Clone(), b.at[1].Clone()}, Policy: p, now: w.now, ids: w.ids}
			pairs++
			if err := pair.whole(pair.R[0], pair.R[1]); err != nil {
				return pairs, fmt.Errorf("past: %s; 0=1\nside 0%s\nside 1%s\n%w", smallPast, a.ops, b.ops, err)
			}
		}
	}
	return pairs, nil
}

// TestExhaustive is E1's small scope: every pair of histories of at most two
// operations a side. Without DSYNC_EXHAUSTIVE=1 every eleventh pair.
func TestExhaustive(t *testing.T) {
	step := 11
	if testing.Short() {
		step = 41
	}
	if os.Getenv("DSYNC_EXHAUSTIVE") != "" {
		step = 1
	}
	start := time.Now()
	n, err := exhaust(t, merge.Safe, step, math.MaxInt)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pairs in %v", n, time.Since(start).Round(time.Millisecond))
	if step == 1 && n < 21_000 {
		t.Errorf("only %d pairs", n)
	}
}

func TestExhaustivePolicies(t *testing.T) {
	for _, p := range []*merge.Policy{merge.AddWins, merge.RemoveWins, merge.LaterWins, merge.LaterModSeqWins, merge.Union, merge.ExpungeNever, merge.ThreeWayState, {Name: "expunge-follows-move", ExpungeFollowsMove: true}, merge.Dovecot} {
		t.Run(p.Name, func(t *testing.T) {
			n, err := exhaust(t, p, policyStep(), math.MaxInt)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d pairs", n)
		})
	}
}

func policyStep() int {
	if testing.Short() {
		return 397
	}
	return 61
}
