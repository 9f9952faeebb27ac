package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"time"

	"dsync/changelog"
	"dsync/cmd/internal/policyfile"
	"dsync/cmd/internal/remote"
	"dsync/merge"
	"dsync/replay/session"
	"dsync/replay/wire"
	"dsync/store"
)

// order is the run that the near end asks of the far one: what, never where.
type order struct {
	User       string            `json:"user,omitempty"`
	Namespace  string            `json:"namespace,omitempty"`
	Mode       Mode              `json:"mode"`
	Reverse    bool              `json:"reverse,omitempty"`
	Whole      bool              `json:"whole,omitempty"`
	DryRun     bool              `json:"dry_run,omitempty"`
	Filter     Filter            `json:"filter"`
	Dots       bool              `json:"dots,omitempty"` // "." separates levels in names, too
	SpecialUse map[string]string `json:"special_use,omitempty"`
	Policy     string            `json:"policy,omitempty"`
	PolicyFile string            `json:"policy_file,omitempty"` // its text
	MaxDelete  MaxDelete         `json:"max_delete"`
	LockWait   time.Duration     `json:"lock_wait"`
	LogWait    time.Duration     `json:"log_wait,omitempty"`
	Level      Level             `json:"level"` // of what it is told besides warnings
}

// account is what the far end did.
type account struct {
	Location string     `json:"location"`
	Side     Side       `json:"side"`
	Items    []Item     `json:"items,omitempty"`
	Warnings []string   `json:"warnings,omitempty"`
	Plan     []Step     `json:"plan,omitempty"`
	Cost     store.Cost `json:"cost"`
	Compared int64      `json:"compared,omitempty"`
	Settled  bool       `json:"settled"`
	Restored bool       `json:"restored,omitempty"`
	Found    []bool     `json:"found,omitempty"` // which names of -m there are
}

// maxLockWait bounds how long a far end waits for a lock.
const maxLockWait = 1_000_000 * time.Second

// maxOrder bounds names and texts of an order, in bytes.
const maxOrder = 1 << 20

// order makes the order of a run.
func (r *run) order(whole bool) (*order, error) {
	o := &order{User: r.o.User, Namespace: r.o.Namespace, Mode: r.o.Mode, Reverse: r.o.Reverse, Whole: whole, DryRun: r.o.DryRun, Filter: r.o.Filter, Dots: r.dots(),
		SpecialUse: r.o.SpecialUse, Policy: r.o.Policy, MaxDelete: r.o.MaxDelete, LockWait: r.o.LockWait, LogWait: r.o.LogWait, Level: Info}
	if o.PolicyFile = r.o.PolicyText; o.PolicyFile == "" {
		var err error
		if o.PolicyFile, err = PolicyText(r.o.Policy); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// PolicyText reads a policy that is a file; of another it is "".
func PolicyText(policy string) (string, error) {
	if !policyfile.IsFile(policy) {
		return "", nil
	}
	text, err := os.ReadFile(policy)
	if err != nil {
		return "", fmt.Errorf("policy: %w", err)
	}
	if len(text) > maxOrder {
		return "", Fail(ExitConfig, fmt.Errorf("policy %s: %d bytes, at most %d", policy, len(text), maxOrder))
	}
	return string(text), nil
}

// doNear makes the run with a far end of another process.
func (r *run) doNear(ctx context.Context, po session.PairOptions) error {
	l := r.link
	l.Notice = func(level int, line string) { r.notice(Level(level), line) }
	if err := r.nearOnce(ctx, po); err != nil {
		return err
	}
	if r.unexplained() && !r.res.Whole {
		r.notice(Debug, "equal seen-sets, unequal digests: comparing everything")
		r.collect()
		r.far = nil
		po.Whole = true
		if err := r.nearOnce(ctx, po); err != nil {
			return err
		}
	}
	r.collect()
	r.newState()
	r.trim()
	return nil
}

// nearOnce is one session.
func (r *run) nearOnce(ctx context.Context, po session.PairOptions) error {
	l := r.link
	o, err := r.order(po.Whole)
	if err != nil {
		return err
	}
	if err := l.Put(ctx, remote.KindOrder, o); err != nil {
		return r.giveUp(ctx, err)
	}
	h := &session.Half{DB: r.db, Store: r.st[0], Conn: l.Frames(), Peer: l.Bodies(), Options: po, Place: place(r.st[0]), State: r.claim()}
	l.Serve(h)
	defer l.Run(po.LockWait + r.o.LogWait)()
	r.res, err = h.Run(ctx)
	if err == nil {
		r.far = &account{}
		err = l.Take(ctx, remote.KindAccount, r.far)
	}
	if err == nil {
		return nil
	}
	r.far = nil
	r.collect()
	return r.giveUp(ctx, err)
}

// giveUp tells the far end why the run ends, and adds how its process ended.
func (r *run) giveUp(ctx context.Context, err error) error {
	err = r.lost(ctx, err)
	r.rise()
	l := r.link
	r.link = nil
	if end := l.Fail(ExitOf(err), err.Error()); end != nil && ctx.Err() == nil {
		err = Fail(ExitOf(err), fmt.Errorf("%w (%w)", err, end))
	}
	return err
}

// lost turns what ended a session into what people are told.
func (r *run) lost(ctx context.Context, err error) error {
	var told *wire.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &told) && told.Code == codeBusy:
		return Fail(ExitTemp, &farBusy{"the far end: " + told.Text})
	case errors.As(err, &told):
		return Fail(told.Code, fmt.Errorf("the far end: %s", told.Text))
	case remote.Alert(err):
		return Fail(ExitPermission, fmt.Errorf("%s: %w", r.o.Far, err))
	case remote.Broken(err), errors.Is(err, session.ErrFrame):
		return Fail(ExitTemp, fmt.Errorf("connection to %s: %w", r.o.Far, err))
	}
	return err
}

// codeBusy is what the far end says instead of ExitTemp where somebody holds the
// account or the change log: whoever has other work comes back later.
const codeBusy = 200

// farBusy is store.ErrBusy, as the far end words it.
type farBusy struct{ text string }

func (e *farBusy) Error() string { return e.text }

// Is reports whether e is target.
func (e *farBusy) Is(target error) bool { return target == store.ErrBusy }

// claim is the state that the session is to be checked against: what -s says, or the
// log for this destination.
func (r *run) claim() *changelog.State {
	if !r.o.KeepState {
		return r.state
	}
	own, _, ok, err := r.db.Lookup(r.st[0].Location())
	if err != nil || !ok {
		return nil
	}
	text, err := r.db.PairState(own, r.farKey())
	if err != nil || text == "" {
		return nil
	}
	s, err := changelog.ParseState(text)
	if err != nil {
		return nil
	}
	return &s
}

// farKey stands for the far end in the table of states, whose replica is not known
// before it has spoken.
func (r *run) farKey() changelog.ReplicaID {
	h := fnv.New64a()
	fmt.Fprintf(h, "far %q %q", r.o.Far, r.o.User)
	return changelog.ReplicaID(h.Sum64() | 1)
}

// place names a store among all of the world.
func place(st store.Store) string {
	host, _ := os.Hostname()
	return host + " " + st.Identity()
}

// addFar takes what the far end did into the report.
func (r *run) addFar() {
	f := r.far
	if f == nil {
		return
	}
	loc := r.rep.Sides[1].Location
	r.rep.Sides[1].add(&f.Side)
	r.rep.Sides[1].Location = loc
	for _, it := range f.Items {
		it.Side = sideNames[1]
		r.item(it)
	}
	for _, w := range f.Warnings {
		r.warn("%s", w)
	}
	for _, s := range f.Plan {
		s.Side = sideNames[1]
		r.rep.Plan = append(r.rep.Plan, s)
	}
	r.rep.Compared += f.Compared
	r.addCost(f.Cost)
}

// Local says where the far end's mail of a user is: Far, ChangeLog or DB, and what
// else is this end's to say (LogAge, LogBytes, Notice, Fatal). done is called when the
// run is over.
type Local func(ctx context.Context, user string) (o Options, done func(), err error)

// Serve answers one order after another until the near end closes, which gives nil.
func Serve(ctx context.Context, l *remote.Link, local Local) error {
	for {
		var o order
		err := l.Take(ctx, remote.KindOrder, &o)
		if remote.Closed(err) {
			return nil
		}
		if err == nil {
			err = serveOne(ctx, l, local, &o)
		}
		var told *wire.Error
		switch {
		case errors.As(err, &told):
			return Fail(told.Code, err)
		case err != nil:
			exit := ExitOf(err)
			if remote.Broken(err) || errors.Is(err, session.ErrFrame) {
				exit = ExitTemp
			}
			code := exit
			if errors.Is(err, store.ErrBusy) {
				code = codeBusy
			}
			l.Fail(code, err.Error())
			return Fail(exit, err)
		}
	}
}

func serveOne(ctx context.Context, l *remote.Link, local Local, o *order) error {
	opts, done, err := local(ctx, o.User)
	if err != nil {
		return err
	}
	defer done()
	if o.Namespace != "" {
		if opts.SpaceAt == nil {
			return Fail(ExitConfig, errors.New("this end has no namespaces"))
		}
		if opts.Far, err = opts.SpaceAt(o.Namespace); err != nil {
			return err
		}
	}
	opts.Mode, opts.Reverse, opts.DryRun, opts.Filter, opts.dots = o.Mode, o.Reverse, o.DryRun, o.Filter, &o.Dots
	opts.SpecialUse, opts.Policy, opts.MaxDelete, opts.LockWait, opts.LogWait = o.SpecialUse, o.Policy, o.MaxDelete, o.LockWait, o.LogWait
	if o.Whole {
		opts.Algorithm = Full
	}
	notice := opts.Notice
	opts.Notice = func(level Level, s string) {
		if notice != nil {
			notice(level, s)
		}
		if level >= o.Level {
			l.Tell(ctx, int(level), s)
		}
	}
	r := &run{o: opts, rep: &Report{}}
	r.rep.Sides[1].Location = opts.Far
	defer l.Rest()
	defer l.Run(opts.LockWait + opts.LogWait)()
	err = r.damage(r.doFar(ctx, l, o))
	if late := r.close(); err != nil {
		err = errors.Join(err, late)
	} else if late != nil && notice != nil { // the near end has its account, and may have begun another run
		notice(Error, late.Error())
	}
	return err
}

// doFar is the far end of one session.
func (r *run) doFar(ctx context.Context, l *remote.Link, o *order) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	if r.policy, err = o.policy(); err != nil {
		return err
	}
	if err := r.openLog(ctx); err != nil {
		return err
	}
	if r.st[1], err = r.openStore(r.o.Far, r.o.Mode == Sync || r.source() == 0); err != nil {
		return err
	}
	po, err := r.pairOptions()
	if err != nil {
		return err
	}
	told := false
	h := &session.Half{DB: r.db, Store: r.st[1], Side: 1, Conn: l.Frames(), Peer: l.Bodies(), Options: po, Place: place(r.st[1])}
	h.Reported = func(res *session.PairResult) error {
		r.res, told = res, true
		return l.Put(ctx, remote.KindAccount, r.account())
	}
	l.Serve(h)
	if r.res, err = h.Run(ctx); err != nil {
		return err
	}
	if !told {
		err = l.Put(ctx, remote.KindAccount, r.account())
	}
	r.trim()
	return err
}

// account is what the far end tells of what it did.
func (r *run) account() *account {
	r.collectSides()
	return &account{Location: r.o.Far, Side: r.rep.Sides[1], Items: append(r.rep.Skipped, r.rep.Again...), Warnings: r.rep.Warnings, Plan: r.rep.Plan,
		Compared: r.rep.Compared, Cost: r.st[1].Cost(), Settled: r.settled(), Restored: r.res.Looks[1].Restored, Found: r.found()}
}

// check refuses an order that no near end of ours would give.
func (o *order) check() error {
	if o.Mode < Sync || o.Mode > Backup || len(o.PolicyFile) > maxOrder ||
		min(o.LockWait, o.LogWait) < 0 || max(o.LockWait, o.LogWait) > maxLockWait {
		return Fail(ExitUsage, errors.New("an order that makes no sense"))
	}
	if policyfile.IsFile(o.Policy) && o.PolicyFile == "" {
		return Fail(ExitUsage, errors.New("an order that names a policy file without its text"))
	}
	return nil
}

// policy is the order's policy; a file's text comes with it, and no file of this end
// is read.
func (o *order) policy() (*merge.Policy, error) {
	if o.PolicyFile == "" {
		p, err := merge.PolicyByName(o.Policy)
		if err != nil {
			return nil, Fail(ExitUsage, err)
		}
		return p, nil
	}
	p, err := policyfile.Parse(o.Policy, []byte(o.PolicyFile))
	if err != nil {
		return nil, Fail(ExitConfig, err)
	}
	return p, nil
}
