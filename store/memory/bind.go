package memory

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"dsync/store"
)

// wish is a UID that a message is to have; 0: the next one.
type wish struct {
	m    *message
	uid  store.UID
	guid store.GUID // of a message that is to have another; "": leave
	done *store.Done
	undo func()
	lost error
}

func (ap *applying) wish(m *message, uid store.UID, d *store.Done, undo func()) {
	if !ap.s.acc.caps.AssignUIDs {
		uid = 0
	}
	ap.want = append(ap.want, &wish{m: m, uid: uid, done: d, undo: undo})
}

// bind gives out all UIDs of the change and the mailbox's identity, at one go.
func (ap *applying) bind() error {
	c, a, b := ap.c, ap.s.acc, ap.b
	if len(ap.want) == 0 && c.GUID.IsZero() && c.UIDValidity == 0 && c.UIDNext == 0 {
		return nil
	}
	if err := ap.s.step(OpBind, ap.n, ""); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := ap.there(); err != nil {
		return err
	}
	newValidity := c.UIDValidity != 0 && c.UIDValidity != b.validity
	for ap.judge() {
	}
	ap.yield(newValidity)
	ap.give()
	ap.identity(newValidity)
	return nil
}

// judge finds wishes whose UID another message keeps; true if it found one.
// A message that lost keeps its old UID, so the caller judges again.
func (ap *applying) judge() bool {
	holder := map[store.UID]*message{}
	wishing, leaving := map[*message]bool{}, ap.leaving()
	for _, w := range ap.want {
		wishing[w.m] = wishing[w.m] || w.lost == nil
	}
	for _, m := range ap.b.msgs {
		if m.uid != 0 && !wishing[m] && !leaving[m] {
			holder[m.uid] = m
		}
	}
	lost := false
	for _, w := range ap.want {
		if w.lost != nil || w.uid == 0 {
			continue
		}
		switch h := holder[w.uid]; {
		case w.uid == math.MaxUint32:
			w.lost = fmt.Errorf("UID %d: %w", w.uid, store.ErrUnsupported)
		case h != nil && h != w.m:
			w.lost = fmt.Errorf("UID %d is held by %q: %w", w.uid, h.key, store.ErrChanged)
		default:
			holder[w.uid] = w.m
			continue
		}
		lost = true
	}
	return lost
}

// leaving holds the messages that the change is about to expunge.
func (ap *applying) leaving() map[*message]bool {
	out := map[*message]bool{}
	for _, h := range ap.c.Expunge {
		if m, err := seen(ap.b, h); err == nil {
			out[m] = true
		}
	}
	return out
}

// yield takes the UIDs from messages about to be expunged that are in the way.
func (ap *applying) yield(all bool) {
	wanted := map[store.UID]bool{}
	wishing := map[*message]bool{}
	for _, w := range ap.want {
		if w.lost == nil {
			wanted[w.uid], wishing[w.m] = true, true
		}
	}
	for m := range ap.leaving() {
		if !wishing[m] && m.uid != 0 && (all || wanted[m.uid]) {
			m.uid, m.waits = 0, true
		}
	}
}

// give undoes the lost items and gives the others their UIDs.
func (ap *applying) give() {
	a, b := ap.s.acc, ap.b
	for _, w := range ap.want {
		if w.lost != nil {
			w.undo()
			*w.done = store.Done{Err: fmt.Errorf("change %q: %w", ap.n, w.lost)}
			continue
		}
		if w.guid != "" && w.guid != w.m.guid && a.caps.KeepGUIDs {
			w.m.guid, b.uidPrint = w.guid, a.rng.Uint64()
			a.modified(b, w.m, false)
		}
		if w.uid == 0 || w.uid == w.m.uid {
			continue
		}
		if w.m.uid != 0 {
			b.uidPrint = a.rng.Uint64()
		}
		w.m.uid = w.uid
		b.uidNext = max(b.uidNext, w.uid+1)
		a.modified(b, w.m, false)
	}
	if a.opt.LateUIDs {
		return
	}
	for _, w := range ap.want {
		if w.lost == nil && w.m.uid == 0 && b.uidNext < math.MaxUint32 {
			w.m.uid = b.uidNext
			b.uidNext++
			a.modified(b, w.m, false)
		}
	}
}

// identity sets GUID, UIDVALIDITY and UIDNEXT.
func (ap *applying) identity(newValidity bool) {
	c, a, b := ap.c, ap.s.acc, ap.b
	before := [3]any{b.guid, b.validity, b.uidNext}
	if !c.GUID.IsZero() {
		b.guid = c.GUID
	}
	if newValidity {
		b.validity, b.uidPrint = c.UIDValidity, a.rng.Uint64()
		a.lastValidity = max(a.lastValidity, b.validity)
	}
	if c.UIDNext != 0 {
		if newValidity {
			b.uidNext = b.lastUID() + 1
		}
		b.uidNext = max(b.uidNext, c.UIDNext)
	}
	if before != [3]any{b.guid, b.validity, b.uidNext} {
		a.touched(b, a.now())
	}
}

func (b *mailbox) lastUID() (last store.UID) {
	for _, m := range b.msgs {
		last = max(last, m.uid)
	}
	return last
}

// assignUIDs gives the next UIDs to the chosen messages without one, in order
// of key.
func (a *account) assignUIDs(b *mailbox, chosen func(*message) bool) {
	late := slices.DeleteFunc(slices.Collect(maps.Values(b.msgs)), func(m *message) bool {
		return m.uid != 0 || !chosen(m)
	})
	slices.SortFunc(late, func(x, y *message) int { return strings.Compare(x.key, y.key) })
	for _, m := range late {
		if b.uidNext < math.MaxUint32 {
			m.uid, m.waits = b.uidNext, false
			b.uidNext++
			a.modified(b, m, false)
		}
	}
}
