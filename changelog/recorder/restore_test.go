package recorder_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/store"
	"dsync/store/memory"
)

// replace puts another account in the place of the world's.
func (w *world) replace(st *memory.Store) {
	w.st, w.mem, w.c, w.r = st, st, st.Client(), nil
}

func TestRestoredStore(t *testing.T) {
	w := known(t, 2, memory.Options{})
	w.ok(w.r.PutMark(ctx), "mark")
	old := w.mem.Clone()
	gone := w.in("a")[0]
	flagged := w.in("a")[1]
	w.ok(w.c.Expunge("a", gone.Key), "expunge")
	w.ok(w.c.SetFlags("a", flagged.Key, store.Seen), "flags")
	later := w.deliver("a")
	w.ok(w.c.CreateMailbox("new"), "create")
	w.deliver("new")
	w.scan(false)
	w.ok(w.r.PutMark(ctx), "mark")
	w.found()

	w.replace(old)
	fresh := w.deliver("a") // under the UID of the one that is missing
	l := w.look(false)
	if !l.Restored || l.Braked != "" || len(l.Absent) > 0 {
		t.Fatalf("restored %v, braked %q, absent %v", l.Restored, l.Braked, l.Absent)
	}
	w.wantFound("deliver a")
	w.sound(l)
	one := func(g store.GUID) *logdb.Record {
		ids, err := w.r.Account().ByGUID(g)
		w.ok(err, "by GUID")
		if len(ids) != 1 {
			t.Fatalf("%s: %d records", g, len(ids))
		}
		return w.record(ids[0])
	}
	if r := one(later.Content.GUID); !r.Live() || !r.Mailbox.IsZero() || r.UID != later.UID {
		t.Fatalf("what the restored store lacks: live %v, held in %v, UID %d", r.Live(), r.Mailbox, r.UID)
	}
	if r := one(gone.Content.GUID); r.Live() || r.Mailbox.IsZero() {
		t.Fatalf("what was expunged and is back: live %v, held in %v", r.Live(), r.Mailbox)
	}
	if r := one(flagged.Content.GUID); shownFlags(r) != store.Seen || r.ShownFlags != 0 {
		t.Fatalf("flags %v in the log, %v shown", shownFlags(r), r.ShownFlags)
	}
	if r := one(fresh.Content.GUID); r.UID != 0 {
		t.Fatalf("a new message stands under UID %d, which the log knows for another", r.UID)
	}
	if s := l.Layout.ByPath["new"]; s == nil || s.Holder == nil {
		t.Fatalf("a mailbox that the restored store lacks was deleted from the log")
	}
}

func TestUIDNextFell(t *testing.T) {
	w := known(t, 2, memory.Options{}) // no mark yet
	old := w.mem.Clone()
	w.deliver("a")
	w.scan(false)
	w.found()
	w.replace(old)
	w.logged = 0 // without a mark, at another inode, it is another store
	w.look(false)
	if got := w.found(); len(got) == 0 || !strings.HasPrefix(got[0], "create-mailbox") {
		t.Fatalf("another store without a mark: %v", got)
	}
}

func TestUIDNextFellUnderMark(t *testing.T) {
	w := known(t, 2, memory.Options{})
	w.ok(w.r.PutMark(ctx), "mark")
	old := w.mem.Clone()
	m := w.deliver("a")
	w.scan(false)
	w.found()
	w.replace(old) // the run that saw m changed nothing, so the mark is the same
	l := w.look(false)
	w.wantFound()
	if !l.Restored {
		t.Fatalf("not taken for restored")
	}
	ids, err := w.r.Account().ByGUID(m.Content.GUID)
	w.ok(err, "by GUID")
	if r := w.record(ids[0]); !r.Live() || !r.Mailbox.IsZero() {
		t.Fatalf("live %v, held in %v", r.Live(), r.Mailbox)
	}
}

func TestBrake(t *testing.T) {
	w := known(t, 10, memory.Options{})
	w.o.MaxDelete = recorder.Brake{Count: 5, Percent: 40}
	w.open()
	for _, m := range w.in("a") {
		w.ok(w.c.Expunge("a", m.Key), "expunge")
	}
	w.deliver("b")
	l := w.look(false)
	if !strings.Contains(l.Braked, "--max-delete=off") || len(l.Absent) != 10 {
		t.Fatalf("braked %q, %d absent", l.Braked, len(l.Absent))
	}
	w.wantFound("deliver b")
	w.sound(l)
	if l = w.look(false); l.Braked == "" || len(l.Absent) != 10 {
		t.Fatalf("the second run: braked %q, %d absent", l.Braked, len(l.Absent))
	}
	w.wantFound()
	w.o.MaxDelete.Off = true
	w.open()
	w.scan(false)
	if got := w.found(); len(got) != 10 || got[0] != "expunge a" {
		t.Fatalf("with the brake off: %v", got)
	}
	w.quiet()
}

// The brake pulls above both limits, and not at one of them.
func TestBrakeAtItsLimits(t *testing.T) {
	for _, c := range []struct {
		brake  recorder.Brake
		pulled bool
	}{
		{recorder.Brake{Count: 4, Percent: 10}, false},
		{recorder.Brake{Count: 1, Percent: 20}, false},
		{recorder.Brake{Count: 3, Percent: 19}, true},
	} {
		w := known(t, 10, memory.Options{})
		w.o.MaxDelete = c.brake
		w.open()
		for _, m := range w.in("a")[:4] {
			w.ok(w.c.Expunge("a", m.Key), "expunge")
		}
		if l := w.look(false); (l.Braked != "") != c.pulled {
			t.Errorf("4 of 20 under %+v: braked %q", c.brake, l.Braked)
		}
	}
}

func TestBrakeCountsNoTrash(t *testing.T) {
	w := known(t, 2, memory.Options{})
	w.ok(w.c.CreateMailbox("Trash"), "create")
	for range 10 {
		w.deliver("Trash")
	}
	w.scan(false)
	w.found()
	w.o.MaxDelete = recorder.Brake{Count: 1, Percent: 10}
	w.open()
	w.ok(w.c.DeleteMailbox("Trash"), "delete")
	w.want("delete-mailbox Trash 10")
}

func TestBrakeOfDeletedMailbox(t *testing.T) {
	w := known(t, 10, memory.Options{})
	w.o.MaxDelete = recorder.Brake{Count: 5, Percent: 40}
	w.open()
	w.ok(w.c.DeleteMailbox("a"), "delete")
	for range 2 {
		l := w.look(false)
		if l.Braked == "" || len(l.AbsentMailboxes) != 1 || len(l.Absent) != 10 {
			t.Fatalf("braked %q, absent %v", l.Braked, l.AbsentMailboxes)
		}
		w.wantFound()
		w.sound(l)
	}
	w.o.MaxDelete.Off = true
	w.open()
	w.want("delete-mailbox a 10")
	w.quiet()
}

func TestAllVanished(t *testing.T) {
	w := known(t, 1, memory.Options{})
	for _, n := range []store.Name{"a", "b", "a/x"} {
		w.ok(w.c.DeleteMailbox(n), "delete")
	}
	w.ok(w.c.Expunge("INBOX", w.in("INBOX")[0].Key), "expunge")
	if l := w.look(false); l.Braked == "" {
		t.Fatalf("not braked although everything is gone")
	}
	w.wantFound()
}

func TestMissingStore(t *testing.T) {
	w := known(t, 2, memory.Options{})
	w.c.SetGone(true)
	w.open()
	l := w.look(false)
	if !l.Missing || l.Braked == "" || l.Layout.ByPath["a"] == nil {
		t.Fatalf("missing %v, braked %q", l.Missing, l.Braked)
	}
	w.c.SetGone(false)
	w.wantFound()
	w.quiet()

	other := memory.New(memory.Options{Name: "never seen"})
	other.Client().SetGone(true)
	if _, err := recorder.Open(ctx, w.db, other, w.options()); !errors.Is(err, store.ErrGone) {
		t.Fatalf("open a store that is not there and never was: %v", err)
	}
}

func TestLostMark(t *testing.T) {
	w := known(t, 3, memory.Options{})
	w.ok(w.r.PutMark(ctx), "mark")
	empty := memory.New(memory.Options{Seed: 9, Clock: w.clock}) // an empty disk at the same place
	full := w.mem
	id := w.r.Replica()
	w.replace(empty)
	l := w.look(false)
	if l.Braked == "" || w.r.Replica() != id {
		t.Fatalf("braked %q as %v, want %v", l.Braked, w.r.Replica(), id)
	}
	w.replace(full)
	if w.look(false); w.r.Replica() != id {
		t.Fatalf("the store is back as %v, want %v", w.r.Replica(), id)
	}
	for _, e := range w.found() {
		if strings.HasPrefix(e, "expunge") || strings.HasPrefix(e, "delete") {
			t.Fatalf("logged %v", e)
		}
	}
}

func TestDuplicateGUID(t *testing.T) {
	w := known(t, 2, memory.Options{})
	st, err := w.st.Status(ctx, "a")
	w.ok(err, "status")
	_, err = w.st.Apply(ctx, "b", &store.Change{GUID: st.GUID}) // cp -r over b
	w.ok(err, "apply")
	w.want() // b is b still, and gets its own GUID back
	now, err := w.st.Status(ctx, "b")
	w.ok(err, "status")
	if a, _ := w.st.Status(ctx, "a"); a.GUID != st.GUID || now.GUID == st.GUID {
		t.Fatalf("a has %v, b %v", a.GUID, now.GUID)
	}
	w.ok(w.c.CreateMailbox("a2"), "create")
	_, err = w.st.Apply(ctx, "a2", &store.Change{GUID: st.GUID}) // cp -r a a2
	w.ok(err, "apply")
	w.want("create-mailbox a2")
	if s, _ := w.st.Status(ctx, "a2"); s.GUID == st.GUID {
		t.Fatalf("a copy kept the GUID of the original")
	}
	w.quiet()
}

func TestRacyLook(t *testing.T) {
	w := known(t, 1, memory.Options{Racy: true})
	before := w.st.Cost().NamesListed
	w.scan(false)
	if w.st.Cost().NamesListed == before {
		t.Fatalf("a racy look was believed")
	}
	w.quiet()
}

func TestMark(t *testing.T) {
	w := known(t, 1, memory.Options{})
	id := w.r.Replica()
	w.ok(w.r.PutMark(ctx), "mark")
	w.ok(w.r.PutMark(ctx), "mark")
	mark, ok, err := w.st.Mark()
	w.ok(err, "mark")
	if m := w.r.Account().Meta(); !ok || mark.Counter != 2 || m.MarkCounter != 2 {
		t.Fatalf("mark %+v, counter %d", mark, m.MarkCounter)
	}
	if w.open(); w.r.Replica() != id {
		t.Fatalf("opened again as %v, want %v", w.r.Replica(), id)
	}
	w.quiet()

	// A log that is behind the mark starts a new replica.
	w.ok(w.st.SetMark(store.Mark{Replica: mark.Replica, Counter: 7}), "mark")
	w.said = nil
	w.open()
	if w.r.Replica() == id || len(w.said) != 1 {
		t.Fatalf("as %v, said %q", w.r.Replica(), w.said)
	}
	w.scan(false)
	w.ok(w.r.PutMark(ctx), "mark")
	w.said = nil
	if w.open(); len(w.said) != 0 {
		t.Fatalf("said again: %q", w.said)
	}
}

func TestMarkOfAnotherLog(t *testing.T) {
	w := known(t, 1, memory.Options{})
	w.ok(w.st.SetMark(store.Mark{Replica: "00000000000000ff.0", Counter: 3}), "mark")
	id := w.r.Replica()
	w.open()
	if w.r.Replica() == id {
		t.Fatalf("a store with another log's mark opened as %v", id)
	}
	w.scan(false)
	w.quiet()
}

func TestCrashBetweenMarkAndCounter(t *testing.T) {
	w := known(t, 1, memory.Options{})
	w.ok(w.r.PutMark(ctx), "mark")
	id := w.r.Replica()
	fail := errors.New("stop")
	w.mem.SetFail(func(op string, _ store.Name, _ string) error {
		if op == memory.OpMark {
			return fail
		}
		return nil
	})
	if err := w.r.PutMark(ctx); !errors.Is(err, fail) {
		t.Fatalf("put mark: %v", err)
	}
	w.mem.SetFail(nil)
	for range 2 { // the mark was not written, or was and the log does not know
		if l := w.look(false); w.r.Replica() != id || l.Restored {
			t.Fatalf("as %v (want %v), restored %v", w.r.Replica(), id, l.Restored)
		}
		mark, _, _ := w.st.Mark()
		mark.Counter = 2
		w.ok(w.st.SetMark(mark), "mark")
		w.r = nil
	}
}

func TestCopyOfStoreStartsAnew(t *testing.T) {
	w := known(t, 1, memory.Options{Name: "one"})
	w.ok(w.r.PutMark(ctx), "mark")
	id := w.r.Replica()
	mark, _, _ := w.st.Mark()
	other := memory.New(memory.Options{Name: "two", Seed: 9, Clock: w.clock})
	w.ok(other.SetMark(mark), "mark")
	r, err := recorder.Open(ctx, w.db, other, w.options())
	w.ok(err, "open")
	if r.Replica() == id {
		t.Fatalf("a copy beside its original opened under its identity")
	}
	if w.open(); w.r.Replica() != id {
		t.Fatalf("the original opened as %v, want %v", w.r.Replica(), id)
	}
}

func TestReadOnly(t *testing.T) {
	w := known(t, 1, memory.Options{})
	ro := w.mem.ReopenReadOnly("reader")
	o := w.options()
	o.ReadOnly = true
	r, err := recorder.Open(ctx, w.db, ro, o)
	w.ok(err, "open")
	w.deliver("a")
	l, err := r.Scan(ctx, true)
	w.ok(err, "scan")
	w.ok(r.PutMark(ctx), "mark")
	if _, marked, _ := w.st.Mark(); marked || l.Events != 1 {
		t.Fatalf("marked %v, %d events", marked, l.Events)
	}
}

func TestHandOutAndConfront(t *testing.T) {
	w := known(t, 2, memory.Options{})
	p, err := w.r.HandOut(ctx)
	w.ok(err, "hand out")
	if q, _ := w.r.HandOut(ctx); q != p || p.Tag == 0 || p.Seq != w.r.Account().Meta().Seq {
		t.Fatalf("handed out %v, then %v", p, q)
	}
	peer := changelog.Replica{ID: 77}
	b := w.r.Account().Batch()
	w.r.PutMeta(b, func(m *logdb.Meta) {
		var seen changelog.Dots
		seen.AddRange(m.Replica, changelog.Range{Lo: 1, Hi: p.Seq})
		m.Peers = append(m.Peers, logdb.Peer{Replica: peer, Seen: seen})
	})
	w.ok(b.Commit(true), "commit")
	if again, err := w.r.Confront(p, true, peer); again || err != nil {
		t.Fatalf("its own position: %v, %v", again, err)
	}
	if again, err := w.r.Confront(changelog.Position{}, false, peer); again || err != nil {
		t.Fatalf("a peer that knows nothing: %v, %v", again, err)
	}
	w.deliver("a")
	m := w.in("INBOX")[0]
	w.ok(w.c.SetFlags("INBOX", m.Key, store.Seen), "flags")
	w.scan(false)
	w.ok(w.c.SetFlags("INBOX", m.Key, 0), "flags")
	w.scan(false)
	if q, err := w.r.HandOut(ctx); err != nil || q.Seq != p.Seq+3 || q.Tag == p.Tag {
		t.Fatalf("after three changes handed out %v, %v; before them %v", q, err, p)
	}
	before := w.r.Replica()
	again, err := w.r.Confront(changelog.Position{Seq: p.Seq + 5, Tag: 3}, true, peer)
	w.ok(err, "confront")
	now := w.r.Replica()
	if !again || now.ID != before.ID || now.Epoch <= before.Epoch {
		t.Fatalf("restored %v, now %v", again, now)
	}
	meta := w.r.Account().Meta()
	if got := meta.Seen.Dots.Max(before); got != p.Seq || meta.Seq != 3 {
		t.Fatalf("seen of the old epoch up to %d, want %d; seq %d", got, p.Seq, meta.Seq)
	}
	w.ok(w.r.Account().AllRecords(func(r *logdb.Record) error {
		if ds := r.Mentions(); ds.Max(before) > p.Seq {
			t.Errorf("%v mentions %v of the old epoch, which nobody has in common", r.ID(), ds)
		}
		return nil
	}), "records")
	w.quiet()
	if ps, err := w.r.Account().Check(); err != nil || len(ps) > 0 {
		t.Fatalf("check: %v %v", ps, err)
	}
	w.ok(w.r.Cloned(), "cloned")
	w.quiet()
	w.deliver("a")
	w.scan(false)
}

func TestMint(t *testing.T) {
	w := known(t, 1, memory.Options{})
	a, b := w.r.Mint(0), w.r.Mint(0)
	if b.Dot.Seq != a.Dot.Seq+1 || b.Stamp.Compare(a.Stamp) <= 0 {
		t.Fatalf("minted %v, then %v", a, b)
	}
	w.deliver("a")
	w.look(false)
	all := w.events()
	if e := all[len(all)-1]; e.Dot.Seq != b.Dot.Seq+1 || e.Stamp.Compare(b.Stamp) <= 0 {
		t.Fatalf("after %v came %v %v", b, e.Dot, e.Stamp)
	}
}

func TestSettler(t *testing.T) {
	w := known(t, 1, memory.Options{})
	b := w.r.Account().Batch()
	b.PutIntent(logdb.Intent{Kind: 3, Payload: []byte("x")})
	w.ok(b.Commit(true), "commit")
	var got []logdb.Intent
	r, err := recorder.Open(ctx, w.db, w.st, func() recorder.Options {
		o := w.options()
		o.Settler = settle(&got)
		return o
	}())
	w.ok(err, "open")
	for range 2 {
		_, err = r.Scan(ctx, false)
		w.ok(err, "scan")
	}
	if len(got) != 1 || got[0].Kind != 3 {
		t.Fatalf("settled %v", got)
	}
}

// settle notes the intents and removes them.
func settle(got *[]logdb.Intent) func(context.Context, *recorder.Recorder, []logdb.Intent) error {
	return func(_ context.Context, r *recorder.Recorder, in []logdb.Intent) error {
		*got = append(*got, in...)
		b := r.Account().Batch()
		for _, i := range in {
			b.DeleteIntent(i.ID)
		}
		return b.Commit(true)
	}
}
