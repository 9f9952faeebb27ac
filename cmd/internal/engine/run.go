package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/cmd/internal/opener"
	"dsync/cmd/internal/policyfile"
	"dsync/cmd/internal/remote"
	"dsync/cmd/internal/tomlfile"
	"dsync/merge"
	"dsync/replay/session"
	"dsync/store"
	"dsync/store/memory"
)

// run is one run under way.
type run struct {
	o      Options
	rep    *Report
	db     *logdb.DB
	st     [2]store.Store
	policy *merge.Policy
	state  *changelog.State
	whole  bool
	res    *session.PairResult
	link   *remote.Link // nil: the far end is of this process
	far    *account     // what a far end of another process did; nil: nothing is known
	seats  []*seat
}

func nowMicros() int64 { return time.Now().UnixMicro() }

func randomID() uint64 {
	var b [8]byte
	for {
		rand.Read(b[:])
		if id := binary.BigEndian.Uint64(b[:]); id != 0 {
			return id
		}
	}
}

func (r *run) warn(format string, args ...any) {
	r.rep.Warnings = append(r.rep.Warnings, fmt.Sprintf(format, args...))
}

func doRun(ctx context.Context, o Options) *Report {
	start := time.Now()
	r := &run{o: o, rep: &Report{State: o.State}}
	r.rep.Sides = [2]Side{{Location: o.Near}, {Location: o.Far}}
	err := r.damage(r.do(ctx))
	for _, s := range r.st {
		if s != nil {
			r.addCost(s.Cost())
		}
	}
	err = errors.Join(err, r.close())
	r.finish(err)
	r.rep.Duration = time.Since(start)
	return r.rep
}

func (r *run) addCost(c store.Cost) {
	r.rep.Cost.NamesListed += c.NamesListed
	r.rep.Cost.FilesOpened += c.FilesOpened
	r.rep.Cost.BytesRead += c.BytesRead
	r.rep.Cost.BytesWrote += c.BytesWrote
}

// closeTime bounds how long the end of a connection is waited for.
const closeTime = 5 * time.Second

// close closes what the run opened. It gives the turns up first: a child may be waited
// for that is the owner of its change log, and has in its hands a run that waits for them.
func (r *run) close() error {
	r.rise()
	var errs []error
	if r.link != nil {
		if err := r.disconnect(); err != nil {
			errs = append(errs, Fail(ExitTemp, fmt.Errorf("%s: %w", r.o.Far, err)))
		}
	}
	for i, s := range r.st {
		if s == nil {
			continue
		}
		if err := s.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", r.rep.Sides[i].Location, err))
		}
	}
	if err := r.leave(); err != nil {
		errs = append(errs, fmt.Errorf("close the change log: %w", err))
	}
	return errors.Join(errs...)
}

// disconnect ends what the run has to say to the far end.
func (r *run) disconnect() error {
	r.link.Rest()
	if r.o.Part != nil {
		return r.o.Part(r.link)
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return r.link.Close(ctx)
}

func (r *run) do(ctx context.Context) (err error) {
	if r.policy, err = r.loadPolicy(); err != nil {
		return err
	}
	if r.o.Connect != nil {
		if r.link, err = r.o.Connect(ctx); err != nil {
			return fmt.Errorf("%s: %w", r.o.Far, err)
		}
	}
	if err := r.openLog(ctx); err != nil {
		return err
	}
	src := r.source()
	for i, loc := range []string{r.o.Near, r.o.Far} {
		if i == 1 && r.link != nil {
			break
		}
		may := r.o.Mode == Sync || i != src
		if r.st[i], err = r.openStore(loc, may); err != nil {
			return err
		}
	}
	r.readState()
	po, err := r.pairOptions()
	if err != nil {
		return err
	}
	if r.link != nil {
		return r.doNear(ctx, po)
	}
	po.Check = r.checkState
	r.res, err = session.Pair(ctx, r.db, r.st, po)
	if err == nil && r.unexplained() && !r.res.Whole {
		r.notice(Debug, "equal seen-sets, unequal digests: comparing everything")
		r.collect()
		po.Whole = true
		r.res, err = session.Pair(ctx, r.db, r.st, po)
	}
	r.collect()
	if err == nil {
		r.newState()
		r.trim()
	}
	return err
}

// openLog opens the change log, if it is not open.
func (r *run) openLog(ctx context.Context) (err error) {
	if r.db = r.o.DB; r.db == nil {
		r.db, err = OpenChangeLog(ctx, r.o.ChangeLog, max(r.o.LockWait, r.o.LogWait), r.o.Fatal)
	}
	return err
}

// pairOptions are what a session is told of the run, at both ends the same.
func (r *run) pairOptions() (session.PairOptions, error) {
	f, text, err := r.filter()
	if err != nil {
		return session.PairOptions{}, Fail(ExitUsage, err)
	}
	po := session.PairOptions{
		Policy: r.policy, Direction: directions[r.o.Mode], Source: r.source(), Filter: f, Run: fmt.Sprintf("mode=%d policy=%s %s", r.o.Mode, r.policy.ID(), text),
		Whole: r.whole || r.o.Algorithm == Full, DryRun: r.o.DryRun, Brake: brake(r.o.MaxDelete), LockWait: r.o.LockWait,
		Now: nowMicros, NewID: randomID, Turns: r,
		Notice: func(l int, s string) {
			if r.o.Notice != nil {
				r.o.Notice(Level(l), s)
			}
		},
	}
	po.Unequal = r.keepInputs
	if r.o.Progress != nil {
		po.Progress = func(_ int, done, bytes int64) { r.o.Progress(Progress{Phase: "copy", Done: done, Bytes: bytes}) }
	}
	return po, nil
}

// loadPolicy reads the policy, at both ends of the run the same.
func (r *run) loadPolicy() (*merge.Policy, error) {
	if r.o.PolicyText != "" {
		p, err := policyfile.Parse(r.o.Policy, []byte(r.o.PolicyText))
		if err != nil {
			return nil, Fail(ExitConfig, err)
		}
		return p, nil
	}
	p, err := policyfile.Load(r.o.Policy)
	var bad *tomlfile.Error
	switch {
	case errors.As(err, &bad):
		return nil, Fail(ExitConfig, err)
	case err != nil && !errors.Is(err, os.ErrPermission):
		return nil, Fail(ExitUsage, err)
	}
	return p, err
}

func (r *run) notice(l Level, s string) {
	if r.o.Notice != nil {
		r.o.Notice(l, s)
	}
}

// leave lets go of the database, unless others go on using it.
func (r *run) leave() error {
	if r.db == nil || r.o.DB != nil {
		return nil
	}
	return r.db.Close()
}

func (r *run) damage(err error) error { return damage(r.o.ChangeLog, err) }

var directions = map[Mode]merge.Direction{Sync: merge.TwoWay, OneWay: merge.OneWay, Backup: merge.Mirror}

// source is the index of the side that a one-way run leaves alone.
func (r *run) source() int {
	if r.o.Reverse {
		return 1
	}
	return 0
}

func brake(m MaxDelete) recorder.Brake {
	if !m.Set {
		return recorder.Brake{}
	}
	return recorder.Brake{Off: m.Off, Count: m.Count, Percent: m.Percent}
}

// openStore opens a store, or makes it where there is none; one that a log knows
// is missing, not empty.
func (r *run) openStore(loc string, may bool) (store.Store, error) {
	st, err := opener.Open(loc, r.o.As)
	if err == nil || !errors.Is(err, store.ErrGone) {
		return st, err
	}
	name, nerr := opener.Name(loc)
	if nerr != nil {
		return nil, nerr
	}
	_, _, known, lerr := r.db.Lookup(name)
	switch {
	case lerr != nil:
		return nil, lerr
	case known && !r.o.MaxDelete.Off:
		return nil, Fail(ExitData, fmt.Errorf("%s is not there, but the change log knows a store at that place: is it mounted? "+
			"Nothing was deleted anywhere. If it is really gone, run again with --max-delete=off to have it made anew", loc))
	case !may:
		return nil, fmt.Errorf("the source %s: %w", loc, err)
	case r.o.DryRun:
		return memory.New(memory.Options{Name: loc}), nil
	}
	return opener.Create(loc, r.o.As)
}

// readState reads -s. What cannot be read costs a full comparison and a warning.
func (r *run) readState() {
	text := r.o.State
	if r.o.Algorithm != Stateful || text == "" {
		return
	}
	s, err := changelog.ParseState(text)
	if err != nil {
		r.warn("the state given with -s is of no use, so everything is compared: %v", err)
		r.whole = true
		return
	}
	r.state = &s
}

// checkState compares the state with the logs; where they disagree everything is
// compared.
func (r *run) checkState(a, b *session.Hello, tags [2][]changelog.Position) bool {
	s := r.state
	if r.o.KeepState {
		text, err := r.db.PairState(a.Replica.ID, b.Replica.ID)
		if err != nil || text == "" {
			return false
		}
		if p, err := changelog.ParseState(text); err == nil {
			s = &p
		}
	}
	if s == nil {
		return false
	}
	for i, h := range []*session.Hello{a, b} {
		side, ok := s.Of(h.Replica.ID)
		if !ok || side.Replica != h.Replica || !slices.Contains(tags[i], side.Position) {
			r.notice(Debug, "the state and the logs disagree: comparing everything")
			return true
		}
	}
	return false
}

// newState makes the line to print, or keeps it in the log.
func (r *run) newState() {
	out := r.res.Outcome
	if out == nil || r.o.DryRun {
		return
	}
	side := func(i int, id changelog.Replica) changelog.Side {
		return changelog.Side{Replica: id, Position: out.Positions[i]}
	}
	s := changelog.NewState(side(0, r.res.Replicas[0]), side(1, out.Peer), r.filterPrint())
	text := s.String()
	if r.o.KeepState {
		if err := r.db.PutPairState(r.res.Replicas[0].ID, out.Peer.ID, text); err != nil {
			r.warn("the state of this pair could not be kept: %v", err)
		}
		r.rep.State = ""
		return
	}
	r.rep.State = text
}

// unexplained: the two sides differ although nothing failed, was left out or is in
// doubt.
func (r *run) unexplained() bool {
	out := r.res.Outcome
	if r.o.DryRun || r.o.Mode != Sync || out == nil || out.Equal || r.o.Filter.limits() {
		return false
	}
	return r.settled() && (r.far == nil || r.far.Settled)
}

// settled reports whether nothing failed and nothing is in doubt at the sides of this
// process.
func (r *run) settled() bool {
	for _, e := range r.res.Ends {
		if e == nil {
			continue
		}
		for _, p := range e.Reports() {
			if len(p.Failed) > 0 {
				return false
			}
		}
	}
	for _, l := range r.res.Looks {
		if l != nil && (len(l.Doubt) > 0 || l.Braked != "" || l.Missing) {
			return false
		}
	}
	return true
}

func (f *Filter) limits() bool {
	return len(f.Mailboxes)+len(f.GUIDs)+len(f.Exclude) > 0 || f.TreeOnly || !f.Since.IsZero() || !f.Before.IsZero() || f.MaxSize > 0 || f.Flag != ""
}
