package engine

import (
	"fmt"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// modSeqs is what an IMAP client of a replica, served from the change log, knows of
// modseqs between runs: the witness of P11.
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
	was := m.boxes
	m.boxes = map[boxAt]*seenBox{}
	for _, row := range rows {
		b := &seenBox{of: map[store.UID]string{}}
		at := boxAt{row.Path, row.Status.UIDValidity}
		m.boxes[at] = b
		old := was[at]
		err := acc.MailboxRecords(row.GUID, func(r *logdb.Record) error {
			shows := fmt.Sprint(r.Content.GUID, r.ShownFlags, r.ShownKeywords)
			b.of[r.UID], b.highest = shows, max(b.highest, r.ModSeq)
			if old != nil && old.of[r.UID] != shows && r.ModSeq <= old.highest {
				say("UID %d of %s changed from %q to %q at modseq %d, and a client has seen %d", r.UID, row.Path, old.of[r.UID], shows, r.ModSeq, old.highest)
			}
			return nil
		})
		if last, e := acc.LastVanished(row.GUID); err == nil {
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
		gone, err := acc.Vanished(row.GUID, old.highest)
		if err != nil {
			say("the vanished UIDs of %s cannot be read: %v", row.Path, err)
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
