package crash

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/fuzz/live"
	"dsync/merge"
	"dsync/replay/session"
	"dsync/store"
	"dsync/store/maildir"
	"dsync/store/maildir/memdisk"
	"dsync/store/memory"
	"dsync/store/storetest"
)

var bg = context.Background()

func long() bool { return os.Getenv("DSYNC_CRASH") == "long" }

// clock ticks a millisecond a look.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(time.Millisecond)
	return c.t
}

func (c *clock) micros() int64 { return c.now().UnixMicro() }

// world is two accounts and the log of both.
type world interface {
	// open opens an account as a run would.
	open(i int) (store.Store, error)
	// image is what a crash at this moment may leave, by the seed: all that was
	// written (the process died), or part of what was not synced (the machine did).
	image(seed uint64) world
	// hook has f called before each write of an account; nil: nothing.
	hook(f func())
	now() int64
	log() *vfs.MemFS
	// residue names files that no run may leave.
	residue() ([]string, error)
	// fault makes the n-th write of account i from now fail once with err.
	fault(i, n int, err error)
	// faulted reports whether it did.
	faulted() bool
}

// memWorld is a world of two memory stores.
type memWorld struct {
	st   [2]*memory.Store
	id   [2]string
	lg   *vfs.MemFS
	c    *clock
	mu   sync.Mutex
	left int
	side int
	err  error
	f    func()
}

func newMemWorld(late bool) *memWorld {
	w := &memWorld{lg: vfs.NewCrashableMem(), c: newClock()}
	for i := range w.st {
		w.st[i] = memory.New(memory.Options{Name: string(rune('a' + i)), Seed: uint64(i + 1), Clock: w.c.now, LateUIDs: late})
		w.id[i] = w.st[i].Identity()
	}
	return w
}

// sameID keeps the identity that a clone of a memory store gives up.
type sameID struct {
	*memory.Store
	id string
}

func (s sameID) Identity() string { return s.id }

func (w *memWorld) open(i int) (store.Store, error) {
	s := w.st[i].Reopen("run")
	s.SetFail(func(op string, _ store.Name, _ string) error {
		if !memory.IsWrite(op) {
			return nil
		}
		if w.f != nil {
			w.f()
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err == nil || w.side != i {
			return nil
		}
		if w.left--; w.left == 0 {
			return w.err
		}
		return nil
	})
	return sameID{s, w.id[i]}, nil
}

func (w *memWorld) image(seed uint64) world {
	r := rand.New(rand.NewPCG(seed, 3))
	c := &memWorld{c: w.c, id: w.id}
	power := r.IntN(2) == 0
	for i := range w.st {
		if power {
			c.st[i] = w.st[i].Crash()
		} else {
			c.st[i] = w.st[i].Clone()
		}
	}
	c.lg = cloneLog(w.lg, power, r)
	return c
}

func cloneLog(lg *vfs.MemFS, power bool, r *rand.Rand) *vfs.MemFS {
	percent := 100
	if power {
		percent = [...]int{0, 0, 50, 100}[r.IntN(4)]
	}
	return lg.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: r})
}

func (w *memWorld) hook(f func())              { w.f = f }
func (w *memWorld) now() int64                 { return w.c.micros() }
func (w *memWorld) log() *vfs.MemFS            { return w.lg }
func (w *memWorld) residue() ([]string, error) { return nil, nil }

func (w *memWorld) fault(i, n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.side, w.left, w.err = i, n, err
}

func (w *memWorld) faulted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil && w.left <= 0
}

// diskWorld is two Maildirs on one disk in memory.
type diskWorld struct {
	d     *memdisk.Disk
	o     [2]maildir.Options
	lg    *vfs.MemFS
	power bool // the machine died, not the process alone
}

func newDiskWorld(fs bool) (*diskWorld, error) {
	w := &diskWorld{d: memdisk.New(), lg: vfs.NewCrashableMem(), o: [2]maildir.Options{{Path: "/a"}, {Path: "/b", FS: fs}}}
	for i := range w.o {
		s, err := w.d.Create(w.o[i])
		if err != nil {
			return nil, err
		}
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	return w, w.d.Sync()
}

func (w *diskWorld) open(i int) (store.Store, error) {
	s, err := w.d.Open(w.o[i])
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (w *diskWorld) image(seed uint64) world {
	r := rand.New(rand.NewPCG(seed, 3))
	power := r.IntN(2) == 0
	c := &diskWorld{d: w.d.Clone(), o: w.o, power: power}
	if power {
		c.d.Reboot(seed)
	}
	c.lg = cloneLog(w.lg, power, r)
	return c
}

func (w *diskWorld) hook(f func())   { w.d.SetHook(f) }
func (w *diskWorld) now() int64      { return w.d.Now().UnixMicro() }
func (w *diskWorld) log() *vfs.MemFS { return w.lg }

func (w *diskWorld) residue() ([]string, error) {
	var out []string
	for _, o := range w.o {
		names, err := w.d.Files(o.Path)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			// That a lock or its temporary file was removed need not be durable: a power
			// cut may bring it back, dead by its age.
			side := strings.HasSuffix(n, ".lock") && !strings.HasSuffix(n, "/dsync.lock") || strings.Contains(n, "/dsync-tmp")
			if strings.Contains(n, "/tmp/") || side && !w.power {
				out = append(out, n)
			}
		}
	}
	return out, nil
}

func (w *diskWorld) fault(_, n int, err error) {
	w.d.Arm(n, err)
	w.power = true // the removal of a lock may fail, too
}
func (w *diskWorld) faulted() bool { return true }

// runOptions are those of one run.
type runOptions struct {
	dir    merge.Direction
	source int
	whole  bool
	apart  bool // by two halves, as two processes make it
	db     logdb.Options
}

// run makes one run, as the program does.
func run(ctx context.Context, w world, o runOptions) (*session.PairResult, error) {
	policy, err := merge.PolicyByName("")
	if err != nil {
		return nil, err
	}
	if o.db.FS == nil {
		o.db.FS = w.log()
	}
	db, err := logdb.Open("log", o.db)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	var st [2]store.Store
	for i := range st {
		if st[i], err = w.open(i); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	po := session.PairOptions{
		Policy: policy, Direction: o.dir, Source: o.source, Whole: o.whole, Brake: recorder.Brake{Off: true},
		Now: w.now, NewID: rand.Uint64, Run: "crash",
	}
	var res *session.PairResult
	if o.apart {
		res, err = live.Apart(ctx, [2]*logdb.DB{db, db}, st, po, nil, 0)
	} else {
		res, err = session.Pair(ctx, db, st, po)
	}
	for i := range st {
		err = errors.Join(err, st[i].Close())
	}
	return res, errors.Join(err, db.Close())
}

// failures are what a run could not do.
func failures(res *session.PairResult) (out []error) {
	for _, e := range res.Ends {
		if e == nil || e.Player == nil {
			continue
		}
		for _, f := range e.Player.Report.Failed {
			out = append(out, fmt.Errorf("%s %s %s: %w", f.Mailbox, f.GUID, f.What, f.Err))
		}
	}
	return out
}

// dump lists both accounts, bodies included.
func dump(w world) (out [2]string, err error) {
	for i := range out {
		s, err := w.open(i)
		if err != nil {
			return out, err
		}
		if out[i], err = storetest.DumpBodies(bg, s); err != nil {
			return out, err
		}
		if err := s.Close(); err != nil {
			return out, err
		}
	}
	return out, nil
}

// plain lists what of an account a crash may not change: everything but UIDs and
// GUIDs.
func plain(w world, i int) (string, error) {
	s, err := w.open(i)
	if err != nil {
		return "", err
	}
	defer s.Close()
	tree, _, err := s.Tree(bg)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, m := range tree.Mailboxes {
		fmt.Fprintf(&b, "%q %v\n", m.Name, m.NoSelect)
		if m.NoSelect {
			continue
		}
		ms, err := list(s, m.Name)
		if err != nil {
			return "", err
		}
		var lines []string
		for _, x := range ms {
			h, err := hashOf(s, m.Name, x.Handle)
			if err != nil {
				return "", err
			}
			lines = append(lines, fmt.Sprintf("  %s %v %v %d\n", h, x.Flags, x.Keywords, x.Received.Unix()))
		}
		slices.Sort(lines)
		for _, l := range lines {
			b.WriteString(l)
		}
	}
	fmt.Fprintf(&b, "%q %v\n", tree.Subscriptions, tree.Attributes)
	return b.String(), nil
}

func list(s store.Store, n store.Name) ([]store.Message, error) {
	sn, err := s.Scan(bg, n, nil)
	if err != nil {
		return nil, err
	}
	idx := make([]int, sn.Len())
	for i := range idx {
		idx[i] = i
	}
	ms, skips, err := sn.Describe(bg, idx)
	if err == nil && len(skips) > 0 {
		err = fmt.Errorf("skipped: %v", skips)
	}
	slices.SortFunc(ms, func(a, b store.Message) int { return strings.Compare(a.Key, b.Key) })
	return ms, err
}

// hashOf is the subject and the hash of a message.
func hashOf(s store.Store, n store.Name, h store.Handle) (string, error) {
	r, err := s.Open(bg, n, h)
	if err != nil {
		return "", err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	subject, _, _ := strings.Cut(string(body), "\n")
	return fmt.Sprintf("%s %x", subject, sha256.Sum256(body))[:24], nil
}

// checkLog checks the log of both accounts.
func checkLog(w world) error {
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
		ps, err := a.Check()
		if err != nil || len(ps) > 0 {
			return fmt.Errorf("log of %s: %v, %v", info.Location, ps, err)
		}
		in, err := a.Intents()
		if err != nil || len(in) > 0 {
			return fmt.Errorf("log of %s: %d intents left, %v", info.Location, len(in), err)
		}
	}
	return nil
}

// camera takes images of a world before each write of a run.
type camera struct {
	mu     sync.Mutex
	w      world
	seed   uint64
	every  int // one of so many
	writes int
	images []shot
}

type shot struct {
	n    int
	what string
	w    world
}

func (c *camera) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		c.take(fmt.Sprint("log: ", op))
	}
	return nil
}

func (c *camera) String() string { return "camera" }

func (c *camera) take(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	if c.every > 1 && (uint64(c.writes)+c.seed)%uint64(c.every) != 0 {
		return
	}
	c.images = append(c.images, shot{c.writes, what, c.w.image(c.seed*1000 + uint64(c.writes))})
}

// shoot makes a run and takes images of it.
func shoot(w world, o runOptions, seed uint64, every int) (*camera, error) {
	c := &camera{w: w, seed: seed, every: every}
	o.db.FS = errorfs.Wrap(w.log(), c)
	w.hook(func() { c.take("store") })
	res, err := run(bg, w, o)
	w.hook(nil)
	if err != nil {
		return nil, err
	}
	if f := failures(res); len(f) > 0 {
		return nil, fmt.Errorf("the run without crash: %v", f)
	}
	return c, nil
}

// settled makes runs until one has nothing left to do, and judges what stands:
// both sides are equal and as want, and nothing is left over.
func settled(w world, o runOptions, want string) error {
	if err := again(w, o); err != nil {
		return err
	}
	return judge(w, o, want)
}

// wholes counts the runs that had to compare everything.
var wholes atomic.Int64

// again makes runs, as the program does, until one ends with 0: two at most.
func again(w world, o runOptions) error {
	var said []string
	for range 2 {
		res, err := run(bg, w, o)
		if err != nil {
			return fmt.Errorf("next run: %w", err)
		}
		f := failures(res)
		if !res.Outcome.Equal && len(f) == 0 && !res.Whole {
			wholes.Add(1)
			x := o
			x.whole = true
			if res, err = run(bg, w, x); err != nil {
				return fmt.Errorf("next run, comparing everything: %w", err)
			}
			f = failures(res)
		}
		if res.Outcome.Equal && len(f) == 0 {
			return nil
		}
		said = append(said, fmt.Sprintf("equal %v, failures %v", res.Outcome.Equal, f))
	}
	d, err := dump(w)
	if err != nil {
		return err
	}
	return fmt.Errorf("two runs did not do: %s\n%s", strings.Join(said, "; "), diff(blank(d[0]), blank(d[1])))
}

func judge(w world, o runOptions, want string) error {
	d, err := dump(w)
	if err != nil {
		return err
	}
	if blank(d[0]) != blank(d[1]) {
		return fmt.Errorf("the sides differ, near (+) and far (-):\n%s", diff(blank(d[0]), blank(d[1])))
	}
	got, err := plain(w, 1-o.source)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("the result is another, got (+) and wanted (-):\n%s", diff(got, want))
	}
	left, err := w.residue()
	if err != nil || len(left) > 0 {
		return fmt.Errorf("left over: %q, %v", left, err)
	}
	return checkLog(w)
}

// diff lists lines that only one of two texts has.
func diff(a, b string) string {
	var out strings.Builder
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, l := range x {
		if !slices.Contains(y, l) {
			fmt.Fprintln(&out, "+", l)
		}
	}
	for _, l := range y {
		if !slices.Contains(x, l) {
			fmt.Fprintln(&out, "-", l)
		}
	}
	return out.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var guids = regexp.MustCompile(`(?m)^(mailbox "[^"]*") guid=[0-9a-f]{32}`)

// blank leaves mailbox GUIDs out, which a Maildir may not have.
func blank(s string) string { return guids.ReplaceAllString(s, "$1") }

func hash(b []byte) []byte { h := sha256.Sum256(b); return h[:8] }
