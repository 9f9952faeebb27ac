package live

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"dsync/fuzz/pure"
	"dsync/store/memory"
)

// P15: clients work while a run is under way.

// meddler makes clients' operations in the middle of runs: each at a moment drawn
// from the seed.
type meddler struct {
	w     *world
	mu    sync.Mutex
	rng   *rand.Rand
	ops   []Op // still to be made
	done  []Op
	err   error
	on    bool
	busy  bool
	steps int
}

// step is called before each step of a store, and between look and plan.
func (m *meddler) step(often int) {
	m.mu.Lock()
	if !m.on || m.busy || len(m.ops) == 0 || m.rng.IntN(often) != 0 {
		m.mu.Unlock()
		return
	}
	o := m.ops[0]
	m.ops = m.ops[1:]
	m.done = append(m.done, o)
	m.busy = true
	err := m.w.client(o)
	m.busy = false
	if err != nil && m.err == nil {
		m.err = err
	}
	m.mu.Unlock()
}

// meddled is a run between a and b with the operations in its midst. Afterwards
// runs without must bring both level; nothing is lost or doubled.
func (w *world) meddled(a, b int, ops []Op, seed uint64) error {
	m := &meddler{w: w, rng: rand.New(rand.NewPCG(seed, 5)), ops: ops, on: true}
	for _, r := range []int{a, b} {
		if x, ok := w.acc[r].(*memAccount); ok {
			x.hook = func(op string) {
				if op != memory.OpMark {
					m.step(6)
				}
			}
		}
	}
	w.between = func() { m.step(2); m.step(2) }
	_, err := w.pair(a, b, w.pairOptions(a, b))
	m.mu.Lock()
	m.on = false
	m.mu.Unlock()
	w.between = nil
	for _, r := range []int{a, b} {
		if x, ok := w.acc[r].(*memAccount); ok {
			x.hook = nil
		}
	}
	if m.err != nil {
		return m.err
	}
	if err != nil {
		return fmt.Errorf("P15: the run ended with: %w (meddled: %s)", err, text(m.done))
	}
	for _, o := range m.ops { // those that found no moment
		if err := w.client(o); err != nil {
			return err
		}
	}
	var said []string
	for n := 0; ; n++ {
		w.Pass(time.Second)
		res, err := w.pair(a, b, w.pairOptions(a, b))
		if err != nil {
			return fmt.Errorf("P15: the next run ended with: %w (meddled: %s)", err, text(m.done))
		}
		after, err := w.both(a, b)
		if err != nil {
			return err
		}
		bad := trouble(res)
		if after[0].text == after[1].text && res.Outcome.Equal && len(bad) == 0 {
			return w.levelled(after[0], text(m.done))
		}
		said = append(said, fmt.Sprintf("equal %v, %v", res.Outcome.Equal, bad))
		if n == 1 {
			return fmt.Errorf("P15: two runs without changes did not do (meddled: %s): %v\n%s", text(m.done), said, diff(after[0].text, after[1].text))
		}
	}
}

// levelled is P6 and P9 by what clients did.
func (w *world) levelled(l *listing, done string) error {
	n := l.count()
	for _, t := range slices.Sorted(maps.Keys(w.model.made)) {
		made := w.model.made[t]
		if n[t] == 0 && !w.model.gone[t] {
			return fmt.Errorf("P15: %s, made and never removed, is lost (meddled: %s)", t, done)
		}
		if n[t] > made {
			return fmt.Errorf("P15: %s, made %d times, is there %d times (meddled: %s)\n%s", t, made, n[t], done, l.text)
		}
	}
	return nil
}

// clientOps takes the clients' operations of a history for one of two replicas.
func clientOps(ops []Op, from int) (out []Op) {
	for i, o := range ops {
		switch o.Verb {
		case pure.Append:
			o.Arg = fmt.Sprintf("t%d", from+i)
		case pure.Copy, pure.Move, pure.Expunge, pure.Flag, pure.Unflag, pure.Keyword, pure.Unkeyword, pure.CreateBox, pure.RenameBox, pure.DeleteBox,
			pure.Subscribe, pure.Unsubscribe, pure.SetAttr:
		default:
			continue
		}
		out = append(out, o)
	}
	return out
}
