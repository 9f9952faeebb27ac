package storetest

import "dsync/store"

var renameChecks = []check{
	{"RenameKeepsAll", checkRename},
	{"RenameLeavesChildren", checkRenameAlone},
	{"RenameWithChildren", checkRenameChildren},
	{"RenameSwap", checkRenameSwap},
	{"RenameCycleAndChain", checkRenameChain},
	{"RenameRefused", checkRenameRefused},
	{"RenameAgain", checkRenameAgain},
}

// guidsIn lists the GUIDs of a mailbox by UID.
func (f *fixture) guidsIn(n store.Name) []store.GUID {
	f.Helper()
	out := []store.GUID{}
	for _, m := range f.list(n) {
		out = append(out, m.Content.GUID)
	}
	return out
}

func (f *fixture) rename(moves ...store.Rename) {
	f.Helper()
	f.ok(f.s.RenameMailboxes(f.ctx, moves), "rename %v", moves)
}

func checkRename(f *fixture) {
	f.box("a")
	f.mails("a", 2)
	before, list := f.status("a"), f.list("a")
	f.rename(store.Rename{From: "a", To: "x/y"})
	f.hasNames("after rename", "(x)", "x/y")
	f.same(f.status("x/y"), before, "status after rename")
	f.same(guids(f.list("x/y")), guids(list), "messages after rename (UID and GUID)")
}

// guids gives UID and GUID of each message.
func guids(list []store.Message) []any {
	out := []any{}
	for _, m := range list {
		out = append(out, m.UID, m.Content.GUID)
	}
	return out
}

func checkRenameAlone(f *fixture) {
	f.box("a", "a/b")
	f.mails("a", 1)
	g := f.mails("a/b", 1)[0].Content.GUID
	f.rename(store.Rename{From: "a", To: "c"})
	f.hasNames("after the parent alone was renamed", "(a)", "a/b", "c")
	f.same(f.guidsIn("a/b"), []store.GUID{g}, "mail of the child that stayed")
}

func checkRenameChildren(f *fixture) {
	f.box("a", "a/b", "a/b/c")
	g := f.mails("a/b/c", 1)[0].Content.GUID
	f.rename(store.Rename{From: "a", To: "z"}, store.Rename{From: "a/b", To: "z/b"}, store.Rename{From: "a/b/c", To: "z/b/c"})
	f.hasNames("after the whole branch was renamed", "z", "z/b", "z/b/c")
	f.same(f.guidsIn("z/b/c"), []store.GUID{g}, "mail of the lowest child")
}

func checkRenameSwap(f *fixture) {
	f.box("a", "b", "a/x", "b/x")
	ga, gb := f.mails("a", 1)[0].Content.GUID, f.mails("b", 1)[0].Content.GUID
	gx := f.mails("a/x", 1)[0].Content.GUID
	f.rename(store.Rename{From: "a", To: "b"}, store.Rename{From: "b", To: "a"})
	f.same([]any{f.guidsIn("a"), f.guidsIn("b"), f.guidsIn("a/x"), f.guidsIn("b/x")},
		[]any{[]store.GUID{gb}, []store.GUID{ga}, []store.GUID{gx}, []store.GUID{}}, "mail after a swap")
	if f.caps.MailboxGUIDs {
		f.same(f.status("b").GUID, identity("a").GUID, "GUID of what is b now")
	}
}

func checkRenameChain(f *fixture) {
	f.box("a", "b", "c")
	ga, gb, gc := f.mails("a", 1)[0].Content.GUID, f.mails("b", 1)[0].Content.GUID, f.mails("c", 1)[0].Content.GUID
	f.rename(store.Rename{From: "a", To: "b"}, store.Rename{From: "b", To: "c"}, store.Rename{From: "c", To: "a"})
	f.same([]any{f.guidsIn("a"), f.guidsIn("b"), f.guidsIn("c")},
		[]any{[]store.GUID{gc}, []store.GUID{ga}, []store.GUID{gb}}, "mail after a cycle of three")
	f.rename(store.Rename{From: "a", To: "b"}, store.Rename{From: "b", To: "d"})
	f.hasNames("after a chain", "b", "c", "d")
	f.same([]any{f.guidsIn("b"), f.guidsIn("d")}, []any{[]store.GUID{gc}, []store.GUID{ga}}, "mail after a chain")
	f.rename(store.Rename{From: "b", To: "d/b"}, store.Rename{From: "d", To: "b"})
	f.hasNames("after parent and child changed places", "b", "c", "(d)", "d/b")
}

func checkRenameRefused(f *fixture) {
	f.box("a", "b", "c")
	f.mails("b", 1)
	f.unchanged("a refused rename", func() {
		err := f.s.RenameMailboxes(f.ctx, []store.Rename{{From: "a", To: "b"}})
		f.wraps(err, store.ErrExists, "rename to a mailbox that is there")
		err = f.s.RenameMailboxes(f.ctx, []store.Rename{{From: "a", To: "z"}, {From: "no", To: "y"}})
		f.wraps(err, store.ErrNoMailbox, "rename of which one has no source")
	})
}

func checkRenameAgain(f *fixture) {
	f.box("a")
	f.mails("a", 1)
	f.rename(store.Rename{From: "a", To: "b"})
	f.unchanged("a rename made again", func() { f.rename(store.Rename{From: "a", To: "b"}) })
	f.ok(f.s.RenameMailboxes(f.ctx, nil), "no rename at all")
}
