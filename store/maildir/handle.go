package maildir

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// file gives the directory and name that a handle stands for; nil if it stands
// for none.
func (b *box) file(h store.Handle) (fsys.Dir, string) {
	sub, name, ok := parseHandle(h)
	switch {
	case !ok:
		return nil, ""
	case sub == "new":
		return b.nu, name
	}
	return b.cur, name
}

// aliases are the other names of a message in the same visible state: a client
// that opens a mailbox moves files from new to cur, and adds ":2,".
func aliases(h store.Handle) []store.Handle {
	sub, name, ok := parseHandle(h)
	if !ok {
		return nil
	}
	base, let, rest := splitName(name)
	full := store.Handle("cur/" + base + ":2," + let + rest)
	var out []store.Handle
	if full != h {
		out = append(out, full)
	}
	if sub == "new" {
		out = append(out, store.Handle("cur/"+name))
	} else if let == "" && rest == "" {
		out = append(out, store.Handle("new/"+base), store.Handle("cur/"+base))
	}
	return out
}

// resolve finds the file that stands for the handle in the very state the handle
// names. What it returns is the exact name to compare with.
func (b *box) resolve(h store.Handle) (store.Handle, error) {
	if _, _, ok := parseHandle(h); !ok {
		return "", fmt.Errorf("handle %.80q: %w", h, store.ErrNoMessage)
	}
	for _, c := range append([]store.Handle{h}, aliases(h)...) {
		d, name := b.file(c)
		if d == nil {
			continue
		}
		_, err := d.Stat(name)
		if err == nil {
			return c, nil
		}
		if !missing(err) {
			return "", err
		}
	}
	return "", fmt.Errorf("message %q: %w", h, store.ErrChanged)
}

// locate finds the file of a base name by listing; "" if there is none.
func (s *Store) locate(b *box, base string) (store.Handle, error) {
	want := xxhash.Sum64String(base)
	for range openTries {
		l, still, err := s.listStill(b)
		if err != nil {
			return "", err
		}
		for i, h := range l.hashes {
			if h == want && string(l.base(i)) == base {
				return l.handle(i), nil
			}
		}
		if still {
			return "", nil
		}
	}
	return "", fmt.Errorf("message %q: %w: its mailbox changes all the time", base, store.ErrChanged)
}

// listStill lists, and reports whether the directories stood still meanwhile. If
// not, the listing may lack a file that was renamed, under either name.
func (s *Store) listStill(b *box) (*listing, bool, error) {
	was, err := b.dirTimes()
	if err != nil {
		return nil, false, err
	}
	l, err := s.list(b)
	if err != nil {
		return nil, false, err
	}
	is, err := b.dirTimes()
	return l, is == was, err
}

// dirTimes is when cur and new last changed.
func (b *box) dirTimes() (out [2]int64, err error) {
	for i, d := range []fsys.Dir{b.cur, b.nu} {
		if d == nil {
			continue
		}
		in, err := d.Self()
		if err != nil {
			return out, err
		}
		out[i] = max(in.Mtime, in.Ctime)
	}
	return out, nil
}

// Open gives a message's bytes.
func (s *Store) Open(ctx context.Context, n store.Name, h store.Handle) (io.ReadCloser, error) {
	defer s.opts.As.Enter()()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := s.readingBox(n)
	if err != nil {
		return nil, err
	}
	f, err := s.openMessage(b, h)
	s.letGo(b)
	if !errors.Is(err, store.ErrNoMessage) {
		return f, err
	}
	if b, err = s.open(n, false); err != nil {
		return nil, err
	}
	defer b.close()
	return s.openMessage(b, h)
}

// openTries bounds the race with somebody who renames a message again and again.
const openTries = 50

// listTries bounds it where the uidlist's lock is held.
const listTries = 5

func (s *Store) openMessage(b *box, h store.Handle) (fsys.File, error) {
	_, name, ok := parseHandle(h)
	if !ok {
		return nil, fmt.Errorf("handle %.80q: %w", h, store.ErrNoMessage)
	}
	base, _, _ := splitName(name)
	for try := 0; try < openTries; try++ {
		d, name := b.file(h)
		if d != nil {
			f, err := d.Open(name)
			if err == nil {
				s.opened.Add(1)
				in, err := f.Stat()
				if err == nil && !in.IsReg() {
					err = fmt.Errorf("message %q: %w: not a regular file", h, store.ErrUnsupported)
				}
				if err != nil {
					return nil, errors.Join(err, f.Close())
				}
				return f, nil
			}
			if !missing(err) {
				return nil, err
			}
		}
		var err error
		if h, err = s.locate(b, base); err != nil {
			return nil, err
		}
		if h == "" {
			return nil, fmt.Errorf("message %q: %w", base, store.ErrNoMessage)
		}
	}
	return nil, fmt.Errorf("message %q: %w: it is renamed all the time", base, store.ErrChanged)
}
