package session

import (
	"context"
	"errors"

	"dsync/store"
)

// Two runs may start at once from either end. Both must lock the same store first,
// the one whose place is the lesser, or each would wait for the lock that the other
// holds. The starter takes its own lock, if nobody has it, and says so; the other end
// knows both places and says what is to be done where one is busy.

// Turn says whose turn it is to lock.
type Turn uint8

// The turns.
const (
	TurnHeld    Turn = iota + 1 // I hold my lock
	TurnBusy                    // mine is busy: what now?
	TurnYours                   // lock yours first
	TurnRelease                 // release yours, for mine must be locked first
)

// Lock is what an end says about its lock.
type Lock struct {
	Turn  Turn
	Place string
}

// MaxPlace bounds the length of a place, in bytes.
const MaxPlace = 1 << 12

func (h *Half) tell(ctx context.Context, t Turn) error {
	return h.send(ctx, &Frame{Kind: KindLock, Lock: &Lock{t, h.Place}})
}

// meet locks and looks at the store, and gives the starter's hello at the other end.
func (h *Half) meet(ctx context.Context) (*Hello, error) {
	if h.Side == 0 {
		return nil, h.start(ctx)
	}
	released, err := h.lockSecond(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.look(ctx); err != nil {
		return nil, err
	}
	if released { // what the starter said before counts no more
		for {
			f, err := h.receive(ctx, KindLock, KindHello)
			if err != nil {
				return nil, err
			}
			if f.Kind == KindLock && f.Lock.Turn == TurnHeld {
				break
			}
		}
	}
	return h.greet(ctx)
}

// greet takes the starter's hello, and looks again if that shows that this end's log
// was restored.
func (h *Half) greet(ctx context.Context) (*Hello, error) {
	peer, err := h.hello(ctx)
	if err != nil {
		return nil, err
	}
	_, err = h.confront(ctx, peer)
	return peer, err
}

// start locks the store of the end that starts the run, and looks at it.
func (h *Half) start(ctx context.Context) error {
	err := h.lock(ctx, 0)
	busy := errors.Is(err, store.ErrBusy)
	if err != nil && !busy {
		return err
	}
	if busy {
		if err := h.tell(ctx, TurnBusy); err != nil {
			return err
		}
		f, err := h.receive(ctx, KindLock)
		if err != nil {
			return err
		}
		if t := f.Lock.Turn; t != TurnYours && t != TurnHeld {
			return ErrFrame
		}
		if err := h.lock(ctx, h.Options.LockWait); err != nil {
			return err
		}
	}
	if err := h.tell(ctx, TurnHeld); err != nil {
		return err
	}
	return h.look(ctx)
}

// lockSecond locks the store of the end that did not start. released: the starter
// was asked to release its lock, and takes it again.
func (h *Half) lockSecond(ctx context.Context) (released bool, err error) {
	f, err := h.receive(ctx, KindLock)
	if err != nil {
		return false, err
	}
	mine := h.Place < f.Lock.Place // must be locked first
	switch {
	case f.Lock.Turn == TurnHeld && !mine:
		return false, h.lock(ctx, h.Options.LockWait)
	case f.Lock.Turn == TurnHeld:
		if err := h.lock(ctx, 0); !errors.Is(err, store.ErrBusy) {
			return false, err
		}
		if err := h.tell(ctx, TurnRelease); err != nil {
			return false, err
		}
		if err := h.lock(ctx, h.Options.LockWait); err != nil {
			return false, err
		}
		return true, h.tell(ctx, TurnHeld)
	case f.Lock.Turn != TurnBusy:
		return false, ErrFrame
	case mine:
		if err := h.lock(ctx, h.Options.LockWait); err != nil {
			return false, err
		}
		if err := h.tell(ctx, TurnHeld); err != nil {
			return false, err
		}
		_, err := h.receive(ctx, KindLock)
		return false, err
	}
	if err := h.tell(ctx, TurnYours); err != nil {
		return false, err
	}
	if _, err := h.receive(ctx, KindLock); err != nil {
		return false, err
	}
	return false, h.lock(ctx, h.Options.LockWait)
}

// release gives the starter's lock up, waits until the other end has its own, locks
// again and looks again.
func (h *Half) release(ctx context.Context, t Turn) error {
	if t != TurnRelease {
		return ErrFrame
	}
	err := h.unlock()
	h.unlock = nil
	if h.Options.Turns != nil {
		h.Options.Turns.Give(h.Store)
	}
	if err != nil {
		return err
	}
	if _, err := h.receive(ctx, KindLock); err != nil {
		return err
	}
	if err := h.lock(ctx, h.Options.LockWait); err != nil {
		return err
	}
	if err := h.tell(ctx, TurnHeld); err != nil {
		return err
	}
	return h.look(ctx)
}
