package storetest

import "dsync/store"

var moveChecks = []check{
	{"MoveInKeepsContent", checkMove},
	{"MoveInRefused", checkMoveRefused},
	{"MoveThereAndBack", checkMoveBack},
	{"FindByKey", checkFind},
}

func checkMove(f *fixture) {
	f.box("a", "b")
	f.mails("b", 1)
	body := f.mail()
	m := f.draft(8)
	m.Received, m.Flags = date.AddDate(-9, 0, 0), store.Seen
	orig := f.add("a", m, body)
	in := store.MoveIn{From: "a", Handle: orig.Handle, UID: 5, GUID: orig.Content.GUID, Flags: store.Flagged}
	if f.caps.Keywords != 0 {
		in.Keywords = []string{"work"}
	}
	r := f.applied("b", &store.Change{In: []store.MoveIn{in}})
	got := f.byHandle("b", r.In[0].Handle)
	f.reads("b", got.Handle, body)
	f.same([]any{got.Received, got.Content.Size, got.Flags, len(got.Keywords)}, []any{m.Received, orig.Content.Size, store.Flagged, len(in.Keywords)}, "date, size, flags, number of keywords")
	if f.caps.KeepGUIDs {
		f.same(got.Content.GUID, orig.Content.GUID, "GUID of the moved message")
	}
	if f.caps.AssignUIDs {
		f.same([]any{got.UID, f.status("b").UIDNext, f.status("a").UIDNext}, []any{store.UID(5), store.UID(6), store.UID(9)}, "UID, UIDNEXT there and here")
	}
	f.same([]int{len(f.list("a")), len(f.list("b"))}, []int{0, 2}, "messages here and there")
}

func checkMoveRefused(f *fixture) {
	f.box("a", "b")
	ms := f.mails("a", 2)
	f.applied("a", &store.Change{Flags: []store.FlagChange{{Handle: ms[0].Handle, Flags: store.Seen}}, Expunge: []store.Handle{ms[1].Handle}})
	f.unchanged("a refused move", func() {
		r := f.apply("b", &store.Change{In: []store.MoveIn{
			{From: "a", Handle: ms[0].Handle, UID: 1}, {From: "a", Handle: ms[1].Handle, UID: 2}, {From: "no", Handle: ms[1].Handle, UID: 3},
		}})
		f.wraps(r.In[0].Err, store.ErrChanged, "move of a message whose flags changed")
		f.wraps(r.In[1].Err, store.ErrNoMessage, "move of an expunged message")
		if r.In[2].Err == nil {
			f.fatalf("move from a mailbox that is not there: no error")
		}
	})
}

func checkMoveBack(f *fixture) {
	f.box("a", "b")
	body := f.mail()
	m := f.add("a", f.draft(1), body)
	r := f.applied("b", &store.Change{In: []store.MoveIn{{From: "a", Handle: m.Handle, UID: 1, GUID: m.Content.GUID}}})
	r = f.applied("a", &store.Change{In: []store.MoveIn{{From: "b", Handle: r.In[0].Handle, UID: 2, GUID: m.Content.GUID, Flags: store.Seen}}})
	f.reads("a", r.In[0].Handle, body)
	f.same([]int{len(f.list("a")), len(f.list("b"))}, []int{1, 0}, "messages here and there")
}

func checkFind(f *fixture) {
	f.box("a", "a/b")
	one, two := f.mails("a", 1)[0], f.mails("a/b", 1)[0]
	find := func(key string) (store.Found, bool) {
		f.Helper()
		got, err := f.s.Find(f.ctx, []string{key, "never.was"})
		f.ok(err, "find %q", key)
		found, ok := got[key]
		f.same(len(got) <= 1, true, "nothing else found (%v)", got)
		return found, ok
	}
	got, _ := find(one.Key)
	f.same(got, store.Found{Mailbox: "a", Handle: one.Handle, UID: one.UID}, "found by key")
	got, _ = find(two.Key)
	f.same(got, store.Found{Mailbox: "a/b", Handle: two.Handle, UID: two.UID}, "found by key")

	r := f.applied("a", &store.Change{Flags: []store.FlagChange{{Handle: one.Handle, Flags: store.Seen}}})
	got, _ = find(one.Key)
	f.same(got.Handle, r.Flags[0].Handle, "handle found after a flag change")
	r = f.applied("a", &store.Change{Expunge: []store.Handle{r.Flags[0].Handle}})
	if got, ok := find(one.Key); ok {
		f.fatalf("an expunged message was found: %v", got)
	}
}
