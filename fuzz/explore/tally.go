package explore

import (
	"cmp"
	"slices"

	"dsync/fuzz/pure"
)

// tally is what came of some cases. Tallies of parts add up to that of the whole, in
// whatever order.
type tally struct {
	Cases   int                `json:"cases"`
	Runs    []int              `json:"runs"` // by mode
	Same    int                `json:"same"` // whole runs left out: an earlier mode made them
	Cells   [rows][rows]int    `json:"cells"`
	Laws    map[string]*broken `json:"laws"`
	Excused map[string]int     `json:"excused"` // law -> rule, the smallest
}

const rows = 14 // of the matrix: as many as pure.Kinds

// broken is a law that cases broke.
type broken struct {
	Count   int     `json:"count"`
	Example example `json:"example"`
}

// example is a case that breaks a law.
type example struct {
	Case []int  `json:"case"`
	Mode int    `json:"mode"`
	Size int    `json:"size"` // operations after the past
	Why  string `json:"why"`
	Met  string `json:"met,omitempty"` // three replicas: the runs in which they met, in the notation of fuzz/pure
}

// less orders examples: the shortest is the best, then the first.
func (e *example) less(o *example) bool {
	return cmp.Or(cmp.Compare(e.Size, o.Size), slices.Compare(e.Case, o.Case), cmp.Compare(e.Mode, o.Mode)) < 0
}

func newTally(modes int) *tally {
	return &tally{Runs: make([]int, modes), Laws: map[string]*broken{}, Excused: map[string]int{}}
}

func (t *tally) broke(law string, e example) {
	b := t.Laws[law]
	if b == nil {
		b = &broken{Example: e}
		t.Laws[law] = b
	}
	b.Count++
	if e.less(&b.Example) {
		b.Example = e
	}
}

// add takes over what came of other cases.
func (t *tally) add(o *tally) {
	t.Cases += o.Cases
	t.Same += o.Same
	for i, n := range o.Runs {
		t.Runs[i] += n
	}
	for i := range o.Cells {
		for j, n := range o.Cells[i] {
			t.Cells[i][j] += n
		}
	}
	for law, b := range o.Laws { // any order: a law each
		n := b.Count
		t.broke(law, b.Example)
		t.Laws[law].Count += n - 1
	}
	for law, rule := range o.Excused { // any order: a law each
		if old := t.Excused[law]; old == 0 || rule < old {
			t.Excused[law] = rule
		}
	}
}

// coverage is the matrix of conflicts.md as the cases hit it.
func (t *tally) coverage() *pure.Coverage {
	c := pure.NewCoverage()
	for i := range t.Cells {
		for j, n := range t.Cells[i] {
			if n > 0 {
				c.Hit(pure.Kinds[i], pure.Kinds[j], n)
			}
		}
	}
	return c
}
