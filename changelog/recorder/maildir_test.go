package recorder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"dsync/changelog/logdb"
	"dsync/store"
	"dsync/store/maildir"
)

// maildirWorld is a world over a Maildir++ that plain file operations change.
func maildirWorld(t *testing.T) (*world, string) {
	root := t.TempDir() + "/Maildir"
	st, err := maildir.Create(maildir.Options{Path: root})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, fs: vfs.NewMem(), dir: "log", st: st, ticks: time.Now().UnixMicro() - date.UnixMicro()}
	w.openDB()
	t.Cleanup(func() { w.db.Close(); st.Close() })
	return w, root
}

// file puts a message into a directory of mailboxes.
func (w *world) file(dir, name string) {
	w.t.Helper()
	w.n++
	for _, sub := range []string{"cur", "new", "tmp"} {
		w.ok(os.MkdirAll(filepath.Join(dir, sub), 0o700), "mkdir")
	}
	tmp := filepath.Join(dir, "tmp/x")
	w.ok(os.WriteFile(tmp, fmt.Appendf(nil, "Subject: %d\n\nbody\n", w.n), 0o600), "write")
	at := date.Add(time.Duration(w.n) * time.Second) // inodes are used again at once
	w.ok(os.Chtimes(tmp, at, at), "chtimes")
	w.ok(os.Rename(tmp, filepath.Join(dir, name)), "rename")
}

func TestMaildir(t *testing.T) {
	w, root := maildirWorld(t)
	for i := range 5 {
		w.file(root, fmt.Sprintf("cur/%d.M1.host:2,", i+1))
		w.file(root+"/.a", fmt.Sprintf("new/%d.M2.host", i+1))
	}
	w.file(root+"/.x.y", "cur/1.M3.host:2,S")
	w.scan(false)
	w.quiet()
	w.found()

	mv := func(from, to string) { w.ok(os.Rename(root+from, root+to), "rename") }
	mv("/cur/1.M1.host:2,", "/cur/1.M1.host:2,FS")
	mv("/.a/new/1.M2.host", "/.a/cur/1.M2.host:2,") // no change
	w.want(`flags INBOX +\Flagged \Seen -`)
	mv("/cur/2.M1.host:2,", "/.a/cur/2.M1.host:2,S")
	w.want("move INBOX>a", `flags a +\Seen -`)
	w.ok(os.Remove(root+"/cur/4.M1.host:2,"), "remove")
	mv("/.a", "/.b")
	w.want("expunge INBOX", "rename-mailbox a>b")
	mv("/.x.y", "/.z.y")
	w.ok(os.WriteFile(root+"/subscriptions", []byte("V\t2\n\nb\n"), 0o600), "subscribe")
	w.want("rename-mailbox x>z", "subscribe b true")
	w.ok(os.RemoveAll(root+"/.b"), "remove")
	w.file(root, "new/9.M1.host")
	w.want("delete-mailbox b 6", "deliver INBOX")
	w.quiet()
	mv("/cur/3.M1.host:2,", "/.z.y/cur/77.other.name:2,") // as mutt moves
	w.look(false)
	w.wantFound("move INBOX>z/y")
}

// Where the uidlist that named the GUID is lost, a key alone does not make another
// file the message.
func TestMaildirKeyUsedAgain(t *testing.T) {
	w, root := maildirWorld(t)
	w.file(root+"/.a", "cur/1.M1.host:2,")
	w.scan(false)
	sn, err := w.st.Scan(ctx, "a", nil)
	w.ok(err, "scan")
	ms, err := sn.DescribeUIDs([]int{0})
	w.ok(err, "describe")
	_, err = w.st.Apply(ctx, "a", &store.Change{UIDValidity: 1234, UIDs: []store.UIDChange{{Handle: ms[0].Handle, UID: 1, GUID: "given"}}})
	w.ok(err, "apply")
	w.scan(false)
	w.found()
	w.ok(os.Remove(root+"/.a/dovecot-uidlist"), "remove")
	w.ok(os.Remove(root+"/.a/cur/1.M1.host:2,"), "remove")
	w.file(root+"/.a", "cur/1.M1.host:2,S")
	w.look(false)
	w.wantFound("reset-uids a", "expunge a", "deliver a")
}

func TestMaildirLostUIDList(t *testing.T) {
	w, root := maildirWorld(t)
	for i := range 3 {
		w.file(root+"/.a", fmt.Sprintf("cur/%d.M1.host:2,", i+1))
	}
	w.scan(false)
	sn, err := w.st.Scan(ctx, "a", nil)
	w.ok(err, "scan")
	ms, err := sn.DescribeUIDs([]int{0, 1, 2})
	w.ok(err, "describe")
	c := &store.Change{UIDValidity: 1234, GUID: store.MailboxGUID{1, 2, 3}}
	for i, m := range ms {
		c.UIDs = append(c.UIDs, store.UIDChange{Handle: m.Handle, UID: store.UID(i + 1), GUID: "given-" + store.GUID(m.Key)})
	}
	_, err = w.st.Apply(ctx, "a", c)
	w.ok(err, "apply")
	l := w.scan(false)
	w.quiet()
	w.found()
	node := l.Layout.ByPath["a"].Holder.GUID()

	w.ok(os.Remove(root+"/.a/dovecot-uidlist"), "remove")
	w.ok(os.Rename(root+"/.a/cur/1.M1.host:2,", root+"/.a/cur/1.M1.host:2,S"), "flag")
	l = w.look(false)
	w.wantFound("reset-uids a", `flags a +\Seen -`)
	if got := l.Layout.ByPath["a"].Holder.GUID(); got != node {
		t.Fatalf("the mailbox is %v now, was %v", got, node)
	}
	var guids []string
	w.ok(w.r.Account().AllRecords(func(r *logdb.Record) error {
		if r.UID != 0 || !r.Live() {
			t.Errorf("%s: UID %d, live %v", r.Content.GUID, r.UID, r.Live())
		}
		guids = append(guids, string(r.Content.GUID))
		return nil
	}), "records")
	slices.Sort(guids)
	if got := strings.Join(guids, " "); got != "given-1.M1.host given-2.M1.host given-3.M1.host" {
		t.Fatalf("GUIDs %s", got)
	}
	for _, full := range []bool{false, true} {
		if l = w.look(full); l.Events != 0 {
			t.Fatalf("found again: %v", w.found())
		}
	}
}

// A new file that got the inode number of an expunged message, its size and its
// date too, is a message of its own: taken for the old one moved, its body would
// never reach the other side (P6).
func TestMaildirInodeUsedAgain(t *testing.T) {
	w, root := maildirWorld(t)
	w.file(root, "cur/1.M1.host:2,")
	w.file(root+"/.a", "cur/2.M1.host:2,")
	w.scan(false)
	w.quiet()
	w.found()
	old := root + "/cur/1.M1.host:2,"
	was, err := os.Stat(old)
	w.ok(err, "stat")
	text := fmt.Appendf(nil, "Subject: 8\n\nbody\n") // as long as the other
	if int64(len(text)) != was.Size() {
		t.Fatalf("the message has %d bytes", was.Size())
	}
	w.ok(os.Remove(old), "remove")
	for i := 0; ; i++ {
		if i == 500 {
			t.Skip("this file system uses no inode number again")
		}
		name := fmt.Sprintf("%s/.a/cur/%d.M3.host:2,", root, i+3)
		w.ok(os.WriteFile(name, text, 0o600), "write")
		is, err := os.Stat(name)
		w.ok(err, "stat")
		if is.Sys().(*syscall.Stat_t).Ino == was.Sys().(*syscall.Stat_t).Ino {
			w.ok(os.Chtimes(name, was.ModTime(), was.ModTime()), "chtimes")
			break
		}
		w.ok(os.Rename(name, fmt.Sprintf("%s.%d", root, i)), "rename")
		defer os.Remove(fmt.Sprintf("%s.%d", root, i))
	}
	w.look(false)
	w.wantFound("expunge INBOX", "deliver a")
}
