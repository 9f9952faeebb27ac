package logdb

import (
	"encoding/binary"
	"errors"
	"fmt"

	"dsync/changelog"
	"dsync/changelog/pack"
)

// Lookup gives the account bound to a store's location, and the identity that the
// place had then. ok is false if there is none.
func (d *DB) Lookup(location string) (id changelog.ReplicaID, identity string, ok bool, err error) {
	key := append(prefix(nil, 0, famLocation), location...)
	val, err := d.get(key)
	if errors.Is(err, errAbsent) {
		return 0, "", false, nil
	}
	if err != nil {
		return 0, "", false, err
	}
	id, identity, err = decodeBinding(val)
	return id, identity, err == nil, within(key, err)
}

func decodeBinding(val []byte) (changelog.ReplicaID, string, error) {
	r := pack.New(val, "location")
	r.Fields(3)
	r.Version(1)
	id, identity := changelog.ReplicaID(r.Uint64()), r.String(MaxLocation)
	return id, identity, r.End()
}

// Bind notes, durably, that the store at a location is the account's; it replaces
// what the location was bound to, and ends the rest of the account that it was of.
func (d *DB) Bind(location, identity string, id changelog.ReplicaID) error {
	if len(location) > MaxLocation || len(identity) > MaxLocation {
		return fmt.Errorf("bind location: over %d bytes", MaxLocation)
	}
	was, _, ok, err := d.Lookup(location)
	if err != nil {
		return err
	}
	b := d.kept.newBatch()
	put(b, append(prefix(nil, 0, famLocation), location...), func(dst []byte) []byte {
		return pack.String(pack.Uint(pack.Uint(pack.Array(dst, 3), 1), uint64(id)), identity)
	})
	if !ok || was == id {
		return d.commit(b, true)
	}
	// An account at rest takes it that its location is bound to it.
	a, err := d.AccountAtRest(was)
	var ce *changelog.CorruptError
	if errors.As(err, &ce) || errors.Is(err, ErrNoAccount) {
		return d.commit(b, true)
	} else if err != nil {
		b.Close()
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	roused := a.rouse(b)
	if err = d.commit(b, true); err == nil {
		roused()
	}
	return err
}

// Unbind forgets a location.
func (d *DB) Unbind(location string) error {
	b := d.kept.newBatch()
	b.Delete(append(prefix(nil, 0, famLocation), location...), nil)
	return d.commit(b, true)
}

func pairKey(a, b changelog.ReplicaID) []byte {
	key := binary.BigEndian.AppendUint64(prefix(nil, 0, famPair), uint64(min(a, b)))
	return binary.BigEndian.AppendUint64(key, uint64(max(a, b)))
}

// PairState gives the state string kept for two accounts, in either order, or "".
func (d *DB) PairState(a, b changelog.ReplicaID) (string, error) {
	key := pairKey(a, b)
	val, err := d.get(key)
	if errors.Is(err, errAbsent) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	r := pack.New(val, "state")
	s := r.String(MaxState)
	return s, within(key, r.End())
}

// PutPairState keeps a state string for two accounts, durably; "" forgets it. One that is
// kept already costs no write: what a run in which nothing changed leaves is the same.
func (d *DB) PutPairState(a, b changelog.ReplicaID, state string) error {
	if len(state) > MaxState {
		return fmt.Errorf("keep state: %d bytes, at most %d", len(state), MaxState)
	}
	if old, err := d.PairState(a, b); err == nil && old == state {
		return nil
	}
	w := d.kept.newBatch()
	if state == "" {
		w.Delete(pairKey(a, b), nil)
	} else {
		put(w, pairKey(a, b), func(dst []byte) []byte { return pack.String(dst, state) })
	}
	return d.commit(w, true)
}
