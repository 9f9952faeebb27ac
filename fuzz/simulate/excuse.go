package simulate

import (
	"slices"
	"strings"

	"dsync/fuzz/lab"
	"dsync/fuzz/scenario"
)

// exception is what is known not to hold (DESIGN.md 12).
type exception struct {
	laws []string
	when func(*Outcome, lab.Finding) bool
	says string
}

var exceptions = []exception{{
	laws: []string{"P26"},
	when: func(w *Outcome, f lab.Finding) bool {
		return w.does(scenario.Restore) && strings.Contains(f.Text, "was left out and changed: ") && strings.Count(f.Text, " uidnext ") == 2 && !strings.Contains(f.Text, "; ")
	},
	says: "a store older than its log is brought up to its UIDNEXT outside of the filter, too",
}, {
	laws: []string{"P11"},
	when: func(w *Outcome, f lab.Finding) bool {
		at, rest, _ := strings.Cut(f.Text, ": ")
		return strings.HasSuffix(strings.SplitN(rest, ": ", 2)[0], " are gone and not listed as vanished") && w.lowered(at)
	},
	says: "a client lowered a UIDVALIDITY, and the higher one came back",
}}

// lowered reports whether a client lowers a UIDVALIDITY at a replica.
func (w *Outcome) lowered(at string) bool {
	does := func(s scenario.Step) bool { return s.Verb == scenario.UIDValidity && s.Value == "down" && s.At == at }
	return slices.ContainsFunc(w.Scenario.Steps, func(s scenario.Step) bool {
		return does(s) || s.Run != nil && slices.ContainsFunc(s.Run.During, func(m scenario.Meanwhile) bool { return does(m.Step) })
	})
}

// does reports whether the world's history has a step of a kind.
func (w *Outcome) does(v scenario.Verb) bool {
	return slices.ContainsFunc(w.Scenario.Steps, func(s scenario.Step) bool { return s.Verb == v })
}

// excuse takes findings away that a known exception is about, and counts them.
func (w *Outcome) excuse() {
	w.Result.Broken = slices.DeleteFunc(w.Result.Broken, func(f lab.Finding) bool {
		for _, e := range exceptions {
			if slices.Contains(e.laws, f.Law) && e.when(w, f) {
				w.Excused = append(w.Excused, f.Law+": "+e.says)
				return true
			}
		}
		return false
	})
}
