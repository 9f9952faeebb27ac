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
	// at the last look.
	ShownFlags    store.Flags
	ShownKeywords []string // by store.FoldKeyword
	// Unshown are keywords that count as shown, though the mailbox has no room for
	// them (conflicts.md 9): that the store lacks them is nobody's change. By
	// store.FoldKeyword, none of which is in ShownKeywords.
	Unshown []string
}

// Counted are the keywords that the message has in the store, shown or not, by
// store.FoldKeyword. They may share memory with the record.
func (r *Record) Counted() []string {
	if len(r.Unshown) == 0 {
		return r.ShownKeywords
	}
	return store.SortKeywords(slices.Concat(r.ShownKeywords, r.Unshown))
}

// Show notes the keywords that the message has in the store; those among unshown
// are not shown.
func (r *Record) Show(keywords, unshown []string) {
	r.ShownKeywords, r.Unshown = keywords, nil
	if len(unshown) == 0 {
		return
	}
	r.ShownKeywords = nil
	for _, k := range keywords {
		if slices.ContainsFunc(unshown, func(x string) bool { return store.FoldKeyword(x) == store.FoldKeyword(k) }) {
			r.Unshown = append(r.Unshown, k)
		} else {
			r.ShownKeywords = append(r.ShownKeywords, k)
		}
	}
}

// Unhold says that the store does not hold the message.
func (r *Record) Unhold() {
	r.Mailbox, r.Handle, r.Hash, r.Inode = store.MailboxGUID{}, "", 0, 0
	r.ShownFlags, r.ShownKeywords, r.Unshown = 0, nil, nil
}

// Clone copies the record; the copy shares no slice with it.
func (r *Record) Clone() *Record {
	c := *r
	c.Message = *r.Message.Clone()
	c.ShownKeywords, c.Unshown = slices.Clone(r.ShownKeywords), slices.Clone(r.Unshown)
	return &c
}

// Digest is what a held record adds to the digest of its mailbox: what the store
// shows of it.
func (r *Record) Digest() changelog.Digest {
	return changelog.MessageDigest(r.UID, r.Content.GUID, r.Content.Size, r.ShownFlags, r.Counted(), r.Received)
}

// maxHandle is the most bytes of a handle. Handles are file names in practice.
const maxHandle = 1 << 13

// The format of a record with keywords that are not shown is the next one.
const recordFormat = 1

// appendRecord writes [format, mailbox, handle, hash, modseq, inode, flags,
// keywords], in format 2 keywords not shown too, and then the message. The handle is
// a list of one string, or of what stands before and after the GUID within it, which
// on a Maildir it repeats.
func appendRecord(dst []byte, r *Record) []byte {
	if len(r.Unshown) == 0 {
		dst = pack.Uint(pack.Array(dst, 8), recordFormat)
	} else {
		dst = pack.Uint(pack.Array(dst, 9), recordFormat+1)
	}
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
	dst = appendKeywords(dst, r.ShownKeywords)
	if len(r.Unshown) > 0 {
		dst = appendKeywords(dst, r.Unshown)
	}
	return changelog.AppendMessage(dst, &r.Message)
}

func appendKeywords(dst []byte, ks []string) []byte {
	dst = pack.Array(dst, len(ks))
	for _, k := range ks {
		dst = pack.String(dst, k)
	}
	return dst
}

func decodeKeywords(p *pack.Reader) (ks []string) {
	for range p.Array(store.MaxKeywords, 1) {
		ks = append(ks, string(p.Raw(store.MaxKeyword)))
	}
	return ks
}

func decodeRecord(b []byte) (*Record, error) {
	p := pack.New(b, "message record")
	fields := p.Array(9, 1)
	if p.OK() && fields != 8 && fields != 9 {
		p.Fail("%d fields, want 8 or 9", fields)
	}
	p.Version(recordFormat + uint64(max(fields, 8)-8))
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
	rec.ShownKeywords = decodeKeywords(&p)
	if fields == 9 {
		rec.Unshown = decodeKeywords(&p)
		if p.OK() && len(rec.Unshown) == 0 {
			p.Fail("no keyword that is not shown")
		}
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
