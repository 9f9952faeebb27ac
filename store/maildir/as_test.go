package maildir_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"dsync/store"
	"dsync/store/maildir"
	"dsync/store/storetest"
)

// asRoot skips a test that only root can do.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can reach files as another user")
	}
}

// reachable lets other users come as far as dir, below the directory of temporary files.
func reachable(dir string) error {
	for d := filepath.Dir(dir); d != "/" && d != filepath.Clean(os.TempDir()); d = filepath.Dir(d) {
		in, err := os.Stat(d)
		if err == nil && in.Mode()&0o001 == 0 {
			err = os.Chmod(d, 0o711)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clean looks at all threads of this process: each is root's, with root's groups.
func clean(t *testing.T) {
	t.Helper()
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Trim(fmt.Sprint(groups), "[]")
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) == 0 {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(text)) {
			key, val, _ := strings.Cut(line, ":")
			f := strings.Fields(val)
			switch {
			case (key == "Uid" || key == "Gid") && (len(f) != 4 || f[3] != "0"):
				t.Errorf("%s: %s", task, line)
			case key == "Groups" && strings.Join(f, " ") != want:
				t.Errorf("%s: %s, want %s", task, line, want)
			}
		}
	}
}

// owned finds what is in a tree and is not the user's.
func owned(t *testing.T, dir string, uid, gid int) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		in, err := e.Info()
		if err != nil {
			return err
		}
		n++
		if st := in.Sys().(*syscall.Stat_t); int(st.Uid) != uid || int(st.Gid) != gid {
			t.Errorf("%s is uid %d's, gid %d's", path, st.Uid, st.Gid)
		}
		return nil
	})
	if err != nil || n < 4 {
		t.Errorf("%d files: %v", n, err)
	}
}

func own(t *testing.T, path string, uid, gid int, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.Chmod(path, mode), os.Lchown(path, uid, gid)); err != nil {
		t.Fatal(err)
	}
}

// All that a store has to do works in a directory that is a user's alone, and what
// comes of it is that user's.
func TestConformanceAsUser(t *testing.T) {
	asRoot(t)
	as := &maildir.As{UID: 54321, GID: 54322, Groups: []uint32{54323}}
	made := factory(maildir.Options{As: as})
	storetest.Checks(t, func(dir string) (*storetest.Instance, error) {
		if err := errors.Join(reachable(dir), os.Chmod(dir, 0o700), os.Chown(dir, 54321, 54322)); err != nil {
			return nil, err
		}
		t.Cleanup(func() {
			if _, err := os.Stat(dir); err == nil {
				owned(t, dir, 54321, 54322)
			}
		})
		in, err := made(dir)
		if err == nil {
			in.Client = nil // makes files as root
		}
		return in, err
	})
	clean(t)
}

// What the user may not read or write, root does not read or write for him.
func TestAsUserMayNot(t *testing.T) {
	asRoot(t)
	ctx := context.Background()
	const me, mine = 54321, 54322
	dir := t.TempDir()
	o := maildir.Options{Path: dir + "/m", As: &maildir.As{UID: me, GID: mine, Groups: []uint32{54323}}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := maildir.Create(o); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("an account in a directory of root's: %v", err)
	}
	must(reachable(o.Path))
	must(os.Mkdir(o.Path, 0o700))
	own(t, o.Path, me, mine, 0o700)
	s, err := maildir.Create(o)
	must(err)
	defer s.Close()
	put := func(name string, uid, gid int, mode os.FileMode) store.Handle {
		must(os.WriteFile(filepath.Join(o.Path, "cur", name), []byte("Subject: x\n\nsecret\n"), 0o600))
		own(t, filepath.Join(o.Path, "cur", name), uid, gid, mode)
		return store.Handle("cur/" + name)
	}
	for _, c := range []struct {
		h    store.Handle
		want bool
	}{
		{put("1.M1.h:2,", me, mine, 0o600), true}, {put("2.M2.h:2,", 0, 0, 0o600), false}, {put("3.M3.h:2,", 0, 0, 0o640), false},
		{put("4.M4.h:2,", 0, mine, 0o640), true}, {put("5.M5.h:2,", 0, 54323, 0o640), true}, {put("6.M6.h:2,", 55555, 55555, 0o660), false},
		{put("7.M7.h:2,", 0, 0, 0o604), true},
	} {
		r, err := s.Open(ctx, store.Inbox, c.h)
		if err == nil {
			_, err = io.ReadAll(r)
			r.Close()
		}
		if c.want && err != nil || !c.want && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", c.h, err)
		}
	}
	// A mailbox of somebody else in the account, and one that links out of it.
	for name, mode := range map[string]os.FileMode{".closed": 0o700, ".readonly": 0o755} {
		for _, sub := range []string{"", "/cur", "/new", "/tmp"} {
			must(os.Mkdir(o.Path+"/"+name+sub, 0o755))
		}
		own(t, o.Path+"/"+name, 0, 0, mode)
	}
	if _, err := s.Scan(ctx, "closed", nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a mailbox that the user may not enter: %v", err)
	}
	if err := s.DeleteMailbox(ctx, "readonly"); err == nil {
		if _, err := os.Stat(o.Path + "/.readonly/cur"); err != nil {
			t.Error("what only root may remove was removed")
		}
	}
	if _, err := s.Stage(ctx, "readonly", store.NewMessage{Key: "8.M8.h"}, strings.NewReader("x\n")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a message into a mailbox of root's: %v", err)
	}
	clean(t)
	for _, bad := range []maildir.As{{}, {UID: 5}, {GID: 5}} {
		if bad.Check() == nil {
			t.Errorf("%+v is somebody", bad)
		}
	}
}

// Two users' stores and root's own work by many goroutines at once: each is who it
// should be, and no thread stays somebody's.
func TestAsUsersAtOnce(t *testing.T) {
	asRoot(t)
	ctx := context.Background()
	dir := t.TempDir()
	if err := errors.Join(reachable(dir), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	rootOnly := filepath.Join(dir, "root")
	if err := os.Mkdir(rootOnly, 0o700); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for u := range 3 {
		id := 54330 + u
		path := fmt.Sprintf("%s/%d", dir, id)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		own(t, path, id, id, 0o700)
		s, err := maildir.Create(maildir.Options{Path: path, As: &maildir.As{UID: uint32(id), GID: uint32(id)}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for g := range 4 {
			wait.Go(func() {
				for i := range 25 {
					m := store.NewMessage{Key: s.ChooseKey("", false)}
					pr, pw := io.Pipe() // the body comes while its goroutine is the user
					go func() {
						name := fmt.Sprintf("%s/%d-%d-%d", rootOnly, u, g, i)
						pw.CloseWithError(errors.Join(os.WriteFile(name, nil, 0o600), syscall.Access(rootOnly, 7)))
					}()
					if _, err := s.Stage(ctx, store.Inbox, m, io.MultiReader(strings.NewReader("Subject: x\n\nbody\n"), pr)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wait.Wait()
	for u := range 3 {
		owned(t, fmt.Sprintf("%s/%d", dir, 54330+u), 54330+u, 54330+u)
	}
	owned(t, rootOnly, 0, 0)
	clean(t)
}

// Becoming a user for each operation, and once for several.
func BenchmarkAsUser(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("only root can reach files as another user")
	}
	ctx := context.Background()
	for _, as := range []*maildir.As{nil, {UID: 54321, GID: 54322}} {
		dir := b.TempDir()
		if err := errors.Join(reachable(dir), os.Chown(dir, 54321, 54322)); err != nil {
			b.Fatal(err)
		}
		s, err := maildir.Create(maildir.Options{Path: dir, As: as})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("as user: ", as != nil), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.MailboxLook(ctx, store.Inbox); err != nil {
					b.Fatal(err)
				}
			}
		})
		s.Close()
	}
}
