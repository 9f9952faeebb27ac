package storetest

import (
	"fmt"

	"dsync/store"
)

var applyChecks = []check{
	{"AddAsGiven", checkAdd},
	{"GUIDsKept", checkGUIDs},
	{"FlagsReplaced", checkFlags},
	{"KeywordsReplaced", checkKeywords},
	{"KeywordsNoRoom", checkKeywordsNoRoom},
	{"ItemsFailAlone", checkItems},
	{"ExpungeComparesHandle", checkExpunge},
	{"EmptyChange", checkEmptyChange},
}

func checkAdd(f *fixture) {
	m := f.draft(42)
	m.Flags = store.Answered | store.Draft
	if f.caps.Keywords != 0 {
		m.Keywords = []string{"work", "$Forwarded"}
	}
	body := f.mail()
	got := f.add(store.Inbox, m, body)
	f.same(got.Flags, m.Flags, "flags")
	f.same(got.Received, date, "received date")
	f.same(got.Content.Size, int64(len(body)), "size")
	f.same(got.Key, m.Key, "key")
	if f.caps.Keywords != 0 {
		f.same(got.Keywords, []string{"$Forwarded", "work"}, "keywords, sorted")
	}
	if f.caps.AssignUIDs {
		f.same([]any{got.UID, f.status(store.Inbox).UIDNext}, []any{store.UID(42), store.UID(43)}, "UID and UIDNEXT")
	}
	f.reads(store.Inbox, got.Handle, body)
}

func checkGUIDs(f *fixture) {
	f.need(f.caps.KeepGUIDs, "GUIDs kept")
	for i, g := range []store.GUID{"1700000000.M1P2.host,S=12,W=13", "a b", "ü", `"quoted" \ back`, "x/y:2,S", "0123456789abcdef0123456789abcdef"} {
		m := f.draft(store.UID(i + 1))
		m.Content.GUID = g
		got := f.add(store.Inbox, m, f.mail())
		f.same(got.Content.GUID, g, "GUID")
		r := f.applied(store.Inbox, &store.Change{Flags: []store.FlagChange{{Handle: got.Handle, Flags: store.Seen}}})
		f.same(f.byHandle(store.Inbox, r.Flags[0].Handle).Content.GUID, g, "GUID after a flag change")
	}
	m := f.draft(90)
	m.Content.GUID = f.list(store.Inbox)[0].Content.GUID
	f.add(store.Inbox, m, f.mail())
	f.same(len(f.list(store.Inbox)), 7, "messages, two of them with one GUID")
}

func checkFlags(f *fixture) {
	m := f.mails(store.Inbox, 1)[0]
	for _, flags := range []store.Flags{store.AllFlags, store.Seen, 0, store.Deleted | store.Draft, store.Answered, store.Flagged} {
		r := f.applied(store.Inbox, &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Flags: flags}}})
		got := f.byHandle(store.Inbox, r.Flags[0].Handle)
		if got.Handle == m.Handle {
			f.fatalf("flags %v to %v left the handle %q", m.Flags, flags, m.Handle)
		}
		f.same(got.Flags, flags, "flags")
		f.same([]any{got.Key, got.UID, got.Content, got.Received}, []any{m.Key, m.UID, m.Content, m.Received}, "key, UID, content, date after a flag change")
		if f.caps.ModSeqs && got.ModSeq <= m.ModSeq {
			f.fatalf("modseq %d after %d", got.ModSeq, m.ModSeq)
		}
		m = got
	}
}

func checkKeywords(f *fixture) {
	f.need(f.caps.Keywords != 0, "keywords")
	f.box("a")
	m := f.mails("a", 2)[0]
	for _, kws := range [][]string{{"$Junk"}, {"NonJunk", "work"}, {"work"}, {"a-1", "b.2", "c'd", "éa"}, nil, {"Work"}} {
		r := f.apply("a", &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Flags: store.Seen, Keywords: kws}}})
		if len(kws) == 4 {
			f.wraps(r.Flags[0].Err, store.ErrUnsupported, "an 8-bit keyword")
			continue
		}
		f.ok(r.Flags[0].Err, "set keywords %v", kws)
		got := f.byHandle("a", r.Flags[0].Handle)
		f.same(len(got.Keywords), len(kws), "number of keywords (%v)", kws)
		for i := range kws {
			f.same(store.FoldKeyword(got.Keywords[i]), store.FoldKeyword(kws[i]), "keyword")
		}
		m = got
	}
	f.same(len(f.list("a")[1].Keywords), 0, "keywords of another message")
}

// checkKeywordsNoRoom: a keyword beyond those that a mailbox can keep keeps nothing
// else of the item from being done, and is named, with every way to set it.
func checkKeywordsNoRoom(f *fixture) {
	f.need(f.caps.Keywords > 0 && f.caps.Keywords <= 100, "a limit of keywords")
	f.box("a", "b")
	var full []string
	for i := range f.caps.Keywords {
		full = append(full, fmt.Sprintf("k%03d", i))
	}
	ms := f.mails("a", 2)
	d := f.applied("a", &store.Change{Flags: []store.FlagChange{{Handle: ms[0].Handle, Flags: store.Seen, Keywords: full}}}).Flags[0]
	f.same(d.Unshown, []string(nil), "keywords not shown of as many as there is room for")
	f.same(f.scan("a").NoRoom([]string{"K000", "more"}), []string{"more"}, "no room")
	in := f.mails("b", 1)[0]
	add := f.draft(30)
	add.Keywords = []string{"k000", "more"}
	r := f.applied("a", &store.Change{
		Add:   []*store.Staged{f.stage("a", add, f.mail())},
		In:    []store.MoveIn{{From: "b", Handle: in.Handle, UID: 31, Flags: store.Flagged, Keywords: []string{"more", "k001"}}},
		Flags: []store.FlagChange{{Handle: ms[1].Handle, Flags: store.Draft, Keywords: []string{"k000", "k001", "more", "other"}}},
	})
	for _, x := range []struct {
		what        string
		d           store.Done
		shown, lost []string
	}{
		{"add", r.Add[0], []string{"k000"}, []string{"more"}},
		{"move", r.In[0], []string{"k001"}, []string{"more"}},
		{"flags", r.Flags[0], []string{"k000", "k001"}, []string{"more", "other"}},
	} {
		f.same(x.d.Unshown, x.lost, "keywords not shown, %s", x.what)
		got := f.byHandle("a", x.d.Handle)
		f.same(got.Keywords, x.shown, "keywords shown, %s", x.what)
		f.same(got.Hash, x.d.Hash, "hash, %s", x.what)
	}
	f.same(f.byHandle("a", r.Flags[0].Handle).Flags, store.Draft, "flags beside keywords without room")
}

// checkItems: each list holds one item that must fail and one that must not.
func checkItems(f *fixture) {
	f.box("a", "b")
	ms, in := f.mails("a", 5), f.mails("b", 2)
	stale := ms[0].Handle
	f.applied("a", &store.Change{Flags: []store.FlagChange{{Handle: stale, Flags: store.Seen}}})
	staleIn := in[0].Handle
	f.applied("b", &store.Change{Flags: []store.FlagChange{{Handle: staleIn, Flags: store.Seen}}})
	gone := ms[4].Handle
	f.applied("a", &store.Change{Expunge: []store.Handle{gone}})
	lost := f.stage("a", f.draft(20), f.mail())
	f.ok(f.s.Unstage([]*store.Staged{lost}), "unstage")

	r := f.apply("a", &store.Change{
		Add:     []*store.Staged{lost, f.stage("a", f.draft(21), f.mail())},
		In:      []store.MoveIn{{From: "b", Handle: staleIn, UID: 22}, {From: "b", Handle: in[1].Handle, UID: 23}},
		Flags:   []store.FlagChange{{Handle: stale, Flags: store.Draft}, {Handle: gone}, {Handle: ms[1].Handle, Flags: store.Flagged}},
		Expunge: []store.Handle{stale, gone, ms[2].Handle},
	})
	if r.Add[0].Err == nil {
		f.fatalf("adding what is not staged: no error")
	}
	f.wraps(r.In[0].Err, store.ErrChanged, "move in of a stale handle")
	f.wraps(r.Flags[0].Err, store.ErrChanged, "flags of a stale handle")
	f.wraps(r.Flags[1].Err, store.ErrNoMessage, "flags of an expunged message")
	f.wraps(r.Expunge[0].Err, store.ErrChanged, "expunge of a stale handle")
	f.wraps(r.Expunge[1].Err, store.ErrNoMessage, "expunge of an expunged message")
	for what, d := range map[string]store.Done{"add": r.Add[1], "in": r.In[1], "flags": r.Flags[2], "expunge": r.Expunge[2]} {
		f.ok(d.Err, "the item of %s beside one that fails", what)
	}
	got := map[store.GUID]store.Flags{}
	for _, m := range f.list("a") {
		got[m.Content.GUID] = m.Flags
	}
	added := f.byHandle("a", r.Add[1].Handle).Content.GUID
	moved := f.byHandle("a", r.In[1].Handle).Content.GUID
	f.same(got, map[store.GUID]store.Flags{
		ms[0].Content.GUID: store.Seen, ms[1].Content.GUID: store.Flagged, ms[3].Content.GUID: 0, added: 0, moved: 0,
	}, "messages and flags afterwards")
	f.same(f.list("b")[0].Flags, store.Seen, "flags of the message that was not moved")
}

func checkExpunge(f *fixture) {
	ms := f.mails(store.Inbox, 2)
	r := f.applied(store.Inbox, &store.Change{Flags: []store.FlagChange{{Handle: ms[0].Handle, Flags: store.Deleted}}})
	e := f.apply(store.Inbox, &store.Change{Expunge: []store.Handle{ms[0].Handle}})
	f.wraps(e.Expunge[0].Err, store.ErrChanged, "expunge of a message whose flags changed")
	f.same(len(f.list(store.Inbox)), 2, "messages after a refused expunge")
	next := f.status(store.Inbox).UIDNext
	f.applied(store.Inbox, &store.Change{Expunge: []store.Handle{r.Flags[0].Handle, ms[1].Handle}})
	f.same(len(f.list(store.Inbox)), 0, "messages after expunge")
	f.same(f.status(store.Inbox).UIDNext, next, "UIDNEXT after expunge")
	_, err := f.s.Open(f.ctx, store.Inbox, ms[1].Handle)
	f.wraps(err, store.ErrNoMessage, "open an expunged message")
}

func checkEmptyChange(f *fixture) {
	f.mails(store.Inbox, 1)
	f.unchanged("an empty change", func() { f.applied(store.Inbox, &store.Change{}) })
}
