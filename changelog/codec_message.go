package changelog

import (
	"cmp"

	"dsync/changelog/pack"
	"dsync/store"
)

// AppendMessage appends the encoding of a message, whose slices must be in their
// order:
//
//	[format, replicas, writes, origins, GUID, size, hash, received,
//	 presence, flags, keywords, past, UID, was]
//
// in format 1; if a choice was made, in format 2, with the choice behind the rest.
//
// Nothing is allocated if dst has room and the message no more than 4 replicas
// and 8 writes.
func AppendMessage(dst []byte, m *Message) []byte {
	var repRoom [4]Replica
	var writeRoom [8]Write
	reps, writes := repRoom[:0], writeRoom[:0]
	for _, w := range m.Origins {
		writes = addWrite(writes, w)
	}
	for i := range m.Presence {
		writes = addWrite(writes, m.Presence[i].Write)
	}
	for i := range m.Flags {
		writes = addWrite(writes, m.Flags[i].Write)
	}
	for i := range m.Keywords {
		writes = addWrite(writes, m.Keywords[i].Write)
	}
	for i := range writes {
		reps = addRep(reps, writes[i].Dot.Replica)
	}
	for i := range m.Past.per {
		reps = addRep(reps, m.Past.per[i].Replica)
	}
	d := dict{reps, writes}

	dst = d.append(format(dst, 14, MessageFormat, m.Chosen != LaterWins))
	dst = pack.Array(dst, len(m.Origins))
	for _, w := range m.Origins {
		dst = d.appendWrite(dst, w)
	}
	dst = pack.String(dst, m.Content.GUID)
	dst = pack.Int(dst, m.Content.Size)
	dst = pack.FixedOrNone(dst, m.Content.Hash[:])
	dst = pack.Int(dst, m.Received)
	dst = pack.Array(dst, 2*len(m.Presence))
	for i := range m.Presence {
		dst = appendMailbox(d.appendWrite(dst, m.Presence[i].Write), m.Presence[i].Mailbox)
	}
	dst = pack.Array(dst, 3*len(m.Flags))
	for i := range m.Flags {
		f := &m.Flags[i]
		dst = appendValue(pack.Uint(d.appendWrite(dst, f.Write), f.Flag), f.Set, f.Back)
	}
	dst = pack.Array(dst, 3*len(m.Keywords))
	for i := range m.Keywords {
		k := &m.Keywords[i]
		dst = appendValue(pack.String(d.appendWrite(dst, k.Write), k.Name), k.Set, k.Back)
	}
	dst = d.appendDots(dst, &m.Past)
	dst = pack.Uint(dst, m.UID)
	if (m.Was == Was{}) {
		return appendOther(pack.Array(dst, 0), m.Chosen)
	}
	dst = appendMailbox(pack.Array(dst, 3), m.Was.Mailbox)
	return appendOther(pack.Uint(pack.Uint(dst, m.Was.UIDValidity), m.Was.UID), m.Chosen)
}

// appendValue writes the value of a yes/no register: a boolean, or 2 (no) or 3
// (yes) of a write that undid another.
func appendValue(dst []byte, set, back bool) []byte {
	switch {
	case !back:
		return pack.Bool(dst, set)
	case set:
		return pack.Uint(dst, uint8(3))
	}
	return pack.Uint(dst, uint8(2))
}

func (r *reader) value() (set, back bool) {
	if !r.OK() || r.IsBool() {
		return r.Bool(), false
	}
	v := r.Uint(3)
	if r.OK() && v < 2 {
		r.Fail("a value of %d", v)
	}
	return v == 3, true
}

// DecodeMessage reads what AppendMessage wrote. The message shares nothing with b.
func DecodeMessage(b []byte) (*Message, error) {
	var mem room
	r := mem.reader(b, "message")
	m := &Message{}
	more := r.fields(14, MessageFormat)
	r.readLists()
	r.origins(m)
	m.Content.GUID = r.guid(false)
	m.Content.Size = r.Int()
	if m.Content.Size < 0 {
		r.Fail("size %d", m.Content.Size)
	}
	r.FixedOrNone(m.Content.Hash[:])
	m.Received = r.Int()
	r.presence(m)
	r.flagWrites(m)
	r.keywordWrites(m)
	m.Past = r.dots()
	m.UID = store.UID(r.Uint32())
	switch n := r.Array(3, 1); n {
	case 0:
	case 3:
		m.Was = Was{r.mailbox(), store.UIDValidity(r.Uint32()), store.UID(r.Uint32())}
		if (m.Was == Was{}) {
			r.Fail("empty last place written out")
		}
	default:
		r.Fail("a last place of %d parts", n)
	}
	if more {
		m.Chosen = r.other()
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return m, nil
}

func (r *reader) origins(m *Message) {
	n := r.Array(MaxWrites, 1)
	if r.OK() && n == 0 {
		r.Fail("no origin")
	}
	m.Origins = make([]Write, n)
	for i := range m.Origins {
		m.Origins[i] = r.write()
		if r.OK() && i > 0 && m.Origins[i-1].Dot.Compare(m.Origins[i].Dot) >= 0 {
			r.Fail("origins out of order")
		}
	}
}

func (r *reader) presence(m *Message) {
	n := r.pairs(MaxWrites)
	if n == 0 {
		return
	}
	m.Presence = make([]Presence, n)
	for i := range m.Presence {
		m.Presence[i] = Presence{r.write(), r.mailbox()}
		if r.OK() && i > 0 && m.Presence[i-1].Dot.Compare(m.Presence[i].Dot) >= 0 {
			r.Fail("presence writes out of order")
		}
	}
}

func (r *reader) flagWrites(m *Message) {
	n := r.tuples(3, MaxWrites)
	if n == 0 {
		return
	}
	m.Flags = make([]FlagWrite, n)
	for i := range m.Flags {
		w := FlagWrite{Write: r.write(), Flag: r.flags()}
		w.Set, w.Back = r.value()
		if r.OK() && (w.Flag == 0 || w.Flag&(w.Flag-1) != 0) {
			r.Fail("flag write of %#x", uint8(w.Flag))
		}
		if i > 0 {
			p := &m.Flags[i-1]
			if r.OK() && cmp.Or(cmp.Compare(p.Flag, w.Flag), p.Dot.Compare(w.Dot)) >= 0 {
				r.Fail("flag writes out of order")
			}
		}
		m.Flags[i] = w
	}
}

func (r *reader) keywordWrites(m *Message) {
	n := r.tuples(3, MaxWrites)
	if n == 0 {
		return
	}
	m.Keywords = make([]KeywordWrite, n)
	fold := ""
	for i := range m.Keywords {
		w := KeywordWrite{Write: r.write(), Name: r.keyword()}
		w.Set, w.Back = r.value()
		f := store.FoldKeyword(w.Name)
		if r.OK() && i > 0 && cmp.Or(cmp.Compare(fold, f), m.Keywords[i-1].Dot.Compare(w.Dot)) >= 0 {
			r.Fail("keyword writes out of order")
		}
		m.Keywords[i], fold = w, f
	}
}
