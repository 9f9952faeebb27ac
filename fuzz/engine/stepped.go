package engine

import (
	"context"
	"io"

	"dsync/store"
)

// stepped tells of each access to a store that does not tell of its own, and fails it
// if it is told so: a coarser one than store/memory's own steps.
type stepped struct {
	store.Store
	at func(write bool, op, item string) error
}

func (s *stepped) read(op, item string) error  { return s.at(false, op, item) }
func (s *stepped) write(op, item string) error { return s.at(true, op, item) }

// Scan implements store.Store.
func (s *stepped) Scan(ctx context.Context, n store.Name, since store.Fingerprint) (store.Snapshot, error) {
	if err := s.read("scan", string(n)); err != nil {
		return nil, err
	}
	return s.Store.Scan(ctx, n, since)
}

// Tree implements store.Store.
func (s *stepped) Tree(ctx context.Context) (*store.Tree, store.Look, error) {
	if err := s.read("tree", ""); err != nil {
		return nil, store.Look{}, err
	}
	return s.Store.Tree(ctx)
}

// Open implements store.Store.
func (s *stepped) Open(ctx context.Context, n store.Name, h store.Handle) (io.ReadCloser, error) {
	if err := s.read("open", s.KeyOf(h)); err != nil {
		return nil, err
	}
	return s.Store.Open(ctx, n, h)
}

// SetMark implements store.Store.
func (s *stepped) SetMark(m store.Mark) error {
	if err := s.write("mark", m.Replica); err != nil {
		return err
	}
	return s.Store.SetMark(m)
}

// Stage implements store.Store.
func (s *stepped) Stage(ctx context.Context, n store.Name, m store.NewMessage, body io.Reader) (*store.Staged, error) {
	if err := s.write("stage", m.Key); err != nil {
		return nil, err
	}
	return s.Store.Stage(ctx, n, m, body)
}

// StageLink implements store.Store.
func (s *stepped) StageLink(ctx context.Context, n store.Name, m store.NewMessage, from store.Name, h store.Handle) (*store.Staged, error) {
	if err := s.write("stagelink", m.Key); err != nil {
		return nil, err
	}
	return s.Store.StageLink(ctx, n, m, from, h)
}

// SyncStaged implements store.Store.
func (s *stepped) SyncStaged(ctx context.Context, staged []*store.Staged) error {
	if err := s.write("sync", ""); err != nil {
		return err
	}
	return s.Store.SyncStaged(ctx, staged)
}

// Unstage implements store.Store.
func (s *stepped) Unstage(staged []*store.Staged) error {
	if err := s.write("unstage", ""); err != nil {
		return err
	}
	return s.Store.Unstage(staged)
}

// Cleanup implements store.Store.
func (s *stepped) Cleanup(ctx context.Context, in []store.Name) error {
	if err := s.write("cleanup", ""); err != nil {
		return err
	}
	return s.Store.Cleanup(ctx, in)
}

// Apply implements store.Store.
func (s *stepped) Apply(ctx context.Context, n store.Name, c *store.Change) (*store.Result, error) {
	if err := s.write("apply", string(n)); err != nil {
		return nil, err
	}
	return s.Store.Apply(ctx, n, c)
}

// CreateMailbox implements store.Store.
func (s *stepped) CreateMailbox(ctx context.Context, n store.Name, st store.Status) error {
	if err := s.write("create", string(n)); err != nil {
		return err
	}
	return s.Store.CreateMailbox(ctx, n, st)
}

// RenameMailboxes implements store.Store.
func (s *stepped) RenameMailboxes(ctx context.Context, moves []store.Rename) error {
	if err := s.write("rename", ""); err != nil {
		return err
	}
	return s.Store.RenameMailboxes(ctx, moves)
}

// DeleteMailbox implements store.Store.
func (s *stepped) DeleteMailbox(ctx context.Context, n store.Name) error {
	if err := s.write("delete", string(n)); err != nil {
		return err
	}
	return s.Store.DeleteMailbox(ctx, n)
}

// SetSubscribed implements store.Store.
func (s *stepped) SetSubscribed(ctx context.Context, n store.Name, on bool) error {
	if err := s.write("subscribe", string(n)); err != nil {
		return err
	}
	return s.Store.SetSubscribed(ctx, n, on)
}

// SetAttribute implements store.Store.
func (s *stepped) SetAttribute(ctx context.Context, key, value string) error {
	if err := s.write("attribute", key); err != nil {
		return err
	}
	return s.Store.SetAttribute(ctx, key, value)
}
