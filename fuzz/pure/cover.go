package pure

import (
	"fmt"
	"slices"

	"dsync/changelog"
)

// Coverage counts which cells of the matrix in conflicts.md histories have hit:
// pairs of kinds of changes, one at each side of a whole run, that the other side
// had not seen.
type Coverage struct {
	kinds map[changelog.Dot]string
	reset map[int]bool // replicas whose UIDVALIDITY a client reset since a run
	Cells map[[2]string]int
}

// NewCoverage starts counting.
func NewCoverage() *Coverage {
	return &Coverage{kinds: map[changelog.Dot]string{}, reset: map[int]bool{}, Cells: map[[2]string]int{}}
}

// Kinds are the rows of the matrix, but for RP: replacing all flags is, once
// reduced to what it changed (rule 10), F+, F- and KW.
var Kinds = []string{"AP", "CP", "MV", "EX", "F+", "F-", "KW", "CR", "RN", "DL", "SU", "US", "UV", "MD"}

var kindOf = map[Verb]string{Append: "AP", Copy: "CP", Move: "MV", Expunge: "EX", Flag: "F+", Unflag: "F-", Keyword: "KW", Unkeyword: "KW",
	CreateBox: "CR", RenameBox: "RN", DeleteBox: "DL", Subscribe: "SU", Unsubscribe: "US", SetAttr: "MD"}

// did notes the changes that an operation made: those of r above seq.
func (c *Coverage) did(o Op, r *Replica, seq uint64) {
	if o.Verb == ResetUIDs {
		c.reset[r.Name] = true
	}
	for q := seq + 1; q <= r.Seq; q++ {
		c.kinds[changelog.Dot{Replica: r.ID, Seq: q}] = kindOf[o.Verb]
	}
}

// meet counts the cells that a run between a and b is about to decide.
func (c *Coverage) meet(a, b *Replica) {
	var kinds [2]map[string]bool
	for s, r := range []*Replica{a, b} {
		other := []*Replica{b, a}[s]
		kinds[s] = map[string]bool{}
		news := r.Seen.Minus(&other.Seen)
		news.Each(func(d changelog.Dot) bool {
			if k := c.kinds[d]; k != "" {
				kinds[s][k] = true
			}
			return true
		})
		if c.reset[r.Name] {
			kinds[s]["UV"] = true
		}
	}
	delete(c.reset, a.Name)
	delete(c.reset, b.Name)
	c.Count(kinds)
}

// Count counts the cells of a run to which the two sides bring changes of these kinds.
func (c *Coverage) Count(kinds [2]map[string]bool) {
	for x := range kinds[0] {
		for y := range kinds[1] {
			c.Hit(x, y, 1)
		}
	}
}

// Hit counts the cell of two kinds, in whichever order, n times.
func (c *Coverage) Hit(x, y string, n int) {
	if slices.Index(Kinds, x) > slices.Index(Kinds, y) {
		x, y = y, x
	}
	c.Cells[[2]string{x, y}] += n
}

// KindOf is the row of the matrix that a client's operation belongs to; "" if it has
// none.
func KindOf(v Verb) string {
	if v == ResetUIDs {
		return "UV"
	}
	return kindOf[v]
}

// Missing lists the cells that were never hit.
func (c *Coverage) Missing() (out []string) {
	for i, x := range Kinds {
		for _, y := range Kinds[i:] {
			if c.Cells[[2]string{x, y}] == 0 {
				out = append(out, fmt.Sprintf("%s x %s", x, y))
			}
		}
	}
	return out
}
