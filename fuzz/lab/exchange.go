package lab

import (
	"fmt"

	"dsync/fuzz/scenario"
)

// exchange is P4: the scenario is played again with the sides of its two-way runs
// exchanged; all replicas must show the same in the end. What an engine fails at is
// the first play's affair. No P4 is asked of a scenario without a common past, for
// there who starts gives the first replica its name, nor where runs fail at one side.
func (p *player) exchange() {
	if !fair(p.s) || p.res.Failed != "" || p.res.Skipped != "" {
		return
	}
	other := p.s.Clone()
	other.Laws = nil
	for i, s := range other.Steps {
		if s.Verb == scenario.Sync {
			other.Steps[i].At, other.Steps[i].With = s.With, s.At
		}
	}
	opt := p.opt
	opt.Exchange = false
	again := Play(p.e, other, opt)
	if again.Failed != "" || again.Skipped != "" {
		return
	}
	for _, r := range p.s.Replicas {
		if d := shownAlike(p.res.Final[r], again.Final[r]); d != "" {
			p.broken(scenario.Step{Verb: scenario.Converge}, []string{fmt.Sprintf("P4: with the sides of the runs exchanged %s shows otherwise in the end: %s", r, d)})
			return
		}
	}
}

// shownAlike compares what does not hang on the draws of a world: names, flags, UIDs.
func shownAlike(a, b *scenario.Listing) string { return same(a.Plain(), b.Plain()) }

// fair reports whether a scenario has a common past, and no run that fails at one of
// its sides.
func fair(s *scenario.Scenario) bool {
	past := false
	for _, t := range s.Steps {
		if t.Run.Faulty() {
			return false
		}
		past = past || t.Verb == scenario.Level
	}
	return past
}
