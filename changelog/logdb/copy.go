package logdb

import (
	"fmt"

	"dsync/changelog"
)

// Copied is all that a database held of one account at a moment: what a backup of
// the change log has of it.
type Copied struct {
	id   changelog.ReplicaID
	keys [][2][]byte // key and value, the locations bound to it included
}

// Copy copies an account out of the database.
func (d *DB) Copy(id changelog.ReplicaID) (*Copied, error) {
	c := &Copied{id: id}
	add := func(key, val []byte) error {
		c.keys = append(c.keys, [2][]byte{append([]byte(nil), key...), append([]byte(nil), val...)})
		return nil
	}
	lo, hi := accountRange(id)
	if err := d.scan(lo, hi, add); err != nil {
		return nil, fmt.Errorf("copy account %x: %w", uint64(id), err)
	}
	if err := d.bound(id, add); err != nil {
		return nil, fmt.Errorf("copy account %x: %w", uint64(id), err)
	}
	return c, nil
}

// PutBack makes the account what it was when it was copied, durably, and forgets
// what else was bound to its locations since: the log is a restored one. Nobody may
// hold the account open.
func (d *DB) PutBack(c *Copied) error {
	for _, kv := range c.keys {
		if kv[0][accountLen] != famLocation {
			continue
		}
		if id, _, ok, err := d.Lookup(string(kv[0][prefixLen:])); err != nil {
			return err
		} else if ok && id != c.id {
			if err := d.DropAccount(id); err != nil {
				return err
			}
		}
	}
	d.heldOf(c.id).drop(c.id)
	b := d.kept.newBatch()
	lo, hi := accountRange(c.id)
	b.DeleteRange(lo, hi, nil)
	for _, kv := range c.keys {
		b.Set(kv[0], kv[1], nil)
	}
	return d.commit(b, true)
}
