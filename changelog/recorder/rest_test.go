package recorder_test

import (
	"context"
	"os"
	"testing"
	"time"

	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
)

// resting is a world over a Maildir of two mailboxes that is at rest.
func resting(t *testing.T) (*world, string) {
	w, root := maildirWorld(t)
	w.o.Settler = func(context.Context, *recorder.Recorder, []logdb.Intent) error { return nil }
	for _, dir := range []string{root, root + "/.a"} {
		w.file(dir, "cur/1.M1.host:2,")
		w.file(dir, "cur/2.M1.host:2,S")
	}
	w.rest()
	return w, root
}

// rest scans until the account is at rest, and compares what Glance gives with what
// another scan gives.
func (w *world) rest() {
	w.t.Helper()
	for range 4 {
		w.open()
		w.scan(false)
		time.Sleep(30 * time.Millisecond) // no look is racy any more
	}
	w.open()
	l := w.r.Glance(ctx)
	if l == nil {
		w.t.Fatalf("not at rest")
	}
	if l.Tree != nil {
		w.t.Fatalf("a glance read the tree")
	}
	w.ok(w.r.Fill(ctx, l), "fill")
	s := w.scan(false)
	if l.Digest != s.Digest || s.Events > 0 || w.view(l) != w.view(s) {
		w.t.Fatalf("a glance gives %v, a scan %v with %d events", l.Digest, s.Digest, s.Events)
	}
}

// Whatever changes in the store, or in the log, ends the rest.
func TestRestEnds(t *testing.T) {
	w, root := resting(t)
	write := func(name, text string) func() error {
		return func() error { return os.WriteFile(root+name, []byte(text), 0o600) }
	}
	rename := func(from, to string) func() error {
		return func() error { return os.Rename(root+from, root+to) }
	}
	commit := func(f func(b *logdb.Batch)) func() error {
		return func() error {
			b := w.r.Account().Batch()
			f(b)
			return b.Commit(false)
		}
	}
	for _, x := range []struct {
		what   string
		change func() error
	}{
		{"flags", rename("/.a/cur/1.M1.host:2,", "/.a/cur/1.M1.host:2,F")},
		{"seen in new", rename("/cur/2.M1.host:2,S", "/new/2.M1.host")},
		{"delivery", func() error { w.file(root, "new/3.M1.host"); return nil }},
		{"expunge", func() error { return os.Remove(root + "/new/3.M1.host") }},
		{"uidlist", write("/.a/dovecot-uidlist", "3 V1700000000 N9 G0123456789abcdef0123456789abcdef\n1 :1.M1.host\n2 :2.M1.host\n")},
		{"keywords", write("/.a/dovecot-keywords", "0 $work\n")},
		{"subscriptions", write("/subscriptions", "V\t2\n\na\n")},
		{"mailbox", func() error { w.file(root+"/.b", "cur/1.M3.host:2,"); return nil }},
		{"rename", rename("/.b", "/.c")},
		{"mailbox gone", func() error { return os.RemoveAll(root + "/.c") }},
		{"mark", func() error { return w.r.PutMark(ctx) }},
		{"a batch of anything", commit(func(b *logdb.Batch) { b.PutReport(1, []byte("x")) })},
		{"an intent", commit(func(b *logdb.Batch) { b.PutIntent(logdb.Intent{Kind: 1}) })},
	} {
		w.open()
		if w.r.Glance(ctx) == nil {
			t.Fatalf("%s: not at rest before", x.what)
		}
		w.ok(x.change(), x.what)
		if w.r.Glance(ctx) != nil {
			t.Errorf("%s: at rest in the same process", x.what)
		}
		if w.open(); w.r.Glance(ctx) != nil {
			t.Errorf("%s: at rest in another", x.what)
		}
		if x.what == "an intent" {
			if w.scan(false); w.r.Glance(ctx) != nil {
				t.Errorf("at rest with an intent that nobody settled")
			}
			break
		}
		w.rest()
	}
}

// A store whose mark is another's, or older than the log, is not at rest, however it
// looks.
func TestRestAndMark(t *testing.T) {
	w, root := resting(t)
	w.ok(w.r.PutMark(ctx), "mark")
	w.rest()
	mark, err := os.ReadFile(root + "/dsync-mark")
	w.ok(err, "read mark")
	w.ok(w.r.PutMark(ctx), "mark")
	w.rest()
	w.ok(os.WriteFile(root+"/dsync-mark", mark, 0o600), "restore the mark")
	w.open()
	if w.r.Glance(ctx) != nil {
		t.Error("at rest under an older mark")
	}
	w.ok(os.Remove(root+"/dsync-mark"), "remove the mark")
	if w.open(); w.r.Glance(ctx) != nil {
		t.Error("at rest without its mark")
	}
}
