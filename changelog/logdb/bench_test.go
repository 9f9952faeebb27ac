package logdb

import (
	"fmt"
	"testing"
	"time"

	"dsync/changelog"
	"dsync/store"
)

// message is the i-th of a made-up mailbox.
func message(i int) *Record {
	w := changelog.Write{Dot: changelog.Dot{Replica: changelog.Replica{ID: 0xa1b2c3d4e5f60718}, Seq: uint64(i + 1)}, Stamp: changelog.Stamp{Time: 1763931549123456 + int64(i)}}
	g := store.GUID(fmt.Sprintf("%d.M%dP1234Q%d.mail.example.org,S=4321,W=4400", 1700000000+i*61, i*7919%1000000, i))
	c := store.Content{GUID: g, Size: 4321}
	copy(c.Hash[:], "0123456789abcdef")
	r := &Record{Message: *changelog.NewMessage(w, testGUID(1), c, int64(1700000000+i), store.Seen|store.Answered, nil),
		Mailbox: testGUID(1), Handle: store.Handle("cur/" + string(g) + ":2,RS"), Hash: uint64(i) * 0x9e3779b97f4a7c15, ModSeq: store.ModSeq(i + 1), Inode: uint64(1000000 + i)}
	r.UID = store.UID(i + 1)
	return r
}

func fill(tb testing.TB, a *Account, from, to, per int) {
	m := a.Meta()
	for i := from; i < to; i += per {
		b := a.Batch()
		es := make([]changelog.Event, 0, per)
		for j := i; j < min(i+per, to); j++ {
			r := message(j)
			b.PutRecord(nil, r)
			es = append(es, changelog.Event{Dot: r.ID(), Stamp: r.Stamp(), Body: changelog.Deliver{Mailbox: r.Mailbox, Path: "INBOX", UID: r.UID, GUID: r.Content.GUID, Flags: store.Seen}})
			m.Seq = r.ID().Seq
		}
		m.Seen.Dots.AddRange(changelog.Replica{ID: 0xa1b2c3d4e5f60718}, changelog.Range{Lo: 1, Hi: m.Seq})
		b.AppendEvents(1, es)
		b.PutMeta(&m)
		if err := b.Commit(true); err != nil {
			tb.Fatal(err)
		}
	}
}

func benchAccount(b *testing.B, n int) *Account {
	d, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	a := newAccount(b, d, 7)
	fill(b, a, 0, n, 500)
	return a
}

// BenchmarkAppend writes batches of 500 messages with their events, synced.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{20000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			start := cpuTime()
			for b.Loop() {
				d, err := Open(b.TempDir(), Options{})
				if err != nil {
					b.Fatal(err)
				}
				fill(b, newAccount(b, d, 7), 0, n, 500)
				d.Close()
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric((cpuTime()-start).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

func BenchmarkNames100k(b *testing.B) {
	a := benchAccount(b, 100000)
	b.ReportAllocs()
	start := cpuTime()
	for b.Loop() {
		ns, err := a.Names(testGUID(1))
		n, x := 0, uint64(0)
		for err == nil && ns.Next() {
			n++
			x ^= ns.Hash() ^ ns.ID().Seq
		}
		if err := ns.Close(); err != nil || n != 100000 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(1000*(cpuTime()-start).Seconds()/float64(b.N), "cpu-ms/op")
}

func BenchmarkMailboxRecords100k(b *testing.B) {
	a := benchAccount(b, 100000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := a.MailboxRecords(testGUID(1), func(*Record) error { n++; return nil }); err != nil || n != 100000 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(100000*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkRecord(b *testing.B) {
	a := benchAccount(b, 100000)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i = (i + 7919) % 100000
		if r, err := a.Record(message(i).ID()); r == nil || err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnseen finds 100 unseen changes among 100,000 messages.
func BenchmarkUnseen100of100k(b *testing.B) {
	a := benchAccount(b, 100000)
	m := a.Meta()
	batch := a.Batch()
	for i := range 100 {
		r := message(i * 1000)
		old := r.Clone()
		r.SetFlag(changelog.Write{Dot: changelog.Dot{Replica: r.ID().Replica, Seq: uint64(100001 + i)}, Stamp: changelog.Stamp{Time: 1e15}}, store.Flagged, true, changelog.AllShared)
		batch.PutRecord(old, r)
	}
	if err := batch.Commit(true); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := a.Unseen(&m.Seen.Dots, func(EntryRef) error { n++; return nil }); err != nil || n != 100 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	d, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	fill(b, newAccount(b, d, 7), 0, 20000, 500)
	d.Close()
	for b.Loop() {
		t := time.Now()
		d, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(t).Seconds()*1000, "open-ms")
		if _, err := d.Account(7); err != nil {
			b.Fatal(err)
		}
		d.Close()
	}
}
