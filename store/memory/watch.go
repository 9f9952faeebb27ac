package memory

import (
	"bytes"
	"context"
	"fmt"

	"dsync/store"
)

// watched is a mailbox under watch.
type watched struct {
	box     *mailbox
	foreign uint64 // of the box, when the watch began
}

var _ store.Watcher = (*Store)(nil)

// Watch implements store.Watcher.
func (s *Store) Watch(ctx context.Context, n store.Name, since store.Fingerprint) error {
	b, err := s.enterBox(ctx, OpLook, n, "")
	if err != nil {
		return err
	}
	defer s.acc.mu.Unlock()
	if look := s.acc.boxLook(b); look.Racy || !bytes.Equal(look.Print, since) {
		return fmt.Errorf("watch %q: %w", n, store.ErrChanged)
	}
	if s.watches == nil {
		s.watches = map[store.Name]watched{}
	}
	s.watches[n] = watched{b, b.foreign}
	return nil
}

// Settled implements store.Watcher.
func (s *Store) Settled(ctx context.Context, n store.Name) (store.Look, bool) {
	w, ok := s.watches[n]
	delete(s.watches, n)
	if !ok {
		return store.Look{}, false
	}
	b, err := s.enterBox(ctx, OpLook, n, "")
	if err != nil {
		return store.Look{}, false
	}
	defer s.acc.mu.Unlock()
	look := s.acc.boxLook(b)
	return look, !look.Racy && b == w.box && b.foreign == w.foreign
}
