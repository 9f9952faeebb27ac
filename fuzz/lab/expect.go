package lab

import (
	"fmt"
	"slices"
	"strings"

	"dsync/fuzz/scenario"
)

// expect compares, and notes what would have been right.
func (p *player) expect(s scenario.Step) error {
	edit := s
	var diffs []Difference
	switch s.Verb {
	case scenario.ExpectExit:
		if !slices.Contains(s.Numbers, p.exit) {
			diffs = append(diffs, Difference{Step: s, Text: fmt.Sprintf("exit status %d, want %s", p.exit, numbers(s.Numbers))})
			edit.Numbers = []int{p.exit}
		}
	case scenario.ExpectConflicts:
		got, want := slices.Sorted(slices.Values(p.rules)), slices.Sorted(slices.Values(s.Numbers))
		if !p.mute && !slices.Equal(got, want) {
			diffs = append(diffs, Difference{Step: s, Text: fmt.Sprintf("conflicts decided by rules %s, want %s", numbers(got), numbers(want))})
			edit.Numbers = got
		}
	default:
		for _, r := range p.s.Replicas {
			if s.At != "all" && s.At != r {
				continue
			}
			l, err := p.w.List(r)
			if err != nil {
				return fmt.Errorf("line %d, list %s: %w", s.Line, r, err)
			}
			if !s.Shows.Matches(l) {
				diffs = append(diffs, Difference{Step: s, Replica: r, Want: s.Shows, Got: l.Plain()})
				edit.Shows = l.Plain()
			}
		}
	}
	if p.breaks != nil || len(diffs) == 0 {
		return nil
	}
	p.res.Differences = append(p.res.Differences, diffs...)
	p.res.Edits = append(p.res.Edits, scenario.Edit{Step: edit})
	return nil
}

func numbers(ns []int) string {
	if len(ns) == 0 {
		return "none"
	}
	return strings.Trim(fmt.Sprint(ns), "[]")
}
