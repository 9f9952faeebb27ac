package changelog

import (
	"testing"

	"pgregory.net/rapid"
)

// Dots behaves as a set of dots, checked against a map.
func TestDotsAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dot := rapid.Custom(func(t *rapid.T) Dot {
			return Dot{Replica{ReplicaID(rapid.IntRange(1, 3).Draw(t, "r")), 0}, rapid.Uint64Range(1, 12).Draw(t, "q")}
		})
		as, bs := rapid.SliceOf(dot).Draw(t, "a"), rapid.SliceOf(dot).Draw(t, "b")
		a, b := DotsOf(as...), DotsOf(bs...)
		ma, mb := map[Dot]bool{}, map[Dot]bool{}
		for _, d := range as {
			ma[d] = true
		}
		for _, d := range bs {
			mb[d] = true
		}
		u := a.Clone()
		u.Union(&b)
		m := a.Minus(&b)
		for _, s := range []Dots{a, b, u, m} {
			if _, ok := DotsFrom(s.Replicas()); !ok {
				t.Fatalf("%v is not canonical", s)
			}
		}
		for r := ReplicaID(1); r <= 3; r++ {
			for q := uint64(1); q <= 13; q++ {
				d := Dot{Replica{r, 0}, q}
				if a.Has(d) != ma[d] || u.Has(d) != (ma[d] || mb[d]) || m.Has(d) != (ma[d] && !mb[d]) {
					t.Fatalf("%v: a=%v b=%v union=%v minus=%v", d, a, b, u, m)
				}
			}
		}
		if c := a.Covers(&b); c != (func() bool {
			for d := range mb {
				if !ma[d] {
					return false
				}
			}
			return true
		})() {
			t.Fatalf("Covers says %v of %v and %v", c, a, b)
		}
	})
}
