package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"dsync/changelog/logdb"
	"dsync/store"
)

// Runs of one process on one account follow one another in the order in which they
// came. Each has a seat at the store's turn from when it first asks until it is over,
// the trimming of the log included.

// turnKey names a store by its identity, with the database in which its log is.
type turnKey struct {
	db    *logdb.DB
	store string
}

// turn is a store that runs use.
type turn struct {
	seats int // runs that have one
	held  bool
	queue []chan struct{} // closed when the turn is theirs
}

var turns = struct {
	sync.Mutex
	at map[turnKey]*turn
}{at: map[turnKey]*turn{}}

// seat is one run's place.
type seat struct {
	key  turnKey
	st   store.Store
	held bool
}

// Take implements session.Turns.
func (r *run) Take(ctx context.Context, st store.Store, wait time.Duration) error {
	turns.Lock()
	s, t := r.sit(st)
	switch {
	case s.held:
	case !t.held:
		t.held, s.held = true, true
	case wait <= 0:
		turns.Unlock()
		return busyHere(st)
	default:
		mine := make(chan struct{})
		t.queue = append(t.queue, mine)
		turns.Unlock()
		return r.await(ctx, st, s, t, mine, wait)
	}
	turns.Unlock()
	return nil
}

func busyHere(st store.Store) error {
	return fmt.Errorf("lock %s: %w (another run of this process)", st.Location(), store.ErrBusy)
}

// sit gives the run's seat, with the turn locked by the caller.
func (r *run) sit(st store.Store) (*seat, *turn) {
	key := turnKey{r.db, st.Identity()}
	for _, s := range r.seats {
		if s.key == key {
			return s, turns.at[key]
		}
	}
	t := turns.at[key]
	if t == nil {
		t = &turn{}
		turns.at[key] = t
	}
	t.seats++
	s := &seat{key: key, st: st}
	r.seats = append(r.seats, s)
	return s, t
}

func (r *run) await(ctx context.Context, st store.Store, s *seat, t *turn, mine chan struct{}, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var err error
	select {
	case <-mine:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = busyHere(st)
	}
	turns.Lock()
	defer turns.Unlock()
	i := slices.Index(t.queue, mine)
	if i < 0 { // it is ours, if only just now
		s.held = true
		return ctx.Err()
	}
	t.queue = slices.Delete(t.queue, i, i+1)
	return err
}

// Give implements session.Turns.
func (r *run) Give(st store.Store) {
	turns.Lock()
	defer turns.Unlock()
	for _, s := range r.seats {
		if s.st == st {
			s.give()
		}
	}
}

// give lets the next one have the turn.
func (s *seat) give() {
	if !s.held {
		return
	}
	s.held = false
	t := turns.at[s.key]
	if len(t.queue) == 0 {
		t.held = false
		return
	}
	close(t.queue[0])
	t.queue = t.queue[1:]
}

// rise leaves all seats.
func (r *run) rise() {
	turns.Lock()
	defer turns.Unlock()
	for _, s := range r.seats {
		s.give()
		if t := turns.at[s.key]; t.seats > 1 {
			t.seats--
		} else {
			delete(turns.at, s.key)
		}
	}
	r.seats = nil
}
