package memory

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"dsync/store"
)

// lock is the account's lock: the channel holds one token.
type lock struct {
	token  chan struct{}
	holder *atomic.Pointer[string]
}

func newLock() lock {
	l := lock{make(chan struct{}, 1), new(atomic.Pointer[string])}
	l.token <- struct{}{}
	return l
}

// Lock implements store.Store.
func (s *Store) Lock(ctx context.Context, wait time.Duration) (func() error, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.Location(), err)
	}
	l := s.acc.lock
	select {
	case <-l.token:
		return s.unlocker(l), nil
	default:
	}
	if wait > 0 {
		after := s.acc.opt.After
		if after == nil {
			after = time.After
		}
		select {
		case <-l.token:
			return s.unlocker(l), nil
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: %w", s.Location(), ctx.Err())
		case <-after(wait):
		}
	}
	holder := "another run"
	if h := l.holder.Load(); h != nil {
		holder = *h
	}
	return nil, fmt.Errorf("lock %s: %w: held by %s", s.Location(), store.ErrBusy, holder)
}

func (s *Store) unlocker(l lock) func() error {
	l.holder.Store(&s.owner)
	var once sync.Once
	return func() error {
		once.Do(func() {
			l.holder.Store(nil)
			l.token <- struct{}{}
		})
		return nil
	}
}
