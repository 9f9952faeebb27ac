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
	newLet, note := a.letters(f.Flags, f.Keywords, foreignLetters(let, a.kw))
	if newLet == makeLetters(0, let, "") {
		// Nothing to do; the file keeps even the place (new/) and the order it has.
		return store.Done{Handle: h, Hash: a.hash.visible(xxhash.Sum64String(base), newLet), Err: note}
	}
	if err := dir.RenameNew(name, a.b.cur, base+":2,"+newLet+rest); err != nil {
		if missing(err) {
			return store.Done{Err: a.absent("set flags", f.Handle)}
		}
		return store.Done{Err: a.failed("set flags", base, err)}
	}
	a.touched(h)
	return a.done(base, newLet, rest, note)
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
func (a *applier) moveIn(ctx context.Context, m store.MoveIn) store.Done {
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
		return store.Done{Err: err}
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
	uid, err := a.take(m.UID)
	if err != nil {
		return store.Done{Err: err}
	}
	newLet, note := a.letters(m.Flags, m.Keywords, capitals(foreignLetters(let, nil)))
	if err := dir.RenameNew(name, a.b.cur, target+":2,"+newLet+rest); err != nil {
		return store.Done{Err: a.failed("move", base, err)}
	}
	a.touchedCur = true
	a.used[uid] = true
	if drop >= 0 {
		a.edit.drop[drop] = true
	}
	a.edit.added = append(a.edit.added, uidLine{uid, uidFields(target, guid, -1, -1), target})
	return a.done(target, newLet, rest, note)
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

// uid notes that a message gets another UID; what stands in the list at the end
// is settled when all are known.
func (a *applier) uid(u store.UIDChange, d *store.Done) {
	h, err := a.b.resolve(u.Handle)
	if err != nil {
		d.Err = a.orAbsent("set UID", u.Handle, err)
		return
	}
	_, name := a.b.file(h)
	base, let, _ := splitName(name)
	i := a.list.find(xxhash.Sum64String(base), base)
	fields := ""
	if i >= 0 {
		fields = string(a.list.fields(i))
		if a.list.recs[i].uid == u.UID {
			*d = store.Done{Handle: h, Hash: a.hash.visible(xxhash.Sum64String(base), let)}
			return
		}
	}
	if u.GUID != "" && fieldOf([]byte(fields), 'G') == "" && string(u.GUID) != base {
		if d.Err = checkGUID(u.GUID, base); d.Err != nil {
			return
		}
		fields = strings.TrimPrefix(fields+" G"+string(u.GUID), " ")
	}
	if i >= 0 {
		a.edit.drop[i] = true
	}
	a.edit.added = append(a.edit.added, uidLine{u.UID, fields, base})
	*d = store.Done{Handle: h, Hash: a.hash.visible(xxhash.Sum64String(base), let)}
}

// settleUIDs takes back those UID changes whose number another message has, once
// all are known: within one change, numbers may be exchanged.
func (a *applier) settleUIDs(done []store.Done) {
	if len(a.c.UIDs) == 0 {
		return
	}
	for again := true; again; {
		again = false
		owner := map[store.UID]string{}
		for _, l := range a.edit.added {
			if o, taken := owner[l.uid]; !taken || a.used[l.uid] && o > l.base {
				owner[l.uid] = l.base
			}
		}
		kept := a.edit.added[:0]
		for _, l := range a.edit.added {
			if l.uid != 0 && l.uid < 1<<32-1 && owner[l.uid] == l.base && !a.holds(l.uid) {
				kept = append(kept, l)
				continue
			}
			a.takeBack(l, done)
			again = true
		}
		a.edit.added = kept
	}
}

func (a *applier) takeBack(l uidLine, done []store.Done) {
	if i := a.list.find(xxhash.Sum64String(l.base), l.base); i >= 0 {
		delete(a.edit.drop, i)
	}
	for k := range done {
		_, name, _ := parseHandle(done[k].Handle)
		if base, _, _ := splitName(name); base == l.base {
			done[k] = store.Done{Err: fmt.Errorf("UID %d is another message's: %w", l.uid, store.ErrChanged)}
		}
	}
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
