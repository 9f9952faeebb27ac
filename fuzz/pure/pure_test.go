package pure

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"dsync/merge"
)

var seedFlag = flag.Int64("seed", 0, "repeat the one history of this seed")

// histories is how many histories the rings below try in all; DSYNC_HISTORIES
// multiplies it.
func histories(n int) int {
	if s, err := strconv.Atoi(os.Getenv("DSYNC_HISTORIES")); err == nil && s > 0 {
		return n * s
	}
	if testing.Short() {
		return n / 10
	}
	return n
}

func runKind(t *testing.T, k Kind, n int) {
	t.Helper()
	from, to := int64(1), int64(histories(n))
	if *seedFlag != 0 {
		from, to = *seedFlag, *seedFlag
	}
	for s := from; s <= to; s++ {
		ops := k.Generate(rand.New(rand.NewPCG(uint64(s), 77)))
		if err := k.Try(ops); err != nil {
			small := k.Shrink(ops)
			t.Fatalf("repeat with: go test ./fuzz/pure -run '%s' -seed %d\nhistory: %s\n%v", t.Name(), s, History(small), k.Try(small))
		}
	}
}

func TestHistories(t *testing.T) {
	for _, k := range []struct {
		name string
		kind Kind
		n    int
	}{
		{"two", Kind{Replicas: 2, Ops: 14}, 2500},
		{"three", Kind{Replicas: 3, Ops: 20}, 1500},
		{"five", Kind{Replicas: 5, Ops: 30}, 400},
		{"tree-two", Kind{Replicas: 2, Ops: 14, Tree: true}, 1500},
		{"tree-four", Kind{Replicas: 4, Ops: 24, Tree: true}, 800},
		{"parts-two", Kind{Replicas: 2, Ops: 16, Parts: true}, 1000},
		{"parts-three", Kind{Replicas: 3, Ops: 20, Parts: true}, 1000},
		{"direct-two", Kind{Replicas: 2, Ops: 14, Direct: true}, 800},
		{"all-four", Kind{Replicas: 4, Ops: 24, Parts: true, Direct: true}, 700},
	} {
		t.Run(k.name, func(t *testing.T) { runKind(t, k.kind, k.n) })
	}
}

func TestPolicies(t *testing.T) {
	for _, p := range []*merge.Policy{merge.AddWins, merge.RemoveWins, merge.LaterWins, merge.LaterModSeqWins, merge.Union, merge.ExpungeNever, merge.ThreeWayState} {
		t.Run(p.Name, func(t *testing.T) { runKind(t, Kind{Replicas: 3, Ops: 18, Policy: p}, 300) })
	}
}

// The negative controls must be caught within 100 random histories (E10, L2);
// fuzz/explore sees to it that 100 pairs do, too.
func TestControlsAreCaught(t *testing.T) {
	for _, p := range []*merge.Policy{merge.LeftWins, merge.RightWins, merge.Random(1), merge.Random(2)} {
		k := Kind{Replicas: 2, Ops: 14, Policy: p}
		caught := int64(0)
		for s := int64(1); s <= 100 && caught == 0; s++ {
			if k.Try(k.Generate(rand.New(rand.NewPCG(uint64(s), 77)))) != nil {
				caught = s
			}
		}
		if caught == 0 {
			t.Errorf("%s: not caught by 100 histories", p.Name)
		}
		t.Logf("%s: caught by history %d", p.Name, caught)
	}
}

// Every cell of the matrix in conflicts.md is hit, and by both generators together
// often enough.
func TestEveryCellIsHit(t *testing.T) {
	cover := NewCoverage()
	for _, k := range []Kind{{Replicas: 2, Ops: 32, Tails: true, Cover: cover}, {Replicas: 2, Ops: 32, Tails: true, Tree: true, Cover: cover}} {
		for s := range uint64(400) {
			ops := k.Generate(rand.New(rand.NewPCG(s, 31)))
			if err := k.Try(ops); err != nil {
				t.Fatalf("seed %d: %s\n%v", s, History(ops), err)
			}
		}
	}
	if m := cover.Missing(); len(m) > 0 {
		t.Errorf("never hit: %v", m)
	}
	least, cell := 1<<30, [2]string{}
	for c, n := range cover.Cells {
		if n < least || n == least && fmt.Sprint(c) < fmt.Sprint(cell) {
			least, cell = n, c
		}
	}
	t.Logf("%d cells, the rarest %v hit %d times", len(cover.Cells), cell, least)
}
