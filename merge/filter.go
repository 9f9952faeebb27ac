package merge

import (
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// Filter says what a run carries. What is outside is untouched and stays a hole.
type Filter struct {
	// Mailbox reports whether a mailbox of this path and these GUIDs is inside
	// (-m -g -x); nil: all are.
	Mailbox func(path store.Name, guids []store.MailboxGUID) bool
	// New reports whether a message that the other side does not hold may cross
	// (-t -e -I -O); nil: all may.
	New func(m *changelog.Message) bool
	// TreeOnly carries no message at all (-m '').
	TreeOnly bool
}

// filter marks the groups that wait and the nodes that cross.
func (m *merger) filter() {
	f := m.opt.Filter
	if f == nil {
		return
	}
	if f.Mailbox != nil {
		m.inside = map[*changelog.Node]bool{}
		for _, c := range m.class.all {
			m.inside[c.out] = m.nodeInside(c)
		}
	}
	for _, g := range m.groups {
		g.waits = f.TreeOnly || !m.groupInside(g) || !m.mayCross(g) || m.leftOut(g)
		if g.waits {
			m.out.Waiting++
		}
	}
}

func (m *merger) slotInside(s *changelog.Slot) bool {
	if s == nil {
		return true
	}
	return slices.ContainsFunc(s.Members, func(n *changelog.Node) bool {
		return m.opt.Filter.Mailbox(s.Path, m.names(n))
	})
}

// names are all GUIDs of a mailbox that either side knows: which of them a run
// names must not depend on whether the two have met.
func (m *merger) names(n *changelog.Node) []store.MailboxGUID {
	c := m.class.byGUID[n.GUID()]
	if c == nil || len(c.side[0])+len(c.side[1]) < 2 {
		return n.GUIDs
	}
	out := slices.Clone(n.GUIDs)
	for s := range c.side {
		for _, x := range c.side[s] {
			out = append(out, x.GUIDs...)
		}
	}
	return out
}

// nodeInside: every path under which a side or the merge shows the mailbox must be.
func (m *merger) nodeInside(c *class) bool {
	if c.out.IsAccount() {
		return false
	}
	// backup has the source's paths in the end, whatever the merge would show.
	ok := m.opt.Direction == Mirror || m.slotInside(m.layout.In(c.out.GUID()))
	for s := range c.side {
		for _, n := range c.side[s] {
			ok = ok && m.slotInside(m.before[s].In(n.GUID()))
		}
	}
	return ok
}

// groupInside is messages.md 5.
func (m *merger) groupInside(g *group) bool {
	if m.inside == nil {
		return true
	}
	at := func(guid store.MailboxGUID) bool {
		n := m.class.node(guid)
		return n != nil && m.inside[n]
	}
	seen := false
	check := func(x *changelog.Message) bool {
		if p, ok := x.Place(); ok {
			seen = true
			return at(p)
		}
		return true
	}
	for s := range g.side {
		for _, x := range g.side[s] {
			if !check(x) {
				return false
			}
		}
	}
	if m.opt.Direction != Mirror && !check(g.out) {
		return false
	}
	if !seen {
		return at(g.out.Was.Mailbox)
	}
	return true
}

// mayCross is the limit on new messages.
func (m *merger) mayCross(g *group) bool {
	f := m.opt.Filter.New
	if f == nil || !g.out.Live() {
		return true
	}
	for s := range g.side {
		held := slices.ContainsFunc(g.side[s], (*changelog.Message).Live)
		if !held && !f(g.out) {
			return false
		}
	}
	return true
}

// leftOut is messages.md 11: mail of a mailbox whose UIDVALIDITY differs stays as
// it is under a limit on messages.
func (m *merger) leftOut(g *group) bool {
	if m.opt.Filter.New == nil {
		return false
	}
	at, ok := g.out.Place()
	if !ok {
		at = g.out.Was.Mailbox
	}
	slot := m.layout.In(at)
	if slot == nil || slot.Holder == nil {
		return false
	}
	a, b := m.holding(0, slot.Holder), m.holding(1, slot.Holder)
	if a == nil || b == nil || a.UIDValidity == b.UIDValidity || a.UIDValidity == 0 || b.UIDValidity == 0 {
		return false
	}
	if !slices.Contains(m.out.LeftOut, slot.Path) {
		m.out.LeftOut = append(m.out.LeftOut, slot.Path)
		slices.SortFunc(m.out.LeftOut, store.CompareNames)
	}
	return true
}

// partTree is what side s holds of the tree after a run of some mailboxes: those
// inside are merged, their ancestors get GUIDs, creates and places (tree.md 3),
// all else stays.
func (m *merger) partTree(s int) *changelog.Tree {
	own := m.side[s].Tree
	t := &changelog.Tree{UVs: map[store.Name][]changelog.Held{}}
	up := m.ancestors()
	for _, c := range m.class.all {
		switch {
		case m.inside[c.out]:
			n := c.out.Clone()
			if len(c.side[s]) > 0 {
				// Who holds a name concerns mailboxes outside too.
				n.Chosen.Name = c.side[s][0].Chosen.Name
			}
			t.Nodes = append(t.Nodes, n)
		case up[c.out]:
			t.Nodes = append(t.Nodes, m.ancestor(c, s))
		default:
			for _, n := range c.side[s] {
				t.Nodes = append(t.Nodes, n.Clone())
			}
		}
	}
	t.SortNodes()
	for _, b := range own.Bare {
		t.Bare = append(t.Bare, b.Clone())
	}
	for p, hs := range own.UVs { // any order: a map into a map
		t.UVs[p] = slices.Clone(hs)
	}
	// What a path showed for a mailbox outside is the other side's own affair: here
	// it would look like another holder of the number.
	for p, hs := range m.tree.UVs { // any order: Hold sorts within a path
		for _, h := range hs {
			if n := m.class.node(h.Holder); n != nil && m.inside[n] {
				t.Hold(p, h.UIDValidity, h.Holder)
			}
		}
	}
	return t
}

// ancestors are the nodes above those inside that are not inside themselves.
func (m *merger) ancestors() map[*changelog.Node]bool {
	up := map[*changelog.Node]bool{}
	for _, c := range m.class.all {
		if !m.inside[c.out] {
			continue
		}
		n := c.out
		for range store.MaxDepth {
			p, ok := n.Place()
			if !ok || p.Parent.IsZero() {
				break
			}
			n = m.class.node(p.Parent)
			if n == nil || up[n] {
				break
			}
			if !m.inside[n] {
				up[n] = true
			}
		}
	}
	return up
}

// ancestor gives side s the names and the place of a mailbox, but nothing else.
func (m *merger) ancestor(c *class, s int) *changelog.Node {
	n := &changelog.Node{UIDNext: 1}
	if len(c.side[s]) > 0 {
		n = c.side[s][0].Clone()
		for _, x := range c.side[s][1:] {
			n.Presence = union([][]changelog.NodePresence{n.Presence, x.Presence}, byDot(presentDot))
			n.Subs = union([][]changelog.BoolWrite{n.Subs, x.Subs}, byDot(boolDot))
			n.Attrs = union([][]changelog.AttrWrite{n.Attrs, x.Attrs}, compareAttr)
			n.Past.Union(&x.Past)
		}
	}
	n.GUIDs = slices.Clone(c.out.GUIDs)
	n.Creates = slices.Clone(c.out.Creates)
	for _, p := range n.Places {
		if !slices.ContainsFunc(c.out.Places, func(q changelog.PlaceWrite) bool { return q.Dot == p.Dot }) {
			n.Past.Add(p.Dot)
		}
	}
	n.Places, n.Chosen.Place = slices.Clone(c.out.Places), c.out.Chosen.Place
	n.Past = dropLive(n.Past, n.EachLive)
	return n
}
