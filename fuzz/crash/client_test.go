package crash

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"dsync/store"
)

// client changes an account as another program does, through a store of its own.
type client struct {
	w world
	i int
	n *int // messages made, for subjects
}

func (c client) with(f func(store.Store) error) error {
	s, err := c.w.open(c.i)
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}

// deliver adds messages.
func (c client) deliver(n store.Name, count int, f store.Flags, keywords ...string) error {
	return c.with(func(s store.Store) error {
		st, err := s.Status(bg, n)
		if err != nil {
			return err
		}
		ch := &store.Change{}
		for k := range count {
			*c.n++
			body := fmt.Sprintf("Subject: m%d\n\n%s\n", *c.n, strings.Repeat("body ", *c.n%7*20))
			m, err := s.Stage(bg, n, store.NewMessage{Key: s.ChooseKey("", false), UID: max(st.UIDNext, 1) + store.UID(k), Flags: f, Keywords: keywords,
				Received: time.Unix(1600000000+int64(*c.n), 0)}, strings.NewReader(body))
			if err != nil {
				return err
			}
			ch.Add = append(ch.Add, m)
		}
		if err := s.SyncStaged(bg, ch.Add); err != nil {
			return err
		}
		return firstOf(s.Apply(bg, n, ch))
	})
}

func firstOf(r *store.Result, err error) error {
	if err != nil {
		return err
	}
	for _, ds := range [][]store.Done{r.Add, r.In, r.Flags, r.UIDs, r.Expunge} {
		for _, d := range ds {
			if d.Err != nil {
				return d.Err
			}
		}
	}
	return nil
}

// message picks the k-th message in the order in which they were made, which no
// chance of GUIDs decides; k is taken modulo their number.
func message(s store.Store, n store.Name, k int) (store.Message, bool, error) {
	ms, err := list(s, n)
	if err != nil || len(ms) == 0 {
		return store.Message{}, false, err
	}
	slices.SortFunc(ms, func(a, b store.Message) int { return cmp.Or(a.Received.Compare(b.Received), int(a.UID)-int(b.UID)) })
	return ms[k%len(ms)], true, nil
}

func (c client) flag(n store.Name, k int, f store.Flags, keywords ...string) error {
	return c.on(n, k, func(s store.Store, m store.Message) *store.Change {
		return &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Flags: f, Keywords: keywords}}}
	})
}

func (c client) expunge(n store.Name, k int) error {
	return c.on(n, k, func(_ store.Store, m store.Message) *store.Change {
		return &store.Change{Expunge: []store.Handle{m.Handle}}
	})
}

func (c client) on(n store.Name, k int, f func(store.Store, store.Message) *store.Change) error {
	return c.with(func(s store.Store) error {
		m, ok, err := message(s, n, k)
		if err != nil || !ok {
			return err
		}
		return firstOf(s.Apply(bg, n, f(s, m)))
	})
}

func (c client) move(from, to store.Name, k int) error {
	return c.with(func(s store.Store) error {
		m, ok, err := message(s, from, k)
		if err != nil || !ok {
			return err
		}
		st, err := s.Status(bg, to)
		if err != nil {
			return err
		}
		return firstOf(s.Apply(bg, to, &store.Change{In: []store.MoveIn{{From: from, Handle: m.Handle, UID: max(st.UIDNext, 1), GUID: m.Content.GUID,
			Flags: m.Flags, Keywords: m.Keywords}}}))
	})
}

func (c client) copy(from, to store.Name, k int) error {
	return c.with(func(s store.Store) error {
		m, ok, err := message(s, from, k)
		if err != nil || !ok {
			return err
		}
		st, err := s.Status(bg, to)
		if err != nil {
			return err
		}
		x, err := s.StageLink(bg, to, store.NewMessage{Key: s.ChooseKey("", false), UID: max(st.UIDNext, 1), Flags: m.Flags, Keywords: m.Keywords, Received: m.Received},
			from, m.Handle)
		if err != nil {
			return err
		}
		if err := s.SyncStaged(bg, []*store.Staged{x}); err != nil {
			return err
		}
		return firstOf(s.Apply(bg, to, &store.Change{Add: []*store.Staged{x}}))
	})
}

func (c client) create(n store.Name) error {
	return c.with(func(s store.Store) error { return s.CreateMailbox(bg, n, store.Status{}) })
}

func (c client) rename(a, b store.Name) error {
	return c.with(func(s store.Store) error { return s.RenameMailboxes(bg, []store.Rename{{From: a, To: b}}) })
}

// remove expunges all mail of a mailbox and deletes it.
func (c client) remove(n store.Name) error {
	return c.with(func(s store.Store) error {
		ms, err := list(s, n)
		if err != nil {
			return err
		}
		ch := &store.Change{}
		for _, m := range ms {
			ch.Expunge = append(ch.Expunge, m.Handle)
		}
		if err := firstOf(s.Apply(bg, n, ch)); err != nil {
			return err
		}
		return s.DeleteMailbox(bg, n)
	})
}

func (c client) subscribe(n store.Name, on bool) error {
	return c.with(func(s store.Store) error { return s.SetSubscribed(bg, n, on) })
}

func (c client) attribute(k, v string) error {
	return c.with(func(s store.Store) error { return s.SetAttribute(bg, k, v) })
}

// renumber gives all messages new UIDs under a new UIDVALIDITY.
func (c client) renumber(n store.Name, by store.UIDValidity) error {
	return c.with(func(s store.Store) error {
		st, err := s.Status(bg, n)
		if err != nil {
			return err
		}
		ms, err := list(s, n)
		if err != nil {
			return err
		}
		ch := &store.Change{UIDValidity: st.UIDValidity + by, UIDNext: store.UID(len(ms) + 1)}
		for k, m := range ms {
			ch.UIDs = append(ch.UIDs, store.UIDChange{Handle: m.Handle, UID: store.UID(k + 1), GUID: m.Content.GUID})
		}
		return firstOf(s.Apply(bg, n, ch))
	})
}

// situation is what stands before the run that is to crash.
type situation struct {
	name string
	// history makes what was before; between its steps (each on both sides) there
	// are runs. After the last there is none.
	history []func(a, b client) error
	o       runOptions
}

func steps(fs ...error) error { return errors.Join(fs...) }

func scripted() situation {
	return situation{name: "scripted", history: []func(a, b client) error{
		func(a, b client) error {
			return steps(a.deliver("INBOX", 6, 0), a.create("box"), a.deliver("box", 3, store.Seen, "work"), a.create("old/deep"), a.deliver("old/deep", 2, 0),
				a.create("gone"), a.deliver("gone", 2, 0), a.create("turn"), a.deliver("turn", 3, 0), a.subscribe("box", true), b.deliver("INBOX", 2, store.Flagged))
		},
		func(a, b client) error {
			return steps(a.deliver("INBOX", 3, 0), a.flag("INBOX", 0, store.Seen|store.Answered), a.expunge("INBOX", 1), a.move("INBOX", "box", 3),
				a.copy("INBOX", "box", 4), a.rename("old/deep", "fresh"), a.create("made"), a.deliver("made", 2, store.Draft), a.subscribe("made", true),
				b.deliver("INBOX", 2, store.Seen, "home"), b.flag("box", 0, 0, "play"), b.expunge("box", 1), b.remove("gone"),
				b.renumber("turn", 5), b.deliver("turn", 1, 0), b.flag("INBOX", 0, store.Flagged), b.subscribe("box", false))
		},
	}}
}

// apart is a situation whose run is made by two halves.
func apart(s situation) situation {
	s.name += " apart"
	s.o.apart = true
	return s
}

func first() situation {
	s := scripted()
	return situation{name: "first sync", history: s.history[:1]}
}

var boxes = []store.Name{"INBOX", "box", "a", "a/b", "c"}

// random draws a situation of several syncs.
func random(seed uint64) situation {
	s := situation{name: fmt.Sprintf("random %d", seed)}
	r := rand.New(rand.NewPCG(seed, 11))
	rounds := 1 + r.IntN(3)
	for range rounds {
		plan := rand.NewPCG(r.Uint64(), 5)
		n := 2 + r.IntN(6)
		s.history = append(s.history, func(a, b client) error {
			r := rand.New(plan)
			for range n {
				for _, c := range []client{a, b} {
					if err := c.random(r); err != nil && !expected(err) {
						return err
					}
				}
			}
			return nil
		})
	}
	switch r.IntN(6) {
	case 0:
		s.o.whole = true
	}
	return s
}

func expected(err error) bool {
	return errors.Is(err, store.ErrNoMailbox) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrUnsupported)
}

func (c client) random(r *rand.Rand) error {
	n, to, k := boxes[r.IntN(len(boxes))], boxes[r.IntN(len(boxes))], r.IntN(8)
	switch v := r.IntN(20); {
	case v < 5:
		return c.deliver(n, 1+k%3, store.Flags(r.IntN(32)))
	case v < 8:
		return c.flag(n, k, store.Flags(r.IntN(32)), []string{"k", "l"}[:r.IntN(3)]...)
	case v < 10:
		return c.expunge(n, k)
	case v < 12:
		if n == to {
			return nil
		}
		return c.move(n, to, k)
	case v < 13:
		return c.copy(n, to, k)
	case v < 15:
		return c.create(n)
	case v < 16:
		if n == store.Inbox || to == store.Inbox {
			return nil
		}
		return c.rename(n, to)
	case v < 17:
		if n == store.Inbox {
			return nil
		}
		return c.remove(n)
	case v < 18:
		return c.subscribe(n, r.IntN(2) == 0)
	case v < 19:
		return c.renumber(n, store.UIDValidity(1+r.IntN(9)))
	default:
		return c.attribute("/shared/x", []string{"", "1", "2"}[r.IntN(3)])
	}
}

// prepare plays a situation up to the run that is to crash.
func prepare(w world, s situation) error {
	n := 0
	a, b := client{w, 0, &n}, client{w, 1, &n}
	for k, f := range s.history {
		if k > 0 {
			for range 2 {
				res, err := run(bg, w, s.o)
				if err != nil {
					return fmt.Errorf("run %d: %w", k, err)
				}
				if res.Outcome.Equal {
					break
				}
			}
		}
		if err := f(a, b); err != nil {
			return fmt.Errorf("step %d: %w", k, err)
		}
	}
	if d, ok := w.(*diskWorld); ok {
		return d.d.Sync()
	}
	return nil
}
