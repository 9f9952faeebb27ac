package live

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"dsync/changelog/logdb"
	"dsync/fuzz/pure"
	"dsync/replay/wire/wiretest"
	"dsync/store"
	"dsync/store/memory"
)

// R1: the connection breaks with each frame of a run, once; the next run gives what
// it would have given. Bodies count as frames.
func TestCutAtEachFrame(t *testing.T) {
	kinds := []memKind{
		{kind: pure.Kind{Replicas: 2, Ops: 12}, mode: Fast, apart: true},
		{kind: pure.Kind{Replicas: 2, Ops: 12, Tree: true}, mode: State, apart: true},
	}
	log := &logs{}
	defer log.close()
	cuts := 0
	for _, k := range kinds {
		for seed := uint64(1); seed <= uint64(histories(6)); seed++ {
			ops := clients(k.generate(seed))
			for cut := 1; ; cut++ {
				db, err := log.get(seed)
				if err != nil {
					t.Fatal(err)
				}
				w := k.world(seed, db)
				broke, err := cutRun(w, ops, func() { w.cut = cut })
				if err != nil {
					t.Fatalf("%s\nseed %d, cut with frame %d: %v", text(ops), seed, cut, err)
				}
				cuts++
				if !broke {
					break
				}
			}
		}
	}
	t.Logf("%d cuts", cuts)
}

// clients leaves out what is no client's work, but for the first run.
func clients(ops []Op) (out []Op) {
	runs := 0
	for _, o := range ops {
		switch o.Verb {
		case pure.SyncWhole:
			if runs++; runs > 1 {
				continue
			}
		case pure.SyncBox, pure.SyncSince, pure.OneWay, pure.Backup, pure.Half, pure.Partly:
			continue
		}
		out = append(out, o)
	}
	return out
}

// cutRun plays a history, makes a run that breaks, and brings all together.
func cutRun(w *world, ops []Op, cut func()) (broke bool, err error) {
	defer w.close()
	for _, o := range ops {
		if err := w.run(o); err != nil {
			return false, err
		}
	}
	before, err := w.both(0, 1)
	if err != nil {
		return false, err
	}
	w.model.look(0, before[0])
	w.model.look(1, before[1])
	cut()
	_, err = w.pair(0, 1, w.pairOptions(0, 1))
	if broke = err != nil; broke && !lost(err) {
		return true, err
	}
	after, err := w.both(0, 1)
	if err != nil {
		return broke, err
	}
	if err := w.kept(before, after); err != nil {
		return broke, err
	}
	w.model.partial(0, 1, before, after)
	return broke, w.converge()
}

// R1 over the wire: it is cut after each piece that either end sends, or in the middle
// of it.
func TestCutWire(t *testing.T) {
	k := memKind{kind: pure.Kind{Replicas: 2, Ops: 12}, mode: Mixed, wired: true}
	log := &logs{}
	defer log.close()
	cuts := 0
	for seed := uint64(1); seed <= uint64(histories(4)); seed++ {
		ops := clients(k.generate(seed))
		for side := range 2 {
			for piece, whole := 0, false; !whole; piece++ {
				db, err := log.get(seed)
				if err != nil {
					t.Fatal(err)
				}
				w := k.world(seed, db)
				cut := wiretest.Cut{On: true, Piece: piece, Byte: piece % 3 * 5}
				broke, err := cutRun(w, ops, func() {
					w.link = &wiretest.Link{AB: cut}
					if side == 1 {
						w.link = &wiretest.Link{BA: cut}
					}
				})
				if err != nil {
					t.Fatalf("%s\nseed %d, cut by side %d after piece %d: %v", text(ops), seed, side, piece, err)
				}
				whole = !broke
				cuts++
			}
		}
	}
	t.Logf("%d cuts", cuts)
}

// trip is a link of 100 ms, there and back.
const trip = 100 * time.Millisecond

// timed makes one run over a link, in virtual time, and tells how many round trips
// passed until the near half had ended.
func timed(t *testing.T, w *world, link wiretest.Link) float64 {
	t.Helper()
	w.link = &link
	start := time.Now()
	var near time.Duration
	w.ended = func(side int) {
		if side == 0 {
			near = time.Since(start)
		}
	}
	if res, err := w.pair(0, 1, w.pairOptions(0, 1)); err != nil || !res.Outcome.Equal {
		t.Fatalf("%v, %+v", err, res.Outcome)
	}
	w.ended = nil
	return float64(near) / float64(trip)
}

// R4: over a link of 100 ms an unchanged account costs one round trip, changes three
// with that one, and bodies one more; a thousand new messages are bound by the
// bandwidth.
func TestRoundTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := logdb.Open("trips", logdb.Options{Disk: &logdb.Disk{}})
		if err != nil {
			t.Fatal(err)
		}
		k := memKind{kind: pure.Kind{Replicas: 2}, mode: Fast, wired: true}
		w := k.world(1, db)
		w.ownDB = true
		defer w.close()
		near, far := w.acc[0].(*memAccount).st.Client(), w.acc[1].(*memAccount).st.Client()
		deliver := func(c *memory.Client, n, size int) {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			for i := range n {
				body := fmt.Appendf(nil, "Subject: %d\n\n", i)
				for len(body) < size {
					body = fmt.Appendf(body, "%016x", rng.Uint64())
				}
				if _, err := c.Deliver("INBOX", body, 0, nil, w.Time()); err != nil {
					t.Fatal(err)
				}
				w.Pass(time.Second)
			}
		}
		link := wiretest.Link{Delay: trip / 2}
		want := func(what string, most float64) {
			t.Helper()
			n := timed(t, w, link)
			t.Logf("%s: %.2f round trips", what, n)
			if n > most {
				t.Errorf("%s: %.2f round trips, want %.1f at most", what, n, most)
			}
		}
		deliver(near, 20, 300)
		want("first sync", 4.1)
		want("nothing changed", 1.1)
		ms, err := near.Messages("INBOX")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(near.AddFlags("INBOX", ms[0].Key, store.Seen), near.Expunge("INBOX", ms[1].Key)); err != nil {
			t.Fatal(err)
		}
		want("changes here", 3.1)
		ms, err = far.Messages("INBOX")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(far.AddFlags("INBOX", ms[3].Key, store.Flagged), far.Expunge("INBOX", ms[4].Key)); err != nil {
			t.Fatal(err)
		}
		want("changes there", 3.1)
		deliver(near, 3, 300)
		want("new mail here", 4.1)
		deliver(far, 3, 300)
		want("new mail there", 4.1)
		deliver(near, 2, 300)
		deliver(far, 2, 300)
		want("new mail on both sides", 5.1)
		const size, rate = 4096, 1 << 20
		deliver(near, 1000, size)
		link.Bandwidth = rate
		bound := float64(1000*size) / rate * float64(time.Second/trip)
		want("1,000 new messages of 4 kB at 1 MiB/s", 1.15*bound+5)
	})
}
