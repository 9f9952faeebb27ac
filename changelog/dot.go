package changelog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// ReplicaID is the random identity of a change log. Zero is no replica.
type ReplicaID uint64

// Replica is a log together with its epoch: a restored or cloned log goes on
// under a new epoch, so that it never gives out a dot twice.
type Replica struct {
	ID    ReplicaID
	Epoch uint32
}

// Compare orders replicas by identity, then epoch.
func (r Replica) Compare(o Replica) int {
	if c := cmp.Compare(r.ID, o.ID); c != 0 {
		return c
	}
	return cmp.Compare(r.Epoch, o.Epoch)
}

func (r Replica) String() string {
	if r.Epoch == 0 {
		return fmt.Sprintf("%x", uint64(r.ID))
	}
	return fmt.Sprintf("%x.%d", uint64(r.ID), r.Epoch)
}

// Dot names one change for good. Seq counts from 1 within a replica's epoch.
type Dot struct {
	Replica Replica
	Seq     uint64
}

// Compare orders dots by replica, then sequence.
func (d Dot) Compare(o Dot) int {
	if c := d.Replica.Compare(o.Replica); c != 0 {
		return c
	}
	return cmp.Compare(d.Seq, o.Seq)
}

// IsZero reports whether d names nothing.
func (d Dot) IsZero() bool { return d == Dot{} }

func (d Dot) String() string { return fmt.Sprintf("%v:%d", d.Replica, d.Seq) }

// Stamp is a hybrid logical clock reading: microseconds since 1970 and a counter
// for what fell into the same one. It respects cause: a change stamped after
// another was seen has the larger stamp. The zero Stamp marks what was found
// without history (Found) and yields to any other.
type Stamp struct {
	Time  int64
	Count uint32
}

// Compare orders stamps.
func (s Stamp) Compare(o Stamp) int {
	if c := cmp.Compare(s.Time, o.Time); c != 0 {
		return c
	}
	return cmp.Compare(s.Count, o.Count)
}

// IsFound reports whether the stamp is that of something found without history.
func (s Stamp) IsFound() bool { return s == Stamp{} }

func (s Stamp) String() string { return fmt.Sprintf("%d.%d", s.Time, s.Count) }

// Range is the sequence numbers from Lo to Hi, both included.
type Range struct{ Lo, Hi uint64 }

// ReplicaDots is a set of sequence numbers of one replica: ascending ranges that
// neither overlap nor touch.
type ReplicaDots struct {
	Replica Replica
	Ranges  []Range
}

// Dots is a set of dots, kept as ranges, so that its size follows the number of
// holes and not of dots. The zero value is the empty set. Methods that change it
// never write into slices that another Dots may share.
type Dots struct{ per []ReplicaDots }

// Replicas gives the parts, by replica. The caller must not change them.
func (s *Dots) Replicas() []ReplicaDots { return s.per }

// DotsFrom builds a set from parts as Replicas gives them; it reports whether
// they are canonical.
func DotsFrom(per []ReplicaDots) (Dots, bool) {
	for i, p := range per {
		if i > 0 && per[i-1].Replica.Compare(p.Replica) >= 0 || len(p.Ranges) == 0 {
			return Dots{}, false
		}
		for j, r := range p.Ranges {
			if r.Lo == 0 || r.Hi < r.Lo || j > 0 && r.Lo <= p.Ranges[j-1].Hi+1 {
				return Dots{}, false
			}
		}
	}
	return Dots{per}, true
}

// DotsOf is the set of the given dots.
func DotsOf(ds ...Dot) Dots {
	var s Dots
	for _, d := range ds {
		s.Add(d)
	}
	return s
}

func (s *Dots) find(r Replica) (int, bool) {
	return slices.BinarySearchFunc(s.per, r, func(p ReplicaDots, r Replica) int { return p.Replica.Compare(r) })
}

// Empty reports whether the set has no dot.
func (s *Dots) Empty() bool { return len(s.per) == 0 }

// Has reports whether d is in the set.
func (s *Dots) Has(d Dot) bool {
	i, ok := s.find(d.Replica)
	if !ok {
		return false
	}
	rs := s.per[i].Ranges
	j, _ := slices.BinarySearchFunc(rs, d.Seq, func(r Range, q uint64) int { return cmp.Compare(r.Hi, q) })
	return j < len(rs) && rs[j].Lo <= d.Seq
}

// Max is the highest sequence number of the replica in the set, or 0.
func (s *Dots) Max(r Replica) uint64 {
	if i, ok := s.find(r); ok {
		rs := s.per[i].Ranges
		return rs[len(rs)-1].Hi
	}
	return 0
}

// Add puts d into the set.
func (s *Dots) Add(d Dot) { s.AddRange(d.Replica, Range{d.Seq, d.Seq}) }

// AddRange puts all dots of a range into the set.
func (s *Dots) AddRange(r Replica, g Range) {
	if g.Lo == 0 || g.Hi < g.Lo {
		return
	}
	i, ok := s.find(r)
	if !ok {
		s.per = slices.Insert(slices.Clone(s.per), i, ReplicaDots{r, []Range{g}})
		return
	}
	old := s.per[i].Ranges
	lo, _ := slices.BinarySearchFunc(old, g.Lo, func(r Range, q uint64) int { return cmp.Compare(r.Hi+1, q) })
	hi := lo
	for hi < len(old) && old[hi].Lo <= g.Hi+1 {
		g.Lo, g.Hi = min(g.Lo, old[hi].Lo), max(g.Hi, old[hi].Hi)
		hi++
	}
	if hi == lo+1 && old[lo] == g {
		return
	}
	rs := make([]Range, 0, len(old)+1-(hi-lo))
	rs = append(append(append(rs, old[:lo]...), g), old[hi:]...)
	s.per = slices.Clone(s.per)
	s.per[i].Ranges = rs
}

// Union adds all dots of o, in time linear in the ranges of both.
func (s *Dots) Union(o *Dots) {
	if len(o.per) == 0 {
		return
	}
	out := make([]ReplicaDots, 0, max(len(s.per), len(o.per)))
	a, b := s.per, o.per
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].Replica.Compare(b[0].Replica); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, ReplicaDots{a[0].Replica, joinRanges(a[0].Ranges, b[0].Ranges)})
			a, b = a[1:], b[1:]
		}
	}
	s.per = append(append(out, a...), b...)
}

// joinRanges merges two ascending lists of ranges.
func joinRanges(a, b []Range) []Range {
	if len(b) == 1 && len(a) > 0 && a[0].Lo <= b[0].Lo && b[0].Hi <= a[0].Hi {
		return a
	}
	out := make([]Range, 0, len(a)+len(b))
	for len(a)+len(b) > 0 {
		var r Range
		if len(b) == 0 || len(a) > 0 && a[0].Lo <= b[0].Lo {
			r, a = a[0], a[1:]
		} else {
			r, b = b[0], b[1:]
		}
		if n := len(out); n > 0 && r.Lo <= out[n-1].Hi+1 {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// Each calls f for every dot, in order, until it returns false.
func (s *Dots) Each(f func(Dot) bool) {
	for _, p := range s.per {
		for _, r := range p.Ranges {
			for q := r.Lo; ; q++ {
				if !f(Dot{p.Replica, q}) {
					return
				}
				if q == r.Hi {
					break
				}
			}
		}
	}
}

// Minus gives the dots of s that are not in o.
func (s *Dots) Minus(o *Dots) Dots {
	var out Dots
	for _, p := range s.per {
		var cut []Range
		if i, ok := o.find(p.Replica); ok {
			cut = o.per[i].Ranges
		}
		if rs := subtract(p.Ranges, cut); len(rs) > 0 {
			out.per = append(out.per, ReplicaDots{p.Replica, rs})
		}
	}
	return out
}

// subtract gives a without b; both ascending.
func subtract(a, b []Range) []Range {
	var out []Range
	for _, r := range a {
		lo := r.Lo
		gone := false
		for _, c := range b {
			if c.Hi < lo || c.Lo > r.Hi {
				continue
			}
			if c.Lo > lo {
				out = append(out, Range{lo, c.Lo - 1})
			}
			if c.Hi >= r.Hi {
				gone = true
				break
			}
			lo = c.Hi + 1
		}
		if !gone {
			out = append(out, Range{lo, r.Hi})
		}
	}
	return out
}

// Covers reports whether every dot of o is in s.
func (s *Dots) Covers(o *Dots) bool {
	m := o.Minus(s)
	return m.Empty()
}

// Equal reports whether both hold the same dots.
func (s *Dots) Equal(o *Dots) bool {
	return slices.EqualFunc(s.per, o.per, func(a, b ReplicaDots) bool {
		return a.Replica == b.Replica && slices.Equal(a.Ranges, b.Ranges)
	})
}

// Clone gives an independent copy.
func (s *Dots) Clone() Dots { return Dots{slices.Clone(s.per)} }

func (s Dots) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, p := range s.per {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%v:", p.Replica)
		for j, r := range p.Ranges {
			if j > 0 {
				b.WriteByte(',')
			}
			if r.Lo == r.Hi {
				fmt.Fprintf(&b, "%d", r.Lo)
			} else {
				fmt.Fprintf(&b, "%d-%d", r.Lo, r.Hi)
			}
		}
	}
	b.WriteByte('}')
	return b.String()
}
