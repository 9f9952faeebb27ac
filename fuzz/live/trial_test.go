package live

import (
	"math/rand/v2"
	"testing"

	"dsync/fuzz/pure"
	"dsync/merge"
)

// trials tries n histories of a kind.
func trials(t *testing.T, k pure.Kind, n int, with func(seed uint64) Trial) {
	t.Helper()
	from, to := uint64(1), uint64(histories(n))
	if *seedFlag != 0 {
		from, to = uint64(*seedFlag), uint64(*seedFlag)
	}
	for s := from; s <= to; s++ {
		ops := Unique(k.Generate(rand.New(rand.NewPCG(s, 41))))
		tr := with(s)
		if err := tr.Try(ops); err != nil {
			small := shrink(ops, tr.Try)
			t.Fatalf("repeat with: go test ./fuzz/live -run '%s$' -seed %d\nhistory: %s\n%v", t.Name(), s, text(small), tr.Try(small))
		}
	}
}

// P3, P11, P13 to P15, P23 of the default policy.
func TestTrial(t *testing.T) {
	for _, c := range []struct {
		name string
		kind pure.Kind
		n    int
	}{
		{"two", pure.Kind{Replicas: 2, Ops: 14}, 16},
		{"three", pure.Kind{Replicas: 3, Ops: 16}, 12},
		{"parts", pure.Kind{Replicas: 3, Ops: 16, Parts: true}, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			trials(t, c.kind, c.n, func(seed uint64) Trial { return Trial{Replicas: c.kind.Replicas, Policy: merge.Safe, Seed: seed} })
		})
	}
}

// Runs of other policies in turn: what one chose is in the log, so that no look, no
// digest and no plan of the next takes it for a client's work, and all is level once
// one policy has swept.
func TestPoliciesInTurn(t *testing.T) {
	first := *merge.Safe
	first.Name = "first"
	for _, r := range merge.Rules() {
		for _, c := range []string{"earlier-wins", "unsubscribed-wins", "larger-wins"} {
			r.Set(&first, c)
		}
	}
	for _, c := range []struct {
		name string
		kind pure.Kind
		n    int
	}{
		{"two", pure.Kind{Replicas: 2, Ops: 20, Tree: true, Direct: true}, 24},
		{"three", pure.Kind{Replicas: 3, Ops: 24, Tree: true}, 24},
		{"parts", pure.Kind{Replicas: 3, Ops: 24, Tree: true, Parts: true}, 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			trials(t, c.kind, c.n, func(seed uint64) Trial {
				return Trial{Replicas: c.kind.Replicas, Policy: merge.Safe, Seed: seed,
					Turns: []*merge.Policy{merge.Safe, &first, merge.LaterWins, merge.Union, &first}}
			})
		})
	}
}
