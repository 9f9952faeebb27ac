package storetest

import (
	"slices"

	"dsync/store"
)

var scanChecks = []check{
	{"DescribeAndHash", checkDescribe},
	{"ResultHash", checkHash},
	{"VanishedIsLeftOut", checkVanished},
	{"UIDsStand", checkUIDsStand},
}

func checkDescribe(f *fixture) {
	f.box("a")
	f.mails("a", 4)
	sn := f.scan("a")
	f.same(sn.Len(), 4, "messages listed")
	full, skips, err := sn.Describe(f.ctx, all(sn))
	f.ok(err, "describe")
	f.same(len(skips), 0, "skips")
	short, err := sn.DescribeUIDs(all(sn))
	f.ok(err, "describe UIDs")
	f.same([]int{len(full), len(short)}, []int{4, 4}, "messages described")
	for _, m := range full {
		i := slices.IndexFunc(short, func(s store.Message) bool { return s.Handle == m.Handle })
		if i < 0 {
			f.fatalf("DescribeUIDs lacks %q", m.Handle)
		}
		s := short[i]
		f.same([]any{s.UID, s.Content.GUID, s.Flags, len(s.Keywords), s.Key, s.ModSeq}, []any{m.UID, m.Content.GUID, m.Flags, len(m.Keywords), m.Key, m.ModSeq}, "UID, GUID, flags, keywords, key, modseq by DescribeUIDs")
		if m.Content.Hash != (store.HeaderHash{}) {
			f.same(m.Content.Hash, headerHash(f.read("a", m.Handle)), "header hash described")
		}
		if m.Key == "" || m.Received.Location().String() != "UTC" || m.Received.Nanosecond() != 0 {
			f.fatalf("key %q, received %v: want a key, and whole seconds in UTC", m.Key, m.Received)
		}
	}
	one, _, err := sn.Describe(f.ctx, []int{2})
	f.ok(err, "describe one")
	f.same(len(one), 1, "messages described of one")
	none, skips, err := sn.Describe(f.ctx, nil)
	f.ok(err, "describe none")
	f.same([]int{len(none), len(skips)}, []int{0, 0}, "messages and skips described of none")
	st := f.status("a")
	f.same(sn.Status(), st, "status in the listing")
}

// hashes maps handle to hash.
func (f *fixture) hashes(n store.Name) map[store.Handle]uint64 {
	f.Helper()
	sn := f.scan(n)
	out := map[store.Handle]uint64{}
	for i := range sn.Len() {
		m, err := sn.DescribeUIDs([]int{i})
		f.ok(err, "describe UIDs")
		out[m[0].Handle] = sn.Hash(i)
	}
	return out
}

func checkHash(f *fixture) {
	f.box("a", "b")
	st := f.stage("a", f.draft(1), f.mail())
	add := f.applied("a", &store.Change{Add: []*store.Staged{st}}).Add[0]
	other := f.mails("b", 1)[0]
	first := f.hashes("a")
	f.same(first, map[store.Handle]uint64{add.Handle: add.Hash}, "hashes after add")
	f.same(f.hashes("a"), first, "hashes listed again")

	flag := f.applied("a", &store.Change{Flags: []store.FlagChange{{Handle: add.Handle, Flags: store.Seen}}}).Flags[0]
	f.same(f.hashes("a"), map[store.Handle]uint64{flag.Handle: flag.Hash}, "hashes after a flag change")
	f.same(flag.Hash == add.Hash, false, "the hash stayed although a flag changed")
	if f.caps.Keywords != 0 {
		kw := f.applied("a", &store.Change{Flags: []store.FlagChange{{Handle: flag.Handle, Flags: store.Seen, Keywords: []string{"k"}}}}).Flags[0]
		f.same(f.hashes("a"), map[store.Handle]uint64{kw.Handle: kw.Hash}, "hashes after a keyword change")
		f.same(kw.Hash == flag.Hash, false, "the hash stayed although a keyword changed")
		flag = kw
	}
	if f.caps.AssignUIDs {
		uid := f.applied("a", &store.Change{UIDs: []store.UIDChange{{Handle: flag.Handle, UID: 9, GUID: st.Content.GUID}}}).UIDs[0]
		f.same(uid.Hash, flag.Hash, "hash after a new UID")
		f.same(f.hashes("a"), map[store.Handle]uint64{uid.Handle: uid.Hash}, "hashes after a new UID")
	}
	in := f.applied("a", &store.Change{In: []store.MoveIn{{From: "b", Handle: other.Handle, UID: 20, GUID: other.Content.GUID}}}).In[0]
	f.same(f.hashes("a")[in.Handle], in.Hash, "hash after a move")
}

func checkVanished(f *fixture) {
	f.box("a")
	ms := f.mails("a", 3)
	sn := f.scan("a")
	f.applied("a", &store.Change{Expunge: []store.Handle{ms[1].Handle}})
	list, skips, err := sn.Describe(f.ctx, all(sn))
	f.ok(err, "describe")
	f.same([]int{len(list), len(skips)}, []int{2, 0}, "messages and skips described after one vanished")
	for _, m := range list {
		f.same(m.Handle == ms[1].Handle, false, "the vanished message is described")
	}
}

func checkUIDsStand(f *fixture) {
	f.box("a")
	m := f.mails("a", 2)[0]
	stands := func(since store.Fingerprint) (bool, store.Fingerprint) {
		f.Helper()
		sn, err := f.s.Scan(f.ctx, "a", since)
		f.ok(err, "scan")
		return sn.UIDsStand(), sn.Look().Print
	}
	_, print := stands(nil)
	ok, print := stands(print)
	f.same(ok, true, "UIDsStand though nothing changed")
	f.applied("a", &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Flags: store.Seen}}})
	ok, _ = stands(print)
	f.same(ok, true, "UIDsStand though only flags changed")
	if ok, _ := stands(store.Fingerprint("no print of yours")); ok {
		f.fatalf("UIDsStand for a foreign fingerprint")
	}
}
