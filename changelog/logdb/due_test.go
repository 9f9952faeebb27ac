package logdb

import (
	"sync"
	"testing"

	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/store"
)

func someEvents(n int) []changelog.Event {
	es := make([]changelog.Event, n)
	for i := range es {
		es[i] = changelog.Event{Dot: changelog.Dot{Replica: changelog.Replica{ID: 1}, Seq: uint64(i + 1)},
			Body: changelog.Subscribe{Path: store.Name("a"), On: true}}
	}
	return es
}

// A trim or rebuild of one account must not close a batch of another: Pebble uses
// the memory of closed batches again.
func TestTrimBesideCommits(t *testing.T) { onBoth(t, testTrimBesideCommits) }

func testTrimBesideCommits(t *testing.T, fresh func() Options) {
	d := openMem(t, fresh())
	defer d.Close()
	var wg sync.WaitGroup
	for id := range changelog.ReplicaID(4) {
		a := newAccount(t, d, id+1)
		wg.Go(func() {
			for i := range int64(300) {
				b := a.Batch()
				b.AppendEvents(i, someEvents(1))
				if err := b.Commit(true); err != nil {
					t.Error(err)
					return
				}
				if id%2 == 0 {
					continue
				}
				if _, err := a.Trim(i+1, 0); err != nil {
					t.Error(err)
					return
				}
				if err := a.Rebuild(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTrimDue(t *testing.T) { onBoth(t, testTrimDue) }

func testTrimDue(t *testing.T, fresh func() Options) {
	d := openMem(t, fresh())
	defer d.Close()
	a := newAccount(t, d, 1)
	due := func(olderThan int64, maxBytes uint64) bool {
		t.Helper()
		ok, err := a.TrimDue(olderThan, maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if due(100, 1) {
		t.Error("an empty log")
	}
	b := a.Batch()
	b.PutReport(50, []byte("report"))
	b.AppendEvents(60, someEvents(1000))
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	if due(50, 0) || !due(51, 0) || due(0, 0) {
		t.Error("age")
	}
	if _, err := a.Trim(51, 0); err != nil {
		t.Fatal(err)
	}
	if due(60, 0) || !due(61, 0) {
		t.Error("age of events, once the reports are gone")
	}
	if err := d.kept.flush(); err != nil {
		t.Fatal(err)
	}
	if !due(0, 100) || due(0, 1<<20) {
		t.Error("size")
	}
}

func TestLastVanished(t *testing.T) { onBoth(t, testLastVanished) }

func testLastVanished(t *testing.T, fresh func() Options) {
	d := openMem(t, fresh())
	defer d.Close()
	a := newAccount(t, d, 1)
	g := testGUID(1)
	b := a.Batch()
	b.AddVanished(0, g, 5, []store.UID{1, 2, 9})
	b.AddVanished(0, g, 8, []store.UID{3})
	b.AddVanished(0, testGUID(2), 11, []store.UID{3})
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	for want, g := range map[store.ModSeq]store.MailboxGUID{8: g, 11: testGUID(2), 0: testGUID(3)} {
		if got, err := a.LastVanished([]store.MailboxGUID{g}); got != want || err != nil {
			t.Errorf("%v: %d, %v, want %d", g, got, err, want)
		}
	}
}

// What vanished is trimmed by age and by size, the oldest of all mailboxes first. What
// is gone is known to be gone, and the highest modseq of a list never falls.
func TestTrimVanished(t *testing.T) { onBoth(t, testTrimVanished) }

func testTrimVanished(t *testing.T, fresh func() Options) {
	o := fresh()
	d := openMem(t, o)
	a := newAccount(t, d, 7)
	gs := [][]store.MailboxGUID{{testGUID(1)}, {testGUID(2)}}
	b := a.Batch()
	for i := range 200 {
		b.AddVanished(int64(i), gs[i/100][0], store.ModSeq(i+1), []store.UID{store.UID(2*i + 1)})
	}
	m := a.Meta()
	m.HighestMod = 200
	b.PutMeta(&m)
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	want := func(what string, g int, since store.ModSeq, ranges int, whole bool) {
		t.Helper()
		rs, w, err := a.Vanished(gs[g], since)
		last, err2 := a.LastVanished(gs[g])
		if len(rs) != ranges || w != whole || last != store.ModSeq(g*100+100) || err != nil || err2 != nil {
			t.Errorf("%s: mailbox %d, since %d: %d ranges, whole %v, last %d, %v %v; want %d, %v", what, g, since, len(rs), w, last, err, err2, ranges, whole)
		}
	}
	trim := func(olderThan int64, maxBytes, n uint64) {
		t.Helper()
		tr, err := a.Trim(olderThan, maxBytes)
		if err != nil || tr.Vanished != n || (tr.Bytes > 0) != (n > 0) {
			t.Fatalf("trim %d, %d: %+v, %v; want %d ranges", olderThan, maxBytes, tr, err, n)
		}
	}
	want("all", 0, 0, 100, true)
	trim(30, 0, 30)
	want("by age", 0, 0, 70, false)
	want("by age", 0, 29, 70, false)
	want("by age", 0, 30, 70, true)
	want("by age", 1, 0, 100, true)
	trim(30, 0, 0)
	var sum uint64
	p := prefix(nil, 7, famVanished)
	if err := a.db.scan(p, after(p), func(key, val []byte) error { sum += uint64(len(key) + len(val)); return nil }); err != nil {
		t.Fatal(err)
	}
	trim(0, sum/17+20, 160) // 10 of 170 stay: the newest take some bytes more
	want("by size", 0, 99, 0, false)
	want("by size", 0, 100, 0, true)
	want("by size", 1, 190, 10, true)
	want("by size", 1, 189, 10, false)
	trim(1<<40, 0, 10)
	d.Close()
	d = openMem(t, o)
	defer d.Close()
	a, err := d.Account(7)
	if err != nil {
		t.Fatal(err)
	}
	for g := range gs {
		want("nothing is left", g, 0, 0, false)
		want("nothing is left", g, store.ModSeq(g*100+100), 0, true)
	}
	mustClean(t, a)
}

// The list stays as long as a node has its UIDVALIDITY, whether or not the store has
// the mailbox, and whatever GUID the node goes by. Ranges of the first format count
// as old.
func TestVanishedStays(t *testing.T) { onBoth(t, testVanishedStays) }

func testVanishedStays(t *testing.T, fresh func() Options) {
	d := openMem(t, fresh())
	defer d.Close()
	a := newAccount(t, d, 7)
	node := func(uv store.UIDValidity, gs ...store.MailboxGUID) *changelog.Node {
		w := changelog.Write{Dot: changelog.Dot{Replica: testReplicas[0], Seq: 1}}
		return &changelog.Node{GUIDs: gs, UIDValidity: uv, Creates: []changelog.Create{{Write: w, Name: "a"}}}
	}
	two, both := []store.MailboxGUID{testGUID(2)}, []store.MailboxGUID{testGUID(1), testGUID(2)}
	was := node(5, two...)
	step := func(f func(b *Batch), n int) {
		t.Helper()
		b := a.Batch()
		f(b)
		if err := b.Commit(true); err != nil {
			t.Fatal(err)
		}
		if rs, _, err := a.Vanished(both, 0); len(rs) != n || err != nil {
			t.Fatalf("%v, %v, want %d ranges", rs, err, n)
		}
	}
	step(func(b *Batch) {
		b.PutNode(nil, was)
		b.PutMailbox(&Mailbox{GUID: two[0], Path: "a"})
		b.AddVanished(9, two[0], 3, []store.UID{1, 3})
		put(b.b, vanishedKey(nil, 7, two[0], 2, 7), func(dst []byte) []byte { return pack.Uint(dst, store.UID(8)) })
	}, 3)
	step(func(b *Batch) { b.DeleteMailbox(two[0]) }, 3)
	tree := func(ns ...*changelog.Node) *changelog.Tree { return &changelog.Tree{Nodes: ns} }
	step(func(b *Batch) { b.PutTree(tree(was), tree(node(5, both...))) }, 3)
	if tr, err := a.Trim(1, 0); err != nil || tr.Vanished != 1 {
		t.Fatalf("%+v, %v", tr, err)
	}
	step(func(b *Batch) { b.PutTree(tree(node(5, both...)), tree(node(6, both...))) }, 0)
	step(func(b *Batch) { b.AddVanished(9, two[0], 4, []store.UID{1}) }, 1)
	step(func(b *Batch) { b.PutTree(tree(node(6, both...)), tree()) }, 0)
}
