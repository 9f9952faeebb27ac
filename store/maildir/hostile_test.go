package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dsync/store"
)

func TestGone(t *testing.T) {
	dir := testDir(t)
	for _, path := range []string{dir + "/never", dir} {
		if _, err := Open(Options{Path: path}); !errors.Is(err, store.ErrGone) {
			t.Errorf("open %s: %v", path, err)
		}
	}
	s := create(t, Options{Path: dir + "/M"})
	must(t, s.CreateMailbox(bg, "a", store.Status{}))
	must(t, os.RemoveAll(dir+"/M/.a/cur"))
	if _, err := s.Scan(bg, "a", nil); !errors.Is(err, store.ErrNoMailbox) {
		t.Errorf("scan of a mailbox without cur: %v", err)
	}
	tree, _, err := s.Tree(bg)
	must(t, err)
	if len(tree.Skipped) != 1 || !errors.Is(tree.Skipped[0].Err, store.ErrDamaged) {
		t.Errorf("skipped %v", tree.Skipped)
	}
}

func TestHostileNames(t *testing.T) {
	for _, fs := range []bool{false, true} {
		o := Options{Path: testDir(t) + "/M", FS: fs}
		s := create(t, o)
		for _, n := range []store.Name{
			"", "..", "a/../b", "/a", "a/", "a//b", "a\x00b", "a\nb", store.Name(strings.Repeat("x", 10000)),
			store.Name(strings.Repeat("x", 300)), "~a", "inbox", "\xff",
		} {
			if err := s.CreateMailbox(bg, n, store.Status{}); !errors.Is(err, store.ErrName) && !errors.Is(err, store.ErrUnsupported) {
				t.Errorf("create %.40q: %v", n, err)
			}
		}
		outside := testDir(t)
		must(t, os.MkdirAll(outside+"/cur", 0o700))
		dot := "."
		if fs {
			dot = ""
		}
		for _, d := range []string{"&", "&APx-", "bad\xff", "~home", "a\nb"} {
			must(t, os.MkdirAll(o.Path+"/"+dot+d+"/cur", 0o700))
		}
		must(t, os.Symlink(outside, o.Path+"/"+dot+"link"))
		must(t, s.CreateMailbox(bg, "sub", store.Status{}))
		must(t, os.RemoveAll(o.Path+"/"+dot+"sub/tmp"))
		must(t, os.Symlink(outside+"/cur", o.Path+"/"+dot+"sub/tmp"))
		tree, _, err := s.Tree(bg)
		must(t, err)
		if len(tree.Mailboxes) != 2 || len(tree.Skipped) != 6 {
			t.Errorf("mailboxes %v, skipped %v", tree.Mailboxes, tree.Skipped)
		}
		if _, err := s.Stage(bg, "sub", store.NewMessage{Key: "k"}, strings.NewReader("x")); err == nil {
			t.Error("staged through a symbolic link")
		}
		if _, err := s.Scan(bg, "link", nil); err == nil {
			t.Error("listed through a symbolic link")
		}
		if names, _ := os.ReadDir(outside + "/cur"); len(names) > 0 {
			t.Errorf("written outside: %v", names)
		}
		for _, h := range []store.Handle{"cur/../../x", "../x", "cur/", "tmp/x", "cur/a/b", "cur/a\x00", "x"} {
			if _, err := s.Open(bg, store.Inbox, h); !errors.Is(err, store.ErrNoMessage) {
				t.Errorf("open %q: %v", h, err)
			}
		}
	}
}

func TestHostileFiles(t *testing.T) {
	huge := append([]byte("3 V5 N9\n1 :"), bytes.Repeat([]byte("x"), 1<<20)...)
	for name, data := range map[string][]byte{
		"binary": bytes.Repeat([]byte{0, 0xff, '\n'}, 1000), "empty": {}, "one long line": huge,
		"no header": []byte("1 :a\n"), "old version": []byte("2 V1 N2\n"),
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Path: testDir(t) + "/M"}
			s := create(t, o)
			must(t, os.WriteFile(o.Path+"/cur/m1:2,S", []byte("A: b\n\n"), 0o600))
			must(t, os.WriteFile(o.Path+"/"+uidlistName, data, 0o600))
			must(t, os.WriteFile(o.Path+"/"+keywordsName, data[:min(len(data), 50000)], 0o600))
			ms, sn := scan(t, s, store.Inbox)
			if len(ms) != 1 || ms[0].UID != 0 || sn.Status().UIDNext < 1 {
				t.Fatalf("%+v %+v", ms, sn.Status())
			}
			put(t, s, store.Inbox, store.NewMessage{Key: "k"}, "A: c\n\n")
			if ms, _ = scan(t, s, store.Inbox); len(ms) != 2 {
				t.Fatalf("%+v", ms)
			}
			st, err := s.Status(bg, store.Inbox)
			must(t, err)
			if st.UIDValidity == 0 {
				t.Fatal("no UIDVALIDITY after a change")
			}
		})
	}
}

func TestStrangeFilesAreSkipped(t *testing.T) {
	o := Options{Path: testDir(t) + "/M"}
	s := create(t, o)
	for _, n := range []string{"cur/twice:2,", "cur/twice:2,S", "new/twice", "cur/.dot", "cur/:2,S", "cur/other:2,F"} {
		must(t, os.WriteFile(o.Path+"/"+n, []byte("x"), 0o600))
	}
	must(t, os.Mkdir(o.Path+"/cur/dir", 0o700))
	must(t, os.Symlink("/etc/passwd", o.Path+"/cur/passwd:2,"))
	sn, err := s.Scan(bg, store.Inbox, nil)
	must(t, err)
	ms, skipped, err := sn.Describe(bg, []int{0, 1})
	must(t, err)
	if sn.Len() != 2 || len(ms) != 2 || len(skipped) != 5 {
		t.Fatalf("%d, %v, skipped %v", sn.Len(), ms, skipped)
	}
}

// TestUIDsStand: lines added at the end leave what was there alone; a new file
// does not.
func TestUIDsStand(t *testing.T) {
	o := Options{Path: testDir(t) + "/M"}
	s := create(t, o)
	put(t, s, store.Inbox, store.NewMessage{Key: "a"}, "x")
	sn, err := s.Scan(bg, store.Inbox, nil)
	must(t, err)
	put(t, s, store.Inbox, store.NewMessage{Key: "b"}, "x")
	next, err := s.Scan(bg, store.Inbox, sn.Look().Print)
	must(t, err)
	if !next.UIDsStand() {
		t.Error("after lines were added, UIDs do not stand")
	}
	_, err = s.Apply(bg, store.Inbox, &store.Change{UIDNext: 90})
	must(t, err)
	last, err := s.Scan(bg, store.Inbox, next.Look().Print)
	must(t, err)
	if last.UIDsStand() {
		t.Error("after a new file, UIDs stand")
	}
}

// TestExpungeCompacts: on a backup that no Dovecot visits, the uidlist does not
// grow for ever.
func TestExpungeCompacts(t *testing.T) {
	o := Options{Path: testDir(t) + "/M"}
	s := create(t, o)
	for round := range 6 {
		var st []*store.Staged
		for i := range 100 {
			m, err := s.Stage(bg, store.Inbox, store.NewMessage{Key: fmt.Sprintf("r%dk%d", round, i)}, strings.NewReader("x"))
			must(t, err)
			st = append(st, m)
		}
		must(t, s.SyncStaged(bg, st))
		res, err := s.Apply(bg, store.Inbox, &store.Change{Add: st})
		must(t, err)
		_, _ = scan(t, s, store.Inbox)
		c := &store.Change{}
		for _, d := range res.Add {
			c.Expunge = append(c.Expunge, d.Handle)
		}
		_, err = s.Apply(bg, store.Inbox, c)
		must(t, err)
		_, _ = scan(t, s, store.Inbox)
	}
	data, err := os.ReadFile(o.Path + "/" + uidlistName)
	must(t, err)
	if n := bytes.Count(data, []byte("\n")); n > 500 {
		t.Errorf("%d lines for no message", n)
	}
	st, err := s.Status(bg, store.Inbox)
	must(t, err)
	if st.UIDNext != 601 {
		t.Errorf("UIDNEXT %d", st.UIDNext)
	}
}

func TestForeignLettersAndKeywordsBeyond26(t *testing.T) {
	o := Options{Path: testDir(t) + "/M"}
	s := create(t, o)
	must(t, os.WriteFile(o.Path+"/cur/m:2,PSz", []byte("x"), 0o600))
	var kws []string
	for i := range 28 {
		kws = append(kws, fmt.Sprintf("k%02d", i))
	}
	res, err := s.Apply(bg, store.Inbox, &store.Change{Flags: []store.FlagChange{{Handle: "cur/m:2,PSz", Flags: store.Flagged, Keywords: kws}}})
	must(t, err)
	d := res.Flags[0]
	if d.Err != nil || !slices.Equal(d.Unshown, []string{"k26", "k27"}) || d.Handle != "cur/m:2,FPabcdefghijklmnopqrstuvwxyz" {
		t.Fatalf("%+v", d)
	}
	ms, sn := scan(t, s, store.Inbox)
	if len(ms[0].Keywords) != 26 || sn.Hash(0) != d.Hash {
		t.Fatalf("%+v", ms)
	}
	if no := sn.NoRoom([]string{"k27", "K00", "k26", "K26"}); !slices.Equal(no, []string{"K26", "k27"}) {
		t.Fatalf("no room for %q", no)
	}
}

// TestUnreadKeywordLines: a line that gives no letter a keyword is named, once for a
// mailbox.
func TestUnreadKeywordLines(t *testing.T) {
	for text, want := range map[string]string{
		"0 one\n1 two\n":            "",
		"0 one\r\n1 two\r\n":        "",
		"0 one\n1 two words\nx y\n": `line 2, "1 two words", gives no letter a keyword (nor do 1 more): ignored, and kept as it is`,
		"\n30 far\n":                `line 2, "30 far", gives no letter a keyword: ignored, and kept as it is`,
		"0 one\n0 again\n":          `line 2, "0 again", gives no letter a keyword: ignored, and kept as it is`,
	} {
		o := Options{Path: testDir(t) + "/M"}
		s := create(t, o)
		must(t, os.WriteFile(o.Path+"/cur/m:2,Sab", []byte("x"), 0o600))
		must(t, os.WriteFile(o.Path+"/"+keywordsName, []byte(text), 0o600))
		sn, err := s.Scan(bg, store.Inbox, nil)
		must(t, err)
		var got []string
		for range 2 {
			_, skips, err := sn.Describe(bg, []int{0})
			must(t, err)
			for _, k := range skips {
				if k.Mailbox != store.Inbox || k.Item != keywordsName || !errors.Is(k.Err, store.ErrIgnored) {
					t.Errorf("%q: %+v", text, k)
				}
				got = append(got, k.Err.Error())
			}
		}
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%q: %q, want %q", text, s, want)
		}
	}
}

// TestDotlock: a living holder is waited for, a dead one of ours is not.
func TestDotlock(t *testing.T) {
	o := Options{Path: testDir(t) + "/M"}
	s := create(t, o)
	p, err := s.permsOf(s.root)
	must(t, err)
	other, err := Open(o)
	must(t, err)
	defer other.Close()
	_, err = other.dotlock(bg, other.root, uidlistName, p)
	must(t, err)
	unlock, err := s.Lock(bg, 0)
	must(t, err)
	defer unlock()
	start := time.Now()
	put(t, s, store.Inbox, store.NewMessage{Key: "k"}, "x")
	if time.Since(start) > 5*time.Second {
		t.Error("waited for a dead run's lock")
	}
	must(t, os.WriteFile(o.Path+"/"+uidlistName+".lock", nil, 0o600)) // Dovecot's
	go func() { time.Sleep(50 * time.Millisecond); _ = os.Remove(o.Path + "/" + uidlistName + ".lock") }()
	start = time.Now()
	put(t, s, store.Inbox, store.NewMessage{Key: "k2"}, "x")
	if time.Since(start) < 40*time.Millisecond {
		t.Error("did not wait for Dovecot's lock")
	}
}

// TestLookingMakesNothing: opening and listing leaves no trace, CONTROL= included.
func TestLookingMakesNothing(t *testing.T) {
	dir := testDir(t)
	s := create(t, Options{Path: dir + "/M"})
	must(t, s.Close())
	o := Options{Path: dir + "/M", Control: dir + "/control"}
	s, err := Open(o)
	must(t, err)
	_, _, err = s.Tree(bg)
	must(t, err)
	_, _ = scan(t, s, store.Inbox)
	if _, err := os.Stat(o.Control); err == nil {
		t.Error("CONTROL= was made by looking")
	}
	put(t, s, store.Inbox, store.NewMessage{Key: "k", UID: 4}, "x")
	must(t, s.SetSubscribed(bg, "x", true))
	if ms, _ := scan(t, s, store.Inbox); len(ms) != 1 || ms[0].UID != 4 {
		t.Errorf("%+v", ms)
	}
	must(t, s.Close())
}
