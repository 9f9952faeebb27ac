package merge

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// Rules 1, 3 and 22: UIDs, UIDNEXT and UIDVALIDITY.

// holding is the node under which side s shows the mailbox that merged node n
// holds; nil if it shows none. Of several (aliases that met only now) the one with
// the larger UIDVALIDITY.
func (m *merger) holding(s int, n *changelog.Node) *changelog.Node {
	var best *changelog.Node
	for _, x := range m.class.byGUID[n.GUID()].side[s] {
		slot := m.before[s].In(x.GUID())
		if slot == nil || slot.Holder != x {
			continue
		}
		if best == nil || x.UIDValidity > best.UIDValidity {
			best = x
		}
	}
	return best
}

// uids gives every mailbox its UIDVALIDITY and UIDNEXT and every message its UID.
func (m *merger) uids() {
	bySlot := map[*changelog.Slot][]*group{}
	for _, g := range m.groups {
		if at, ok := g.out.Place(); ok && !g.waits {
			if slot := m.layout.In(at); slot != nil {
				bySlot[slot] = append(bySlot[slot], g)
			}
		}
	}
	top := m.topUIDValidity()
	for _, slot := range m.layout.Slots {
		if slot.Holder == nil || m.inside != nil && !m.inside[slot.Holder] || slices.Contains(m.out.LeftOut, slot.Path) {
			m.keepUIDs(slot)
			continue
		}
		m.slotUIDs(slot, bySlot[slot], &top)
	}
}

// keepUIDs leaves the numbers of a mailbox that does not cross as they are; each
// side keeps its own.
func (m *merger) keepUIDs(slot *changelog.Slot) {
	if slot.Holder == nil {
		return
	}
	for s := range m.side {
		if x := m.holding(s, slot.Holder); x != nil && x.UIDValidity >= slot.Holder.UIDValidity {
			slot.Holder.UIDValidity, slot.Holder.UIDNext = x.UIDValidity, x.UIDNext
		}
	}
}

// topUIDValidity is the highest UIDVALIDITY that the account has ever shown, or the
// floor for new ones.
func (m *merger) topUIDValidity() store.UIDValidity {
	top := m.opt.Floor
	for s := range m.side {
		for _, n := range m.side[s].Tree.Nodes {
			top = max(top, n.UIDValidity)
		}
		for _, hs := range m.side[s].Tree.UVs {
			for _, h := range hs {
				top = max(top, h.UIDValidity)
			}
		}
	}
	return top
}

// standing is what the sides say of one mailbox. A side that has deleted it still
// knows how far its UIDs had come.
type standing struct {
	uv   store.UIDValidity
	has  [2]bool // the side shows, or showed, the mailbox under uv
	next [2]store.UID
}

func (m *merger) standing(n *changelog.Node) standing {
	var st standing
	for s := range m.side {
		if x := m.holding(s, n); x != nil {
			st.uv = max(st.uv, x.UIDValidity)
		}
	}
	if st.uv == 0 {
		for s := range m.side {
			for _, x := range m.class.byGUID[n.GUID()].side[s] {
				st.uv = max(st.uv, x.UIDValidity)
			}
		}
	}
	for s := range m.side {
		st.next[s] = 1
		for _, x := range m.class.byGUID[n.GUID()].side[s] {
			if x.UIDValidity == st.uv && st.uv != 0 {
				st.has[s], st.next[s] = true, max(x.UIDNext, st.next[s])
			}
		}
	}
	return st
}

// numbers are what side s knows of the UIDs of a mailbox, deleted or not: nil if
// nothing.
func (m *merger) numbers(s int, n *changelog.Node) *changelog.Node {
	if x := m.holding(s, n); x != nil && x.UIDValidity != 0 {
		return x
	}
	var best *changelog.Node
	for _, x := range m.class.byGUID[n.GUID()].side[s] {
		if x.UIDValidity != 0 && (best == nil || x.UIDValidity > best.UIDValidity) {
			best = x
		}
	}
	return best
}

// usedAndLeft reports whether a side that knows the mailbox, deleted or not, under
// another UIDVALIDITY now has shown it under uv before: then uv means other UIDs
// there.
func (m *merger) usedAndLeft(path store.Name, uv store.UIDValidity, n *changelog.Node) bool {
	for s := range m.side {
		x := m.numbers(s, n)
		if x == nil || x.UIDValidity == uv {
			continue
		}
		if slices.ContainsFunc(m.side[s].Tree.UVs[path], func(h changelog.Held) bool {
			return h.UIDValidity == uv && slices.Contains(n.GUIDs, h.Holder)
		}) {
			return true
		}
	}
	return false
}

func (m *merger) slotUIDs(slot *changelog.Slot, gs []*group, top *store.UIDValidity) {
	n := slot.Holder
	st := m.standing(n)
	if st.uv == 0 {
		*top = raise(*top)
		st.uv = *top
	}
	if m.shownForAnother(slot.Path, st.uv, n) || m.usedAndLeft(slot.Path, st.uv, n) {
		*top = raise(*top)
		st.uv = *top
	}
	next := uint64(max(st.next[0], st.next[1]))
	taken := make(map[store.UID]bool, len(gs))
	var fresh []*group
	slices.SortFunc(gs, compareGroupOrder)
	for _, g := range gs {
		u, ok := m.stands(g, n, st)
		if !ok || taken[u] {
			fresh = append(fresh, g)
			continue
		}
		taken[u] = true
		g.out.UID = u
		next = max(next, uint64(u)+1)
	}
	if next+uint64(len(fresh)) >= math.MaxUint32 && st.uv < math.MaxUint32 {
		*top = raise(*top)
		st.uv, next, fresh = *top, 1, gs
	}
	for _, g := range fresh {
		if next >= math.MaxUint32 { // nor is there a UIDVALIDITY above: P10 forbids to begin anew
			g.out.UID = 0
			continue
		}
		m.renumbered(g, store.UID(next), slot, st.uv)
		g.out.UID = store.UID(next)
		next++
	}
	n.UIDValidity, n.UIDNext = st.uv, store.UID(min(next, math.MaxUint32))
	m.tree.Hold(slot.Path, st.uv, n.GUID())
}

// raise gives a UIDVALIDITY above all others, and never wraps.
func raise(top store.UIDValidity) store.UIDValidity {
	if top == math.MaxUint32 {
		return top
	}
	return top + 1
}

// shownForAnother reports whether the path has shown this UIDVALIDITY for another
// mailbox (tree.md 9).
func (m *merger) shownForAnother(path store.Name, uv store.UIDValidity, n *changelog.Node) bool {
	return slices.ContainsFunc(m.tree.UVs[path], func(h changelog.Held) bool {
		return h.UIDValidity == uv && !slices.Contains(n.GUIDs, h.Holder)
	})
}

// compareGroupOrder is (stamp, guid, smallest origin dot).
func compareGroupOrder(a, b *group) int {
	return cmp.Or(a.out.Stamp().Compare(b.out.Stamp()), cmp.Compare(a.out.Content.GUID, b.out.Content.GUID), a.out.ID().Compare(b.out.ID()))
}

// uidAt is the UID under which side s shows the group in the mailbox n, or 0.
func (m *merger) uidAt(g *group, s int, n *changelog.Node) store.UID {
	var best store.UID
	for _, x := range g.side[s] {
		at, ok := x.Place()
		if !ok || x.Content.GUID != g.out.Content.GUID {
			continue // a UID never means another GUID (P10)
		}
		slot := m.before[s].In(at)
		if slot != nil && slot.Holder != nil && slot.Holder == m.holding(s, n) {
			best = max(best, x.UID)
		}
	}
	return best
}

// stands reports whether the larger UID of a message may stay: no side that shows
// the mailbox may have given it, or passed it, without holding the message so, or
// holding it with another received date, which no client looks at twice.
func (m *merger) stands(g *group, n *changelog.Node, st standing) (store.UID, bool) {
	var at [2]store.UID
	for s := range m.side {
		if st.has[s] {
			at[s] = m.uidAt(g, s, n)
			if slices.ContainsFunc(g.side[s], func(x *changelog.Message) bool { return x.Live() && x.UID == at[s] && x.Received != g.out.Received }) {
				at[s] = 0
			}
		}
	}
	u := max(at[0], at[1])
	if u == 0 {
		return 0, false
	}
	for s := range m.side {
		if st.has[s] && at[s] != u && u < st.next[s] {
			return 0, false
		}
	}
	return u, true
}

// metAnew reports whether a mailbox of the other side was met there without history,
// and side s has not seen that yet: it is no longer news after the first run.
func (m *merger) metAnew(s int, n *changelog.Node) bool {
	return foundOnly(n) && slices.ContainsFunc(n.Creates, func(c changelog.Create) bool { return !m.side[s].Seen.Has(c.Dot) })
}

// renumbered reports a message that a side showed at this path under a UID, and
// that gets another: rule 1, under a new UIDVALIDITY rule 22. Where the other side
// has passed the UID in a mailbox that it met without history, the message was
// there and was removed, and nobody knows when (rule 28).
// Of several UIDs that it had the report names the one under the largest
// UIDVALIDITY, then the largest: both ends report alike.
func (m *merger) renumbered(g *group, to store.UID, slot *changelog.Slot, uv store.UIDValidity) {
	var side int
	var old *changelog.Message
	var oldUV store.UIDValidity
	for s := range g.side {
		for _, x := range g.side[s] {
			at, ok := x.Place()
			if !ok || x.UID == 0 {
				continue
			}
			was := m.before[s].In(at)
			if was == nil || was.Holder == nil || m.class.node(was.Holder.GUID()) != slot.Holder || x.UID == to && was.Holder.UIDValidity == uv {
				continue
			}
			if old == nil || cmp.Or(cmp.Compare(was.Holder.UIDValidity, oldUV), cmp.Compare(x.UID, old.UID)) > 0 {
				side, old, oldUV = s, x, was.Holder.UIDValidity
			}
		}
	}
	if old == nil {
		return
	}
	d := Decision{Rule: 1, Name: "uid", Message: g.out.ID(), Mailbox: slot.Path,
		GUID: g.out.Content.GUID, UID: to, Kept: fmt.Sprintf("uid %d", to), Lost: fmt.Sprintf("uid %d", old.UID),
		Reason: "the other side had used that UID, or had passed it"}
	if slices.ContainsFunc(slices.Concat(g.side[0], g.side[1]), func(x *changelog.Message) bool { return x.UID == old.UID && x.Received != g.out.Received }) {
		d.Reason = "the earlier received date stands, and no UID changes its date"
	}
	if oldUV != uv {
		d.Rule, d.Name, d.Reason = 22, "uidvalidity", "the larger UIDVALIDITY and its side's UIDs stand"
	} else if o := m.holding(1-side, slot.Holder); len(g.side[1-side]) == 0 && o != nil && m.metAnew(side, o) && !foundMessage(old) && old.UID < o.UIDNext && o.UIDValidity == uv {
		d.Rule, d.Name, d.Reason = 28, "log-lost", "back: log lost"
	}
	m.out.Decisions = append(m.out.Decisions, d)
}
