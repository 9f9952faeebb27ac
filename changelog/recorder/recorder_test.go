package recorder_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/store"
	"dsync/store/memory"
	"dsync/store/storetest"
)

var (
	ctx  = context.Background()
	date = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
)

// tb is what a test and a rapid check have in common.
type tb interface {
	Helper()
	Fatalf(string, ...any)
}

// world is a store with a client, a log, and what a recorder needs.
type world struct {
	t      tb
	st     store.Store
	mem    *memory.Store // st, if it is one
	c      *memory.Client
	fs     vfs.FS
	dir    string
	db     *logdb.DB
	r      *recorder.Recorder
	ids    uint64
	ticks  int64
	said   []string
	o      recorder.Options
	n      int
	logged int

	late      bool            // the store gives UIDs late
	movedKeys map[string]bool // of clients, since the last scan
}

func newWorld(t tb, o memory.Options) *world {
	w := &world{t: t, fs: vfs.NewMem(), dir: "log"}
	o.Clock = w.clock
	w.mem = memory.New(o)
	w.st, w.c = w.mem, w.mem.Client()
	w.openDB()
	return w
}

func (w *world) clock() time.Time {
	w.ticks += 1000
	return time.UnixMicro(date.UnixMicro() + w.ticks)
}

func (w *world) openDB() {
	w.t.Helper()
	db, err := logdb.Open(w.dir, logdb.Options{FS: w.fs})
	w.ok(err, "open log")
	w.db = db
	w.r = nil
}

func (w *world) ok(err error, what string) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

func (w *world) options() recorder.Options {
	o := w.o
	o.Now = func() int64 { return w.clock().UnixMicro() }
	o.NewID = func() uint64 { w.ids++; return w.ids * 0x9e3779b97f4a7c15 }
	o.Notice = func(_ int, line string) { w.said = append(w.said, line) }
	return o
}

func (w *world) open() *recorder.Recorder {
	w.t.Helper()
	r, err := recorder.Open(ctx, w.db, w.st, w.options())
	w.ok(err, "open recorder")
	w.r = r
	return r
}

// scan scans and compares the view with the store.
func (w *world) scan(full bool) *recorder.Look {
	w.t.Helper()
	l := w.look(full)
	w.same(l)
	return l
}

func (w *world) look(full bool) *recorder.Look {
	w.t.Helper()
	if w.r == nil {
		w.open()
	}
	l, err := w.r.Scan(ctx, full)
	w.ok(err, "scan")
	return l
}

// same fails unless the view shows what the store shows, and digests, indexes and
// seen-set fit.
func (w *world) same(l *recorder.Look) {
	w.t.Helper()
	want, err := storetest.Dump(ctx, w.st)
	w.ok(err, "dump")
	if got := w.view(l); got != want {
		w.t.Fatalf("the view shows\n%s\nthe store\n%s", got, want)
	}
	w.sound(l)
}

func (w *world) view(l *recorder.Look) string {
	w.t.Helper()
	acc := w.r.Account()
	boxes, err := acc.Mailboxes()
	w.ok(err, "mailboxes")
	byBox := map[store.MailboxGUID]*logdb.Mailbox{}
	for _, b := range boxes {
		byBox[b.GUID] = b
	}
	by := map[*changelog.Slot][]string{}
	w.ok(acc.AllRecords(func(r *logdb.Record) error {
		at, ok := r.Place()
		if !ok {
			return nil
		}
		slot := l.Layout.In(at)
		names := append(shownFlags(r).Names(), shownKeywords(r)...)
		by[slot] = append(by[slot], fmt.Sprintf("%010d  %d %q [%s] %s %d", r.UID, r.UID, r.Content.GUID, strings.Join(names, " "),
			time.Unix(r.Received, 0).UTC().Format(time.RFC3339), r.Content.Size))
		return nil
	}), "records")
	var b strings.Builder
	for _, slot := range l.Layout.Slots {
		if !slot.Shown {
			continue
		}
		if slot.Holder == nil {
			fmt.Fprintf(&b, "mailbox %q noselect\n", slot.Path)
			continue
		}
		g := slot.Holder.GUID()
		for _, x := range slot.Holder.GUIDs {
			if byBox[x] != nil {
				g = byBox[x].Status.GUID
			}
		}
		fmt.Fprintf(&b, "mailbox %q guid=%s uidvalidity=%d uidnext=%d\n", slot.Path, g, slot.Holder.UIDValidity, slot.Holder.UIDNext)
		attrs := slot.Holder.Attributes()
		for _, k := range sorted(attrs) {
			fmt.Fprintf(&b, "  attribute %q %q\n", k, attrs[k])
		}
		slices.Sort(by[slot])
		for _, line := range by[slot] {
			b.WriteString(line[10:] + "\n")
		}
	}
	for _, n := range l.Tree.Subscriptions(l.Layout) {
		fmt.Fprintf(&b, "subscribed %q\n", n)
	}
	if len(l.Tree.Nodes) > 0 && l.Tree.Nodes[0].IsAccount() {
		attrs := l.Tree.Nodes[0].Attributes()
		for _, k := range sorted(attrs) {
			fmt.Fprintf(&b, "attribute %q %q\n", k, attrs[k])
		}
	}
	return b.String()
}

func sorted(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// shownFlags is what the registers show: local writes replace all others.
func shownFlags(r *logdb.Record) (f store.Flags) {
	for _, x := range r.Flags {
		if x.Set {
			f |= x.Flag
		}
	}
	return f
}

func shownKeywords(r *logdb.Record) (out []string) {
	for _, x := range r.Keywords {
		if x.Set {
			out = append(out, x.Name)
		}
	}
	return out
}

// sound checks what must hold of the log after every scan.
func (w *world) sound(l *recorder.Look) {
	w.t.Helper()
	acc := w.r.Account()
	m := acc.Meta()
	problems, err := acc.Check()
	w.ok(err, "check")
	if len(problems) > 0 {
		w.t.Fatalf("log: %v", problems)
	}
	sum, count := map[store.MailboxGUID]changelog.Digest{}, map[store.MailboxGUID]uint64{}
	own := changelog.Dots{}
	w.ok(acc.AllRecords(func(r *logdb.Record) error {
		ds := r.Mentions()
		own.Union(&ds)
		if r.Mailbox.IsZero() {
			return nil
		}
		d := sum[r.Mailbox]
		d.Add(r.Digest())
		sum[r.Mailbox] = d
		count[r.Mailbox]++
		return nil
	}), "records")
	boxes, err := acc.Mailboxes()
	w.ok(err, "mailboxes")
	byBox := map[store.MailboxGUID]*logdb.Mailbox{}
	for _, b := range boxes {
		byBox[b.GUID] = b
		if b.Digest != sum[b.GUID] || b.Count != count[b.GUID] {
			w.t.Fatalf("%s: %d messages with digest %v, recomputed %d with %v", b.Path, b.Count, b.Digest, count[b.GUID], sum[b.GUID])
		}
	}
	for _, n := range l.Tree.Nodes {
		ds := n.Mentions()
		own.Union(&ds)
	}
	if !m.Seen.Dots.Covers(&own) {
		w.t.Fatalf("seen %v does not cover the entries' %v", m.Seen.Dots, own)
	}
	if top := m.Seen.Dots.Max(m.Replica); top != m.Seq {
		w.t.Fatalf("seq %d, seen up to %d", m.Seq, top)
	}
	want := logdb.AccountDigest(l.Tree, l.Tree.Layout(func(g store.MailboxGUID) bool { return count[g] > 0 }), boxes)
	if want != l.Digest {
		w.t.Fatalf("account digest %v, recomputed %v", l.Digest, want)
	}
	if want != m.Digest {
		w.t.Fatalf("account digest %v, recomputed %v", m.Digest, want)
	}
}

func (w *world) deliver(n store.Name) store.Message {
	w.t.Helper()
	w.n++
	m, err := w.c.Deliver(n, fmt.Appendf(nil, "Subject: %d\r\n\r\nbody\r\n", w.n), 0, nil, date)
	w.ok(err, "deliver")
	return m
}

// quiet fails if a scan finds anything.
func (w *world) quiet() {
	w.t.Helper()
	for _, full := range []bool{false, true} {
		if l := w.scan(full); l.Events != 0 {
			w.t.Fatalf("a scan (full %v) after a scan found %d events", full, l.Events)
		}
	}
}

// events gives the kinds of all events logged since the number of before.
func (w *world) events() []changelog.Event {
	w.t.Helper()
	var out []changelog.Event
	w.ok(w.r.Account().Events(0, func(_ uint64, _ int64, e *changelog.Event) error { out = append(out, *e); return nil }), "events")
	return out
}

func TestFirstVersion(t *testing.T) {
	w := newWorld(t, memory.Options{})
	w.deliver("INBOX")
	m := w.deliver("INBOX")
	w.ok(w.c.CreateMailbox("a"), "create")
	w.ok(w.c.CreateMailbox("x/y"), "create")
	w.ok(w.c.Subscribe("a"), "subscribe")
	w.scan(false)
	w.quiet()
	w.ok(w.c.SetFlags("INBOX", m.Key, store.Seen), "flags")
	w.ok(w.c.AddKeywords("INBOX", m.Key, "k"), "keywords")
	w.scan(false)
	w.quiet()
	_, err := w.c.Move("INBOX", m.Key, "a")
	w.ok(err, "move")
	w.ok(w.c.RenameMailbox("x", "z"), "rename")
	w.scan(false)
	w.quiet()
	w.ok(w.c.Expunge("a", m.Key), "expunge")
	w.ok(w.c.DeleteMailbox("z/y"), "delete")
	w.scan(false)
	w.quiet()
	for _, e := range w.events() {
		t.Logf("%v %v %+v", e.Dot.Seq, e.Body.Kind(), e.Body)
	}
}
