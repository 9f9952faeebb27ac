package logdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"dsync/changelog"
)

// Account is the log of one account. Reading may go on in several goroutines and
// sees all committed batches; batches are made by one writer at a time (who holds
// the store's lock).
type Account struct {
	db *DB
	id changelog.ReplicaID

	mu      sync.Mutex
	meta    Meta
	encoded [3][]byte // meta, listing and peers as they stand in the database
	// The numbers that the next event, report and intent get.
	nextEvent, nextReport, nextIntent uint64
	floor                             floor
}

// NewAccount makes an account under meta.Replica.ID, durably.
func (d *DB) NewAccount(meta Meta) (*Account, error) {
	if meta.Replica.ID == 0 {
		return nil, errors.New("new account: no replica")
	}
	if _, err := d.Account(meta.Replica.ID); !errors.Is(err, ErrNoAccount) {
		if err == nil {
			err = ErrExists
		}
		return nil, fmt.Errorf("new account %v: %w", meta.Replica, err)
	}
	a := &Account{db: d, id: meta.Replica.ID, nextEvent: 1, nextReport: 1, nextIntent: 1}
	b := a.Batch()
	b.PutMeta(&meta)
	if err := b.Commit(true); err != nil {
		return nil, fmt.Errorf("new account %v: %w", meta.Replica, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accounts[a.id] = a
	return a, nil
}

// Account opens an account of the database; ErrNoAccount if there is none. The
// same account is the same value every time, until Forget.
func (d *DB) Account(id changelog.ReplicaID) (*Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.accounts[id]; a != nil {
		return a, nil
	}
	m, err := d.readMeta(id)
	if err != nil {
		return nil, err
	}
	a := &Account{db: d, id: id, meta: *m}
	a.encoded = encodeMeta(m)
	if err := a.counters(); err != nil {
		return nil, fmt.Errorf("open account %x: %w", uint64(id), err)
	}
	d.accounts[id] = a
	return a, nil
}

// Forget lets go of what is held in memory of an account; the next Account reads it
// anew. Nobody may be writing to it, nor hold it to write to it later.
func (d *DB) Forget(id changelog.ReplicaID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.accounts, id)
}

func (d *DB) readMeta(id changelog.ReplicaID) (*Meta, error) {
	if id == 0 {
		return nil, fmt.Errorf("account 0: %w", ErrNoAccount)
	}
	key := prefix(nil, id, famMeta)
	val, err := d.get(key)
	if errors.Is(err, errAbsent) {
		return nil, d.noMeta(id)
	}
	if err != nil {
		return nil, err
	}
	m, err := decodeMeta(val)
	if err != nil {
		return nil, within(key, err)
	}
	if m.Replica.ID != id {
		return nil, damaged(key, "is of account %v", m.Replica)
	}
	if err := d.part(id, famListing, func(b []byte) (err error) { m.Tree, err = decodeListing(b); return }); err != nil {
		return nil, err
	}
	return m, d.part(id, famPeers, func(b []byte) (err error) { m.Peers, err = decodePeers(b); return })
}

// noMeta tells an account that was never made from one that lost its head.
func (d *DB) noMeta(id changelog.ReplicaID) error {
	p := prefix(nil, id, 0)
	it, err := d.iter(p, after(p[:accountLen]))
	if err != nil {
		return err
	}
	defer it.Close()
	if it.First() {
		return damaged(prefix(nil, id, famMeta), "is missing")
	}
	if err := it.Error(); err != nil {
		return err
	}
	return fmt.Errorf("account %x: %w", uint64(id), ErrNoAccount)
}

// part reads a value that must be there beside Meta.
func (d *DB) part(id changelog.ReplicaID, fam byte, dec func([]byte) error) error {
	key := prefix(nil, id, fam)
	val, err := d.get(key)
	if errors.Is(err, errAbsent) {
		return damaged(key, "is missing")
	}
	if err != nil {
		return err
	}
	return within(key, dec(val))
}

func encodeMeta(m *Meta) [3][]byte {
	return [3][]byte{appendMeta(nil, m), appendListing(nil, m.Tree), appendPeers(nil, m.Peers)}
}

// counters finds where the numbers of events, reports and intents go on.
func (a *Account) counters() error {
	if err := a.readFloor(); err != nil {
		return err
	}
	a.nextEvent, a.nextReport, a.nextIntent = a.floor.event, a.floor.report, 1
	key, val, err := a.last(famEvents)
	if err != nil {
		return err
	}
	if key != nil {
		h, err := chunkHead(key, val)
		if err != nil {
			return err
		}
		a.nextEvent = h.first + uint64(h.count)
	}
	if key, _, err = a.last(famReport); err != nil {
		return err
	}
	if key != nil {
		a.nextReport = binary.BigEndian.Uint64(key[prefixLen:]) + 1
	}
	if key, _, err = a.last(famIntent); err != nil {
		return err
	}
	if key != nil {
		a.nextIntent = binary.BigEndian.Uint64(key[prefixLen:]) + 1
	}
	return nil
}

// last gives the last key of a family numbered by sequence, or nil.
func (a *Account) last(fam byte) (key, val []byte, err error) {
	p := prefix(nil, a.id, fam)
	it, err := a.db.iter(p, after(p))
	if err != nil {
		return nil, nil, err
	}
	defer it.Close()
	if !it.Last() {
		return nil, nil, it.Error()
	}
	v, err := it.ValueAndErr()
	if err != nil {
		return nil, nil, err
	}
	if len(it.Key()) != prefixLen+8 {
		return nil, nil, damaged(it.Key(), "a key of %d bytes", len(it.Key()))
	}
	return append([]byte(nil), it.Key()...), append([]byte(nil), v...), nil
}

// ID is the account's name in the database.
func (a *Account) ID() changelog.ReplicaID { return a.id }

// Meta gives a copy of what was last committed.
func (a *Account) Meta() Meta {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.meta.Clone()
}

// family calls f with the rest of every key, and the checked payload, of a family.
func (a *Account) family(fam byte, f func(rest, payload []byte) error) error {
	p := prefix(nil, a.id, fam)
	return a.db.scan(p, after(p), func(key, val []byte) error {
		payload, err := unframe(key, val)
		if err != nil {
			return err
		}
		return within(key, f(key[prefixLen:], payload))
	})
}

// DropAccount removes an account with all that is known of it, the locations
// bound to it included, and gives the space back. Pair states stay: they are
// harmless, and say so to whoever shows them.
func (d *DB) DropAccount(id changelog.ReplicaID) error {
	if id == 0 {
		return fmt.Errorf("drop account 0: %w", ErrNoAccount)
	}
	lo, hi := accountRange(id)
	b := d.kept.newBatch()
	b.DeleteRange(lo, hi, nil)
	if err := d.bound(id, func(key, _ []byte) error { return b.Delete(key, nil) }); err != nil {
		return fmt.Errorf("drop account %x: %w", uint64(id), err)
	}
	if err := d.commit(b, true); err != nil {
		return err
	}
	d.mu.Lock()
	delete(d.accounts, id)
	d.mu.Unlock()
	return d.compact(lo, hi)
}

// accountRange is where an account's keys lie.
func accountRange(id changelog.ReplicaID) (lo, hi []byte) {
	lo = prefix(nil, id, 0)[:accountLen]
	if hi = after(lo); hi == nil {
		hi = append(after(prefix(nil, id, 0xfe)), 0xff)
	}
	return lo, hi
}

// bound calls f with the locations that are bound to an account.
func (d *DB) bound(id changelog.ReplicaID, f func(key, val []byte) error) error {
	p := prefix(nil, 0, famLocation)
	return d.scan(p, after(p), func(key, val []byte) error {
		payload, err := unframe(key, val)
		if err != nil {
			return err
		}
		to, _, err := decodeBinding(payload)
		if err == nil && to == id {
			return f(key, val)
		}
		return within(key, err)
	})
}
