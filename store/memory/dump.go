package memory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dsync/store"
)

// Dump lists the account canonically: equal texts, equal accounts as a mail
// client sees them (but for the bodies' bytes, of which only the size shows).
// It is the format of storetest.Dump:
//
//	mailbox "INBOX" guid=… uidvalidity=1 uidnext=5
//	  attribute "key" "value"
//	  1 "guid" [\Seen work] 2026-11-02T10:00:00Z 1234
//	mailbox "a" noselect
//	subscribed "INBOX"
//	attribute "key" "value"
func (s *Store) Dump() string {
	a := s.acc
	a.mu.Lock()
	defer a.mu.Unlock()
	var w strings.Builder
	for _, info := range a.tree() {
		if info.NoSelect {
			fmt.Fprintf(&w, "mailbox %q noselect\n", info.Name)
			continue
		}
		b := a.boxes[info.Name]
		fmt.Fprintf(&w, "mailbox %q guid=%s uidvalidity=%d uidnext=%d\n", info.Name, b.guid, b.validity, b.uidNext)
		dumpAttributes(&w, "  ", b.attrs)
		for _, l := range b.lines() {
			w.WriteString(l)
		}
	}
	for _, n := range slices.SortedFunc(maps.Keys(a.subs), store.CompareNames) {
		fmt.Fprintf(&w, "subscribed %q\n", n)
	}
	dumpAttributes(&w, "", a.attrs)
	return w.String()
}

func dumpAttributes(w *strings.Builder, indent string, attrs map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(attrs)) {
		fmt.Fprintf(w, "%sattribute %q %q\n", indent, k, attrs[k])
	}
}

// lines lists the messages by UID; those without one by what they show.
func (b *mailbox) lines() []string {
	var bound, late []string
	for _, m := range b.sorted() {
		names := append(m.flags.Names(), m.keywords...)
		l := fmt.Sprintf("  %d %q [%s] %s %d\n", m.uid, string(m.guid), strings.Join(names, " "),
			m.received.Format(time.RFC3339), len(m.body))
		if m.uid == 0 {
			late = append(late, l)
		} else {
			bound = append(bound, l)
		}
	}
	slices.Sort(late)
	return append(late, bound...)
}
