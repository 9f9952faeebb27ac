package changelog

import (
	"slices"

	"dsync/changelog/pack"
	"dsync/store"
)

// CorruptError says what was damaged and where. Every Decode function gives one
// (errors.As) for input that its Append function would not have made.
type CorruptError = pack.CorruptError

// Format numbers: the first field of every encoded value. A change of the fields
// gets a new number; what is read by an older program fails with a CorruptError
// that names both. Messages, nodes and bare subscriptions are of the next format, with
// one field more, when a Choice other than LaterWins was made for them.
const (
	DotsFormat    = 1
	SeenFormat    = 1
	MessageFormat = 1
	NodeFormat    = 1
	BareFormat    = 1
	HeldFormat    = 1
	EventsFormat  = 1
)

// Limits on what is decoded. All are far above what stores and merges make; they
// bound memory together with the rule that a length must fit into the bytes left.
const (
	MaxReplicas  = 1 << 12 // replicas named in one value
	MaxWrites    = 1 << 17 // writes of one entry, and elements of any one list in it
	MaxRanges    = 1 << 20 // ranges of one replica in a set of dots
	MaxPath      = 2 * store.MaxName
	MaxAttrKey   = 1 << 12 // bytes
	MaxAttrValue = 1 << 20 // bytes
	MaxEvents    = 1 << 20 // events in one value
	MaxSeq       = 1 << 62 // sequence number of a dot; sets reckon with the one above
)

// dict collects the replicas and writes of a value, so that each is written once
// and named by its place in the list.
type dict struct {
	reps   []Replica // ascending
	writes []Write   // ascending by dot, then stamp
}

func compareWrites(a, b Write) int {
	if c := a.Dot.Compare(b.Dot); c != 0 {
		return c
	}
	return a.Stamp.Compare(b.Stamp)
}

// addRep and addWrite insert into ascending lists. They give the list back, as
// append does: stored through a pointer it would always be on the heap.
func addRep(rs []Replica, r Replica) []Replica {
	if i, ok := slices.BinarySearchFunc(rs, r, Replica.Compare); !ok {
		return slices.Insert(rs, i, r)
	}
	return rs
}

func addWrite(ws []Write, w Write) []Write {
	if i, ok := slices.BinarySearchFunc(ws, w, compareWrites); !ok {
		return slices.Insert(ws, i, w)
	}
	return ws
}

func (d *dict) rep(r Replica) { d.reps = addRep(d.reps, r) }

func (d *dict) dot(x Dot) {
	if !x.IsZero() {
		d.rep(x.Replica)
	}
}

func (d *dict) write(w Write) {
	d.writes = addWrite(d.writes, w)
	d.rep(w.Dot.Replica)
}

func (d *dict) dots(s *Dots) {
	for i := range s.per {
		d.rep(s.per[i].Replica)
	}
}

func (d *dict) appendReps(dst []byte) []byte {
	dst = pack.Array(dst, 2*len(d.reps))
	for _, r := range d.reps {
		dst = pack.Uint(pack.Uint(dst, uint64(r.ID)), r.Epoch)
	}
	return dst
}

// append writes both lists.
func (d *dict) append(dst []byte) []byte {
	dst = d.appendReps(dst)
	dst = pack.Array(dst, 4*len(d.writes))
	for _, w := range d.writes {
		dst = pack.Uint(d.appendRep(dst, w.Dot.Replica), w.Dot.Seq)
		dst = pack.Uint(pack.Int(dst, w.Stamp.Time), w.Stamp.Count)
	}
	return dst
}

func (d *dict) appendRep(dst []byte, r Replica) []byte {
	i, _ := slices.BinarySearchFunc(d.reps, r, Replica.Compare)
	return pack.Uint(dst, i)
}

func (d *dict) appendWrite(dst []byte, w Write) []byte {
	i, _ := slices.BinarySearchFunc(d.writes, w, compareWrites)
	return pack.Uint(dst, i)
}

// appendDot writes a dot that may be zero.
func (d *dict) appendDot(dst []byte, x Dot) []byte {
	if x.IsZero() {
		return pack.Array(dst, 0)
	}
	return pack.Uint(d.appendRep(pack.Array(dst, 2), x.Replica), x.Seq)
}

// appendDots writes a set: per replica its place in the list, then for each range
// the distance from the end of the one before and the length less one.
func (d *dict) appendDots(dst []byte, s *Dots) []byte {
	dst = pack.Array(dst, 2*len(s.per))
	for _, p := range s.per {
		dst = d.appendRep(dst, p.Replica)
		dst = pack.Array(dst, 2*len(p.Ranges))
		last := uint64(0)
		for _, r := range p.Ranges {
			dst = pack.Uint(pack.Uint(dst, r.Lo-last), r.Hi-r.Lo)
			last = r.Hi
		}
	}
	return dst
}

// reader reads the lists of a dict and what refers to them. Every replica and
// write listed must be used, else there were two encodings of one value.
type reader struct {
	pack.Reader
	reps     []Replica
	repUsed  []bool
	writes   []Write
	writUsed []bool
}

// room is what a reader uses instead of the heap for entries of ordinary size.
type room struct {
	reps   [4]Replica
	writes [8]Write
	used   [12]bool
}

func (b *room) reader(buf []byte, what string) reader {
	return reader{
		Reader: pack.New(buf, what), reps: b.reps[:0], repUsed: b.used[:0:4],
		writes: b.writes[:0], writUsed: b.used[4:4:12],
	}
}

func (r *reader) readReps() {
	n := r.pairs(MaxReplicas)
	r.reps, r.repUsed = slices.Grow(r.reps, n)[:n], slices.Grow(r.repUsed, n)[:n]
	for i := range n {
		x := Replica{ReplicaID(r.Uint64()), r.Uint32()}
		if r.OK() && (x.ID == 0 || i > 0 && r.reps[i-1].Compare(x) >= 0) {
			r.Fail("replica %v out of order", x)
		}
		r.reps[i], r.repUsed[i] = x, false
	}
}

func (r *reader) readLists() {
	r.readReps()
	n := r.tuples(4, MaxWrites)
	r.writes, r.writUsed = slices.Grow(r.writes, n)[:n], slices.Grow(r.writUsed, n)[:n]
	for i := range n {
		var w Write
		w.Dot.Replica = r.rep()
		w.Dot.Seq = r.Uint(MaxSeq)
		w.Stamp.Time = r.Int()
		w.Stamp.Count = r.Uint32()
		if r.OK() && (w.Dot.Seq == 0 || i > 0 && compareWrites(r.writes[i-1], w) >= 0) {
			r.Fail("write %v out of order", w.Dot)
		}
		r.writes[i], r.writUsed[i] = w, false
	}
}

// pairs reads the header of a list of pairs and gives their number.
func (r *reader) pairs(limit int) int { return r.tuples(2, limit) }

func (r *reader) tuples(k, limit int) int {
	n := r.Array(k*limit, 1)
	if r.OK() && n%k != 0 {
		r.Fail("%d elements, want a multiple of %d", n, k)
	}
	if !r.OK() {
		return 0
	}
	return n / k
}

func (r *reader) rep() Replica {
	i := r.Uint64()
	if r.OK() && i >= uint64(len(r.reps)) {
		r.Fail("no replica number %d", i)
	}
	if !r.OK() {
		return Replica{}
	}
	r.repUsed[i] = true
	return r.reps[i]
}

func (r *reader) write() Write {
	i := r.Uint64()
	if r.OK() && i >= uint64(len(r.writes)) {
		r.Fail("no write number %d", i)
	}
	if !r.OK() {
		return Write{}
	}
	r.writUsed[i] = true
	return r.writes[i]
}

func (r *reader) dot() Dot {
	n := r.Array(2, 1)
	if n == 0 {
		return Dot{}
	}
	if n != 2 {
		r.Fail("a dot of %d parts", n)
	}
	d := Dot{r.rep(), r.Uint(MaxSeq)}
	if r.OK() && d.Seq == 0 {
		r.Fail("dot with sequence number 0")
	}
	return d
}

func (r *reader) dots() Dots {
	n := r.pairs(MaxReplicas)
	if n == 0 {
		return Dots{}
	}
	per := make([]ReplicaDots, n)
	for i := range per {
		per[i].Replica = r.rep()
		if r.OK() && i > 0 && per[i-1].Replica.Compare(per[i].Replica) >= 0 {
			r.Fail("replica %v out of order", per[i].Replica)
		}
		per[i].Ranges = r.ranges()
		if !r.OK() {
			return Dots{}
		}
	}
	return Dots{per}
}

func (r *reader) ranges() []Range {
	n := r.pairs(MaxRanges)
	if r.OK() && n == 0 {
		r.Fail("a replica without dots")
	}
	rs := make([]Range, n)
	last := uint64(0)
	for i := range rs {
		gap, more := r.Uint(MaxSeq), r.Uint(MaxSeq)
		lo := last + gap
		hi := lo + more
		if r.OK() && (gap == 0 || i > 0 && gap == 1 || hi > MaxSeq) {
			r.Fail("range out of order")
		}
		rs[i], last = Range{lo, hi}, hi
	}
	return rs
}

// end checks that all was read and all lists were needed.
func (r *reader) end() error {
	if r.OK() && (slices.Contains(r.repUsed, false) || slices.Contains(r.writUsed, false)) {
		r.Fail("a replica or write that nothing refers to")
	}
	return r.End()
}

func (r *reader) name() store.Name {
	n := store.Name(r.String(MaxPath))
	if r.OK() && n == "" {
		r.Fail("empty mailbox name")
	}
	return n
}

func (r *reader) keyword() string {
	k := r.String(store.MaxKeyword)
	if r.OK() && k == "" {
		r.Fail("empty keyword")
	}
	for i := 0; i < len(k); i++ {
		if k[i] < 0x20 || k[i] == 0x7f {
			r.Fail("keyword %q holds a control character", k)
		}
	}
	return k
}

// guid reads a message GUID, which may be empty where it is only told of.
func (r *reader) guid(mayBeEmpty bool) store.GUID {
	g := store.GUID(r.String(store.MaxGUID))
	if r.OK() && !(g == "" && mayBeEmpty) {
		if err := g.Check(); err != nil {
			r.Fail("%v", err)
		}
	}
	return g
}

func (r *reader) flags() store.Flags { return store.Flags(r.Uint(uint64(store.AllFlags))) }

func (r *reader) mailbox() (g store.MailboxGUID) {
	r.FixedOrNone(g[:])
	return g
}

func appendMailbox(dst []byte, g store.MailboxGUID) []byte { return pack.FixedOrNone(dst, g[:]) }
