package live

import (
	"fmt"
	"slices"

	"dsync/changelog/logdb"
	"dsync/replay/session"
	"dsync/store"
)

// modseqs is what a client that asks for changes since a modseq could know of one
// replica's log after a run (P11). Not across the deletion of a mailbox: the log drops
// what vanished from it, also if the merge keeps the mailbox (rule 15).
type modseqs struct {
	highest store.ModSeq
	rows    map[store.MailboxGUID]store.UIDValidity
	held    map[modseqKey]modseqRow
}

type modseqKey struct {
	in  store.MailboxGUID
	uid store.UID
}

type modseqRow struct {
	guid  store.GUID
	shown string
	mod   store.ModSeq
}

func readModseqs(a *logdb.Account) (*modseqs, error) {
	m := &modseqs{highest: a.Meta().HighestMod, rows: map[store.MailboxGUID]store.UIDValidity{}, held: map[modseqKey]modseqRow{}}
	boxes, err := a.Mailboxes()
	if err != nil {
		return nil, err
	}
	tree, err := a.LoadTree()
	if err != nil {
		return nil, err
	}
	for _, b := range boxes {
		if n := tree.Node(b.GUID); n == nil || !n.IsInbox() && len(n.Presence) == 0 {
			continue // deleted: nobody can ask for it
		}
		m.rows[b.GUID] = b.Status.UIDValidity
	}
	return m, a.AllRecords(func(r *logdb.Record) error {
		if !r.Mailbox.IsZero() && r.UID != 0 {
			m.held[modseqKey{r.Mailbox, r.UID}] = modseqRow{r.Content.GUID, fmt.Sprint(r.ShownFlags, r.ShownKeywords), r.ModSeq}
		}
		return nil
	})
}

// since is P11 for what happened between two looks at one log.
func (m *modseqs) since(was *modseqs, a *logdb.Account) error {
	if was == nil {
		return nil
	}
	if m.highest < was.highest {
		return fmt.Errorf("P11: the highest modseq fell from %d to %d", was.highest, m.highest)
	}
	same := func(k modseqKey) bool { return was.rows[k.in] == m.rows[k.in] && m.rows[k.in] != 0 }
	for k, now := range m.held { // any order: each alone
		if old, ok := was.held[k]; same(k) && (!ok || old.guid != now.guid || old.shown != now.shown) && now.mod <= was.highest {
			return fmt.Errorf("P11: UID %d, %s, changed (from %v), at modseq %d; the highest before was %d", k.uid, now.guid, old, now.mod, was.highest)
		}
	}
	gone := map[store.MailboxGUID][]logdb.UIDRange{}
	for k, old := range was.held { // any order: each alone
		now, ok := m.held[k]
		if !same(k) || ok && now.guid == old.guid {
			continue
		}
		rs, read := gone[k.in]
		if !read {
			var err error
			if rs, err = a.Vanished(k.in, was.highest); err != nil {
				return err
			}
			gone[k.in] = rs
		}
		if !slices.ContainsFunc(rs, func(r logdb.UIDRange) bool { return r.Lo <= k.uid && k.uid <= r.Hi }) {
			return fmt.Errorf("P11: UID %d, %s, vanished and is not listed since modseq %d: %v", k.uid, old.guid, was.highest, rs)
		}
	}
	return nil
}

// rising is P11 for both sides of a run.
func (w *world) rising(res *session.PairResult) error {
	for _, e := range res.Ends {
		a := e.Rec.Account()
		m, err := readModseqs(a)
		if err != nil {
			return err
		}
		if err := m.since(w.modseqs[a.ID()], a); err != nil {
			return fmt.Errorf("%w (%s)", err, e.Rec.Store().Location())
		}
		w.modseqs[a.ID()] = m
	}
	return nil
}
