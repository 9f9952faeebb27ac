package live

import (
	"errors"
	"fmt"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/replay/session"
	"dsync/store"
)

// modseqs is what a client that asks for changes since a modseq could know of one
// replica's log after a run (P11): of a mailbox that is not there, what it knew last,
// for the merge may bring it back under its UIDVALIDITY.
type modseqs struct {
	highest store.ModSeq
	boxes   map[store.MailboxGUID]*modseqBox
}

type modseqBox struct {
	uv      store.UIDValidity
	highest store.ModSeq // HIGHESTMODSEQ
	asOf    store.ModSeq // the highest of the account at that look
	held    map[store.UID]modseqRow
}

type modseqRow struct {
	guid  store.GUID
	shown string
	mod   store.ModSeq
}

func readModseqs(a *logdb.Account) (*modseqs, *changelog.Tree, error) {
	m := &modseqs{highest: a.Meta().HighestMod, boxes: map[store.MailboxGUID]*modseqBox{}}
	rows, err := a.Mailboxes()
	if err != nil {
		return nil, nil, err
	}
	tree, err := a.LoadTree()
	if err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		n := tree.Node(row.GUID)
		if n == nil {
			return nil, nil, fmt.Errorf("%q is in no tree", row.Path)
		}
		if !n.IsInbox() && len(n.Presence) == 0 {
			continue // deleted: nobody can ask for it
		}
		b := &modseqBox{uv: row.Status.UIDValidity, asOf: m.highest, held: map[store.UID]modseqRow{}}
		if b.highest, err = a.LastVanished(n.GUIDs); err != nil {
			return nil, nil, err
		}
		m.boxes[row.GUID] = b
	}
	return m, tree, a.AllRecords(func(r *logdb.Record) error {
		if b := m.boxes[r.Mailbox]; b != nil && r.UID != 0 {
			b.held[r.UID] = modseqRow{r.Content.GUID, fmt.Sprint(r.ShownFlags, r.Counted()), r.ModSeq}
			b.highest = max(b.highest, r.ModSeq)
		}
		return nil
	})
}

// since is P11 for what happened between two looks at one log.
func (m *modseqs) since(was *modseqs, tree *changelog.Tree, a *logdb.Account) error {
	if was == nil {
		return nil
	}
	if m.highest < was.highest {
		return fmt.Errorf("P11: the highest modseq fell from %d to %d", was.highest, m.highest)
	}
	now := map[*changelog.Node]*modseqBox{}
	for g, b := range m.boxes { // any order: each alone
		now[tree.Node(g)] = b
	}
	for g, old := range was.boxes { // any order: each alone
		b := now[tree.Node(g)]
		if b == nil {
			m.boxes[g] = old
			continue
		}
		if b.uv != old.uv {
			continue
		}
		if err := b.since(old, tree.Node(g).GUIDs, a); err != nil {
			return fmt.Errorf("P11: mailbox %v, UIDVALIDITY %d, since modseq %d: %w", g, b.uv, old.asOf, err)
		}
	}
	return nil
}

// since is P11 for one mailbox that goes by the GUIDs.
func (m *modseqBox) since(was *modseqBox, gs []store.MailboxGUID, a *logdb.Account) error {
	if m.highest < was.highest {
		return fmt.Errorf("its HIGHESTMODSEQ fell from %d to %d", was.highest, m.highest)
	}
	for uid, now := range m.held { // any order: each alone
		old, ok := was.held[uid]
		if (!ok || old.guid != now.guid || old.shown != now.shown) && now.mod <= was.asOf {
			return fmt.Errorf("UID %d, %s, changed (from %v), at modseq %d", uid, now.guid, old, now.mod)
		}
	}
	rs, whole, err := a.Vanished(gs, was.asOf)
	if err != nil || !whole {
		return errors.Join(err, fmt.Errorf("what vanished: the whole of it: %v", whole))
	}
	for uid, old := range was.held { // any order: each alone
		if now, ok := m.held[uid]; ok && now.guid == old.guid {
			continue
		}
		if !slices.ContainsFunc(rs, func(r logdb.UIDRange) bool { return r.Lo <= uid && uid <= r.Hi }) {
			return fmt.Errorf("UID %d, %s, vanished and is not listed: %v", uid, old.guid, rs)
		}
	}
	return nil
}

// rising is P11 for both sides of a run.
func (w *world) rising(res *session.PairResult) error {
	for _, e := range res.Ends {
		a := e.Rec.Account()
		m, tree, err := readModseqs(a)
		if err != nil {
			return err
		}
		if err := m.since(w.modseqs[a.ID()], tree, a); err != nil {
			return fmt.Errorf("%w (%s)", err, e.Rec.Store().Location())
		}
		w.modseqs[a.ID()] = m
	}
	return nil
}
