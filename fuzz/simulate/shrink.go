package simulate

import (
	"context"
	"slices"

	"dsync/fuzz/scenario"
)

// Shrink makes a scenario small as long as same says that it shows the same fault:
// it leaves out steps, then replicas, then messages, then faults, until nothing more
// can go.
func Shrink(ctx context.Context, s *scenario.Scenario, same func(*scenario.Scenario) bool) *scenario.Scenario {
	k := &shrinker{ctx: ctx, same: same}
	for changed := true; changed && ctx.Err() == nil; {
		before := s.String()
		for _, less := range []func(*scenario.Scenario) *scenario.Scenario{k.steps, k.replicas, k.messages, k.faults} {
			s = less(s)
		}
		changed = s.String() != before
	}
	return s
}

type shrinker struct {
	ctx  context.Context
	same func(*scenario.Scenario) bool
}

// try gives the smaller one if it will do.
func (k *shrinker) try(s, less *scenario.Scenario) (*scenario.Scenario, bool) {
	if k.ctx.Err() == nil && k.same(less) {
		return less, true
	}
	return s, false
}

// steps leaves out steps, many at once first.
func (k *shrinker) steps(s *scenario.Scenario) *scenario.Scenario {
	for size := max(len(s.Steps)/2, 1); ; size /= 2 {
		for i := len(s.Steps) - size; i >= 0; {
			less := s.Clone()
			less.Steps = slices.Delete(less.Steps, i, i+size)
			var ok bool
			if s, ok = k.try(s, less); ok {
				i = min(i, len(s.Steps)-size)
			} else {
				i--
			}
		}
		if size <= 1 {
			return s
		}
	}
}

// without leaves out the steps, and what happens in the middle of runs, of which gone
// says so.
func without(s *scenario.Scenario, gone func(*scenario.Step) bool) *scenario.Scenario {
	less := s.Clone()
	less.Steps = slices.DeleteFunc(less.Steps, func(t scenario.Step) bool { return gone(&t) })
	for i := range less.Steps {
		t := &less.Steps[i]
		if t.Run == nil {
			continue
		}
		t.Run.During = slices.DeleteFunc(t.Run.During, func(m scenario.Meanwhile) bool { return gone(&m.Step) })
		tidy(t)
	}
	return less
}

// tidy takes options away that say nothing.
func tidy(t *scenario.Step) {
	if len(t.Run.During) == 0 {
		t.Run.During = nil
	}
	if (&scenario.Step{Verb: t.Verb, At: t.At, With: t.With, Run: t.Run}).String() == (&scenario.Step{Verb: t.Verb, At: t.At, With: t.With}).String() {
		t.Run = nil
	}
}

func (k *shrinker) replicas(s *scenario.Scenario) *scenario.Scenario {
	for i := len(s.Replicas) - 1; i >= 0 && len(s.Replicas) > 2; i-- {
		name := s.Replicas[i]
		less := without(s, func(t *scenario.Step) bool { return t.At == name || t.With == name })
		less.Replicas = slices.Delete(slices.Clone(less.Replicas), i, i+1)
		s, _ = k.try(s, less)
	}
	return s
}

func (k *shrinker) messages(s *scenario.Scenario) *scenario.Scenario {
	var names []string
	for _, t := range s.Steps {
		if t.Verb == scenario.Deliver && !slices.Contains(names, t.Message) {
			names = append(names, t.Message)
		}
	}
	for _, name := range names {
		s, _ = k.try(s, without(s, func(t *scenario.Step) bool { return t.Message == name }))
	}
	return s
}

// faults takes options of runs away one by one, and makes numbers small.
func (k *shrinker) faults(s *scenario.Scenario) *scenario.Scenario {
	for i := range s.Steps {
		if s.Steps[i].Run == nil {
			continue
		}
		for _, less := range lesser {
			if s.Steps[i].Run == nil {
				break
			}
			small := s.Clone()
			t := &small.Steps[i]
			less(t.Run)
			if tidy(t); t.String() != s.Steps[i].String() {
				s, _ = k.try(s, small)
			}
		}
		for n := 0; s.Steps[i].Run != nil && n < len(s.Steps[i].Run.During); {
			small := s.Clone()
			t := &small.Steps[i]
			t.Run.During = slices.Delete(t.Run.During, n, n+1)
			tidy(t)
			var ok bool
			if s, ok = k.try(s, small); !ok {
				n++
			}
		}
	}
	for _, plain := range []func(*scenario.Scenario){
		func(s *scenario.Scenario) { s.Topology = scenario.Line },
		func(s *scenario.Scenario) { s.Mode = "" },
	} {
		less := s.Clone()
		plain(less)
		if less.String() != s.String() {
			s, _ = k.try(s, less)
		}
	}
	return s
}

// lesser are the ways to make the options of a run less.
var lesser = []func(*scenario.Run){
	func(r *scenario.Run) { *r = scenario.Run{} },
	func(r *scenario.Run) { r.Mode = "" },
	func(r *scenario.Run) { r.Delay = "" },
	func(r *scenario.Run) { r.Fail = "" },
	func(r *scenario.Run) { r.Power = "" },
	func(r *scenario.Run) { r.Crash, r.CrashAt, r.Power = "", 0, "" },
	func(r *scenario.Run) { r.Full, r.FullAt, r.FullFor = "", 0, 0 },
	func(r *scenario.Run) { r.Cut = 0 },
	func(r *scenario.Run) { r.Only, r.Except, r.Since, r.Before = nil, nil, 0, 0 },
	func(r *scenario.Run) { r.During = nil },
	func(r *scenario.Run) { r.CrashAt = min(r.CrashAt, 1) },
	func(r *scenario.Run) { r.FullAt = min(r.FullAt, 1) },
	func(r *scenario.Run) { r.FullFor = min(r.FullFor, 1) },
}
