package replay

import (
	"context"
	"errors"
	"fmt"

	"dsync/changelog/pack"
	"dsync/store"
)

// Renames are intended together, and the intent is gone in the batch that has the
// log show them. A run that died in between leaves mailboxes where the log does not
// expect them: Settle puts them back, so that the next look takes none for a
// client's rename. A mailbox is known by the directory that the log remembers.

const maxMoves = 1 << 20

func encodeMoves(p *Plan) []byte {
	b := pack.Array(pack.Array(nil, 2), 2*len(p.Renames))
	for _, r := range p.Renames {
		b = pack.String(pack.String(b, r.From), r.To)
	}
	b = pack.Array(b, len(p.Creates))
	for _, c := range p.Creates {
		b = pack.String(b, c.Path)
	}
	return b
}

func decodeMoves(b []byte) (moves []store.Rename, made []store.Name, err error) {
	r := pack.New(b, "intent")
	r.Fields(2)
	var all []store.Name
	for range r.Array(maxMoves, 1) {
		all = append(all, store.Name(r.String(store.MaxName)))
	}
	for range r.Array(maxMoves, 1) {
		made = append(made, store.Name(r.String(store.MaxName)))
	}
	if err := r.End(); err != nil {
		return nil, nil, err
	}
	if len(all)%2 != 0 {
		return nil, nil, fmt.Errorf("intent of %d names of renames: %w", len(all), store.ErrDamaged)
	}
	for i := 0; i < len(all); i += 2 {
		moves = append(moves, store.Rename{From: all[i], To: all[i+1]})
	}
	return moves, made, nil
}

// undo takes back the renames that stand, and the empty mailboxes made at places
// that are needed for it. What a client changed meanwhile is left as it is.
func (s *settler) undo(ctx context.Context, moves []store.Rename, made []store.Name) error {
	if err := s.st.Cleanup(ctx, nil); err != nil {
		return fmt.Errorf("settle renames: %w", err)
	}
	tree, _, err := s.st.Tree(ctx)
	if err != nil {
		return fmt.Errorf("settle renames: %w", err)
	}
	dirs := map[store.Name]string{}
	for _, m := range tree.Mailboxes {
		dirs[m.Name] = m.Dir
	}
	was := map[store.Name]string{}
	for _, l := range s.meta.Tree {
		was[l.Path] = l.Dir
	}
	var back []store.Rename
	needed := map[store.Name]bool{}
	for _, m := range moves {
		if d := was[m.From]; d != "" && dirs[m.To] == d && dirs[m.From] != d {
			back = append(back, store.Rename{From: m.To, To: m.From})
			needed[m.From] = true
		}
	}
	for _, n := range made {
		if _, there := dirs[n]; there && needed[n] {
			if err := s.st.DeleteMailbox(ctx, n); err != nil && !givesUp(err) {
				return fmt.Errorf("settle renames: %w", err)
			}
		}
	}
	if len(back) == 0 {
		return nil
	}
	if err := s.st.RenameMailboxes(ctx, back); err != nil && !givesUp(err) {
		return fmt.Errorf("settle renames: %w", err)
	}
	s.meta.TreeLook.Racy = true
	return nil
}

// givesUp tells what a client did meanwhile from trouble.
func givesUp(err error) bool {
	for _, e := range []error{store.ErrExists, store.ErrNoMailbox, store.ErrChanged, store.ErrUnsupported} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
