package maildir

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
)

// flags renames a message to its new flags. The old name is compared by the
// rename itself.
func (a *applier) flags(f store.FlagChange) store.Done {
	h, err := a.b.resolve(f.Handle)
	if err != nil {
		return store.Done{Err: a.orAbsent("set flags", f.Handle, err)}
	}
	dir, name := a.b.file(h)
	base, let, rest := splitName(name)
	newLet, unshown, err := a.letters(f.Flags, f.Keywords, foreignLetters(let, a.kw))
	if err != nil {
		return store.Done{Err: err}
	}
	if newLet == makeLetters(0, let, "") {
		// Nothing to do; the file keeps even the place (new/) and the order it has.
		return store.Done{Handle: h, Hash: a.hash.of(base, newLet), Unshown: unshown}
	}
	if err := dir.RenameNew(name, a.b.cur, base+":2,"+newLet+rest); err != nil {
		if missing(err) {
			return store.Done{Err: a.absent("set flags", f.Handle)}
		}
		return store.Done{Err: a.failed("set flags", base, err)}
	}
	a.touched(h)
	a.s.did(a.b.name, dir, a.b, false, name)
	a.s.did(a.b.name, a.b.cur, a.b, true, base+":2,"+newLet+rest)
	return a.done(base, newLet, rest, unshown)
}

// touched notes which directories must be synced.
func (a *applier) touched(h store.Handle) {
	a.touchedCur = true
	a.touchedNew = a.touchedNew || strings.HasPrefix(string(h), "new/")
}

func (a *applier) orAbsent(op string, h store.Handle, err error) error {
	if errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrNoMessage) {
		return a.absent(op, h)
	}
	return err
}

// moveIn renames a message out of another mailbox into this one. The base name
// is kept (Dovecot takes it for the GUID) unless it is taken here.
func (a *applier) moveIn(ctx context.Context, m store.MoveIn, w *wish) store.Done {
	if w.err != nil {
		return store.Done{Err: w.err}
	}
	if err := ctx.Err(); err != nil {
		return store.Done{Err: err}
	}
	src := a.sources[m.From]
	if src == nil {
		var err error
		if src, err = a.s.open(m.From, false); err != nil {
			return store.Done{Err: err}
		}
		a.sources[m.From] = src
	}
	if m.From == a.b.name {
		return store.Done{Err: fmt.Errorf("move from %q into itself: %w", m.From, store.ErrUnsupported)}
	}
	h, err := src.resolve(m.Handle)
	if err != nil {
		return store.Done{Err: a.s.missed(src, m.Handle, err)}
	}
	dir, name := src.file(h)
	base, let, rest := splitName(name)
	guid := m.GUID
	if guid == "" {
		if guid, err = a.s.guidOf(src, base); err != nil {
			return store.Done{Err: err}
		}
	}
	target, drop, err := a.targetBase(base, guid)
	if err != nil {
		return store.Done{Err: err}
	}
	newLet, unshown, err := a.letters(m.Flags, m.Keywords, capitals(foreignLetters(let, nil)))
	if err == nil {
		err = a.date(ctx, src, h, m.Received)
	}
	if err != nil {
		return store.Done{Err: err}
	}
	if err := dir.RenameNew(name, a.b.cur, target+":2,"+newLet+rest); err != nil {
		if missing(err) {
			err = a.s.missed(src, m.Handle, store.ErrNoMessage)
		} else {
			err = a.failed("move", base, err)
		}
		return store.Done{Err: err}
	}
	a.touchedCur = true
	a.s.did(m.From, dir, src, false, name)
	a.s.did(a.b.name, a.b.cur, a.b, true, target+":2,"+newLet+rest)
	if drop >= 0 {
		a.edit.drop[drop] = true
	}
	a.edit.added = append(a.edit.added, uidLine{w.uid, uidFields(target, guid, -1, -1), target})
	return a.done(target, newLet, rest, unshown)
}

// capitals leaves out small letters: another mailbox's letters mean nothing here.
func capitals(letters string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return -1
		}
		return r
	}, letters)
}

// guidOf gives the GUID that a message has in its mailbox.
func (s *Store) guidOf(b *box, base string) (store.GUID, error) {
	l, err := s.readUIDList(b.ctl)
	if err != nil {
		return "", err
	}
	if i := l.find(xxhash.Sum64String(base), base); i >= 0 {
		return l.guid(i), nil
	}
	return store.GUID(base), nil
}

// targetBase chooses the base name of a message that moves in. A line that
// stands for no file any more makes way: it is the message's own from an earlier
// stay.
func (a *applier) targetBase(base string, guid store.GUID) (name string, drop int, err error) {
	drop = a.list.find(xxhash.Sum64String(base), base)
	if drop >= 0 {
		there, err := a.s.locate(a.b, base)
		if err != nil {
			return "", -1, err
		}
		if there != "" {
			base, drop = a.s.ChooseKey("", false), -1
		}
	}
	return base, drop, checkGUID(guid, base)
}

// missed says what became of a message of another mailbox.
func (s *Store) missed(src *box, h store.Handle, err error) error {
	if !errors.Is(err, store.ErrChanged) && !errors.Is(err, store.ErrNoMessage) {
		return err
	}
	l, still, lerr := s.listStill(src)
	if lerr != nil {
		return lerr
	}
	return absent("move", h, l, still)
}

// uid gives a message that is here the UID that bind found free.
func (a *applier) uid(ctx context.Context, u store.UIDChange, w *wish) store.Done {
	if w.err != nil {
		return store.Done{Err: w.err}
	}
	// Flags that this very change has set may have renamed it.
	h, err := a.b.resolve(u.Handle)
	if err != nil {
		if h, err = a.s.locate(a.b, w.base); err == nil && h == "" {
			err = fmt.Errorf("set UID %q: %w", u.Handle, store.ErrNoMessage)
		}
		if err != nil {
			return store.Done{Err: err}
		}
	}
	if err := a.date(ctx, a.b, h, u.Received); err != nil {
		return store.Done{Err: a.orAbsent("set date", u.Handle, err)}
	}
	_, name := a.b.file(h)
	_, let, _ := splitName(name)
	fields := ""
	if w.line >= 0 {
		fields = string(a.list.fields(w.line))
	}
	done := store.Done{Handle: h, Hash: a.hash.of(w.base, let)}
	if lineGUID(fields) == "" && u.GUID != "" && string(u.GUID) != w.base {
		fields = strings.TrimPrefix(fields+" "+guidField(u.GUID), " ")
	} else if w.line >= 0 && a.list.recs[w.line].uid == w.uid {
		return done
	}
	if w.line >= 0 {
		a.edit.drop[w.line] = true
	}
	a.edit.added = append(a.edit.added, uidLine{w.uid, fields, w.base})
	return done
}

// expunge unlinks exactly the name that was seen.
func (a *applier) expunge(seen store.Handle) store.Done {
	h, err := a.b.resolve(seen)
	if err != nil {
		return store.Done{Err: a.orAbsent("expunge", seen, err)}
	}
	dir, name := a.b.file(h)
	if err := dir.Unlink(name); err != nil {
		if missing(err) {
			return store.Done{Err: a.absent("expunge", seen)}
		}
		return store.Done{Err: a.failed("expunge", name, err)}
	}
	a.touched(h)
	a.s.did(a.b.name, dir, a.b, false, name)
	a.gone++
	base, _, _ := splitName(name)
	// Its line goes when the list is next written anew.
	if i := a.list.find(xxhash.Sum64String(base), base); i >= 0 && a.lineMayGo(i) {
		a.expunged = append(a.expunged, i)
	}
	return store.Done{Handle: h}
}

// lineMayGo: a move in may have taken the line already.
func (a *applier) lineMayGo(i int) bool { return !a.edit.drop[i] }
