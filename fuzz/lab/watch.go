package lab

import (
	"fmt"

	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
)

// Event is one thing that happened while a scenario was played.
type Event struct {
	// Step is the place in Scenario.Steps of the step that it is or belongs to;
	// len(Steps) of what was judged at the end.
	Step int
	// Do is the step itself, or one of the runs that level, sweep and converge make.
	// These three are told themselves after their runs, as are time and expectations.
	Do     scenario.Step
	Report *engine.Report // of a run
	// Shows is what the replicas show afterwards that it may have changed.
	Shows  map[string]*scenario.Listing
	Broken []Finding    // laws that were seen broken there
	Unmet  []Difference // expectations that were not met
}

// Single reports whether the event is its step, not one of several runs.
func (e *Event) Single(s *scenario.Scenario) bool {
	return e.Step < len(s.Steps) && s.Steps[e.Step].Verb == e.Do.Verb
}

// tell tells Watch what happened, with what was found since it was last told.
func (p *player) tell(s scenario.Step, rep *engine.Report, shows map[string]*scenario.Listing) {
	if p.opt.Watch == nil {
		return
	}
	e := &Event{Step: p.at, Do: s, Report: rep, Shows: shows, Broken: p.res.Broken[p.told.broken:], Unmet: p.res.Differences[p.told.unmet:]}
	p.told.broken, p.told.unmet = len(p.res.Broken), len(p.res.Differences)
	p.opt.Watch(e)
}

// tellRun tells of a run that is not judged.
func (p *player) tellRun(s scenario.Step, rep engine.Report) error {
	if p.opt.Watch == nil {
		return nil
	}
	shows := map[string]*scenario.Listing{}
	for _, r := range []string{s.At, s.With} {
		l, err := p.w.List(r)
		if err != nil {
			return fmt.Errorf("list %s after line %d, %s: %w", r, s.Line, s, err)
		}
		shows[r] = l
	}
	p.tell(s, &rep, shows)
	return nil
}
