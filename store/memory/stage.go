package memory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"time"

	"dsync/store"
)

// ChooseKey implements store.Store.
func (s *Store) ChooseKey(hint string, keep bool) string {
	a := s.acc
	a.mu.Lock()
	defer a.mu.Unlock()
	if keep && fitKey(hint) && !a.keyUsed(hint) {
		return hint
	}
	return a.newKey()
}

// keyUsed reports whether a message, staged or visible, has the key.
func (a *account) keyUsed(key string) bool {
	for _, b := range a.boxes {
		if b.msgs[key] != nil {
			return true
		}
	}
	for _, st := range a.staged {
		if st.key == key {
			return true
		}
	}
	return false
}

// Stage implements store.Store.
func (s *Store) Stage(ctx context.Context, n store.Name, m store.NewMessage, body io.Reader) (*store.Staged, error) {
	data, err := s.readBody(body)
	if err != nil {
		return nil, fmt.Errorf("stage %q in %q: %w", m.Key, n, err)
	}
	b, err := s.enterBox(ctx, OpStage, n, m.Key)
	if err != nil {
		return nil, err
	}
	defer s.acc.mu.Unlock()
	s.cost.wrote.Add(int64(len(data)))
	return s.stage(n, b, m, message{body: data, hash: headerHash(data), inode: s.acc.next()})
}

// readBody reads to the end, and keeps no more than the store may hold.
func (s *Store) readBody(body io.Reader) ([]byte, error) {
	limit := s.acc.caps.MaxMessageSize
	if limit <= 0 {
		return io.ReadAll(body)
	}
	data, err := io.ReadAll(io.LimitReader(body, limit))
	if err != nil {
		return nil, err
	}
	over, err := io.Copy(io.Discard, body)
	if err == nil && over > 0 {
		err = fmt.Errorf("%w: %d bytes, at most %d", store.ErrUnsupported, limit+over, limit)
	}
	return data, err
}

// StageLink implements store.Store. What m leaves empty (GUID, received date)
// is the original's. The original is found by its key, whatever its flags.
func (s *Store) StageLink(ctx context.Context, n store.Name, m store.NewMessage, from store.Name, h store.Handle) (*store.Staged, error) {
	if !s.acc.caps.Link {
		return nil, fmt.Errorf("link %q into %q: %w", h, n, store.ErrUnsupported)
	}
	if err := from.Check(); err != nil {
		return nil, err
	}
	b, err := s.enterBox(ctx, OpStageLink, n, m.Key)
	if err != nil {
		return nil, err
	}
	defer s.acc.mu.Unlock()
	fb, err := s.acc.box(from)
	if err != nil {
		return nil, fmt.Errorf("link %q into %q: %w", h, n, err)
	}
	orig := fb.msgs[keyOf(h)]
	if orig == nil {
		return nil, fmt.Errorf("link %q of %q into %q: %w", h, from, n, store.ErrNoMessage)
	}
	if m.Content.GUID == "" {
		m.Content.GUID = orig.guid
	}
	if m.Received.IsZero() {
		m.Received = orig.received
	}
	return s.stage(n, b, m, message{body: orig.body, hash: orig.hash, inode: orig.inode})
}

// stage writes down a message whose bytes are known.
func (s *Store) stage(n store.Name, b *mailbox, m store.NewMessage, data message) (*store.Staged, error) {
	a := s.acc
	fail := func(err error) (*store.Staged, error) {
		return nil, fmt.Errorf("stage %q in %q: %w", m.Key, n, err)
	}
	c := m.Content
	if c.Size != 0 && c.Size != int64(len(data.body)) {
		return fail(fmt.Errorf("%w: %d bytes, announced %d", store.ErrDamaged, len(data.body), c.Size))
	}
	if c.Hash != (store.HeaderHash{}) && c.Hash != data.hash {
		return fail(fmt.Errorf("%w: header hash %x, announced %x", store.ErrDamaged, data.hash, c.Hash))
	}
	if m.Key == "" {
		m.Key = a.newKey()
	}
	if !fitKey(m.Key) {
		return fail(fmt.Errorf("key: %w", store.ErrUnsupported))
	}
	if a.keyUsed(m.Key) {
		return fail(fmt.Errorf("key: %w", store.ErrExists))
	}
	if c.GUID == "" || !a.caps.KeepGUIDs {
		c.GUID = store.GUID(m.Key)
	}
	if err := c.GUID.Check(); err != nil {
		return fail(fmt.Errorf("%w: %w", store.ErrUnsupported, err))
	}
	kws, err := cleanKeywords(m.Keywords)
	if err != nil {
		return fail(err)
	}
	c.Size, c.Hash = int64(len(data.body)), data.hash
	m.Content, m.Keywords, m.Received = c, kws, m.Received.UTC().Truncate(time.Second)

	data.key, data.guid, data.flags = m.Key, c.GUID, m.Flags&store.AllFlags
	data.keywords, data.received = kws, m.Received
	temp := "tmp/" + strconv.FormatUint(a.next(), 10)
	a.staged[temp] = &staged{message: data, box: b, session: s.session}
	return &store.Staged{NewMessage: m, Mailbox: n, Temp: temp}, nil
}

// SyncStaged implements store.Store.
func (s *Store) SyncStaged(ctx context.Context, list []*store.Staged) error {
	for _, st := range list {
		if err := s.enter(ctx, OpSync, st.Mailbox, st.Key); err != nil {
			return err
		}
		have := s.acc.staged[st.Temp]
		if have != nil {
			have.synced = true
		}
		s.acc.mu.Unlock()
		if have == nil {
			return fmt.Errorf("sync staged %q: %w", st.Key, store.ErrNoMessage)
		}
	}
	return nil
}

// Unstage implements store.Store. What is gone already is no error.
func (s *Store) Unstage(list []*store.Staged) error {
	for _, st := range list {
		if err := s.enter(context.Background(), OpUnstage, st.Mailbox, st.Key); err != nil {
			return err
		}
		delete(s.acc.staged, st.Temp)
		s.acc.mu.Unlock()
	}
	return nil
}

// Cleanup implements store.Store: it removes what other openings staged. The
// caller holds the account's lock, so they are dead.
func (s *Store) Cleanup(ctx context.Context, in []store.Name) error {
	for _, n := range in {
		b, err := s.enterBox(ctx, OpCleanup, n, "")
		if errors.Is(err, store.ErrNoMailbox) {
			continue
		}
		if err != nil {
			return err
		}
		maps.DeleteFunc(s.acc.staged, func(_ string, st *staged) bool {
			return st.box == b && st.session != s.session
		})
		s.acc.mu.Unlock()
	}
	return nil
}
