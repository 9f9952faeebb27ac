package logdb

import (
	"sync"
	"testing"

	"dsync/changelog"
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
	b.AddVanished(g, 5, []store.UID{1, 2, 9})
	b.AddVanished(g, 8, []store.UID{3})
	b.AddVanished(testGUID(2), 11, []store.UID{3})
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	for want, g := range map[store.ModSeq]store.MailboxGUID{8: g, 11: testGUID(2), 0: testGUID(3)} {
		if got, err := a.LastVanished(g); got != want || err != nil {
			t.Errorf("%v: %d, %v, want %d", g, got, err, want)
		}
	}
}
