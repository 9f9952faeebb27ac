package maildir

import "dsync/store"

// Messages come in long rows: the mailbox last staged into and the one last read
// from are kept open, one of each.

// stagingBox gives a mailbox open for staging; letGo takes it back. If it is moved
// away meanwhile, what is staged there is not found by Apply, which opens it anew.
func (s *Store) stagingBox(n store.Name) (*box, error) { return s.kept(&s.into, n, true) }

// readingBox gives a mailbox open for reading messages; letGo takes it back. If it
// is moved away meanwhile, its messages are still those that were listed; what is
// not in it any more is looked for in the mailbox opened anew.
func (s *Store) readingBox(n store.Name) (*box, error) { return s.kept(&s.from, n, false) }

func (s *Store) kept(slot **box, n store.Name, write bool) (*box, error) {
	s.mu.Lock()
	if b := *slot; b != nil && b.name == n {
		b.users++
		s.mu.Unlock()
		return b, nil
	}
	s.mu.Unlock()
	b, err := s.open(n, write)
	if err != nil {
		return nil, err
	}
	s.evictFrom(slot)
	s.mu.Lock()
	defer s.mu.Unlock()
	b.users = 1
	if *slot == nil {
		*slot = b
	} else {
		b.evicted = true // another was faster
	}
	return b, nil
}

func (s *Store) letGo(b *box) {
	s.mu.Lock()
	b.users--
	last := b.users == 0 && b.evicted
	s.mu.Unlock()
	if last {
		b.close()
	}
}

// evict forgets the mailboxes kept open.
func (s *Store) evict() {
	s.evictFrom(&s.into)
	s.evictFrom(&s.from)
}

func (s *Store) evictFrom(slot **box) {
	s.mu.Lock()
	b := *slot
	*slot = nil
	idle := false
	if b != nil {
		b.evicted = true
		idle = b.users == 0
	}
	s.mu.Unlock()
	if idle {
		b.close()
	}
}
