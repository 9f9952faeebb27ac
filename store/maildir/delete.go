package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// tmpAge is how long a file in tmp may be a delivery under way (maildir(5)).
const tmpAge = 36 * time.Hour

// DeleteMailbox removes a mailbox without messages. It is taken out of sight
// first and looked at again there: what was delivered in between brings it back.
func (s *Store) DeleteMailbox(ctx context.Context, n store.Name) error {
	defer s.opts.As.Enter()()
	s.evict()
	if err := s.writing(); err != nil {
		return err
	}
	if n == store.Inbox {
		return fmt.Errorf("delete INBOX: %w", store.ErrUnsupported)
	}
	p, err := s.find(n)
	if err != nil {
		return err
	}
	if err := s.recoverMoves(); err != nil {
		return err
	}
	b, err := s.open(n, false)
	if err != nil {
		return err
	}
	info, err := b.cur.Self()
	if err == nil {
		err = s.deletable(b.mail, n)
	}
	b.close()
	if err != nil {
		return err
	}
	m := journalMove{from: n, temp: movePrefix + "0", ino: info.Ino}
	j := &journal{state: stateMoving, moves: []journalMove{m}}
	if err := s.writeJournal(j); err != nil {
		return err
	}
	if err := s.detach(m); err != nil {
		return err
	}
	d, err := p.root.OpenDir(m.temp)
	if err == nil {
		err = errors.Join(s.deletable(d, n), d.Close())
	}
	if err == nil {
		j.state = statePlacing
		err = s.writeJournal(j)
	}
	if err != nil {
		j.state = stateMoving
		return errors.Join(err, s.complete(j), s.dropJournal())
	}
	if err := s.remove(m); err != nil {
		// A message came at the last moment, into a directory that its writer had
		// open: back with it.
		m.to = n
		j.moves[0] = m
		if merr := errors.Join(s.mend(p, m), s.writeJournal(j), s.attach(m), s.dropJournal()); merr != nil {
			return errors.Join(err, merr)
		}
		return fmt.Errorf("delete mailbox %q: %w: %w", n, store.ErrChanged, err)
	}
	s.prune(j)
	return errors.Join(p.root.Sync(), s.dropJournal())
}

// deletable refuses a mailbox with messages, deliveries under way, or files that
// nobody could make anew.
func (s *Store) deletable(d fsys.Dir, n store.Name) error {
	for _, sub := range []string{"cur", "new", "tmp"} {
		sd, err := d.OpenDir(sub)
		if missing(err) {
			continue
		}
		if err != nil {
			return err
		}
		names, err := entries(sd)
		for _, e := range names {
			if err != nil || sub == "tmp" && s.oldTemp(sd, e) {
				continue
			}
			err = fmt.Errorf("delete mailbox %q: %w: it holds %s/%.80q", n, store.ErrChanged, sub, e)
		}
		if err = errors.Join(err, sd.Close()); err != nil {
			return err
		}
	}
	return d.List(func(raw []byte, kind fsys.Kind, _ uint64) error {
		name := string(raw)
		switch {
		case name == "cur", name == "new", name == "tmp", removable(name):
			return nil
		case s.layout.fs && kind == fsys.Directory && s.layout.dirname == "":
			return nil // a child, which stays
		}
		return fmt.Errorf("delete mailbox %q: %w: it holds %.80q, which is not a mail server's", n, store.ErrChanged, name)
	})
}

func (s *Store) oldTemp(tmp fsys.Dir, name string) bool {
	if s.deadTemp(name) {
		return true
	}
	in, err := tmp.Stat(name)
	return err == nil && s.now().UnixNano()-max(in.Mtime, in.Ctime) > int64(tmpAge)
}

// remove removes a mailbox that is out of sight.
func (s *Store) remove(m journalMove) error {
	p := s.place(m.from)
	err := s.scrap(p.root, m.temp)
	if err == nil && p.separated {
		err = s.scrap(p.ctl, m.temp)
	}
	return err
}

// mend makes a mailbox out of sight whole again after a removal that stopped.
func (s *Store) mend(p place, m journalMove) error {
	d, err := p.root.OpenDir(m.temp)
	if err != nil {
		return err
	}
	defer d.Close()
	pr, err := s.permsOf(d)
	if err != nil {
		return err
	}
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := s.mkdir(d, sub, pr); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
