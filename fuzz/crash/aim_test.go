package crash

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// phaseOrder is how a run goes; "log" comes between and is met on the way.
var phaseOrder = []string{"open", "scan", "intent", "copy", "effect", "state"}

// aim chooses when a run is killed. Phases differ in length a hundredfold: delays
// drawn over the whole run would leave the short ones to luck, so every second
// kill goes where the phase that was hit least must lie, between a kill that came
// before it and one that came after it.
type aim struct {
	r     *rand.Rand
	whole time.Duration // what a run takes
	kills []met         // by time
}

// met is one kill. order is the phase's place in phaseOrder, -1 for "log".
type met struct {
	after time.Duration
	order int
}

// next is after how long the next run is killed.
func (a *aim) next(phases map[string]int) time.Duration {
	anywhere := time.Duration(a.r.Int64N(int64(a.whole) * 11 / 10))
	if a.r.IntN(2) == 0 {
		return anywhere
	}
	wanted := slices.MinFunc(phaseOrder[1:], func(x, y string) int { return cmp.Compare(phases[x], phases[y]) })
	gaps := a.gaps(slices.Index(phaseOrder, wanted))
	if len(gaps) == 0 {
		return anywhere
	}
	g := gaps[a.r.IntN(len(gaps))]
	return g[0] + time.Duration(a.r.Int64N(int64(g[1]-g[0])+1))
}

// gaps are the times between two neighbouring kills between which the phase of
// that order may lie.
func (a *aim) gaps(order int) (out [][2]time.Duration) {
	last := met{0, 0}
	for _, s := range append(a.kills, met{a.whole * 11 / 10, len(phaseOrder)}) {
		if s.order < 0 {
			continue
		}
		if last.order <= order && order <= s.order {
			out = append(out, [2]time.Duration{last.after, s.after})
		}
		last = s
	}
	return out
}

// hit remembers what a kill met; a run that ended before it met the end.
func (a *aim) hit(after time.Duration, phase string, alive bool) {
	s := met{after, slices.Index(phaseOrder, phase)}
	if alive {
		s.order = len(phaseOrder)
	}
	at, _ := slices.BinarySearchFunc(a.kills, after, func(s met, t time.Duration) int { return cmp.Compare(s.after, t) })
	a.kills = slices.Insert(a.kills, at, s)
}

// A phase of a thousandth of the run is hit often, and the others are too.
func TestAim(t *testing.T) {
	const whole = time.Second
	ends := []time.Duration{0, 850, 851, 950, 990, 1000} // of each phase, in ms
	phases := map[string]int{}
	a := aim{r: rand.New(rand.NewPCG(1, 1)), whole: whole}
	for range 200 {
		after := a.next(phases)
		at := slices.IndexFunc(ends, func(e time.Duration) bool { return after < e*time.Millisecond })
		if at < 0 {
			a.hit(after, "", true)
			continue
		}
		phases[phaseOrder[at]]++
		a.hit(after, phaseOrder[at], false)
	}
	for _, p := range phaseOrder[1:] {
		if phases[p] < 10 {
			t.Errorf("of 200 kills %d hit %s: %v", phases[p], p, phases)
		}
	}
}
