package trace

import (
	"slices"

	"dsync/fuzz/scenario"
)

// Expecting gives the scenario of the trace with what was recorded as its
// expectations, in the place of its own: after each run, sweep and converge what the
// replicas showed; at the end the rules of conflicts, if every run reported them.
func (t *Trace) Expecting() *scenario.Scenario {
	out := t.Scenario.Clone()
	out.Line, out.Steps = 0, nil
	if t.Mode != scenario.Fast || out.Mode != "" {
		out.Mode = t.Mode
	}
	if t.Policy != "" && (t.Policy != "safe" || out.Policy != "") {
		out.Policy = t.Policy
	}
	shown := map[string]*scenario.Listing{}
	var rules []int
	known, runs := true, 0
	for i := range t.Events {
		e := &t.Events[i]
		for r, l := range e.Shows { // any order: replicas are there once
			shown[r] = l
		}
		if e.Report != nil {
			known = known && e.Report.Known
			runs++
			for _, c := range e.Report.Conflicts {
				rules = append(rules, c.Rule)
			}
		}
		if !t.Single(e) || e.Do.Verb.IsExpectation() {
			continue
		}
		s := *e.Do
		s.Line = 0
		out.Steps = append(out.Steps, s)
		if s.Verb == scenario.Level { // conflicts are counted from here
			rules, known, runs = nil, true, 0
		}
		if s.Verb.IsRun() || s.Verb == scenario.Sweep || s.Verb == scenario.Converge {
			out.Steps = append(out.Steps, expectations(t.Scenario.Replicas, shown)...)
		}
	}
	if runs > 0 && known {
		slices.Sort(rules)
		out.Steps = append(out.Steps, scenario.Step{Verb: scenario.ExpectConflicts, Numbers: rules})
	}
	return out
}

// expectations are what replicas show: one, if all show the same. A replica that
// nobody has looked at is left out.
func expectations(replicas []string, shown map[string]*scenario.Listing) (out []scenario.Step) {
	equal := true
	var first *scenario.Listing
	for _, r := range replicas {
		l := shown[r]
		if l == nil {
			equal = false
			continue
		}
		p := l.Plain()
		out = append(out, scenario.Step{Verb: scenario.Expect, At: r, Shows: p})
		if first == nil {
			first = p
		}
		equal = equal && first.String() == p.String()
	}
	if equal && len(out) > 0 {
		out = out[:1]
		out[0].At = "all"
	}
	return out
}
