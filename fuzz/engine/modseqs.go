package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// modSeqs is what an IMAP client of a replica, served from the change log, knows of
// modseqs between runs: the witness of P11. Of a mailbox that is not there it is what
// was known last, for it may come back under its UIDVALIDITY.
type modSeqs struct {
	replica changelog.Replica
	highest store.ModSeq // of the log
	boxes   map[boxAt]*seenBox
}

// boxAt is a mailbox as a client knows it.
type boxAt struct {
	path     store.Name
	validity store.UIDValidity
}

type seenBox struct {
	guid    store.MailboxGUID
	highest store.ModSeq
	of      map[store.UID]string // what each UID showed
}

func newModSeqs() *modSeqs { return &modSeqs{boxes: map[boxAt]*seenBox{}} }

// look compares with what was known, and says what breaks P11.
func (m *modSeqs) look(name string, acc *logdb.Account) (broken []string) {
	say := func(format string, args ...any) {
		broken = append(broken, "P11: "+name+": "+fmt.Sprintf(format, args...))
	}
	meta := acc.Meta()
	if meta.Replica != m.replica {
		*m = modSeqs{replica: meta.Replica, boxes: map[boxAt]*seenBox{}}
	}
	if meta.HighestMod < m.highest {
		say("the log's HIGHESTMODSEQ fell from %d to %d", m.highest, meta.HighestMod)
	}
	m.highest = meta.HighestMod
	rows, err := acc.Mailboxes()
	if err != nil {
		say("the log cannot be read: %v", err)
		return broken
	}
	tree, err := acc.LoadTree()
	if err != nil {
		say("the log cannot be read: %v", err)
		return broken
	}
	was := m.boxes
	m.boxes = maps.Clone(was)
	for _, row := range rows {
		n := tree.Node(row.GUID)
		if n == nil {
			say("%s is in no tree", row.Path)
			continue
		}
		b := &seenBox{guid: row.GUID, of: map[store.UID]string{}}
		at := boxAt{row.Path, row.Status.UIDValidity}
		m.boxes[at] = b
		old := was[at]
		if old != nil && !slices.Contains(n.GUIDs, old.guid) {
			old = nil // a client gave a new mailbox a used UIDVALIDITY: that is P10
		}
		err := acc.MailboxRecords(row.GUID, func(r *logdb.Record) error {
			if r.UID == 0 {
				return nil // a client has not seen it
			}
			shows := fmt.Sprint(r.Content.GUID, r.ShownFlags, r.ShownKeywords)
			b.of[r.UID], b.highest = shows, max(b.highest, r.ModSeq)
			if old != nil && old.of[r.UID] != shows && r.ModSeq <= old.highest {
				say("UID %d of %s changed from %q to %q at modseq %d, and a client has seen %d", r.UID, row.Path, old.of[r.UID], shows, r.ModSeq, old.highest)
			}
			return nil
		})
		if last, e := acc.LastVanished(n.GUIDs); err == nil {
			b.highest, err = max(b.highest, last), e
		}
		if err != nil {
			say("the log of %s cannot be read: %v", row.Path, err)
			continue
		}
		if old == nil {
			continue
		}
		if b.highest < old.highest {
			say("HIGHESTMODSEQ of %s fell from %d to %d", row.Path, old.highest, b.highest)
		}
		gone, whole, err := acc.Vanished(n.GUIDs, old.highest)
		if err != nil || !whole {
			say("the vanished UIDs of %s cannot be read: whole %v, %v", row.Path, whole, err)
		}
		var silent []string
		for uid := range old.of {
			told := slices.ContainsFunc(gone, func(r logdb.UIDRange) bool { return r.Lo <= uid && uid <= r.Hi })
			if _, there := b.of[uid]; !there && !told {
				silent = append(silent, fmt.Sprint(uid))
			}
		}
		if slices.Sort(silent); len(silent) > 0 {
			say("UIDs of %s are gone and not listed as vanished: %s", row.Path, strings.Join(silent, " "))
		}
	}
	return broken
}
