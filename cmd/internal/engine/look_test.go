package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// pair is two Maildirs in a directory of their own, changed by plain file
// operations.
type pair struct {
	t   *testing.T
	dir string
}

func newPair(t *testing.T) *pair { return &pair{t, t.TempDir()} }

func (p *pair) loc(side string) string { return "maildir:" + filepath.Join(p.dir, side) }
func (p *pair) log() string            { return filepath.Join(p.dir, "log") }

// deliver puts a message into cur of a mailbox ("" is INBOX).
func (p *pair) deliver(side, box, key, flags string) {
	p.t.Helper()
	dir := filepath.Join(p.dir, side, box)
	for _, d := range []string{"cur", "new", "tmp"} {
		p.must(os.MkdirAll(filepath.Join(dir, d), 0o700))
	}
	if box != "" {
		p.must(os.WriteFile(filepath.Join(dir, "maildirfolder"), nil, 0o600))
	}
	text := fmt.Sprintf("Subject: about %s\nFrom: Ann <ann@example.org>\n\nbody %s\n", key, key)
	p.must(os.WriteFile(filepath.Join(dir, "cur", key+":2,"+flags), []byte(text), 0o600))
}

// flag gives a message other flags.
func (p *pair) flag(side, box, key, flags string) {
	p.t.Helper()
	name := p.find(side, box, key)
	base, _, _ := strings.Cut(name, ":2,")
	p.must(os.Rename(name, base+":2,"+flags))
}

func (p *pair) remove(side, box, key string) {
	p.t.Helper()
	p.must(os.Remove(p.find(side, box, key)))
}

func (p *pair) find(side, box, key string) string {
	p.t.Helper()
	all, err := filepath.Glob(filepath.Join(p.dir, side, box, "cur", key+"*"))
	p.must(err)
	if len(all) != 1 {
		p.t.Fatalf("%s%s/%s: %d files", side, box, key, len(all))
	}
	return all[0]
}

func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) sync(change func(*Options)) *Report {
	p.t.Helper()
	o := Options{Near: p.loc("A"), Far: p.loc("B"), ChangeLog: p.log(), LockWait: 10 * time.Second} // a child being started holds our locks for a moment
	if change != nil {
		change(&o)
	}
	r := Run(p.t.Context(), o)
	if r.Exit != ExitOK || r.Err != nil {
		p.t.Fatalf("sync: exit %d, %v, %v %v", r.Exit, r.Err, r.Skipped, r.Again)
	}
	return r
}

func (p *pair) lines(o LogOptions) []LogLine {
	p.t.Helper()
	var out []LogLine
	o.ChangeLog = p.log()
	if o.Location == "" {
		o.Location = p.loc("A")
	}
	p.must(Log(p.t.Context(), o, func(l LogLine) error {
		out = append(out, l)
		return nil
	}))
	return out
}

func ofEvent(ls []LogLine, event string) []LogLine {
	return slices.DeleteFunc(slices.Clone(ls), func(l LogLine) bool { return l.Event != event })
}

// conflicted makes a pair with a conflict: A sets \Flagged anew, B clears it.
func conflicted(t *testing.T) *pair {
	p := newPair(t)
	p.deliver("A", "", "1700000001.M1.h", "F")
	p.deliver("A", ".work", "1700000002.M2.h", "")
	p.sync(nil)
	p.flag("A", "", "1700000001.M1.h", "")
	p.sync(nil)
	p.flag("A", "", "1700000001.M1.h", "F")
	p.sync(func(o *Options) { o.Far = p.loc("C") }) // A's write is dotted before it is met by B's
	p.flag("B", "", "1700000001.M1.h", "F")
	p.sync(func(o *Options) { o.Near, o.Far = p.loc("B"), p.loc("D") })
	p.flag("B", "", "1700000001.M1.h", "")
	p.sync(nil)
	return p
}

// E8: the log shows later which rule overrode what, on both sides, with both
// changes.
func TestLogShowsConflict(t *testing.T) {
	t.Parallel()
	p := conflicted(t)
	for _, side := range []string{"A", "B"} {
		cs := ofEvent(p.lines(LogOptions{Location: p.loc(side), Headers: true}), "conflict")
		if len(cs) != 1 {
			t.Fatalf("%s: %d conflicts, want one: %v", side, len(cs), cs)
		}
		c := cs[0]
		if c.Overrode == nil || c.Overrode.Rule != 8 || c.Overrode.Kept != `\Flagged set` || c.Overrode.Lost != `\Flagged cleared` {
			t.Errorf("%s: %+v", side, c.Overrode)
		}
		if c.Mailbox != store.Inbox || c.UID != 1 || c.GUID == "" || c.Origin != "here" || c.Time.IsZero() {
			t.Errorf("%s: %+v", side, c)
		}
		if c.Subject != "about 1700000001.M1.h" || c.From != "Ann <ann@example.org>" {
			t.Errorf("%s: subject %q from %q", side, c.Subject, c.From)
		}
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	p := conflicted(t)
	a, b := p.lines(LogOptions{}), p.lines(LogOptions{Location: p.loc("B")})
	if !slices.IsSortedFunc(a, func(x, y LogLine) int { return x.Time.Compare(y.Time) }) {
		t.Error("not oldest first")
	}
	if f := ofEvent(a, "found"); len(f) != 2 || f[0].Origin != "here" {
		t.Errorf("A: %v", f)
	}
	if f := ofEvent(b, "deliver"); len(f) == 0 || f[0].Origin == "here" || f[0].Origin == "" {
		t.Errorf("B learned of A's mail from A: %v", f)
	}
	flags := ofEvent(a, "flags")
	if len(flags) == 0 || flags[0].What != `-\Flagged` || flags[0].GUID == "" || flags[0].Origin != "here" {
		t.Errorf("A: %v", flags)
	}
	work := p.lines(LogOptions{Mailboxes: []store.Name{"work"}})
	if len(work) == 0 || slices.ContainsFunc(work, func(l LogLine) bool { return l.Mailbox != "work" }) {
		t.Errorf("-m work: %v", work)
	}
	if now := p.lines(LogOptions{Since: time.Now().Add(time.Hour)}); len(now) > 0 {
		t.Errorf("--since tomorrow: %v", now)
	}
	if all := p.lines(LogOptions{Since: time.Now().Add(-time.Hour)}); len(all) != len(a) {
		t.Errorf("--since an hour ago: %d of %d", len(all), len(a))
	}
	for want, o := range map[error]LogOptions{
		store.ErrNoMailbox: {Location: p.loc("A"), ChangeLog: p.log(), Mailboxes: []store.Name{"nowhere"}},
		store.ErrGone:      {Location: p.loc("none"), ChangeLog: p.log()},
	} {
		err := Log(t.Context(), o, func(LogLine) error { t.Error("a line"); return nil })
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	stop := errors.New("stop")
	if err := Log(t.Context(), LogOptions{Location: p.loc("A"), ChangeLog: p.log()}, func(LogLine) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("each's error became %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Log(ctx, LogOptions{Location: p.loc("A"), ChangeLog: p.log()}, func(LogLine) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// P11: every change raises the modseq of its message and of its mailbox, which
// never falls, not even when the message goes.
func TestModSeqs(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	if m, err := OpenModSeqs(t.Context(), LogOptions{Location: p.loc("A"), ChangeLog: p.log()}); m != nil || err != nil {
		t.Fatalf("without a log: %v, %v", m, err)
	}
	p.deliver("A", "", "1700000001.M1.h", "")
	p.deliver("A", "", "1700000002.M2.h", "")
	p.sync(nil)
	look := func() (replica string, high, one, two store.ModSeq) {
		m, err := OpenModSeqs(t.Context(), LogOptions{Location: p.loc("A"), ChangeLog: p.log()})
		p.must(err)
		defer m.Close()
		high, _ = m.Highest(store.Inbox)
		one, _ = m.Of(store.Inbox, 1, "1700000001.M1.h")
		two, _ = m.Of(store.Inbox, 2, "1700000002.M2.h")
		if _, ok := m.Of(store.Inbox, 2, "other"); ok {
			t.Error("another GUID")
		}
		if _, ok := m.Highest("nowhere"); ok {
			t.Error("another mailbox")
		}
		return m.Replica(), high, one, two
	}
	r1, h1, a1, b1 := look()
	if r1 == "" || h1 == 0 || a1 == 0 || b1 == 0 || max(a1, b1) > h1 {
		t.Fatalf("%q %d %d %d", r1, h1, a1, b1)
	}
	p.flag("B", "", "1700000002.M2.h", "S")
	p.sync(nil)
	_, h2, a2, b2 := look()
	if h2 <= h1 || a2 != a1 || b2 <= b1 || b2 > h2 {
		t.Errorf("after a flag: %d %d %d, before %d %d %d", h2, a2, b2, h1, a1, b1)
	}
	p.remove("B", "", "1700000002.M2.h")
	p.sync(nil)
	if _, h3, _, b3 := look(); h3 <= h2 || b3 != 0 {
		t.Errorf("after an expunge: %d %d, before %d", h3, b3, h2)
	}
	db, err := logdb.Open(p.log(), logdb.Options{})
	p.must(err)
	defer db.Close()
	if _, err := OpenModSeqs(t.Context(), LogOptions{Location: p.loc("A"), ChangeLog: p.log()}); !errors.Is(err, store.ErrBusy) {
		t.Errorf("a database in use: %v", err)
	}
}

// account opens the account of a side for a test that damages it.
func (p *pair) account(side string, f func(*logdb.DB, *logdb.Account)) {
	p.t.Helper()
	db, err := logdb.Open(p.log(), logdb.Options{})
	p.must(err)
	acc, err := findAccount(db, p.loc(side), nil)
	p.must(err)
	f(db, acc)
	p.must(db.Close())
}

// P12: trimming changes no result; and the limits hold.
func TestTrim(t *testing.T) {
	t.Parallel()
	p := conflicted(t)
	before := len(p.lines(LogOptions{}))
	p.account("A", func(_ *logdb.DB, acc *logdb.Account) {
		now := time.Duration(nowMicros()) * time.Microsecond
		for _, c := range []struct {
			now, age time.Duration
			bytes    int64
			trims    bool
		}{
			{now, 0, 0, false},
			{now + defaultLogAge + trimSlack/2, 0, 0, false}, // within the slack
			{now + 10*defaultLogAge, -1, -1, false},
			{now + defaultLogAge + 2*trimSlack, 0, 0, true},
		} {
			got, err := trimLog(acc, c.now, c.age, c.bytes)
			p.must(err)
			if (got.Events+got.Reports > 0) != c.trims {
				t.Errorf("%+v: %+v", c, got)
			}
		}
	})
	if after := p.lines(LogOptions{}); len(after) != 0 || before == 0 {
		t.Errorf("%d lines before, %d after", before, len(after))
	}
	p.flag("B", "", "1700000001.M1.h", "S")
	p.remove("A", ".work", "1700000002.M2.h")
	r := p.sync(nil)
	if !r.Equal || r.Sides[0].Flags != 1 || r.Sides[1].Expunged != 1 {
		t.Errorf("after trimming: %+v", r.Sides)
	}
	if len(p.lines(LogOptions{})) == 0 {
		t.Error("nothing is logged after trimming")
	}
}

func TestTrimBySize(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.deliver("A", "", "1700000001.M1.h", "")
	p.sync(nil)
	p.account("A", func(_ *logdb.DB, acc *logdb.Account) {
		var es []changelog.Event
		for i := range 20000 {
			es = append(es, changelog.Event{Dot: changelog.Dot{Replica: acc.Meta().Replica, Seq: uint64(i + 100)},
				Stamp: changelog.Stamp{Time: int64(i)}, Body: changelog.Subscribe{Path: store.Name(fmt.Sprintf("%x", i*7919))}})
		}
		b := acc.Batch()
		b.AppendEvents(nowMicros(), es)
		p.must(b.Commit(true))
	})
	p.account("A", func(_ *logdb.DB, acc *logdb.Account) { // opened again: on disk, not in memory
		now := time.Duration(nowMicros()) * time.Microsecond
		first, err := trimLog(acc, now, 0, 100<<10)
		p.must(err)
		second, err := trimLog(acc, now, 0, 100<<10)
		p.must(err)
		if first.Events == 0 || second.Events != 0 {
			t.Errorf("first %+v, second %+v", first, second)
		}
	})
}
