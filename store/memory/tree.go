package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"dsync/store"
)

// TreeLook implements store.Store.
func (s *Store) TreeLook(ctx context.Context) (store.Look, error) {
	if err := s.enter(ctx, OpTree, "", ""); err != nil {
		return store.Look{}, err
	}
	defer s.acc.mu.Unlock()
	return s.acc.look(s.acc.print, 0, s.acc.printedAt), nil
}

// Tree implements store.Store.
func (s *Store) Tree(ctx context.Context) (*store.Tree, store.Look, error) {
	if err := s.enter(ctx, OpTree, "", ""); err != nil {
		return nil, store.Look{}, err
	}
	a := s.acc
	defer a.mu.Unlock()
	look := a.look(a.print, 0, a.printedAt)
	return &store.Tree{
		Mailboxes:     a.tree(),
		Subscriptions: slices.SortedFunc(maps.Keys(a.subs), store.CompareNames),
		Attributes:    maps.Clone(a.attrs),
		SubsChanged:   a.subsChanged,
	}, look, nil
}

// tree lists mailboxes and the parents that follow from their names.
func (a *account) tree() []store.MailboxInfo {
	all := map[store.Name]store.MailboxInfo{}
	for n, b := range a.boxes {
		all[n] = store.MailboxInfo{Name: n, Changed: b.changed, Dir: b.dir}
		for p := n.Parent(); p != ""; p = p.Parent() {
			if _, ok := all[p]; !ok && a.boxes[p] == nil {
				all[p] = store.MailboxInfo{Name: p, NoSelect: true}
			}
		}
	}
	return slices.SortedFunc(maps.Values(all), func(x, y store.MailboxInfo) int {
		return store.CompareNames(x.Name, y.Name)
	})
}

// CreateMailbox implements store.Store. On a \Noselect parent it makes the
// mailbox there.
func (s *Store) CreateMailbox(ctx context.Context, n store.Name, st store.Status) error {
	if err := n.Check(); err != nil {
		return err
	}
	if len(st.Attributes) > 0 && !s.acc.caps.Attributes {
		return fmt.Errorf("create %q: attributes: %w", n, store.ErrUnsupported)
	}
	if err := s.enter(ctx, OpCreate, n, ""); err != nil {
		return err
	}
	defer s.acc.mu.Unlock()
	if s.acc.boxes[n] != nil {
		return fmt.Errorf("create %q: %w", n, store.ErrExists)
	}
	s.acc.addMailbox(n, st, true)
	return nil
}

// RenameMailboxes implements store.Store. The moves are made all or none. Moves
// that were made before are seen by a source that is gone and targets that are
// all there; a set that only permutes names shows nothing of the kind and is
// made each time.
func (s *Store) RenameMailboxes(ctx context.Context, moves []store.Rename) error {
	moves = slices.DeleteFunc(slices.Clone(moves), func(r store.Rename) bool { return r.From == r.To })
	if err := checkRenames(moves); err != nil {
		return err
	}
	for _, r := range moves {
		if err := s.enter(ctx, OpRename, r.From, string(r.To)); err != nil {
			return err
		}
		s.acc.mu.Unlock()
	}
	if err := s.enter(ctx, OpTree, "", ""); err != nil {
		return err
	}
	defer s.acc.mu.Unlock()
	if done, err := s.acc.judgeRenames(moves); done || err != nil {
		return err
	}
	s.acc.rename(moves)
	return nil
}

// checkRenames refuses what no account could do.
func checkRenames(moves []store.Rename) error {
	from, to := map[store.Name]bool{}, map[store.Name]bool{}
	for _, r := range moves {
		for _, n := range []store.Name{r.From, r.To} {
			if err := n.Check(); err != nil {
				return fmt.Errorf("rename %q to %q: %w", r.From, r.To, err)
			}
		}
		switch {
		case r.From == store.Inbox || r.To == store.Inbox:
			return fmt.Errorf("rename %q to %q: %w: INBOX stays", r.From, r.To, store.ErrUnsupported)
		case from[r.From] || to[r.To]:
			return fmt.Errorf("rename %q to %q: %w: name given twice", r.From, r.To, store.ErrExists)
		}
		from[r.From], to[r.To] = true, true
	}
	return nil
}

// judgeRenames reports whether the moves were made before, or cannot be made.
func (a *account) judgeRenames(moves []store.Rename) (done bool, err error) {
	leaving := map[store.Name]bool{}
	arrived, missing := true, store.Name("")
	for _, r := range moves {
		leaving[r.From] = true
		if a.boxes[r.From] == nil {
			missing = r.From
		}
		arrived = arrived && a.boxes[r.To] != nil
	}
	switch {
	case missing != "" && arrived:
		return true, nil
	case missing != "":
		return false, fmt.Errorf("rename %q: %w", missing, store.ErrNoMailbox)
	}
	for _, r := range moves {
		if a.boxes[r.To] != nil && !leaving[r.To] {
			return false, fmt.Errorf("rename %q to %q: %w", r.From, r.To, store.ErrExists)
		}
	}
	return false, nil
}

func (a *account) rename(moves []store.Rename) {
	moving := make([]*mailbox, len(moves))
	for i, r := range moves {
		moving[i] = a.boxes[r.From]
		delete(a.boxes, r.From)
	}
	for i, r := range moves {
		now := a.now()
		moving[i].changed = now
		a.boxes[r.To] = moving[i]
		a.treeTouched(now)
	}
}

// DeleteMailbox implements store.Store.
func (s *Store) DeleteMailbox(ctx context.Context, n store.Name) error {
	if n == store.Inbox {
		return fmt.Errorf("delete INBOX: %w", store.ErrUnsupported)
	}
	b, err := s.enterBox(ctx, OpDelete, n, "")
	if err != nil {
		return err
	}
	defer s.acc.mu.Unlock()
	if len(b.msgs) > 0 {
		return fmt.Errorf("delete %q: %w: it holds %d messages", n, store.ErrChanged, len(b.msgs))
	}
	s.acc.deleteBox(n)
	return nil
}

// deleteBox removes a mailbox with what is in it and what is staged for it.
func (a *account) deleteBox(n store.Name) {
	b := a.boxes[n]
	delete(a.boxes, n)
	maps.DeleteFunc(a.staged, func(_ string, st *staged) bool { return st.box == b })
	a.treeTouched(a.now())
}

// SetSubscribed implements store.Store.
func (s *Store) SetSubscribed(ctx context.Context, n store.Name, on bool) error {
	if err := n.Check(); err != nil {
		return err
	}
	if !s.acc.caps.Subscriptions {
		return fmt.Errorf("subscribe %q: %w", n, store.ErrUnsupported)
	}
	if err := s.enter(ctx, OpSubscribe, n, ""); err != nil {
		return err
	}
	defer s.acc.mu.Unlock()
	s.acc.subscribe(n, on)
	return nil
}

func (a *account) subscribe(n store.Name, on bool) {
	if a.subs[n] == on {
		return
	}
	if on {
		a.subs[n] = true
	} else {
		delete(a.subs, n)
	}
	a.subsChanged = a.now()
	a.treeTouched(a.subsChanged)
}

// SetAttribute implements store.Store.
func (s *Store) SetAttribute(ctx context.Context, key, value string) error {
	if !s.acc.caps.Attributes || key == "" {
		return fmt.Errorf("attribute %q: %w", key, store.ErrUnsupported)
	}
	if err := s.enter(ctx, OpAttribute, "", key); err != nil {
		return err
	}
	defer s.acc.mu.Unlock()
	s.acc.setAttribute(key, value)
	return nil
}

func (a *account) setAttribute(key, value string) {
	if a.attrs[key] == value {
		return
	}
	setAttributes(a.attrs, map[string]string{key: value})
	a.treeTouched(a.now())
}
