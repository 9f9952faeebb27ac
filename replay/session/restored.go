package session

import (
	"context"
	"fmt"

	"dsync/changelog"
	"dsync/replay"
	"dsync/store"
)

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
	for _, line := range l.Rec.Account().Last().Tree {
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
