package recorder

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Whatever the hashes, inOrder gives what an ordinary sort gives.
func TestInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 2, 63, 64, 65, 127, 128, 1000}).Draw(t, "n")
		mask := rapid.SampledFrom([]uint64{0, 1, 0xff, 0xff << 56, 1<<64 - 1}).Draw(t, "mask")
		hs := make([]hashed, n)
		for i := range hs {
			hs[i] = hashed{rapid.Uint64().Draw(t, "hash") & mask, int32(i)}
		}
		want := slices.Clone(hs)
		slices.SortFunc(want, compareHashed)
		if got := inOrder(hs); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func BenchmarkInOrder(b *testing.B) {
	hs := make([]hashed, 100000)
	x := uint64(1)
	for i := range hs {
		x = x*6364136223846793005 + 1442695040888963407
		hs[i] = hashed{x, int32(i)}
	}
	b.ReportAllocs()
	for b.Loop() {
		inOrder(hs)
	}
}
