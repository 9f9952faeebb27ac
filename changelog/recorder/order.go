package recorder

import (
	"cmp"
	"math/bits"
	"slices"
)

// hashed is an entry of a listing by its hash.
type hashed struct {
	hash uint64
	i    int32
}

func compareHashed(a, b hashed) int {
	return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.i, b.i))
}

// inOrder sorts by hash, then index. Hashes are spread evenly, so that they are
// first dealt out by their upper bits, and few are left to be compared; where they
// are not (somebody chose the names) a bucket is sorted as any other list is.
func inOrder(hs []hashed) []hashed {
	const few = 64
	if len(hs) < few {
		slices.SortFunc(hs, compareHashed)
		return hs
	}
	shift := 64 - (bits.Len(uint(len(hs))) - 2)
	ends := make([]int32, 1<<(64-shift)+1)
	for _, h := range hs {
		ends[h.hash>>shift+1]++
	}
	for k := 1; k < len(ends); k++ {
		ends[k] += ends[k-1]
	}
	out := make([]hashed, len(hs))
	for _, h := range hs {
		b := h.hash >> shift
		out[ends[b]] = h
		ends[b]++
	}
	from := int32(0)
	for _, to := range ends[:len(ends)-1] {
		slices.SortFunc(out[from:to], compareHashed)
		from = to
	}
	return out
}
