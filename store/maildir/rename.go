package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// RenameMailboxes makes all moves at once. One that is plain (one directory, no
// name in two roles) is one rename(2); the rest go through the journal.
func (s *Store) RenameMailboxes(ctx context.Context, moves []store.Rename) error {
	defer s.opts.As.Enter()()
	s.evict()
	if err := s.writing(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.checkMoves(moves); err != nil {
		return err
	}
	again, err := s.settled(moves)
	if err != nil || again {
		return err
	}
	j, simple, err := s.planMoves(moves)
	if err != nil || len(j.moves) == 0 {
		return err
	}
	s.moves = true
	if simple {
		for _, m := range j.moves {
			d := s.layout.mail(m.from)
			if err := s.root.RenameNew(d, s.root, s.layout.mail(m.to)); err != nil {
				return renameErr(m, err)
			}
		}
		return s.root.Sync()
	}
	if err := s.writeJournal(j); err != nil {
		return err
	}
	return s.complete(j)
}

func renameErr(m journalMove, err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		err = fmt.Errorf("%w: %w", store.ErrExists, err)
	case missing(err):
		err = fmt.Errorf("%w: %w", store.ErrNoMailbox, err)
	}
	return fmt.Errorf("rename %q to %q: %w", m.from, m.to, err)
}

func (s *Store) checkMoves(moves []store.Rename) error {
	from, to := map[store.Name]bool{}, map[store.Name]bool{}
	for _, m := range moves {
		for _, n := range []store.Name{m.From, m.To} {
			if err := s.layout.check(n); err != nil {
				return err
			}
			if n == store.Inbox {
				return fmt.Errorf("rename %q to %q: %w: INBOX stays where it is", m.From, m.To, store.ErrUnsupported)
			}
		}
		if from[m.From] || to[m.To] {
			return fmt.Errorf("rename %q to %q: %w: a name twice", m.From, m.To, store.ErrUnsupported)
		}
		from[m.From], to[m.To] = true, true
	}
	return nil
}

// settled completes what an earlier run began, and reports whether these very
// moves have been made by a run that died before it could say so: they stand in
// its journal, and the mailboxes are where it put them.
func (s *Store) settled(moves []store.Rename) (bool, error) {
	if err := s.recoverMoves(); err != nil {
		return false, err
	}
	if s.moves {
		return false, nil // our own journal: that call has returned
	}
	j, err := s.readJournal()
	if err != nil || j == nil || len(j.moves) != len(moves) {
		return false, err
	}
	for _, m := range moves {
		i := slices.IndexFunc(j.moves, func(x journalMove) bool { return x.from == m.From && x.to == m.To })
		if i < 0 {
			return false, nil
		}
		p := s.place(m.To)
		in, err := p.root.Stat(join(p.rel, "cur"))
		if err != nil || in.Ino != j.moves[i].ino {
			return false, nil
		}
	}
	s.moves = true
	return true, nil
}

// planMoves leaves out moves that stand already, and reports whether the rest
// can be made by plain renames.
func (s *Store) planMoves(moves []store.Rename) (*journal, bool, error) {
	leaving := map[store.Name]bool{}
	for _, m := range moves {
		leaving[m.From] = true
	}
	j := &journal{state: stateMoving}
	simple := !s.layout.fs && s.control == nil
	for i, m := range moves {
		if m.From == m.To {
			continue
		}
		src, err := s.curOf(m.From)
		if err != nil {
			return nil, false, err
		}
		dst, err := s.curOf(m.To)
		if err != nil {
			return nil, false, err
		}
		switch {
		case src.Ino == 0 && dst.Ino != 0 && !leaving[m.To]:
			continue // made before
		case src.Ino == 0:
			return nil, false, fmt.Errorf("rename %q: %w", m.From, store.ErrNoMailbox)
		case dst.Ino != 0 && !leaving[m.To]:
			return nil, false, fmt.Errorf("rename %q to %q: %w", m.From, m.To, store.ErrExists)
		}
		simple = simple && !leaving[m.To]
		j.moves = append(j.moves, journalMove{m.From, m.To, movePrefix + strconv.Itoa(i), src.Ino})
	}
	return j, simple, nil
}

// curOf describes a mailbox's cur; zero if there is none.
func (s *Store) curOf(n store.Name) (fsys.Info, error) {
	p := s.place(n)
	in, err := p.root.Stat(join(p.rel, "cur"))
	if missing(err) {
		return fsys.Info{}, nil
	}
	return in, err
}

// detach takes a mailbox out of its place to its temporary name in the root.
func (s *Store) detach(m journalMove) error {
	p := s.place(m.from)
	in, err := s.curOf(m.from)
	if err != nil {
		return err
	}
	if in.Ino != 0 && in.Ino != m.ino {
		return nil // gone already; what stands there now came later
	}
	if err := s.shift(p.root, p.rel, p.root, m.temp, true, s.nested()); err != nil {
		return renameErr(m, err)
	}
	if p.separated {
		return s.shift(p.ctl, p.crel, p.ctl, m.temp, true, s.layout.fs)
	}
	return nil
}

// attach puts it into its new place. If somebody has made a mailbox there
// meanwhile, it goes back, or under another name: mail never stays out of sight.
func (s *Store) attach(m journalMove) error {
	p := s.place(m.to)
	if in, err := p.root.Stat(m.temp + "/cur"); err == nil && in.IsDir() {
		if taken, err := s.curOf(m.to); err != nil {
			return err
		} else if taken.Ino != 0 {
			return s.attachElsewhere(m)
		}
	}
	if p.separated {
		if err := s.shift(p.ctl, m.temp, p.ctl, p.crel, false, s.layout.fs); err != nil {
			return err
		}
	}
	if err := s.shift(p.root, m.temp, p.root, p.rel, false, s.nested()); err != nil {
		return renameErr(m, err)
	}
	return nil
}

// attachTries bounds the search for a free name.
const attachTries = 100

func (s *Store) attachElsewhere(m journalMove) error {
	for i := range attachTries {
		n := m.from
		if i > 0 {
			n = store.Name(fmt.Sprintf("%s-%d", m.to, i+1))
		}
		if s.layout.check(n) != nil {
			continue
		}
		if in, err := s.curOf(n); err != nil || in.Ino != 0 {
			continue
		}
		back := m
		back.to = n
		if err := s.attach(back); err != nil {
			return err
		}
		if n == m.from {
			return nil // the caller finds it where it was, and To taken: ErrExists next time
		}
		return nil
	}
	return renameErr(m, store.ErrExists)
}

// nested reports whether a mailbox's directory may hold those of others.
func (s *Store) nested() bool { return s.layout.fs && s.layout.dirname == "" }

// shift moves a mailbox's directory. Where directories nest (LAYOUT=fs), its
// children must stay, so what belongs to the mailbox goes entry by entry: on the
// way out cur first, on the way in cur last, for cur is what makes it one.
func (s *Store) shift(from fsys.Dir, src string, to fsys.Dir, dst string, out, nested bool) error {
	if _, err := from.Stat(src); missing(err) {
		return nil
	}
	if !nested {
		return s.shiftWhole(from, src, to, dst)
	}
	if err := s.mkdirs(to, dst); err != nil {
		return err
	}
	sd, err := from.OpenDir(src)
	if err != nil {
		return err
	}
	defer sd.Close()
	dd, err := to.OpenDir(dst)
	if err != nil {
		return err
	}
	defer dd.Close()
	names, err := s.mailboxEntries(sd)
	if err != nil {
		return err
	}
	slices.SortFunc(names, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case (a == "cur") == out && a == "cur", (b == "cur") != out && b == "cur":
			return -1
		case a == "cur" || b == "cur":
			return 1
		}
		return 0
	})
	for _, e := range names {
		if err := sd.RenameNew(e, dd, e); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := errors.Join(dd.Sync(), sd.Sync()); err != nil {
		return err
	}
	if !out {
		// What is left is a file that somebody made there meanwhile; it was kept.
		return s.scrap(from, src)
	}
	return nil
}

// mailboxEntries lists what in a LAYOUT=fs directory belongs to the mailbox.
func (s *Store) mailboxEntries(d fsys.Dir) ([]string, error) {
	var names []string
	err := d.List(func(raw []byte, kind fsys.Kind, _ uint64) error {
		name := string(raw)
		if kind == fsys.Unknown {
			in, err := d.Stat(name)
			if err != nil {
				return err
			}
			if in.IsDir() {
				kind = fsys.Directory
			}
		}
		if kind != fsys.Directory || name == "cur" || name == "new" || name == "tmp" {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

func (s *Store) shiftWhole(from fsys.Dir, src string, to fsys.Dir, dst string) error {
	sdir, sname := splitPath(src)
	ddir, dname := splitPath(dst)
	if err := s.mkdirs(to, ddir); err != nil {
		return err
	}
	sd, err := from.OpenDir(sdir)
	if err != nil {
		return err
	}
	defer sd.Close()
	dd, err := to.OpenDir(ddir)
	if err != nil {
		return err
	}
	defer dd.Close()
	if err := sd.RenameNew(sname, dd, dname); err != nil {
		return err
	}
	return errors.Join(dd.Sync(), sd.Sync())
}
