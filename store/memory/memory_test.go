package memory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"dsync/store"
	"dsync/store/memory"
	"dsync/store/storetest"
)

var (
	ctx  = context.Background()
	date = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// filled is an account with three messages, a child, and what else an account
// can have.
func filled(t *testing.T, o memory.Options) *memory.Store {
	t.Helper()
	s := memory.New(o)
	c := s.Client()
	ok(t, c.CreateMailbox("a/b"))
	for i := range 3 {
		_, err := c.DeliverGUID(store.Inbox, store.GUID(fmt.Sprint("g", i)), []byte("Subject: x\n\nbody\n"), store.Flags(i), []string{"work"}, date)
		ok(t, err)
	}
	ok(t, c.Subscribe("missing"))
	ok(t, c.SetAttribute("", "k", "v"))
	ok(t, c.SetAttribute("a/b", "l", "w"))
	return s
}

func key(t *testing.T, s *memory.Store, n store.Name, uid store.UID) string {
	t.Helper()
	m, err := s.Client().ByUID(n, uid)
	ok(t, err)
	return m.Key
}

// want fails unless the dump holds each of the lines.
func want(t *testing.T, s *memory.Store, lines ...string) {
	t.Helper()
	d := s.Dump()
	for _, l := range lines {
		if !strings.Contains(d, l+"\n") {
			t.Fatalf("no line %q in\n%s", l, d)
		}
	}
}

func TestDumpIsTheSuitesDump(t *testing.T) {
	s := filled(t, memory.Options{})
	got, err := storetest.Dump(ctx, s)
	ok(t, err)
	if got != s.Dump() {
		t.Fatalf("storetest.Dump:\n%s\nDump:\n%s", got, s.Dump())
	}
	want(t, s, `  2 "g1" [\Answered work] 2026-11-02T10:00:00Z 17`, `mailbox "a" noselect`, `subscribed "missing"`, `attribute "k" "v"`, `  attribute "l" "w"`)
}

func TestSameCallsSameAccount(t *testing.T) {
	a, b := filled(t, memory.Options{Seed: 5}), filled(t, memory.Options{Seed: 5})
	la, err := a.MailboxLook(ctx, store.Inbox)
	ok(t, err)
	lb, err := b.MailboxLook(ctx, store.Inbox)
	ok(t, err)
	if a.Dump() != b.Dump() || !bytes.Equal(la.Print, lb.Print) || a.ChooseKey("", false) != b.ChooseKey("", false) {
		t.Fatalf("one seed, two accounts:\n%s\n%s", a.Dump(), b.Dump())
	}
	if c := filled(t, memory.Options{Seed: 6}); c.Dump() == a.Dump() {
		t.Fatal("two seeds, one account")
	}
}

func TestCloneIsDeep(t *testing.T) {
	s := filled(t, memory.Options{})
	old := s.Clone()
	if old.Dump() != s.Dump() || old.Identity() == s.Identity() {
		t.Fatal("a clone shows something else, or has the identity of the original")
	}
	before := s.Dump()
	ok(t, s.Client().AddKeywords(store.Inbox, key(t, s, store.Inbox, 1), "new"))
	ok(t, s.Client().Expunge(store.Inbox, key(t, s, store.Inbox, 2)))
	ok(t, s.Client().SetAttribute("a/b", "l", ""))
	ok(t, s.Client().Unsubscribe("missing"))
	if old.Dump() != before {
		t.Fatalf("the clone changed with the original:\n%s", old.Dump())
	}
	// The same number of changes on both: prints and keys must differ all the same.
	twin := s.Clone()
	for _, x := range []*memory.Store{s, twin} {
		_, err := x.Client().Deliver(store.Inbox, nil, 0, nil, date)
		ok(t, err)
	}
	l1, _ := s.MailboxLook(ctx, store.Inbox)
	l2, _ := twin.MailboxLook(ctx, store.Inbox)
	if bytes.Equal(l1.Print, l2.Print) || key(t, s, store.Inbox, 4) == key(t, twin, store.Inbox, 4) {
		t.Fatal("original and clone drew the same fingerprint or key for two changes")
	}
}

func TestClientMessages(t *testing.T) {
	s := filled(t, memory.Options{})
	c := s.Client()
	k := key(t, s, store.Inbox, 1)
	moved, err := c.Move(store.Inbox, k, "a/b")
	ok(t, err)
	if moved.Key != k || moved.UID != 1 || moved.Content.GUID != "g0" {
		t.Fatalf("moved: %+v", moved)
	}
	copied, err := c.Copy("a/b", k, "a/b")
	ok(t, err)
	if copied.Key == k || copied.UID != 2 || copied.Content.GUID != "g0" || copied.Inode != moved.Inode {
		t.Fatalf("copied: %+v", copied)
	}
	renamed, err := c.MoveRenamed("a/b", k, store.Inbox)
	ok(t, err)
	if renamed.Key == k || renamed.Content.GUID == "g0" || renamed.Inode != moved.Inode || renamed.UID != 4 {
		t.Fatalf("moved under a new name: %+v", renamed)
	}
	ok(t, c.AddFlags("a/b", copied.Key, store.Seen|store.Draft))
	ok(t, c.RemoveFlags("a/b", copied.Key, store.Draft))
	ok(t, c.AddKeywords("a/b", copied.Key, "WORK", "home"))
	ok(t, c.SetKeywords("a/b", copied.Key, "home", "work", "HOME"))
	ok(t, c.RemoveKeywords("a/b", copied.Key, "none"))
	want(t, s, `  2 "g0" [\Seen HOME work] 2026-11-02T10:00:00Z 17`)
	ok(t, c.ResetUIDs(store.Inbox, 5))
	ok(t, c.RaiseUIDNext(store.Inbox, 9))
	ok(t, c.RaiseUIDNext(store.Inbox, 8))
	want(t, s, `  1 "g1" [\Answered work] 2026-11-02T10:00:00Z 17`)
	if d := s.Dump(); !strings.Contains(d, " uidvalidity=5 uidnext=9\n") {
		t.Fatal(d)
	}
}

func TestClientMailboxes(t *testing.T) {
	s := filled(t, memory.Options{})
	c := s.Client()
	ok(t, c.CreateMailbox("a"))
	st, err := s.Status(ctx, "a")
	ok(t, err)
	ok(t, c.RenameMailbox("a", "z"))
	now, err := s.Status(ctx, "z")
	ok(t, err)
	if now.GUID != st.GUID || now.UIDValidity != st.UIDValidity {
		t.Fatalf("a rename changed the identity: %v, %v", st, now)
	}
	ok(t, c.RenameMailbox(store.Inbox, "old"))
	if got := fmt.Sprint(c.Mailboxes()); got != "[INBOX old z z/b]" {
		t.Fatal(got)
	}
	list, err := c.Messages("old")
	ok(t, err)
	if left, _ := c.Messages(store.Inbox); len(list) != 3 || len(left) != 0 {
		t.Fatalf("RENAME INBOX moved %d messages and left %d", len(list), len(left))
	}
	for _, err := range []error{c.RenameMailbox("z", "old"), c.RenameMailbox("z", "z/c"), c.RenameMailbox("no", "yes"), c.DeleteMailbox(store.Inbox), c.CreateMailbox("z")} {
		if err == nil {
			t.Fatal("a bad request of a client: no error")
		}
	}
	ok(t, c.DeleteMailbox("old"))
	ok(t, c.CreateMailbox("old"))
	again, _ := s.Status(ctx, "old")
	if again.UIDValidity <= now.UIDValidity {
		t.Fatalf("UIDVALIDITY %d after %d", again.UIDValidity, now.UIDValidity)
	}
	c.SetGone(true)
	if _, _, err := s.Tree(ctx); !errors.Is(err, store.ErrGone) {
		t.Fatalf("tree of an unmounted account: %v", err)
	}
}

func staged(t *testing.T, s *memory.Store, uid store.UID) *store.Staged {
	t.Helper()
	m := store.NewMessage{Key: s.ChooseKey("", false), UID: uid, Received: date}
	st, err := s.Stage(ctx, store.Inbox, m, strings.NewReader("Subject: s\n\n"))
	ok(t, err)
	return st
}

// TestHookActsInTheMiddle: a client flags a message that the change is about to
// expunge, and delivers while UIDs are given out.
func TestHookActsInTheMiddle(t *testing.T) {
	s := filled(t, memory.Options{})
	m, err := s.Client().ByUID(store.Inbox, 1)
	ok(t, err)
	st := staged(t, s, 4)
	s.SetHook(func(op string) {
		switch op {
		case memory.OpAdd:
			_, err := s.Client().DeliverGUID(store.Inbox, "meanwhile", nil, 0, nil, date)
			ok(t, err)
		case memory.OpExpunge:
			ok(t, s.Client().AddFlags(store.Inbox, m.Key, store.Flagged))
		}
	})
	r, err := s.Apply(ctx, store.Inbox, &store.Change{UIDNextSeen: 4, Add: []*store.Staged{st}, Expunge: []store.Handle{m.Handle}})
	ok(t, err)
	if !errors.Is(r.Expunge[0].Err, store.ErrChanged) {
		t.Fatalf("expunge of what a client flagged meanwhile: %v", r.Expunge[0].Err)
	}
	want(t, s, `  5 "meanwhile" [] 2026-11-02T10:00:00Z 0`, `  1 "g0" [\Flagged work] 2026-11-02T10:00:00Z 17`)
}

func TestScanWhileAClientActs(t *testing.T) {
	s := filled(t, memory.Options{})
	s.SetHook(func(op string) {
		if op == memory.OpScanned {
			ok(t, s.Client().AddFlags(store.Inbox, key(t, s, store.Inbox, 1), store.Seen))
		}
	})
	sn, err := s.Scan(ctx, store.Inbox, nil)
	ok(t, err)
	if sn.Stable() || sn.Len() != 2 {
		t.Fatalf("stable %v, %d listed; want an unstable listing without the flagged one", sn.Stable(), sn.Len())
	}
}

func TestSingleItemsFail(t *testing.T) {
	s := filled(t, memory.Options{})
	m1, _ := s.Client().ByUID(store.Inbox, 1)
	m2, _ := s.Client().ByUID(store.Inbox, 2)
	quota := errors.New("no space")
	s.SetFail(func(op string, n store.Name, item string) error {
		if op == memory.OpExpunge && item == m1.Key || op == memory.OpDescribe && item == m2.Key {
			return quota
		}
		return nil
	})
	sn, err := s.Scan(ctx, store.Inbox, nil)
	ok(t, err)
	if _, skips, err := sn.Describe(ctx, []int{0, 1, 2}); err != nil || len(skips) != 1 || !errors.Is(skips[0].Err, quota) {
		t.Fatalf("skips %v, error %v", skips, err)
	}
	r, err := s.Apply(ctx, store.Inbox, &store.Change{Expunge: []store.Handle{m1.Handle, m2.Handle}})
	ok(t, err)
	if !errors.Is(r.Expunge[0].Err, quota) || r.Expunge[1].Err != nil {
		t.Fatalf("results %v", r.Expunge)
	}
}

// TestStopAtEachWrite stops one run of writes at each of them; what is left is
// always readable, and between two neighbours at most one effect differs.
func TestStopAtEachWrite(t *testing.T) {
	crash := errors.New("crash")
	seen := map[string]bool{}
	for n := range 12 {
		s := filled(t, memory.Options{})
		m, _ := s.Client().ByUID(store.Inbox, 1)
		s.SetFail(memory.StopAt(n, crash))
		err := func() error {
			st, err := s.Stage(ctx, store.Inbox, store.NewMessage{Key: "new", UID: 4, Received: date}, strings.NewReader("x"))
			if err != nil {
				return err
			}
			if err := s.SyncStaged(ctx, []*store.Staged{st}); err != nil {
				return err
			}
			if _, err := s.Apply(ctx, store.Inbox, &store.Change{Add: []*store.Staged{st}, Expunge: []store.Handle{m.Handle}}); err != nil {
				return err
			}
			return s.SetMark(store.Mark{Replica: "r"})
		}()
		left := s.Crash()
		if err == nil && n < 6 || err != nil && n >= 6 {
			t.Fatalf("stopped after %d writes: %v", n, err)
		}
		d, err := storetest.DumpBodies(ctx, left)
		ok(t, err)
		seen[d] = true
		if n == 3 {
			want(t, left, `  0 "new" [] 2026-11-02T10:00:00Z 1`)
		}
	}
	if len(seen) != 4 {
		t.Fatalf("%d states of the account, want 4: before, visible, bound, expunged", len(seen))
	}
}

func TestCrashLosesWhatWasNotSynced(t *testing.T) {
	s := filled(t, memory.Options{})
	lost, st := staged(t, s, 4), staged(t, s, 5)
	_, err := s.Apply(ctx, store.Inbox, &store.Change{Add: []*store.Staged{st}})
	ok(t, err)
	c := s.Crash()
	if err := c.SyncStaged(ctx, []*store.Staged{lost}); !errors.Is(err, store.ErrNoMessage) {
		t.Fatalf("what was staged and not synced: %v", err)
	}
	found, err := c.Find(ctx, []string{st.Key})
	ok(t, err)
	r, err := c.Open(ctx, store.Inbox, found[st.Key].Handle)
	ok(t, err)
	if data, _ := io.ReadAll(r); len(data) != 0 {
		t.Fatalf("an unsynced body outlived the crash: %q", data)
	}
	if d := s.Clone().Dump(); d != s.Dump() {
		t.Fatal("Clone is not as the original")
	}
}

func TestKeywordLimit(t *testing.T) {
	caps := memory.AllCapabilities()
	caps.Keywords = 2
	s := filled(t, memory.Options{Capabilities: &caps})
	m, _ := s.Client().ByUID(store.Inbox, 1)
	r, err := s.Apply(ctx, store.Inbox, &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Keywords: []string{"x", "y"}}}})
	ok(t, err)
	if d := r.Flags[0]; d.Err != nil || len(d.Unshown) == 0 {
		t.Fatalf("a third keyword: %+v", d)
	}
}

// TestGrain: two changes within the clock's grain show one fingerprint, and the
// look between them says that it is racy.
func TestGrain(t *testing.T) {
	now := date
	s := memory.New(memory.Options{Grain: time.Second, Clock: func() time.Time { return now }})
	_, err := s.Client().Deliver(store.Inbox, nil, 0, nil, date)
	ok(t, err)
	l1, _ := s.MailboxLook(ctx, store.Inbox)
	_, err = s.Client().Deliver(store.Inbox, nil, 0, nil, date)
	ok(t, err)
	l2, _ := s.MailboxLook(ctx, store.Inbox)
	if !l1.Racy || !bytes.Equal(l1.Print, l2.Print) {
		t.Fatalf("looks %v, %v", l1, l2)
	}
	now = now.Add(time.Second)
	if l3, _ := s.MailboxLook(ctx, store.Inbox); l3.Racy || !bytes.Equal(l3.Print, l2.Print) {
		t.Fatalf("look a grain later: %v after %v", l3, l2)
	}
}

func TestLateUIDs(t *testing.T) {
	s := memory.New(memory.Options{LateUIDs: true})
	c := s.Client()
	m, err := c.Deliver(store.Inbox, nil, 0, nil, date)
	ok(t, err)
	st, _ := s.Status(ctx, store.Inbox)
	if m.UID != 0 || !st.GUID.IsZero() || st.UIDValidity != 0 {
		t.Fatalf("UID %d, status %+v: want none of it", m.UID, st)
	}
	ok(t, c.AssignUIDs(store.Inbox))
	st, _ = s.Status(ctx, store.Inbox)
	if st.GUID.IsZero() || st.UIDValidity == 0 || st.UIDNext != 2 {
		t.Fatalf("status %+v", st)
	}
}
