package changelog

import (
	"cmp"
	"slices"

	"dsync/changelog/pack"
	"dsync/store"
)

// AppendNode appends the encoding of a node, whose slices must be in their order:
//
//	[format, replicas, writes, GUIDs, creates, places, presence, subscriptions,
//	 attributes, past, UIDVALIDITY, UIDNEXT]
//
// in format 1; if a choice was made, in format 2, with the choices behind the rest.
func AppendNode(dst []byte, n *Node) []byte {
	var d dict
	n.EachWrite(d.write)
	d.dots(&n.Past)
	dst = d.append(format(dst, 12, NodeFormat, n.Chosen != Chosen{}))
	dst = pack.Array(dst, len(n.GUIDs))
	for _, g := range n.GUIDs {
		dst = appendMailbox(dst, g)
	}
	dst = pack.Array(dst, 5*len(n.Creates))
	for _, c := range n.Creates {
		dst = pack.String(appendMailbox(d.appendWrite(dst, c.Write), c.Parent), c.Name)
		dst = pack.Bool(pack.Uint(dst, c.Gen), c.NoSelect)
	}
	dst = pack.Array(dst, 3*len(n.Places))
	for _, p := range n.Places {
		dst = pack.String(appendMailbox(d.appendWrite(dst, p.Write), p.Parent), p.Path)
	}
	dst = pack.Array(dst, 2*len(n.Presence))
	for _, p := range n.Presence {
		dst = pack.Bool(d.appendWrite(dst, p.Write), p.Delivery)
	}
	dst = d.appendBools(dst, n.Subs)
	dst = pack.Array(dst, 3*len(n.Attrs))
	for _, a := range n.Attrs {
		dst = pack.String(pack.String(d.appendWrite(dst, a.Write), a.Key), a.Value)
	}
	dst = d.appendDots(dst, &n.Past)
	dst = pack.Uint(pack.Uint(dst, n.UIDValidity), n.UIDNext)
	if (n.Chosen == Chosen{}) {
		return dst
	}
	return n.Chosen.append(dst)
}

// EachWrite calls f with every create and live write.
func (n *Node) EachWrite(f func(Write)) {
	for _, w := range n.Creates {
		f(w.Write)
	}
	for _, w := range n.Places {
		f(w.Write)
	}
	for _, w := range n.Presence {
		f(w.Write)
	}
	for _, w := range n.Subs {
		f(w.Write)
	}
	for _, w := range n.Attrs {
		f(w.Write)
	}
}

func (d *dict) appendBools(dst []byte, ws []BoolWrite) []byte {
	dst = pack.Array(dst, 2*len(ws))
	for _, w := range ws {
		dst = pack.Bool(d.appendWrite(dst, w.Write), w.On)
	}
	return dst
}

// list reads n elements; dot gives what they must ascend by.
func list[T any](r *reader, n int, what string, read func() T, compare func(a, b *T) int) []T {
	if n == 0 {
		return nil
	}
	out := make([]T, 0, min(n, 64))
	for i := range n {
		out = append(out, read())
		if !r.OK() {
			return nil
		}
		if i > 0 && compare(&out[i-1], &out[i]) >= 0 {
			r.Fail("%s out of order", what)
			return nil
		}
	}
	return out
}

// DecodeNode reads what AppendNode wrote.
func DecodeNode(b []byte) (*Node, error) {
	var mem room
	r := mem.reader(b, "mailbox node")
	more := r.fields(12, NodeFormat)
	r.readLists()
	n := &Node{}
	k := r.Array(MaxWrites, 2)
	if r.OK() && k == 0 {
		r.Fail("no GUID")
	}
	n.GUIDs = list(&r, k, "GUIDs", r.mailbox, func(a, b *store.MailboxGUID) int { return a.Compare(*b) })
	n.Creates = list(&r, r.tuples(5, MaxWrites), "creates", func() Create {
		return Create{r.write(), r.mailbox(), r.level(), r.Uint32(), r.Bool()}
	}, func(a, b *Create) int { return a.Dot.Compare(b.Dot) })
	n.Places = list(&r, r.tuples(3, MaxWrites), "places", func() PlaceWrite {
		return PlaceWrite{r.write(), r.mailbox(), r.name()}
	}, func(a, b *PlaceWrite) int { return a.Dot.Compare(b.Dot) })
	n.Presence = list(&r, r.pairs(MaxWrites), "presence writes", func() NodePresence {
		return NodePresence{r.write(), r.Bool()}
	}, func(a, b *NodePresence) int { return a.Dot.Compare(b.Dot) })
	n.Subs = r.bools()
	n.Attrs = list(&r, r.tuples(3, MaxWrites), "attributes", func() AttrWrite {
		return AttrWrite{r.write(), r.String(MaxAttrKey), r.String(MaxAttrValue)}
	}, func(a, b *AttrWrite) int { return cmp.Or(cmp.Compare(a.Key, b.Key), a.Dot.Compare(b.Dot)) })
	n.Past = r.dots()
	n.UIDValidity = store.UIDValidity(r.Uint32())
	n.UIDNext = store.UID(r.Uint32())
	if more {
		n.Chosen = r.chosen()
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return n, nil
}

// level reads the last level of a mailbox name.
func (r *reader) level() string {
	s := r.String(MaxPath)
	if r.OK() && s == "" {
		r.Fail("empty mailbox name")
	}
	return s
}

func (r *reader) bools() []BoolWrite {
	return list(r, r.pairs(MaxWrites), "subscriptions", func() BoolWrite {
		return BoolWrite{r.write(), r.Bool()}
	}, func(a, b *BoolWrite) int { return a.Dot.Compare(b.Dot) })
}

// AppendBare appends the encoding of a bare subscription: [format, replicas,
// writes, name, subscriptions, past], and in format 2 the choice.
func AppendBare(dst []byte, b *Bare) []byte {
	var d dict
	for _, w := range b.Subs {
		d.write(w.Write)
	}
	d.dots(&b.Past)
	dst = d.append(format(dst, 6, BareFormat, b.Chosen != LaterWins))
	return appendOther(d.appendDots(d.appendBools(pack.String(dst, b.Name), b.Subs), &b.Past), b.Chosen)
}

// DecodeBare reads what AppendBare wrote.
func DecodeBare(buf []byte) (*Bare, error) {
	var mem room
	r := mem.reader(buf, "subscription")
	more := r.fields(6, BareFormat)
	r.readLists()
	b := &Bare{Name: r.name(), Subs: r.bools(), Past: r.dots()}
	if more {
		b.Chosen = r.other()
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return b, nil
}

// AppendHeld appends the encoding of the UIDVALIDITYs that one path has shown, in
// CompareHeld order: [format, pairs of number and holder].
func AppendHeld(dst []byte, hs []Held) []byte {
	return appendHeld(pack.Uint(pack.Array(dst, 2), HeldFormat), hs)
}

func appendHeld(dst []byte, hs []Held) []byte {
	dst = pack.Array(dst, 2*len(hs))
	for _, h := range hs {
		dst = appendMailbox(pack.Uint(dst, h.UIDValidity), h.Holder)
	}
	return dst
}

func (r *reader) held() []Held {
	return list(r, r.pairs(MaxWrites), "UIDVALIDITYs", func() Held {
		return Held{store.UIDValidity(r.Uint32()), r.mailbox()}
	}, func(a, b *Held) int { return CompareHeld(*a, *b) })
}

// DecodeHeld reads what AppendHeld wrote.
func DecodeHeld(b []byte) ([]Held, error) {
	r := reader{Reader: pack.New(b, "UIDVALIDITY table")}
	r.Fields(2)
	r.Version(HeldFormat)
	hs := r.held()
	if err := r.End(); err != nil {
		return nil, err
	}
	return hs, nil
}

// AppendUVs appends the encoding of the whole table of a tree, by path: [format,
// pairs of path and list].
func AppendUVs(dst []byte, uvs map[store.Name][]Held) []byte {
	names := make([]store.Name, 0, len(uvs))
	for n := range uvs {
		names = append(names, n)
	}
	slices.Sort(names)
	dst = pack.Array(pack.Uint(pack.Array(dst, 2), HeldFormat), 2*len(names))
	for _, n := range names {
		dst = appendHeld(pack.String(dst, n), uvs[n])
	}
	return dst
}

// DecodeUVs reads what AppendUVs wrote.
func DecodeUVs(b []byte) (map[store.Name][]Held, error) {
	r := reader{Reader: pack.New(b, "UIDVALIDITY table")}
	r.Fields(2)
	r.Version(HeldFormat)
	uvs := map[store.Name][]Held{}
	last := store.Name("")
	for range r.pairs(MaxWrites) {
		n := r.name()
		if r.OK() && n <= last {
			r.Fail("paths out of order")
		}
		uvs[n], last = r.held(), n
		if !r.OK() {
			break
		}
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	return uvs, nil
}
