// Package explore tries every pair of short histories, one at each side of a run,
// from one common past; or every triple, met in every order.
//
// # Contract
//
//   - A universe is what Options bound: some messages spread over some mailboxes, and
//     all that one side can do to them in so many operations: deliver, copy, move,
//     expunge, set, clear and replace flags, create, rename (into each other too),
//     delete, subscribe, unsubscribe, set an attribute, reset UIDVALIDITY.
//   - Histories that leave a replica in one state are one history: what does nothing
//     that shows is left out, and so is another order of what does not touch each
//     other. Of cases that differ by names of what is alike in the past, or by which
//     side did what where the policy does not look at that, one is tried.
//   - Each case meets in every mode asked for (Families), and every law is asked that
//     fuzz/pure can ask. A law that is broken does not hide the others.
//   - The report depends on the Options that bound the universe, the policy and the
//     modes alone: not on the machine, the number of workers, or stops in between.
//   - Run may be stopped by its context and goes on from its progress file.
package explore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"dsync/merge"
)

// Options bound a search.
type Options struct {
	Replicas  int           `json:"replicas"`  // 2, or 3: those meet in every order
	Messages  int           `json:"messages"`  // spread over the mailboxes, 0 to MaxMessages
	Mailboxes int           `json:"mailboxes"` // beside INBOX, 1 to MaxMailboxes
	Flags     int           `json:"flags"`     // \Flagged, a keyword, \Deleted, \Seen, \Draft, \Answered
	Ops       int           `json:"ops"`       // of each side, 1 to MaxOps
	Policy    *merge.Policy `json:"-"`
	Modes     []string      `json:"modes"` // names of Families; none: whole
	// Most bounds the cases, the first ones; 0: all.
	Most int `json:"most,omitempty"`
	// Workers is how many cases are tried at once; 0: as many as there are processors.
	Workers int `json:"-"`
	// File is where progress is kept; "": nowhere. What it holds is gone on from.
	File string `json:"-"`
	// Stopped is where progress is kept if ctx ends and File is ""; "": nowhere.
	Stopped string `json:"-"`
	// Progress is told now and then how far the search has come; may be nil.
	Progress func(Status) `json:"-"`
}

// Status is how far a search has come.
type Status struct {
	Done, All int           // cases
	Broken    int           // laws that were broken so far
	Left      time.Duration // at the pace so far; 0: unknown
}

// Defaults are the bounds of dsync lab explore.
var Defaults = Options{Replicas: 2, Messages: 2, Mailboxes: 2, Flags: 1, Ops: 2}

// ErrBounds: Options ask for no universe.
var ErrBounds = errors.New("nothing to explore")

// batch is how many cases a worker takes at once.
const batch = 64

// search is one search under way.
type search struct {
	o     Options
	t     *tails
	modes []*mode
	all   int // cases
	sort  bool

	mu     sync.Mutex
	at     []int // the next case; nil: none is left
	handed int   // batches
	tried  int   // cases tried by this process
	next   int   // batches whose tallies are in sum
	sum    *tally
	early  map[int]*tally // of later batches
	start  time.Time
	saved  time.Time
	err    error
}

// Run searches. If ctx ends first it keeps the progress, and the report says so.
func Run(ctx context.Context, o Options) (*Report, error) {
	var modes []*mode
	err := o.check()
	if err == nil {
		modes, err = o.modes()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBounds, err)
	}
	t, err := newTails(newUniverse(o))
	if err != nil {
		return nil, err
	}
	s := &search{o: o, t: t, modes: modes, sort: !o.Policy.Control(), sum: newTally(len(modes)), early: map[int]*tally{}, start: time.Now()}
	s.count()
	s.at = make([]int, o.Replicas)
	if err := s.resume(); err != nil {
		return nil, err
	}
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { s.work(ctx) })
	}
	wg.Wait()
	if ctx.Err() != nil && s.o.File == "" {
		s.o.File = s.o.Stopped
	}
	if s.err == nil {
		s.err = s.save()
	}
	if s.err != nil {
		return nil, s.err
	}
	s.tell()
	return s.report(), nil
}

// work tries batches until none is left.
func (s *search) work(ctx context.Context) {
	for ctx.Err() == nil {
		n, cases := s.take()
		if len(cases) == 0 {
			return
		}
		w := &worker{t: s.t, modes: s.modes, sum: newTally(len(s.modes))}
		for len(cases) > 0 && ctx.Err() == nil {
			w.try(cases[:s.o.Replicas])
			cases = cases[s.o.Replicas:]
		}
		if len(cases) > 0 || !s.put(n, w.sum) {
			return
		}
	}
}

// take gives the next batch: its number, and its cases one after another.
func (s *search) take() (n int, cases []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, nil
	}
	n = s.handed
	for k := 0; k < batch && s.at != nil && n*batch+k < s.all; k++ {
		cases = append(cases, s.at...)
		s.step()
	}
	s.handed++
	return n, cases
}

// put takes a batch's tally over, in the order of batches.
func (s *search) put(n int, t *tally) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried += t.Cases
	s.early[n] = t
	for s.early[s.next] != nil {
		s.sum.add(s.early[s.next])
		delete(s.early, s.next)
		s.next++
	}
	if time.Since(s.saved) > saveEvery && s.err == nil {
		s.err = s.save()
	}
	s.tell()
	return s.err == nil
}

// tell reports progress.
func (s *search) tell() {
	if s.o.Progress == nil {
		return
	}
	st := Status{Done: s.sum.Cases, All: s.all, Broken: len(s.sum.Laws)}
	if s.tried > 0 {
		st.Left = time.Duration(float64(time.Since(s.start)) / float64(s.tried) * float64(s.all-st.Done))
	}
	s.o.Progress(st)
}

// count finds how many cases there are.
func (s *search) count() {
	s.at = make([]int, s.o.Replicas)
	for s.at != nil && (s.o.Most == 0 || s.all < s.o.Most) {
		s.all++
		s.step()
	}
}

// step goes to the next case that stands for those that are like it.
func (s *search) step() {
	for {
		k := len(s.at) - 1
		for k >= 0 && s.at[k] == len(s.t.all)-1 {
			k--
		}
		if k < 0 {
			s.at = nil
			return
		}
		s.at[k]++
		for j := k + 1; j < len(s.at); j++ {
			s.at[j] = 0
			if s.sort {
				s.at[j] = s.at[k]
			}
		}
		if s.t.first(s.at, s.sort) {
			return
		}
	}
}
