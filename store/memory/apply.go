package memory

import (
	"context"
	"fmt"
	"maps"
	"time"

	"dsync/store"
)

// Apply implements store.Store. An error, other than one found before anything
// was done, leaves the effects made so far.
func (s *Store) Apply(ctx context.Context, n store.Name, c *store.Change) (*store.Result, error) {
	if err := s.canApply(n, c); err != nil {
		return nil, err
	}
	ap, err := s.beginApply(ctx, n, c)
	if err != nil {
		return nil, err
	}
	defer ap.end()
	steps := []func() error{ap.adds, ap.ins, ap.flagChanges, ap.uidChanges, ap.bind, ap.expunges, ap.attributes}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &ap.res, nil
}

// canApply refuses what the store can never do.
func (s *Store) canApply(n store.Name, c *store.Change) error {
	caps := s.Capabilities()
	switch {
	case caps.ReadOnly:
		return fmt.Errorf("change %q: %w", n, store.ErrReadOnly)
	case !c.GUID.IsZero() && !caps.MailboxGUIDs:
		return fmt.Errorf("change %q: mailbox GUID: %w", n, store.ErrUnsupported)
	case (c.UIDValidity != 0 || c.UIDNext != 0) && !caps.AssignUIDs:
		return fmt.Errorf("change %q: UIDVALIDITY and UIDNEXT: %w", n, store.ErrUnsupported)
	case len(c.Attributes) > 0 && !caps.Attributes:
		return fmt.Errorf("change %q: attributes: %w", n, store.ErrUnsupported)
	}
	return nil
}

// applying is one Apply on its way.
type applying struct {
	s    *Store
	ctx  context.Context
	n    store.Name
	b    *mailbox
	c    *store.Change
	res  store.Result
	want []*wish
}

func (s *Store) beginApply(ctx context.Context, n store.Name, c *store.Change) (*applying, error) {
	b, err := s.enterBox(ctx, OpApply, n, "")
	if err != nil {
		return nil, err
	}
	defer s.acc.mu.Unlock()
	switch {
	case b.applying:
		return nil, fmt.Errorf("change %q: %w: another change is on its way", n, store.ErrBusy)
	case c.UIDNextSeen != 0 && b.uidNext > c.UIDNextSeen && givesUIDs(c):
		return nil, fmt.Errorf("change %q: UIDNEXT is %d, planned with %d: %w", n, b.uidNext, c.UIDNextSeen, store.ErrChanged)
	}
	b.applying = true
	return &applying{s: s, ctx: ctx, n: n, b: b, c: c, res: store.Result{
		Add: make([]store.Done, len(c.Add)), In: make([]store.Done, len(c.In)),
		Flags: make([]store.Done, len(c.Flags)), UIDs: make([]store.Done, len(c.UIDs)),
		Expunge: make([]store.Done, len(c.Expunge)),
	}}, nil
}

func givesUIDs(c *store.Change) bool {
	for _, a := range c.Add {
		if a.UID != 0 {
			return true
		}
	}
	for _, in := range c.In {
		if in.UID != 0 {
			return true
		}
	}
	return len(c.UIDs) > 0
}

// end lets others give out UIDs again, to what came meanwhile first.
func (ap *applying) end() {
	ap.s.acc.mu.Lock()
	defer ap.s.acc.mu.Unlock()
	ap.b.applying = false
	if !ap.s.acc.opt.LateUIDs {
		ap.s.acc.assignUIDs(ap.b, func(m *message) bool { return m.waits })
	}
}

// effect makes one item: announced, then judged and done under the lock.
func (ap *applying) effect(d *store.Done, op, item string, do func() (*message, error)) error {
	if err := ap.ctx.Err(); err != nil {
		return fmt.Errorf("change %q: %w", ap.n, err)
	}
	if d.Err = ap.s.step(op, ap.n, item); d.Err != nil {
		return nil
	}
	ap.s.acc.mu.Lock()
	defer ap.s.acc.mu.Unlock()
	if err := ap.there(); err != nil {
		return err
	}
	m, err := do()
	if err != nil {
		d.Err = fmt.Errorf("%s %q in %q: %w", op, item, ap.n, err)
	} else if m != nil {
		d.Handle, d.Hash = m.handle(), m.visible()
	}
	return nil
}

// there reports whether the mailbox still has its name.
func (ap *applying) there() error {
	if ap.s.acc.gone {
		return fmt.Errorf("change %q: %w", ap.n, store.ErrGone)
	}
	if ap.s.acc.boxes[ap.n] != ap.b {
		return fmt.Errorf("change %q: mailbox renamed or deleted: %w", ap.n, store.ErrChanged)
	}
	return nil
}

// seen finds the message that the caller saw, unchanged.
func seen(b *mailbox, h store.Handle) (*message, error) {
	m := b.msgs[keyOf(h)]
	switch {
	case m == nil:
		return nil, store.ErrNoMessage
	case m.handle() != h:
		return nil, fmt.Errorf("it is %q now: %w", m.handle(), store.ErrChanged)
	}
	return m, nil
}

func (ap *applying) adds() error {
	a := ap.s.acc
	for i, st := range ap.c.Add {
		d := &ap.res.Add[i]
		err := ap.effect(d, OpAdd, st.Key, func() (*message, error) {
			have := a.staged[st.Temp]
			if have == nil || have.box != ap.b {
				return nil, fmt.Errorf("nothing staged here as %q: %w", st.Temp, store.ErrNoMessage)
			}
			m := have.message
			m.keywords, d.Unshown = a.fit(ap.b, have.keywords)
			delete(a.staged, st.Temp)
			a.put(ap.b, &m)
			ap.wish(&m, st.UID, d, func() {
				a.removed(ap.b, &m)
				a.staged[st.Temp] = have
			})
			return &m, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (ap *applying) ins() error {
	a := ap.s.acc
	for i := range ap.c.In {
		in, d := &ap.c.In[i], &ap.res.In[i]
		err := ap.effect(d, OpIn, keyOf(in.Handle), func() (*message, error) {
			from, err := a.box(in.From)
			if err != nil {
				return nil, err
			}
			if from == ap.b {
				return nil, fmt.Errorf("a move into the same mailbox: %w", store.ErrUnsupported)
			}
			m, err := seen(from, in.Handle)
			if err != nil {
				return nil, err
			}
			kws, err := cleanKeywords(in.Keywords)
			if err != nil {
				return nil, err
			}
			kws, d.Unshown = a.fit(ap.b, kws)
			before := *m
			a.removed(from, m)
			m.uid, m.flags, m.keywords = 0, in.Flags&store.AllFlags, kws
			m.date(in.Received)
			if in.GUID != "" && a.caps.KeepGUIDs {
				m.guid = in.GUID
			}
			a.put(ap.b, m)
			ap.wish(m, in.UID, d, func() {
				a.removed(ap.b, m)
				*m = before
				from.msgs[m.key] = m
				a.modified(from, m, false)
			})
			return m, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (ap *applying) flagChanges() error {
	for i := range ap.c.Flags {
		f, d := &ap.c.Flags[i], &ap.res.Flags[i]
		err := ap.effect(d, OpFlags, keyOf(f.Handle), func() (*message, error) {
			m, err := seen(ap.b, f.Handle)
			if err != nil {
				return nil, err
			}
			kws, err := cleanKeywords(f.Keywords)
			if err != nil {
				return nil, err
			}
			kws, d.Unshown = ap.s.acc.fit(ap.b, kws)
			ap.s.acc.setFlags(ap.b, m, f.Flags, kws)
			return m, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (ap *applying) uidChanges() error {
	for i := range ap.c.UIDs {
		u, d := &ap.c.UIDs[i], &ap.res.UIDs[i]
		err := ap.effect(d, OpUIDs, keyOf(u.Handle), func() (*message, error) {
			m, err := seen(ap.b, u.Handle)
			if err != nil {
				return nil, err
			}
			if u.UID == 0 {
				return nil, fmt.Errorf("UID 0: %w", store.ErrUnsupported)
			}
			if !ap.s.acc.caps.AssignUIDs && m.uid != 0 {
				return nil, fmt.Errorf("a UID of ours: %w", store.ErrUnsupported)
			}
			was := m.received
			m.date(u.Received)
			ap.wish(m, u.UID, d, func() { m.received = was })
			ap.want[len(ap.want)-1].guid = u.GUID
			return m, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// date gives the message another received date, if there is one.
func (m *message) date(t time.Time) {
	if !t.IsZero() {
		m.received = t.UTC().Truncate(time.Second)
	}
}

func (ap *applying) expunges() error {
	for i, h := range ap.c.Expunge {
		err := ap.effect(&ap.res.Expunge[i], OpExpunge, keyOf(h), func() (*message, error) {
			m, err := seen(ap.b, h)
			if err != nil {
				return nil, err
			}
			ap.s.acc.removed(ap.b, m)
			return nil, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (ap *applying) attributes() error {
	if len(ap.c.Attributes) == 0 {
		return nil
	}
	var d store.Done
	err := ap.effect(&d, OpAttributes, "", func() (*message, error) {
		before := maps.Clone(ap.b.attrs)
		setAttributes(ap.b.attrs, ap.c.Attributes)
		if !maps.Equal(before, ap.b.attrs) {
			ap.s.acc.touched(ap.b, ap.s.acc.now())
		}
		return nil, nil
	})
	if err == nil {
		err = d.Err
	}
	return err
}
