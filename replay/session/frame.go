package session

import (
	"cmp"
	"fmt"

	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/replay"
	"dsync/store"
)

// Version of the frames. Ends of different versions do not talk.
const Version = 1

// Kind numbers the frames.
type Kind uint8

// The kinds, in the order in which a session sends them.
const (
	KindHello Kind = iota + 1
	KindRange
	KindDelta
	KindMore
	KindHashes
	KindPlan
	KindReady
	KindFed
	KindReport
	KindLock // before hello, between two processes
)

// Frame is one message between two ends. Only the fields of its kind are set.
type Frame struct {
	Kind   Kind
	Hello  *Hello
	Range  *Range
	Delta  *Delta
	More   *More
	Hashes []HeaderHash
	Plan   *Plan
	Report *Report
	Lock   *Lock
}

// Hello is how an end introduces itself.
type Hello struct {
	Version  uint64
	Replica  changelog.Replica
	Seq      uint64 // last dot handed out
	Position changelog.Position
	Clock    changelog.Stamp
	Now      int64 // µs since 1970
	Seen     changelog.Seen
	Digest   changelog.Digest
	// Run is the run's options as text; both ends must have the same.
	Run string
	// Whole: this end wants a full comparison.
	Whole bool
	// Source: this end is the source of a run in one direction.
	Source bool
	// Claim is where the other end stood after the last run, says the state that this
	// end was given; nil: there is none.
	Claim *changelog.Side
}

// Key is the order in which a large run goes through the messages: by the path
// that shows them, then by GUID. The zero Key is the end.
type Key struct {
	Path store.Name
	GUID store.GUID
}

// Compare orders keys.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Path, o.Path), cmp.Compare(k.GUID, o.GUID))
}

// Range is how far an end would like to come in this part of the run.
type Range struct {
	Many bool // there is more than one part holds
	Upto Key  // zero: to the end
}

// Delta is what the other end has not seen.
type Delta struct {
	Tree     *changelog.Tree
	Messages []*changelog.Message
	Held     []Held
}

// Held says how many messages an end holds in a mailbox, and their digest.
type Held struct {
	Mailbox store.MailboxGUID
	Count   uint64
	Digest  changelog.Digest
}

// More are counterparts of what the other end sent.
type More struct{ Messages []*changelog.Message }

// HeaderHash gives the hash of a message's header.
type HeaderHash struct {
	ID   changelog.Dot
	Hash store.HeaderHash
}

// Plan is what an end came to.
type Plan struct {
	Hash  replay.Hash // of the merged result
	Needs bool        // this end will ask for bodies
	Still bool        // this end changes nothing in its store
}

// Report is what became of the plan at one end.
type Report struct {
	Failed   uint64
	Digest   changelog.Digest
	Position changelog.Position
	Seen     changelog.Seen // after the run, joins left out
}

// Limits on what comes from the other end. Taken apart a message, however short it
// came, is some 400 bytes, and a node too: so a frame is at most about 1 GB.
const (
	maxMessages = 1 << 21
	maxEntry    = 1 << 20
	maxNodes    = 1 << 20
	maxRun      = 1 << 16
)

// Encode writes a frame.
func (f *Frame) Encode() []byte {
	b := pack.Uint(pack.Array(nil, 2), uint64(f.Kind))
	switch f.Kind {
	case KindHello:
		h := f.Hello
		b = pack.Uint(pack.Array(b, 14), h.Version)
		b = pack.Uint(pack.Uint(b, uint64(h.Replica.ID)), uint64(h.Replica.Epoch))
		b = pack.Uint(pack.Uint(pack.Uint(b, h.Seq), h.Position.Seq), uint64(h.Position.Tag))
		b = pack.Uint(pack.Int(b, h.Clock.Time), uint64(h.Clock.Count))
		b = pack.Int(b, h.Now)
		b = pack.Bytes(b, changelog.AppendSeen(nil, &h.Seen))
		b = pack.Bytes(b, h.Digest[:])
		b = pack.String(b, h.Run)
		b = appendClaim(pack.Bool(pack.Bool(b, h.Whole), h.Source), h.Claim)
	case KindRange:
		b = pack.Bool(pack.Array(b, 3), f.Range.Many)
		b = pack.String(pack.String(b, f.Range.Upto.Path), f.Range.Upto.GUID)
	case KindDelta:
		b = f.Delta.encode(b)
	case KindMore:
		b = appendMessages(b, f.More.Messages)
	case KindHashes:
		b = pack.Array(b, 2*len(f.Hashes))
		for _, h := range f.Hashes {
			b = pack.Bytes(b, changelog.AppendDot(nil, h.ID))
			b = pack.Bytes(b, h.Hash[:])
		}
	case KindPlan:
		b = pack.Bytes(pack.Array(b, 3), f.Plan.Hash[:])
		b = pack.Bool(pack.Bool(b, f.Plan.Needs), f.Plan.Still)
	case KindLock:
		b = pack.String(pack.Uint(pack.Array(b, 2), uint64(f.Lock.Turn)), f.Lock.Place)
	case KindReport:
		r := f.Report
		b = pack.Uint(pack.Array(b, 5), r.Failed)
		b = pack.Bytes(b, r.Digest[:])
		b = pack.Uint(pack.Uint(b, r.Position.Seq), uint64(r.Position.Tag))
		b = pack.Bytes(b, changelog.AppendSeen(nil, &r.Seen))
	default:
		b = pack.Array(b, 0)
	}
	return b
}

func appendClaim(b []byte, c *changelog.Side) []byte {
	if c == nil {
		return pack.Array(b, 0)
	}
	b = pack.Uint(pack.Uint(pack.Array(b, 4), uint64(c.Replica.ID)), uint64(c.Replica.Epoch))
	return pack.Uint(pack.Uint(b, c.Seq), uint64(c.Tag))
}

func decodeClaim(r *pack.Reader) *changelog.Side {
	switch r.Array(4, 1) {
	case 0:
		return nil
	case 4:
		id := changelog.Replica{ID: changelog.ReplicaID(r.Uint64()), Epoch: r.Uint32()}
		return &changelog.Side{Replica: id, Position: changelog.Position{Seq: r.Uint64(), Tag: changelog.Tag(r.Uint64())}}
	}
	r.Fail("a claim has 4 fields")
	return nil
}

// kindOf gives the kind of an encoded frame; 0 if it is none.
func kindOf(b []byte) Kind {
	r := pack.New(b, "frame")
	if r.Fields(2); !r.OK() {
		return 0
	}
	return Kind(r.Uint(255))
}

func appendMessages(b []byte, ms []*changelog.Message) []byte {
	b = pack.Array(b, len(ms))
	var buf []byte
	for _, m := range ms {
		buf = changelog.AppendMessage(buf[:0], m)
		b = pack.Bytes(b, buf)
	}
	return b
}

func (d *Delta) encode(b []byte) []byte {
	b = pack.Array(b, 5)
	b = pack.Array(b, len(d.Tree.Nodes))
	for _, n := range d.Tree.Nodes {
		b = pack.Bytes(b, changelog.AppendNode(nil, n))
	}
	b = pack.Array(b, len(d.Tree.Bare))
	for _, x := range d.Tree.Bare {
		b = pack.Bytes(b, changelog.AppendBare(nil, x))
	}
	b = pack.Bytes(b, changelog.AppendUVs(nil, d.Tree.UVs))
	b = appendMessages(b, d.Messages)
	b = pack.Array(b, 3*len(d.Held))
	for _, h := range d.Held {
		b = pack.Uint(pack.Bytes(b, h.Mailbox[:]), h.Count)
		b = pack.Bytes(b, h.Digest[:])
	}
	return b
}

// Decode reads a frame that Encode wrote.
func Decode(b []byte) (*Frame, error) {
	r := pack.New(b, "frame")
	r.Fields(2)
	f := &Frame{Kind: Kind(r.Uint(255))}
	var err error
	switch f.Kind {
	case KindHello:
		f.Hello, err = decodeHello(&r)
	case KindRange:
		r.Fields(3)
		f.Range = &Range{Many: r.Bool()}
		f.Range.Upto = Key{store.Name(r.String(store.MaxName)), store.GUID(r.String(2 * store.MaxGUID))}
	case KindDelta:
		f.Delta, err = decodeDelta(&r)
	case KindMore:
		f.More = &More{}
		f.More.Messages, err = decodeMessages(&r)
	case KindHashes:
		f.Hashes, err = decodeHashes(&r)
	case KindPlan:
		r.Fields(3)
		f.Plan = &Plan{}
		copyFixed(&r, f.Plan.Hash[:])
		f.Plan.Needs, f.Plan.Still = r.Bool(), r.Bool()
	case KindReport:
		f.Report, err = decodeReport(&r)
	case KindLock:
		r.Fields(2)
		f.Lock = &Lock{Turn(r.Uint(uint64(TurnRelease))), r.String(MaxPlace)}
	case KindReady, KindFed:
		r.Fields(0)
	default:
		err = fmt.Errorf("frame of unknown kind %d", f.Kind)
	}
	if err != nil {
		return nil, err
	}
	return f, r.End()
}

// copyFixed reads a byte string of just the length of dst.
func copyFixed(r *pack.Reader, dst []byte) {
	x := r.Bytes(len(dst))
	if r.OK() && len(x) != len(dst) {
		r.Fail("%d bytes, want %d", len(x), len(dst))
	}
	copy(dst, x)
}

func decodeHello(r *pack.Reader) (*Hello, error) {
	r.Fields(14)
	h := &Hello{Version: r.Uint64()}
	h.Replica = changelog.Replica{ID: changelog.ReplicaID(r.Uint64()), Epoch: r.Uint32()}
	h.Seq = r.Uint64()
	h.Position = changelog.Position{Seq: r.Uint64(), Tag: changelog.Tag(r.Uint64())}
	h.Clock = changelog.Stamp{Time: r.Int(), Count: r.Uint32()}
	h.Now = r.Int()
	raw := r.Bytes(maxEntry)
	copyFixed(r, h.Digest[:])
	h.Run = r.String(maxRun)
	h.Whole, h.Source = r.Bool(), r.Bool()
	h.Claim = decodeClaim(r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	var err error
	h.Seen, err = changelog.DecodeSeen(raw)
	return h, err
}

func decodeReport(r *pack.Reader) (*Report, error) {
	r.Fields(5)
	x := &Report{Failed: r.Uint64()}
	copyFixed(r, x.Digest[:])
	x.Position = changelog.Position{Seq: r.Uint64(), Tag: changelog.Tag(r.Uint64())}
	raw := r.Bytes(maxEntry)
	if err := r.Err(); err != nil {
		return nil, err
	}
	var err error
	x.Seen, err = changelog.DecodeSeen(raw)
	return x, err
}

func decodeMessages(r *pack.Reader) ([]*changelog.Message, error) {
	n := r.Array(maxMessages, 1)
	var out []*changelog.Message
	for range n {
		raw := r.Bytes(maxEntry)
		if err := r.Err(); err != nil {
			return nil, err
		}
		m, err := changelog.DecodeMessage(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, r.Err()
}

func decodeHashes(r *pack.Reader) ([]HeaderHash, error) {
	var out []HeaderHash
	n := r.Array(2*maxMessages, 1)
	for range n / 2 {
		d, err := changelog.DecodeDot(r.Bytes(64))
		if err != nil {
			return nil, err
		}
		h := HeaderHash{ID: d}
		copyFixed(r, h.Hash[:])
		out = append(out, h)
	}
	return out, r.Err()
}

func decodeDelta(r *pack.Reader) (*Delta, error) {
	r.Fields(5)
	d := &Delta{Tree: &changelog.Tree{}}
	for range r.Array(maxNodes, 1) {
		raw := r.Bytes(maxEntry)
		if err := r.Err(); err != nil {
			return nil, err
		}
		n, err := changelog.DecodeNode(raw)
		if err != nil {
			return nil, err
		}
		d.Tree.Nodes = append(d.Tree.Nodes, n)
	}
	for range r.Array(maxNodes, 1) {
		raw := r.Bytes(maxEntry)
		if err := r.Err(); err != nil {
			return nil, err
		}
		x, err := changelog.DecodeBare(raw)
		if err != nil {
			return nil, err
		}
		d.Tree.Bare = append(d.Tree.Bare, x)
	}
	raw := r.Bytes(maxEntry * 64)
	if err := r.Err(); err != nil {
		return nil, err
	}
	var err error
	if d.Tree.UVs, err = changelog.DecodeUVs(raw); err != nil {
		return nil, err
	}
	if d.Messages, err = decodeMessages(r); err != nil {
		return nil, err
	}
	for range r.Array(3*maxNodes, 1) / 3 {
		var h Held
		copyFixed(r, h.Mailbox[:])
		h.Count = r.Uint64()
		copyFixed(r, h.Digest[:])
		d.Held = append(d.Held, h)
	}
	return d, r.Err()
}
