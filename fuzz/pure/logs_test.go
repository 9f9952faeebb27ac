package pure

import (
	"math/rand/v2"
	"testing"
)

// P12: what logs drop changes no result. Two worlds run the same history; in one
// every replica trims before each run.
func TestTrimmingChangesNothing(t *testing.T) {
	for _, k := range []Kind{{Replicas: 2, Ops: 24}, {Replicas: 3, Ops: 30}, {Replicas: 3, Ops: 30, Tree: true}, {Replicas: 4, Ops: 36, Parts: true}} {
		for s := range uint64(histories(150)) {
			if *seedFlag != 0 && int64(s) != *seedFlag {
				continue
			}
			ops := k.Generate(rand.New(rand.NewPCG(s, 12)))
			if err := k.CheckTrimmed(ops); err != nil {
				small := Shrink(ops, k.CheckTrimmed)
				t.Fatalf("repeat with: go test ./fuzz/pure -run '%s' -seed %d\nhistory: %s\n%v", t.Name(), s, History(small), k.CheckTrimmed(small))
			}
		}
	}
}

// Lost, cloned and restored logs, and clocks that are wrong, in the middle of
// everything: all laws but P8, of which only what a log still tells is asked.
func TestLogsLostAndFound(t *testing.T) {
	for _, k := range []struct {
		name string
		kind Kind
		n    int
	}{
		{"lost-two", Kind{Replicas: 2, Ops: 16, Logs: 1}, 400},
		{"lost-three", Kind{Replicas: 3, Ops: 24, Logs: 1}, 400},
		{"lost-tree", Kind{Replicas: 3, Ops: 20, Tree: true, Logs: 1}, 300},
		{"restored-two", Kind{Replicas: 2, Ops: 18, Logs: 2}, 400},
		{"skewed-three", Kind{Replicas: 3, Ops: 20, Tree: true, Logs: 3}, 200},
	} {
		t.Run(k.name, func(t *testing.T) { runKind(t, k.kind, k.n) })
	}
}
