package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"dsync/fuzz/scenario"
	"dsync/replay/session"
	"dsync/store/memory"
)

// underway is a run on its way: it counts moments and writes, and makes what the step
// says is to happen at them. All of it happens in the caller's goroutine.
type underway struct {
	w      *sessions
	step   scenario.Step
	run    scenario.Run
	ends   [2]*replica
	rng    *rand.Rand // who goes first, and how long things take
	moment int
	next   int // of run.During
	writes [2]int
	dead   [2]bool
	frames int
	busy   bool // something in the middle is being made
	events []Event
	broken []string
	news   [2]map[string]bool
	failed error // of what happened in the middle
}

// Event is what happened in the middle of a run.
type Event struct {
	Step   scenario.Step
	Before []*scenario.Listing // of the step's replicas
	After  []*scenario.Listing
	Report Report // of a run
}

// errors of faults.
var (
	errFault = errors.New("input/output error")
	errDied  = errors.New("died here, as the scenario says")
	errCut   = fmt.Errorf("the connection broke, as the scenario says: %w", session.ErrCut)
)

// begin makes a run's faults ready.
func (w *sessions) begin(s scenario.Step, ends [2]*replica) *underway {
	w.runs++
	u := &underway{w: w, step: s, ends: ends}
	word := ""
	if s.Run != nil {
		u.run = *s.Run
		word = s.Run.Delay
		u.run.During = slices.Clone(u.run.During)
		slices.SortStableFunc(u.run.During, func(a, b scenario.Meanwhile) int { return cmp.Compare(a.At, b.At) })
	}
	u.rng = seeded(fmt.Sprint(w.set.Seed, " ", w.runs, " ", word))
	return u
}

// seeded draws from a word.
func seeded(word string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(word))
	return rand.New(rand.NewPCG(h.Sum64(), 0x73696d))
}

// watch has the run told of each write to the logs, and gives what ends that.
func (u *underway) watch() (done func()) {
	var was [2]*underway
	for i, r := range u.ends {
		was[i], r.under = r.under, u
		r.log.watch(func(sync bool) error { return u.access(i, true, "log", fmt.Sprint(sync)) })
	}
	return func() {
		for i, r := range u.ends {
			r.under = was[i]
			r.log.watch(nil)
			if o := was[i]; o != nil {
				side := slices.Index(o.ends[:], r)
				r.log.watch(func(sync bool) error { return o.access(side, true, "log", fmt.Sprint(sync)) })
			}
		}
	}
}

// access is told of each access to a store or log of one end before it is made.
func (u *underway) access(side int, write bool, op, item string) error {
	u.w.noteAccess(side, op, item)
	if op != "log" && !u.busy {
		u.pass()
	}
	name := u.name(side)
	if write && !u.busy {
		u.writes[side]++
		if u.run.Crash != "" && u.writes[side] == u.run.CrashAt && (u.run.Crash == name || u.run.Crash == scenario.AllReplicas) {
			u.dead[side] = true
			if u.run.Crash == scenario.AllReplicas {
				u.dead = [2]bool{true, true}
			}
		}
	}
	switch n := u.writes[side]; {
	case u.dead[side]:
		return errDied
	case write && u.run.Full == name && n >= u.run.FullAt && n < u.run.FullAt+u.run.FullFor:
		return syscall.ENOSPC
	case u.run.Fail != "" && mayFail(op):
		h := fnv.New32a()
		fmt.Fprintf(h, "%s/%d/%s/%s", u.run.Fail, side, op, item)
		if h.Sum32()%3 == 0 {
			return errFault
		}
	}
	return nil
}

func (u *underway) name(side int) string {
	if side == 0 {
		return u.step.At
	}
	return u.step.With
}

// mayFail lists the effects that Run.Fail is about.
func mayFail(op string) bool {
	switch op {
	case memory.OpAdd, memory.OpIn, memory.OpFlags, memory.OpUIDs, memory.OpExpunge, memory.OpStage, memory.OpStageLink, memory.OpSubscribe, memory.OpDelete:
		return true
	}
	return false
}

// pass lets a moment go by.
func (u *underway) pass() {
	u.moment++
	for u.next < len(u.run.During) && u.run.During[u.next].At <= u.moment {
		m := u.run.During[u.next]
		u.next++
		u.busy = true
		err := u.meanwhile(m.Step)
		u.busy = false
		if err != nil && u.failed == nil {
			u.failed = fmt.Errorf("in the middle of the run, %s: %w", m.Step, err)
		}
	}
}

// meanwhile makes a step in the middle, and keeps what it changed.
func (u *underway) meanwhile(s scenario.Step) error {
	who := []string{s.At}
	if s.Verb.IsRun() {
		who = append(who, s.With)
	}
	e := Event{Step: s}
	list := func(to *[]*scenario.Listing) error {
		for _, r := range who {
			l, err := u.w.List(r)
			if err != nil {
				return err
			}
			*to = append(*to, l)
		}
		return nil
	}
	err := list(&e.Before)
	if err == nil && s.Verb.IsRun() {
		e.Report, err = u.w.Sync(s)
	} else if err == nil {
		err = u.w.Do(s)
	}
	if err == nil {
		err = list(&e.After)
	}
	u.events = append(u.events, e)
	return err
}

// line is a connection of a run: frames in each direction, with the time at which
// each arrives.
type line struct {
	u    *underway
	side int
	to   *line
	in   []frame
}

type frame struct {
	at    time.Time
	bytes []byte
}

// Send implements session.Conn.
func (l *line) Send(_ context.Context, b []byte) error {
	u := l.u
	u.frames++
	u.w.noteAccess(l.side, "sends")
	u.w.trace.Write(b)
	if u.broke() {
		return errCut
	}
	l.to.in = append(l.to.in, frame{u.w.Time().Add(u.takes()), b})
	return nil
}

// broke reports whether the connection is broken.
func (u *underway) broke() bool { return u.run.Cut > 0 && u.frames >= u.run.Cut }

// Receive implements session.Conn.
func (l *line) Receive(context.Context) ([]byte, error) {
	switch {
	case len(l.in) > 0:
		b := l.in[0].bytes
		l.in = l.in[1:]
		return b, nil
	case l.u.broke():
		return nil, errCut
	}
	return nil, session.ErrCut
}

// takes is how long the next thing takes.
func (u *underway) takes() time.Duration {
	switch {
	case u.run.Delay == "":
		return 10 * time.Microsecond
	case u.rng.IntN(8) == 0:
		return time.Duration(u.rng.IntN(20_000)) * time.Millisecond
	}
	return time.Duration(u.rng.IntN(20_000)) * time.Microsecond
}

// drive drives both ends: whoever is ready first goes on; who is first of two that
// are ready at once is drawn.
func (u *underway) drive(ctx context.Context, ends [2]*session.Driver) error {
	a, b := &line{u: u, side: 0}, &line{u: u, side: 1}
	a.to, b.to = b, a
	lines := [2]*line{a, b}
	ends[0].Conn, ends[1].Conn = a, b
	var errs [2]error
	var over [2]bool
	now := u.w.Time()
	ready := [2]time.Time{now, now}
	for !over[0] || !over[1] {
		side, at := u.first(ends, lines, over, ready)
		if now := u.w.Time(); !u.w.Real() && at.After(now) {
			u.w.Pass(at.Sub(now))
		}
		u.pass()
		u.w.trace.Write([]byte{byte(side), byte(ends[side].Next())})
		errs[side] = ends[side].Step(ctx)
		over[side] = errs[side] != nil || ends[side].Next() == session.DoStop
		ready[side] = u.w.Time().Add(u.takes())
	}
	return session.Join(errs)
}

// first is the end that goes on, and when.
func (u *underway) first(ends [2]*session.Driver, lines [2]*line, over [2]bool, ready [2]time.Time) (side int, at time.Time) {
	side = -1
	for i := range ends {
		t := ready[i]
		if over[i] {
			continue
		}
		if ends[i].Next() == session.DoReceive {
			switch in := lines[i].in; {
			case len(in) > 0 && in[0].at.After(t):
				t = in[0].at
			case len(in) == 0 && !over[1-i] && !u.broke():
				continue
			}
		}
		if side < 0 || t.Before(at) || t.Equal(at) && u.rng.IntN(2) == 0 {
			side, at = i, t
		}
	}
	return side, at
}

// die buries what died in the run, and opens anew what its full disk has stopped.
func (u *underway) die() error {
	var errs []error
	for i, r := range u.ends {
		if !u.dead[i] && u.run.Full != u.name(i) {
			continue
		}
		var power *rand.Rand
		if u.dead[i] && u.run.Power != "" {
			power = seeded(fmt.Sprint(u.run.Power, " ", i))
		}
		if u.dead[i] {
			errs = append(errs, r.die(power))
		} else {
			errs = append(errs, r.reopen())
		}
	}
	return errors.Join(errs...)
}
