package genmail

import (
	"fmt"
	"math"
)

// Random draws the numbers that Python's random.Random(seed) draws, for the
// methods the generators use. The algorithms are CPython's (3.2 to 3.13): the
// Mersenne Twister MT19937 seeded by init_by_array, and the ways of the
// random module to make other numbers from its words. It is not for
// concurrent use and not for secrets.
//
// Exponential and logarithm may differ from the C library's in the last bit;
// that shows only where such a bit decides about a whole byte of a message's
// size, which is one message in some 10^12.
type Random struct {
	state [stateSize]uint32
	next  int // index of the next word in state
}

const (
	stateSize   = 624
	stateOffset = 397
)

// NewRandom is random.Random(seed). As in Python, the sign of the seed does
// not count.
func NewRandom(seed int64) *Random {
	n := uint64(seed)
	if seed < 0 {
		n = -n
	}
	key := []uint32{uint32(n)}
	if high := uint32(n >> 32); high != 0 {
		key = append(key, high)
	}
	r := &Random{next: stateSize}
	r.initByArray(key)
	return r
}

// initLinear is init_genrand of the reference implementation.
func (r *Random) initLinear(seed uint32) {
	r.state[0] = seed
	for i := 1; i < stateSize; i++ {
		previous := r.state[i-1]
		r.state[i] = 1812433253*(previous^previous>>30) + uint32(i)
	}
}

// initByArray is init_by_array of the reference implementation.
func (r *Random) initByArray(key []uint32) {
	r.initLinear(19650218)
	s := &r.state
	i, j := 1, 0
	step := func() {
		if i++; i >= stateSize {
			s[0] = s[stateSize-1]
			i = 1
		}
	}
	for range max(stateSize, len(key)) {
		s[i] = s[i] ^ (s[i-1]^s[i-1]>>30)*1664525
		s[i] += key[j] + uint32(j)
		j = (j + 1) % len(key)
		step()
	}
	for range stateSize - 1 {
		s[i] = s[i] ^ (s[i-1]^s[i-1]>>30)*1566083941
		s[i] -= uint32(i)
		step()
	}
	s[0] = 1 << 31
}

// refill makes the next block of words.
func (r *Random) refill() {
	s := &r.state
	for i := range s {
		y := s[i]&(1<<31) | s[(i+1)%stateSize]&(1<<31-1)
		s[i] = s[(i+stateOffset)%stateSize] ^ y>>1 ^ (y&1)*0x9908b0df
	}
	r.next = 0
}

// word is genrand_uint32.
func (r *Random) word() uint32 {
	if r.next == stateSize {
		r.refill()
	}
	y := r.state[r.next]
	r.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// Bits is getrandbits(k) for 0 ≤ k ≤ 64.
func (r *Random) Bits(k int) uint64 {
	switch {
	case k < 0 || k > 64:
		panic(fmt.Sprintf("genmail: Bits(%d) is out of range 0 to 64", k))
	case k == 0:
		return 0
	case k <= 32:
		return uint64(r.word() >> (32 - k))
	}
	low := uint64(r.word())
	return low | uint64(r.word()>>(64-k))<<32
}

// Float is random(): a number in [0, 1) with 53 random bits.
func (r *Random) Float() float64 {
	a, b := r.word()>>5, r.word()>>6
	return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
}

// Below is _randbelow(n), which randrange(0, n) and choice are made of. It
// panics unless n is positive.
func (r *Random) Below(n int) int {
	if n <= 0 {
		panic(fmt.Sprintf("genmail: Below(%d) of an empty range", n))
	}
	k := bitLength(n)
	for {
		if v := r.Bits(k); v < uint64(n) {
			return int(v)
		}
	}
}

func bitLength(n int) int {
	k := 0
	for ; n > 0; n >>= 1 {
		k++
	}
	return k
}

// normalMagic is 4*exp(-0.5)/sqrt(2) as Python computes it.
const normalMagic = 1.7155277699214135

// Normal is normalvariate(mu, sigma): the ratio method of Kinderman and
// Monahan. The conversions keep the compiler from fusing operations.
func (r *Random) Normal(mu, sigma float64) float64 {
	for {
		u1 := r.Float()
		u2 := 1 - r.Float()
		z := float64(normalMagic*(u1-0.5)) / u2
		if float64(z*z)/4 <= -math.Log(u2) {
			return mu + float64(z*sigma)
		}
	}
}

// LogNormal is lognormvariate(mu, sigma).
func (r *Random) LogNormal(mu, sigma float64) float64 {
	return math.Exp(r.Normal(mu, sigma))
}

// Sample is sample(range(n), k): k different numbers below n, in the order
// drawn. It panics unless 0 ≤ k ≤ n.
func (r *Random) Sample(n, k int) []int {
	if k < 0 || k > n {
		panic(fmt.Sprintf("genmail: Sample(%d, %d): sample larger than population or negative", n, k))
	}
	if n <= smallSet(k) {
		return r.samplePool(n, k)
	}
	return r.sampleSet(n, k)
}

// smallSet is the population size up to which Python copies the population:
// 21 + 4**ceil(log(3k, 4)), the second part only for k > 5.
func smallSet(k int) int {
	size := 21
	if k > 5 {
		power := 1
		for power < 3*k {
			power *= 4
		}
		size += power
	}
	return size
}

func (r *Random) samplePool(n, k int) []int {
	pool := make([]int, n)
	for i := range pool {
		pool[i] = i
	}
	out := make([]int, k)
	for i := range out {
		j := r.Below(n - i)
		out[i] = pool[j]
		pool[j] = pool[n-i-1]
	}
	return out
}

func (r *Random) sampleSet(n, k int) []int {
	seen := make(map[int]bool, k)
	out := make([]int, k)
	for i := range out {
		j := r.Below(n)
		for seen[j] {
			j = r.Below(n)
		}
		seen[j] = true
		out[i] = j
	}
	return out
}
