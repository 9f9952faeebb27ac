package changelog

import "dsync/changelog/pack"

// AppendDots appends the encoding of a set of dots: [format, replicas, ranges].
func AppendDots(dst []byte, s *Dots) []byte {
	var d dict
	d.dots(s)
	dst = pack.Uint(pack.Array(dst, 3), DotsFormat)
	return d.appendDots(d.appendReps(dst), s)
}

// DecodeDots reads what AppendDots wrote.
func DecodeDots(b []byte) (Dots, error) {
	var mem room
	r := mem.reader(b, "set of dots")
	r.Fields(3)
	r.Version(DotsFormat)
	r.readReps()
	s := r.dots()
	if err := r.end(); err != nil {
		return Dots{}, err
	}
	return s, nil
}

// AppendDot appends the encoding of one dot, which may be zero: [] or [replica,
// epoch, seq]. It has no format number: it is part of other formats.
func AppendDot(dst []byte, d Dot) []byte {
	if d.IsZero() {
		return pack.Array(dst, 0)
	}
	dst = pack.Array(dst, 3)
	return pack.Uint(pack.Uint(pack.Uint(dst, uint64(d.Replica.ID)), d.Replica.Epoch), d.Seq)
}

// ReadDot reads what AppendDot wrote, as a part of something larger.
func ReadDot(r *pack.Reader) Dot {
	n := r.Array(3, 1)
	if n == 0 {
		return Dot{}
	}
	if n != 3 {
		r.Fail("a dot of %d parts", n)
	}
	d := Dot{Replica{ReplicaID(r.Uint64()), r.Uint32()}, r.Uint(MaxSeq)}
	if r.OK() && (d.Replica.ID == 0 || d.Seq == 0) {
		r.Fail("dot %v", d)
	}
	return d
}

// DecodeDot reads what AppendDot wrote.
func DecodeDot(b []byte) (Dot, error) {
	r := pack.New(b, "dot")
	d := ReadDot(&r)
	if err := r.End(); err != nil {
		return Dot{}, err
	}
	return d, nil
}

// AppendSeen appends the encoding of what a replica has seen: [format, replicas,
// ranges, tags].
func AppendSeen(dst []byte, s *Seen) []byte {
	var d dict
	d.dots(&s.Dots)
	for _, t := range s.Tags {
		d.rep(t.Replica)
	}
	dst = pack.Uint(pack.Array(dst, 4), SeenFormat)
	dst = d.appendDots(d.appendReps(dst), &s.Dots)
	dst = pack.Array(dst, 3*len(s.Tags))
	for _, t := range s.Tags {
		dst = pack.Uint(pack.Uint(d.appendRep(dst, t.Replica), t.Seq), uint64(t.Tag))
	}
	return dst
}

// DecodeSeen reads what AppendSeen wrote.
func DecodeSeen(b []byte) (Seen, error) {
	var mem room
	r := mem.reader(b, "seen-set")
	r.Fields(4)
	r.Version(SeenFormat)
	r.readReps()
	s := Seen{Dots: r.dots()}
	if n := r.tuples(3, MaxReplicas); n > 0 {
		s.Tags = make([]TagOf, n)
	}
	for i := range s.Tags {
		t := TagOf{r.rep(), Position{r.Uint(MaxSeq), Tag(r.Uint64())}}
		if r.OK() && i > 0 && s.Tags[i-1].Replica.Compare(t.Replica) >= 0 {
			r.Fail("tag of %v out of order", t.Replica)
		}
		s.Tags[i] = t
	}
	if err := r.end(); err != nil {
		return Seen{}, err
	}
	return s, nil
}
