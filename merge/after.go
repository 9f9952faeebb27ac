package merge

import (
	"fmt"
	"slices"

	"dsync/changelog"
)

// TreeID is the identity under which the tree as a whole is played; MessageID is
// that of a message. A part of a run that fails is named by them in Enter.
const TreeID = "tree"

// MessageID names a merged message for Enter.
func MessageID(m *changelog.Message) string { return fmt.Sprint(m.ID()) }

// crossing is what an entry brings to a side: if it stands there, the dots that
// the other side's version mentions may be entered.
type crossing struct {
	message *changelog.Message   // nil: the tree
	theirs  []*changelog.Message // whose dots it brings, and
	dots    changelog.Dots
}

// bag gathers dots of many entries; a set is built once.
type bag struct {
	dots []changelog.Dot
	set  changelog.Dots
}

func (b *bag) entries(ms []*changelog.Message) {
	for _, x := range ms {
		x.EachLive(b.dot)
		if !x.Past.Empty() {
			b.set.Union(&x.Past)
		}
	}
}

func (b *bag) dot(d changelog.Dot) {
	if n := len(b.dots); n == 0 || b.dots[n-1] != d {
		b.dots = append(b.dots, d)
	}
}

// all is everything gathered.
func (b *bag) all() changelog.Dots {
	slices.SortFunc(b.dots, changelog.Dot.Compare)
	for i := 0; i < len(b.dots); {
		j := i + 1
		for j < len(b.dots) && b.dots[j].Replica == b.dots[i].Replica && b.dots[j].Seq <= b.dots[j-1].Seq+1 {
			j++
		}
		b.set.AddRange(b.dots[i].Replica, changelog.Range{Lo: b.dots[i].Seq, Hi: b.dots[j-1].Seq})
		i = j
	}
	b.dots = nil
	return b.set
}

// add puts a merged entry into what a side holds, and names the entries of that
// side that it takes the place of.
func (a *After) add(out *changelog.Message, mine []*changelog.Message) {
	for _, x := range mine {
		if x.ID() != out.ID() {
			a.Drop = append(a.Drop, x.ID())
		}
	}
	a.Messages = append(a.Messages, out)
}

func (a *After) sort() {
	slices.SortFunc(a.Messages, func(x, y *changelog.Message) int { return x.ID().Compare(y.ID()) })
	slices.SortFunc(a.Drop, changelog.Dot.Compare)
}

// brings notes that entry out, if it stands at side s, brings the dots that the
// other side's entries mention.
func (r *Result) brings(s int, out *changelog.Message, theirs []*changelog.Message) {
	if len(theirs) > 0 {
		r.cross[s] = append(r.cross[s], crossing{message: out, theirs: theirs})
	}
}

// holdsBack notes dots whose effects do not all reach side s.
func (r *Result) holdsBack(s int, d changelog.Dots) { r.held[s].Union(&d) }

// Enter gives the dots that side s may enter into its seen-set once everything
// that the merge gave it stands, but for the entries of which failed is true
// (called with TreeID and MessageID values). A dot enters only when all its
// effects stand, and only if the other side has it itself.
func (r *Result) Enter(s int, failed func(id string) bool) changelog.Dots {
	in, held := r.EnterParts(s, failed)
	return in.Minus(&held)
}

// EnterParts gives the two sets whose difference Enter is: a run in several parts
// joins them over its parts before it takes the difference.
func (r *Result) EnterParts(s int, failed func(id string) bool) (enter, hold changelog.Dots) {
	var in, held bag
	held.set = r.held[s].Clone()
	held.entries(r.heldBack[s])
	for _, c := range r.cross[s] {
		to := &in
		if failed != nil {
			id := TreeID
			if c.message != nil {
				id = MessageID(c.message)
			}
			if failed(id) {
				to = &held
			}
		}
		to.entries(c.theirs)
		to.set.Union(&c.dots)
	}
	enter, hold = in.all(), held.all()
	beyond := enter.Minus(&r.seen[1-s])
	enter = enter.Minus(&beyond)
	return enter.Minus(&r.seen[s]), hold
}

// crossTree notes what the tree brings to side s: all of the other side's nodes
// that cross whole, and of ancestors the creates and places.
func (m *merger) crossTree(s int, whole func(*class) bool, part func(*class) bool, bare bool) {
	var in changelog.Dots
	for _, c := range m.class.all {
		for _, n := range c.side[1-s] {
			ds := n.Mentions()
			switch {
			case whole(c):
				in.Union(&ds)
			case part(c):
				var some changelog.Dots
				for _, w := range n.Creates {
					some.Add(w.Dot)
				}
				for _, w := range n.Places {
					some.Add(w.Dot)
				}
				in.Union(&some)
				rest := n.Past.Clone()
				for _, w := range n.Presence {
					rest.Add(w.Dot)
				}
				for _, w := range n.Subs {
					rest.Add(w.Dot)
				}
				for _, w := range n.Attrs {
					rest.Add(w.Dot)
				}
				m.out.holdsBack(s, rest)
			default:
				m.out.holdsBack(s, ds)
			}
		}
	}
	for _, b := range m.side[1-s].Tree.Bare {
		ds := b.Mentions()
		if bare {
			in.Union(&ds)
		} else {
			m.out.holdsBack(s, ds)
		}
	}
	m.out.cross[s] = append(m.out.cross[s], crossing{dots: in})
}

// crossGroup notes what a group brings to side s, or holds back.
func (m *merger) crossGroup(s int, g *group) {
	if !g.waits {
		m.out.brings(s, g.out, g.side[1-s])
		return
	}
	m.out.heldBack[s] = append(m.out.heldBack[s], g.side[1-s]...)
}
