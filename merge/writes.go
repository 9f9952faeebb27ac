package merge

import (
	"dsync/changelog"
)

// mergeWrites merges two sets of writes of one kind. compare orders writes within
// the set (register, then dot); both sets are in that order and hold no two that
// compare equal. A write that only one side has stays if the other side has not
// seen its dot, or (lacks) if the other side does not know the entry at all.
// Dots of dropped writes go to gone.
func mergeWrites[W any](a, b []W, seenA, seenB *changelog.Dots, lackA, lackB bool,
	compare func(W, W) int, dot func(W) changelog.Dot, gone *changelog.Dots) []W {
	out := make([]W, 0, max(len(a), len(b)))
	one := func(w W, seen *changelog.Dots, lacks bool) {
		if lacks || !seen.Has(dot(w)) {
			out = append(out, w)
		} else {
			gone.Add(dot(w))
		}
	}
	for len(a) > 0 && len(b) > 0 {
		switch c := compare(a[0], b[0]); {
		case c == 0:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		case c < 0:
			one(a[0], seenB, lackB)
			a = a[1:]
		default:
			one(b[0], seenA, lackA)
			b = b[1:]
		}
	}
	for _, w := range a {
		one(w, seenB, lackB)
	}
	for _, w := range b {
		one(w, seenA, lackA)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// union joins the sets of several entries of one side: they hold what any holds.
func union[W any](sets [][]W, compare func(W, W) int) []W {
	if len(sets) == 0 {
		return nil
	}
	out := sets[0]
	for _, s := range sets[1:] {
		a, b := out, s
		merged := make([]W, 0, len(a)+len(b))
		for len(a) > 0 && len(b) > 0 {
			switch c := compare(a[0], b[0]); {
			case c == 0:
				merged, a, b = append(merged, a[0]), a[1:], b[1:]
			case c < 0:
				merged, a = append(merged, a[0]), a[1:]
			default:
				merged, b = append(merged, b[0]), b[1:]
			}
		}
		out = append(append(merged, a...), b...)
	}
	return out
}

// unseen reports whether any of the writes is new to the other side.
func unseen[W any](ws []W, dot func(W) changelog.Dot, other *changelog.Dots) bool {
	for _, w := range ws {
		if !other.Has(dot(w)) {
			return true
		}
	}
	return false
}
