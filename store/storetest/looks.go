package storetest

import (
	"bytes"

	"dsync/store"
)

var lookChecks = []check{
	{"TreeLook", checkTreeLook},
	{"MailboxLook", checkMailboxLook},
	{"LooksAreCheap", checkCheap},
}

// shows fails the check if do changed something and the looks before and after
// do not tell, or if two looks with nothing between them differ.
func (f *fixture) shows(what string, look func() (store.Look, error), do func()) {
	f.Helper()
	var l [3]store.Look
	var err error
	for i := range l {
		if i == 2 {
			do()
		}
		l[i], err = look()
		f.ok(err, "look")
	}
	if len(l[0].Print) == 0 || !bytes.Equal(l[0].Print, l[1].Print) {
		f.fatalf("before %s: two looks differ: %x, %x", what, l[0].Print, l[1].Print)
	}
	if bytes.Equal(l[1].Print, l[2].Print) && !l[1].Racy {
		f.fatalf("%s does not show: %x before and after, not racy", what, l[1].Print)
	}
}

func checkTreeLook(f *fixture) {
	look := func() (store.Look, error) { return f.s.TreeLook(f.ctx) }
	f.shows("create", look, func() { f.box("a/b") })
	f.shows("create above", look, func() { f.box("a") })
	f.shows("rename", look, func() { f.rename(store.Rename{From: "a/b", To: "c"}) })
	f.shows("swap", look, func() { f.rename(store.Rename{From: "a", To: "c"}, store.Rename{From: "c", To: "a"}) })
	f.shows("delete", look, func() { f.ok(f.s.DeleteMailbox(f.ctx, "a"), "delete") })
	if f.caps.Subscriptions {
		f.shows("subscribe", look, func() { f.ok(f.s.SetSubscribed(f.ctx, "x", true), "subscribe") })
		f.shows("unsubscribe", look, func() { f.ok(f.s.SetSubscribed(f.ctx, "x", false), "unsubscribe") })
	}
	if f.caps.Attributes {
		f.shows("an attribute", look, func() { f.ok(f.s.SetAttribute(f.ctx, "k", "v"), "set") })
		f.shows("another value", look, func() { f.ok(f.s.SetAttribute(f.ctx, "k", "w"), "set") })
	}
	_, l, err := f.s.Tree(f.ctx)
	f.ok(err, "tree")
	now, err := look()
	f.ok(err, "look")
	f.same(l.Print, now.Print, "fingerprint by Tree and by TreeLook")
}

func checkMailboxLook(f *fixture) {
	f.box("a", "b")
	look := func() (store.Look, error) { return f.s.MailboxLook(f.ctx, "a") }
	other, err := f.s.MailboxLook(f.ctx, "b")
	f.ok(err, "look")
	var m store.Message
	f.shows("add", look, func() { m = f.add("a", f.draft(1), f.mail()) })
	h := m.Handle
	flags := func(fl store.Flags, kws ...string) func() {
		return func() {
			h = f.applied("a", &store.Change{Flags: []store.FlagChange{{Handle: h, Flags: fl, Keywords: kws}}}).Flags[0].Handle
		}
	}
	f.shows("a flag", look, flags(store.Seen))
	if f.caps.Keywords != 0 {
		f.shows("a keyword", look, flags(store.Seen, "work"))
		f.shows("another keyword", look, flags(store.Seen, "home"))
	}
	if f.caps.AssignUIDs {
		f.shows("a UID", look, func() {
			h = f.applied("a", &store.Change{UIDs: []store.UIDChange{{Handle: h, UID: 5, GUID: m.Content.GUID}}}).UIDs[0].Handle
		})
		f.shows("UIDNEXT", look, func() { f.applied("a", &store.Change{UIDNext: 70}) })
		f.shows("UIDVALIDITY", look, func() { f.applied("a", &store.Change{UIDValidity: firstValidity + 1}) })
	}
	if f.caps.Attributes {
		f.shows("an attribute", look, func() { f.applied("a", &store.Change{Attributes: map[string]string{"k": "v"}}) })
	}
	f.same(f.scan("a").Look().Print, mustLook(f, "a"), "fingerprint by Scan and by MailboxLook")
	f.same(mustLook(f, "b"), other.Print, "fingerprint of a mailbox that nobody touched")
	f.shows("expunge", look, func() { f.applied("a", &store.Change{Expunge: []store.Handle{h}}) })
	f.shows("a move in", look, func() {
		mb := f.mails("b", 1)[0]
		f.applied("a", &store.Change{In: []store.MoveIn{{From: "b", Handle: mb.Handle, UID: 80, GUID: mb.Content.GUID}}})
	})
}

func mustLook(f *fixture, n store.Name) store.Fingerprint {
	f.Helper()
	l, err := f.s.MailboxLook(f.ctx, n)
	f.ok(err, "look at %q", n)
	return l.Print
}

func checkCheap(f *fixture) {
	f.box("a")
	f.mails("a", 3)
	before := f.s.Cost()
	for range 3 {
		mustLook(f, "a")
		_, err := f.s.TreeLook(f.ctx)
		f.ok(err, "tree look")
	}
	f.same(f.s.Cost(), before, "cost of looks only")
	f.scan("a")
	if got := f.s.Cost().NamesListed - before.NamesListed; got < 3 {
		f.fatalf("names listed by a scan of 3 messages: %d", got)
	}
}
