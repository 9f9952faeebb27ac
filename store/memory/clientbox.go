package memory

import (
	"fmt"
	"maps"
	"slices"

	"dsync/store"
)

// CreateMailbox makes a mailbox, or the mailbox at a \Noselect parent.
func (c *Client) CreateMailbox(n store.Name) error {
	if err := n.Check(); err != nil {
		return fmt.Errorf("client: create: %w", err)
	}
	c.acc.mu.Lock()
	defer c.acc.mu.Unlock()
	if c.acc.boxes[n] != nil {
		return fmt.Errorf("client: create %q: %w", n, store.ErrExists)
	}
	c.acc.addMailbox(n, store.Status{}, !c.acc.opt.LateUIDs)
	return nil
}

// RenameMailbox renames a mailbox and all below it, as IMAP RENAME does.
// Renaming INBOX moves its mail into a new mailbox; INBOX and what is below it
// stay. Subscriptions stay as they are.
func (c *Client) RenameMailbox(from, to store.Name) error {
	c.acc.mu.Lock()
	defer c.acc.mu.Unlock()
	if err := c.rename(from, to); err != nil {
		return fmt.Errorf("client: rename %q to %q: %w", from, to, err)
	}
	return nil
}

func (c *Client) rename(from, to store.Name) error {
	if err := to.Check(); err != nil {
		return err
	}
	a := c.acc
	for _, b := range a.boxes {
		b.foreign++ // a rename of INBOX moves its mail
	}
	for _, info := range a.tree() {
		if info.Name == to {
			return store.ErrExists
		}
	}
	if from == store.Inbox {
		return a.renameInbox(to)
	}
	if to.IsUnder(from) {
		return fmt.Errorf("%w: below itself", store.ErrUnsupported)
	}
	var moves []store.Rename
	for _, n := range a.names() {
		if n == from || n.IsUnder(from) {
			r := store.Rename{From: n, To: to + n[len(from):]}
			if err := r.To.Check(); err != nil {
				return err
			}
			moves = append(moves, r)
		}
	}
	if len(moves) == 0 {
		return store.ErrNoMailbox
	}
	a.rename(moves)
	return nil
}

func (a *account) renameInbox(to store.Name) error {
	inbox := a.boxes[store.Inbox]
	b := a.addMailbox(to, store.Status{}, !a.opt.LateUIDs)
	for _, m := range inbox.sorted() {
		a.removed(inbox, m)
		if err := a.nextUID(b, m); err != nil {
			return err
		}
		a.put(b, m)
	}
	return nil
}

// DeleteMailbox removes a mailbox with its mail. Children stay.
func (c *Client) DeleteMailbox(n store.Name) error {
	return c.do("delete", n, func(*mailbox) error {
		if n == store.Inbox {
			return store.ErrUnsupported
		}
		c.acc.deleteBox(n)
		return nil
	})
}

// Subscribe subscribes a name, whether there is such a mailbox or not.
func (c *Client) Subscribe(n store.Name) error { return c.subscribe(n, true) }

// Unsubscribe ends a subscription.
func (c *Client) Unsubscribe(n store.Name) error { return c.subscribe(n, false) }

func (c *Client) subscribe(n store.Name, on bool) error {
	if err := n.Check(); err != nil {
		return fmt.Errorf("client: subscribe: %w", err)
	}
	c.acc.mu.Lock()
	defer c.acc.mu.Unlock()
	c.acc.subscribe(n, on)
	return nil
}

// SetAttribute sets an attribute of a mailbox, or of the account if n is "";
// the empty value removes it.
func (c *Client) SetAttribute(n store.Name, key, value string) error {
	if n == "" {
		c.acc.mu.Lock()
		defer c.acc.mu.Unlock()
		c.acc.setAttribute(key, value)
		return nil
	}
	return c.do("set attribute "+key, n, func(b *mailbox) error {
		before := maps.Clone(b.attrs)
		setAttributes(b.attrs, map[string]string{key: value})
		if !maps.Equal(before, b.attrs) {
			c.acc.touched(b, c.acc.now())
		}
		return nil
	})
}

// ResetUIDs gives the mailbox another UIDVALIDITY, higher or lower (0: a fresh
// one above all of the account), and all its messages new UIDs from 1 in the
// order of their old ones.
func (c *Client) ResetUIDs(n store.Name, v store.UIDValidity) error {
	return c.do("reset UIDs", n, func(b *mailbox) error {
		a := c.acc
		if b.applying {
			return store.ErrBusy
		}
		if v == 0 {
			v = a.freshValidity()
		}
		a.lastValidity = max(a.lastValidity, v)
		b.validity, b.uidNext, b.uidPrint = v, 1, a.rng.Uint64()
		for _, m := range b.sorted() {
			m.uid = b.uidNext
			b.uidNext++
			a.modified(b, m, false)
		}
		a.touched(b, a.now())
		return nil
	})
}

// RaiseUIDNext raises UIDNEXT, as a delivery and an expunge between two looks
// do. It never lowers it.
func (c *Client) RaiseUIDNext(n store.Name, to store.UID) error {
	return c.do("raise UIDNEXT", n, func(b *mailbox) error {
		if b.applying {
			return store.ErrBusy
		}
		if to > b.uidNext {
			b.uidNext = to
			c.acc.touched(b, c.acc.now())
		}
		return nil
	})
}

// AssignUIDs gives identity and UIDs where they lack, as Dovecot does when it
// opens a mailbox.
func (c *Client) AssignUIDs(n store.Name) error {
	return c.do("assign UIDs", n, func(b *mailbox) error {
		if b.applying {
			return store.ErrBusy
		}
		if b.guid.IsZero() {
			b.guid = c.acc.freshGUID()
			c.acc.touched(b, c.acc.now())
		}
		if b.validity == 0 {
			b.validity = c.acc.freshValidity()
			c.acc.touched(b, c.acc.now())
		}
		c.acc.assignUIDs(b, func(*message) bool { return true })
		return nil
	})
}

// Mailboxes lists the mailboxes that can hold mail, in order.
func (c *Client) Mailboxes() []store.Name {
	c.acc.mu.Lock()
	defer c.acc.mu.Unlock()
	return slices.Clone(c.acc.names())
}

// SetGone unmounts the account (every call ends with ErrGone) or mounts it.
func (c *Client) SetGone(gone bool) {
	c.acc.mu.Lock()
	defer c.acc.mu.Unlock()
	c.acc.gone = gone
}
