package merge

import (
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// sync -1 (P20, messages.md 12): the destination gains new messages, mailboxes and
// subscriptions, and changes of flags and keywords of what it still has; it loses
// nothing, and what it expunged stays away.

func (m *merger) oneWay() {
	src := m.opt.Source
	dst := 1 - src
	m.class = m.unify()
	m.tree = m.oneWayTree(src, dst)
	m.layout = m.tree.Layout(m.holds(dst))
	m.groups = m.mergeMessages()
	m.out.Decisions = nil
	var keep []*group
	for _, g := range m.groups {
		keep = append(keep, m.oneWayGroup(g, src, dst)...)
	}
	m.groups = keep
	sortGroups(m.groups)
	m.layout = m.tree.Layout(m.oneWayLive(dst))
	m.keepNames(dst)
	m.oneWayFilter(dst)
	m.tellApart()
	m.waitTogether()
	m.link()
	m.oneWayUIDs(src, dst)
	after := &m.out.After[dst]
	after.Tree = m.tree
	for _, g := range m.groups {
		if g.waits {
			m.crossGroup(dst, g)
			continue
		}
		if len(g.side[src]) > 0 && len(g.side[dst]) > 0 && len(g.linked) == 0 {
			m.crossFlags(g, src, dst)
		} else {
			m.out.brings(dst, g.out, g.side[src])
		}
		if len(g.side[src]) > 0 || g.out.UID != g.side[dst][0].UID {
			after.add(g.out, g.side[dst])
		}
	}
	after.sort()
}

// keepNames lets what the destination shows keep its paths: where a mailbox that
// comes in would win a name from one that is there (rule 13), the destination
// places its own anew, which is later, and has it so that later counts. Parents come
// first.
func (m *merger) keepNames(dst int) {
	for _, slot := range m.before[dst].Slots {
		if slot.Holder == nil || !slot.Shown || slot.Path == store.Inbox {
			continue
		}
		n := m.class.node(slot.Holder.GUID())
		if at := m.layout.In(n.GUID()); at == nil || at.Path == slot.Path {
			continue
		}
		w := m.mint()
		for _, x := range m.tree.Nodes {
			for _, p := range x.Places {
				if p.Stamp.Compare(w.Stamp) >= 0 { // whatever the clocks are
					w.Stamp = changelog.Stamp{Time: p.Stamp.Time, Count: p.Stamp.Count + 1}
				}
			}
		}
		n.MoveTo(w, m.parentIn(slot), slot.Path)
		n.Chosen.Name = changelog.LaterWins
		m.layout = m.tree.Layout(m.oneWayLive(dst))
	}
}

// parentIn is the merged node of a slot's parent.
func (m *merger) parentIn(slot *changelog.Slot) store.MailboxGUID {
	if slot.Parent == nil {
		return store.MailboxGUID{}
	}
	p := slot.Parent.Members[0]
	if slot.Parent.Holder != nil {
		p = slot.Parent.Holder
	}
	return m.class.node(p.GUID()).GUID()
}

func (m *merger) oneWayLive(dst int) func(store.MailboxGUID) bool {
	own := m.holds(dst)
	live := map[store.MailboxGUID]bool{}
	for _, g := range m.groups {
		if at, ok := g.out.Place(); ok && !g.waits {
			live[at] = true
		}
	}
	return func(g store.MailboxGUID) bool { return own(g) || live[g] }
}

// crossFlags: of a message that both have only changes of flags and keywords are
// carried.
func (m *merger) crossFlags(g *group, src, dst int) {
	var in, rest changelog.Dots
	for _, x := range g.side[src] {
		for _, w := range x.Flags {
			in.Add(w.Dot)
		}
		for _, w := range x.Keywords {
			in.Add(w.Dot)
		}
		for _, w := range x.Origins {
			rest.Add(w.Dot)
		}
		for _, w := range x.Presence {
			rest.Add(w.Dot)
		}
		rest.Union(&x.Past)
	}
	m.out.holdsBack(dst, rest)
	if !in.Empty() {
		m.out.cross[dst] = append(m.out.cross[dst], crossing{message: g.out, dots: in})
	}
}

// oneWayGroup gives what the destination holds of a message afterwards; nothing if
// it stays as it is.
func (m *merger) oneWayGroup(g *group, src, dst int) []*group {
	hold := func() []*group {
		m.out.heldBack[dst] = append(m.out.heldBack[dst], g.side[src]...)
		return nil
	}
	if len(g.side[dst]) == 0 {
		live := slices.DeleteFunc(slices.Clone(g.side[src]), func(x *changelog.Message) bool { return !x.Live() })
		seen := slices.ContainsFunc(g.out.Origins, func(w changelog.Write) bool { return m.side[dst].Seen.Has(w.Dot) })
		if len(live) == 0 || seen || !g.out.Live() {
			return hold()
		}
		return []*group{g}
	}
	var out []*group
	for _, x := range g.side[dst] {
		one := &group{}
		one.side[src], one.side[dst] = g.side[src], []*changelog.Message{x}
		one.out = x.Clone()
		if x.Live() && len(g.side[src]) > 0 {
			m.mergeFlagsInto(one, src, dst)
		}
		out = append(out, one)
	}
	if !slices.ContainsFunc(g.side[dst], (*changelog.Message).Live) {
		return hold()
	}
	return slices.DeleteFunc(out, func(o *group) bool { return !o.out.Live() })
}

func (m *merger) mergeFlagsInto(g *group, src, dst int) {
	x, ss := g.out, g.side[src]
	seenS, seenD := &m.side[src].Seen, &m.side[dst].Seen
	gone := x.Past.Clone()
	x.Flags = mergeWrites(union(gather(ss, flagsOf), compareFlag), x.Flags, seenS, seenD, false, false, compareFlag, flagDot, &gone)
	x.Keywords = mergeWrites(union(gather(ss, keysOf), compareKeyword), x.Keywords, seenS, seenD, false, false, compareKeyword, keywordDot, &gone)
	if m.grows {
		m.grow(ss, x)
	}
	x.Past = dropLive(gone, x.EachLive)
	m.overriddenFlags(g, x)
	m.overriddenKeywords(g, x)
}

func (m *merger) oneWayFilter(dst int) {
	if f := m.opt.Filter; f != nil {
		for _, g := range m.groups {
			inside := f.Mailbox == nil
			if !inside {
				inside = true
				for s := range g.side {
					for _, x := range g.side[s] {
						if at, ok := x.Place(); ok {
							inside = inside && m.slotInside(m.before[s].In(at))
						}
					}
				}
				if at, ok := g.out.Place(); ok && inside {
					c := m.class.byGUID[at]
					inside = c == nil || !m.leftAlone(c)
				}
			}
			fresh := len(g.side[dst]) == 0
			g.waits = f.TreeOnly || !inside || fresh && f.New != nil && !f.New(g.out)
			if g.waits {
				m.out.Waiting++
			}
		}
	}
}

// oneWayTree is the destination's tree with what it gains.
func (m *merger) oneWayTree(src, dst int) *changelog.Tree {
	t := &changelog.Tree{UVs: map[store.Name][]changelog.Held{}}
	var in changelog.Dots
	for _, c := range m.class.all {
		c.out = m.oneWayNode(c, src, dst, &in)
		t.Nodes = append(t.Nodes, c.out)
	}
	t.SortNodes()
	m.out.cross[dst] = append(m.out.cross[dst], crossing{dots: in})
	t.Bare = m.oneWayBare(src, dst)
	for s := range m.side {
		for p, hs := range m.side[s].Tree.UVs {
			for _, h := range hs {
				if s == dst {
					t.Hold(p, h.UIDValidity, h.Holder)
				}
			}
		}
	}
	return t
}

func (m *merger) oneWayNode(c *class, src, dst int, in *changelog.Dots) *changelog.Node {
	full := m.mergeNode(c)
	var theirs changelog.Dots
	for _, n := range c.side[src] {
		ds := n.Mentions()
		theirs.Union(&ds)
	}
	ok := !m.leftAlone(c)
	if len(c.side[dst]) == 0 {
		n := full
		switch {
		case !ok:
			n.Presence, n.Subs, n.Attrs = nil, nil, nil
			m.out.holdsBack(dst, theirs)
		case len(n.Presence) == 0 && !n.OnlyParent() && !n.IsAccount():
			// Deleted at the source, which is not carried; but a subscription
			// outlives its mailbox.
			n.Attrs = nil
			if !n.Subscribed() {
				n.Subs = nil
			}
			in.Union(&theirs)
			m.out.holdsBack(dst, notApplied(c.side[src], n))
		default:
			in.Union(&theirs)
		}
		return n
	}
	n := m.ancestorOf(c, dst)
	if !ok {
		m.out.holdsBack(dst, theirs)
		return n
	}
	for _, x := range c.side[src] {
		for _, p := range x.Presence {
			if !m.side[dst].Seen.Has(p.Dot) {
				n.Presence = union([][]changelog.NodePresence{n.Presence, {p}}, byDot(presentDot))
			}
		}
	}
	if full.Subscribed() {
		n.Subs, n.Chosen.Subs = full.Subs, full.Chosen.Subs
	}
	n.Attrs, n.Chosen.Attrs = full.Attrs, full.Chosen.Attrs
	n.Past = dropLive(n.Past, n.EachLive)
	in.Union(&theirs)
	m.out.holdsBack(dst, notApplied(c.side[src], n))
	return n
}

// notApplied are the dots of which some effect on a node did not reach n.
func notApplied(theirs []*changelog.Node, n *changelog.Node) changelog.Dots {
	var out changelog.Dots
	for _, x := range theirs {
		out.Union(&x.Past)
		missing(&out, x.Places, n.Places, placeDot)
		missing(&out, x.Presence, n.Presence, presentDot)
		missing(&out, x.Subs, n.Subs, boolDot)
		missing(&out, x.Attrs, n.Attrs, attrDot)
	}
	return out
}

func missing[W any](out *changelog.Dots, theirs, ours []W, dot func(W) changelog.Dot) {
	for _, w := range theirs {
		if !slices.ContainsFunc(ours, func(o W) bool { return dot(o) == dot(w) }) {
			out.Add(dot(w))
		}
	}
}

// ancestorOf is the destination's own node, several made one.
func (m *merger) ancestorOf(c *class, s int) *changelog.Node {
	n := c.side[s][0].Clone()
	for _, x := range c.side[s][1:] {
		n.Presence = union([][]changelog.NodePresence{n.Presence, x.Presence}, byDot(presentDot))
		n.Places = union([][]changelog.PlaceWrite{n.Places, x.Places}, byDot(placeDot))
		n.Subs = union([][]changelog.BoolWrite{n.Subs, x.Subs}, byDot(boolDot))
		n.Attrs = union([][]changelog.AttrWrite{n.Attrs, x.Attrs}, compareAttr)
		n.Past.Union(&x.Past)
	}
	for _, x := range slices.Concat(c.side[0], c.side[1]) {
		for _, g := range x.GUIDs {
			n.AddGUID(g)
		}
		n.Creates = union([][]changelog.Create{n.Creates, x.Creates}, byDot(createDot))
	}
	n.Past = dropLive(n.Past, n.EachLive)
	return n
}

func (m *merger) oneWayBare(src, dst int) []*changelog.Bare {
	var out []*changelog.Bare
	for _, b := range m.mergeBare() {
		i := slices.IndexFunc(m.side[dst].Tree.Bare, func(x *changelog.Bare) bool { return x.Name == b.Name })
		j := slices.IndexFunc(m.side[src].Tree.Bare, func(x *changelog.Bare) bool { return x.Name == b.Name })
		switch {
		case b.Subscribed():
			out = append(out, b)
		case i >= 0:
			out = append(out, m.side[dst].Tree.Bare[i].Clone())
		}
		if j >= 0 && !b.Subscribed() {
			m.out.holdsBack(dst, m.side[src].Tree.Bare[j].Mentions())
		}
	}
	return out
}

// oneWayUIDs numbers what comes in; a message of the destination that claims the
// same UID gets a new one too, as the manual's example has it.
func (m *merger) oneWayUIDs(src, dst int) {
	bySlot := map[*changelog.Slot][]*group{}
	for _, g := range m.groups {
		if at, ok := g.out.Place(); ok && !g.waits {
			if slot := m.layout.In(at); slot != nil && slot.Holder != nil {
				bySlot[slot] = append(bySlot[slot], g)
			}
		}
	}
	top := m.topUIDValidity()
	for _, slot := range m.layout.Slots {
		switch {
		case slot.Holder == nil:
			continue
		case m.leftAlone(m.class.byGUID[slot.Holder.GUID()]) && m.holding(dst, slot.Holder) != nil:
			m.ownUIDs(slot, dst)
			continue
		}
		m.oneWaySlot(slot, bySlot[slot], src, dst, &top)
	}
}

// leftAlone reports whether a side shows the mailbox outside of the limits.
func (m *merger) leftAlone(c *class) bool {
	if f := m.opt.Filter; f == nil || f.Mailbox == nil {
		return false
	}
	for s := range c.side {
		if slices.ContainsFunc(c.side[s], func(n *changelog.Node) bool { return !m.slotInside(m.before[s].In(n.GUID())) }) {
			return true
		}
	}
	return false
}

func (m *merger) oneWaySlot(slot *changelog.Slot, gs []*group, src, dst int, top *store.UIDValidity) {
	n := slot.Holder
	from, own := m.holding(src, n), m.numbers(dst, n)
	next := store.UID(1)
	switch {
	case own != nil && own.UIDValidity != 0:
		n.UIDValidity, next = own.UIDValidity, max(own.UIDNext, 1)
	case from != nil && from.UIDValidity != 0:
		n.UIDValidity = from.UIDValidity
	default:
		*top = raise(*top)
		n.UIDValidity = *top
	}
	if m.shownForAnother(slot.Path, n.UIDValidity, n) {
		*top = raise(*top)
		n.UIDValidity = *top
	}
	same := from != nil && from.UIDValidity == n.UIDValidity
	first := next
	claimed := map[store.UID]bool{}
	var fresh []*group
	slices.SortFunc(gs, compareGroupOrder)
	for _, g := range gs {
		if len(g.side[dst]) > 0 {
			g.out.UID = m.uidAt(g, dst, n)
			if g.out.UID == 0 {
				fresh = append(fresh, g)
			}
			continue
		}
		u := store.UID(0)
		if same {
			u = m.uidAt(g, src, n)
		}
		if u == 0 || u < first || claimed[u] {
			fresh = append(fresh, g)
			claimed[u] = true
			continue
		}
		claimed[u] = true
		g.out.UID = u
		next = max(next, u+1)
	}
	for _, g := range gs {
		if len(g.side[dst]) > 0 && g.out.UID != 0 && claimed[g.out.UID] {
			fresh = append(fresh, g)
		}
	}
	if same && len(gs) > 0 && len(fresh) > 0 {
		next = max(next, from.UIDNext)
	}
	slices.SortFunc(fresh, compareGroupOrder)
	for _, g := range fresh {
		m.renumbered(g, next, slot, n.UIDValidity)
		g.out.UID = next
		next++
	}
	n.UIDNext = next
	m.tree.Hold(slot.Path, n.UIDValidity, n.GUID())
}
