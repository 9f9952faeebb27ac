package recorder

import (
	"bytes"
	"errors"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// describeChunk is how many messages are described at a time.
const describeChunk = 1000

// list is what the listing of one mailbox says, compared with the log.
type list struct {
	new     []int   // indexes that the log does not have
	news    []*news // the same, described
	moved   []moved // known, with another UID or handle
	missed  bool    // a new one vanished or could not be read: look again
	doubted []string
	noted   []logdb.Note
	zero    bool // some message has no UID
}

// news is a new message in a listing, and what it was taken for.
type news struct {
	store.Message
	hash uint64
	kind kind
	rec  *logdb.Record // of flags, move, adopt: the message; of copied: the original
}

type kind int

const (
	isNew   kind = iota // Deliver or Found
	isFlags             // known here, with other flags or keywords
	isMove              // known and gone elsewhere
	isCopy              // another message of its GUID lives
	isBack              // known and not held: it is held again
	isLater             // in doubt: left for the next look
)

// moved is a known message of which something else than flags may have changed.
type moved struct {
	id     changelog.Dot
	uid    store.UID
	guid   store.GUID
	handle store.Handle
}

// listAll lists the mailboxes that changed and compares them with the log.
func (s *scan) listAll() error {
	for _, o := range s.obs {
		if !o.changed {
			continue
		}
		err := s.listOne(o)
		if err == nil {
			continue
		}
		if errors.Is(err, store.ErrGone) || s.ctx.Err() != nil || !storeTrouble(err) {
			return err
		}
		s.stable, o.snap = false, nil
		s.doubt(o.Name)
		if !errors.Is(err, store.ErrNoMailbox) {
			s.look.Skipped = append(s.look.Skipped, store.Skip{Mailbox: o.Name, Err: err})
		}
	}
	for _, v := range s.vanished {
		if v.box == nil {
			continue
		}
		err := s.names(v.box.GUID, func(_ uint64, id changelog.Dot) { s.gone[id] = &origin{van: v} })
		if err != nil {
			return err
		}
	}
	return nil
}

// storeTrouble tells trouble with one mailbox from trouble with the log.
func storeTrouble(err error) bool {
	var ce *changelog.CorruptError
	return !errors.As(err, &ce) && !errors.Is(err, logdb.ErrDead)
}

func (s *scan) names(g store.MailboxGUID, f func(hash uint64, id changelog.Dot)) error {
	ns, err := s.r.acc.Names(g)
	if err != nil {
		return err
	}
	for ns.Next() {
		f(ns.Hash(), ns.ID())
	}
	return ns.Close()
}

// listOne joins the listing and the log's names, both in the order of hashes.
func (s *scan) listOne(o *observed) error {
	var since store.Fingerprint
	if o.box != nil && !s.full {
		since = o.box.UIDPrint
	}
	snap, err := s.r.st.Scan(s.ctx, o.Name, since)
	if err != nil {
		return err
	}
	o.snap, o.status, o.look = snap, snap.Status(), snap.Look()
	o.list = list{}
	if !snap.Stable() {
		s.stable = false
		s.doubt(o.Name)
	}
	hs := make([]hashed, snap.Len())
	for i := range hs {
		hs[i] = hashed{snap.Hash(i), int32(i)}
	}
	hs = inOrder(hs)
	s.look.Compared += int64(len(hs))
	if o.box == nil {
		for i := range hs {
			o.new = append(o.new, i)
		}
		return nil
	}
	again := s.full || since == nil || !snap.UIDsStand() || o.status.UIDValidity != o.box.Status.UIDValidity
	var same []pair
	k := 0
	err = s.names(o.box.GUID, func(hash uint64, id changelog.Dot) {
		for ; k < len(hs) && hs[k].hash < hash; k++ {
			o.new = append(o.new, int(hs[k].i))
		}
		if k == len(hs) || hs[k].hash > hash {
			s.gone[id] = &origin{obs: o}
			return
		}
		if again {
			same = append(same, pair{int(hs[k].i), id})
		}
		k++
	})
	if err != nil {
		return err
	}
	for ; k < len(hs); k++ {
		o.new = append(o.new, int(hs[k].i))
	}
	slices.Sort(o.new) // described in the order of the listing
	return s.compareUIDs(o, same)
}

type pair struct {
	i  int
	id changelog.Dot
}

// compareUIDs describes what the log knows by the same hash, without opening
// anything, and notes what differs.
func (s *scan) compareUIDs(o *observed, same []pair) error {
	for chunk := range slices.Chunk(same, describeChunk) {
		idx := make([]int, len(chunk))
		for k, p := range chunk {
			idx[k] = p.i
		}
		ms, err := o.snap.DescribeUIDs(idx)
		if err != nil {
			return err
		}
		ids := make([]changelog.Dot, len(chunk))
		by := make(map[changelog.Dot]*store.Message, len(chunk))
		for k, p := range chunk {
			ids[k] = p.id
			by[p.id] = &ms[k]
		}
		err = s.r.acc.Records(ids, func(id changelog.Dot, r *logdb.Record) error {
			m := by[id]
			o.zero = o.zero || m.UID == 0
			if r == nil {
				return nil
			}
			if guid := boundGUID(r, m); r.UID != m.UID || r.Handle != m.Handle || r.Content.GUID != guid {
				o.moved = append(o.moved, moved{id, m.UID, guid, m.Handle})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// boundGUID is the GUID of a known message: the store's if it stands there with a
// UID; until then the log's, which is written with the UID that it will get.
func boundGUID(r *logdb.Record, m *store.Message) store.GUID {
	if m.UID == 0 {
		return r.Content.GUID
	}
	return m.Content.GUID
}

// describe calls f with the messages at the indexes and their hashes. What
// vanished or cannot be read is left out and noted; the store is asked once even if
// there are none, for what it left out of its listing.
func (s *scan) describe(o *observed, idx []int, f func(store.Message, uint64) error) error {
	for at := 0; at == 0 || at < len(idx); at += describeChunk {
		chunk := idx[at:min(at+describeChunk, len(idx))]
		ms, skips, err := o.snap.Describe(s.ctx, chunk)
		if err != nil {
			return err
		}
		for _, k := range skips {
			if !errors.Is(k.Err, store.ErrIgnored) {
				o.noted = append(o.noted, logdb.Note{Item: k.Item, Reason: k.Err.Error()})
			}
			s.look.Skipped = append(s.look.Skipped, k)
		}
		hash := func(k int) uint64 { return o.snap.Hash(chunk[k]) }
		if len(ms) < len(chunk) {
			if hash, err = s.leftOut(o, chunk, ms); err != nil {
				return err
			}
		}
		for k, m := range ms {
			if err := f(m, hash(k)); err != nil {
				return err
			}
		}
	}
	return nil
}

// leftOut finds out which of the described messages is which, and notes the keys
// of those that Describe left out: they may be known by another hash.
func (s *scan) leftOut(o *observed, chunk []int, ms []store.Message) (func(int) uint64, error) {
	all, err := o.snap.DescribeUIDs(chunk)
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(all))
	for k := range all {
		at[all[k].Key] = chunk[k]
	}
	hashes := make([]uint64, len(ms))
	for k := range ms {
		hashes[k] = o.snap.Hash(at[ms[k].Key])
		delete(at, ms[k].Key)
	}
	for key := range at {
		o.doubted = append(o.doubted, key)
	}
	slices.Sort(o.doubted)
	o.missed = true
	return func(k int) uint64 { return hashes[k] }, nil
}

// recheck describes what is new and, if something is gone, makes sure that
// nothing changed while the mailboxes were listed.
func (s *scan) recheck() error {
	if s.bulk {
		return nil
	}
	for _, o := range s.obs {
		if o.snap == nil {
			continue
		}
		o.news = make([]*news, 0, len(o.new))
		err := s.describe(o, o.new, func(m store.Message, hash uint64) error {
			o.news = append(o.news, &news{Message: m, hash: hash})
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(s.gone) == 0 || !s.stable {
		return nil
	}
	look, err := s.r.st.TreeLook(s.ctx)
	if err != nil {
		return err
	}
	s.stable = bytes.Equal(look.Print, s.treeLook.Print)
	for _, o := range s.obs {
		if o.NoSelect {
			continue
		}
		look, err := s.r.st.MailboxLook(s.ctx, o.Name)
		if errors.Is(err, store.ErrGone) {
			return err
		}
		if err != nil || !bytes.Equal(look.Print, o.look.Print) {
			s.stable = false
			s.doubt(o.Name)
			o.missed = true
		}
	}
	return nil
}
