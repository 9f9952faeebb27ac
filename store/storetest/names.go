package storetest

import (
	"errors"
	"fmt"
	"strings"

	"dsync/store"
)

var nameChecks = []check{
	{"BadNamesRefused", checkBadNames},
	{"GoodNames", checkGoodNames},
	{"OddNames", checkOddNames},
}

func badNames() []store.Name {
	return []store.Name{
		"", ".", "..", "/", "a/", "/a", "a//b", "a/../b", "a/./b", "../a", "a/..",
		"a\x00b", "a\nb", "a\rb", "a\x7fb", "a\u0085b", "a\xffb", "inbox", "Inbox/a",
		store.Name(strings.Repeat("x/", store.MaxDepth) + "x"),
		store.Name(strings.Repeat("x", store.MaxLevel+1)),
	}
}

func checkBadNames(f *fixture) {
	f.box("a")
	f.unchanged("bad names", func() {
		for _, n := range badNames() {
			for what, err := range useName(f, n) {
				if err == nil {
					f.fatalf("%s with the bad name %q: no error", what, n)
				}
			}
		}
	})
}

// useName passes the name to every method that takes one.
func useName(f *fixture, n store.Name) map[string]error {
	_, look := f.s.MailboxLook(f.ctx, n)
	_, status := f.s.Status(f.ctx, n)
	_, scan := f.s.Scan(f.ctx, n, nil)
	_, open := f.s.Open(f.ctx, n, "cur/x")
	_, stage := f.s.Stage(f.ctx, n, f.draft(1), strings.NewReader("x"))
	_, link := f.s.StageLink(f.ctx, "a", f.draft(1), n, "cur/x")
	_, apply := f.s.Apply(f.ctx, n, &store.Change{})
	out := map[string]error{
		"look": look, "status": status, "scan": scan, "open": open, "stage": stage, "link": link, "apply": apply,
		"create":      f.s.CreateMailbox(f.ctx, n, identity("x")),
		"rename from": f.s.RenameMailboxes(f.ctx, []store.Rename{{From: n, To: "b"}}),
		"rename to":   f.s.RenameMailboxes(f.ctx, []store.Rename{{From: "a", To: n}}),
		"delete":      f.s.DeleteMailbox(f.ctx, n),
	}
	if f.caps.Subscriptions {
		out["subscribe"] = f.s.SetSubscribed(f.ctx, n, true)
	}
	return out
}

func checkGoodNames(f *fixture) {
	var deep []string
	for i := range 30 {
		deep = append(deep, fmt.Sprint("l", i))
	}
	for _, n := range []store.Name{
		"Entwürfe", "日本語/メール", "with space", "Trash", "A", "a-b_c", "R&D", "&-", "50%", "'q'", "x(1)",
		store.Name(strings.Join(deep, "/")), store.Name(strings.Repeat("n", 100)),
	} {
		useMailbox(f, n, false)
	}
}

// checkOddNames: what a store cannot hold it refuses; it never does half.
func checkOddNames(f *fixture) {
	for _, n := range []store.Name{
		"a.b", ".a", "a.", "~", "~root", "%u", "*", "?", `a\b`, `a"b`, " ", " a ", "cur", "new", "tmp", "x/cur",
		"dovecot-uidlist", "dovecot-uidlist.lock", "subscriptions", "maildirfolder", "dovecot.index", "dbox-Mails",
		"INBOX/INBOX", "e\u0301", "\u00e9", "\U0001f4ec", "a\u202eb", "CON", "a:b", "-rf",
		store.Name(strings.Repeat("ü", 120)), store.Name(strings.Repeat("x/", store.MaxDepth-1) + "x"),
	} {
		useMailbox(f, n, true)
	}
}

// useMailbox makes the mailbox, a message in it, and takes both away.
func useMailbox(f *fixture, n store.Name, mayRefuse bool) {
	f.unchanged(fmt.Sprintf("making and deleting %q", n), func() {
		err := f.s.CreateMailbox(f.ctx, n, identity(n))
		if mayRefuse && errors.Is(err, store.ErrUnsupported) {
			return
		}
		f.ok(err, "create %q", n)
		tr := f.tree().Mailboxes
		found := false
		for _, m := range tr {
			found = found || m.Name == n && !m.NoSelect
		}
		if !found {
			f.fatalf("%q was created but is not listed: %v", n, f.names())
		}
		body := f.mail()
		m := f.add(n, f.draft(1), body)
		f.reads(n, m.Handle, body)
		f.same(len(f.list(store.Inbox)), 0, "messages in INBOX")
		f.applied(n, &store.Change{Expunge: []store.Handle{m.Handle}})
		f.ok(f.s.DeleteMailbox(f.ctx, n), "delete %q", n)
	})
}
