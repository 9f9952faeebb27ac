package recorder_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/store"
	"dsync/store/memory"
)

// crasher takes an image of the log before every write, with part of what was not
// synced.
type crasher struct {
	fs     *vfs.MemFS
	mu     sync.Mutex
	rng    *rand.Rand
	on     bool
	images []*vfs.MemFS
}

func (c *crasher) String() string { return "crasher" }

func (c *crasher) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on {
		percent := [...]int{0, 50, 100}[c.rng.IntN(3)]
		c.images = append(c.images, c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng}))
	}
	return nil
}

// crashWorld is a world whose log can crash.
func crashWorld(t *testing.T) (*world, *crasher) {
	c := &crasher{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(1, 2))}
	w := newWorld(t, memory.Options{})
	w.db.Close()
	w.fs = errorfs.Wrap(c.fs, c)
	w.openDB()
	return w, c
}

// during takes images while f runs.
func (c *crasher) during(f func()) {
	c.mu.Lock()
	c.on = true
	c.mu.Unlock()
	f()
	c.mu.Lock()
	c.on = false
	c.mu.Unlock()
}

// resume opens every image and lets the next scan find what is left: the view is
// the store's again, nothing is doubled, and the scan after it finds nothing.
func (w *world) resume(images []*vfs.MemFS, also func(*recorder.Look)) {
	w.t.Helper()
	for i, fs := range images {
		v := &world{t: w.t, st: w.st, c: w.c, fs: fs, dir: w.dir, ids: w.ids + uint64(i+1)<<32, ticks: w.ticks, o: w.o}
		v.openDB()
		l := v.scan(false)
		if also != nil {
			also(l)
		}
		v.quiet()
		v.db.Close()
	}
}

func TestCrashDuringFirstLook(t *testing.T) {
	defer recorder.SetFlush(7)()
	w, c := crashWorld(t)
	w.ok(w.c.CreateMailbox("x/y"), "create")
	for range 30 {
		w.deliver("INBOX")
		w.deliver("x/y")
	}
	w.open()
	c.during(func() { w.scan(false) })
	t.Logf("%d images", len(c.images))
	if len(c.images) < 15 {
		t.Fatalf("only %d images", len(c.images))
	}
	w.resume(c.images, nil)
	w.db.Close()
}

func TestCrashDuringScan(t *testing.T) {
	for _, flush := range []int{3, 1000} {
		t.Run(fmt.Sprint(flush), func(t *testing.T) {
			defer recorder.SetFlush(flush)()
			w, c := crashWorld(t)
			for _, n := range []store.Name{"a", "b", "c"} {
				w.ok(w.c.CreateMailbox(n), "create")
			}
			for range 6 {
				w.deliver("INBOX")
				w.deliver("a")
				w.deliver("c")
			}
			w.scan(false)
			ms := w.in("INBOX")
			_, err := w.c.Move("INBOX", ms[0].Key, "b")
			w.ok(err, "move")
			w.ok(w.c.Expunge("INBOX", ms[1].Key), "expunge")
			w.ok(w.c.SetFlags("INBOX", ms[2].Key, store.Seen), "flags")
			w.ok(w.c.RenameMailbox("a", "z"), "rename")
			w.ok(w.c.DeleteMailbox("c"), "delete")
			w.ok(w.c.Subscribe("z"), "subscribe")
			for range 10 {
				w.deliver("z")
			}
			c.during(func() { w.scan(false) })
			tombs := w.tombstones()
			if len(c.images) == 0 {
				t.Fatal("no image")
			}
			w.resume(c.images, nil)
			if tombs != 7 {
				t.Fatalf("%d tombstones, want 7", tombs)
			}
			w.db.Close()
		})
	}
}

func TestCrashDuringDeliveries(t *testing.T) {
	defer recorder.SetFlush(3)()
	w, c := crashWorld(t)
	w.deliver("INBOX")
	w.scan(false)
	w.ok(w.c.CreateMailbox("n/m"), "create")
	for range 12 {
		w.deliver("INBOX")
		w.deliver("n/m")
	}
	c.during(func() { w.scan(false) })
	w.resume(c.images, nil)
	w.db.Close()
}

func (w *world) tombstones() (n int) {
	w.t.Helper()
	w.ok(w.r.Account().AllRecords(func(r *logdb.Record) error {
		if !r.Live() {
			n++
		}
		return nil
	}), "records")
	return n
}
