package memory

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"

	"dsync/store"
)

// MailboxLook implements store.Store.
func (s *Store) MailboxLook(ctx context.Context, n store.Name) (store.Look, error) {
	b, err := s.enterBox(ctx, OpLook, n, "")
	if err != nil {
		return store.Look{}, err
	}
	defer s.acc.mu.Unlock()
	return s.acc.boxLook(b), nil
}

// Status implements store.Store.
func (s *Store) Status(ctx context.Context, n store.Name) (store.Status, error) {
	b, err := s.enterBox(ctx, OpStatus, n, "")
	if err != nil {
		return store.Status{}, err
	}
	defer s.acc.mu.Unlock()
	return s.acc.status(b), nil
}

func (a *account) status(b *mailbox) store.Status {
	st := store.Status{GUID: b.guid, UIDValidity: b.validity, UIDNext: b.uidNext, Attributes: maps.Clone(b.attrs)}
	if a.caps.ModSeqs {
		st.HighestMod = b.highest
	}
	return st
}

// Scan implements store.Store. A mailbox that a client changes while it is
// listed (OpScanned) gives an unstable listing that lacks what was changed, as
// a directory may.
func (s *Store) Scan(ctx context.Context, n store.Name, since store.Fingerprint) (store.Snapshot, error) {
	b, err := s.enterBox(ctx, OpScan, n, "")
	if err != nil {
		return nil, err
	}
	sn := &snapshot{s: s, name: n, status: s.acc.status(b), look: s.acc.boxLook(b), stable: true}
	sn.uidsStand = len(since) == 16 && binary.BigEndian.Uint64(since[8:]) == b.uidPrint
	for _, m := range b.sorted() {
		sn.msgs = append(sn.msgs, *m)
	}
	print := b.print
	s.acc.mu.Unlock()
	s.cost.listed.Add(int64(len(sn.msgs)))

	if b, err = s.enterBox(ctx, OpScanned, n, ""); err != nil {
		return nil, err
	}
	defer s.acc.mu.Unlock()
	if b.print != print {
		sn.stable = false
		sn.msgs = slices.DeleteFunc(sn.msgs, func(m message) bool {
			now := b.msgs[m.key]
			return now == nil || now.handle() != m.handle()
		})
	}
	return sn, nil
}

// snapshot is a copy of the mailbox as listed.
type snapshot struct {
	s         *Store
	name      store.Name
	status    store.Status
	look      store.Look
	stable    bool
	uidsStand bool
	msgs      []message
}

func (sn *snapshot) Status() store.Status { return sn.status }
func (sn *snapshot) Look() store.Look     { return sn.look }
func (sn *snapshot) Stable() bool         { return sn.stable }
func (sn *snapshot) Len() int             { return len(sn.msgs) }
func (sn *snapshot) Hash(i int) uint64    { return sn.msgs[i].visible() }
func (sn *snapshot) UIDsStand() bool      { return sn.uidsStand }

// Describe implements store.Snapshot. It tells messages as they were listed.
func (sn *snapshot) Describe(ctx context.Context, idx []int) ([]store.Message, []store.Skip, error) {
	var out []store.Message
	var skips []store.Skip
	for _, i := range idx {
		m := &sn.msgs[i]
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("describe %q: %w", sn.name, err)
		}
		if err := sn.s.step(OpDescribe, sn.name, m.key); err != nil {
			skips = append(skips, store.Skip{Mailbox: sn.name, Item: m.key, Err: err})
			continue
		}
		if sn.there(m) {
			out = append(out, sn.s.acc.describe(m))
		}
	}
	return out, skips, nil
}

// there reports whether the message is in the mailbox still.
func (sn *snapshot) there(m *message) bool {
	sn.s.acc.mu.Lock()
	defer sn.s.acc.mu.Unlock()
	b := sn.s.acc.boxes[sn.name]
	return b != nil && b.msgs[m.key] != nil
}

// NoRoom implements store.Snapshot.
func (sn *snapshot) NoRoom(keywords []string) []string {
	limit := sn.s.acc.caps.Keywords
	if limit < 0 {
		return nil
	}
	has := map[string]bool{}
	for i := range sn.msgs {
		had(has, sn.msgs[i].keywords)
	}
	_, out := split(has, limit, keywords)
	return out
}

// DescribeUIDs implements store.Snapshot. The header's hash is left out too.
func (sn *snapshot) DescribeUIDs(idx []int) ([]store.Message, error) {
	out := make([]store.Message, 0, len(idx))
	for _, i := range idx {
		d := sn.s.acc.describe(&sn.msgs[i])
		out = append(out, store.Message{
			Handle: d.Handle, UID: d.UID, Content: store.Content{GUID: d.Content.GUID},
			Flags: d.Flags, Keywords: d.Keywords, ModSeq: d.ModSeq, Key: d.Key, Hash: d.Hash,
		})
	}
	return out, nil
}

// Open implements store.Store.
func (s *Store) Open(ctx context.Context, n store.Name, h store.Handle) (io.ReadCloser, error) {
	b, err := s.enterBox(ctx, OpOpen, n, keyOf(h))
	if err != nil {
		return nil, err
	}
	defer s.acc.mu.Unlock()
	m := b.msgs[keyOf(h)]
	if m == nil {
		return nil, fmt.Errorf("open %q in %q: %w", h, n, store.ErrNoMessage)
	}
	s.cost.opened.Add(1)
	return &reader{bytes.NewReader(m.body), &s.cost.read}, nil
}

// reader counts what is read.
type reader struct {
	r    *bytes.Reader
	read *atomic.Int64
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.read.Add(int64(n))
	return n, err
}

func (r *reader) Close() error { return nil }

// Find implements store.Store.
func (s *Store) Find(ctx context.Context, keys []string) (map[string]store.Found, error) {
	if err := s.enter(ctx, OpFind, "", ""); err != nil {
		return nil, err
	}
	defer s.acc.mu.Unlock()
	out := map[string]store.Found{}
	for n, b := range s.acc.boxes {
		for _, k := range keys {
			if m := b.msgs[k]; m != nil {
				out[k] = store.Found{Mailbox: n, Handle: m.handle(), UID: m.uid}
			}
		}
	}
	return out, nil
}
