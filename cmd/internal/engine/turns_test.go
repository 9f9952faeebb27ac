package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"dsync/changelog/logdb"
	"dsync/store"
	"dsync/store/memory"
)

// Runs on one store follow one another in the order in which they came; one that waits
// no longer, or gives its turn away, holds up nobody.
func TestTurns(t *testing.T) {
	db := &logdb.DB{}
	st := memory.New(memory.Options{Name: "a"})
	runs := make([]*run, 6)
	for i := range runs {
		runs[i] = &run{db: db, st: [2]store.Store{st}}
	}
	if err := errors.Join(runs[0].Take(t.Context(), st, 0), runs[0].Take(t.Context(), st, 0)); err != nil {
		t.Fatalf("the turn is free, and then its own: %v", err)
	}
	if err := runs[5].Take(t.Context(), st, 0); !errors.Is(err, store.ErrBusy) {
		t.Fatalf("%v, want busy", err)
	}
	order := make(chan int, len(runs))
	cancelled, cancel := context.WithCancel(t.Context())
	for i := 1; i < 5; i++ {
		ctx, wait := t.Context(), time.Minute
		switch i {
		case 2:
			ctx = cancelled
		case 3:
			wait = time.Millisecond
		}
		go func() {
			err := runs[i].Take(ctx, st, wait)
			if (i == 2) != errors.Is(err, context.Canceled) || (i == 3) != errors.Is(err, store.ErrBusy) {
				t.Errorf("run %d: %v", i, err)
			}
			order <- i
		}()
		for i < 3 && queued(db, st) < i {
			time.Sleep(time.Millisecond)
		}
	}
	<-order // the third waited no longer
	cancel()
	<-order
	var got []int
	for _, r := range []*run{runs[0], runs[1]} {
		if r == runs[0] {
			r.Give(st) // before its run is over
		} else {
			r.rise()
		}
		got = append(got, <-order)
	}
	if !slices.Equal(got, []int{1, 4}) {
		t.Errorf("%v, want 1 before 4", got)
	}
	for _, r := range runs {
		r.rise()
	}
	if len(turns.at) != 0 {
		t.Errorf("%v is left", turns.at)
	}
}

func queued(db *logdb.DB, st store.Store) int {
	turns.Lock()
	defer turns.Unlock()
	return len(turns.at[turnKey{db, st.Identity()}].queue)
}
