package logdb

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/store"
)

// Batch is a set of changes to one account that become true at once. Its methods
// note the first error, which Commit gives back; nothing is written then. Values
// are encoded when they are put and may be changed afterwards.
//
// Whatever is put is read back before it is accepted: the log holds nothing that
// it could not read.
//
// Old versions passed in are those that stand in the database (or were put into
// this batch before); the indexes are kept from the difference.
type Batch struct {
	a    *Account
	b    *pebble.Batch
	key  []byte
	val  []byte
	old  keyList
	new  keyList
	err  error
	meta *Meta
	enc  [3][]byte

	events  []eventsAt
	reports []reportAt
}

type eventsAt struct {
	at int64
	es []changelog.Event
}

type reportAt struct {
	at      int64
	payload []byte
}

// Batch begins a batch.
func (a *Account) Batch() *Batch {
	b := &Batch{a: a, b: a.db.kept.newBatch()}
	b.fail("read the account", a.Load())
	return b
}

// Empty reports whether nothing was put.
func (b *Batch) Empty() bool {
	return b.b.Empty() && b.err == nil && len(b.events) == 0 && len(b.reports) == 0
}

// Size is about how many bytes the batch will write.
func (b *Batch) Size() int { return b.b.Len() }

// Discard forgets the batch.
func (b *Batch) Discard() {
	if b.b != nil {
		b.b.Close()
		b.b = nil
	}
}

func (b *Batch) fail(what string, err error) {
	if b.err == nil && err != nil {
		b.err = fmt.Errorf("%s: %w", what, err)
	}
}

// put frames and adds a value, once check could read it.
func (b *Batch) put(key []byte, enc func([]byte) []byte, check func([]byte) error) {
	if b.err != nil {
		return
	}
	b.val = enc(append(b.val[:0], 0, 0, 0, 0))
	if len(b.val) > MaxValue {
		b.fail("write "+keyName(key), fmt.Errorf("%d bytes, at most %d", len(b.val), MaxValue))
		return
	}
	if err := check(b.val[frameLen:]); err != nil {
		b.fail("write "+keyName(key), err)
		return
	}
	seal(key, b.val)
	b.fail("write", b.b.Set(key, b.val, nil))
}

// keyList is a list of keys in one buffer.
type keyList struct {
	buf  []byte
	ends []int
}

func (l *keyList) reset() { l.buf, l.ends = l.buf[:0], l.ends[:0] }

func (l *keyList) add(key []byte) {
	l.buf = append(l.buf, key...)
	l.ends = append(l.ends, len(l.buf))
}

func (l *keyList) at(i int) []byte {
	if i == 0 {
		return l.buf[:l.ends[0]]
	}
	return l.buf[l.ends[i-1]:l.ends[i]]
}

// reindex deletes the keys that only the old list has and sets those that only
// the new one has. Both ascend.
func (b *Batch) reindex() {
	i, j := 0, 0
	for i < len(b.old.ends) || j < len(b.new.ends) {
		c := 0
		switch {
		case i == len(b.old.ends):
			c = 1
		case j == len(b.new.ends):
			c = -1
		default:
			c = bytes.Compare(b.old.at(i), b.new.at(j))
		}
		switch {
		case c < 0:
			b.fail("write", b.b.Delete(b.old.at(i), nil))
			i++
		case c > 0:
			b.fail("write", b.b.Set(b.new.at(j), nil, nil))
			j++
		default:
			i++
			j++
		}
	}
	b.old.reset()
	b.new.reset()
}

// PutMeta replaces the account's meta. Only what changed is written, and a listing
// that was committed before is not even looked at.
func (b *Batch) PutMeta(m *Meta) {
	if m.Replica.ID != b.a.id {
		b.fail("write meta", fmt.Errorf("of replica %v into the log of %x", m.Replica, uint64(b.a.id)))
		return
	}
	c := m.Clone()
	tree, prev := b.a.lastMeta()
	if b.meta != nil {
		tree, prev = b.meta.Tree, b.enc
	}
	enc := [3][]byte{appendMeta(nil, &c), prev[1], appendPeers(nil, c.Peers)}
	if prev[1] == nil || !sameListing(c.Tree, tree) {
		enc[1] = appendListing(nil, c.Tree)
	}
	checks := [3]func([]byte) error{
		func(p []byte) error { _, err := decodeMeta(p); return err },
		func(p []byte) error { _, err := decodeListing(p); return err },
		func(p []byte) error { _, err := decodePeers(p); return err },
	}
	for i, fam := range [3]byte{famMeta, famListing, famPeers} {
		if prev[i] != nil && bytes.Equal(prev[i], enc[i]) {
			continue
		}
		b.key = prefix(b.key[:0], b.a.id, fam)
		b.put(b.key, func(dst []byte) []byte { return append(dst, enc[i]...) }, checks[i])
	}
	b.meta, b.enc = &c, enc
}

// lastMeta is the listing, and all parts of the meta data as encoded, that were
// committed last.
func (a *Account) lastMeta() ([]Listed, [3][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.meta.Tree, a.encoded
}

// PutRecord replaces old (nil: there is none) by new. The identity may differ.
func (b *Batch) PutRecord(old, new *Record) {
	if b.err != nil {
		return
	}
	if err := new.check(); err != nil {
		b.fail("write record", err)
		return
	}
	if old != nil {
		b.fail("index", old.keys(b.a.id, b.key, b.old.add))
		if old.ID() != new.ID() {
			b.key = recordKey(b.key[:0], b.a.id, old.ID())
			b.fail("write", b.b.Delete(b.key, nil))
		}
	}
	b.fail("index", new.keys(b.a.id, b.key, b.new.add))
	b.reindex()
	b.key = recordKey(b.key[:0], b.a.id, new.ID())
	b.put(b.key, func(dst []byte) []byte { return appendRecord(dst, new) },
		func(p []byte) error { _, err := decodeRecord(p); return err })
}

// DeleteRecord removes a record.
func (b *Batch) DeleteRecord(old *Record) {
	if b.err != nil {
		return
	}
	b.fail("index", old.keys(b.a.id, b.key, b.old.add))
	b.reindex()
	b.key = recordKey(b.key[:0], b.a.id, old.ID())
	b.fail("write", b.b.Delete(b.key, nil))
}

// PutNode replaces old (nil: there is none) by new; new nil removes old. With
// another UIDVALIDITY what vanished under the old one is forgotten.
func (b *Batch) PutNode(old, new *changelog.Node) {
	if b.err != nil {
		return
	}
	if old != nil {
		if new != nil {
			b.DropVanished(old, new)
		}
		b.fail("index", mentions(b.a.id, nodeRef(old), old.Mentions(), nil, b.old.add))
		if new == nil || old.GUID() != new.GUID() {
			b.key = nodeKey(b.key[:0], b.a.id, famNode, old.GUID())
			b.fail("write", b.b.Delete(b.key, nil))
		}
	}
	if new != nil {
		b.fail("index", mentions(b.a.id, nodeRef(new), new.Mentions(), nil, b.new.add))
		b.key = nodeKey(b.key[:0], b.a.id, famNode, new.GUID())
		b.put(b.key, func(dst []byte) []byte { return changelog.AppendNode(dst, new) },
			func(p []byte) error { _, err := changelog.DecodeNode(p); return err })
	}
	b.reindex()
}

// PutBare replaces old (nil: there is none) by new; new nil removes old.
func (b *Batch) PutBare(old, new *changelog.Bare) {
	if b.err != nil {
		return
	}
	if old != nil {
		b.fail("index", mentions(b.a.id, bareRef(old), old.Mentions(), nil, b.old.add))
		if new == nil || old.Name != new.Name {
			b.fail("write", b.b.Delete(append(prefix(nil, b.a.id, famBare), old.Name...), nil))
		}
	}
	if new != nil {
		b.fail("index", mentions(b.a.id, bareRef(new), new.Mentions(), nil, b.new.add))
		b.put(append(prefix(nil, b.a.id, famBare), new.Name...),
			func(dst []byte) []byte { return changelog.AppendBare(dst, new) },
			func(p []byte) error { _, err := changelog.DecodeBare(p); return err })
	}
	b.reindex()
}

// PutUVs replaces the UIDVALIDITYs that a path has shown; none removes them.
func (b *Batch) PutUVs(path store.Name, hs []changelog.Held) {
	if b.err != nil {
		return
	}
	key := append(prefix(nil, b.a.id, famUVs), path...)
	if len(hs) == 0 {
		b.fail("write", b.b.Delete(key, nil))
		return
	}
	b.put(key, func(dst []byte) []byte { return changelog.AppendHeld(dst, hs) },
		func(p []byte) error { _, err := changelog.DecodeHeld(p); return err })
}

// PutMailbox replaces the local state of a mailbox.
func (b *Batch) PutMailbox(m *Mailbox) {
	b.key = nodeKey(b.key[:0], b.a.id, famBox, m.GUID)
	b.put(b.key, func(dst []byte) []byte { return appendMailbox(dst, m) },
		func(p []byte) error { _, err := decodeMailbox(p); return err })
}

// DeleteMailbox forgets the local state of a mailbox. Its records stay, and the
// list of what vanished from it as long as a node has its UIDVALIDITY.
func (b *Batch) DeleteMailbox(g store.MailboxGUID) {
	b.key = nodeKey(b.key[:0], b.a.id, famBox, g)
	b.fail("write", b.b.Delete(b.key, nil))
}

// AppendEvents adds events to the log, in order; at is the time of writing, in µs
// since 1970, by which Trim goes. The slice must not change until Commit.
func (b *Batch) AppendEvents(at int64, es []changelog.Event) {
	if len(es) > 0 {
		b.events = append(b.events, eventsAt{at, es})
	}
}

// PutReport adds a report to the log: bytes that nobody here looks into.
func (b *Batch) PutReport(at int64, payload []byte) {
	b.reports = append(b.reports, reportAt{at, bytes.Clone(payload)})
}

// PutIntent writes an intent and gives its identity, drawn if it has none.
func (b *Batch) PutIntent(i Intent) uint64 {
	if i.ID == 0 {
		var err error
		i.ID, err = b.a.drawIntent()
		b.fail("number an intent", err)
	}
	b.key = seqKey(b.key[:0], b.a.id, famIntent, i.ID)
	b.put(b.key, func(dst []byte) []byte {
		return pack.Bytes(pack.Uint(pack.Uint(pack.Array(dst, 3), intentFormat), i.Kind), i.Payload)
	}, func(p []byte) error { _, err := decodeIntent(p); return err })
	return i.ID
}

func (a *Account) drawIntent() (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.counters()
	a.nextIntent++
	return a.nextIntent - 1, err
}

// DeleteIntent removes an intent.
func (b *Batch) DeleteIntent(id uint64) {
	b.key = seqKey(b.key[:0], b.a.id, famIntent, id)
	b.fail("write", b.b.Delete(b.key, nil))
}

// Commit makes the batch true, as a whole or not at all, and uses it up. With
// sync it is durable when Commit returns, and so is every batch committed before.
func (b *Batch) Commit(sync bool) error {
	if b.b == nil {
		return fmt.Errorf("commit: the batch is used up")
	}
	a := b.a
	a.mu.Lock()
	defer a.mu.Unlock()
	event, report := b.appendLog()
	if b.err != nil {
		b.Discard()
		return fmt.Errorf("commit: %w", b.err)
	}
	p, roused := b.b, func() {}
	b.b = nil
	if !p.Empty() && b.meta == nil {
		roused = a.rouse(p)
	}
	changes := !p.Empty()
	if err := a.db.commit(p, sync); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	a.nextEvent, a.nextReport = event, report
	a.rested = a.rested && !changes
	roused()
	if b.meta != nil {
		a.meta, a.encoded = b.meta, b.enc
	}
	return nil
}
