package engine

import (
	"errors"
	"fmt"
	"slices"

	"dsync/changelog/logdb"
	"dsync/store"
)

// describeMany is how many messages are described at a time.
const describeMany = 1000

// messages compares the records with the store, mailbox by mailbox.
func (c *checker) messages() error {
	for _, s := range c.lay.Slots {
		if !s.Shown || s.Holder == nil {
			continue
		}
		for _, g := range s.Holder.GUIDs {
			if row := c.rows[g]; row != nil {
				if err := c.mailbox(s.Path, row); err != nil {
					return fmt.Errorf("check %q: %w", string(s.Path), err)
				}
			}
		}
	}
	return nil
}

func (c *checker) mailbox(n store.Name, row *logdb.Mailbox) error {
	snap, err := c.st.Scan(c.ctx, n, nil)
	if errors.Is(err, store.ErrNoMailbox) {
		return nil // said already
	}
	if err != nil {
		return err
	}
	if !settled(row.Look, snap.Look()) || !snap.Stable() {
		return c.changed(n, row, snap)
	}
	held := map[string]*logdb.Record{}
	err = c.acc.MailboxRecords(row.GUID, func(r *logdb.Record) error {
		key := c.st.KeyOf(r.Handle)
		if held[key] != nil {
			c.wrong(n, row, r.Content.GUID, "the change log has two messages of one file")
		}
		held[key] = r
		return nil
	})
	if err != nil {
		return err
	}
	if st := snap.Status(); st.UIDValidity != row.Status.UIDValidity || st.UIDNext != row.Status.UIDNext {
		c.wrong(n, row, "", fmt.Sprintf("uidvalidity and uidnext are %d and %d in the store, %d and %d in the change log",
			st.UIDValidity, st.UIDNext, row.Status.UIDValidity, row.Status.UIDNext))
	}
	for first := 0; first < snap.Len(); first += describeMany {
		var idx []int
		for i := first; i < min(first+describeMany, snap.Len()); i++ {
			idx = append(idx, i)
		}
		ms, skips, err := snap.Describe(c.ctx, idx)
		if err != nil {
			return err
		}
		for _, s := range skips {
			if errors.Is(s.Err, store.ErrIgnored) {
				c.notice(Warning, "%s", s)
				continue
			}
			c.find(n, "", false, "%q: %v", s.Item, s.Err)
		}
		for i := range ms {
			c.message(n, row, &ms[i], held[ms[i].Key])
			delete(held, ms[i].Key)
		}
	}
	for _, key := range sortedKeys(held) {
		r := held[key]
		c.wrong(n, row, r.Content.GUID, fmt.Sprintf("uid %d: the change log holds it, the store does not", r.UID))
		c.unhold = append(c.unhold, r)
	}
	return nil
}

func sortedKeys(m map[string]*logdb.Record) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// wrong is a difference that the next run mends, once it lists the mailbox anew.
func (c *checker) wrong(n store.Name, row *logdb.Mailbox, g store.GUID, what string) {
	c.find(n, g, c.o.Repair, "%s", what)
	c.distrust[row.GUID] = true
}

func (c *checker) message(n store.Name, row *logdb.Mailbox, m *store.Message, r *logdb.Record) {
	if r == nil {
		c.wrong(n, row, m.Content.GUID, fmt.Sprintf("uid %d: the store has it, the change log does not", m.UID))
		return
	}
	differs := func(what string, store, log any) {
		c.wrong(n, row, m.Content.GUID, fmt.Sprintf("%s is %v in the store, %v in the change log", what, store, log))
	}
	if m.UID != r.UID {
		differs("uid", m.UID, r.UID)
	}
	if m.Content.GUID != r.Content.GUID {
		differs("guid", m.Content.GUID, r.Content.GUID)
	}
	if m.Flags != r.ShownFlags {
		differs("the set of flags", m.Flags.Names(), r.ShownFlags.Names())
	}
	if !slices.Equal(m.Keywords, r.ShownKeywords) {
		differs("the set of keywords", m.Keywords, r.ShownKeywords)
	}
	if m.Content.Size != r.Content.Size {
		differs("size", m.Content.Size, r.Content.Size)
	}
	if m.Received.Unix() != r.Received {
		differs("the received date", m.Received.Unix(), r.Received)
	}
}

// changed counts what the next run will find in a mailbox.
func (c *checker) changed(n store.Name, row *logdb.Mailbox, snap store.Snapshot) error {
	here := map[uint64]int{}
	for i := range snap.Len() {
		here[snap.Hash(i)]++
	}
	ns, err := c.acc.Names(row.GUID)
	if err != nil {
		return err
	}
	gone := 0
	for ns.Next() {
		if h := ns.Hash(); here[h] > 0 {
			here[h]--
		} else {
			gone++
		}
	}
	if err := ns.Close(); err != nil {
		return err
	}
	fresh := 0
	for _, k := range here {
		fresh += k
	}
	if gone+fresh > 0 {
		c.notice(Info, "%q: changed since the last look: %d messages as the log had them no more, %d otherwise or new; the next run takes it up", string(n), gone, fresh)
	}
	return nil
}
