package storetest

import (
	"bytes"
	"errors"

	"dsync/store"
)

var watchChecks = []check{
	{"WatchOwn", checkWatchOwn},
	{"WatchOutside", checkWatchOutside},
	{"WatchLate", checkWatchLate},
}

// watched begins to watch a mailbox; the check is skipped where that cannot be.
func (f *fixture) watched(n store.Name) store.Watcher {
	f.Helper()
	w, ok := f.s.(store.Watcher)
	f.need(ok, "watcher")
	look, err := f.s.MailboxLook(f.ctx, n)
	f.ok(err, "look")
	f.need(!look.Racy, "looks that are not racy")
	err = w.Watch(f.ctx, n, look.Print)
	if errors.Is(err, store.ErrUnsupported) {
		f.Skipf("this store cannot watch: %v", err)
	}
	f.ok(err, "watch")
	return w
}

// What the store itself does leaves the mailbox settled, and the look stands.
func checkWatchOwn(f *fixture) {
	f.need(f.caps.AssignUIDs, "AssignUIDs")
	f.box("a", "b")
	ms := f.mails("a", 4)
	other := f.mails("b", 1)[0]
	w := f.watched("a")
	f.apply("a", &store.Change{Flags: []store.FlagChange{{Handle: ms[0].Handle, Flags: store.Seen}, {Handle: ms[1].Handle, Flags: ms[1].Flags}}})
	st := f.stage("a", f.draft(0), f.mail())
	f.apply("a", &store.Change{Add: []*store.Staged{st}, Expunge: []store.Handle{ms[2].Handle},
		In: []store.MoveIn{{From: "b", Handle: other.Handle}}})
	f.apply("b", &store.Change{In: []store.MoveIn{{From: "a", Handle: ms[3].Handle}}})
	look, ok := w.Settled(f.ctx, "a")
	now, err := f.s.MailboxLook(f.ctx, "a")
	f.ok(err, "look")
	f.need(!now.Racy, "looks that are not racy")
	f.same(ok, true, "settled after its own changes")
	f.same(look.Racy, false, "the look of a settled mailbox is racy")
	f.same(bytes.Equal(look.Print, now.Print), true, "the look of a settled mailbox stands")
	_, ok = w.Settled(f.ctx, "a")
	f.same(ok, false, "settled without a watch")
	f.same(len(f.list("a")), 4, "messages")
}

// One change of a client between two of the store's own is noticed, whatever it is.
func checkWatchOutside(f *fixture) {
	f.need(f.Client != nil, "client")
	f.box("to")
	for what, change := range map[string]func(n store.Name, key string) error{
		"delivery": func(n store.Name, _ string) error { _, err := f.Client.Deliver(n, f.mail(), 0, date); return err },
		"flag":     func(n store.Name, key string) error { return f.Client.SetFlags(n, key, store.Flagged) },
		"expunge":  func(n store.Name, key string) error { return f.Client.Expunge(n, key) },
		"move":     func(n store.Name, key string) error { _, err := f.Client.Move(n, key, "to"); return err },
		"rename":   func(n store.Name, _ string) error { return f.Client.RenameMailbox(n, "renamed") },
	} {
		n := store.Name("box-" + what)
		f.box(n)
		ms := f.mails(n, 3)
		w := f.watched(n)
		f.apply(n, &store.Change{Flags: []store.FlagChange{{Handle: ms[0].Handle, Flags: store.Seen}}})
		f.outside(change(n, ms[1].Key), what)
		if what == "rename" {
			f.box(n) // another mailbox at the name
		} else {
			f.apply(n, &store.Change{Expunge: []store.Handle{ms[2].Handle}})
		}
		_, ok := w.Settled(f.ctx, n)
		f.same(ok, false, "settled in spite of a client (%s)", what)
	}
}

// A mailbox that does not look as the caller saw it is not watched.
func checkWatchLate(f *fixture) {
	f.need(f.Client != nil, "client")
	f.box("a")
	m := f.mails("a", 1)[0]
	w, ok := f.s.(store.Watcher)
	f.need(ok, "watcher")
	look, err := f.s.MailboxLook(f.ctx, "a")
	f.ok(err, "look")
	f.outside(f.Client.SetFlags("a", m.Key, store.Flagged), "set flags")
	err = w.Watch(f.ctx, "a", look.Print)
	if errors.Is(err, store.ErrUnsupported) {
		f.Skipf("this store cannot watch: %v", err)
	}
	f.wraps(err, store.ErrChanged, "watch what has changed")
	_, ok = w.Settled(f.ctx, "a")
	f.same(ok, false, "settled without a watch")
}
