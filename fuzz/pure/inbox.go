package pure

import (
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// renameInbox is RENAME INBOX: its mail is moved into a new mailbox, its children
// stay, and INBOX is empty.
func (r *Replica) renameInbox(e *changelog.Edit, to store.Name) {
	l := r.Layout()
	if s := l.ByPath[to]; s != nil && s.Shown {
		return
	}
	ms := slices.Clone(r.In(l.ByPath[store.Inbox]))
	n, err := e.Create(to, r.NewGUID(), r.mint, false, false)
	if err != nil {
		return
	}
	r.hold(n, to)
	for _, m := range ms {
		w := r.mint()
		m.Move(w, n.GUID())
		n.Deliver(w)
		m.UID = max(n.UIDNext, 1)
		n.UIDNext = m.UID + 1
	}
}
