package live

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"dsync/fuzz/pure"
)

// meddle makes a world with a past, then some rounds of changes before and within
// a run.
func meddle(w *world, seed uint64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		w.close()
	}()
	k := pure.Kind{Replicas: 2, Ops: 4}
	w.strict = false
	for round := range 3 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		past := clientOps(k.Generate(rng), round*1000+1)
		for _, o := range past {
			if err := w.run(o); err != nil {
				return err
			}
		}
		k.Ops = 8
		within := clientOps(k.Generate(rng)[3:], round*1000+500)
		if err := w.meddled(int(seed)%2, 1-int(seed)%2, within, seed*7+uint64(round)); err != nil {
			return fmt.Errorf("round %d, before it %s: %w", round, text(past), err)
		}
	}
	return w.quiet(0, 1)
}

// P15: clients deliver, flag, expunge, move, rename while a run is under way.
func TestInterference(t *testing.T) {
	for _, k := range []struct {
		name string
		n    int
		real bool
		late bool
	}{{"memory", 300, false, false}, {"memory-late", 150, false, true}, {"maildir", 40, true, false}} {
		t.Run(k.name, func(t *testing.T) {
			log := &logs{}
			defer log.close()
			from, to := uint64(1), uint64(histories(k.n))
			if *seedFlag != 0 {
				from, to = uint64(*seedFlag), uint64(*seedFlag)
			}
			for s := from; s <= to; s++ {
				db, err := log.get(s)
				if err != nil {
					t.Fatal(err)
				}
				var w *world
				if k.real {
					dir := tmpRoot(t, s)
					defer os.RemoveAll(dir)
					w, err = diskKind{kind: pure.Kind{Replicas: 2}, mode: Fast}.world(s, db, dir)
				} else {
					w = memKind{kind: pure.Kind{Replicas: 2}, mode: Fast, late: k.late}.world(s, db)
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := meddle(w, s); err != nil {
					t.Fatalf("repeat with: go test ./fuzz/live -run '%s$' -seed %d\n%v", t.Name(), s, err)
				}
			}
		})
	}
}
