package logdb

import (
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/store"
)

// Record is a message with where this store holds it.
type Record struct {
	changelog.Message
	// Mailbox is the node in which the store holds the message; zero: the store
	// holds none (a tombstone, or mail not fetched yet). A held record stands in
	// Names and MailboxRecords.
	Mailbox store.MailboxGUID
	Handle  store.Handle // as last seen in the store
	Hash    uint64       // Snapshot.Hash of the handle
	ModSeq  store.ModSeq // of the message's last change
	Inode   uint64       // 0: none
	// ShownFlags and ShownKeywords are what the store showed, or was made to show,
	// at the last look; the registers may say more (a 27th keyword).
	ShownFlags    store.Flags
	ShownKeywords []string // by store.FoldKeyword
}

// Clone copies the record; the copy shares no slice with it.
func (r *Record) Clone() *Record {
	c := *r
	c.Message = *r.Message.Clone()
	c.ShownKeywords = slices.Clone(r.ShownKeywords)
	return &c
}

// maxHandle is the most bytes of a handle. Handles are file names in practice.
const maxHandle = 1 << 13

const recordFormat = 1

// appendRecord writes [format, mailbox, handle, hash, modseq, inode, flags,
// keywords] and then the message. The handle is a list of one string, or of what stands before and after
// the GUID within it, which on a Maildir it repeats.
func appendRecord(dst []byte, r *Record) []byte {
	dst = pack.Uint(pack.Array(dst, 8), recordFormat)
	place, live := r.Place()
	switch {
	case live && place == r.Mailbox:
		dst = pack.Bool(dst, true)
	default:
		dst = pack.FixedOrNone(dst, r.Mailbox[:])
	}
	i := -1
	if r.Content.GUID != "" {
		i = strings.Index(string(r.Handle), string(r.Content.GUID))
	}
	if i < 0 {
		dst = pack.String(pack.Array(dst, 1), r.Handle)
	} else {
		dst = pack.String(pack.Array(dst, 2), r.Handle[:i])
		dst = pack.String(dst, r.Handle[i+len(r.Content.GUID):])
	}
	dst = pack.Uint(dst, r.Hash)
	dst = pack.Uint(dst, uint64(r.ModSeq))
	dst = pack.Uint(dst, r.Inode)
	dst = pack.Uint(dst, uint64(r.ShownFlags))
	dst = pack.Array(dst, len(r.ShownKeywords))
	for _, k := range r.ShownKeywords {
		dst = pack.String(dst, k)
	}
	return changelog.AppendMessage(dst, &r.Message)
}

func decodeRecord(b []byte) (*Record, error) {
	p := pack.New(b, "message record")
	p.Fields(8)
	p.Version(recordFormat)
	rec := &Record{}
	same := p.IsBool()
	if same {
		if !p.Bool() {
			p.Fail("mailbox is no boolean but true")
		}
	} else {
		p.FixedOrNone(rec.Mailbox[:])
	}
	n := p.Array(2, 1)
	if p.OK() && n == 0 {
		p.Fail("a handle of no parts")
	}
	before := p.Raw(maxHandle)
	var rest []byte
	if n == 2 {
		rest = p.Raw(maxHandle)
	}
	rec.Hash = p.Uint64()
	rec.ModSeq = store.ModSeq(p.Uint64())
	rec.Inode = p.Uint64()
	flags := p.Uint64()
	if flags > uint64(store.AllFlags) {
		p.Fail("unknown flags")
	}
	rec.ShownFlags = store.Flags(flags)
	for range p.Array(store.MaxKeywords, 1) {
		rec.ShownKeywords = append(rec.ShownKeywords, string(p.Raw(store.MaxKeyword)))
	}
	body := p.Rest()
	if err := p.End(); err != nil {
		return nil, err
	}
	m, err := changelog.DecodeMessage(body)
	if err != nil {
		return nil, err
	}
	rec.Message = *m
	if n == 2 {
		rec.Handle = store.Handle(string(before) + string(m.Content.GUID) + string(rest))
	} else {
		rec.Handle = store.Handle(before)
	}
	place, live := m.Place()
	if same {
		rec.Mailbox = place
	}
	first := strings.Index(string(rec.Handle), string(m.Content.GUID))
	if same && !live || !same && live && place == rec.Mailbox ||
		n == 1 && first >= 0 || n == 2 && first != len(before) {
		return nil, &changelog.CorruptError{What: "message record", Offset: -1, Reason: "not the one way to write it"}
	}
	return rec, nil
}

// check reports why the record cannot be stored.
func (r *Record) check() error {
	if len(r.Origins) == 0 || r.ID().Seq == 0 {
		return &changelog.CorruptError{What: "message record", Offset: -1, Reason: "no origin"}
	}
	return nil
}

// keys calls f with every index key of the record, ascending. The slice is reused.
func (r *Record) keys(a changelog.ReplicaID, buf []byte, f func(key []byte)) error {
	id := r.ID()
	buf = guidKey(buf[:0], a, r.Content.GUID, id)
	f(buf)
	if !r.Mailbox.IsZero() {
		buf = nameKey(buf[:0], a, r.Mailbox, r.Hash, id)
		f(buf)
	}
	if !r.onlyOwnDot(id) {
		return mentions(a, EntryRef{Kind: RefMessage, Message: id}, r.Message.Mentions(), r.origin, f)
	}
	return nil
}

// onlyOwnDot reports whether the record mentions no other dot than its own.
func (r *Record) onlyOwnDot(id changelog.Dot) bool {
	if !r.Past.Empty() {
		return false
	}
	only := true
	r.EachLive(func(d changelog.Dot) { only = only && d == id })
	return only
}

func (r *Record) origin(d changelog.Dot) bool {
	return slices.ContainsFunc(r.Origins, func(w changelog.Write) bool { return w.Dot == d })
}

// MaxMentions is how many dots one entry may mention.
const MaxMentions = 1 << 20

// mentions calls f with the index keys of an entry that mentions the dots: all
// but, of a message, its own identity.
func mentions(a changelog.ReplicaID, e EntryRef, dots changelog.Dots, origin func(changelog.Dot) bool, f func([]byte)) error {
	total := uint64(0)
	for _, p := range dots.Replicas() {
		for _, r := range p.Ranges {
			if n := r.Hi - r.Lo; n >= MaxMentions || total+n >= MaxMentions {
				return &changelog.CorruptError{What: e.String(), Offset: -1, Reason: "mentions too many changes"}
			}
			total += r.Hi - r.Lo + 1
		}
	}
	var buf []byte
	kind := e.Kind
	dots.Each(func(d changelog.Dot) bool {
		if kind == RefMessage && d == e.Message {
			return true
		}
		e.Kind = kind
		if origin != nil && origin(d) {
			e.Kind = refOrigin
		}
		buf = mentionKey(buf[:0], a, d, e)
		f(buf)
		return true
	})
	return nil
}
