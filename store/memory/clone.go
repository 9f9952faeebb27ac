package memory

import (
	"maps"

	"dsync/store"
)

// Clone copies the account as it is: a backup to restore later, or what a crash
// leaves where everything written stands. The copy is unlocked, has no faults
// and an Identity of its own; it shares Options.Clock. Cloning changes nothing
// in the original.
func (s *Store) Clone() *Store {
	s.acc.mu.Lock()
	c := s.acc.clone()
	s.acc.mu.Unlock()
	return open(c, s.owner, &faults{})
}

// Crash is Clone after a power cut: what was staged and not synced is gone, and
// a message made visible without SyncStaged has lost its bytes.
func (s *Store) Crash() *Store {
	c := s.Clone()
	c.acc.mu.Lock()
	defer c.acc.mu.Unlock()
	maps.DeleteFunc(c.acc.staged, func(_ string, st *staged) bool { return !st.synced })
	for _, b := range c.acc.boxes {
		for _, m := range b.msgs {
			if !m.synced {
				m.body, m.hash = nil, headerHash(nil)
			}
		}
	}
	return c
}

// clone copies the account; the caller holds its lock.
func (a *account) clone() *account {
	a.clones++
	c := &account{
		opt: a.opt, caps: a.caps,
		boxes: make(map[store.Name]*mailbox, len(a.boxes)),
		subs:  maps.Clone(a.subs), subsChanged: a.subsChanged,
		attrs: maps.Clone(a.attrs), staged: map[string]*staged{},
		gone: a.gone, print: a.print, printedAt: a.printedAt,
		ticks: a.ticks, serial: a.serial, sessions: a.sessions,
		lastValidity: a.lastValidity, lock: newLock(),
	}
	c.rng.Seed(a.nonce, a.clones)
	c.nonce = c.rng.Uint64()
	if a.mark != nil {
		m := *a.mark
		c.mark = &m
	}
	twin := map[*mailbox]*mailbox{}
	for n, b := range a.boxes {
		twin[b] = b.clone()
		c.boxes[n] = twin[b]
	}
	for temp, st := range a.staged {
		d := *st
		d.box = twin[st.box]
		c.staged[temp] = &d
	}
	return c
}

func (b *mailbox) clone() *mailbox {
	c := *b
	c.applying = false
	c.attrs = maps.Clone(b.attrs)
	c.msgs = make(map[string]*message, len(b.msgs))
	for k, m := range b.msgs {
		d := *m
		c.msgs[k] = &d
	}
	return &c
}
