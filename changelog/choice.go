package changelog

import (
	"cmp"

	"dsync/changelog/pack"
)

// Choice says which of the live writes of a register is shown. It is kept beside
// the set, like a UIDVALIDITY: no register itself, but how this replica shows one.
// So whoever reads the view sees what the store shows, whatever policy the runs had;
// a merge sets it to that of its own policy where it merges the set.
type Choice uint8

// The choices. Where a write is known with its history, what was found without one
// never counts.
const (
	LaterWins   Choice = iota // the later stamp
	EarlierWins               // the earlier stamp
	LargerWins                // the larger value
	OnWins                    // yes, if any write says so
	OffWins                   // no, if any write says so
	choices                   // how many there are
)

// Chosen are the choices of a node.
type Chosen struct {
	Place Choice // rule 12: LaterWins or EarlierWins
	Name  Choice // rule 13, about other nodes of the same name: LaterWins or EarlierWins
	Subs  Choice // rule 21: LaterWins, OnWins or OffWins
	Attrs Choice // rule 23: LaterWins, EarlierWins or LargerWins
}

// wins orders two writes of one register under a choice; byValue is the order of
// their values, from the one that yields to the one that stands.
func (c Choice) wins(w, o Write, byValue int) int {
	switch {
	case w.Found() != o.Found():
		if o.Found() {
			return 1
		}
		return -1
	case c == LargerWins && byValue != 0:
		return byValue
	case c == EarlierWins && w.Stamp != o.Stamp:
		return o.Stamp.Compare(w.Stamp)
	}
	return w.Later(o, byValue)
}

// ShownBool is the value of a yes/no register: equal stamps go to yes, an empty set
// is no.
func ShownBool(ws []BoolWrite, c Choice) bool {
	if len(ws) == 0 {
		return false
	}
	best := ws[0]
	for _, w := range ws[1:] {
		v := 0
		if w.On != best.On {
			v = -1
			if w.On == (c != OffWins) {
				v = 1
			}
		}
		by := c
		if c == OnWins || c == OffWins {
			by = LargerWins
		}
		if by.wins(w.Write, best.Write, v) > 0 {
			best = w
		}
	}
	return best.On
}

// append appends the choices of a node.
func (c Chosen) append(dst []byte) []byte {
	dst = pack.Array(dst, 4)
	for _, x := range []Choice{c.Place, c.Name, c.Subs, c.Attrs} {
		dst = pack.Uint(dst, uint8(x))
	}
	return dst
}

// fields reads the number of fields and the format of a value that has one more
// field, and the next format, if a choice other than LaterWins was made. It reports
// whether that is so.
func (r *reader) fields(n int, format uint64) bool {
	m := r.Array(1<<10, 1)
	if r.OK() && m != n && m != n+1 {
		r.Fail("%d fields, want %d or %d", m, n, n+1)
	}
	if m == n+1 {
		r.Version(format + 1)
		return true
	}
	r.Version(format)
	return false
}

// choice reads one choice.
func (r *reader) choice() Choice {
	return Choice(r.Uint(uint64(choices - 1)))
}

// chosen reads the choices of a node, not all of them LaterWins.
func (r *reader) chosen() (c Chosen) {
	r.Fields(4)
	c = Chosen{r.choice(), r.choice(), r.choice(), r.choice()}
	if r.OK() && (c == Chosen{}) {
		r.Fail("choices written out that are as ever")
	}
	return c
}

// other reads the one choice of a value, which is not LaterWins.
func (r *reader) other() Choice {
	c := r.choice()
	if r.OK() && c == LaterWins {
		r.Fail("a choice written out that is as ever")
	}
	return c
}

// appendOther appends a choice unless it is LaterWins.
func appendOther(dst []byte, c Choice) []byte {
	if c == LaterWins {
		return dst
	}
	return pack.Uint(dst, uint8(c))
}

// format is the number of a value's format, and how many fields it has, when other
// says that it has one more.
func format(dst []byte, n int, number uint8, other bool) []byte {
	if other {
		n, number = n+1, number+1
	}
	return pack.Uint(pack.Array(dst, n), number)
}

// laterPlace orders place writes of different nodes: stamp, then the value (of equal
// stamps the one with the smaller path is the later), then dot.
func laterPlace(p, q PlaceWrite) int { return p.Later(q.Write, cmp.Compare(q.Path, p.Path)) }
