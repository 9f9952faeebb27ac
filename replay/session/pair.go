package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/merge"
	"dsync/replay"
	"dsync/store"
)

// PairOptions are those of a run between two stores of this process.
type PairOptions struct {
	Policy    *merge.Policy
	Direction merge.Direction
	Source    int // with OneWay and Mirror: index of the source
	Filter    *merge.Filter
	Run       string // the options as text
	Whole     bool   // full comparison: every listing anew, every entry compared
	DryRun    bool
	Brake     recorder.Brake
	LockWait  time.Duration
	Now       func() int64
	NewID     func() uint64
	Notice    func(level int, line string)
	Progress  func(side int, done, bytes int64)
	// Unequal takes what both ends had exchanged (two deltas, encoded, this end's first)
	// when they came to different plans; nil: nobody.
	Unequal func(own, theirs []byte)
	// Turns, if not nil, is asked before a store is locked.
	Turns Turns
	// Between is called when both stores have been looked at; tests act as clients.
	Between func()
	// Check is called before anything is compared, with what both ends say of
	// themselves; it may ask for a full comparison.
	Check func(a, b *Hello, tags [2][]changelog.Position) (whole bool)

	// Clocks, if set, are the clocks of the two ends, instead of Now.
	Clocks [2]func() int64
	// Drive, if set, drives the two ends instead of Both. Then everything happens in
	// the caller's goroutine, one thing after another: for simulations.
	Drive func(ctx context.Context, ends [2]*Driver) error
}

func (o *PairOptions) clock(i int) func() int64 {
	if o.Clocks[i] != nil {
		return o.Clocks[i]
	}
	return o.Now
}

// PairResult is what a run came to.
type PairResult struct {
	Outcome  *Outcome // of the first store's end
	Looks    [2]*recorder.Look
	Ends     [2]*Local
	Replicas [2]changelog.Replica
	// Changed tells which stores the run wrote to.
	Changed [2]bool
	Whole   bool
}

// ErrSameStore: both ends are one place.
var ErrSameStore = errors.New("both ends are the same store")

// Pair makes one run between two stores whose logs are in db. The stores are
// locked, looked at, compared, and changed.
func Pair(ctx context.Context, db *logdb.DB, st [2]store.Store, o PairOptions) (*PairResult, error) {
	return PairLogs(ctx, [2]*logdb.DB{db, db}, st, o)
}

// PairLogs is Pair where each store has its log in a database of its own.
func PairLogs(ctx context.Context, db [2]*logdb.DB, st [2]store.Store, o PairOptions) (*PairResult, error) {
	if st[0].Identity() == st[1].Identity() {
		return nil, fmt.Errorf("%w: %s", ErrSameStore, st[0].Location())
	}
	unlock, err := lockBoth(ctx, st, o)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var recs [2]*recorder.Recorder
	for i := range st {
		if recs[i], err = open(ctx, db[i], st[i], o, i); err != nil {
			return nil, fmt.Errorf("open the change log of %s: %w", st[i].Location(), err)
		}
	}
	if recs[0].Replica().ID == recs[1].Replica().ID {
		return nil, fmt.Errorf("%w: one is a copy of the other, and the log could not tell which", ErrSelf)
	}
	res := &PairResult{Replicas: [2]changelog.Replica{recs[0].Replica(), recs[1].Replica()}}
	if err := scanBoth(ctx, recs, o, res); err != nil {
		return res, err
	}
	if err := confront(ctx, recs, res, o); err != nil {
		return res, err
	}
	if o.Between != nil {
		o.Between()
	}
	return res, talk(ctx, recs, o, res)
}

func (o *PairOptions) unequal(err error, d *Driver) {
	if errors.Is(err, ErrPlans) && o.Unequal != nil {
		own, theirs := d.m.own, d.m.theirs
		o.Unequal((&Frame{Kind: KindDelta, Delta: own}).Encode(), (&Frame{Kind: KindDelta, Delta: theirs}).Encode())
	}
}

func (o *PairOptions) readOnly(i int) bool { return o.DryRun || o.source(i) }

func (o *PairOptions) source(i int) bool { return o.Direction != merge.TwoWay && i == o.Source }

// lockBoth locks both stores, always in the same order, so that two runs that
// start from either end do not wait for each other.
func lockBoth(ctx context.Context, st [2]store.Store, o PairOptions) (func(), error) {
	first, second := 0, 1
	if st[1].Identity() < st[0].Identity() {
		first, second = 1, 0
	}
	lock := func(i int) (func() error, error) { return o.lock(ctx, st[i], i, o.LockWait) }
	a, err := lock(first)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", st[first].Location(), err)
	}
	b, err := lock(second)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", st[second].Location(), err), a())
	}
	return func() { b(); a() }, nil
}

// Turns lets the runs of one process on one store follow one another in the order in
// which they came: the store's lock excludes them too, but not fairly, and not where
// the store cannot be written.
type Turns interface {
	// Take waits for the store's turn, which is kept until Give, or the end of the run.
	// Who has it gets it again. A wait in vain wraps store.ErrBusy.
	Take(ctx context.Context, st store.Store, wait time.Duration) error
	// Give lets the next one have it before this run is over.
	Give(st store.Store)
}

// lock locks a store for a run of which it is side i.
func (o *PairOptions) lock(ctx context.Context, st store.Store, i int, wait time.Duration) (func() error, error) {
	if o.Turns != nil {
		start := time.Now()
		if err := o.Turns.Take(ctx, st, wait); err != nil {
			return nil, err
		}
		wait = max(wait-time.Since(start), 0)
	}
	unlock, err := st.Lock(ctx, wait)
	if o.readOnly(i) && (errors.Is(err, store.ErrReadOnly) || errors.Is(err, fs.ErrPermission)) {
		return func() error { return nil }, nil // it cannot be written, nor locked
	}
	if err != nil && o.Turns != nil {
		o.Turns.Give(st)
	}
	return unlock, err
}

func open(ctx context.Context, db *logdb.DB, st store.Store, o PairOptions, side int) (*recorder.Recorder, error) {
	return recorder.Open(ctx, db, st, recorder.Options{
		Now: o.clock(side), NewID: o.NewID, Notice: o.Notice, ReadOnly: o.readOnly(side), MaxDelete: o.Brake,
		Settler: func(ctx context.Context, r *recorder.Recorder, _ []logdb.Intent) error {
			return replay.Settle(ctx, r.Store(), r.Account(), o.Policy)
		},
	})
}

func scanBoth(ctx context.Context, recs [2]*recorder.Recorder, o PairOptions, res *PairResult) error {
	var errs [2]error
	res.Looks = [2]*recorder.Look{}
	for i := 0; i < len(recs) && !o.Whole; i++ {
		res.Looks[i] = recs[i].Glance(ctx)
	}
	scan := func(i int) {
		if res.Looks[i] == nil {
			res.Looks[i], errs[i] = recs[i].Scan(ctx, o.Whole)
		}
	}
	if o.Drive != nil || res.Looks[0] != nil || res.Looks[1] != nil {
		scan(0)
		scan(1)
	} else {
		done := make(chan struct{})
		go func() {
			defer close(done)
			scan(1)
		}()
		scan(0)
		<-done
	}
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("look at %s: %w", recs[i].Store().Location(), err)
		}
	}
	return nil
}

// confront lets each end see how far the other knows it to have come: a log that
// was restored or cloned takes a new epoch.
func confront(ctx context.Context, recs [2]*recorder.Recorder, res *PairResult, o PairOptions) error {
	again := false
	for i, r := range recs {
		meta := recs[1-i].Account().Last()
		pos, ok := knownOf(&meta.Seen, r)
		restored, err := r.Confront(pos, ok, recs[1-i].Replica())
		if err != nil {
			return err
		}
		if restored {
			again = true
			res.Replicas[i] = r.Replica()
		}
	}
	if again {
		return scanBoth(ctx, recs, o, res)
	}
	return nil
}

// knownOf is how far a peer's seen-set knows a replica to have come. Where that is
// further than the replica itself knows, its log was restored, though the peer may have
// heard of it by way of others, without a tag.
func knownOf(seen *changelog.Seen, r *recorder.Recorder) (changelog.Position, bool) {
	if top := seen.Dots.Max(r.Replica()); top > r.Account().Last().Seq {
		return changelog.Position{Seq: top}, true
	}
	return seen.Tagged(r.Replica())
}

// talk runs the session, in as many parts as it takes.
func talk(ctx context.Context, recs [2]*recorder.Recorder, o PairOptions, res *PairResult) error {
	for i, r := range recs {
		l := &Local{Rec: r, Look: res.Looks[i], Policy: o.Policy, Now: o.clock(i), DryRun: o.DryRun, ReadOnly: o.readOnly(i) && !o.DryRun}
		if o.Drive != nil {
			l.Workers = 1
		}
		if o.Progress != nil {
			l.Progress = func(done, bytes int64) { o.Progress(i, done, bytes) }
		}
		res.Ends[i] = l
	}
	res.Ends[0].Peer, res.Ends[1].Peer = res.Ends[1], res.Ends[0]
	whole := o.Whole
	for first := true; ; first = false {
		more, err := res.part(ctx, recs, o, first, &whole)
		if err != nil {
			for _, e := range res.Ends {
				if e.Player != nil {
					err = errors.Join(err, e.Player.Abandon())
				}
			}
		}
		if err != nil || !more {
			return errors.Join(err, marks(ctx, recs, res, o, err == nil))
		}
		for _, e := range res.Ends {
			e.Advance()
		}
	}
}

// part is one part of a run: a session from hello to report.
func (res *PairResult) part(ctx context.Context, recs [2]*recorder.Recorder, o PairOptions, first bool, whole *bool) (more bool, err error) {
	var hello [2]*Hello
	var ends [2]*Driver
	var tags [2][]changelog.Position
	for i, r := range recs {
		if hello[i], err = res.Ends[i].Hello(ctx, o.Run); err != nil {
			return false, err
		}
		hello[i].Source = o.source(i)
		tags[i] = r.Account().Last().Tags
		*whole = *whole || first && hello[i].Whole
	}
	if first && o.Check != nil && o.Check(hello[0], hello[1], tags) {
		*whole = true
	}
	hello[0].Whole, hello[1].Whole = *whole, *whole
	res.Whole = *whole
	for i := range ends {
		ends[i] = NewDriver(Config{Run: o.Run, Policy: o.Policy, Direction: o.Direction, Filter: o.Filter, First: first, Starter: i == 0, DryRun: o.DryRun},
			hello[i], res.Ends[i])
	}
	drive := o.Drive
	if drive == nil {
		drive = Both
	}
	err = drive(ctx, ends)
	o.unequal(err, ends[0])
	out := ends[0].Outcome()
	res.note(out)
	return out.More && !o.DryRun, err
}

// note adds up what the parts came to.
func (res *PairResult) note(out *Outcome) {
	if was := res.Outcome; was != nil {
		out.Decisions = append(was.Decisions, out.Decisions...)
		out.Compared += was.Compared
		out.Waiting += was.Waiting
		out.Far = append(was.Far, out.Far...)
		out.LeftOut = append(was.LeftOut, out.LeftOut...)
		slices.SortFunc(out.LeftOut, store.CompareNames)
		out.LeftOut = slices.Compact(out.LeftOut)
		out.Quiet = false
	}
	res.Outcome = out
}

// marks rewrites the marks of both stores.
func marks(ctx context.Context, recs [2]*recorder.Recorder, res *PairResult, o PairOptions, done bool) error {
	return errors.Join(res.mark(ctx, recs[0], 0, o, done), res.mark(ctx, recs[1], 1, o, done))
}

// mark rewrites the mark of a store that the run wrote to, also of a run that was
// stopped; a store older than its log stays so until a run has brought it up.
func (res *PairResult) mark(ctx context.Context, rec *recorder.Recorder, i int, o PairOptions, done bool) error {
	var err error
	e := res.Ends[i]
	if e.ReadOnly && done && res.Looks[i].Braked == "" {
		err = rec.ForgetMark()
	}
	if restored := res.Looks[i].Restored; o.DryRun || e.ReadOnly || restored && !done {
		return err
	} else if restored {
		res.Changed[i] = true
	}
	for _, r := range e.Reports() {
		res.Changed[i] = res.Changed[i] || r.Wrote()
	}
	if res.Changed[i] || res.Looks[i].Events > 0 {
		err = errors.Join(err, rec.PutMark(context.WithoutCancel(ctx)))
	}
	return err
}
