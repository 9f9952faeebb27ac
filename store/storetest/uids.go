package storetest

import (
	"time"

	"dsync/store"
)

var uidChecks = []check{
	{"UIDsAsGiven", checkUIDsGiven},
	{"UIDNextSeen", checkUIDNextSeen},
	{"UIDNextNeverFalls", checkUIDNext},
	{"UIDTakenIsRefused", checkUIDTaken},
	{"UIDChange", checkUIDChange},
	{"ReceivedChange", checkReceivedChange},
	{"UIDValidityChange", checkUIDValidity},
	{"MailboxGUIDChange", checkMailboxGUID},
}

func (f *fixture) uids(n store.Name) []store.UID {
	f.Helper()
	out := []store.UID{}
	for _, m := range f.list(n) {
		out = append(out, m.UID)
	}
	return out
}

func checkUIDsGiven(f *fixture) {
	f.need(f.caps.AssignUIDs, "UIDs as given")
	f.box("a")
	var c store.Change
	for _, uid := range []store.UID{9, 3, 4_000_000_000, 12} {
		c.Add = append(c.Add, f.stage("a", f.draft(uid), f.mail()))
	}
	r := f.applied("a", &c)
	f.same(f.uids("a"), []store.UID{3, 9, 12, 4_000_000_000}, "UIDs")
	for i, d := range r.Add {
		m := f.byHandle("a", d.Handle)
		f.same([]any{m.UID, m.Key}, []any{c.Add[i].UID, c.Add[i].Key}, "UID and key of item %d", i)
	}
	f.same(f.status("a").UIDNext, store.UID(4_000_000_001), "UIDNEXT")
}

func checkUIDNextSeen(f *fixture) {
	f.need(f.caps.AssignUIDs, "UIDs as given")
	f.box("a")
	m := f.mails("a", 3)[0]
	st := f.stage("a", f.draft(4), f.mail())
	f.unchanged("a change planned against an old UIDNEXT", func() {
		_, err := f.s.Apply(f.ctx, "a", &store.Change{
			UIDNextSeen: 3, Add: []*store.Staged{st}, Flags: []store.FlagChange{{Handle: m.Handle, Flags: store.Seen}},
		})
		f.wraps(err, store.ErrChanged, "UIDNextSeen below UIDNEXT")
	})
	f.applied("a", &store.Change{UIDNextSeen: 3, Flags: []store.FlagChange{{Handle: m.Handle, Flags: store.Seen}}})
	f.applied("a", &store.Change{UIDNextSeen: 4, Add: []*store.Staged{st}})
	f.same(f.uids("a"), []store.UID{1, 2, 3, 4}, "UIDs")
}

func checkUIDNext(f *fixture) {
	f.need(f.caps.AssignUIDs, "UIDs as given")
	f.box("a")
	ms := f.mails("a", 3)
	next := func(want store.UID, after string) {
		f.Helper()
		f.same(f.status("a").UIDNext, want, "UIDNEXT after %s", after)
	}
	next(4, "three messages")
	f.applied("a", &store.Change{Expunge: []store.Handle{ms[2].Handle}})
	next(4, "the last was expunged")
	f.applied("a", &store.Change{UIDNext: 100})
	next(100, "a raise")
	f.applied("a", &store.Change{UIDNext: 50})
	next(100, "a lower one")
	f.add("a", f.draft(60), f.mail())
	next(100, "a message with a lower UID")
	f.same(f.uids("a"), []store.UID{1, 2, 60}, "UIDs")
}

func checkUIDTaken(f *fixture) {
	f.need(f.caps.AssignUIDs, "UIDs as given")
	f.box("a")
	f.mails("a", 2)
	f.unchanged("an add under a UID in use", func() {
		r, err := f.s.Apply(f.ctx, "a", &store.Change{Add: []*store.Staged{f.stage("a", f.draft(2), f.mail())}})
		if err == nil && r.Add[0].Err == nil {
			f.fatalf("two messages under UID 2: %v", handles(f.list("a")))
		}
	})
}

func checkUIDChange(f *fixture) {
	f.need(f.caps.AssignUIDs, "UIDs as given")
	f.box("a")
	ms := f.mails("a", 3)
	look, err := f.s.MailboxLook(f.ctx, "a")
	f.ok(err, "look")
	r := f.applied("a", &store.Change{UIDNextSeen: 4, UIDs: []store.UIDChange{
		{Handle: ms[0].Handle, UID: 11, GUID: ms[0].Content.GUID}, {Handle: ms[2].Handle, UID: 10, GUID: ms[2].Content.GUID},
	}})
	f.same(guids(f.list("a")), []any{
		store.UID(2), ms[1].Content.GUID, store.UID(10), ms[2].Content.GUID, store.UID(11), ms[0].Content.GUID,
	}, "UIDs and GUIDs")
	f.same(f.status("a").UIDNext, store.UID(12), "UIDNEXT")
	got := f.byHandle("a", r.UIDs[0].Handle)
	f.same([]any{got.UID, got.Key}, []any{store.UID(11), ms[0].Key}, "the message that the result names")
	sn, err := f.s.Scan(f.ctx, "a", look.Print)
	f.ok(err, "scan")
	f.same(sn.UIDsStand(), false, "UIDsStand after UIDs changed")
	stale := f.apply("a", &store.Change{UIDs: []store.UIDChange{{Handle: "cur/never.was", UID: 30}}})
	f.wraps(stale.UIDs[0].Err, store.ErrNoMessage, "UID for a message that is not there")
}

// A received date is replaced with the UID, of that message alone, though copies share
// what holds its bytes.
func checkReceivedChange(f *fixture) {
	f.need(f.caps.AssignUIDs, "UIDs as given")
	f.box("a")
	f.box("b")
	ms := f.mails("a", 2)
	early, late := ms[0].Received.Add(-time.Hour), ms[1].Received.Add(time.Hour)
	link := func(m store.Message, uid store.UID) *store.Staged {
		st, err := f.s.StageLink(f.ctx, "b", store.NewMessage{Key: f.s.ChooseKey("", false), UID: uid, Received: m.Received}, "a", m.Handle)
		f.ok(err, "stage a copy")
		return st
	}
	f.applied("b", &store.Change{Add: []*store.Staged{link(ms[0], 1), link(ms[1], 2)}})
	body := f.read("a", ms[0].Handle)
	r := f.applied("a", &store.Change{UIDNextSeen: 3, UIDs: []store.UIDChange{
		{Handle: ms[0].Handle, UID: 3, GUID: ms[0].Content.GUID, Received: early}, {Handle: ms[1].Handle, UID: 4, GUID: ms[1].Content.GUID},
	}})
	x := f.byHandle("a", r.UIDs[0].Handle)
	f.same([]any{x.UID, x.Key, x.Received.Unix()}, []any{store.UID(3), ms[0].Key, early.Unix()}, "UID, key and date")
	f.same(f.read("a", x.Handle), body, "body")
	f.same(f.byHandle("a", r.UIDs[1].Handle).Received.Unix(), ms[1].Received.Unix(), "the date of the other")
	copies := f.list("b")
	f.same([]any{copies[0].Received.Unix(), copies[1].Received.Unix()}, []any{ms[0].Received.Unix(), ms[1].Received.Unix()}, "the dates of copies")
	in := f.applied("a", &store.Change{In: []store.MoveIn{{From: "b", Handle: copies[1].Handle, UID: 5, GUID: copies[1].Content.GUID, Received: late}}}).In[0]
	f.same(f.byHandle("a", in.Handle).Received.Unix(), late.Unix(), "the date of what was moved")
	f.same(f.byHandle("a", r.UIDs[1].Handle).Received.Unix(), ms[1].Received.Unix(), "the date of its copy")
}

func checkUIDValidity(f *fixture) {
	f.need(f.caps.AssignUIDs, "UIDs as given")
	f.box("a")
	ms := f.mails("a", 3)
	look, err := f.s.MailboxLook(f.ctx, "a")
	f.ok(err, "look")
	f.applied("a", &store.Change{
		Add: []*store.Staged{f.stage("a", f.draft(1), f.mail())},
		UIDs: []store.UIDChange{
			{Handle: ms[0].Handle, UID: 2, GUID: ms[0].Content.GUID}, {Handle: ms[1].Handle, UID: 3, GUID: ms[1].Content.GUID},
		},
		Expunge: []store.Handle{ms[2].Handle}, UIDValidity: firstValidity + 7, UIDNext: 4,
	})
	st := f.status("a")
	f.same([]any{st.UIDValidity, st.UIDNext}, []any{firstValidity + 7, store.UID(4)}, "UIDVALIDITY and UIDNEXT")
	f.same(guids(f.list("a"))[2:], []any{store.UID(2), ms[0].Content.GUID, store.UID(3), ms[1].Content.GUID}, "UIDs and GUIDs")
	sn, err := f.s.Scan(f.ctx, "a", look.Print)
	f.ok(err, "scan")
	f.same(sn.UIDsStand(), false, "UIDsStand after UIDVALIDITY changed")
	f.applied("a", &store.Change{UIDValidity: firstValidity + 8, UIDNext: 50})
	f.same(f.status("a").UIDNext, store.UID(50), "UIDNEXT set with a new UIDVALIDITY")
}

func checkMailboxGUID(f *fixture) {
	f.need(f.caps.MailboxGUIDs, "mailbox GUIDs as given")
	f.box("a")
	f.mails("a", 1)
	list := f.list("a")
	f.applied("a", &store.Change{GUID: identity("other").GUID})
	f.same(f.status("a").GUID, identity("other").GUID, "mailbox GUID")
	f.same(guids(f.list("a")), guids(list), "messages after the mailbox's GUID changed")
	f.applied(store.Inbox, &store.Change{GUID: identity("in").GUID})
	f.same(f.status(store.Inbox).GUID, identity("in").GUID, "GUID of INBOX")
}
