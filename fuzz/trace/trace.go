// Package trace is the history of one scenario on one engine, event by event, as
// data: what was done, what each replica showed afterwards, what runs reported, which
// laws were seen broken. It is written and read as JSON, written as a TLA+ module
// for specifications of others, and turned back into a scenario that expects what
// was recorded.
//
// # Contract
//
//   - Record plays a scenario (fuzz/lab) and takes down everything that happened.
//   - JSON is the stable form; Parse reads it strictly: what is not as FORMAT.md says
//     is an error with file, line and column. Any bytes give a trace or such an
//     error.
//   - Trace → JSON → Trace gives the same bytes again.
//   - Times are counted from the beginning of the scenario in the time that its
//     steps let pass (tick), not by a clock: they are the same on every machine.
package trace

import (
	_ "embed"
	"maps"
	"time"

	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/scenario"
)

// Format describes the JSON form and the TLA+ form.
//
//go:embed FORMAT.md
var Format string

// Trace is what happened.
type Trace struct {
	Format   int                `json:"format"` // 1
	Engine   string             `json:"engine"`
	Policy   string             `json:"policy"`
	Mode     scenario.Mode      `json:"mode"` // of runs that name none
	Seed     uint64             `json:"seed"`
	Failed   string             `json:"failed,omitempty"` // why it ends early
	Scenario *scenario.Scenario `json:"scenario"`
	Events   []Event            `json:"events"`
}

// Event is one thing that happened: a step of the scenario, or one of the runs that
// level, sweep and converge make.
type Event struct {
	// Step says to which step of the scenario it belongs, from 1. What was judged at
	// the end has one more than there are steps, and no Do.
	Step int            `json:"step"`
	Do   *scenario.Step `json:"do,omitempty"`
	Time scenario.Span  `json:"time"` // since the beginning

	Report *engine.Report `json:"report,omitempty"` // of a run
	// Shows is what the replicas show afterwards that it may have changed.
	Shows  map[string]*scenario.Listing `json:"shows,omitempty"`
	Broken []Broken                     `json:"broken,omitempty"` // laws that were seen broken
	Unmet  []string                     `json:"unmet,omitempty"`  // expectations that were not met
}

// Broken is a law that was seen broken.
type Broken struct {
	Law  string `json:"law"`
	Text string `json:"text"`
}

// Single reports whether the event is a step of the scenario itself, not one of the
// runs that a step makes.
func (t *Trace) Single(e *Event) bool {
	return e.Do != nil && e.Step <= len(t.Scenario.Steps) && t.Scenario.Steps[e.Step-1].Verb == e.Do.Verb
}

// second is what a tick lets pass that does not say how much.
const second = scenario.Span(time.Second)

// Record plays a scenario and takes down what happens. A scenario that the engine
// cannot play gives the events up to there; the result says why.
func Record(e engine.Engine, s *scenario.Scenario, opt lab.Options) (*Trace, *lab.Result) {
	t := &Trace{Format: 1, Engine: e.Name(), Mode: scenario.Fast, Seed: opt.Seed, Scenario: s, Events: []Event{}}
	for _, m := range []scenario.Mode{s.Mode, opt.Mode} {
		if m != "" {
			t.Mode = m
		}
	}
	now := scenario.Span(0)
	opt.Watch = func(e *lab.Event) {
		out := Event{Step: e.Step + 1, Report: e.Report, Shows: maps.Clone(e.Shows)}
		if e.Step < len(s.Steps) {
			do := e.Do
			out.Do = &do
		}
		switch e.Do.Verb {
		case scenario.Tick:
			if now += e.Do.Span; e.Do.Span == 0 {
				now += second
			}
		case scenario.Level:
			now += second
		}
		out.Time = now
		for _, f := range e.Broken {
			out.Broken = append(out.Broken, Broken{f.Law, f.Text})
		}
		for _, d := range e.Unmet {
			out.Unmet = append(out.Unmet, d.String())
		}
		t.Events = append(t.Events, out)
	}
	res := lab.Play(e, s, opt)
	t.Policy, t.Failed = res.Policy, res.Failed
	return t, res
}
