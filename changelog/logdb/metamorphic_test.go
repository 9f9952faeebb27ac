package logdb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"dsync/changelog"
	"dsync/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// subject is a log on one backing to which a list of operations is done. All it
// draws comes from the seed, so two subjects of a seed are asked the same.
type subject struct {
	on   Options
	rng  *rand.Rand
	d    *DB
	a    [2]*Account
	hist [2]*history
	said strings.Builder // what the operation under way was answered
}

var subjectAccounts = [2]changelog.ReplicaID{7, 8}

func newSubject(t testing.TB, seed uint64, on Options) *subject {
	s := &subject{on: on, rng: rand.New(rand.NewPCG(seed, 4))}
	s.d = openMem(t, on)
	for i := range s.a {
		s.make(t, i, seed)
	}
	return s
}

func (s *subject) make(t testing.TB, i int, seed uint64) {
	s.a[i], s.hist[i] = newAccount(t, s.d, subjectAccounts[i]), newHistory(seed*2+uint64(i), subjectAccounts[i])
}

func (s *subject) say(format string, args ...any) { fmt.Fprintf(&s.said, format+"\n", args...) }

// open opens the log anew.
func (s *subject) open(t testing.TB, on Options) {
	s.d = openMem(t, on)
	for i := range s.a {
		var err error
		if s.a[i], err = s.d.Account(subjectAccounts[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// crash leaves what a power cut would, once all was synced.
func (s *subject) crash(t testing.TB) {
	if err := s.a[0].Batch().Commit(true); err != nil {
		t.Fatal(err)
	}
	old := s.d
	if s.on.Disk != nil {
		s.on.Disk = s.on.Disk.Crash(nil)
	} else {
		s.on.FS = s.on.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	}
	s.open(t, s.on)
	old.Close()
}

// operations are what a subject is asked to do. Each says what came of it.
var operations = []struct {
	name string
	f    func(t testing.TB, s *subject, a *Account, h *history)
}{
	{"commit", func(t testing.TB, s *subject, a *Account, h *history) {
		s.say("%v", h.commit(t, a, s.rng.IntN(12), s.rng.IntN(2) == 0))
	}},
	{"commit while walking", func(t testing.TB, s *subject, a *Account, h *history) {
		ns, err := a.Names(testGUID(s.rng.IntN(3)))
		for range s.rng.IntN(3) {
			s.say("%v", ns.Next())
		}
		err = errors.Join(err, h.commit(t, a, 8, false))
		for ns.Next() {
			s.say("%d %v", ns.Hash(), ns.ID())
		}
		s.say("%v", errors.Join(err, ns.Close()))
	}},
	{"discard", func(t testing.TB, s *subject, a *Account, h *history) {
		b := a.Batch()
		b.PutRecord(nil, message(s.rng.IntN(9)))
		s.say("%v %d", b.Empty(), b.Size())
		b.Discard()
		s.say("%v", b.Commit(true) != nil)
	}},
	{"trim", func(t testing.TB, s *subject, a *Account, h *history) {
		older, limit := int64(s.rng.Uint64N(h.seq+2)), uint64(0)
		if s.rng.IntN(3) == 0 {
			limit = s.rng.Uint64N(30000)
		}
		due, err := a.TrimDue(older, 0)
		tr, err2 := a.Trim(older, limit)
		s.say("%v %+v %v", due, tr, errors.Join(err, err2))
	}},
	{"rebuild", func(t testing.TB, s *subject, a *Account, h *history) { s.say("%v", a.Rebuild()) }},
	{"tables", func(t testing.TB, s *subject, a *Account, h *history) {
		at := fmt.Sprint("maildir:", s.rng.IntN(4))
		switch s.rng.IntN(4) {
		case 0:
			s.say("%v", s.d.Bind(at, "dev", a.ID()))
		case 1:
			s.say("%v", s.d.Unbind(at))
		case 2:
			s.say("%v", s.d.PutPairState(7, 8, strings.Repeat("s", s.rng.IntN(3))))
		}
		id, who, ok, err := s.d.Lookup(at)
		st, err2 := s.d.PairState(8, 7)
		l, err3 := s.d.Accounts()
		s.say("%v %q %v %q %+v %v", id, who, ok, st, l, errors.Join(err, err2, err3))
	}},
	{"drop", func(t testing.TB, s *subject, a *Account, h *history) {
		i := s.rng.IntN(2)
		s.say("%v", s.d.DropAccount(subjectAccounts[i]))
		_, err := s.d.Account(subjectAccounts[i])
		s.say("%v", err)
		s.make(t, i, s.rng.Uint64())
	}},
	{"reopen", func(t testing.TB, s *subject, a *Account, h *history) {
		s.say("%v", s.d.Close())
		s.open(t, s.on)
	}},
	{"read only", func(t testing.TB, s *subject, a *Account, h *history) {
		s.say("%v", s.d.Close())
		o := s.on
		o.ReadOnly = true
		s.open(t, o)
		for i := range s.a {
			s.read(t, s.a[i], s.hist[i])
		}
		b := s.a[0].Batch()
		b.PutIntent(Intent{Kind: 1})
		s.say("%v", b.Commit(true))
		s.say("%v", s.d.Close())
		s.open(t, s.on)
	}},
	{"crash", func(t testing.TB, s *subject, a *Account, h *history) { s.crash(t) }},
	{"read", func(t testing.TB, s *subject, a *Account, h *history) { s.read(t, a, h) }},
	{"read", func(t testing.TB, s *subject, a *Account, h *history) { s.read(t, a, h) }},
	{"read", func(t testing.TB, s *subject, a *Account, h *history) { s.read(t, a, h) }},
}

// read asks everything that can be read of an account.
func (s *subject) read(t testing.TB, a *Account, h *history) {
	one := func(what string, v any, err error) { s.say("%s: %+v, %v", what, v, err) }
	one("meta", a.Meta(), nil)
	tree, err := a.LoadTree()
	if err != nil {
		t.Fatal(err)
	}
	s.say("tree %x", treeBytes(tree))
	g := testGUID(s.rng.IntN(3))
	m, err := a.Mailbox(g)
	s.say("mailbox %v, %+v, %v", m != nil, m, err)
	ms, err := a.Mailboxes()
	one("mailboxes", len(ms), err)
	some := h.ids()
	some = append(some[len(some)/2:], h.write().Dot)
	for _, id := range append([]changelog.Dot{}, some...) {
		r, err := a.Record(id)
		s.record(id, r)
		one("record", id, err)
	}
	one("records", "", a.Records(some, func(id changelog.Dot, r *Record) error { s.record(id, r); return nil }))
	one("all", "", a.AllRecords(func(r *Record) error { s.record(r.ID(), r); return nil }))
	one("in mailbox", "", a.MailboxRecords(g, func(r *Record) error { s.record(r.ID(), r); return nil }))
	var gs []store.GUID
	for i := range 9 {
		gs = append(gs, store.GUID(fmt.Sprint("g", i)))
	}
	ids, err := a.ByGUID(gs[s.rng.IntN(len(gs))])
	one("by GUID", ids, err)
	known, err := a.KnownGUIDs(gs)
	one("known", known, err)
	gone, whole, err := a.Vanished([]store.MailboxGUID{g}, store.ModSeq(s.rng.Uint64N(h.seq+1)))
	one("vanished", fmt.Sprint(gone, whole), err)
	last, err := a.LastVanished([]store.MailboxGUID{g})
	one("last vanished", last, err)
	from := s.rng.Uint64N(nextEvent(a) + 2)
	one("events", from, a.Events(from, func(seq uint64, at int64, e *changelog.Event) error {
		s.say("%d %d %v %T", seq, at, e.Dot, e.Body)
		return nil
	}))
	one("reports", from, a.Reports(from/50, func(seq uint64, at int64, p []byte) error { s.say("%d %d %s", seq, at, p); return nil }))
	is, err := a.Intents()
	one("intents", is, err)
	var seen changelog.Dots
	for range s.rng.IntN(12) {
		lo := s.rng.Uint64N(h.seq+1) + 1
		seen.AddRange(testReplicas[s.rng.IntN(len(testReplicas))], changelog.Range{Lo: lo, Hi: lo + s.rng.Uint64N(h.seq+1)})
	}
	one("unseen", "", a.Unseen(&seen, func(e EntryRef) error { s.say("%v", e); return nil }))
	one("mentioned", "", a.Mentioned(&seen, func(d changelog.Dot, e EntryRef) error { s.say("%v %v", d, e); return nil }))
	ps, err := a.Check()
	one("check", ps, err)
}

func (s *subject) record(id changelog.Dot, r *Record) {
	if r == nil {
		s.say("%v: none", id)
		return
	}
	s.say("%v %x", id, appendRecord(nil, r))
}

// The same operations on Pebble and on a Disk are answered alike, and leave the same
// keys and values; twice on a Disk they leave the same also in what is not durable.
func TestDiskIsAsPebble(t *testing.T) {
	counts := map[string]int{}
	for seed := range uint64(25) {
		p := newSubject(t, seed, Options{FS: vfs.NewCrashableMem(), memTable: 64 << 10})
		k := newSubject(t, seed, Options{Disk: new(Disk)})
		twin := newSubject(t, seed, Options{Disk: new(Disk)})
		rng := rand.New(rand.NewPCG(seed, 5))
		for i := range 40 {
			o, n := operations[rng.IntN(len(operations))], rng.IntN(2)
			counts[o.name]++
			for _, s := range []*subject{p, k, twin} {
				s.said.Reset()
				o.f(t, s, s.a[n], s.hist[n])
			}
			for what, got := range map[string]string{"a Disk": k.said.String(), "a second Disk": twin.said.String()} {
				if want := p.said.String(); got != want {
					t.Fatalf("seed %d, operation %d, %s, on %s:\n%s\non Pebble:\n%s", seed, i, o.name, what, got, want)
				}
			}
			if have := content(t, k.d); content(t, p.d) != have || content(t, twin.d) != have {
				t.Fatalf("seed %d, operation %d, %s: not the same keys and values", seed, i, o.name)
			}
			if k.on.Disk.Unsynced() != twin.on.Disk.Unsynced() {
				t.Fatalf("seed %d, operation %d, %s: %d and %d batches at risk", seed, i, o.name, k.on.Disk.Unsynced(), twin.on.Disk.Unsynced())
			}
		}
		if err := errors.Join(p.d.Close(), k.d.Close(), twin.d.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range operations {
		if counts[o.name] < 10 {
			t.Errorf("%s was tried %d times only", o.name, counts[o.name])
		}
	}
	t.Logf("%v", counts)
}
