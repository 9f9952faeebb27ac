package pure

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"dsync/changelog"
)

// What exhaustive searches ask of replicas: which histories come to one state, and
// the same state a little later.

// With is a world of copies of these replicas, under the laws and at the time of w.
func (w *World) With(rs ...*Replica) *World {
	v := w.sub()
	for _, r := range rs {
		v.R = append(v.R, r.Clone())
	}
	return v
}

// Level brings all replicas to one state, and forgets what was reported.
func (w *World) Level() error {
	for range 2 {
		if err := w.sweep(); err != nil {
			return err
		}
	}
	w.Reported = nil
	return nil
}

// Same reports whether both replicas hold and have seen the same.
func (r *Replica) Same(o *Replica) bool {
	x, y := r.Side(), o.Side()
	return sameSide(&x, &y)
}

// restated calls change with every write that the replica itself made after position
// since, in a copy that shares nothing, and puts all lists into their order again.
func (r *Replica) restated(since uint64, change func(*changelog.Write)) *Replica {
	c := r.Clone()
	each := func(w *changelog.Write) {
		if w.Dot.Replica == r.ID && w.Dot.Seq > since {
			change(w)
		}
	}
	dots := func(s changelog.Dots) (out changelog.Dots) {
		s.Each(func(d changelog.Dot) bool {
			w := changelog.Write{Dot: d}
			each(&w)
			out.Add(w.Dot)
			return true
		})
		return out
	}
	c.rewrite(each, dots)
	return c
}

// rewrite changes every write in place, and every set of dots.
func (r *Replica) rewrite(write func(*changelog.Write), dots func(changelog.Dots) changelog.Dots) {
	r.Seen, r.Tree, r.lent = dots(r.Seen), r.Tree.Clone(), false
	msgs := map[changelog.Dot]*changelog.Message{}
	for _, m := range r.Messages {
		m = m.Clone()
		rewriteMessage(m, write)
		m.Past = dots(m.Past)
		msgs[m.ID()] = m
	}
	r.Messages = msgs
	for _, n := range r.Tree.Nodes {
		rewriteNode(n, write)
		n.Past = dots(n.Past)
	}
	for _, b := range r.Tree.Bare {
		for i := range b.Subs {
			write(&b.Subs[i].Write)
		}
		slices.SortFunc(b.Subs, func(x, y changelog.BoolWrite) int { return x.Dot.Compare(y.Dot) })
		b.Past = dots(b.Past)
	}
	r.changed()
}

// Later is the replica as if it had made its changes after position since so many
// microseconds later.
func (r *Replica) Later(since uint64, by int64) *Replica {
	return r.restated(since, func(w *changelog.Write) { w.Stamp.Time += by })
}

// Key tells states of the replica apart, but not those that differ only in the order
// of changes after position since that do not touch each other. names are those
// changes, in the order in which they were made; no two are alike.
func (r *Replica) Key(since uint64, names []string) string {
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(names[a], names[b]) })
	rank := make([]uint64, len(names))
	h := sha256.New()
	for i, j := range order {
		rank[j] = uint64(i)
		fmt.Fprintf(h, "%q\n", names[j])
	}
	c := r.restated(since, func(w *changelog.Write) {
		w.Dot.Seq = since + 1 + rank[w.Dot.Seq-since-1]
		w.Stamp = changelog.Stamp{Time: 1}
	})
	var b []byte
	for _, n := range c.Tree.Nodes {
		b = changelog.AppendNode(b, n)
	}
	for _, x := range c.Tree.Bare {
		b = changelog.AppendBare(b, x)
	}
	b = changelog.AppendUVs(b, c.Tree.UVs)
	for _, m := range c.List() {
		b = changelog.AppendMessage(b, m)
	}
	h.Write(changelog.AppendDots(b, &c.Seen))
	return string(h.Sum(nil))
}

func rewriteMessage(m *changelog.Message, write func(*changelog.Write)) {
	by := func(a, b changelog.Write) int { return a.Dot.Compare(b.Dot) }
	for i := range m.Origins {
		write(&m.Origins[i])
	}
	slices.SortFunc(m.Origins, by)
	for i := range m.Presence {
		write(&m.Presence[i].Write)
	}
	slices.SortFunc(m.Presence, func(a, b changelog.Presence) int { return by(a.Write, b.Write) })
	for i := range m.Flags {
		write(&m.Flags[i].Write)
	}
	changelog.SortFlags(m.Flags)
	for i := range m.Keywords {
		write(&m.Keywords[i].Write)
	}
	changelog.SortKeywords(m.Keywords)
}

func rewriteNode(n *changelog.Node, write func(*changelog.Write)) {
	by := func(a, b changelog.Write) int { return a.Dot.Compare(b.Dot) }
	for i := range n.Creates {
		write(&n.Creates[i].Write)
	}
	changelog.SortCreates(n.Creates)
	for i := range n.Places {
		write(&n.Places[i].Write)
	}
	slices.SortFunc(n.Places, func(a, b changelog.PlaceWrite) int { return by(a.Write, b.Write) })
	for i := range n.Presence {
		write(&n.Presence[i].Write)
	}
	slices.SortFunc(n.Presence, func(a, b changelog.NodePresence) int { return by(a.Write, b.Write) })
	for i := range n.Subs {
		write(&n.Subs[i].Write)
	}
	slices.SortFunc(n.Subs, func(a, b changelog.BoolWrite) int { return by(a.Write, b.Write) })
	for i := range n.Attrs {
		write(&n.Attrs[i].Write)
	}
	changelog.SortAttrs(n.Attrs)
}
