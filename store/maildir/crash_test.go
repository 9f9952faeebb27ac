package maildir

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"dsync/store"
	"dsync/store/maildir/internal/memfs"
)

// A scenario changes an account of two mailboxes, "a" with five messages and "b"
// with one. It stops at the first error.
type scenario struct {
	name string
	run  func(s *Store) error
}

const crashBody = "Subject: crash\n\nbody of some length, so that it can be torn\n"

func bodyOf(key string) string { return "X-Key: " + key + "\n" + crashBody }

func dateOf(uid store.UID) time.Time { return time.Unix(1600000000+int64(uid), 0).UTC() }

// deliver stages and applies messages k<from>...
func deliver(s *Store, n store.Name, from, to int) error {
	var st []*store.Staged
	for i := from; i < to; i++ {
		key := fmt.Sprintf("%sk%d", n, i)
		m, err := s.Stage(bg, n, store.NewMessage{Key: key, UID: store.UID(i), Received: dateOf(store.UID(i)), Keywords: []string{"w"}},
			strings.NewReader(bodyOf(key)))
		if err != nil {
			return err
		}
		st = append(st, m)
	}
	if err := s.SyncStaged(bg, st); err != nil {
		return err
	}
	res, err := s.Apply(bg, n, &store.Change{Add: st})
	if err != nil {
		return err
	}
	for _, d := range res.Add {
		err = errors.Join(err, d.Err)
	}
	return err
}

func handlesOf(s *Store, n store.Name) ([]store.Message, error) {
	sn, err := s.Scan(bg, n, nil)
	if err != nil {
		return nil, err
	}
	idx := make([]int, sn.Len())
	for i := range idx {
		idx[i] = i
	}
	m, _, err := sn.Describe(bg, idx)
	return m, err
}

var scenarios = []scenario{
	{"deliver few", func(s *Store) error { return deliver(s, "a", 10, 12) }},
	{"deliver many", func(s *Store) error { return deliver(s, "a", 10, 18) }},
	{"flags", func(s *Store) error {
		ms, err := handlesOf(s, "a")
		if err != nil {
			return err
		}
		c := &store.Change{}
		for _, m := range ms {
			c.Flags = append(c.Flags, store.FlagChange{Handle: m.Handle, Flags: store.Seen, Keywords: []string{"n1", "n2"}})
		}
		_, err = s.Apply(bg, "a", c)
		return err
	}},
	{"move", func(s *Store) error {
		ms, err := handlesOf(s, "a")
		if err != nil {
			return err
		}
		c := &store.Change{}
		for i, m := range ms[:3] {
			c.In = append(c.In, store.MoveIn{From: "a", Handle: m.Handle, UID: store.UID(20 + i), GUID: m.Content.GUID})
		}
		_, err = s.Apply(bg, "b", c)
		return err
	}},
	{"renumber", func(s *Store) error {
		ms, err := handlesOf(s, "a")
		if err != nil {
			return err
		}
		c := &store.Change{UIDValidity: 99, UIDNext: 100}
		for i, m := range ms {
			c.UIDs = append(c.UIDs, store.UIDChange{Handle: m.Handle, UID: store.UID(50 + i), GUID: m.Content.GUID})
		}
		_, err = s.Apply(bg, "a", c)
		return err
	}},
	{"create", func(s *Store) error {
		return s.CreateMailbox(bg, "c/d", store.Status{UIDValidity: 5, GUID: store.MailboxGUID{5}, UIDNext: 9, Attributes: map[string]string{"k": "v"}})
	}},
	{"swap", func(s *Store) error {
		return s.RenameMailboxes(bg, []store.Rename{{From: "a", To: "b"}, {From: "b", To: "a"}})
	}},
	{"subscribe", func(s *Store) error { return s.SetSubscribed(bg, "b", true) }},
	{"delete", func(s *Store) error {
		if err := s.CreateMailbox(bg, "e", store.Status{}); err != nil {
			return err
		}
		return s.DeleteMailbox(bg, "e")
	}},
}

func crashAccount(t *testing.T, o Options) *memfs.FS {
	t.Helper()
	f := memfs.New()
	s, err := createOn(f, o)
	must(t, err)
	for i, n := range []store.Name{"a", "b"} {
		must(t, s.CreateMailbox(bg, n, store.Status{UIDValidity: 7, GUID: store.MailboxGUID{byte(i + 1)}, UIDNext: 1}))
	}
	must(t, deliver(s, "a", 1, 6))
	must(t, deliver(s, "b", 1, 2))
	must(t, s.root.SyncFS())
	must(t, s.Close())
	return f
}

// seen is what the account holds: key -> mailbox; and it checks every message.
func surveyed(t *testing.T, s *Store, uids map[string]string) map[string]store.Name {
	t.Helper()
	tree, _, err := s.Tree(bg)
	must(t, err)
	out := map[string]store.Name{}
	for _, mb := range tree.Mailboxes {
		if mb.NoSelect {
			continue
		}
		st, err := s.Status(bg, mb.Name)
		must(t, err)
		ms, sn := scan(t, s, mb.Name)
		if sn.(*snapshot).broken || len(sn.(*snapshot).list.skipped) > 0 {
			t.Fatalf("%s: uidlist lost %v, skipped %v", mb.Name, sn.(*snapshot).broken, sn.(*snapshot).list.skipped)
		}
		given := map[store.UID]bool{}
		for _, m := range ms {
			if was, twice := out[m.Key]; twice {
				t.Fatalf("%s is in %s and in %s", m.Key, was, mb.Name)
			}
			out[m.Key] = mb.Name
			r, err := s.Open(bg, mb.Name, m.Handle)
			must(t, err)
			body, err := io.ReadAll(r)
			must(t, err)
			must(t, r.Close())
			if string(body) != bodyOf(m.Key) {
				t.Fatalf("%s: body %q", m.Key, body)
			}
			var n int
			_, _ = fmt.Sscanf(m.Key[2:], "%d", &n)
			if !m.Received.Equal(dateOf(store.UID(n))) {
				t.Fatalf("%s: received %v", m.Key, m.Received)
			}
			if m.UID != 0 {
				id := fmt.Sprintf("%s %d %d", st.GUID, st.UIDValidity, m.UID)
				if g, ok := uids[id]; ok && g != m.Key {
					t.Fatalf("UID %s was %s and is %s", id, g, m.Key)
				}
				uids[id] = m.Key
				if given[m.UID] || m.UID >= st.UIDNext {
					t.Fatalf("%s: UID %d twice or not below UIDNEXT %d", mb.Name, m.UID, st.UIDNext)
				}
				given[m.UID] = true
			}
		}
	}
	return out
}

// recovered opens the account after a reboot as the next run would.
func recovered(t *testing.T, f *memfs.FS, o Options) *Store {
	t.Helper()
	s, err := openOn(f, o)
	must(t, err)
	_, err = s.Lock(bg, 0)
	must(t, err)
	tree, _, err := s.Tree(bg)
	must(t, err)
	var names []store.Name
	for _, m := range tree.Mailboxes {
		if !m.NoSelect {
			names = append(names, m.Name)
		}
	}
	must(t, s.Cleanup(bg, names))
	return s
}

// leftovers fails if anything temporary is in the account.
func leftovers(t *testing.T, s *Store) {
	t.Helper()
	tree, _, err := s.Tree(bg)
	must(t, err)
	check := func(what string, names []string) {
		for _, e := range names {
			if strings.HasPrefix(e, tempPrefix) || strings.HasPrefix(e, movePrefix) || strings.HasSuffix(e, ".lock") && e != lockName {
				t.Fatalf("%s holds %s", what, e)
			}
		}
	}
	names, err := entries(s.root)
	must(t, err)
	check("root", names)
	for _, m := range tree.Mailboxes {
		if m.NoSelect {
			continue
		}
		b, err := s.open(m.Name, true)
		must(t, err)
		tmp, err := entries(b.tmp)
		must(t, err)
		if len(tmp) > 0 {
			t.Fatalf("tmp of %s holds %q", m.Name, tmp)
		}
		names, err := entries(b.mail)
		must(t, err)
		check(string(m.Name), names)
		b.close()
	}
}

func TestCrashAtEveryWrite(t *testing.T) {
	for _, o := range []Options{{Path: "/m"}, {Path: "/m", FS: true}, {Path: "/m", Control: "/c"}} {
		for _, sc := range scenarios {
			t.Run(o.String()+" "+sc.name, func(t *testing.T) {
				for n := 1; ; n++ {
					if !crashAt(t, o, sc, n, nil) {
						t.Logf("%d writes", n-1)
						break
					}
				}
			})
		}
	}
}

func TestErrorAtEveryWrite(t *testing.T) {
	o := Options{Path: "/m"}
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EACCES, syscall.EROFS} {
		for _, sc := range scenarios {
			t.Run(errno.Error()+" "+sc.name, func(t *testing.T) {
				for n := 1; crashAt(t, o, sc, n, errno); n++ {
				}
			})
		}
	}
}

// crashAt runs a scenario up to its n-th write; false if it has fewer.
func crashAt(t *testing.T, o Options, sc scenario, n int, fault error) bool {
	t.Helper()
	f := crashAccount(t, o)
	s, err := openOn(f, o)
	must(t, err)
	unlock, err := s.Lock(bg, 0)
	must(t, err)
	uids := map[string]string{}
	before := surveyed(t, s, uids)
	start := f.Writes
	f.Arm(n, fault)
	err = sc.run(s)
	if f.Writes-start < n {
		must(t, err)
		stands(t, f, o, s, uint64(n))
		return false
	}
	_ = unlock()
	if fault == nil {
		if !f.Down() {
			t.Fatalf("write %d: still up", n)
		}
	} else {
		_ = s.Close()
	}
	for seed := range uint64(3) {
		if fault == nil || seed > 0 {
			f.Reboot(uint64(n)*10 + seed)
		}
		func() {
			defer func() {
				if t.Failed() {
					t.Logf("scenario %q, write %d, fault %v, seed %d", sc.name, n, fault, seed)
				}
			}()
			s := recovered(t, f, o)
			after := surveyed(t, s, uids)
			for k := range before {
				if _, ok := after[k]; !ok {
					t.Fatalf("%s is lost", k)
				}
			}
			leftovers(t, s)
			must(t, s.root.SyncFS())
			must(t, s.Close())
		}()
	}
	return true
}

// stands loses all that is not durable after a scenario that has returned: what
// was reported as done must be there.
func stands(t *testing.T, f *memfs.FS, o Options, s *Store, seed uint64) {
	t.Helper()
	want := dump(t, s)
	for i := range uint64(5) {
		f.Reboot(seed*100 + i)
		s := recovered(t, f, o)
		if got := dump(t, s); got != want {
			t.Fatalf("after a crash that followed: got\n%swant\n%s", got, want)
		}
		must(t, s.Close())
	}
}

// dump lists an account canonically.
func dump(t *testing.T, s *Store) string {
	t.Helper()
	tree, _, err := s.Tree(bg)
	must(t, err)
	var b strings.Builder
	fmt.Fprintf(&b, "subscribed %q attributes %v\n", tree.Subscriptions, tree.Attributes)
	for _, m := range tree.Mailboxes {
		if m.NoSelect {
			continue
		}
		st, err := s.Status(bg, m.Name)
		must(t, err)
		fmt.Fprintf(&b, "%s %+v\n", m.Name, st)
		for _, line := range weShow(t, s, m.Name) {
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}
