package replay

import (
	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// AccountDigest computes the digest of an account from its tree and the states of
// its mailboxes.
func AccountDigest(t *changelog.Tree, live func(store.MailboxGUID) bool, rows []*logdb.Mailbox) changelog.Digest {
	by := map[store.MailboxGUID]*logdb.Mailbox{}
	for _, r := range rows {
		by[r.GUID] = r
	}
	l := t.Layout(live)
	var sums []changelog.MailboxSummary
	for _, s := range l.Slots {
		if !s.Shown {
			continue
		}
		m := changelog.MailboxSummary{Path: s.Path, NoSelect: s.Holder == nil}
		if h := s.Holder; h != nil {
			m.UIDValidity, m.UIDNext, m.Attributes = h.UIDValidity, h.UIDNext, h.Attributes()
			for _, g := range h.GUIDs {
				if r := by[g]; r != nil {
					m.Messages = r.Digest
				}
			}
		}
		sums = append(sums, m)
	}
	return changelog.AccountDigest(sums, t.Subscriptions(l), accountAttrs(t))
}
