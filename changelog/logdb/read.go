package logdb

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// LoadTree reads the mailbox tree.
func (a *Account) LoadTree() (*changelog.Tree, error) {
	t := &changelog.Tree{UVs: map[store.Name][]changelog.Held{}}
	err := a.family(famNode, func(rest, p []byte) error {
		n, err := changelog.DecodeNode(p)
		if err == nil && !bytes.Equal(rest, n.GUIDs[0][:]) {
			err = misplaced("mailbox node")
		}
		t.Nodes = append(t.Nodes, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = a.family(famBare, func(rest, p []byte) error {
		b, err := changelog.DecodeBare(p)
		if err == nil && string(rest) != string(b.Name) {
			err = misplaced("subscription")
		}
		t.Bare = append(t.Bare, b)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = a.family(famUVs, func(rest, p []byte) error {
		hs, err := changelog.DecodeHeld(p)
		t.UVs[store.Name(rest)] = hs
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func misplaced(what string) error {
	return &changelog.CorruptError{What: what, Offset: -1, Reason: "stands under the key of another"}
}

// Mailbox gives the local state of one mailbox node; nil if there is none.
func (a *Account) Mailbox(g store.MailboxGUID) (*Mailbox, error) {
	key := nodeKey(nil, a.id, famBox, g)
	val, err := a.db.get(key)
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := decodeMailbox(val)
	return m, within(key, err)
}

// Mailboxes gives the local state of all mailboxes, by GUID.
func (a *Account) Mailboxes() ([]*Mailbox, error) {
	var out []*Mailbox
	err := a.family(famBox, func(_, p []byte) error {
		m, err := decodeMailbox(p)
		out = append(out, m)
		return err
	})
	return out, err
}

// Record gives the record of the message that has the dot among its origins; nil
// if there is none.
func (a *Account) Record(d changelog.Dot) (*Record, error) {
	r, err := a.record(recordKey(nil, a.id, d))
	if r != nil || err != nil {
		return r, err
	}
	id, ok, err := a.alias(d)
	if !ok || err != nil {
		return nil, err
	}
	key := recordKey(nil, a.id, id)
	if r, err = a.record(key); err == nil && (r == nil || !r.origin(d)) {
		return nil, damaged(key, "is indexed under %v but has no such origin", d)
	}
	return r, err
}

func (a *Account) record(key []byte) (*Record, error) {
	if a.db.dead.Load() {
		return nil, ErrDead
	}
	a.db.gets.Add(1)
	val, c, err := a.db.kept.get(key)
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return readRecord(key, val)
}

func readRecord(key, val []byte) (*Record, error) {
	p, err := unframe(key, val)
	if err != nil {
		return nil, err
	}
	r, err := decodeRecord(p)
	if err != nil {
		return nil, within(key, err)
	}
	if len(key) != prefixLen+dotLen || dotAt(key[prefixLen:]) != r.ID() {
		return nil, damaged(key, "holds message %v", r.ID())
	}
	return r, nil
}

// alias finds the message that has d as an origin but not as its identity.
func (a *Account) alias(d changelog.Dot) (changelog.Dot, bool, error) {
	p := append(appendDot(prefix(nil, a.id, famMentions), d), byte(refOrigin))
	it, err := a.db.iter(p, after(p))
	if err != nil {
		return changelog.Dot{}, false, err
	}
	defer it.Close()
	if !it.First() {
		return changelog.Dot{}, false, it.Error()
	}
	_, e, ok := parseMention(it.Key()[prefixLen:])
	if !ok {
		return changelog.Dot{}, false, damaged(it.Key(), "a malformed key")
	}
	return e.Message, true, nil
}

// nextTries is how many records are stepped over before it is cheaper to seek.
const nextTries = 24

// Records calls f with the record of each identity, in order of identity, nil for
// one that is not there. Each record is f's to keep. The slice is sorted in place.
func (a *Account) Records(ids []changelog.Dot, f func(id changelog.Dot, r *Record) error) error {
	if len(ids) == 0 {
		return nil
	}
	slices.SortFunc(ids, changelog.Dot.Compare)
	p := prefix(nil, a.id, famRecord)
	it, err := a.db.iter(recordKey(nil, a.id, ids[0]), after(p))
	if err != nil {
		return err
	}
	defer it.Close()
	ok := it.First()
	var key []byte
	for _, id := range ids {
		key = recordKey(key[:0], a.id, id)
		tries := 0
		for ; ok && bytes.Compare(it.Key(), key) < 0; tries++ {
			if tries < nextTries {
				ok = it.Next()
			} else {
				ok = it.SeekGE(key)
			}
		}
		if !ok && it.Error() != nil {
			return it.Error()
		}
		var r *Record
		if ok && bytes.Equal(it.Key(), key) {
			val, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			if r, err = readRecord(key, val); err != nil {
				return err
			}
		}
		if err := f(id, r); err != nil {
			return err
		}
	}
	return nil
}

// MailboxRecords calls f with every record held in a mailbox, in order of
// identity. Each is f's to keep.
func (a *Account) MailboxRecords(g store.MailboxGUID, f func(*Record) error) error {
	var ids []changelog.Dot
	ns, err := a.Names(g)
	if err != nil {
		return err
	}
	for ns.Next() {
		ids = append(ids, ns.ID())
	}
	if err := ns.Close(); err != nil {
		return err
	}
	return a.Records(ids, func(id changelog.Dot, r *Record) error {
		if r == nil || r.Mailbox != g {
			return damaged(recordKey(nil, a.id, id), "is listed in mailbox %v but not held there", g)
		}
		return f(r)
	})
}

// AllRecords calls f with every record of the account, tombstones too, in order
// of identity. Each is f's to keep.
func (a *Account) AllRecords(f func(*Record) error) error {
	p := prefix(nil, a.id, famRecord)
	return a.db.scan(p, after(p), func(key, val []byte) error {
		r, err := readRecord(key, val)
		if err != nil {
			return err
		}
		return f(r)
	})
}

// Names walks the messages held in a mailbox, in the order of their hashes:
//
//	for ns.Next() { use ns.Hash(), ns.ID() }
//	err := ns.Close()
type Names struct {
	it      cursor
	started bool
	key     []byte
	err     error
}

// Names begins such a walk.
func (a *Account) Names(g store.MailboxGUID) (*Names, error) {
	p := nodeKey(nil, a.id, famNames, g)
	it, err := a.db.iter(p, after(p))
	if err != nil {
		return nil, err
	}
	return &Names{it: it}, nil
}

// Next goes to the next message; false at the end or after an error.
func (n *Names) Next() bool {
	ok := false
	if n.started {
		ok = n.it.Next()
	} else {
		ok, n.started = n.it.First(), true
	}
	if !ok || n.err != nil {
		return false
	}
	if n.key = n.it.Key(); len(n.key) != prefixLen+guidLen+8+dotLen {
		n.err = damaged(n.key, "a key of %d bytes", len(n.key))
		return false
	}
	return true
}

// Hash is that of the message's handle.
func (n *Names) Hash() uint64 { return binary.BigEndian.Uint64(n.key[prefixLen+guidLen:]) }

// ID names the message.
func (n *Names) ID() changelog.Dot { return dotAt(n.key[prefixLen+guidLen+8:]) }

// Close ends the walk and gives its error.
func (n *Names) Close() error { return cmp.Or(n.err, n.it.Error(), n.it.Close()) }

// ByGUID gives the identities of all records with that content GUID, tombstones
// too, in order.
func (a *Account) ByGUID(g store.GUID) ([]changelog.Dot, error) {
	var ids []changelog.Dot
	p := guidPrefix(nil, a.id, g)
	err := a.db.scan(p, after(p), func(key, _ []byte) error {
		if len(key) != len(p)+dotLen {
			return damaged(key, "a key of %d bytes", len(key))
		}
		ids = append(ids, dotAt(key[len(p):]))
		return nil
	})
	return ids, err
}

// KnownGUIDs gives those of the content GUIDs that some record has, tombstones
// included. It sorts gs and goes over the index once, so many are cheaper together
// than one by one.
func (a *Account) KnownGUIDs(gs []store.GUID) (map[store.GUID]bool, error) {
	slices.Sort(gs)
	known := map[store.GUID]bool{}
	all := prefix(nil, a.id, famGUID)
	it, err := a.db.iter(all, after(all))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var p []byte
	for _, g := range gs {
		p = append(append(append(p[:0], all...), g...), 0)
		if !it.SeekGE(p) {
			break // what comes after it is not there either
		}
		if bytes.HasPrefix(it.Key(), p) {
			known[g] = true
		}
	}
	return known, it.Error()
}
