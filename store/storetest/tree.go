package storetest

import (
	"errors"
	"strings"

	"dsync/store"
)

var treeChecks = []check{
	{"NewAccountHoldsInbox", checkNew},
	{"CreateWithIdentity", checkCreate},
	{"CreateMakesParents", checkParents},
	{"CreateExisting", checkCreateExisting},
	{"DeleteEmptyOnly", checkDelete},
	{"DeleteKeepsChildren", checkDeleteChildren},
	{"MissingMailbox", checkMissing},
	{"InboxStays", checkInbox},
	{"Subscriptions", checkSubscriptions},
	{"Attributes", checkAttributes},
}

func checkNew(f *fixture) {
	f.hasNames("of a new account")
	f.same(len(f.list(store.Inbox)), 0, "messages in a new INBOX")
	f.same(f.status(store.Inbox).UIDNext >= 1, true, "UIDNEXT at least 1")
	if f.s.Location() == "" || f.s.Identity() == "" {
		f.fatalf("location %q and identity %q: want both", f.s.Location(), f.s.Identity())
	}
	_, ok, err := f.s.Mark()
	f.ok(err, "mark of a new account")
	f.same(ok, false, "a mark in a new account")
}

func checkCreate(f *fixture) {
	want := identity("a")
	want.UIDNext = 17
	f.ok(f.s.CreateMailbox(f.ctx, "a", want), "create")
	f.hasNames("after create", "a")
	got := f.status("a")
	if f.caps.MailboxGUIDs {
		f.same(got.GUID, want.GUID, "mailbox GUID")
	}
	if f.caps.AssignUIDs {
		f.same([2]any{got.UIDValidity, got.UIDNext}, [2]any{want.UIDValidity, want.UIDNext}, "UIDVALIDITY and UIDNEXT")
	}
	f.same(len(f.list("a")), 0, "messages in a new mailbox")
}

func checkParents(f *fixture) {
	f.box("a/b/c")
	f.hasNames("after CREATE a/b/c", "(a)", "(a/b)", "a/b/c")
	f.box("a/b")
	f.hasNames("after CREATE a/b", "(a)", "a/b", "a/b/c")
	_, err := f.s.Scan(f.ctx, "a", nil)
	f.wraps(err, store.ErrNoMailbox, `scan of a \Noselect parent`)
	f.ok(f.s.DeleteMailbox(f.ctx, "a/b/c"), "delete a/b/c")
	f.ok(f.s.DeleteMailbox(f.ctx, "a/b"), "delete a/b")
	f.hasNames("after both were deleted")
}

func checkCreateExisting(f *fixture) {
	f.box("a")
	f.wraps(f.s.CreateMailbox(f.ctx, "a", identity("b")), store.ErrExists, "create twice")
	f.wraps(f.s.CreateMailbox(f.ctx, store.Inbox, identity("b")), store.ErrExists, "create INBOX")
	if f.caps.MailboxGUIDs {
		f.same(f.status("a").GUID, identity("a").GUID, "mailbox GUID after a refused create")
	}
}

func checkDelete(f *fixture) {
	f.box("a")
	m := f.mails("a", 1)[0]
	f.unchanged("a refused delete", func() {
		f.wraps(f.s.DeleteMailbox(f.ctx, "a"), store.ErrChanged, "delete a mailbox with mail")
	})
	f.applied("a", &store.Change{Expunge: []store.Handle{m.Handle}})
	f.ok(f.s.DeleteMailbox(f.ctx, "a"), "delete")
	f.hasNames("after delete")
	f.wraps(f.s.DeleteMailbox(f.ctx, "a"), store.ErrNoMailbox, "delete twice")
	f.box("a")
	f.same(len(f.list("a")), 0, "messages in a mailbox made again")
}

func checkDeleteChildren(f *fixture) {
	f.box("a", "a/b")
	m := f.mails("a/b", 1)[0]
	f.ok(f.s.DeleteMailbox(f.ctx, "a"), "delete the parent")
	f.hasNames("after the parent was deleted", "(a)", "a/b")
	f.same(f.list("a/b")[0].Content.GUID, m.Content.GUID, "GUID of the child's message")
}

func checkMissing(f *fixture) {
	_, err := f.s.Scan(f.ctx, "no", nil)
	f.wraps(err, store.ErrNoMailbox, "scan")
	_, err = f.s.MailboxLook(f.ctx, "no")
	f.wraps(err, store.ErrNoMailbox, "look")
	_, err = f.s.Status(f.ctx, "no")
	f.wraps(err, store.ErrNoMailbox, "status")
	_, err = f.s.Apply(f.ctx, "no", &store.Change{Expunge: []store.Handle{"x"}})
	f.wraps(err, store.ErrNoMailbox, "apply")
	_, err = f.s.Stage(f.ctx, "no", f.draft(1), strings.NewReader("x"))
	f.wraps(err, store.ErrNoMailbox, "stage")
	_, err = f.s.Open(f.ctx, "no", "x")
	f.wraps(err, store.ErrNoMailbox, "open")
	f.wraps(f.s.RenameMailboxes(f.ctx, []store.Rename{{From: "no", To: "yes"}}), store.ErrNoMailbox, "rename")
	f.hasNames("after calls on a mailbox that is not there")
}

func checkInbox(f *fixture) {
	f.box("a")
	f.unchanged("what INBOX must survive", func() {
		for what, err := range map[string]error{
			"delete INBOX":  f.s.DeleteMailbox(f.ctx, store.Inbox),
			"rename INBOX":  f.s.RenameMailboxes(f.ctx, []store.Rename{{From: store.Inbox, To: "b"}}),
			"rename to it":  f.s.RenameMailboxes(f.ctx, []store.Rename{{From: "a", To: store.Inbox}}),
			"swap with it":  f.s.RenameMailboxes(f.ctx, []store.Rename{{From: "a", To: store.Inbox}, {From: store.Inbox, To: "a"}}),
			"another INBOX": f.s.CreateMailbox(f.ctx, "Inbox", identity("b")),
		} {
			if err == nil {
				f.fatalf("%s: no error", what)
			}
		}
	})
	err := f.s.CreateMailbox(f.ctx, "INBOX/sub", identity("s"))
	if errors.Is(err, store.ErrUnsupported) {
		return
	}
	f.ok(err, "create INBOX/sub")
	f.hasNames("with a child of INBOX", "INBOX/sub", "a")
}

func checkSubscriptions(f *fixture) {
	f.need(f.caps.Subscriptions, "subscriptions")
	f.box("a")
	for _, n := range []store.Name{"missing/one", store.Inbox, "a", "Größe"} {
		f.ok(f.s.SetSubscribed(f.ctx, n, true), "subscribe %q", n)
		f.ok(f.s.SetSubscribed(f.ctx, n, true), "subscribe %q twice", n)
	}
	f.same(f.tree().Subscriptions, []store.Name{store.Inbox, "Größe", "a", "missing/one"}, "subscriptions, by name")
	f.hasNames("with a missing name subscribed", "a")
	f.ok(f.s.SetSubscribed(f.ctx, "a", false), "unsubscribe")
	f.ok(f.s.SetSubscribed(f.ctx, "never", false), "unsubscribe what was not subscribed")
	f.ok(f.s.DeleteMailbox(f.ctx, "a"), "delete")
	f.same(f.tree().Subscriptions, []store.Name{store.Inbox, "Größe", "missing/one"}, "subscriptions left")
}

func checkAttributes(f *fixture) {
	f.need(f.caps.Attributes, "attributes")
	values := map[string]string{"/private/comment": "a b\nc \x01 ü =", "/shared/x": "1"}
	for k, v := range values {
		f.ok(f.s.SetAttribute(f.ctx, k, v), "set attribute %q", k)
	}
	f.same(f.tree().Attributes, values, "attributes of the account")
	f.ok(f.s.SetAttribute(f.ctx, "/shared/x", ""), "remove attribute")
	delete(values, "/shared/x")
	f.same(f.tree().Attributes, values, "attributes of the account")

	f.box("a", "b")
	f.applied("a", &store.Change{Attributes: map[string]string{"k": "v", "l": "w"}})
	f.applied("a", &store.Change{Attributes: map[string]string{"k": "", "m": "x"}})
	f.same(f.status("a").Attributes, map[string]string{"l": "w", "m": "x"}, "attributes of a mailbox")
	f.same(len(f.status("b").Attributes), 0, "attributes of another mailbox")
}
