package session

import (
	"context"
	"fmt"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/replay"
	"dsync/store"
)

// behindLog reports whether the log has mailboxes that the store lacks, or a higher
// UIDNEXT than it shows: they went with a restore, or with a mark and a brake taken
// off, and no run has made them again. rows are the mailboxes as the store has them.
func (l *Local) behindLog(rows []*logdb.Mailbox) bool {
	nodes := map[*changelog.Node]bool{}
	for _, line := range l.Rec.Account().Meta().Tree {
		nodes[l.Look.Tree.Node(line.Node)] = true
	}
	for _, s := range l.Look.Layout.Slots {
		if s.Shown && s.Holder != nil && !nodes[s.Holder] {
			return true
		}
	}
	for _, r := range rows {
		n := l.Look.Tree.Node(r.GUID)
		if n != nil && nodes[n] && r.Status.UIDValidity != 0 && r.Status.UIDValidity == n.UIDValidity && r.Status.UIDNext < n.UIDNext {
			return true
		}
	}
	return false
}

// restored makes the input of a plan for a store that is older than its log: it
// starts from what the store shows, not from what the log has, so that mailboxes,
// names, numbers, subscriptions and attributes that went with the restore are made
// again.
func (l *Local) restored(ctx context.Context, in *replay.Input) error {
	tree, _, err := l.Rec.Store().Tree(ctx)
	if err != nil {
		return fmt.Errorf("look at the restored %s: %w", l.Rec.Store().Location(), err)
	}
	in.Shows = &replay.Shows{Subscriptions: tree.Subscriptions, Attributes: tree.Attributes}
	at := map[store.Name]*changelog.Node{}
	for _, line := range l.Rec.Account().Meta().Tree {
		n := l.Look.Tree.Node(line.Node)
		if line.NoSelect || n == nil {
			continue
		}
		st, err := l.Rec.Store().Status(ctx, line.Path)
		if err != nil {
			continue // gone meanwhile: what is done there fails
		}
		n = n.Clone()
		n.UIDValidity, n.UIDNext, n.Attrs = st.UIDValidity, st.UIDNext, nil
		for k, v := range st.Attributes {
			n.SetAttr(changelog.Write{}, k, v)
		}
		at[line.Path] = n
	}
	in.Layout = changelog.LayoutOf(at)
	return nil
}
