package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// dovecot-uidvalidity holds, in 8 hexadecimal digits, the last UIDVALIDITY given
// in the account; an empty file dovecot-uidvalidity.<the same digits> beside it
// is what Dovecot renames to take a number atomically, and what it looks for when
// the first is lost.
const uidvalidityName = "dovecot-uidvalidity"

// nextUIDValidity takes a new UIDVALIDITY: one above the last, never below the
// clock's second.
func (s *Store) nextUIDValidity() (store.UIDValidity, error) {
	d := s.subsDir()
	last, err := s.lastUIDValidity(d)
	if err != nil {
		return 0, err
	}
	for v := max(last+1, store.UIDValidity(s.now().Unix())); v != 0; v++ {
		// A marker without the file's number: another took it, or died having it.
		if err := s.writeUIDValidity(d, last, v); !errors.Is(err, fs.ErrExist) {
			return v, err
		}
		last = v
	}
	return 0, fmt.Errorf("no UIDVALIDITY left: %w", store.ErrUnsupported)
}

// raiseUIDValidity sees to it that v is not given again.
func (s *Store) raiseUIDValidity(v store.UIDValidity) error {
	d := s.subsDir()
	last, err := s.lastUIDValidity(d)
	if err != nil || v <= last || last == 0 {
		return err // no file: Dovecot begins with the clock, as does the caller
	}
	err = s.writeUIDValidity(d, last, v)
	if errors.Is(err, fs.ErrExist) {
		// A run died between marker and file.
		return s.writeUIDValidity(d, v, v)
	}
	return err
}

func (s *Store) lastUIDValidity(d fsys.Dir) (store.UIDValidity, error) {
	data, err := s.readSmall(d, uidvalidityName, 64)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return 0, err
	}
	if v, ok := hexUIDValidity(string(data)); ok {
		return v, nil
	}
	// Lost or damaged: the greatest of the marker files. Where there is none Dovecot
	// makes the file with its first one, so it is enough to look once.
	if s.unmarked.Load() {
		return 0, nil
	}
	var last store.UIDValidity
	err = d.List(func(name []byte, _ fsys.Kind, _ uint64) error {
		if rest, ok := strings.CutPrefix(string(name), uidvalidityName+"."); ok {
			if v, ok := hexUIDValidity(rest); ok {
				last = max(last, v)
			}
		}
		return nil
	})
	s.unmarked.Store(err == nil && last == 0)
	return last, err
}

func hexUIDValidity(s string) (store.UIDValidity, bool) {
	if len(s) != 8 {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 16, 32)
	return store.UIDValidity(v), err == nil
}

func (s *Store) writeUIDValidity(d fsys.Dir, last, v store.UIDValidity) error {
	p, err := s.permsOf(d)
	if err != nil {
		return err
	}
	marker := func(v store.UIDValidity) string { return fmt.Sprintf("%s.%08x", uidvalidityName, uint32(v)) }
	err = d.Rename(marker(last), d, marker(v))
	if missing(err) {
		var f fsys.File
		if f, err = d.Create(marker(v), 0o444); err == nil {
			err = errors.Join(s.dress(f, perms{fileMode: 0o444, uid: p.uid, gid: p.gid, own: p.own}), f.Close())
		}
	}
	if err != nil {
		return err
	}
	return s.replace(d, uidvalidityName, fmt.Appendf(nil, "%08x", uint32(v)), p)
}
