// Package fleet works on many users in one process: so many at once, each by
// itself, none at the cost of another.
//
// # Contract
//
//   - Users are begun in the order given. Ready is called for each in that order, one
//     after another, before any later one is begun: what must not hang on chance, as
//     whom an account belongs to, is decided there. It does not wait for anything.
//   - Work is called for at most Jobs users at once. What it returns, and a panic in
//     its goroutine, is that user's alone.
//   - A user whose account somebody else holds takes up no place: work is called with
//     no patience (last false), says Busy, and is called again after all that were not
//     begun yet, in ever longer pauses, until Wait since its first call is over; then
//     once with last true.
//   - Once the context ends no user is begun; calls under way end by it. Users who
//     were not begun, or who were waiting, are NotBegun.
//   - Done is called once for each user, one at a time, in the order in which they
//     end. Run returns when no call is under way.
package fleet

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// The pauses between two tries of a user whose account is held.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
)

// Options say how a fleet is run.
type Options struct {
	Jobs int           // at least 1
	Wait time.Duration // for an account that somebody else holds; 0: not at all
	// Ready readies a user; an error is all that becomes of that user. nil: nothing to do.
	Ready func(i int) error
	// Work works on user i. Errors of the user are a Result, too.
	Work func(ctx context.Context, i int, last bool) Result
	// Done takes what became of user i.
	Done func(i int, r Result)
}

// Result is what became of one user.
type Result struct {
	Busy     bool  // somebody holds the account, and nothing was done: try again, if not last
	NotBegun bool  // the context ended first
	Err      error // of Ready; *Panic if Work panicked
	Value    any   // Work's own
}

// Panic is a panic of Work.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("internal error: %v", p.Value) }

// Run works on users 0 to n-1.
func Run(ctx context.Context, n int, o Options) {
	f := &fleet{o: o, n: n}
	var all sync.WaitGroup
	for range min(max(o.Jobs, 1), n) {
		all.Go(func() { f.worker(ctx) })
	}
	all.Wait()
	// Those who were not begun come in their order, those who waited first.
	slices.SortFunc(f.waiting, func(a, b *waiter) int { return cmp.Compare(a.user, b.user) })
	for _, w := range f.waiting {
		f.done(w.user, Result{NotBegun: true})
	}
	for ; f.next < n; f.next++ {
		f.done(f.next, Result{NotBegun: true})
	}
}

type fleet struct {
	o Options
	n int

	mu      sync.Mutex
	next    int // the first user who was not begun
	waiting queue

	telling sync.Mutex
}

// waiter is a user whose account somebody holds.
type waiter struct {
	user  int
	due   time.Time // of the next try
	until time.Time // when the wait is over
	pause time.Duration
}

// queue has the waiter on top who is due first.
type queue []*waiter

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is heap's.
func (q *queue) Push(x any) { *q = append(*q, x.(*waiter)) }

// Pop is heap's.
func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	*q = (*q)[:last]
	return w
}

// worker has one place, and works until nobody is left to begin.
func (f *fleet) worker(ctx context.Context) {
	for ctx.Err() == nil {
		w, err, pause := f.take()
		switch {
		case w == nil && pause < 0:
			return
		case w == nil:
			sleep(ctx, pause)
		case err != nil:
			f.done(w.user, Result{Err: err})
		default:
			f.work(ctx, w)
		}
	}
}

// take gives the next user: one who was not begun yet, else one who is due. With
// none, it says how long until one is; negative: nobody is left.
func (f *fleet) take() (w *waiter, err error, pause time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next < f.n {
		w = &waiter{user: f.next, pause: firstPause}
		f.next++
		if f.o.Ready != nil {
			err = f.o.Ready(w.user)
		}
		w.until = time.Now().Add(f.o.Wait)
		return w, err, 0
	}
	if len(f.waiting) == 0 {
		return nil, nil, -1
	}
	if pause = time.Until(f.waiting[0].due); pause > 0 {
		return nil, nil, pause
	}
	return heap.Pop(&f.waiting).(*waiter), nil, 0
}

func (f *fleet) work(ctx context.Context, w *waiter) {
	left := time.Until(w.until)
	r := f.call(ctx, w.user, left <= 0)
	if !r.Busy || left <= 0 {
		f.done(w.user, r)
		return
	}
	w.due = time.Now().Add(min(w.pause, max(time.Until(w.until), 0)))
	w.pause = min(2*w.pause, maxPause)
	f.mu.Lock()
	heap.Push(&f.waiting, w)
	f.mu.Unlock()
}

func (f *fleet) call(ctx context.Context, user int, last bool) (r Result) {
	defer func() {
		if v := recover(); v != nil {
			r = Result{Err: &Panic{v, debug.Stack()}}
		}
	}()
	return f.o.Work(ctx, user, last)
}

func (f *fleet) done(user int, r Result) {
	f.telling.Lock()
	defer f.telling.Unlock()
	f.o.Done(user, r)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
