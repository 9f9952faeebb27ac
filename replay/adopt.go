package replay

import (
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// adoptTree takes over the nodes whose mailboxes stand. One that failed, or is
// doomed, stays as it was.
func (p *Player) adoptTree() {
	hold := map[*changelog.Node]bool{}
	for _, b := range p.Plan.all() {
		if b.Node != nil && p.bad[b] {
			hold[b.Node] = true
		}
		if b.Node == nil {
			for _, n := range p.becomes(b) {
				hold[n] = true
			}
		}
	}
	for _, n := range p.In.After.Tree.Nodes {
		if !hold[n] {
			p.adopt(n)
		}
	}
}

// becomes gives the nodes, as they are to be, of a mailbox that is to go.
func (p *Player) becomes(b *Box) (out []*changelog.Node) {
	if p.after == nil {
		p.after = byGUID(p.In.After.Tree)
	}
	for _, g := range b.Was.GUIDs {
		if n := p.after[g]; n != nil && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func byGUID(t *changelog.Tree) map[store.MailboxGUID]*changelog.Node {
	by := make(map[store.MailboxGUID]*changelog.Node, len(t.Nodes))
	for _, n := range t.Nodes {
		for _, g := range n.GUIDs {
			by[g] = n
		}
	}
	return by
}

// adopt puts a node as it is to be in the place of those it is made of, with the
// numbers that the mailbox has at this moment.
func (p *Player) adopt(n *changelog.Node) {
	c := n.Clone()
	if b := p.isNow[n]; b != nil {
		switch {
		case b.Was == nil:
			c.UIDNext = max(p.next[b], 1)
		case p.next[b] == 0:
			c.UIDValidity, c.UIDNext = b.Was.UIDValidity, b.Was.UIDNext
		}
	}
	p.hold(c, n)
	if olds := p.replace(c); len(olds) != 1 || !samePlace(olds[0], c) {
		p.listed = false
	}
}

// samePlace reports whether a layout shows two nodes alike.
func samePlace(a, b *changelog.Node) bool {
	return slices.Equal(a.GUIDs, b.GUIDs) && slices.Equal(a.Creates, b.Creates) && slices.Equal(a.Places, b.Places) && slices.Equal(a.Presence, b.Presence) &&
		a.Chosen == b.Chosen
}

// hold leaves in a node what could not be written to the store, or was not yet, as
// it was: else the next look takes it for undone by a client.
func (p *Player) hold(c, n *changelog.Node) {
	late := n.IsAccount() && p.unset
	if b := p.isNow[n]; b != nil && b.Was != nil && len(b.Attrs) > 0 && !p.stands[b] {
		late = true
	}
	sub := false
	if len(p.unsub) > 0 && !n.IsAccount() {
		s := p.Plan.after.In(n.GUID())
		sub = s != nil && p.unsub[s.Path]
	}
	if !late && !sub {
		return
	}
	if late {
		c.Attrs = nil
	}
	if sub {
		c.Subs = nil
	}
	for _, was := range p.wasOf(n) {
		if late {
			c.Attrs, c.Chosen.Attrs = append(c.Attrs, was.Attrs...), was.Chosen.Attrs
		}
		if sub {
			c.Subs, c.Chosen.Subs = append(c.Subs, was.Subs...), was.Chosen.Subs
		}
	}
	changelog.SortAttrs(c.Attrs)
	slices.SortFunc(c.Subs, func(a, b changelog.BoolWrite) int { return a.Dot.Compare(b.Dot) })
}

// wasOf gives what stood before the run of a node as it is to be.
func (p *Player) wasOf(n *changelog.Node) (out []*changelog.Node) {
	if p.before == nil {
		p.before = byGUID(p.In.Before)
	}
	for _, g := range n.GUIDs {
		if o := p.before[g]; o != nil && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}
