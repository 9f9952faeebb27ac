package simulate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
)

// Player plays worlds. Close it after use. It may be used by several goroutines.
type Player struct {
	o       Options
	memory  *engine.Sessions
	maildir *engine.Sessions
}

// NewPlayer makes a player of worlds of these options.
func NewPlayer(o Options) (*Player, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	return &Player{o: o, memory: engine.Memory(), maildir: engine.Maildir()}, nil
}

// Close removes what the player's engines made.
func (p *Player) Close() error { return p.maildir.Close() }

// Outcome is what came of one world.
type Outcome struct {
	Seed     uint64
	Scenario *scenario.Scenario
	Engine   string
	Result   *lab.Result
	Syncs    int
	Steps    int
	Faulty   int // runs that were disturbed
	News     []([2]map[string]bool)
	Excused  []string // laws that a known exception excuses
	Panic    string
}

// Law is the first law that was broken; "" if none was, and "failed" where the world
// could not be played to its end.
func (w *Outcome) Law() string {
	switch {
	case w.Panic != "":
		return "panic"
	case w.Result.Failed != "":
		return "failed"
	case w.Result.Skipped != "" || len(w.Result.Broken) == 0:
		return ""
	}
	return w.Result.Broken[0].Law
}

// Says is what was found first.
func (w *Outcome) Says() string {
	switch {
	case w.Panic != "":
		return "panic: " + w.Panic
	case w.Result.Failed != "":
		return w.Result.Failed
	case len(w.Result.Broken) > 0:
		return w.Result.Broken[0].String()
	}
	return w.Result.Skipped
}

// Play plays the world of a seed.
func (p *Player) Play(seed uint64) *Outcome {
	return p.playOn(p.o.engineOf(seed), seed, p.o.World(seed))
}

// playOn plays a scenario on an engine, with a panic as a result.
func (p *Player) playOn(name string, seed uint64, s *scenario.Scenario) (out *Outcome) {
	out = &Outcome{Seed: seed, Scenario: s, Engine: name, Steps: len(s.Steps), Result: &lab.Result{}}
	defer func() {
		if r := recover(); r != nil {
			out.Panic = fmt.Sprint(r)
		}
	}()
	opt := lab.Options{Policies: p.o.Policies, Pebble: name == "pebble", Log: p.o.Log}
	opt.Told = func(t scenario.Step, rep engine.Report) {
		out.Syncs++
		for _, e := range rep.Events {
			if e.Step.Verb.IsRun() {
				out.Syncs++
			}
		}
		if t.Run.Faulty() {
			out.Faulty++
		}
		if t.Verb == scenario.Sync && !t.Run.Partial() {
			out.News = append(out.News, rep.News)
		}
	}
	e := p.memory
	if name == "maildir" {
		e = p.maildir
	}
	out.Result = lab.Play(e, s, opt)
	out.excuse()
	return out
}

// Progress is how far a search has come.
type Progress struct {
	Worlds, Syncs int
	Elapsed, Left time.Duration // Left: 0 if it cannot be told
}

// Search says how many worlds are played.
type Search struct {
	Seed     uint64 // of the first world; the next ones follow
	Worlds   int    // 0: no limit
	For      time.Duration
	Jobs     int            // worlds at once; 0: one
	Progress func(Progress) // called now and then; may be nil
}

// Report is what came of a search.
type Report struct {
	Worlds  int
	Syncs   int
	Steps   int
	Faulty  int
	Elapsed time.Duration
	Engines map[string]int
	Excused map[string]int
	Skipped int
	Cells   *pure.Coverage
	Failure *Failure // the first, by seed; nil: no law was broken
	Stopped bool     // interrupted
}

// Failure is a world that breaks a law, as it was and made small.
type Failure struct {
	Outcome *Outcome
	Small   *Outcome
}

// Run plays worlds until one breaks a law, or the search is over. When ctx ends it
// gives what it has.
func (p *Player) Run(ctx context.Context, s Search) *Report {
	t := &tally{p: p, s: s, began: time.Now(), rep: &Report{Engines: map[string]int{}, Excused: map[string]int{}, Cells: pure.NewCoverage()}}
	limit := ctx
	if s.For > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, s.For)
		defer cancel()
	}
	var wg sync.WaitGroup
	for range max(s.Jobs, 1) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				seed, ok := t.next(limit)
				if !ok {
					return
				}
				t.take(p.Play(seed))
			}
		}()
	}
	wg.Wait()
	t.rep.Elapsed, t.rep.Stopped = time.Since(t.began), ctx.Err() != nil
	if t.bad != nil {
		t.rep.Failure = &Failure{Outcome: t.bad, Small: p.Shrink(ctx, t.bad)}
	}
	return t.rep
}

// tally is a search under way.
type tally struct {
	p     *Player
	s     Search
	began time.Time

	mu    sync.Mutex
	given int
	said  time.Time
	bad   *Outcome
	rep   *Report
}

// next gives out the next seed.
func (t *tally) next(ctx context.Context) (uint64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil || t.bad != nil || t.s.Worlds > 0 && t.given >= t.s.Worlds {
		return 0, false
	}
	t.given++
	return t.s.Seed + uint64(t.given-1), true
}

func (t *tally) take(w *Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rep
	r.Worlds++
	r.Syncs += w.Syncs
	r.Steps += w.Steps
	r.Faulty += w.Faulty
	r.Engines[w.Engine]++
	if w.Result.Skipped != "" {
		r.Skipped++
	}
	for _, e := range w.Excused {
		r.Excused[e]++
	}
	for _, n := range w.News {
		r.Cells.Count(n)
	}
	if w.Law() != "" && (t.bad == nil || w.Seed < t.bad.Seed) {
		t.bad = w
	}
	if t.s.Progress == nil || time.Since(t.said) < 2*time.Second {
		return
	}
	t.said = time.Now()
	p := Progress{Worlds: r.Worlds, Syncs: r.Syncs, Elapsed: time.Since(t.began)}
	switch {
	case t.s.For > 0:
		p.Left = t.s.For - p.Elapsed
	case t.s.Worlds > 0:
		p.Left = p.Elapsed * time.Duration(t.s.Worlds-r.Worlds) / time.Duration(r.Worlds)
	}
	t.s.Progress(p)
}

// shrinkTime bounds how long a world is made small.
const shrinkTime = 2 * time.Minute

// Shrink makes a world small that breaks a law.
func (p *Player) Shrink(ctx context.Context, w *Outcome) *Outcome {
	ctx, cancel := context.WithTimeout(ctx, shrinkTime)
	defer cancel()
	law := w.Law()
	best := w
	Shrink(ctx, w.Scenario, func(s *scenario.Scenario) bool {
		out := p.playOn(w.Engine, w.Seed, s)
		if out.Law() != law {
			return false
		}
		best = out
		return true
	})
	return best
}

// EnoughWorlds is how many worlds must hit every cell of the matrix of conflicts.
const EnoughWorlds = 2000

// Unhit lists the cells that were never hit, where that is a failure: in a search that
// was long enough (L3).
func (r *Report) Unhit() []string {
	if r.Worlds < EnoughWorlds {
		return nil
	}
	return r.Cells.Missing()
}

// Speed is how many syncs a second were simulated.
func (r *Report) Speed() float64 { return float64(r.Syncs) / max(r.Elapsed.Seconds(), 1e-9) }

// Text is the report for people: what was played, and how often each cell of the
// matrix of conflicts was hit. The same worlds give the same text.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d worlds, %d steps, %d syncs (%d with faults)", r.Worlds, r.Steps, r.Syncs, r.Faulty)
	for _, name := range slices.Sorted(maps.Keys(r.Engines)) {
		fmt.Fprintf(&b, ", %d on %s", r.Engines[name], name)
	}
	b.WriteByte('\n')
	if r.Skipped > 0 {
		fmt.Fprintf(&b, "%d worlds were not played to their end: their engine cannot make a step\n", r.Skipped)
	}
	for _, e := range slices.Sorted(maps.Keys(r.Excused)) {
		fmt.Fprintf(&b, "excused %d times: %s\n", r.Excused[e], e)
	}
	cells := len(pure.Kinds) * (len(pure.Kinds) + 1) / 2
	missing := r.Cells.Missing()
	fmt.Fprintf(&b, "cells of the matrix of conflicts: %d of %d hit", cells-len(missing), cells)
	if len(missing) > 0 && len(missing) <= 30 {
		fmt.Fprintf(&b, "; not: %s", strings.Join(missing, ", "))
	}
	b.WriteByte('\n')
	return b.String()
}
