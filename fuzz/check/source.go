package check

import "math/rand/v2"

// Source gives the choices that a scenario is made of.
type Source interface {
	// N draws a number from 0 to n-1; n is at least 1. Smaller numbers mean plainer
	// scenarios.
	N(n int) int
}

type seeded struct{ rng *rand.Rand }

func (s seeded) N(n int) int { return s.rng.IntN(n) }

// Seeded is the source of a seed.
func Seeded(seed uint64) Source { return seeded{rand.New(rand.NewPCG(seed, 0x6473796e63))} }
