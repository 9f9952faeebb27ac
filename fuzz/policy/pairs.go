package policy

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"dsync/fuzz/pure"
)

// The universe of pairs: one message in each of two mailboxes, and what can be done
// there that a policy may decide.
const past = "0:cr X,Y; 0:ap X m; 0:ap Y n; 0:f+F Y#n; 0:k+old Y#n; tick; 0=1"

var acts = []string{
	"f+F X", "f-F Y", "k+kw X", "k-old Y", "f+T X", "f+F X; 0:f-F X", "f-F Y; 0:f+F Y",
	"ex X", "ex Y", "mv X>Y", "cp X>Y", "ap X g", "ap Y g",
	"dl X", "dl Y", "rn X>Z", "rn Y>Z", "cr Z", "su X", "md X v", "uv X up",
}

// pairs gives n pairs of histories as histories of two replicas that meet: the
// shortest first, those of one length in an order drawn by the seed. Every second
// has the later side a second later.
func pairs(n int, seed uint64) [][]pure.Op {
	tails := []string{""}
	for _, a := range acts {
		tails = append(tails, a)
	}
	for _, a := range acts {
		for _, b := range acts {
			if a != b {
				tails = append(tails, a+"; 0:"+b)
			}
		}
	}
	size := func(i int) int {
		switch {
		case i == 0:
			return 0
		case i <= len(acts):
			return 1
		}
		return 2
	}
	rng := rand.New(rand.NewPCG(seed, 24))
	type pair struct{ a, b, size, rank int }
	var ps []pair
	for a := range tails {
		for b := range tails {
			// Of the longest pairs there are too many to be listed for a few.
			if s := size(a) + size(b); s < 4 || rng.IntN(16) == 0 {
				ps = append(ps, pair{a, b, s, rng.IntN(1 << 30)})
			}
		}
	}
	slices.SortFunc(ps, func(x, y pair) int {
		return cmp.Or(cmp.Compare(x.size, y.size), cmp.Compare(x.rank, y.rank), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	var out [][]pure.Op
	for i, p := range ps[:min(n, len(ps))] {
		h := past
		if p.a > 0 {
			h += "; 0:" + tails[p.a]
		}
		if i%2 == 1 {
			h += "; tick"
		}
		ops := pure.MustParse(h)
		if p.b > 0 {
			other := pure.MustParse("0:" + tails[p.b])
			for j := range other {
				other[j].R = 1
			}
			ops = append(ops, other...)
		}
		out = append(out, append(ops, pure.Op{Verb: pure.SyncWhole, R: 0, Peer: 1}))
	}
	return out
}
