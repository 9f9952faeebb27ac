package maildir

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
)

// wish is a UID that a message is to have.
type wish struct {
	uid  store.UID // 0: the next one; after bind the UID it gets
	base string    // of a message that is here already; "" for one that comes
	line int       // its line, -1 if it has none
	err  error     // why it does not get it
}

// bind settles who gets which UID before anything is changed. All wishes count at
// once, so that numbers may be exchanged. A UID is free if no line has it, or if
// its message wishes for another, is about to be expunged, or is gone. A message
// that does not get its wish keeps its number, so that others may lose theirs.
func (a *applier) bind() error {
	if err := a.collect(); err != nil {
		return err
	}
	leaving := map[string]bool{}
	for _, h := range a.c.Expunge {
		if _, name, ok := parseHandle(h); ok {
			base, _, _ := splitName(name)
			leaving[base] = true
		}
	}
	for again := true; again; {
		again = false
		moving := map[int]bool{}
		for _, w := range a.wishes {
			if w.err == nil && w.line >= 0 {
				moving[w.line] = true
			}
		}
		given := map[store.UID]bool{}
		for _, w := range a.wishes {
			if w.err != nil || w.uid == 0 {
				continue
			}
			free, err := a.free(w.uid, moving, leaving)
			if err != nil {
				return err
			}
			switch {
			case w.uid == 1<<32-1:
				w.err = fmt.Errorf("UID %d: %w", w.uid, store.ErrUnsupported)
			case given[w.uid] || !free:
				w.err = fmt.Errorf("UID %d is another message's: %w", w.uid, store.ErrChanged)
			default:
				given[w.uid] = true
				continue
			}
			again = true
		}
	}
	a.give()
	return nil
}

// collect lists the wishes in the order of the change's fields.
func (a *applier) collect() error {
	for _, m := range a.c.Add {
		w := &wish{uid: m.UID, line: -1}
		a.wishes = append(a.wishes, w)
		if w.err = checkNew(m.NewMessage); w.err != nil {
			continue
		}
		if i := a.list.find(xxhash.Sum64String(m.Key), m.Key); i >= 0 {
			dead, err := a.dead(i)
			if err != nil {
				return err
			}
			if !dead {
				w.err = fmt.Errorf("message %q has UID %d already: %w", m.Key, a.list.recs[i].uid, store.ErrChanged)
				continue
			}
			a.edit.drop[i] = true
		}
	}
	for _, m := range a.c.In {
		a.wishes = append(a.wishes, &wish{uid: m.UID, line: -1})
	}
	for _, u := range a.c.UIDs {
		w := &wish{uid: u.UID, line: -1}
		a.wishes = append(a.wishes, w)
		h, err := a.b.resolve(u.Handle)
		if err != nil {
			w.err = a.orAbsent("set UID", u.Handle, err)
			continue
		}
		_, name := a.b.file(h)
		w.base, _, _ = splitName(name)
		w.line = a.list.find(xxhash.Sum64String(w.base), w.base)
	}
	return nil
}

// free reports whether the line with this UID, if there is one, makes way.
func (a *applier) free(uid store.UID, moving map[int]bool, leaving map[string]bool) (bool, error) {
	i := a.list.search(uid)
	if i < 0 || a.edit.drop[i] || moving[i] {
		return true, nil
	}
	r := &a.list.recs[i]
	if leaving[string(a.list.data[r.base:r.end])] {
		a.edit.drop[i] = true
		return true, nil
	}
	dead, err := a.dead(i)
	if dead {
		a.edit.drop[i] = true
	}
	return dead, err
}

// give hands out the next UIDs to those who asked for no particular one.
func (a *applier) give() {
	for _, w := range a.wishes {
		if w.err == nil {
			a.top = max(a.top, w.uid)
		}
	}
	for _, w := range a.wishes {
		if w.err == nil && w.uid == 0 {
			if w.uid = a.nextUID(); w.uid == 1<<32-1 {
				w.err = fmt.Errorf("no UID left: %w", store.ErrUnsupported)
				continue
			}
			a.top = max(a.top, w.uid)
		}
	}
}

// dead reports whether a line's message is gone for sure. It lists the mailbox once,
// and only where numbers collide.
func (a *applier) dead(line int) (bool, error) {
	l, still, err := a.listing()
	if err != nil || !still {
		return false, err
	}
	if a.present == nil {
		a.present = make(map[uint64]struct{}, len(l.hashes))
		for _, h := range l.hashes {
			a.present[h] = struct{}{}
		}
	}
	_, there := a.present[a.list.recs[line].hash]
	return !there, nil
}

// listing lists the mailbox as it was under the lock; once. still is false if others
// renamed files all the time: then it may lack some.
func (a *applier) listing() (l *listing, still bool, err error) {
	for try := 0; a.cur == nil || !a.still && try < listTries; try++ {
		if a.cur, a.still, err = a.s.listStill(a.b); err != nil {
			a.cur = nil
			return nil, false, err
		}
	}
	return a.cur, a.still, nil
}

// nextUID is the next UID as things stand in this period.
func (a *applier) nextUID() store.UID {
	next := max(a.list.next(), a.edit.hdr.next)
	if a.newValidity() {
		next = max(a.c.UIDNext, 1)
		for i := len(a.list.recs) - 1; i >= 0; i-- {
			if !a.edit.drop[i] && !a.wished(i) {
				next = max(next, a.list.recs[i].uid+1)
				break
			}
		}
	}
	return max(next, a.top+1)
}

// wished reports whether the line's message gets another UID.
func (a *applier) wished(line int) bool {
	for _, w := range a.wishes {
		if w.line == line && w.err == nil {
			return true
		}
	}
	return false
}

func (a *applier) newValidity() bool {
	return a.c.UIDValidity != 0 && a.c.UIDValidity != a.list.hdr.valid
}
