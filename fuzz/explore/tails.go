package explore

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"dsync/fuzz/pure"
)

// tail is what one side did after the past, and what each side is that did it.
type tail struct {
	ops   []pure.Op // by replica 0
	names []string  // of the changes made, in order (pure.Replica.Key)
	size  int       // operations as the bound counts them
	kinds uint32    // rows of the matrix, by index in pure.Kinds
	at    []*pure.Replica
	image []int // under each renaming of what is alike
}

// tails are all histories of a side that come to different states, by size.
type tails struct {
	u     *universe
	base  *pure.World // every replica in the past's state
	since []uint64    // position of each replica then
	all   []*tail
	byKey map[string]int
}

// second is how far apart histories are that are not made at one time.
const second = 1_000_000

func newTails(u *universe) (*tails, error) {
	w := pure.NewWorld(u.o.Replicas, u.o.Policy)
	for _, o := range pure.MustParse(u.past) {
		if err := w.Run(o); err != nil {
			return nil, fmt.Errorf("the past itself: %w", err)
		}
	}
	if err := w.Level(); err != nil {
		return nil, fmt.Errorf("the past itself: %w", err)
	}
	if err := w.Run(pure.Op{Verb: pure.Tick}); err != nil {
		return nil, err
	}
	t := &tails{u: u, base: w, byKey: map[string]int{}}
	for _, r := range w.R {
		t.since = append(t.since, r.Seq)
	}
	first := &tail{at: w.R}
	t.all = []*tail{first}
	t.byKey[t.key(first)] = 0
	for i := 0; i < len(t.all); i++ { // grows meanwhile
		if t.all[i].size == u.o.Ops {
			continue
		}
		for _, act := range u.acts {
			next, err := t.extend(t.all[i], act)
			if err != nil {
				return nil, err
			}
			if next == nil {
				continue
			}
			if k := t.key(next); !t.known(k) {
				t.byKey[k] = len(t.all)
				t.all = append(t.all, next)
			}
		}
	}
	err := t.images()
	for _, x := range t.all {
		for _, r := range x.at {
			r.Share()
		}
	}
	return t, err
}

func (t *tails) known(key string) bool { _, ok := t.byKey[key]; return ok }

func (t *tails) key(x *tail) string { return x.at[0].Key(t.since[0], x.names) }

// extend makes one more act at every side; nil if it does nothing that shows. Of
// several operations of an act those that do nothing are left out.
func (t *tails) extend(x *tail, act []pure.Op) (*tail, error) {
	w := t.base.With(x.at...)
	next := &tail{ops: slices.Clone(x.ops), names: slices.Clone(x.names), size: x.size + 1, kinds: x.kinds}
	for _, o := range act {
		was, seq := w.R[0].Dump(t.u.o.Policy, true), w.R[0].Seq
		for side := range w.R {
			o.R = side
			if err := w.Run(o); err != nil {
				return nil, fmt.Errorf("%s, by itself: %w", pure.History(append(next.ops, o)), err)
			}
		}
		if w.R[0].Dump(t.u.o.Policy, true) == was {
			if len(act) > 1 && w.R[0].Seq == seq {
				continue
			}
			return nil, nil
		}
		o.R = 0
		next.ops = append(next.ops, o)
		next.name(o, int(w.R[0].Seq-seq))
		if k := slices.Index(pure.Kinds, pure.KindOf(o.Verb)); k >= 0 {
			next.kinds |= 1 << k
		}
	}
	if len(next.ops) == len(x.ops) {
		return nil, nil
	}
	next.at = w.R
	return next, nil
}

// name gives the n changes that an operation made names that no others have.
func (x *tail) name(o pure.Op, n int) {
	times := 0
	for _, p := range x.ops[:len(x.ops)-1] {
		if p == o {
			times++
		}
	}
	for i := range n {
		x.names = append(x.names, fmt.Sprintf("%v/%d/%d", o, times, i))
	}
}

// images finds what each history is when what is alike changes places.
func (t *tails) images() error {
	for g, r := range t.u.alike {
		for _, x := range t.all {
			w := t.base.With(t.all[0].at...)
			y := &tail{}
			for _, o := range x.ops {
				o = r.op(o)
				seq := w.R[0].Seq
				if err := w.Run(o); err != nil {
					return err
				}
				y.ops = append(y.ops, o)
				y.name(o, int(w.R[0].Seq-seq))
			}
			y.at = w.R
			j, ok := t.byKey[t.key(y)]
			if !ok {
				return fmt.Errorf("internal error: %s is like %s, which is no history here", pure.History(y.ops), pure.History(x.ops))
			}
			if x.image == nil {
				x.image = make([]int, len(t.u.alike))
			}
			x.image[g] = j
		}
	}
	return nil
}

// print tells universes apart: what is saved of one is no use to another.
func (t *tails) print(modes []*mode) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", t.u.o.Policy.Canonical(), t.u.past)
	for _, x := range t.all {
		fmt.Fprintf(h, "%s\n%x\n", pure.History(x.ops), t.key(x))
	}
	for _, m := range modes {
		fmt.Fprintf(h, "%s\n", m.name)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// first reports whether a case stands for those that are like it: it is the smallest
// of them. sorted says that the order of sides counts for nothing.
func (t *tails) first(c []int, sorted bool) bool {
	var room [3]int
	for g := range t.u.alike {
		image := room[:0]
		for _, i := range c {
			image = append(image, t.all[i].image[g])
		}
		if sorted {
			slices.Sort(image)
		}
		if slices.Compare(image, c) < 0 {
			return false
		}
	}
	return true
}
