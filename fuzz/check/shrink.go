package check

import (
	"slices"

	"dsync/fuzz/scenario"
	"dsync/store"
)

// Shrink makes a scenario smaller as long as breaks says that it still breaks what
// it broke: steps are left out, then replicas, then what is left is made plainer.
// At most plays scenarios are tried. The scenario given is not changed.
func Shrink(s *scenario.Scenario, plays int, breaks func(*scenario.Scenario) bool) *scenario.Scenario {
	k := &shrinker{s: s.Clone(), left: plays, breaks: breaks}
	for {
		before := k.s.String()
		k.dropSteps()
		k.dropReplicas()
		k.plainer()
		if k.s.String() == before || k.left <= 0 {
			return k.s
		}
	}
}

type shrinker struct {
	s      *scenario.Scenario
	left   int
	breaks func(*scenario.Scenario) bool
}

// try takes a smaller scenario if it still breaks.
func (k *shrinker) try(less *scenario.Scenario) bool {
	if k.left <= 0 || less.String() == k.s.String() {
		return false
	}
	k.left--
	if !k.breaks(less) {
		return false
	}
	k.s = less
	return true
}

// dropSteps leaves out steps: halves first, then fewer, from the end.
func (k *shrinker) dropSteps() {
	for size := max(len(k.s.Steps)/2, 1); size >= 1; size /= 2 {
		for end := len(k.s.Steps); end > 0 && k.left > 0; end -= size {
			end = min(end, len(k.s.Steps))
			less := k.s.Clone()
			less.Steps = slices.Concat(less.Steps[:max(0, end-size)], pasts(less.Steps[max(0, end-size):end]), less.Steps[end:])
			k.try(less)
		}
	}
}

// pasts keeps the ends of the common past: without one a scenario is about something
// else, the first run of all.
func pasts(steps []scenario.Step) []scenario.Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s scenario.Step) bool { return s.Verb != scenario.Level })
}

// dropReplicas leaves out replicas with all their steps, and lets one play the part
// of another.
func (k *shrinker) dropReplicas() {
	for i := len(k.s.Replicas) - 1; i >= 0 && len(k.s.Replicas) > 2; i-- {
		gone := k.s.Replicas[i]
		for _, heir := range append([]string{""}, k.s.Replicas...) {
			if heir == gone {
				continue
			}
			if k.try(k.without(gone, heir)) {
				break
			}
		}
	}
}

// without leaves out a replica; what it did does the heir, if there is one.
func (k *shrinker) without(gone, heir string) *scenario.Scenario {
	less := k.s.Clone()
	less.Replicas = slices.DeleteFunc(slices.Clone(less.Replicas), func(r string) bool { return r == gone })
	if len(less.Replicas) == 2 {
		less.Topology = ""
	}
	steps := less.Steps
	less.Steps = nil
	for _, s := range steps {
		if s.At == gone {
			s.At = heir
		}
		if s.With == gone {
			s.With = heir
		}
		if s.Run != nil && s.Run.Crash == gone {
			s.Run.Crash = heir
		}
		pair := s.Verb.IsRun() || s.Verb == scenario.Clone
		one := s.Verb.IsClient() || s.Verb.IsFate() || s.Verb == scenario.Expect
		if pair && (s.At == "" || s.With == "" || s.At == s.With) || one && s.At == "" {
			continue
		}
		less.Steps = append(less.Steps, s)
	}
	return less
}

// plainer simplifies single steps and the header.
func (k *shrinker) plainer() {
	if k.s.Mode != "" {
		less := k.s.Clone()
		less.Mode = ""
		k.try(less)
	}
	if k.s.Topology != "" {
		less := k.s.Clone()
		less.Topology = ""
		k.try(less)
	}
	for i := 0; i < len(k.s.Steps) && k.left > 0; i++ {
		for _, t := range simpler(k.s.Steps[i], k.s) {
			less := k.s.Clone()
			less.Steps[i] = t
			k.try(less)
		}
	}
	k.plainNames()
}

// simpler lists what may stand in the place of a step.
func simpler(s scenario.Step, in *scenario.Scenario) (out []scenario.Step) {
	one := func(change func(*scenario.Step)) {
		t := s
		if s.Run != nil {
			r := *s.Run
			t.Run = &r
		}
		change(&t)
		out = append(out, t)
	}
	switch {
	case s.Verb == scenario.Converge || s.Verb == scenario.Sweep:
		for _, p := range in.Topology.Pairs(len(in.Replicas)) {
			out = append(out, scenario.Step{Verb: scenario.Sync, At: in.Replicas[p[0]], With: in.Replicas[p[1]]})
		}
	case s.Run != nil:
		one(func(t *scenario.Step) { t.Run = nil })
	case s.Verb == scenario.OneWay || s.Verb == scenario.Backup:
		one(func(t *scenario.Step) { t.Verb = scenario.Sync })
	case s.Verb == scenario.Flag && len(s.Changes) > 1:
		for _, c := range s.Changes {
			one(func(t *scenario.Step) { t.Changes = []string{c} })
		}
	case s.Verb == scenario.Replace && len(s.Changes) > 0:
		one(func(t *scenario.Step) { t.Changes = nil })
		for _, c := range s.Changes {
			one(func(t *scenario.Step) { t.Changes = []string{c} })
		}
	case s.Received != 0:
		one(func(t *scenario.Step) { t.Received = 0 })
	}
	return out
}

// plainNames lets every mailbox be INBOX, and messages have the first letters.
func (k *shrinker) plainNames() {
	var used []store.Name
	for _, s := range k.s.Steps {
		for _, n := range []store.Name{s.Mailbox, s.To} {
			if n != "" && n != store.Inbox && !slices.Contains(used, n) {
				used = append(used, n)
			}
		}
	}
	for _, n := range used {
		k.try(k.renamed(n, store.Inbox))
	}
	names := map[string]string{}
	less := k.s.Clone()
	for i, s := range less.Steps {
		if s.Message == "" || s.Message[0] == '#' {
			continue
		}
		if names[s.Message] == "" {
			names[s.Message] = string(rune('a' + len(names)%26))
		}
		less.Steps[i].Message = names[s.Message]
	}
	if len(names) <= 26 {
		k.try(less)
	}
}

// renamed calls a mailbox otherwise, everywhere.
func (k *shrinker) renamed(n, to store.Name) *scenario.Scenario {
	less := k.s.Clone()
	for i := range less.Steps {
		s := &less.Steps[i]
		if s.Mailbox == n {
			s.Mailbox = to
		}
		if s.To == n {
			s.To = to
		}
		if s.Run != nil {
			for j, o := range s.Run.Only {
				if o == n {
					s.Run.Only[j] = to
				}
			}
		}
	}
	less.Steps = slices.DeleteFunc(less.Steps, func(s scenario.Step) bool {
		return s.Verb == scenario.Create && s.Mailbox == store.Inbox || s.To != "" && s.To == s.Mailbox
	})
	return less
}
