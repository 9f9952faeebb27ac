package merge

import (
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// backup (P19): the destination becomes what the source shows. Writes merge as in
// a two-way run; where the result would not show what the source shows, the
// destination makes a new change of its own (conflicts.md 27).

func (m *merger) mirror() {
	src := m.opt.Source
	dst := 1 - src
	m.class = m.unify()
	m.tree = m.mergeTree()
	m.groups = m.mergeMessages()
	m.out.Decisions = nil
	m.layout = m.tree.Layout(m.mergedLive())
	m.filter()
	m.link()
	m.mirrorTree(src)
	for _, g := range slices.Clone(m.groups) {
		if !g.waits {
			m.mirrorCopies(g, src)
		}
	}
	for _, g := range m.groups {
		if !g.waits {
			m.mirrorGroup(g, src)
		}
	}
	sortGroups(m.groups)
	m.layout = m.tree.Layout(m.mergedLive())
	m.mirrorPaths(src)
	m.mirrorSubs(src)
	m.mirrorUIDs(src, dst)
	m.emitMirror(dst)
}

func (m *merger) emitMirror(dst int) {
	after := &m.out.After[dst]
	whole := func(c *class) bool { return m.inside == nil || m.inside[c.out] }
	part := func(*class) bool { return false }
	after.Tree = m.tree
	if m.inside != nil {
		up := m.ancestors()
		part = func(c *class) bool { return up[c.out] }
		after.Tree = m.partTree(dst)
	}
	m.crossTree(dst, whole, part, m.inside == nil)
	for _, g := range m.groups {
		m.crossGroup(dst, g)
		if !g.waits {
			after.add(g.out, g.side[dst])
		}
	}
	after.sort()
}

// mint makes a new change of the destination.
func (m *merger) mint() changelog.Write {
	w := m.opt.Mint()
	dst := 1 - m.opt.Source
	m.out.New[dst] = append(m.out.New[dst], w.Dot)
	return w
}

func (m *merger) carried(c *class) bool { return m.inside == nil || m.inside[c.out] }

// mirrorTree gives every mailbox of the source its place and presence, and takes
// the presence of all others.
func (m *merger) mirrorTree(src int) {
	for _, c := range m.class.all {
		if !m.carried(c) || c.out.IsAccount() {
			continue
		}
		slot := m.shownBySource(c, src)
		if slot == nil || slot.Holder == nil || !slices.Contains(c.side[src], slot.Holder) {
			if len(c.out.Presence) > 0 && !c.out.IsInbox() {
				c.out.Remove(m.mint().Dot)
			}
			continue
		}
		if !c.out.Created() {
			w := m.mint()
			c.out.Presence = union([][]changelog.NodePresence{c.out.Presence, {{Write: w}}}, byDot(presentDot))
		}
	}
	for _, c := range m.class.all {
		if m.carried(c) && !c.out.IsAccount() && len(c.side[src]) > 0 {
			m.mirrorAttrs(c, src)
		}
	}
	m.mirrorAccount(src)
}

func (m *merger) shownBySource(c *class, src int) *changelog.Slot {
	for _, n := range c.side[src] {
		if s := m.before[src].In(n.GUID()); s != nil && s.Holder == n {
			return s
		}
	}
	return nil
}

func (m *merger) mirrorAttrs(c *class, src int) {
	want := map[string]string{}
	for _, n := range c.side[src] {
		for k, v := range n.Attributes() {
			want[k] = v
		}
	}
	m.forceAttrs(c.out, want)
}

func (m *merger) mirrorAccount(src int) {
	for _, c := range m.class.all {
		if c.out.IsAccount() && m.inside == nil {
			want := map[string]string{}
			for _, n := range c.side[src] {
				want = n.Attributes()
			}
			m.forceAttrs(c.out, want)
		}
	}
}

func (m *merger) forceAttrs(n *changelog.Node, want map[string]string) {
	have := n.Attributes()
	var keys []string
	for k := range have {
		keys = append(keys, k)
	}
	for k := range want {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if have[k] != want[k] {
			n.SetAttr(m.mint(), k, want[k])
		}
	}
}

// mirrorPaths writes places until the destination shows every mailbox where the
// source does. Parents come first, so it ends.
func (m *merger) mirrorPaths(src int) {
	for range store.MaxDepth {
		done := true
		for _, slot := range m.before[src].Slots {
			if !slot.Shown || slot.Path == store.Inbox {
				continue
			}
			n := m.class.node(slot.Members[0].GUID())
			if slot.Holder != nil {
				n = m.class.node(slot.Holder.GUID())
			}
			if m.inside != nil && !m.inside[n] {
				continue
			}
			at := m.layout.In(n.GUID())
			if at != nil && at.Path == slot.Path && (slot.Holder == nil || at.Holder == n) {
				continue
			}
			n.MoveTo(m.mint(), m.parentIn(slot), slot.Path)
			m.layout = m.tree.Layout(m.mergedLive())
			done = false
		}
		if done {
			return
		}
	}
}

// mirrorSubs makes the subscriptions those of the source.
func (m *merger) mirrorSubs(src int) {
	if m.inside != nil {
		return
	}
	want := m.side[src].Tree.Subscriptions(m.before[src])
	have := m.tree.Subscriptions(m.layout)
	e := &changelog.Edit{Tree: m.tree, Live: m.mergedLive()}
	for _, n := range have {
		if !slices.Contains(want, n) {
			e.Subscribe(n, false, m.mint)
		}
	}
	for _, n := range want {
		if !slices.Contains(have, n) {
			e.Subscribe(n, true, m.mint)
		}
	}
	m.layout = m.tree.Layout(m.mergedLive())
}

// mirrorCopies: where the source has several copies that are one here, the others
// are found among what only the destination has, or delivered anew
// (messages.md 14).
func (m *merger) mirrorCopies(g *group, src int) {
	var live []*changelog.Message
	for _, x := range g.side[src] {
		if x.Live() {
			live = append(live, x)
		}
	}
	if len(live) == 0 {
		return
	}
	g.side[src] = live[:1]
	for _, x := range live[1:] {
		m.mirrorCopy(x, src)
	}
}

// mirrorGroup makes a message show what the source shows of it.
func (m *merger) mirrorGroup(g *group, src int) {
	if !anyLive(g.side[src]) {
		if g.out.Live() {
			g.out.Expunge(m.mint().Dot, m.was(slices.Concat(g.side[0], g.side[1])))
		}
		return
	}
	want := g.side[src][0]
	at := m.sourcePlace(want, src)
	if now, ok := g.out.Place(); !ok || m.class.node(now) != m.class.node(at) {
		w := m.mint()
		g.out.Move(w, at)
		m.class.node(at).Deliver(w)
	}
	m.forceFlags(g.out, want)
	g.out.Received = want.Received
}

// sourcePlace is the mailbox in which the source shows a message.
func (m *merger) sourcePlace(x *changelog.Message, src int) store.MailboxGUID {
	at, _ := x.Place()
	if slot := m.before[src].In(at); slot != nil && slot.Holder != nil {
		return m.class.node(slot.Holder.GUID()).GUID()
	}
	return at
}

func (m *merger) mirrorCopy(x *changelog.Message, src int) {
	at := m.sourcePlace(x, src)
	for _, g := range m.groups {
		if len(g.side[src]) > 0 || g.waits || !g.out.Live() || compareContent(g.out.Content, x.Content) != 0 {
			continue
		}
		if now, _ := g.out.Place(); m.class.node(now) == m.class.node(at) {
			g.side[src] = []*changelog.Message{x}
			return
		}
	}
	w := m.mint()
	out := changelog.NewMessage(w, at, x.Content, x.Received, m.policy.Flags(x), m.policy.Keywords(x))
	m.class.node(at).Deliver(w)
	n := &group{out: out}
	n.side[src] = []*changelog.Message{x}
	m.groups = append(m.groups, n)
}

func (m *merger) forceFlags(out, want *changelog.Message) {
	have, wish := m.policy.Flags(out), m.policy.Flags(want)
	for f := range store.AllFlags.Each {
		if (have^wish)&f != 0 {
			out.SetFlag(m.mint(), f, wish&f != 0, changelog.AllShared)
		}
	}
	hk, wk := m.policy.Keywords(out), m.policy.Keywords(want)
	for _, k := range hk {
		if !hasKeyword(wk, store.FoldKeyword(k)) {
			out.SetKeyword(m.mint(), k, false, changelog.AllShared)
		}
	}
	for _, k := range wk {
		if !slices.Contains(hk, k) {
			out.SetKeyword(m.mint(), k, true, changelog.AllShared)
		}
	}
}

// mirrorUIDs gives the source's UIDs; under a UIDVALIDITY above all where the
// destination had used one otherwise.
func (m *merger) mirrorUIDs(src, dst int) {
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
		case slot.Holder == nil || m.inside != nil && !m.inside[slot.Holder]:
			m.keepUIDs(slot)
		case slices.Contains(m.out.LeftOut, slot.Path):
			m.ownUIDs(slot, dst)
		case m.mailWaits(dst, slot):
			m.oneWaySlot(slot, bySlot[slot], src, dst, &top)
		default:
			m.mirrorSlot(slot, bySlot[slot], src, dst, &top)
		}
	}
}

// mailWaits reports whether side s holds mail in the mailbox that a limit keeps as
// it is. Beside that the source's UIDs cannot all stand; new mail is numbered as -1
// does it.
func (m *merger) mailWaits(s int, slot *changelog.Slot) bool {
	return slices.ContainsFunc(m.groups, func(g *group) bool {
		return g.waits && slices.ContainsFunc(g.side[s], func(x *changelog.Message) bool {
			at, ok := x.Place()
			in := m.before[s].In(at)
			return ok && in != nil && in.Holder != nil && m.class.node(in.Holder.GUID()) == slot.Holder
		})
	})
}

// ownUIDs leaves the numbers of a mailbox as side s has them.
func (m *merger) ownUIDs(slot *changelog.Slot, s int) {
	if own := m.holding(s, slot.Holder); own != nil {
		slot.Holder.UIDValidity, slot.Holder.UIDNext = own.UIDValidity, own.UIDNext
	}
}

func (m *merger) mirrorSlot(slot *changelog.Slot, gs []*group, src, dst int, top *store.UIDValidity) {
	n := slot.Holder
	from, own := m.holding(src, n), m.numbers(dst, n)
	if from == nil {
		m.keepUIDs(slot)
		return
	}
	slices.SortFunc(gs, compareGroupOrder)
	next := max(from.UIDNext, 1)
	for _, g := range gs {
		u := m.uidAt(g, src, n)
		if u == 0 {
			u = next
			next++
		}
		g.out.UID = u
	}
	uv := from.UIDValidity
	if own != nil && own.UIDValidity != 0 {
		fits := max(own.UIDNext, 1) <= next
		for _, g := range gs {
			have := m.uidAt(g, dst, n)
			if have != 0 && have != g.out.UID || have == 0 && g.out.UID < own.UIDNext {
				fits = false
			}
		}
		switch {
		case !fits:
			*top = raise(*top)
			uv = *top
		default:
			uv = max(uv, own.UIDValidity)
		}
	}
	if uv == 0 || m.shownForAnother(slot.Path, uv, n) || own != nil && uv != own.UIDValidity && m.usedAndLeft(slot.Path, uv, n) {
		*top = raise(*top)
		uv = *top
	}
	n.UIDValidity, n.UIDNext = uv, next
	m.tree.Hold(slot.Path, uv, n.GUID())
}
