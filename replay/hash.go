package replay

import (
	"crypto/sha256"

	"dsync/changelog"
	"dsync/merge"
)

// Hash is the hash of what a merge gave both sides, in canonical order. Two ends
// that merged the same compare equal; anything else means that one of them is
// wrong, and nothing may be written.
type Hash [32]byte

// HashOf computes the hash of a result.
func HashOf(r *merge.Result) Hash {
	h := sha256.New()
	var b []byte
	put := func(tag byte) {
		h.Write([]byte{tag, byte(len(b) >> 24), byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))})
		h.Write(b)
		b = b[:0]
	}
	for s := range r.After {
		a := &r.After[s]
		put('S')
		if a.Tree == nil {
			continue
		}
		for _, n := range a.Tree.Nodes {
			b = changelog.AppendNode(b, n)
			put('N')
		}
		for _, x := range a.Tree.Bare {
			b = changelog.AppendBare(b, x)
			put('B')
		}
		b = changelog.AppendUVs(b, a.Tree.UVs)
		put('U')
		for _, m := range a.Messages {
			b = changelog.AppendMessage(b, m)
			put('M')
		}
		for _, d := range a.Drop {
			b = changelog.AppendDot(b, d)
			put('D')
		}
	}
	var out Hash
	h.Sum(out[:0])
	return out
}
