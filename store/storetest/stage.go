package storetest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"dsync/store"
)

var stageChecks = []check{
	{"ChooseKey", checkChooseKey},
	{"StagedIsInvisible", checkStagedInvisible},
	{"StagedIsComplete", checkStagedComplete},
	{"StageChecksContent", checkStageContent},
	{"StageReaderFails", checkStageReader},
	{"Unstage", checkUnstage},
	{"CleanupOfDeadRuns", checkCleanup},
	{"LinkKeepsContent", checkLink},
}

func checkChooseKey(f *fixture) {
	seen := map[string]bool{}
	for range 100 {
		k := f.s.ChooseKey("", false)
		if k == "" || seen[k] {
			f.fatalf("key %q: empty or given twice", k)
		}
		seen[k] = true
	}
	m := f.draft(1)
	m.Key = f.s.ChooseKey("1700000000.M1P1.host", true)
	got := f.add(store.Inbox, m, f.mail())
	f.same(got.Key, m.Key, "key of the message made")
	for _, hint := range []string{"../x", "a/b", "", ".hidden", "a\x00b", "a\nb", strings.Repeat("k", 5000)} {
		m := f.draft(2)
		m.Key = f.s.ChooseKey(hint, true)
		if m.Key == hint {
			f.fatalf("ChooseKey kept %.40q", hint)
		}
		f.ok(f.s.Unstage([]*store.Staged{f.stage(store.Inbox, m, f.mail())}), "unstage")
	}
}

func checkStagedInvisible(f *fixture) {
	f.box("a")
	var st *store.Staged
	f.unchanged("staging", func() {
		before, err := f.s.MailboxLook(f.ctx, "a")
		f.ok(err, "look")
		st = f.stage("a", f.draft(7), f.mail())
		f.same(f.scan("a").Len(), 0, "messages listed while staged")
		found, err := f.s.Find(f.ctx, []string{st.Key})
		f.ok(err, "find")
		f.same(len(found), 0, "staged messages found by key")
		after, err := f.s.MailboxLook(f.ctx, "a")
		f.ok(err, "look")
		f.same(after.Print, before.Print, "fingerprint after staging")
	})
	f.applied("a", &store.Change{Add: []*store.Staged{st}})
	f.same(len(f.list("a")), 1, "messages once applied")
	r := f.apply("a", &store.Change{Add: []*store.Staged{st}})
	if r.Add[0].Err == nil {
		f.fatalf("the same staged message applied twice: no error")
	}
	f.same(len(f.list("a")), 1, "messages after it was applied twice")
}

func checkStagedComplete(f *fixture) {
	body := f.mail()
	m := f.draft(3)
	m.Flags, m.Keywords = store.Seen|store.Flagged, nil
	st := f.stage(store.Inbox, m, body)
	f.same(st.Content.Size, int64(len(body)), "size as staged")
	f.same(st.Content.Hash, headerHash(body), "header hash as staged")
	f.same([]any{st.Mailbox, st.Key, st.UID, st.Flags}, []any{store.Inbox, m.Key, m.UID, m.Flags}, "staged mailbox, key, UID, flags")
	if f.caps.KeepGUIDs {
		f.same(st.Content.GUID, m.Content.GUID, "GUID as staged")
	}
	f.ok(f.s.Unstage([]*store.Staged{st}), "unstage")
}

func checkStageContent(f *fixture) {
	body := f.mail()
	wrongSize, wrongHash, right := f.draft(1), f.draft(2), f.draft(3)
	wrongSize.Content.Size = int64(len(body)) + 1
	wrongHash.Content.Hash = headerHash([]byte("other\n\n"))
	right.Content.Size, right.Content.Hash = int64(len(body)), headerHash(body)
	for what, m := range map[string]store.NewMessage{"size": wrongSize, "header hash": wrongHash} {
		if _, err := f.s.Stage(f.ctx, store.Inbox, m, bytes.NewReader(body)); err == nil {
			f.fatalf("stage with a wrong %s: no error", what)
		}
	}
	f.reads(store.Inbox, f.add(store.Inbox, right, body).Handle, body)
}

func checkStageReader(f *fixture) {
	broken := errors.New("line cut")
	f.unchanged("a body that breaks off", func() {
		r := io.MultiReader(strings.NewReader("Subject: x\n\n"), failing{broken})
		_, err := f.s.Stage(f.ctx, store.Inbox, f.draft(1), r)
		f.wraps(err, broken, "stage from a reader that fails")
	})
}

type failing struct{ err error }

func (r failing) Read([]byte) (int, error) { return 0, r.err }

func checkUnstage(f *fixture) {
	st := f.stage(store.Inbox, f.draft(1), f.mail())
	f.ok(f.s.Unstage([]*store.Staged{st}), "unstage")
	f.ok(f.s.Unstage([]*store.Staged{st}), "unstage twice")
	f.unchanged("applying what was unstaged", func() {
		if f.apply(store.Inbox, &store.Change{Add: []*store.Staged{st}}).Add[0].Err == nil {
			f.fatalf("applying what was unstaged: no error")
		}
	})
}

func checkCleanup(f *fixture) {
	f.box("a")
	f.mails("a", 1)
	f.need(f.Reopen != nil, "way to be opened again")
	st := f.stage("a", f.draft(9), f.mail())
	f.ok(f.s.Close(), "close")
	s, err := f.Reopen(false)
	f.ok(err, "open again")
	defer s.Close()
	f.s = s
	f.unchanged("cleanup", func() {
		mine := f.stage("a", f.draft(10), f.mail())
		f.ok(s.Cleanup(f.ctx, []store.Name{store.Inbox, "a"}), "cleanup")
		if f.apply("a", &store.Change{Add: []*store.Staged{st}}).Add[0].Err == nil {
			f.fatalf("what a dead run staged outlived Cleanup")
		}
		f.ok(f.s.Unstage([]*store.Staged{mine}), "unstage")
	})
}

func checkLink(f *fixture) {
	f.need(f.caps.Link, "links")
	f.box("a", "b")
	body := f.mail()
	m := f.draft(1)
	m.Received = date.AddDate(-3, 0, 0)
	orig := f.add("a", m, body)
	link := store.NewMessage{
		Key: f.s.ChooseKey("", false), UID: 5, Content: orig.Content, Flags: store.Seen, Received: orig.Received,
	}
	st, err := f.s.StageLink(f.ctx, "b", link, "a", orig.Handle)
	f.ok(err, "stage a link")
	f.ok(f.s.SyncStaged(f.ctx, []*store.Staged{st}), "sync staged")
	f.same(len(f.list("b")), 0, "messages listed while a link is staged")
	r := f.applied("b", &store.Change{Add: []*store.Staged{st}})
	got := f.byHandle("b", r.Add[0].Handle)
	f.reads("b", got.Handle, body)
	f.same([]any{got.Received, got.Content.Size, got.Flags, got.Key}, []any{orig.Received, orig.Content.Size, store.Seen, link.Key}, "date, size, flags, key of the link")
	if f.caps.KeepGUIDs {
		f.same(got.Content.GUID, orig.Content.GUID, "GUID of the link")
	}
	f.applied("a", &store.Change{Expunge: []store.Handle{orig.Handle}})
	f.reads("b", got.Handle, body)
	link.Key = f.s.ChooseKey("", false)
	_, err = f.s.StageLink(f.ctx, "b", link, "a", orig.Handle)
	f.wraps(err, store.ErrNoMessage, "link to an expunged message")
	f.same(slices.Equal(f.guidsIn("b"), []store.GUID{got.Content.GUID}), true, "only the link is in b")
}
