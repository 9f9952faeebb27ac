package maildir

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// date gives a message another received date, durably; a zero t leaves it. The date is
// the file's, which may have other names: then a copy of the file takes the place of
// this name alone. Either fails if the name is another by now.
func (a *applier) date(ctx context.Context, b *box, h store.Handle, t time.Time) error {
	if t.IsZero() {
		return nil
	}
	dir, name := b.file(h)
	in, err := dir.Stat(name)
	if err != nil {
		return notThere(h, err)
	}
	t = t.Truncate(time.Second)
	if received(in.Mtime).Equal(t) {
		return nil
	}
	if in.Nlink > 1 {
		return a.dateApart(ctx, b, h, t)
	}
	if err := dir.SetTime(name, t.Unix()*int64(time.Second)); err != nil {
		return notThere(h, err)
	}
	return syncFile(dir, name, h)
}

// dateApart has a copy of the file, with another date, take its place under one name.
func (a *applier) dateApart(ctx context.Context, b *box, h store.Handle, t time.Time) (err error) {
	dir, name := b.file(h)
	f, err := dir.Open(name)
	if err != nil {
		return notThere(h, err)
	}
	defer f.Close()
	st, err := a.s.stage(ctx, a.b, store.NewMessage{Key: name, Received: t}, f)
	if err != nil {
		return err
	}
	a.s.forget(st.Temp)
	defer func() { err = errors.Join(err, a.b.tmp.Unlink(st.Temp)) }()
	if err := syncFile(a.b.tmp, st.Temp, h); err != nil {
		return err
	}
	if err := a.b.tmp.Exchange(st.Temp, dir, name); err != nil {
		return notThere(h, err)
	}
	a.s.did(b.name, dir, b, false, name)
	a.s.did(b.name, dir, b, true, name)
	return dir.Sync()
}

func syncFile(dir fsys.Dir, name string, h store.Handle) error {
	f, err := dir.Open(name)
	if err != nil {
		return notThere(h, err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// notThere is ErrNoMessage where a file has gone, or has another name by now.
func notThere(h store.Handle, err error) error {
	if missing(err) {
		return fmt.Errorf("set date %q: %w", h, store.ErrNoMessage)
	}
	return fmt.Errorf("set date %q: %w", h, readOnlyErr(err))
}
