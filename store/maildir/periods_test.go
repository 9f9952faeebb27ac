package maildir

import (
	"testing"

	"dsync/store"
)

func TestPeriods(t *testing.T) {
	c := &store.Change{
		Add: make([]*store.Staged, maxPerLock+5), Flags: make([]store.FlagChange, maxPerLock), Expunge: make([]store.Handle, 7),
		UIDNext: 9, GUID: store.MailboxGUID{1},
	}
	var add, flags, gone int
	parts := periods(c)
	for i, p := range parts {
		n := len(p.Add) + len(p.Flags) + len(p.Expunge)
		if n == 0 || n > maxPerLock || (p.UIDNext != 0) != (i == len(parts)-1) {
			t.Errorf("period %d: %d items, UIDNEXT %d", i, n, p.UIDNext)
		}
		if len(p.Add) > 0 && flags > 0 {
			t.Error("out of order")
		}
		add, flags, gone = add+len(p.Add), flags+len(p.Flags), gone+len(p.Expunge)
	}
	if add != len(c.Add) || flags != len(c.Flags) || gone != len(c.Expunge) {
		t.Error(add, flags, gone)
	}
}
