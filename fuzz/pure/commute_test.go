package pure

import (
	"math/rand/v2"
	"testing"
)

// P21, over histories of all kinds of runs; and that operations are moved.
func TestIndependentEventsCommute(t *testing.T) {
	moved, tried := 0, 0
	for _, k := range []Kind{{Replicas: 2, Ops: 20}, {Replicas: 3, Ops: 24}, {Replicas: 3, Ops: 24, Tree: true}, {Replicas: 3, Ops: 24, Parts: true}} {
		for s := uint64(1); s <= uint64(histories(60)); s++ {
			if *seedFlag != 0 && int64(s) != *seedFlag {
				continue
			}
			ops := k.Generate(rand.New(rand.NewPCG(s, 210)))
			try := func(ops []Op) error { return k.CheckCommutes(ops, s) }
			if err := try(ops); err != nil {
				small := Shrink(ops, try)
				t.Fatalf("repeat with: go test ./fuzz/pure -run '%s' -seed %d\nhistory: %s\n%v", t.Name(), s, History(small), try(small))
			}
			_, n := Commuted(ops, rand.New(rand.NewPCG(s, 21)))
			moved += n
			tried++
		}
	}
	if moved < tried && *seedFlag == 0 {
		t.Errorf("only %d operations were moved in %d histories", moved, tried)
	}
	t.Logf("%d operations moved", moved)
}
