package listing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"dsync/store"
)

const (
	tries = 3    // listings of a mailbox that changes meanwhile
	batch = 1024 // messages described at a time
)

// Mailbox is one mailbox as read.
type Mailbox struct {
	Name     store.Name
	NoSelect bool
	Status   store.Status
	Messages []store.Message // by UID
	Skipped  []store.Skip
	// Stable is false if the mailbox changed each time it was listed.
	Stable bool
}

// read lists one mailbox, again if it changed meanwhile.
func read(ctx context.Context, s store.Store, n store.Name) (*Mailbox, error) {
	var b *Mailbox
	for range tries {
		sn, err := s.Scan(ctx, n, nil)
		if err != nil {
			return nil, fmt.Errorf("list %q: %w", string(n), err)
		}
		b = &Mailbox{Name: n, Status: sn.Status(), Stable: sn.Stable()}
		if err := b.describe(ctx, sn); err != nil {
			return nil, fmt.Errorf("list %q: %w", string(n), err)
		}
		if b.Stable = b.Stable && len(b.Messages)+len(b.Skipped) >= sn.Len(); b.Stable {
			break
		}
	}
	b.provide()
	return b, nil
}

func (b *Mailbox) describe(ctx context.Context, sn store.Snapshot) error {
	idx := make([]int, 0, batch)
	for i := range sn.Len() {
		if idx = append(idx, i); len(idx) < batch && i+1 < sn.Len() {
			continue
		}
		list, skips, err := sn.Describe(ctx, idx)
		if err != nil {
			return err
		}
		b.Messages = append(b.Messages, list...)
		b.Skipped = append(b.Skipped, skips...)
		idx = idx[:0]
	}
	return nil
}

// provide gives provisional UIDs and puts the messages in order.
func (b *Mailbox) provide() {
	late := []*store.Message{}
	next := max(b.Status.UIDNext, 1)
	for i := range b.Messages {
		m := &b.Messages[i]
		if m.UID == 0 {
			late = append(late, m)
		} else if m.UID >= next {
			next = m.UID + 1
		}
	}
	slices.SortFunc(late, func(x, y *store.Message) int {
		return cmp.Or(cmp.Compare(x.Content.GUID, y.Content.GUID), x.Received.Compare(y.Received), cmp.Compare(x.Key, y.Key))
	})
	for _, m := range late {
		m.UID = next
		next++
	}
	b.Status.UIDNext = next
	slices.SortFunc(b.Messages, func(x, y store.Message) int {
		return cmp.Or(cmp.Compare(x.UID, y.UID), cmp.Compare(x.Content.GUID, y.Content.GUID))
	})
}

// keywords gives a message's keywords sorted bytewise.
func keywords(m *store.Message) []string {
	out := slices.Clone(m.Keywords)
	slices.Sort(out)
	return slices.Compact(append([]string{}, out...))
}

// size gives RFC822.SIZE: as the name says it (",W="), if that can be; else by
// reading the message.
func size(ctx context.Context, s store.Store, n store.Name, m *store.Message) (int64, error) {
	if w, ok := named(m); ok {
		return w, nil
	}
	r, err := s.Open(ctx, n, m.Handle)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	var c crlfCounter
	_, err = io.Copy(&c, r)
	return c.n, err
}

// named reads the W= field of a Maildir's file name.
func named(m *store.Message) (int64, bool) {
	_, rest, ok := strings.Cut(m.Key, ",W=")
	if !ok {
		return 0, false
	}
	rest, _, _ = strings.Cut(rest, ",")
	rest, _, _ = strings.Cut(rest, ":")
	w, err := strconv.ParseInt(rest, 10, 64)
	return w, err == nil && w >= m.Content.Size && w <= 2*m.Content.Size
}

// crlfCounter counts bytes as if every line ended in CRLF.
type crlfCounter struct {
	n  int64
	cr bool
}

func (c *crlfCounter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' && !c.cr {
			c.n++
		}
		c.n++
		c.cr = b == '\r'
	}
	return len(p), nil
}

// vanished reports whether an error only says that the message went meanwhile.
func vanished(err error) bool {
	return errors.Is(err, store.ErrNoMessage) || errors.Is(err, store.ErrChanged)
}
