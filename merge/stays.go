package merge

import (
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// Choices of a policy by which a message outlives an expunge, and flags what
// cleared them.

// stays settles where the message is: what goes although the side that removed it
// had not seen all of it, and what a policy keeps.
func (m *merger) stays(g *group, out *changelog.Message, gone *changelog.Dots) {
	if m.policy.ExpungeNever {
		keepPlace(g, out, gone)
		return
	}
	m.yields(g, out, gone)
	if !out.Live() && (m.policy.Rescue != NoRescue || m.policy.RenameRescues) {
		m.rescue(g, out)
	}
}

// keepPlace is expunge = never: a message is where the latest of all presence
// writes that either side holds says. That is the larger of two, so it is the same
// in whatever order replicas meet.
func keepPlace(g *group, out *changelog.Message, gone *changelog.Dots) {
	all := union(append(gather(g.side[0], presenceOf), gather(g.side[1], presenceOf)...), byDot(placedDot))
	if len(all) == 0 {
		return
	}
	best := slices.MaxFunc(all, func(a, b changelog.Presence) int { return a.Later(b.Write, a.Mailbox.Compare(b.Mailbox)) })
	for _, w := range all {
		if w.Dot != best.Dot {
			gone.Add(w.Dot)
		}
	}
	out.Presence = []changelog.Presence{best}
}

// rescue keeps a message that one side expunged and the other changed: its flags
// (rule 7), or the name of its mailbox (rule 17).
func (m *merger) rescue(g *group, out *changelog.Message) {
	for s := range g.side {
		if len(g.side[1-s]) == 0 || !anyLive(g.side[s]) || anyLive(g.side[1-s]) {
			continue
		}
		var keep [][]changelog.Presence
		for _, x := range g.side[s] {
			if at, ok := x.Place(); ok && (m.flagsRescue(x, s) && !m.deletionWins(at) || m.renameRescues(g, at, s)) {
				keep = append(keep, x.Presence)
			}
		}
		out.Presence = union(keep, byDot(placedDot))
	}
}

// flagsRescue reports whether entry x of side s has a change of flags, unseen by
// the other, that the policy lets rescue it.
func (m *merger) flagsRescue(x *changelog.Message, s int) bool {
	other := &m.side[1-s].Seen
	fresh := func(w changelog.Write) bool { return !w.Found() && !other.Has(w.Dot) }
	switch m.policy.Rescue {
	case FlaggedRescues:
		return slices.ContainsFunc(x.Flags, func(w changelog.FlagWrite) bool { return w.Flag == store.Flagged && w.Set && fresh(w.Write) })
	case FlagsRescue:
		return slices.ContainsFunc(x.Flags, func(w changelog.FlagWrite) bool { return fresh(w.Write) }) ||
			slices.ContainsFunc(x.Keywords, func(w changelog.KeywordWrite) bool { return fresh(w.Write) })
	}
	return false
}

// deletionWins reports whether the mailbox was deleted, and that is final.
func (m *merger) deletionWins(at store.MailboxGUID) bool {
	return m.policy.Deletion == DeletionWins && m.class.deleted(at)
}

// renameRescues reports whether a message that side s shows goes along with its
// mailbox, which s renamed and the other deleted: one change took both, so that it
// was not expunged by itself before that.
func (m *merger) renameRescues(g *group, at store.MailboxGUID, s int) bool {
	c := m.class.byGUID[at]
	return c != nil && c.rescued && slices.ContainsFunc(g.side[1-s], func(x *changelog.Message) bool {
		by := x.Past.Clone()
		beyond := by.Minus(&c.deletions)
		by = by.Minus(&beyond)
		return !by.Empty()
	})
}

// keptPresence is what a policy keeps of a mailbox's presence that the other side
// has removed.
func (m *merger) keptPresence(c *class, merged, a, b []changelog.NodePresence) []changelog.NodePresence {
	switch {
	case c.rescued:
		return union([][]changelog.NodePresence{merged, a, b}, byDot(presentDot))
	case m.policy.Deletion != MailboxStays:
		return merged
	}
	// Creates, and the latest delivery: the larger of two, in whatever order.
	all := union([][]changelog.NodePresence{a, b}, byDot(presentDot))
	last := -1
	for i, p := range all {
		if p.Delivery && (last < 0 || p.Later(all[last].Write, 0) > 0) {
			last = i
		}
	}
	var out []changelog.NodePresence
	for i, p := range all {
		if !p.Delivery || i == last {
			out = append(out, p)
		}
	}
	return out
}

// renamedUnseen finds out whether a mailbox that one side deleted was renamed at
// the other, so that the rename rescues it, and by what it was deleted.
func (m *merger) renamedUnseen(c *class) {
	c.rescued, c.deletions = false, changelog.Dots{}
	if !m.policy.RenameRescues || c.out.IsAccount() || c.out.IsInbox() {
		return
	}
	alive := func(n *changelog.Node) bool { return len(n.Presence) > 0 }
	for s := range c.side {
		here, there := c.side[s], c.side[1-s]
		if len(there) == 0 || slices.ContainsFunc(there, func(n *changelog.Node) bool { return alive(n) || n.OnlyParent() }) {
			continue
		}
		if !slices.ContainsFunc(here, func(n *changelog.Node) bool { return alive(n) && m.renamed(n, s) }) {
			continue
		}
		c.rescued = true
		for _, n := range there {
			c.deletions.Union(&n.Past)
		}
	}
}

// renamed reports whether a node of side s was placed there unseen by the other.
func (m *merger) renamed(n *changelog.Node, s int) bool {
	return slices.ContainsFunc(n.Places, func(p changelog.PlaceWrite) bool {
		return !p.Found() && !m.side[1-s].Seen.Has(p.Dot) && !slices.ContainsFunc(n.Creates, func(c changelog.Create) bool { return c.Dot == p.Dot })
	})
}

// grow is the pick union: what either side has written of the register counts,
// replaced or not.
func (m *merger) grow(all []*changelog.Message, out *changelog.Message) {
	flags, keys := [][]changelog.FlagWrite{out.Flags}, [][]changelog.KeywordWrite{out.Keywords}
	for _, x := range all {
		for i, w := range x.Flags {
			if m.policy.pickFlag(w.Flag) == Grow {
				flags = append(flags, x.Flags[i:i+1])
			}
		}
		for i, w := range x.Keywords {
			if m.policy.pickKeyword(store.FoldKeyword(w.Name)) == Grow {
				keys = append(keys, x.Keywords[i:i+1])
			}
		}
	}
	out.Flags, out.Keywords = union(flags, compareFlag), union(keys, compareKeyword)
}
