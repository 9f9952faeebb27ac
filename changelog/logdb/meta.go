package logdb

import (
	"math"
	"slices"

	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/store"
)

// Meta is what the log knows of the account as a whole.
type Meta struct {
	Replica changelog.Replica // its identity names the account in the database
	Seq     uint64            // of the last dot handed out in this epoch
	Clock   changelog.Clock
	Seen    changelog.Seen
	Tags    []changelog.Position // own positions as handed out; newest last; at most MaxTags

	TreeLook store.Look // of the listing below
	Tree     []Listed   // the tree as the store last showed it, in the caller's order; replaced, never changed

	MarkCounter uint64 // of the mark in the store
	HighestMod  store.ModSeq
	LastLook    int64  // µs since 1970; 0: never
	Location    string // as the store names itself
	Identity    string // of the store's place
	Digest      changelog.Digest
	Flags       uint64 // for the recorder to use
	Peers       []Peer // by replica
	Rest        *Rest  // nil: not at rest
}

// Limits on the parts of Meta, Box and the tables of the database.
const (
	MaxTags     = 1 << 12
	MaxListed   = 1 << 17
	MaxPeers    = 1 << 12
	MaxLocation = 1 << 13 // bytes of a location or identity
	MaxPrint    = 1 << 16 // bytes of a fingerprint
	MaxNotes    = 1 << 12 // notes of one mailbox
	MaxNote     = 1 << 12 // bytes of a note's parts; longer ones are cut
	MaxState    = 1 << 16 // bytes of a state string
)

// Listed is one line of the tree as the store last showed it.
type Listed struct {
	Path     store.Name
	Node     store.MailboxGUID // the node that it was taken for
	NoSelect bool
	Dir      string // store.MailboxInfo.Dir
}

// Peer is what is known of another replica.
type Peer struct {
	Replica changelog.Replica
	Seen    changelog.Dots
	LastMet int64 // µs since 1970
}

// Clone copies the value; the copy shares Tree alone, which nobody changes.
func (m *Meta) Clone() Meta {
	c := *m
	c.Seen = m.Seen.Clone()
	c.Tags = slices.Clone(m.Tags)
	c.Peers = slices.Clone(m.Peers)
	for i := range c.Peers {
		c.Peers[i].Seen = c.Peers[i].Seen.Clone()
	}
	c.TreeLook.Print = slices.Clone(m.TreeLook.Print)
	return c
}

// sameListing reports whether two listings are one slice.
func sameListing(a, b []Listed) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

const (
	metaFormat    = 1
	restFormat    = 2 // of Meta with Rest
	listingFormat = 1
	peersFormat   = 1
)

// appendMeta writes all of Meta but Tree and Peers, which are values of their own
// because they are large and seldom change.
func appendMeta(dst []byte, m *Meta) []byte {
	format := metaFormat
	if m.Rest != nil {
		format = restFormat
	}
	dst = pack.Uint(pack.Array(dst, 18), format)
	dst = pack.Uint(pack.Uint(dst, uint64(m.Replica.ID)), m.Replica.Epoch)
	dst = pack.Uint(dst, m.Seq)
	dst = pack.Uint(pack.Int(dst, m.Clock.Last.Time), m.Clock.Last.Count)
	dst = pack.Bytes(dst, changelog.AppendSeen(nil, &m.Seen))
	dst = pack.Array(dst, 2*len(m.Tags))
	for _, t := range m.Tags {
		dst = pack.Uint(pack.Uint(dst, t.Seq), uint64(t.Tag))
	}
	dst = pack.Bool(pack.Bytes(dst, m.TreeLook.Print), m.TreeLook.Racy)
	dst = pack.Uint(pack.Uint(dst, m.MarkCounter), uint64(m.HighestMod))
	dst = pack.Int(dst, m.LastLook)
	dst = pack.String(pack.String(dst, m.Location), m.Identity)
	dst = pack.FixedOrNone(dst, m.Digest[:])
	dst = pack.Uint(dst, m.Flags)
	if m.Rest != nil {
		return appendRest(dst, m.Rest)
	}
	return pack.Array(dst, 0) // room for what comes later
}

func decodeMeta(b []byte) (*Meta, error) {
	r := pack.New(b, "account")
	r.Fields(18)
	format := r.Uint(restFormat)
	if r.OK() && format == 0 {
		r.Fail("format 0, want 1 or %d", restFormat)
	}
	m := &Meta{}
	m.Replica = changelog.Replica{ID: changelog.ReplicaID(r.Uint64()), Epoch: r.Uint32()}
	m.Seq = r.Uint64()
	m.Clock.Last = changelog.Stamp{Time: r.Int(), Count: r.Uint32()}
	seen := r.Bytes(MaxValue)
	if n := tuples(&r, 2, MaxTags); n > 0 {
		m.Tags = make([]changelog.Position, n)
	}
	for i := range m.Tags {
		m.Tags[i] = changelog.Position{Seq: r.Uint64(), Tag: changelog.Tag(r.Uint64())}
	}
	m.TreeLook = readLook(&r)
	m.MarkCounter, m.HighestMod = r.Uint64(), store.ModSeq(r.Uint64())
	m.LastLook = r.Int()
	m.Location, m.Identity = r.String(MaxLocation), r.String(MaxLocation)
	r.FixedOrNone(m.Digest[:])
	m.Flags = r.Uint64()
	if format == restFormat {
		m.Rest = readRest(&r)
	} else {
		r.Array(0, 1)
	}
	if m.Replica.ID == 0 {
		r.Fail("no replica")
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	var err error
	if m.Seen, err = changelog.DecodeSeen(seen); err != nil {
		return nil, err
	}
	return m, nil
}

func readLook(r *pack.Reader) store.Look {
	l := store.Look{}
	if p := r.Bytes(MaxPrint); len(p) > 0 {
		l.Print = slices.Clone(p)
	}
	l.Racy = r.Bool()
	return l
}

func tuples(r *pack.Reader, k, limit int) int {
	n := r.Array(k*limit, 1)
	if n%k != 0 {
		r.Fail("%d elements, want a multiple of %d", n, k)
		return 0
	}
	return n / k
}

func appendListing(dst []byte, ls []Listed) []byte {
	dst = pack.Array(pack.Uint(pack.Array(dst, 2), listingFormat), 4*len(ls))
	for i := range ls {
		l := &ls[i]
		dst = pack.FixedOrNone(pack.String(dst, l.Path), l.Node[:])
		dst = pack.String(pack.Bool(dst, l.NoSelect), l.Dir)
	}
	return dst
}

func decodeListing(b []byte) ([]Listed, error) {
	r := pack.New(b, "listing of mailboxes")
	r.Fields(2)
	r.Version(listingFormat)
	var ls []Listed
	for range tuples(&r, 4, MaxListed) {
		l := Listed{Path: store.Name(r.String(changelog.MaxPath))}
		r.FixedOrNone(l.Node[:])
		l.NoSelect, l.Dir = r.Bool(), r.String(MaxLocation)
		if !r.OK() {
			break
		}
		ls = append(ls, l)
	}
	return ls, r.End()
}

func appendPeers(dst []byte, ps []Peer) []byte {
	dst = pack.Array(pack.Uint(pack.Array(dst, 2), peersFormat), 4*len(ps))
	for i := range ps {
		p := &ps[i]
		dst = pack.Uint(pack.Uint(dst, uint64(p.Replica.ID)), p.Replica.Epoch)
		dst = pack.Int(pack.Bytes(dst, changelog.AppendDots(nil, &p.Seen)), p.LastMet)
	}
	return dst
}

func decodePeers(b []byte) ([]Peer, error) {
	r := pack.New(b, "peers")
	r.Fields(2)
	r.Version(peersFormat)
	var ps []Peer
	for i := range tuples(&r, 4, MaxPeers) {
		p := Peer{Replica: changelog.Replica{ID: changelog.ReplicaID(r.Uint64()), Epoch: r.Uint32()}}
		seen := r.Bytes(math.MaxInt32)
		p.LastMet = r.Int()
		if r.OK() && i > 0 && ps[i-1].Replica.Compare(p.Replica) >= 0 {
			r.Fail("peers out of order")
		}
		if !r.OK() {
			break
		}
		var err error
		if p.Seen, err = changelog.DecodeDots(seen); err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, r.End()
}
