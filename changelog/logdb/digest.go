package logdb

import (
	"dsync/changelog"
	"dsync/store"
)

// AccountDigest is the digest of an account: of what its tree shows, of the numbers
// of its mailboxes, and of their messages as the rows have them.
func AccountDigest(t *changelog.Tree, lay *changelog.Layout, rows []*Mailbox) changelog.Digest {
	by := make(map[store.MailboxGUID]*Mailbox, len(rows))
	for _, r := range rows {
		by[r.GUID] = r
	}
	sums := make([]changelog.MailboxSummary, 0, len(lay.Slots))
	for _, s := range lay.Slots {
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
	return changelog.AccountDigest(sums, t.Subscriptions(lay), t.Attributes())
}
