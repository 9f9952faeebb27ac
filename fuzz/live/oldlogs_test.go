package live

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"dsync/fuzz/pure"
	"dsync/store"
)

// P8 as far as a log tells (rule 28): replica 0 keeps its log and gives out all UIDs;
// replica 1 is restored from older copies of its log, its mail, or both, again and
// again. Nothing that 0 expunged comes back, and nothing else goes.
func TestOldLogsP8(t *testing.T) {
	for seed := range uint64(histories(150)) {
		ops := oldLogsP8(rand.New(rand.NewPCG(seed+1, 179)))
		if *histFlag != "" {
			ops = mustParse(*histFlag)
		}
		if err := tryP8(t, seed, ops); err != nil {
			small := shrink(ops, func(o []Op) error { return tryP8(t, seed, o) })
			t.Fatalf("seed %d, repeat with -history '%s'\n%v", seed, text(small), tryP8(t, seed, small))
		}
	}
}

func oldLogsP8(rng *rand.Rand) (ops []Op) {
	for i := range 24 {
		o := Op{R: rng.IntN(2), Path: []store.Name{store.Inbox, "A"}[rng.IntN(2)], N: rng.IntN(4)}
		switch n := rng.IntN(12); {
		case n < 4:
			o = Op{Verb: pure.SyncWhole, R: o.R, Peer: 1 - o.R}
		case n < 6:
			o = Op{Verb: []pure.Verb{pure.Save, OldLog, OldBoth, pure.Restore}[rng.IntN(4)], R: 1}
		case n < 8 && i > 0:
			o.Verb, o.R = pure.Expunge, 0
		case n < 9:
			o.Verb, o.Arg = []pure.Verb{pure.Flag, pure.Unflag}[rng.IntN(2)], "F"
		default:
			o.Verb, o.R, o.Arg = pure.Append, 0, fmt.Sprintf("t%d", i)
		}
		ops = append(ops, o)
	}
	return append(append(mustParse("0:cr A"), ops...), mustParse("0=1")...)
}

// tryP8 plays a history and asks after each run.
func tryP8(t *testing.T, seed uint64, ops []Op) (err error) {
	log := &logs{}
	defer log.close()
	db, err := log.get(seed + 1)
	if err != nil {
		t.Fatal(err)
	}
	k := memKind{kind: pure.Kind{Replicas: 2}, mode: []Mode{Fast, Auto, State, Mixed}[seed%4]}
	w := k.world(seed, db)
	defer w.close()
	gone, made := map[string]bool{}, map[string]bool{}
	for i, o := range ops {
		before, err := list(w.acc[0])
		if err != nil {
			return err
		}
		if err := w.run(o); err != nil {
			return fmt.Errorf("at %d, %v: %w", i, o, err)
		}
		after, err := w.both(0, 1)
		if err != nil {
			return err
		}
		switch n := after[0].count(); o.Verb {
		case pure.Append:
			made[o.Arg] = n[o.Arg] > 0
		case pure.Expunge:
			for token := range before.count() {
				if n[token] == 0 {
					gone[token] = true
				}
			}
		case pure.SyncWhole:
			for token, there := range made {
				c := [2]int{n[token], after[1].count()[token]}
				switch {
				case gone[token] && c != [2]int{}:
					return fmt.Errorf("at %d, %v: P8: %s came back", i, o, token)
				case there && !gone[token] && c != [2]int{1, 1}:
					return fmt.Errorf("at %d, %v: P6: %s, which nobody removed, is there %d times", i, o, token, c)
				}
			}
		}
	}
	return nil
}
