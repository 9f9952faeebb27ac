package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// outcome collects what Done is told, and checks that it is told one at a time.
type outcome struct {
	t     *testing.T
	in    atomic.Bool
	order []int
	of    map[int]Result
}

func (o *outcome) done(i int, r Result) {
	if o.in.Swap(true) {
		o.t.Error("Done is called twice at once")
	}
	if _, twice := o.of[i]; twice {
		o.t.Errorf("user %d ended twice", i)
	}
	if o.of == nil {
		o.of = map[int]Result{}
	}
	o.of[i] = r
	o.order = append(o.order, i)
	o.in.Store(false)
}

// Every user ends once, at most Jobs are worked on at once, and Ready sees them in
// their order.
func TestAll(t *testing.T) {
	for _, jobs := range []int{-1, 1, 3, 7, 100} {
		synctest.Test(t, func(t *testing.T) {
			const n = 50
			var now, most atomic.Int32
			var ready []int
			o := outcome{t: t}
			Run(t.Context(), n, Options{
				Jobs: jobs,
				Ready: func(i int) error {
					ready = append(ready, i)
					if i%10 == 3 {
						return fmt.Errorf("user %d is not ready", i)
					}
					return nil
				},
				Work: func(_ context.Context, i int, last bool) Result {
					if !last {
						t.Errorf("user %d: there is no time to wait, and yet more tries", i)
					}
					most.Store(max(most.Load(), now.Add(1)))
					time.Sleep(time.Duration(n-i) * time.Millisecond)
					now.Add(-1)
					if i == 20 {
						panic("user 20")
					}
					return Result{Value: i}
				},
				Done: o.done,
			})
			want := int32(min(max(jobs, 1), n))
			if len(o.of) != n || most.Load() > want || jobs < 50 && most.Load() != want || !slices.IsSorted(ready) {
				t.Errorf("-j %d: %d ended, %d at once, ready %v", jobs, len(o.of), most.Load(), ready)
			}
			for i, r := range o.of {
				p := (*Panic)(nil)
				switch {
				case i == 20 && (!errors.As(r.Err, &p) || p.Value != "user 20" || len(p.Stack) == 0):
					t.Errorf("user 20: %+v", r)
				case i%10 == 3 && r.Err == nil, i != 20 && i%10 != 3 && r.Value != i:
					t.Errorf("user %d: %+v", i, r)
				}
			}
		})
	}
}

// The clock of these tests is synctest's: what they say of times is exact.

// A held account keeps nobody waiting: the others end first, in the time that they
// take, and it is tried again until Wait is over, then once more.
func TestHeld(t *testing.T) {
	for _, free := range []time.Duration{0, 3 * time.Second, time.Hour} { // when it is let go of
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var mu sync.Mutex
			var tries []time.Duration
			lasts := 0
			o := outcome{t: t}
			var othersBy time.Duration
			Run(t.Context(), 100, Options{
				Jobs: 2, Wait: 10 * time.Second,
				Work: func(_ context.Context, i int, last bool) Result {
					at := time.Since(start)
					if i < 4 {
						mu.Lock()
						defer mu.Unlock()
						tries = append(tries, at)
						if last {
							lasts++
						}
						return Result{Busy: at < free, Value: at}
					}
					time.Sleep(20 * time.Millisecond)
					return Result{}
				},
				Done: func(i int, r Result) {
					if i >= 4 {
						othersBy = time.Since(start)
					}
					o.done(i, r)
				},
			})
			if othersBy > time.Second {
				t.Errorf("free after %v: the others ended after %v", free, othersBy)
			}
			took := time.Since(start)
			switch {
			case free == 0 && took > time.Second,
				free == 3*time.Second && (took < free || took > free+2100*time.Millisecond || lasts > 0),
				free == time.Hour && (took < 10*time.Second || took > 10100*time.Millisecond || lasts != 4 || !o.of[0].Busy):
				t.Errorf("free after %v: it took %v, %d last tries, %+v", free, took, lasts, o.of[0])
			}
			if len(o.of) != 100 || free > 0 && len(tries) < 8 {
				t.Errorf("free after %v: %d ended, tried at %v", free, len(o.of), tries)
			}
		})
	}
}

// With nothing but held accounts no CPU is burnt: so many tries, no more.
func TestHeldTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries int
		var mu sync.Mutex
		Run(t.Context(), 10, Options{
			Jobs: 4, Wait: 30 * time.Second,
			Work: func(context.Context, int, bool) Result {
				mu.Lock()
				defer mu.Unlock()
				tries++
				return Result{Busy: true}
			},
			Done: func(_ int, r Result) {
				if !r.Busy {
					t.Errorf("%+v", r)
				}
			},
		})
		if tries < 10*15 || tries > 10*30 {
			t.Errorf("%d tries of 10 users in 30 s", tries)
		}
	})
}

// When the context ends nobody is begun any more, whoever is under way ends by it,
// and the rest is told, too.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := outcome{t: t}
		var begun atomic.Int32
		Run(ctx, 20, Options{
			Jobs: 3, Wait: time.Minute,
			Work: func(ctx context.Context, i int, _ bool) Result {
				begun.Add(1)
				switch i {
				case 1:
					return Result{Busy: true}
				case 5:
					cancel()
				}
				if i > 3 {
					<-ctx.Done()
				}
				return Result{Err: ctx.Err()}
			},
			Done: o.done,
		})
		not := 0
		for _, r := range o.of {
			if r.NotBegun {
				not++
			}
		}
		if len(o.of) != 20 || !o.of[1].NotBegun || not != 20-int(begun.Load())+1 {
			t.Errorf("%d ended, %d of them not begun, %d begun; user 1: %+v", len(o.of), not, begun.Load(), o.of[1])
		}
		if tail := o.order[len(o.order)-not:]; !slices.IsSorted(tail) {
			t.Errorf("those not begun come as %v", tail)
		}
		if !errors.Is(o.of[5].Err, context.Canceled) {
			t.Errorf("user 5: %+v", o.of[5])
		}
	})
}
