package live

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Source gives a world its time and its identities. All follow from the seed, but for
// the time if it is real. It may be used by several goroutines.
type Source struct {
	real bool // the clock is the system's

	mu    sync.Mutex
	clock time.Time
	ids   *rand.Rand
}

// NewSource makes the source of a seed. Its clock stands, unless it is real, at the
// beginning of 2026 until Pass.
func NewSource(seed uint64, real bool) *Source {
	return &Source{real: real, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ids: rand.New(rand.NewPCG(seed, 99))}
}

// Real reports whether the clock is the system's.
func (s *Source) Real() bool { return s.real }

// Time is the time now.
func (s *Source) Time() time.Time {
	if s.real {
		return time.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

// Pass puts a clock that is not real ahead.
func (s *Source) Pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

// NewID gives a number that is not 0 for a replica, an epoch or a tag.
func (s *Source) NewID() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if id := s.ids.Uint64(); id != 0 {
			return id
		}
	}
}
