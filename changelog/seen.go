package changelog

// Tag is a random number drawn whenever a replica hands out a higher position.
// Position and tag together prove that two logs speak of the same past.
type Tag uint64

// Position is how far a replica's log has come, with its tag.
type Position struct {
	Seq uint64
	Tag Tag
}

// Seen is what a replica has seen: the dots, and the tag that came with the
// highest position of each replica.
type Seen struct {
	Dots Dots
	Tags []TagOf // by replica
}

// TagOf is the tagged position of one replica as it was handed out.
type TagOf struct {
	Replica Replica
	Position
}

// Tagged gives the tagged position known of a replica.
func (s *Seen) Tagged(r Replica) (Position, bool) {
	for _, t := range s.Tags {
		if t.Replica == r {
			return t.Position, true
		}
	}
	return Position{}, false
}

// SetTag notes a position of a replica, if it is not below the one known.
func (s *Seen) SetTag(r Replica, p Position) {
	out := make([]TagOf, 0, len(s.Tags)+1)
	done := false
	for _, t := range s.Tags {
		if t.Replica == r {
			if t.Seq > p.Seq {
				p = t.Position
			}
			t.Position, done = p, true
		} else if !done && t.Replica.Compare(r) > 0 {
			out, done = append(out, TagOf{r, p}), true
		}
		out = append(out, t)
	}
	if !done {
		out = append(out, TagOf{r, p})
	}
	s.Tags = out
}

// Clone copies the value.
func (s *Seen) Clone() Seen { return Seen{s.Dots.Clone(), append([]TagOf(nil), s.Tags...)} }
