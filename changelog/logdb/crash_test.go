package logdb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dsync/changelog"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"pgregory.net/rapid"
)

// image is what a crash at one write may leave behind.
type image struct {
	op              string
	on              Options // what is left
	synced, started int64   // commits known durable before, and begun, at the crash
}

// crasher runs a history on a memory file system, or on a Disk, and takes an image
// before every write, with part of what was not synced.
type crasher struct {
	fs              *vfs.MemFS // if disk is nil
	disk            *Disk
	synced, started atomic.Int64
	mu              sync.Mutex
	rng             *rand.Rand
	images          []image
	states          [][32]byte // content after each commit; [0]: of an empty database
}

func newCrasher(seed uint64) *crasher {
	return &crasher{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, 2))}
}

func (c *crasher) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.image(fmt.Sprint(op))
	return nil
}

func (c *crasher) String() string { return "crasher" }

// options are for a log that is crashed at every write.
func (c *crasher) options() Options {
	if c.disk != nil {
		c.disk.Watch(func(s DiskStep) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.image(fmt.Sprintf("step %+v", s))
			return nil
		})
		return Options{Disk: c.disk}
	}
	return Options{FS: errorfs.Wrap(c.fs, c), memTable: 64 << 10}
}

func (c *crasher) image(op string) {
	i := image{op: op, synced: c.synced.Load()}
	if c.disk != nil {
		i.on.Disk = c.disk.Crash(c.rng)
	} else {
		percent := [...]int{0, 25, 50, 75, 100}[c.rng.IntN(5)]
		i.on.FS = c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng})
	}
	i.started = c.started.Load()
	c.images = append(c.images, i)
}

// do runs one commit and notes the state that it leaves.
func (c *crasher) do(t testing.TB, d *DB, f func() (synced bool, err error)) error {
	n := c.started.Add(1)
	synced, err := f()
	if err != nil {
		return err
	}
	if synced {
		c.synced.Store(n)
	}
	c.states = append(c.states, content(t, d))
	return nil
}

// step is one commit of a history.
type step struct {
	changes int
	sync    bool
	trim    bool
	reopen  bool // close and open the database before
}

// run plays a history through a database.
func (c *crasher) run(t testing.TB, o Options, seed uint64, steps []step) error {
	d, err := Open("log", o)
	if err != nil {
		return err
	}
	c.states = append(c.states, content(t, d))
	var a *Account
	if err := c.do(t, d, func() (_ bool, err error) { a, err = d.NewAccount(testMeta(7)); return true, err }); err != nil {
		return err
	}
	h := newHistory(seed, 7)
	for _, s := range steps {
		if s.reopen {
			if err := d.Close(); err != nil {
				return err
			}
			if d, err = Open("log", o); err != nil {
				return err
			}
			if a, err = d.Account(7); err != nil {
				return err
			}
		}
		err := c.do(t, d, func() (bool, error) {
			if s.trim {
				tr, err := a.Trim(int64(h.seq/2), 0)
				return tr.Events+tr.Reports > 0, err
			}
			return s.sync, h.commit(t, a, s.changes, s.sync)
		})
		if err != nil {
			return err
		}
	}
	return d.Close()
}

// judge opens an image and reports what is wrong with it.
func (c *crasher) judge(t testing.TB, i image) error {
	d, err := Open("log", i.on)
	if err != nil {
		return fmt.Errorf("crash before %s: %w", i.op, err)
	}
	defer d.Close()
	have := content(t, d)
	ok := false
	for k := i.synced; k <= i.started && int(k) < len(c.states); k++ {
		ok = ok || c.states[k] == have
	}
	if !ok {
		for k, s := range c.states {
			if s == have {
				return fmt.Errorf("crash before %s: state %d stands, %d were synced, %d begun", i.op, k, i.synced, i.started)
			}
		}
		return fmt.Errorf("crash before %s: a torn state stands, %d commits synced, %d begun", i.op, i.synced, i.started)
	}
	l, err := d.Accounts()
	if err != nil {
		return err
	}
	for _, info := range l {
		a, err := d.Account(info.Replica.ID)
		if err != nil {
			return err
		}
		if ps, err := a.Check(); err != nil || len(ps) > 0 {
			return fmt.Errorf("crash before %s: %v, %v", i.op, ps, err)
		}
	}
	return nil
}

// scripted is a history with every kind of step: large and small batches, synced
// or not, trims, closing and opening again, and enough bytes to flush and compact.
func scripted() []step {
	var steps []step
	for i := range 40 {
		steps = append(steps, step{changes: 1 + i%7*4, sync: i%3 != 1, trim: i%13 == 12, reopen: i%11 == 5})
	}
	return steps
}

// crash plays a history and gives the number of images and those that are wrong.
// Of the options it takes the mutants, and the Disk as a sign to use one.
func crash(t testing.TB, o Options, seed uint64, steps []step) (images int, wrong []error) {
	c := newCrasher(seed)
	c.disk = o.Disk
	on := c.options()
	on.NoSync, on.SplitBatch = o.NoSync, o.SplitBatch
	if err := c.run(t, on, seed, steps); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	c.mu.Lock()
	c.image("the end")
	c.mu.Unlock()
	for _, i := range c.images {
		if err := c.judge(t, i); err != nil {
			wrong = append(wrong, err)
		}
	}
	return len(c.images), wrong
}

// P14, E5: a crash at every write leaves a prefix of the commits that holds all
// synced ones, no torn batch, and sound indexes.
func TestCrashScripted(t *testing.T) {
	t.Run("pebble", func(t *testing.T) { crashScripted(t, 2, func() Options { return Options{} }) })
	t.Run("disk", func(t *testing.T) { crashScripted(t, 4, func() Options { return Options{Disk: new(Disk)} }) })
}

func crashScripted(t *testing.T, n int, fresh func() Options) {
	if s, err := strconv.Atoi(os.Getenv("DSYNC_CRASH_SEEDS")); err == nil {
		n = s
	}
	total := 0
	for seed := range uint64(n) {
		images, wrong := crash(t, fresh(), seed, scripted())
		total += images
		for _, err := range wrong {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	t.Logf("%d crash images", total)
}

func TestCrashGenerated(t *testing.T) {
	total, runs := 0, 0
	stop := time.Now().Add(4 * time.Second)
	rapid.Check(t, func(t *rapid.T) {
		if time.Now().After(stop) {
			return
		}
		seed := rapid.Uint64().Draw(t, "seed")
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{rapid.IntRange(0, 20).Draw(t, "changes"), rapid.Bool().Draw(t, "sync"), rapid.IntRange(0, 9).Draw(t, "trim") == 0, rapid.IntRange(0, 7).Draw(t, "reopen") == 0}
		}), 1, 12).Draw(t, "steps")
		for _, o := range []Options{{}, {Disk: new(Disk)}} {
			images, wrong := crash(rapidTB{t: t}, o, seed, steps)
			if total += images; len(wrong) > 0 {
				t.Fatalf("%v", wrong[0])
			}
		}
		runs++
	})
	t.Logf("%d crash images in %d histories", total, runs)
}

// rapidTB lends a *rapid.T to what wants a testing.TB.
type rapidTB struct {
	testing.TB
	t *rapid.T
}

func (r rapidTB) Fatal(args ...any)            { r.t.Fatal(args...) }
func (r rapidTB) Fatalf(f string, args ...any) { r.t.Fatalf(f, args...) }
func (r rapidTB) Helper()                      {}

// E10: the harness notices a log that does not sync, and one that splits batches.
func TestCrashMutantsAreCaught(t *testing.T) {
	for name, o := range map[string]Options{"Sync -> NoSync": {NoSync: true}, "split batch": {SplitBatch: true},
		"Sync -> NoSync on a Disk": {NoSync: true, Disk: new(Disk)}, "split batch on a Disk": {SplitBatch: true, Disk: new(Disk)}} {
		images, wrong := crash(t, o, 1, scripted())
		if len(wrong) == 0 {
			t.Errorf("%s: not noticed in %d crash images", name, images)
			continue
		}
		t.Logf("%s: noticed in %d of %d crash images, as in: %v", name, len(wrong), images, wrong[0])
	}
}

// failer fails one write, by its number, and counts them.
type failer struct {
	at, n  atomic.Int64
	failed atomic.Bool
	// died is told of a directory that could not be synced: Pebble panics then,
	// in a goroutine of its own.
	died func(error)
}

var errDisk = errors.New("the disk failed")

func (f *failer) String() string { return "failer" }

func (f *failer) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || f.n.Add(1) != f.at.Load() {
		return nil
	}
	f.failed.Store(true)
	if op.Kind == errorfs.OpFileSync && op.Path == "log" && f.died != nil {
		f.died(errDisk)
	}
	return errDisk
}

// An error at any write gives an error or a dead process, and what stands after a
// restart is a prefix with all that was reported as synced: never a wrong result.
func TestErrorAtEveryWrite(t *testing.T) {
	steps := scripted()[:12]
	errs, deaths, unharmed := 0, 0, 0
	for at := int64(1); ; at++ {
		c := newCrasher(uint64(at))
		f := &failer{}
		f.at.Store(at)
		done, dead := make(chan error, 1), make(chan error, 8)
		f.died = func(err error) {
			dead <- err
			select {} // the process is dead
		}
		o := Options{memTable: 64 << 10, Fatal: f.died}
		o.FS = errorfs.Wrap(c.fs, f)
		go func() { done <- c.run(t, o, 5, steps) }()
		select {
		case err := <-done:
			if err != nil {
				errs++
			} else {
				unharmed++
			}
		case <-dead:
			deaths++
		case <-time.After(30 * time.Second):
			t.Fatalf("write %d: stuck", at)
		}
		if !f.failed.Load() {
			break
		}
		for _, percent := range []int{0, 100} {
			i := image{op: fmt.Sprintf("after a failure of write %d", at), synced: c.synced.Load(), started: c.started.Load()}
			i.on.FS = c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng})
			want := newCrasher(0) // states of the same history, unharmed
			want.states = unharmedStates(t, steps)
			if err := want.judge(t, i); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
	t.Logf("%d errors, %d deaths, %d unharmed", errs, deaths, unharmed)
	if errs == 0 || deaths == 0 {
		t.Error("the failures did not strike")
	}
}

var unharmedStates = func() func(t testing.TB, steps []step) [][32]byte {
	var states [][32]byte
	return func(t testing.TB, steps []step) [][32]byte {
		if states == nil {
			c := newCrasher(0)
			if err := c.run(t, Options{FS: c.fs, memTable: 64 << 10}, 5, steps); err != nil {
				t.Fatal(err)
			}
			states = c.states
		}
		return states
	}
}()

// A Commit that met the failure itself gives an error, and nothing is read or
// written any more.
func TestDeadDatabaseRefuses(t *testing.T) {
	fs := vfs.NewCrashableMem()
	f := &failer{}
	d, err := Open("log", Options{FS: errorfs.Wrap(fs, f)})
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.NewAccount(testMeta(7))
	if err != nil {
		t.Fatal(err)
	}
	f.at.Store(f.n.Load() + 1)
	b := a.Batch()
	b.PutIntent(Intent{Kind: 1})
	if err := b.Commit(true); !errors.Is(err, ErrDead) {
		t.Fatalf("commit: %v", err)
	}
	b = a.Batch()
	b.PutIntent(Intent{Kind: 1})
	_, err1 := a.Intents()
	_, err2 := a.Record(changelog.Dot{Replica: testReplicas[0], Seq: 1})
	for _, err := range []error{b.Commit(false), err1, err2, d.Close()} {
		if !errors.Is(err, ErrDead) {
			t.Errorf("%v, want ErrDead", err)
		}
	}
}
