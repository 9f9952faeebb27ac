package check

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dsync/fuzz/dovecot"
	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/scenario"
)

// faults reads what was found on doveadm and made small.
func faults(t *testing.T) (out []*scenario.Scenario) {
	t.Helper()
	names, err := filepath.Glob("../testdata/doveadm/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, _, err := scenario.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f.Scenarios...)
	}
	return out
}

// published are the faults of observed.md §A that are shown, by the beginnings of the
// scenarios' names.
var published = []string{"1-", "2-", "3-", "5-", "8-", "9-", "relay", "far-side"}

// The files are whole: each published fault has one, which says when, from which seed
// and on which engine it was found, which laws it breaks there, and what all must show.
func TestFaultsAreWhole(t *testing.T) {
	fs := faults(t)
	for _, p := range published {
		if !slices.ContainsFunc(fs, func(s *scenario.Scenario) bool { return strings.HasPrefix(s.Name, p) }) {
			t.Errorf("no scenario shows %s", p)
		}
	}
	for _, s := range fs {
		last := s.Steps[len(s.Steps)-1]
		if s.Date == "" || s.Seed == "" || s.Found != "doveadm" || len(s.Laws) != 1 || len(s.Breaks) != 1 || !slices.Contains(s.Breaks[0].Laws, s.Laws[0]) || last.Verb != scenario.Expect {
			t.Errorf("%s: the header or what is expected is not whole:\n%s", s.Name, s)
		}
		if !slices.ContainsFunc(s.Notes, func(n string) bool { return strings.HasPrefix(n, "repeat with: dsync lab test --engine doveadm ") }) {
			t.Errorf("%s: no line that repeats it", s.Name)
		}
		if n := len(s.Steps); n > 9 {
			t.Errorf("%s: %d steps are not small", s.Name, n)
		}
	}
}

// Our engines keep every law in the scenarios in which doveadm breaks one, and show
// what is expected.
func TestFaultsAreNotOurs(t *testing.T) {
	for _, e := range []engine.Engine{engine.Pure{}, engine.Memory(), engine.Maildir(), engine.Dovecot()} {
		t.Run(e.Name(), func(t *testing.T) {
			if e.Name() == "dovecot" {
				dovecot.Require(t)
			}
			defer engine.Close(e)
			for _, s := range faults(t) {
				if r := lab.Play(e, s, lab.Options{}); !r.Pass && r.Skipped == "" {
					t.Errorf("%s", r.Text())
				}
			}
		})
	}
}

// doveadm shows its faults (L4): each scenario breaks just the laws that it says. What
// doveadm does hangs on the clock too, so each has three tries.
func TestFaultsShow(t *testing.T) {
	dovecot.Require(t)
	e := engine.Doveadm()
	t.Cleanup(func() { e.Close() })
	for _, s := range faults(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel() // they wait for whole seconds, most of the time
			r := lab.Play(e, s, lab.Options{})
			for try := 2; !r.Pass && try <= 3; try++ {
				t.Logf("not seen: %s", r.Text())
				r = lab.Play(e, s, lab.Options{})
			}
			if !r.Pass {
				t.Errorf("%s\nagain: dsync lab run --engine doveadm fuzz/testdata/doveadm/%s.txt", r.Text(), strings.Split(s.Name, ":")[0])
			}
		})
	}
}
