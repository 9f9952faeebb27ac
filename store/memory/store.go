package memory

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"dsync/store"
)

// Store is one opening of an account in memory.
type Store struct {
	acc     *account
	owner   string
	session uint64
	ro      bool
	faults  atomic.Pointer[faults]
	closed  atomic.Bool
	watches map[store.Name]watched
	cost    struct{ listed, opened, read, wrote atomic.Int64 }
}

type faults struct {
	fail func(string, store.Name, string) error
	hook func(string)
}

var _ store.Store = (*Store)(nil)

// New makes an account that holds an empty INBOX.
func New(o Options) *Store {
	return open(newAccount(o), o.Owner, &faults{o.Fail, o.Hook})
}

// Reopen opens the same account once more, as another process would, without
// faults. owner names it in ErrBusy.
func (s *Store) Reopen(owner string) *Store { return open(s.acc, owner, &faults{}) }

// ReopenReadOnly is Reopen for reading only.
func (s *Store) ReopenReadOnly(owner string) *Store {
	r := s.Reopen(owner)
	r.ro = true
	return r
}

func open(a *account, owner string, f *faults) *Store {
	a.mu.Lock()
	defer a.mu.Unlock()
	if owner == "" {
		owner = "memory"
	}
	a.sessions++
	s := &Store{acc: a, owner: owner, session: a.sessions}
	s.faults.Store(f)
	return s
}

// SetFail replaces Options.Fail for this opening; nil: nothing fails.
func (s *Store) SetFail(f func(op string, mailbox store.Name, item string) error) {
	s.faults.Store(&faults{f, s.faults.Load().hook})
}

// SetHook replaces Options.Hook for this opening.
func (s *Store) SetHook(f func(op string)) {
	s.faults.Store(&faults{s.faults.Load().fail, f})
}

// step announces one step. No lock is held.
func (s *Store) step(op string, n store.Name, item string) error {
	f := s.faults.Load()
	if f.hook != nil {
		f.hook(op)
	}
	if s.closed.Load() {
		return fmt.Errorf("%s %s: %w: closed", op, s.Location(), store.ErrGone)
	}
	if f.fail == nil {
		return nil
	}
	if err := f.fail(op, n, item); err != nil {
		return fmt.Errorf("%s %s: %w", op, strings.TrimSpace(string(n)+" "+item), err)
	}
	return nil
}

// enter announces a step of a call, then takes the lock. On nil the caller
// unlocks.
func (s *Store) enter(ctx context.Context, op string, n store.Name, item string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if IsWrite(op) && s.Capabilities().ReadOnly {
		return fmt.Errorf("%s %s: %w", op, s.Location(), store.ErrReadOnly)
	}
	if err := s.step(op, n, item); err != nil {
		return err
	}
	s.acc.mu.Lock()
	if s.acc.gone {
		s.acc.mu.Unlock()
		return fmt.Errorf("%s %s: %w", op, s.Location(), store.ErrGone)
	}
	return nil
}

// enterBox is enter for one mailbox that must be there.
func (s *Store) enterBox(ctx context.Context, op string, n store.Name, item string) (*mailbox, error) {
	if err := n.Check(); err != nil {
		return nil, err
	}
	if err := s.enter(ctx, op, n, item); err != nil {
		return nil, err
	}
	b, err := s.acc.box(n)
	if err != nil {
		s.acc.mu.Unlock()
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return b, nil
}

func (a *account) box(n store.Name) (*mailbox, error) {
	if b := a.boxes[n]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("mailbox %q: %w", n, store.ErrNoMailbox)
}

// Capabilities implements store.Store.
func (s *Store) Capabilities() store.Capabilities {
	c := s.acc.caps
	c.ReadOnly = c.ReadOnly || s.ro
	return c
}

// Location implements store.Store.
func (s *Store) Location() string { return "memory:" + s.acc.opt.Name }

// Identity implements store.Store: it tells an account from its clones.
func (s *Store) Identity() string { return fmt.Sprintf("memory:%016x", s.acc.nonce) }

// Mark implements store.Store.
func (s *Store) Mark() (m store.Mark, ok bool, err error) {
	s.acc.mu.Lock()
	defer s.acc.mu.Unlock()
	if s.acc.gone {
		return m, false, fmt.Errorf("mark of %s: %w", s.Location(), store.ErrGone)
	}
	if s.acc.mark == nil {
		return m, false, nil
	}
	return *s.acc.mark, true, nil
}

// SetMark implements store.Store.
func (s *Store) SetMark(m store.Mark) error {
	if len(m.Replica) > 256 || strings.ContainsAny(m.Replica, "\r\n") {
		return fmt.Errorf("mark %.40q: %w", m.Replica, store.ErrUnsupported)
	}
	if err := s.enter(context.Background(), OpMark, "", m.Replica); err != nil {
		return err
	}
	defer s.acc.mu.Unlock()
	s.acc.mark = &m
	return nil
}

// Cost implements store.Store: the work of this opening.
func (s *Store) Cost() store.Cost {
	return store.Cost{
		NamesListed: s.cost.listed.Load(), FilesOpened: s.cost.opened.Load(),
		BytesRead: s.cost.read.Load(), BytesWrote: s.cost.wrote.Load(),
	}
}

// Close implements store.Store. The account stays, for Reopen and Clone.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}
