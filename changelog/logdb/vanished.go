package logdb

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/store"
)

// UIDRange is the UIDs from Lo to Hi, both included.
type UIDRange struct{ Lo, Hi store.UID }

// The list of what vanished is kept, under any GUID of the node, as long as a node of
// the tree has the UIDVALIDITY under which it vanished; a tombstone too, for the merge
// may bring the mailbox back. Trim puts a floor, a key of UID 0, in the place of what
// it removes: so the highest modseq of the list never falls.

// vanishedFormat 1 was the last UID alone.
const vanishedFormat = 2

// vanishedAt reads a key of the list.
func vanishedAt(key []byte) (g store.MailboxGUID, m store.ModSeq, lo store.UID, err error) {
	if len(key) != prefixLen+guidLen+12 {
		return g, 0, 0, damaged(key, "a key of %d bytes", len(key))
	}
	copy(g[:], key[prefixLen:])
	rest := key[prefixLen+guidLen:]
	return g, store.ModSeq(binary.BigEndian.Uint64(rest)), store.UID(binary.BigEndian.Uint32(rest[8:])), nil
}

// decodeVanished gives the last UID of a range and when it was written, in µs since
// 1970; 0: not known.
func decodeVanished(p []byte) (hi store.UID, at int64, err error) {
	r := pack.New(p, "vanished UIDs")
	if !r.IsArray() {
		return store.UID(r.Uint32()), 0, r.End()
	}
	r.Fields(3)
	r.Version(vanishedFormat)
	hi, at = store.UID(r.Uint32()), r.Int()
	return hi, at, r.End()
}

func appendVanished(dst []byte, hi store.UID, at int64) []byte {
	return pack.Int(pack.Uint(pack.Uint(pack.Array(dst, 3), vanishedFormat), hi), at)
}

// AddVanished notes that UIDs of a mailbox vanished at a modseq: expunged, moved
// away, renumbered, or gone with the mailbox. UIDs in any order; at is the time of
// writing, in µs since 1970, by which Trim goes.
func (b *Batch) AddVanished(at int64, g store.MailboxGUID, m store.ModSeq, uids []store.UID) {
	uids = slices.Clone(uids)
	slices.Sort(uids)
	for i := 0; i < len(uids); {
		j := i + 1
		for j < len(uids) && uids[j] <= uids[j-1]+1 {
			j++
		}
		b.key = vanishedKey(b.key[:0], b.a.id, g, m, uids[i])
		b.put(b.key, func(dst []byte) []byte { return appendVanished(dst, uids[j-1], at) },
			func(p []byte) error { _, _, err := decodeVanished(p); return err })
		i = j
	}
}

// DropVanished forgets what vanished from a mailbox, unless the node that it is now
// or has become part of (nil: none) has its UIDVALIDITY.
func (b *Batch) DropVanished(old, new *changelog.Node) {
	if old.UIDValidity == 0 || new != nil && new.UIDValidity == old.UIDValidity {
		return
	}
	for _, g := range old.GUIDs {
		p := nodeKey(nil, b.a.id, famVanished, g)
		b.fail("write", b.b.DeleteRange(p, after(p), nil))
	}
}

// vanished calls f with the ranges of a mailbox at a modseq above since. A range
// from UID 0 is the floor.
func (a *Account) vanished(g store.MailboxGUID, since store.ModSeq, f func(r UIDRange)) error {
	if since == ^store.ModSeq(0) {
		return nil
	}
	p := nodeKey(nil, a.id, famVanished, g)
	return a.db.scan(vanishedKey(nil, a.id, g, since+1, 0), after(p), func(key, val []byte) error {
		_, _, lo, err := vanishedAt(key)
		if err != nil {
			return err
		}
		payload, err := unframe(key, val)
		if err != nil {
			return err
		}
		hi, _, err := decodeVanished(payload)
		if err != nil {
			return within(key, err)
		}
		if hi < lo {
			return damaged(key, "ends before it begins")
		}
		f(UIDRange{lo, hi})
		return nil
	})
}

// Vanished gives the UIDs that vanished at a modseq above since from the mailbox
// that goes by the GUIDs, as ascending ranges that neither overlap nor touch. One of
// them may be in use again if its message came back. whole is false if Trim has
// removed some.
func (a *Account) Vanished(gs []store.MailboxGUID, since store.ModSeq) (out []UIDRange, whole bool, err error) {
	var all []UIDRange
	whole = true
	for _, g := range gs {
		err = a.vanished(g, since, func(r UIDRange) {
			if r.Lo == 0 {
				whole = false
				return
			}
			all = append(all, r)
		})
		if err != nil {
			return nil, false, err
		}
	}
	slices.SortFunc(all, func(x, y UIDRange) int { return cmp.Compare(x.Lo, y.Lo) })
	for _, g := range all {
		if k := len(out) - 1; k >= 0 && uint64(g.Lo) <= uint64(out[k].Hi)+1 {
			out[k].Hi = max(out[k].Hi, g.Hi)
		} else {
			out = append(out, g)
		}
	}
	return out, whole, nil
}

// LastVanished gives the modseq at which UIDs last vanished from the mailbox that
// goes by the GUIDs; 0 if none did. It never falls under one UIDVALIDITY.
func (a *Account) LastVanished(gs []store.MailboxGUID) (last store.ModSeq, err error) {
	for _, g := range gs {
		m, err := a.lastVanished(g)
		if err != nil {
			return 0, err
		}
		last = max(last, m)
	}
	return last, nil
}

func (a *Account) lastVanished(g store.MailboxGUID) (store.ModSeq, error) {
	p := nodeKey(nil, a.id, famVanished, g)
	it, err := a.db.iter(p, after(p))
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return 0, it.Error()
	}
	_, m, _, err := vanishedAt(it.Key())
	return m, err
}

// vanishedCut is what Trim removes of one mailbox: up to the key to.
type vanishedCut struct {
	g   store.MailboxGUID
	to  []byte
	mod store.ModSeq
	at  int64
	n   uint64 // ranges
}

// cutVanished finds how far each mailbox's list is to be cut: the oldest of all, by
// modseq, until no more than maxBytes of keys and values stay (0: no limit), and of
// each mailbox what was written before olderThan.
func (a *Account) cutVanished(olderThan int64, maxBytes uint64, bytes *uint64) (cuts []vanishedCut, err error) {
	below, err := a.vanishedBelow(maxBytes)
	if err != nil {
		return nil, err
	}
	p := prefix(nil, a.id, famVanished)
	var c vanishedCut
	kept := false // what comes later in this mailbox stays
	end := func() {
		if c.n > 0 {
			cuts = append(cuts, c)
		}
		c, kept = vanishedCut{}, false
	}
	err = a.db.scan(p, after(p), func(key, val []byte) error {
		g, m, lo, err := vanishedAt(key)
		if err != nil {
			return err
		}
		if g != c.g {
			end()
			c.g = g
		}
		payload, err := unframe(key, val)
		if err != nil {
			return err
		}
		_, at, err := decodeVanished(payload)
		if err != nil {
			return within(key, err)
		}
		if kept = kept || lo != 0 && at >= olderThan && m >= below; kept || lo == 0 {
			return nil
		}
		c.to, c.mod, c.at = append(c.to[:0], key...), m, max(c.at, at)
		c.n++
		*bytes += uint64(len(key) + len(val))
		return nil
	})
	end()
	return cuts, err
}

// vanishedBelow gives the modseq below which ranges are to go for their size, to
// within a thousandth of the modseqs that there are: so that it takes no memory.
func (a *Account) vanishedBelow(maxBytes uint64) (store.ModSeq, error) {
	if maxBytes == 0 {
		return 0, nil
	}
	var sizes [1024]uint64
	width := a.meta.HighestMod/store.ModSeq(len(sizes)) + 1
	p := prefix(nil, a.id, famVanished)
	err := a.db.scan(p, after(p), func(key, val []byte) error {
		_, m, lo, err := vanishedAt(key)
		if err == nil && lo != 0 {
			sizes[min(m/width, store.ModSeq(len(sizes)-1))] += uint64(len(key) + len(val))
		}
		return err
	})
	total := uint64(0)
	for i := len(sizes) - 1; i >= 0; i-- {
		if total += sizes[i]; total > maxBytes {
			if i == len(sizes)-1 {
				return ^store.ModSeq(0), err
			}
			return store.ModSeq(i+1) * width, err
		}
	}
	return 0, err
}

// apply removes a cut's ranges and leaves the floor.
func (c *vanishedCut) apply(b *pebble.Batch, id changelog.ReplicaID) {
	b.DeleteRange(nodeKey(nil, id, famVanished, c.g), append(c.to, 0), nil)
	put(b, vanishedKey(nil, id, c.g, c.mod, 0), func(dst []byte) []byte { return appendVanished(dst, 0, c.at) })
}
