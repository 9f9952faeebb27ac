package maildir

import (
	"bytes"
	"context"
	"fmt"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// A mailbox under watch: after this Store has changed it, it need not be listed
// again if nobody else did. Names that come and go in cur and new are told by the
// system; each must be one of our own. uidlist and keywords are changed under
// Dovecot's lock: as one of our changes left them, the next must find them.
type watched struct {
	cur, nu int32
	own     map[fsys.Event]int // our own changes, less those that were told
	files   []byte             // the part of the print behind cur and new, as we left it
	foreign bool               // somebody else changed something, or may have
}

// maxWatched bounds the mailboxes under watch, maxOwn the changes of one.
const (
	maxWatched = 64
	maxOwn     = 4096
)

var _ store.Watcher = (*Store)(nil)

// Watch implements store.Watcher.
func (s *Store) Watch(ctx context.Context, n store.Name, since store.Fingerprint) error {
	defer s.opts.As.Enter()()
	if err := ctx.Err(); err != nil {
		return err
	}
	s.unwatch(n)
	if len(s.watches) >= maxWatched {
		return fmt.Errorf("watch %q: %w: too many", n, store.ErrUnsupported)
	}
	b, err := s.open(n, false)
	if err != nil {
		return err
	}
	defer b.close()
	if s.watcher == nil {
		if s.watcher, err = fsys.NewWatcher(); err != nil {
			return fmt.Errorf("watch %q: %w: %w", n, store.ErrUnsupported, err)
		}
	}
	if b.nu == nil {
		return fmt.Errorf("watch %q: %w: no new", n, store.ErrUnsupported)
	}
	w := &watched{own: map[fsys.Event]int{}}
	if w.cur, err = s.watcher.Add(b.cur); err != nil {
		return fmt.Errorf("watch %q: %w: %w", n, store.ErrUnsupported, err)
	}
	if w.nu, err = s.watcher.Add(b.nu); err != nil {
		s.watcher.Remove(w.cur)
		return fmt.Errorf("watch %q: %w: %w", n, store.ErrUnsupported, err)
	}
	if s.watches == nil {
		s.watches = map[store.Name]*watched{}
	}
	s.watches[n] = w
	look, err := s.lookAt(b.place)
	if err == nil && (look.Racy || !bytes.Equal(look.Print, since)) {
		err = fmt.Errorf("watch %q: %w", n, store.ErrChanged)
	}
	if err != nil {
		s.unwatch(n)
		return err
	}
	w.files = filesPart(look.Print)
	return nil
}

// Settled implements store.Watcher.
func (s *Store) Settled(ctx context.Context, n store.Name) (store.Look, bool) {
	defer s.opts.As.Enter()()
	w := s.watches[n]
	if w == nil {
		return store.Look{}, false
	}
	defer s.unwatch(n)
	look, err := s.MailboxLook(ctx, n)
	if err != nil || look.Racy || !bytes.Equal(filesPart(look.Print), w.files) {
		return store.Look{}, false
	}
	s.hear() // after the look: what happens from now on changes it
	for _, left := range w.own {
		if left != 0 {
			return store.Look{}, false
		}
	}
	return look, !w.foreign
}

// hear takes in what the system tells.
func (s *Store) hear() {
	events, lost, err := s.watcher.Events()
	by := map[int32]*watched{}
	for _, w := range s.watches {
		w.foreign = w.foreign || lost || err != nil
		by[w.cur], by[w.nu] = w, w
	}
	for _, e := range events {
		if w := by[e.Dir]; w != nil {
			w.own[e]--
		}
	}
}

func (s *Store) unwatch(n store.Name) {
	if w := s.watches[n]; w != nil {
		s.watcher.Remove(w.cur)
		s.watcher.Remove(w.nu)
		delete(s.watches, n)
	}
}

// did notes a change of our own: a name appeared in cur or new, or vanished.
func (s *Store) did(n store.Name, dir fsys.Dir, b *box, appeared bool, name string) {
	w := s.watches[n]
	if w == nil {
		return
	}
	if len(w.own) >= maxOwn {
		w.foreign = true // it is cheaper to list
		return
	}
	e := fsys.Event{Dir: w.cur, Appeared: appeared, Name: name}
	if dir == b.nu {
		e.Dir = w.nu
	}
	w.own[e]++
}

// meets checks, under the lock, that uidlist and keywords are as our last change
// left them; leaves notes how this one does.
func (s *Store) meets(b *box) {
	if w := s.watches[b.name]; w != nil {
		look, err := s.lookAt(b.place)
		w.foreign = w.foreign || err != nil || !bytes.Equal(filesPart(look.Print), w.files)
	}
}

func (s *Store) leaves(b *box) {
	if w := s.watches[b.name]; w != nil {
		look, err := s.lookAt(b.place)
		w.foreign = w.foreign || err != nil
		w.files = filesPart(look.Print)
	}
}

// filesPart is the part of a print behind cur and new.
func filesPart(p store.Fingerprint) []byte {
	if len(p) < printUIDList {
		return nil
	}
	return p[printUIDList:]
}
