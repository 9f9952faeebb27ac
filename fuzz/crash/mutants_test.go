package crash

import (
	"fmt"
	"testing"
	"time"

	"dsync/changelog/logdb"
	"dsync/store"
)

// on changes the message with the number, if it is in the mailbox.
func (c client) numbered(n store.Name, number int, f func(store.Message) *store.Change) error {
	return c.with(func(s store.Store) error {
		ms, err := list(s, n)
		if err != nil {
			return err
		}
		for _, m := range ms {
			if m.Received.Equal(time.Unix(1600000000+int64(number), 0)) {
				return firstOf(s.Apply(bg, n, f(m)))
			}
		}
		return fmt.Errorf("no message %d in %s", number, n)
	})
}

// meanwhile is what clients do between the crash of the scripted situation and the
// next run: each to mail that was its own.
func meanwhile(a, b client) error {
	gone := func(m store.Message) *store.Change { return &store.Change{Expunge: []store.Handle{m.Handle}} }
	flag := func(m store.Message) *store.Change {
		return &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Flags: store.Answered}}}
	}
	return steps(a.numbered("INBOX", 19, gone), a.numbered("INBOX", 20, flag), b.numbered("INBOX", 24, gone), b.numbered("INBOX", 25, flag),
		a.numbered("made", 22, gone), a.subscribe("made", false))
}

// goOn is settled with clients acting before the next run. A torn batch shows before
// it.
func goOn(w world, o runOptions, want string) error {
	if err := checkBatches(w); err != nil {
		return err
	}
	n := 0
	if err := meanwhile(client{w, 0, &n}, client{w, 1, &n}); err != nil {
		return err
	}
	return settled(w, o, want)
}

// checkBatches looks for batches that stand in part.
func checkBatches(w world) error {
	db, err := logdb.Open("log", logdb.Options{FS: w.log()})
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := db.Accounts()
	if err != nil {
		return err
	}
	for _, info := range all {
		a, err := db.Account(info.Replica.ID)
		if err != nil {
			return err
		}
		if ps, err := a.Check(); err != nil || len(ps) > 0 {
			return fmt.Errorf("torn: %v, %v", ps, err)
		}
	}
	return nil
}

func wantedLater(mk func() (world, error), s situation) (string, error) {
	w, err := mk()
	if err != nil {
		return "", err
	}
	if err := prepare(w, s); err != nil {
		return "", err
	}
	if err := again(w, s.o); err != nil {
		return "", err
	}
	n := 0
	if err := meanwhile(client{w, 0, &n}, client{w, 1, &n}); err != nil {
		return "", err
	}
	if err := again(w, s.o); err != nil {
		return "", err
	}
	return plain(w, 1)
}

// P14, P7, P8: a crash at any write, and clients act before the next run: what they
// did stands, and nothing that they expunged comes back.
func TestCrashAndClients(t *testing.T) {
	for _, k := range worlds {
		t.Run(k.name, func(t *testing.T) {
			want, err := wantedLater(k.make, scripted())
			must(t, err)
			goOnFromEach(t, k.make, 2, func(w world, s situation) error { return goOn(w, s.o, want) })
		})
	}
}

// goOnFromEach runs the scripted situation once with a camera, and goes on by on from
// each image, which is a world of its own; it gives their number.
func goOnFromEach(t *testing.T, mk func() (world, error), seed uint64, on func(world, situation) error) int {
	t.Helper()
	every := 5
	if long() {
		every = 1
	}
	s := scripted()
	w := mustWorld(t, mk)
	must(t, prepare(w, s))
	c, err := shoot(w, s.o, seed, every)
	must(t, err)
	bad := 0
	for _, i := range c.images {
		if err := on(i.w, s); err != nil {
			if bad++; bad < 3 {
				t.Errorf("crash before write %d of %d (%s): %v", i.n, c.writes, i.what, err)
			}
		}
	}
	t.Logf("%d images, %d bad", len(c.images), bad)
	return len(c.images)
}

// E10: the ring notices a log that does not sync, one that splits batches, and a dot
// that is entered before its effect stands: each in one image of twenty at least, so
// that no chance of timing decides.
func TestMutantsAreCaught(t *testing.T) {
	seeds, every := 3, 2
	if long() {
		seeds, every = 8, 1
	}
	s := scripted()
	mk := worlds[0].make
	want, err := wantedLater(mk, s)
	must(t, err)
	for _, m := range []struct {
		name   string
		db     logdb.Options
		before func(world) error
	}{
		{"Sync -> NoSync", logdb.Options{NoSync: true}, nil},
		{"split batch", logdb.Options{SplitBatch: true}, nil},
		{"dot before effect", logdb.Options{}, enterEarly},
	} {
		t.Run(m.name, func(t *testing.T) {
			caught, images := 0, 0
			var first error
			for seed := range uint64(seeds) {
				w := mustWorld(t, mk)
				must(t, prepare(w, s))
				c, err := shoot(w, runOptions{db: m.db}, seed, every)
				must(t, err)
				for _, i := range c.images {
					if m.before != nil {
						must(t, m.before(i.w))
					}
					images++
					if err := goOn(i.w, s.o, want); err != nil {
						if caught++; first == nil {
							first = fmt.Errorf("before write %d (%s): %w", i.n, i.what, err)
						}
					}
				}
			}
			if caught*20 < images {
				t.Fatalf("noticed in %d of %d images only", caught, images)
			}
			t.Logf("noticed in %d of %d images, as in: %.200v", caught, images, first)
		})
	}
}

// enterEarly is the mutant that counts all that the other side has written as seen,
// whatever stands.
func enterEarly(w world) error {
	db, err := logdb.Open("log", logdb.Options{FS: w.log()})
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := db.Accounts()
	if err != nil {
		return err
	}
	for i, info := range all {
		a, err := db.Account(info.Replica.ID)
		if err != nil {
			return err
		}
		peer, err := db.Account(all[1-i].Replica.ID)
		if err != nil {
			return err
		}
		m, p := a.Meta(), peer.Meta()
		m.Seen.Dots.Union(&p.Seen.Dots)
		b := a.Batch()
		b.PutMeta(&m)
		if err := b.Commit(true); err != nil {
			return err
		}
	}
	return nil
}
