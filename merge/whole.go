package merge

import (
	"slices"

	"dsync/store"
)

// NeedWhole names the mailboxes (by all their GUIDs) of which a working set must hold every message: those whose numbering
// changes as a whole, or whose mail comes to be shown in another mailbox. It looks
// at trees alone; a and b need no more messages than they have.
func NeedWhole(a, b Side, opt Options) []store.MailboxGUID {
	m := newMerger(a, b, opt)
	for s := range m.side {
		m.before[s] = m.side[s].Tree.Layout(m.holds(s))
	}
	m.class = m.unify()
	m.tree = m.mergeTree()
	m.groups = m.mergeMessages()
	m.layout = m.tree.Layout(m.mergedLive())
	set := map[store.MailboxGUID]bool{}
	for s := range m.side {
		holds := m.holds(s)
		for _, slot := range m.before[s].Slots {
			if slot.Holder != nil && holds(slot.Holder.GUID()) && m.changesWhole(s, slot.Holder.GUID()) {
				for _, n := range slot.Members {
					m.addClass(set, n.GUID())
				}
			}
		}
	}
	out := make([]store.MailboxGUID, 0, len(set))
	for g := range set {
		out = append(out, g)
	}
	slices.SortFunc(out, store.MailboxGUID.Compare)
	return out
}

// addClass adds all names that a mailbox has at either side.
func (m *merger) addClass(set map[store.MailboxGUID]bool, g store.MailboxGUID) {
	for _, ns := range m.class.byGUID[g].side {
		for _, n := range ns {
			for _, x := range n.GUIDs {
				set[x] = true
			}
		}
	}
}

// changesWhole reports whether the mailbox that side s shows under holder g gets
// other numbers, another identity, or another place for its mail.
func (m *merger) changesWhole(s int, g store.MailboxGUID) bool {
	n := m.class.node(g)
	own := m.before[s].In(g).Holder
	slot := m.layout.In(g)
	if slot == nil || slot.Holder != n || len(m.class.byGUID[g].side[s]) > 1 {
		return true
	}
	if own.UIDValidity != 0 && own.UIDValidity != m.standing(n).uv {
		return true
	}
	return m.opt.Direction == OneWay && s != m.opt.Source && slices.ContainsFunc(m.groups, func(x *group) bool {
		at, ok := x.out.Place()
		return ok && len(x.side[s]) == 0 && m.layout.In(at) == slot
	})
}
