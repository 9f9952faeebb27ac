package storetest

import (
	"errors"

	"dsync/store"
)

var outsideChecks = []check{
	{"OutsideDelivery", checkOutsideDelivery},
	{"OutsideFlags", checkOutsideFlags},
	{"OutsideExpunge", checkOutsideExpunge},
	{"OutsideMove", checkOutsideMove},
	{"OutsideTree", checkOutsideTree},
}

// outside runs a client's change; the check is skipped if the backend has no
// way for it.
func (f *fixture) outside(err error, what string) {
	f.Helper()
	if errors.Is(err, store.ErrUnsupported) {
		f.Skipf("no client of this store can %s: %v", what, err)
	}
	f.ok(err, "client: %s", what)
}

func (f *fixture) byKey(n store.Name, key string) store.Message {
	f.Helper()
	list := f.list(n)
	for _, m := range list {
		if m.Key == key {
			return m
		}
	}
	f.fatalf("no message of key %q in %q: %v", key, n, handles(list))
	return store.Message{}
}

func (f *fixture) deliver(n store.Name, body []byte) store.Message {
	f.Helper()
	key, err := f.Client.Deliver(n, body, 0, date)
	f.outside(err, "deliver")
	return f.byKey(n, key)
}

func checkOutsideDelivery(f *fixture) {
	f.need(f.Client != nil, "client")
	f.box("a")
	f.mails("a", 2)
	st := f.stage("a", f.draft(3), f.mail())
	body := f.mail()
	var m store.Message
	f.shows("a delivery", func() (store.Look, error) { return f.s.MailboxLook(f.ctx, "a") }, func() { m = f.deliver("a", body) })
	f.reads("a", m.Handle, body)
	f.same(m.Content.GUID != "", true, "a delivered message has a GUID")
	if !f.caps.AssignUIDs {
		return
	}
	if f.status("a").UIDNext > 3 {
		f.unchanged("a change planned before the delivery", func() {
			_, err := f.s.Apply(f.ctx, "a", &store.Change{UIDNextSeen: 3, Add: []*store.Staged{st}})
			f.wraps(err, store.ErrChanged, "apply")
		})
		return
	}
	f.same(m.UID, store.UID(0), "UID of a delivery that did not raise UIDNEXT")
	f.applied("a", &store.Change{UIDNextSeen: 3, Add: []*store.Staged{st}, UIDs: []store.UIDChange{{Handle: m.Handle, UID: 4, GUID: m.Content.GUID}}})
	got := f.byKey("a", m.Key)
	f.same([]any{got.UID, got.Content.GUID}, []any{store.UID(4), m.Content.GUID}, "UID and GUID given to a delivery")
	f.reads("a", got.Handle, body)
}

func checkOutsideFlags(f *fixture) {
	f.need(f.Client != nil, "client")
	f.box("a", "b")
	m := f.mails("a", 1)[0]
	f.shows("a client's flag", func() (store.Look, error) { return f.s.MailboxLook(f.ctx, "a") }, func() {
		f.outside(f.Client.SetFlags("a", m.Key, store.Flagged), "set flags")
	})
	now := f.byKey("a", m.Key)
	f.same(now.Flags, store.Flagged, "flags set by a client")
	f.same(now.Handle == m.Handle, false, "the handle stayed although a client set a flag")
	f.unchanged("changes of a message that a client flagged", func() {
		r := f.apply("a", &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Flags: store.Seen}}, Expunge: []store.Handle{m.Handle}})
		f.wraps(r.Flags[0].Err, store.ErrChanged, "flags")
		f.wraps(r.Expunge[0].Err, store.ErrChanged, "expunge")
		in := f.apply("b", &store.Change{In: []store.MoveIn{{From: "a", Handle: m.Handle, UID: 1}}})
		f.wraps(in.In[0].Err, store.ErrChanged, "move in")
	})
	f.read("a", m.Handle)
}

func checkOutsideExpunge(f *fixture) {
	f.need(f.Client != nil, "client")
	m := f.mails(store.Inbox, 2)[0]
	sn := f.scan(store.Inbox)
	f.outside(f.Client.Expunge(store.Inbox, m.Key), "expunge")
	list, skips, err := sn.Describe(f.ctx, all(sn))
	f.ok(err, "describe a listing of which one vanished")
	f.same([]int{len(list), len(skips)}, []int{1, 0}, "messages and skips")
	r := f.apply(store.Inbox, &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Flags: store.Seen}}, Expunge: []store.Handle{m.Handle}})
	f.wraps(r.Flags[0].Err, store.ErrNoMessage, "flags of a message that a client expunged")
	f.wraps(r.Expunge[0].Err, store.ErrNoMessage, "expunge of a message that a client expunged")
	f.same(len(f.list(store.Inbox)), 1, "messages left")
}

func checkOutsideMove(f *fixture) {
	f.need(f.Client != nil, "client")
	f.box("a", "b")
	m := f.mails("a", 1)[0]
	body := f.read("a", m.Handle)
	key, err := f.Client.Move("a", m.Key, "b")
	f.outside(err, "move")
	found, err := f.s.Find(f.ctx, []string{key})
	f.ok(err, "find")
	f.same(found[key].Mailbox, store.Name("b"), "where the moved message is found")
	f.reads("b", found[key].Handle, body)
	_, err = f.s.Open(f.ctx, "a", m.Handle)
	f.wraps(err, store.ErrNoMessage, "open it where it was")
	r := f.apply("a", &store.Change{Expunge: []store.Handle{m.Handle}})
	f.wraps(r.Expunge[0].Err, store.ErrNoMessage, "expunge it where it was")
	f.reads("b", found[key].Handle, body)
}

func checkOutsideTree(f *fixture) {
	f.need(f.Client != nil, "client")
	look := func() (store.Look, error) { return f.s.TreeLook(f.ctx) }
	f.shows("a client's create", look, func() { f.outside(f.Client.CreateMailbox("a"), "create") })
	f.shows("a client's create below", look, func() { f.outside(f.Client.CreateMailbox("a/b"), "create") })
	g := f.mails("a/b", 1)[0].Content.GUID
	f.shows("a client's rename", look, func() { f.outside(f.Client.RenameMailbox("a", "z"), "rename") })
	f.hasNames("after a client's rename", "z", "z/b")
	f.same(f.guidsIn("z/b"), []store.GUID{g}, "mail of the child of what a client renamed")
	f.shows("a client's delete", look, func() { f.outside(f.Client.DeleteMailbox("z/b"), "delete") })
	f.hasNames("after a client's delete", "z")
	f.wraps(f.s.CreateMailbox(f.ctx, "z", identity("z")), store.ErrExists, "create what a client made")
	if f.caps.Subscriptions {
		f.shows("a client's subscription", look, func() { f.outside(f.Client.Subscribe("q", true), "subscribe") })
		f.same(f.tree().Subscriptions, []store.Name{"q"}, "subscriptions made by a client")
	}
}
