package logdb

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dsync/changelog"
	"dsync/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// openMem opens a log in what the options name.
// nextEvent is the sequence number that the next event will get.
func nextEvent(a *Account) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.counters(); err != nil {
		panic(err)
	}
	return a.nextEvent
}

func openMem(t testing.TB, o Options) *DB {
	d, err := Open("log", o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// onBoth runs a test on each backing, with a new one for each call of fresh.
func onBoth(t *testing.T, f func(t *testing.T, fresh func() Options)) {
	t.Run("pebble", func(t *testing.T) { f(t, func() Options { return Options{FS: vfs.NewMem()} }) })
	t.Run("disk", func(t *testing.T) { f(t, func() Options { return Options{Disk: new(Disk)} }) })
}

// raw writes past the checks: no value is given to what is deleted.
func raw(t testing.TB, d *DB, key []byte, val *[]byte) {
	t.Helper()
	b := d.kept.newBatch()
	if val == nil {
		b.Delete(key, nil)
	} else {
		b.Set(key, *val, nil)
	}
	if err := d.kept.apply(b, true); err != nil {
		t.Fatal(err)
	}
}

func newAccount(t testing.TB, d *DB, id changelog.ReplicaID) *Account {
	a, err := d.NewAccount(testMeta(id))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Everything read back is what the model holds, before and after opening again,
// with a second account beside it that stays as it was.
func TestHistories(t *testing.T) { onBoth(t, testHistories) }

func testHistories(t *testing.T, fresh func() Options) {
	for seed := range uint64(20) {
		o := fresh()
		d := openMem(t, o)
		other := newHistory(seed+1000, 8)
		ob := newAccount(t, d, 8)
		if err := other.commit(t, ob, 20, false); err != nil {
			t.Fatal(err)
		}
		a := newAccount(t, d, 7)
		h := newHistory(seed, 7)
		for range 25 {
			if err := h.commit(t, a, 6, false); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		for range 2 {
			compare(t, seed, a, h)
			compare(t, seed, ob, other)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d = openMem(t, o)
			var err1, err2 error
			a, err1 = d.Account(7)
			ob, err2 = d.Account(8)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
		}
		d.Close()
	}
}

func compare(t *testing.T, seed uint64, a *Account, h *history) {
	t.Helper()
	mustClean(t, a)
	if m := a.Meta(); !reflect.DeepEqual(m, h.meta) {
		t.Fatalf("seed %d: meta\n%+v\nwant\n%+v", seed, m, h.meta)
	}
	tree, err := a.LoadTree()
	if err != nil || string(treeBytes(tree)) != string(treeBytes(h.tree)) {
		t.Fatalf("seed %d: tree %v, %v", seed, tree, err)
	}
	n := 0
	if err := a.Events(1, func(seq uint64, _ int64, e *changelog.Event) error { n++; return nil }); err != nil || n != h.events || nextEvent(a) != uint64(n)+1 {
		t.Fatalf("seed %d: %d events, %v, next %d, want %d", seed, n, err, nextEvent(a), h.events)
	}
	is, err := a.Intents()
	if err != nil || len(is) != len(h.intents) {
		t.Fatalf("seed %d: intents %v, %v", seed, is, err)
	}
	byGUID := map[store.GUID][]changelog.Dot{}
	names := map[store.MailboxGUID]int{}
	all := h.ids()
	for _, id := range all {
		r := h.records[id]
		byGUID[r.Content.GUID] = append(byGUID[r.Content.GUID], id)
		if !r.Mailbox.IsZero() {
			names[r.Mailbox]++
		}
		for _, o := range r.Origins {
			got, err := a.Record(o.Dot)
			if err != nil || got == nil || !slices.Equal(appendRecord(nil, got), appendRecord(nil, r)) {
				t.Fatalf("seed %d: record %v: %+v, %v; want %+v", seed, o.Dot, got, err, r)
			}
		}
	}
	for g, want := range byGUID {
		if got, err := a.ByGUID(g); err != nil || !slices.Equal(got, want) {
			t.Fatalf("seed %d: GUID %s: %v, %v; want %v", seed, g, got, err, want)
		}
	}
	for i := range 3 {
		g, n, last := testGUID(i), 0, uint64(0)
		ns, err := a.Names(g)
		if err != nil {
			t.Fatal(err)
		}
		for ns.Next() {
			if ns.Hash() < last || h.records[ns.ID()].Hash != ns.Hash() {
				t.Fatalf("seed %d: hash %d after %d", seed, ns.Hash(), last)
			}
			last = ns.Hash()
			n++
		}
		if err := ns.Close(); err != nil || n != names[g] {
			t.Fatalf("seed %d: %d names, %v, want %d", seed, n, err, names[g])
		}
		n = 0
		if err := a.MailboxRecords(g, func(r *Record) error { n++; return nil }); err != nil || n != names[g] {
			t.Fatalf("seed %d: %d records, %v, want %d", seed, n, err, names[g])
		}
	}
	compareUnseen(t, seed, a, h)
}

func treeBytes(t *changelog.Tree) []byte {
	var b []byte
	for _, n := range t.Nodes {
		b = changelog.AppendNode(b, n)
	}
	for _, n := range t.Bare {
		b = changelog.AppendBare(b, n)
	}
	return changelog.AppendUVs(b, t.UVs)
}

// Unseen and Mentioned against walking all entries.
func compareUnseen(t *testing.T, seed uint64, a *Account, h *history) {
	t.Helper()
	mentioned := map[EntryRef]changelog.Dots{}
	for id, r := range h.records {
		mentioned[EntryRef{Kind: RefMessage, Message: id}] = r.Message.Mentions()
	}
	for _, n := range h.tree.Nodes {
		mentioned[nodeRef(n)] = n.Mentions()
	}
	for _, b := range h.tree.Bare {
		mentioned[bareRef(b)] = b.Mentions()
	}
	for range 10 {
		var seen changelog.Dots
		for range h.rng.IntN(12) {
			lo := h.rng.Uint64N(h.seq) + 1
			seen.AddRange(testReplicas[h.rng.IntN(len(testReplicas))], changelog.Range{Lo: lo, Hi: lo + h.rng.Uint64N(h.seq)})
		}
		want, got := map[EntryRef]bool{}, map[EntryRef]bool{}
		pairs := 0
		for e, ds := range mentioned {
			if !seen.Covers(&ds) {
				want[e] = true
			}
			ds.Each(func(d changelog.Dot) bool {
				if seen.Has(d) {
					pairs++
				}
				return true
			})
		}
		err := a.Unseen(&seen, func(e EntryRef) error {
			if got[e] {
				return fmt.Errorf("%v comes twice", e)
			}
			got[e] = true
			return nil
		})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: unseen of %v: %v, %v; want %v", seed, seen, got, err, want)
		}
		err = a.Mentioned(&seen, func(d changelog.Dot, e EntryRef) error {
			ds := mentioned[e]
			if !seen.Has(d) || !ds.Has(d) {
				return fmt.Errorf("%v is not mentioned by %v", d, e)
			}
			pairs--
			return nil
		})
		if err != nil || pairs != 0 {
			t.Fatalf("seed %d: mentioned: %v, %d pairs too few", seed, err, pairs)
		}
	}
}

func TestAccounts(t *testing.T) { onBoth(t, testAccounts) }

func testAccounts(t *testing.T, fresh func() Options) {
	d := openMem(t, fresh())
	defer d.Close()
	ids := []changelog.ReplicaID{1, 2, 0x100, 1 << 56, ^changelog.ReplicaID(0)}
	for _, id := range ids {
		newAccount(t, d, id)
		if err := d.Bind(fmt.Sprint("maildir:", id), "dev", id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.NewAccount(testMeta(2)); !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
	if _, err := d.Account(3); !errors.Is(err, ErrNoAccount) {
		t.Fatal(err)
	}
	for i := len(ids) - 1; i >= 0; i-- {
		l, err := d.Accounts()
		if err != nil || len(l) != i+1 || l[i].Replica.ID != ids[i] {
			t.Fatalf("%v, %v", l, err)
		}
		if id, ident, ok, err := d.Lookup(fmt.Sprint("maildir:", ids[i])); id != ids[i] || ident != "dev" || !ok || err != nil {
			t.Fatal(id, ident, ok, err)
		}
		if err := d.DropAccount(ids[i]); err != nil {
			t.Fatal(err)
		}
		if _, _, ok, err := d.Lookup(fmt.Sprint("maildir:", ids[i])); ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if err := errors.Join(d.PutPairState(1, 2, "ds1.x"), d.PutPairState(2, 3, "y")); err != nil {
		t.Fatal(err)
	}
	s1, err1 := d.PairState(2, 1)
	s2, err2 := d.PairState(1, 3)
	if s1 != "ds1.x" || s2 != "" || err1 != nil || err2 != nil {
		t.Fatal(s1, s2, err1, err2)
	}
}

func TestTrim(t *testing.T) { onBoth(t, testTrim) }

func testTrim(t *testing.T, fresh func() Options) {
	o := fresh()
	d := openMem(t, o)
	a := newAccount(t, d, 7)
	for i := range 20 {
		b := a.Batch()
		es := make([]changelog.Event, 300)
		for j := range es {
			es[j] = changelog.Event{Dot: changelog.Dot{Replica: changelog.Replica{ID: 7}, Seq: uint64(i*300 + j + 1)}, Body: changelog.Subscribe{Path: "a"}}
		}
		b.AppendEvents(int64(i), es)
		b.PutReport(int64(i), make([]byte, 100))
		if err := b.Commit(false); err != nil {
			t.Fatal(err)
		}
	}
	seqs := func() (first, last uint64, reports int) {
		err := a.Events(0, func(seq uint64, at int64, e *changelog.Event) error {
			if first == 0 {
				first = seq
			}
			if last != 0 && seq != last+1 || e.Dot.Seq != seq || at != int64(seq-1)/300 {
				return fmt.Errorf("event %d after %d: %v, %d", seq, last, e, at)
			}
			last = seq
			return nil
		})
		err = errors.Join(err, a.Reports(0, func(uint64, int64, []byte) error { reports++; return nil }))
		if err != nil {
			t.Fatal(err)
		}
		return first, last, reports
	}
	if tr, err := a.Trim(5, 0); err != nil || tr.Events != 1500 || tr.Reports != 5 {
		t.Fatal(tr, err)
	}
	if f, l, r := seqs(); f != 1501 || l != 6000 || r != 15 {
		t.Fatal(f, l, r)
	}
	n := 0
	if err := a.Events(5990, func(seq uint64, _ int64, _ *changelog.Event) error { n++; return nil }); err != nil || n != 11 {
		t.Fatal(n, err)
	}
	if tr, err := a.Trim(0, 1000); err != nil || tr.Reports == 0 || tr.Events == 0 {
		t.Fatal(tr, err)
	}
	if _, err := a.Trim(1<<60, 0); err != nil {
		t.Fatal(err)
	}
	if f, _, r := seqs(); f != 0 || r != 0 {
		t.Fatal(f, r)
	}
	d.Close()
	d = openMem(t, o)
	defer d.Close()
	a, err := d.Account(7)
	if err != nil || nextEvent(a) != 6001 {
		t.Fatalf("numbers begin again at %d, %v", nextEvent(a), err)
	}
	mustClean(t, a)
}

func TestVanished(t *testing.T) { onBoth(t, testVanished) }

func testVanished(t *testing.T, fresh func() Options) {
	d := openMem(t, fresh())
	defer d.Close()
	a := newAccount(t, d, 7)
	g := testGUID(1)
	b := a.Batch()
	b.AddVanished(0, g, 5, []store.UID{9, 1, 2, 3})
	b.AddVanished(0, g, 6, []store.UID{4, 7, 1<<32 - 1})
	b.AddVanished(0, g, 6, []store.UID{4})
	b.AddVanished(0, testGUID(2), 6, []store.UID{100})
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	for since, want := range map[store.ModSeq]string{4: "[{1 4} {7 7} {9 9} {4294967295 4294967295}]", 5: "[{4 4} {7 7} {4294967295 4294967295}]", 6: "[]"} {
		if got, whole, err := a.Vanished([]store.MailboxGUID{g}, since); err != nil || !whole || fmt.Sprint(got) != want {
			t.Errorf("since %d: %v, %v, want %s", since, got, err, want)
		}
	}
	b = a.Batch()
	b.DropVanished(&changelog.Node{GUIDs: []store.MailboxGUID{g}, UIDValidity: 1}, nil)
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	if got, _, err := a.Vanished([]store.MailboxGUID{g}, 0); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
}

// Every single byte of every value is flipped: what is read then is an error that
// names the key, and Check finds it. Missing and superfluous index entries are
// found, and mended by Rebuild.
func TestDamage(t *testing.T) { onBoth(t, testDamage) }

func testDamage(t *testing.T, fresh func() Options) {
	d := openMem(t, fresh())
	defer d.Close()
	a := newAccount(t, d, 7)
	h := newHistory(3, 7)
	for range 6 {
		if err := h.commit(t, a, 5, false); err != nil {
			t.Fatal(err)
		}
	}
	want := content(t, d)
	type kv struct{ k, v []byte }
	var all []kv
	p := prefix(nil, 7, 0)
	d.scan(p, after(p[:accountLen]), func(k, v []byte) error {
		all = append(all, kv{slices.Clone(k), slices.Clone(v)})
		return nil
	})
	for _, x := range all {
		if len(x.v) == 0 {
			raw(t, d, x.k, nil)
			if ps, err := a.Check(); err != nil || len(ps) != 1 || !ps[0].Index {
				t.Fatalf("without %s: %v, %v", keyName(x.k), ps, err)
			}
			if err := a.Rebuild(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for _, i := range []int{0, 4, len(x.v) / 2, len(x.v) - 1} {
			bad := slices.Clone(x.v)
			bad[i] ^= 0x10
			raw(t, d, x.k, &bad)
			ps, err := a.Check()
			if x.k[accountLen] == famFloor {
				continue
			}
			if err != nil || len(ps) != 1 || ps[0].Index || !strings.Contains(ps[0].What, "checksum") {
				t.Fatalf("with %s changed: %v, %v", keyName(x.k), ps, err)
			}
		}
		raw(t, d, x.k, &x.v)
	}
	extra := nameKey(nil, 7, testGUID(0), 77, changelog.Dot{Replica: testReplicas[0], Seq: 9999})
	raw(t, d, extra, new([]byte))
	if ps, err := a.Check(); err != nil || len(ps) != 1 || !ps[0].Index {
		t.Fatal(ps, err)
	}
	if err := a.Rebuild(); err != nil {
		t.Fatal(err)
	}
	mustClean(t, a)
	if content(t, d) != want {
		t.Fatal("not as it was")
	}
}

// A damaged record is an error wherever it is met, never a panic or an empty
// result.
func TestDamagedRecordRead(t *testing.T) { onBoth(t, testDamagedRecordRead) }

func testDamagedRecordRead(t *testing.T, fresh func() Options) {
	d := openMem(t, fresh())
	defer d.Close()
	a := newAccount(t, d, 7)
	h := newHistory(4, 7)
	b := a.Batch()
	for len(h.records) < 3 {
		h.step(b)
	}
	if err := b.Commit(false); err != nil {
		t.Fatal(err)
	}
	id := h.ids()[0]
	key := recordKey(nil, 7, id)
	for _, bad := range [][]byte{nil, {1}, []byte("abcdefgh"), {0, 0, 0, 0}, make([]byte, 100)} {
		raw(t, d, key, &bad)
		var ce *changelog.CorruptError
		check := func(what string, err error) {
			if !errors.As(err, &ce) || !strings.Contains(err.Error(), keyName(key)) {
				t.Errorf("%s with %x: %v", what, bad, err)
			}
		}
		_, err := a.Record(id)
		check("Record", err)
		check("AllRecords", a.AllRecords(func(*Record) error { return nil }))
		check("Records", a.Records([]changelog.Dot{id}, func(changelog.Dot, *Record) error { return nil }))
		check("Rebuild", a.Rebuild())
	}
}

func TestBatchRefuses(t *testing.T) { onBoth(t, testBatchRefuses) }

func testBatchRefuses(t *testing.T, fresh func() Options) {
	d := openMem(t, fresh())
	defer d.Close()
	a := newAccount(t, d, 7)
	before := content(t, d)
	good := &Record{Message: *changelog.NewMessage(changelog.Write{Dot: changelog.Dot{Replica: testReplicas[0], Seq: 1}},
		testGUID(0), store.Content{GUID: "g"}, 0, 0, nil)}
	for name, f := range map[string]func(b *Batch){
		"control character": func(b *Batch) { r := good.Clone(); r.Content.GUID = "a\nb"; b.PutRecord(nil, r) },
		"no origin":         func(b *Batch) { r := good.Clone(); r.Origins = nil; b.PutRecord(nil, r) },
		"long handle": func(b *Batch) {
			r := good.Clone()
			r.Handle = store.Handle(make([]byte, maxHandle+1))
			b.PutRecord(nil, r)
		},
		"endless past": func(b *Batch) {
			r := good.Clone()
			r.Past.AddRange(testReplicas[1], changelog.Range{Lo: 1, Hi: 1 << 60})
			b.PutRecord(nil, r)
		},
		"unsorted": func(b *Batch) {
			r := good.Clone()
			r.Flags = []changelog.FlagWrite{{Write: r.Origins[0], Flag: store.Seen}, {Write: r.Origins[0], Flag: store.Draft}}
			b.PutRecord(nil, r)
		},
		"huge":       func(b *Batch) { b.PutIntent(Intent{Payload: make([]byte, MaxValue)}) },
		"other meta": func(b *Batch) { m := testMeta(8); b.PutMeta(&m) },
	} {
		b := a.Batch()
		b.PutRecord(nil, good)
		f(b)
		if err := b.Commit(true); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if content(t, d) != before {
		t.Error("something was written")
	}
}
