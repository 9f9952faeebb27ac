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

// P23: what a client copied on one side and expunged on another crosses to a third as a
// copy of what is there, though the number of its messages stays the same.
func TestCopyBesideExpunge(t *testing.T) {
	const history = "0:cr A; 0:ap A t2; 0=1; 1=2; 0:ex A#2; 1:cp A#0>A"
	if err := (Trial{Replicas: 3, Policy: merge.Safe, Seed: 351}).Try(mustParse(history)); err != nil {
		t.Errorf("history: %s\n%v", history, err)
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

// P11 across a deletion that the merge undoes, and where a mailbox gets another GUID:
// what vanished is listed under the UIDVALIDITY that comes back, and HIGHESTMODSEQ
// does not fall.
func TestModSeqsNamed(t *testing.T) {
	for _, c := range []struct {
		name, history string
		n             int
	}{
		{"a client deletes", "0:cr A; 0:ap A t; 1=0; 1:ap A u; 0:dl A; 0=1", 2},
		{"it comes back empty", "0:cr A; 0:ap A t; 1=0; 1:ap A u; 1:ex A#u; 0:dl A; 0=1", 2},
		{"a run deletes, a third replica brings it back", "0:cr A; 0:ap A t; 0:ap A v; 0=1; 0=2; 0:dl A; 0=1; 2:ap A u; 1=2", 3},
		{"twice", "0:cr A; 0:ap A t; 1=0; 1:ap A u; 0:dl A; 0=1; 1:ap A w; 0:dl A; 0=1", 2},
		{"renamed there", "0:cr A; 0:ap A t; 1=0; 1:rn A>B; 1:ap B u; 0:dl A; 0=1; 0:rn B>A; 0=1", 2},
		{"two mailboxes made one", "0:cr A; 0:ap A t; 0=1; 0:ex A#t; 0:ap A v; 2:cr A; 2:ap A u; 2=0; 1=2", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(6) { // other GUIDs, which decide whose list is whose
				if err := (Trial{Replicas: c.n, Policy: merge.Safe, Seed: seed + 1}).Try(mustParse(c.history)); err != nil {
					t.Fatalf("seed %d, history: %s\n%v", seed+1, c.history, err)
				}
			}
		})
	}
}
