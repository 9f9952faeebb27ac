package memory

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"dsync/store"
)

// Client is a mail client, delivery agent or administrator that changes the
// account and knows nothing of a synchroniser. Messages are named by mailbox
// and key (store.Message.Key). Names must pass store.Name.Check.
type Client struct{ acc *account }

// Client opens the account to clients.
func (s *Store) Client() *Client { return &Client{s.acc} }

// do runs f under the lock on a mailbox.
func (c *Client) do(what string, n store.Name, f func(b *mailbox) error) error {
	if err := n.Check(); err != nil {
		return fmt.Errorf("client: %s: %w", what, err)
	}
	c.acc.mu.Lock()
	defer c.acc.mu.Unlock()
	b, err := c.acc.box(n)
	if err == nil {
		b.foreign++
		err = f(b)
	}
	if err != nil {
		return fmt.Errorf("client: %s in %q: %w", what, n, err)
	}
	return nil
}

// message runs f under the lock on a message.
func (c *Client) message(what string, n store.Name, key string, f func(b *mailbox, m *message) error) error {
	return c.do(what+" "+key, n, func(b *mailbox) error {
		m := b.msgs[key]
		if m == nil {
			return store.ErrNoMessage
		}
		return f(b, m)
	})
}

// nextUID gives a UID to a message that a client brings: none if the store
// gives them late, or if a change that gives out UIDs is on its way.
func (a *account) nextUID(b *mailbox, m *message) error {
	m.uid, m.waits = 0, b.applying
	if a.opt.LateUIDs || b.applying {
		return nil
	}
	if b.uidNext == math.MaxUint32 {
		return fmt.Errorf("no UID left: %w", store.ErrUnsupported)
	}
	m.uid = b.uidNext
	b.uidNext++
	return nil
}

// Messages lists a mailbox by UID, then key.
func (c *Client) Messages(n store.Name) (out []store.Message, err error) {
	err = c.do("list", n, func(b *mailbox) error {
		for _, m := range b.sorted() {
			out = append(out, c.acc.describe(m))
		}
		return nil
	})
	return out, err
}

// ByUID finds a message by its UID.
func (c *Client) ByUID(n store.Name, uid store.UID) (out store.Message, err error) {
	err = c.do(fmt.Sprintf("find UID %d", uid), n, func(b *mailbox) error {
		for _, m := range b.msgs {
			if m.uid == uid && uid != 0 {
				out = c.acc.describe(m)
				return nil
			}
		}
		return store.ErrNoMessage
	})
	return out, err
}

// Deliver makes a message with a GUID of the store's choice.
func (c *Client) Deliver(n store.Name, body []byte, f store.Flags, keywords []string, received time.Time) (store.Message, error) {
	return c.DeliverGUID(n, "", body, f, keywords, received)
}

// DeliverGUID makes a message with the GUID given.
func (c *Client) DeliverGUID(n store.Name, guid store.GUID, body []byte, f store.Flags, keywords []string, received time.Time) (out store.Message, err error) {
	err = c.do("deliver", n, func(b *mailbox) error {
		a := c.acc
		kws, err := cleanKeywords(keywords)
		if err != nil {
			return err
		}
		m := &message{
			key: a.newKey(), guid: guid, flags: f & store.AllFlags, keywords: kws,
			received: received.UTC().Truncate(time.Second), body: bytes.Clone(body),
			hash: headerHash(body), inode: a.next(), synced: true,
		}
		if guid == "" {
			m.guid = store.GUID(m.key)
		}
		if err := m.guid.Check(); err != nil {
			return err
		}
		if err := a.nextUID(b, m); err != nil {
			return err
		}
		a.put(b, m)
		out = a.describe(m)
		return nil
	})
	return out, err
}

// Copy copies a message as IMAP COPY on Dovecot does: GUID, flags, keywords,
// date and inode are the original's, the key and UID are new.
func (c *Client) Copy(from store.Name, key string, to store.Name) (out store.Message, err error) {
	err = c.message("copy", from, key, func(_ *mailbox, m *message) error {
		d := *m
		d.key = c.acc.newKey()
		out, err = c.arrive(&d, to)
		return err
	})
	return out, err
}

// Move moves a message as IMAP MOVE does, or a client that renames the file and
// keeps its name: only mailbox and UID change.
func (c *Client) Move(from store.Name, key string, to store.Name) (store.Message, error) {
	return c.move(from, key, to, false)
}

// MoveRenamed moves a message as a client does that gives the file a new name:
// key and GUID are new, the inode is the same.
func (c *Client) MoveRenamed(from store.Name, key string, to store.Name) (store.Message, error) {
	return c.move(from, key, to, true)
}

func (c *Client) move(from store.Name, key string, to store.Name, rename bool) (out store.Message, err error) {
	err = c.message("move", from, key, func(b *mailbox, m *message) error {
		d := *m
		if rename {
			d.key = c.acc.newKey()
			d.guid = store.GUID(d.key)
		}
		if _, err := c.acc.box(to); err != nil {
			return err
		}
		c.acc.removed(b, m)
		if out, err = c.arrive(&d, to); err != nil {
			b.msgs[m.key] = m
		}
		return err
	})
	return out, err
}

// arrive puts m into a mailbox under a new UID.
func (c *Client) arrive(m *message, to store.Name) (store.Message, error) {
	b, err := c.acc.box(to)
	if err != nil {
		return store.Message{}, err
	}
	if err := c.acc.nextUID(b, m); err != nil {
		return store.Message{}, err
	}
	b.foreign++
	c.acc.put(b, m)
	return c.acc.describe(m), nil
}

// Expunge removes a message for good.
func (c *Client) Expunge(n store.Name, key string) error {
	return c.message("expunge", n, key, func(b *mailbox, m *message) error {
		c.acc.removed(b, m)
		return nil
	})
}

// setFlags replaces flags and keywords; nothing happens if they are the same.
func (a *account) setFlags(b *mailbox, m *message, f store.Flags, keywords []string) {
	before := m.visible()
	m.flags, m.keywords = f&store.AllFlags, keywords
	if m.visible() != before {
		a.modified(b, m, true)
	}
}

// SetFlags replaces the flags.
func (c *Client) SetFlags(n store.Name, key string, f store.Flags) error {
	return c.flags("set flags of", n, key, func(store.Flags) store.Flags { return f })
}

// AddFlags sets flags.
func (c *Client) AddFlags(n store.Name, key string, f store.Flags) error {
	return c.flags("add flags to", n, key, func(had store.Flags) store.Flags { return had | f })
}

// RemoveFlags clears flags.
func (c *Client) RemoveFlags(n store.Name, key string, f store.Flags) error {
	return c.flags("remove flags of", n, key, func(had store.Flags) store.Flags { return had &^ f })
}

func (c *Client) flags(what string, n store.Name, key string, f func(store.Flags) store.Flags) error {
	return c.message(what, n, key, func(b *mailbox, m *message) error {
		c.acc.setFlags(b, m, f(m.flags), m.keywords)
		return nil
	})
}

// SetKeywords replaces the keywords.
func (c *Client) SetKeywords(n store.Name, key string, keywords ...string) error {
	return c.keywords("set keywords of", n, key, func([]string) []string { return keywords })
}

// AddKeywords sets keywords; one that is set in another spelling stays so.
func (c *Client) AddKeywords(n store.Name, key string, keywords ...string) error {
	return c.keywords("add keywords to", n, key, func(had []string) []string {
		return append(without(keywords, had), had...)
	})
}

// RemoveKeywords clears keywords, in whatever spelling.
func (c *Client) RemoveKeywords(n store.Name, key string, keywords ...string) error {
	return c.keywords("remove keywords of", n, key, func(had []string) []string {
		return without(had, keywords)
	})
}

func (c *Client) keywords(what string, n store.Name, key string, f func([]string) []string) error {
	return c.message(what, n, key, func(b *mailbox, m *message) error {
		kws, err := cleanKeywords(f(m.keywords))
		if err != nil {
			return err
		}
		c.acc.setFlags(b, m, m.flags, kws)
		return nil
	})
}

// without gives the keywords of a that b lacks, as a new list.
func without(a, b []string) []string {
	gone := map[string]bool{}
	for _, k := range b {
		gone[store.FoldKeyword(k)] = true
	}
	out := []string{}
	for _, k := range a {
		if !gone[store.FoldKeyword(k)] {
			out = append(out, k)
		}
	}
	return out
}
