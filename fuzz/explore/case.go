package explore

import (
	"fmt"
	"math/bits"
	"slices"

	"dsync/fuzz/pure"
)

// worker tries cases and counts what came of them.
type worker struct {
	t     *tails
	modes []*mode
	sum   *tally
}

// most is how many laws one case may break in one mode before it is left.
const most = 8

// try runs one case in every mode.
func (w *worker) try(c []int) {
	w.sum.Cases++
	w.cells(c)
	whole := ""
	for i, m := range w.modes {
		var broken []string
		for len(broken) < most {
			end, err := w.attempt(c, m, broken)
			if m.family == "whole" {
				whole = end
			}
			if err == nil && m.trim && whole != "" && end != whole && !mutes(broken)("P12") {
				err = fmt.Errorf("P12: with trimmed logs the run gives\n%sinstead of\n%s", end, whole)
			}
			if err == nil {
				break
			}
			law := pure.LawOf(err)
			broken = append(broken, law)
			x := example{Case: append([]int(nil), c...), Mode: i, Size: w.size(c), Why: err.Error()}
			if len(c) > 2 {
				x.Met = end
			}
			w.sum.broke(law, x)
		}
		w.sum.Runs[i]++
	}
}

func mutes(laws []string) func(string) bool {
	return func(l string) bool {
		for _, m := range laws {
			if m == l {
				return true
			}
		}
		return false
	}
}

func (w *worker) size(c []int) (n int) {
	for _, i := range c {
		n += w.t.all[i].size
	}
	return n
}

// cells counts the cells of the matrix that the case hits.
func (w *worker) cells(c []int) {
	for i := range c {
		for _, j := range c[i+1:] {
			for a := w.t.all[c[i]].kinds; a != 0; a &= a - 1 {
				for b := w.t.all[j].kinds; b != 0; b &= b - 1 {
					w.sum.Cells[bits.TrailingZeros32(a)][bits.TrailingZeros32(b)]++
				}
			}
		}
	}
}

// limits reports whether the mode begins with a run that carries less than all.
func (m *mode) limits() bool {
	return !slices.Contains([]string{"whole", "late", "trim", "lost"}, m.family)
}

// attempt runs a case in one mode, without the laws that are known to be broken. It
// gives what the first side shows in the end; of three replicas, in which order they
// met if that broke a law.
func (w *worker) attempt(c []int, m *mode, broken []string) (end string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	var rs []*pure.Replica
	for s, i := range c {
		r := w.t.all[i].at[s]
		if s == m.late {
			r = r.Later(w.t.since[s], second)
		}
		rs = append(rs, r)
	}
	v := w.t.base.With(rs...)
	v.Excused = w.sum.Excused
	if len(broken) > 0 {
		v.Mute = mutes(broken)
	}
	if len(rs) > 2 {
		o := orders{know: [3]uint8{1, 2, 4}}
		if way, err := o.meet(v); err != nil {
			return way, err
		}
		return o.settle(v)
	}
	for i, o := range m.runs {
		if i > 0 && i == len(m.runs)-1 && m.limits() && w.modes[0].family == "whole" {
			// What a limited run left as it was needs no whole one: that is a mode of its own.
			if v.R[0].Same(rs[0]) && v.R[1].Same(rs[1]) {
				w.sum.Same++
				break
			}
			v.Once = true // whole runs by themselves are asked all
		}
		if err := v.Run(o); err != nil {
			return "", err
		}
	}
	return v.R[0].Dump(v.Policy, true), nil
}
