package merge_test

import (
	"fmt"
	"testing"
	"time"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// account makes a side with one mailbox of n messages, made by replica id, and a
// side that has seen none of it.
func account(n int) (full, empty merge.Side) {
	var seq uint64
	rep := changelog.Replica{ID: 1}
	var seen changelog.Dots
	mint := func() changelog.Write {
		seq++
		d := changelog.Dot{Replica: rep, Seq: seq}
		return changelog.Write{Dot: d, Stamp: changelog.Stamp{Time: int64(seq)}}
	}
	t := &changelog.Tree{}
	e := &changelog.Edit{Tree: t}
	box, err := e.Create(store.Inbox, store.MailboxGUID{1}, mint, false, false)
	if err != nil {
		panic(err)
	}
	ms := make([]*changelog.Message, n)
	for i := range ms {
		w := mint()
		ms[i] = changelog.NewMessage(w, box.GUID(), store.Content{GUID: store.GUID(fmt.Sprintf("g%08d", i)), Size: 4000, Hash: store.HeaderHash{byte(i), byte(i >> 8), byte(i >> 16), 1}}, int64(i), store.Seen, nil)
		ms[i].UID = store.UID(i + 1)
		box.Deliver(w)
	}
	box.UIDValidity, box.UIDNext = 1000, store.UID(n+1)
	box.Past = changelog.Dots{}
	t.Hold(store.Inbox, 1000, box.GUID())
	seen.AddRange(rep, changelog.Range{Lo: 1, Hi: seq})
	return merge.Side{Seen: seen, Tree: t, Messages: ms}, merge.Side{Tree: &changelog.Tree{}}
}

// The first sync of an account: all messages at one side only.
func BenchmarkMergeOneSide(b *testing.B) {
	full, empty := account(100_000)
	b.ReportAllocs()
	for b.Loop() {
		r := merge.Merge(full, empty, merge.Options{})
		if len(r.After[1].Messages) != 100_000 {
			b.Fatal("messages are missing")
		}
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "events/s")
}

// Two equal accounts: every message at both sides.
func BenchmarkMergeBothSides(b *testing.B) {
	full, _ := account(100_000)
	b.ReportAllocs()
	for b.Loop() {
		merge.Merge(full, full, merge.Options{})
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "events/s")
}

// 100,000 messages at one side only merge in half a second, with the dots that may
// be entered (S1, S4). The limit here is wide: test machines are shared.
func TestMergeOneSideIsQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	full, empty := account(100_000)
	best := time.Hour
	for range 3 {
		start := time.Now()
		r := merge.Merge(full, empty, merge.Options{})
		in := r.Enter(1, nil)
		best = min(best, time.Since(start))
		if !in.Equal(&full.Seen) {
			t.Fatalf("entered %v, want %v", in, full.Seen)
		}
	}
	t.Logf("%v", best)
	if best > 2*time.Second {
		t.Errorf("100,000 messages took %v", best)
	}
}
