package maildir

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"dsync/store"
)

var bg = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testDir is a directory on the fast file system, if there is one.
func testDir(t testing.TB) string {
	t.Helper()
	if base := os.Getenv("DSYNC_TEST_TMP"); base != "" {
		d, err := os.MkdirTemp(base, "maildir-")
		must(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(d) })
		return d
	}
	return t.TempDir()
}

func create(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Create(o)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func scan(t testing.TB, s *Store, n store.Name) ([]store.Message, store.Snapshot) {
	t.Helper()
	sn, err := s.Scan(bg, n, nil)
	must(t, err)
	idx := make([]int, sn.Len())
	for i := range idx {
		idx[i] = i
	}
	m, skipped, err := sn.Describe(bg, idx)
	must(t, err)
	for _, sk := range skipped {
		t.Logf("skipped: %v", sk)
	}
	return m, sn
}

// put stages and applies one message.
func put(t testing.TB, s *Store, n store.Name, m store.NewMessage, body string) store.Done {
	t.Helper()
	if m.Key == "" {
		m.Key = s.ChooseKey("", false)
	}
	if m.Received.IsZero() {
		m.Received = time.Unix(1700000000, 0).UTC()
	}
	st, err := s.Stage(bg, n, m, strings.NewReader(body))
	must(t, err)
	must(t, s.SyncStaged(bg, []*store.Staged{st}))
	res, err := s.Apply(bg, n, &store.Change{Add: []*store.Staged{st}})
	must(t, err)
	must(t, res.Add[0].Err)
	return res.Add[0]
}

func TestSlice(t *testing.T) {
	for _, o := range []Options{{}, {FS: true}, {FS: true, DirName: "mAil"}, {FS: true, UTF8: true}} {
		t.Run(o.String(), func(t *testing.T) {
			o.Path = testDir(t) + "/M"
			s := create(t, o)
			unlock, err := s.Lock(bg, time.Second)
			must(t, err)
			defer unlock()
			guid := store.MailboxGUID{1, 2, 3}
			for _, n := range []store.Name{"A/B", "ü", "INBOX/foo"} {
				must(t, s.CreateMailbox(bg, n, store.Status{GUID: guid, UIDValidity: 77, UIDNext: 5}))
			}
			must(t, s.SetSubscribed(bg, "A/B", true))
			must(t, s.SetMark(store.Mark{Replica: "r", Counter: 3}))
			d := put(t, s, "A/B", store.NewMessage{
				UID: 5, Content: store.Content{GUID: "some-guid"}, Flags: store.Seen, Keywords: []string{"$Work"},
			}, "A: b\n\nx\n")
			msgs, sn := scan(t, s, "A/B")
			if len(msgs) != 1 || sn.Hash(0) != d.Hash || msgs[0].UID != 5 || msgs[0].Content.GUID != "some-guid" ||
				msgs[0].Flags != store.Seen || len(msgs[0].Keywords) != 1 || msgs[0].Received.Unix() != 1700000000 {
				t.Fatalf("%+v, %+v", msgs, d)
			}
			st, err := s.Status(bg, "A/B")
			must(t, err)
			if st.GUID != guid || st.UIDValidity != 77 || st.UIDNext != 6 {
				t.Fatalf("%+v", st)
			}
			tree, _, err := s.Tree(bg)
			must(t, err)
			var names []string
			for _, m := range tree.Mailboxes {
				names = append(names, string(m.Name))
			}
			if got := strings.Join(names, " "); got != "INBOX A A/B INBOX/foo ü" {
				t.Fatal(got)
			}
			r, err := s.Open(bg, "A/B", d.Handle)
			must(t, err)
			body, err := io.ReadAll(r)
			must(t, err)
			must(t, r.Close())
			if string(body) != "A: b\n\nx\n" {
				t.Fatalf("%q", body)
			}
			m, ok, err := s.Mark()
			if !ok || err != nil || m.Counter != 3 {
				t.Fatal(m, ok, err)
			}
		})
	}
}

// A directory without a mailbox in or below it is no \Noselect mailbox, whatever
// else lies there: the same as in Maildir++, which could not show one.
func TestEmptyParents(t *testing.T) {
	for _, o := range []Options{{FS: true}, {FS: true, DirName: "mAil"}} {
		t.Run(o.String(), func(t *testing.T) {
			o.Path = testDir(t) + "/M"
			s := create(t, o)
			for _, n := range []store.Name{"a/b/c", "a/d"} {
				must(t, s.CreateMailbox(bg, n, store.Status{}))
			}
			for _, d := range []string{"/notes/deep", "/a/b/x"} {
				must(t, os.MkdirAll(o.Path+d, 0o700))
			}
			must(t, os.WriteFile(o.Path+"/a/b/file", nil, 0o600)) // keeps b from being removed
			want := func(names string) {
				t.Helper()
				tree, _, err := s.Tree(bg)
				must(t, err)
				var got []string
				for _, m := range tree.Mailboxes {
					got = append(got, string(m.Name)+map[bool]string{true: "(parent)"}[m.NoSelect])
				}
				if g := strings.Join(got, " "); g != names || len(tree.Skipped) > 0 {
					t.Fatalf("%s, skipped %v; want %s", g, tree.Skipped, names)
				}
			}
			want("INBOX a(parent) a/b(parent) a/b/c a/d")
			must(t, s.DeleteMailbox(bg, "a/b/c"))
			if _, err := os.Stat(o.Path + "/a/b/file"); err != nil {
				t.Fatal(err)
			}
			want("INBOX a(parent) a/d")
			must(t, s.CreateMailbox(bg, "a/b", store.Status{}))
			want("INBOX a(parent) a/b a/d")
		})
	}
}

// cli.md: maildirsize is kept right or removed. Here: its limits stay, and it is long
// enough that every reader counts anew.
func TestMaildirsize(t *testing.T) {
	dir := testDir(t)
	for i, c := range []struct {
		text string
		keep bool
	}{{"1000000S,50C\n45 3\n", true}, {"5000S\n", true}, {"\n45 3\n", false}, {"", false}, {"x\n", false}} {
		for _, o := range []Options{{}, {Control: dir + "/control"}} {
			o.Path = dir + "/M" + string(rune('0'+i))
			s := create(t, o)
			name := o.Path + "/maildirsize"
			if o.Control != "" {
				name = o.Control + "/maildirsize"
			}
			line, _, _ := strings.Cut(c.text, "\n")
			var got []byte
			check := func(op func()) {
				t.Helper()
				must(t, os.WriteFile(name, []byte(c.text), 0o600))
				op()
				var err error
				if got, err = os.ReadFile(name); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				switch {
				case !c.keep && err == nil:
					t.Errorf("%q stays", c.text)
				case c.keep && (!strings.HasPrefix(string(got), line+"\n") || len(got) <= maildirsizeMax):
					t.Errorf("%q became %d bytes, %.30q", c.text, len(got), got)
				}
			}
			var m store.Done
			check(func() { m = put(t, s, store.Inbox, store.NewMessage{}, "A: b\n\n") })
			again := got
			check(func() {
				if c.keep {
					must(t, os.WriteFile(name, again, 0o600))
				}
				_, err := s.Apply(bg, store.Inbox, &store.Change{Expunge: []store.Handle{m.Handle}})
				must(t, err)
			})
			if string(again) != string(got) {
				t.Errorf("%q is written again", c.text)
			}
		}
	}
}
