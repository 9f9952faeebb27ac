package live

import (
	"errors"
	"testing"

	"dsync/fuzz/pure"
)

// R1: the connection breaks with each frame of a run, once; the next run gives what
// it would have given. Bodies count as frames.
func TestCutAtEachFrame(t *testing.T) {
	kinds := []memKind{
		{kind: pure.Kind{Replicas: 2, Ops: 12}, mode: Fast, apart: true},
		{kind: pure.Kind{Replicas: 2, Ops: 12, Tree: true}, mode: State, apart: true},
	}
	log := &logs{}
	defer log.close()
	cuts := 0
	for _, k := range kinds {
		for seed := uint64(1); seed <= uint64(histories(6)); seed++ {
			ops := clients(k.generate(seed))
			for cut := 1; ; cut++ {
				db, err := log.get(seed)
				if err != nil {
					t.Fatal(err)
				}
				w := k.world(seed, db)
				frames, err := cutRun(w, ops, cut)
				if err != nil {
					t.Fatalf("%s\nseed %d, cut with frame %d: %v", text(ops), seed, cut, err)
				}
				cuts++
				if cut > frames {
					break
				}
			}
		}
	}
	t.Logf("%d cuts", cuts)
}

// clients leaves out what is no client's work, but for the first run.
func clients(ops []Op) (out []Op) {
	runs := 0
	for _, o := range ops {
		switch o.Verb {
		case pure.SyncWhole:
			if runs++; runs > 1 {
				continue
			}
		case pure.SyncBox, pure.SyncSince, pure.OneWay, pure.Backup, pure.Half, pure.Partly:
			continue
		}
		out = append(out, o)
	}
	return out
}

// cutRun plays a history, makes a run that breaks, and brings all together.
func cutRun(w *world, ops []Op, cut int) (frames int, err error) {
	defer w.close()
	for _, o := range ops {
		if err := w.run(o); err != nil {
			return 0, err
		}
	}
	before, err := w.both(0, 1)
	if err != nil {
		return 0, err
	}
	w.model.look(0, before[0])
	w.model.look(1, before[1])
	w.cut = cut
	if _, err := w.pair(0, 1, w.pairOptions(0, 1)); err != nil && !errors.Is(err, ErrCut) {
		return 0, err
	}
	frames = w.frames
	after, err := w.both(0, 1)
	if err != nil {
		return 0, err
	}
	if err := w.kept(before, after); err != nil {
		return 0, err
	}
	w.model.partial(0, 1, before, after)
	return frames, w.converge()
}
