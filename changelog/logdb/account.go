package logdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"weak"

	"dsync/changelog"
)

// Account is the log of one account. Reading may go on in several goroutines and
// sees all committed batches; batches are made by one writer at a time (who holds
// the store's lock).
type Account struct {
	db *DB
	id changelog.ReplicaID

	mu      sync.Mutex
	meta    *Meta     // replaced, never changed
	encoded [3][]byte // meta, listing and peers as they stand in the database
	loaded  bool      // listing and peers too
	rested  bool      // it was at rest when it was opened, and no batch has come since
	counted bool      // the following are known
	// The numbers that the next event, report and intent get.
	nextEvent, nextReport, nextIntent uint64
	floor                             floor
}

// held is the accounts that somebody holds. Nobody gives one back: what nobody holds
// is the garbage collector's, so that a process that goes over many accounts keeps
// those it is at.
type held struct {
	mu sync.Mutex
	by map[changelog.ReplicaID]weak.Pointer[Account]
}

func (d *DB) heldOf(id changelog.ReplicaID) *held { return &d.held[uint64(id)%uint64(len(d.held))] }

// get gives an account that is held, or nil. h.mu is taken.
func (h *held) get(id changelog.ReplicaID) *Account { return h.by[id].Value() }

// put notes an account. h.mu is taken.
func (h *held) put(a *Account) {
	if h.by == nil {
		h.by = map[changelog.ReplicaID]weak.Pointer[Account]{}
	}
	p := weak.Make(a)
	h.by[a.id] = p
	runtime.AddCleanup(a, func(id changelog.ReplicaID) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.by[id] == p {
			delete(h.by, id)
		}
	}, a.id)
}

// drop forgets an account: whoever still holds it must not use it.
func (h *held) drop(id changelog.ReplicaID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.by, id)
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
	a := &Account{db: d, id: meta.Replica.ID, meta: &Meta{}, loaded: true, counted: true,
		nextEvent: 1, nextReport: 1, nextIntent: 1, floor: floor{1, 1}}
	b := a.Batch()
	b.PutMeta(&meta)
	if err := b.Commit(true); err != nil {
		return nil, fmt.Errorf("new account %v: %w", meta.Replica, err)
	}
	h := d.heldOf(a.id)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put(a)
	return a, nil
}

// Account opens an account of the database; ErrNoAccount if there is none. The
// same account is the same value every time, as long as somebody holds it.
func (d *DB) Account(id changelog.ReplicaID) (*Account, error) {
	a, err := d.AccountAtRest(id)
	if err == nil {
		err = a.Load()
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// AccountAtRest is Account, but of an account at rest it reads one value: Last gives
// Meta without Tree and Peers until Load.
func (d *DB) AccountAtRest(id changelog.ReplicaID) (*Account, error) {
	if id == 0 {
		return nil, fmt.Errorf("account 0: %w", ErrNoAccount)
	}
	h := d.heldOf(id)
	h.mu.Lock() // while it is read, too: what is read must be all that was written
	defer h.mu.Unlock()
	if a := h.get(id); a != nil {
		return a, nil
	}
	m, raw, err := d.readHead(id)
	if err != nil {
		return nil, err
	}
	a := &Account{db: d, id: id, meta: m, encoded: [3][]byte{raw}, rested: m.Rest != nil}
	if !a.rested {
		if err := a.load(); err != nil {
			return nil, err
		}
	}
	h.put(a)
	return a, nil
}

// Load reads what AccountAtRest left unread. Until it could, no batch can be made.
func (a *Account) Load() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.load()
}

// load is Load. a.mu is held.
func (a *Account) load() error {
	if a.loaded {
		return nil
	}
	m := *a.meta
	listing, err := a.db.part(a.id, famListing, func(b []byte) (err error) { m.Tree, err = decodeListing(b); return })
	if err != nil {
		return err
	}
	peers, err := a.db.part(a.id, famPeers, func(b []byte) (err error) { m.Peers, err = decodePeers(b); return })
	if err != nil {
		return err
	}
	a.meta, a.encoded[1], a.encoded[2], a.loaded = &m, listing, peers, true
	return nil
}

func (d *DB) readMeta(id changelog.ReplicaID) (*Meta, error) {
	m, _, err := d.readHead(id)
	if err != nil {
		return nil, err
	}
	a := &Account{db: d, id: id, meta: m}
	err = a.load()
	return a.meta, err
}

// readHead reads Meta without Tree and Peers.
func (d *DB) readHead(id changelog.ReplicaID) (*Meta, []byte, error) {
	key := prefix(nil, id, famMeta)
	val, err := d.get(key)
	if errors.Is(err, errAbsent) {
		return nil, nil, d.noMeta(id)
	}
	if err != nil {
		return nil, nil, err
	}
	m, err := decodeMeta(val)
	if err != nil {
		return nil, nil, within(key, err)
	}
	if m.Replica.ID != id {
		return nil, nil, damaged(key, "is of account %v", m.Replica)
	}
	return m, val, nil
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

// part reads a value that must be there beside Meta, and gives it.
func (d *DB) part(id changelog.ReplicaID, fam byte, dec func([]byte) error) ([]byte, error) {
	key := prefix(nil, id, fam)
	val, err := d.get(key)
	if errors.Is(err, errAbsent) {
		return nil, damaged(key, "is missing")
	}
	if err != nil {
		return nil, err
	}
	return val, within(key, dec(val))
}

// counters finds where the numbers of events, reports and intents go on, once. a.mu is
// held.
func (a *Account) counters() error {
	if a.counted {
		return nil
	}
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
	a.counted = true
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

// Meta gives a copy of what was last committed, but for Rest: so that whoever changes
// it and puts it back ends the rest. What Load could not read is not in it.
func (a *Account) Meta() Meta {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.load() // Batch tells
	m := a.meta.Clone()
	m.Rest = nil
	return m
}

// Last is what was last committed, to be read only: it is replaced by the next
// commit, never changed.
func (a *Account) Last() *Meta {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.meta
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
	d.heldOf(id).drop(id)
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
