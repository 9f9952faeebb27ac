package changelog

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// State is what the program prints after a run and is given at the next with -s:
// where both replicas stood then. It never replaces or extends what a log has
// seen; it is compared with the logs.
//
// As text it is "ds1." and, in base64url without padding, big-endian: for each
// side identity 8, epoch 4, position 8, tag 8 bytes; filter fingerprint 0 or 16;
// and the first 8 bytes of SHA-256 over "dsync state 1\0" and all before. The side
// of the smaller replica comes first, so that both ends of a pair print the same.
type State struct {
	Sides  [2]Side  // by replica; the two differ in identity
	Filter [16]byte // fingerprint of what the run left out; zero: nothing
}

// Side is one replica's part of a State, as it reported itself to stand.
type Side struct {
	Replica Replica
	Position
}

// NewState puts two sides into their order.
func NewState(a, b Side, filter [16]byte) State {
	if a.Replica.Compare(b.Replica) > 0 {
		a, b = b, a
	}
	return State{[2]Side{a, b}, filter}
}

// Of gives the side of a replica's identity.
func (s *State) Of(id ReplicaID) (Side, bool) {
	for _, x := range s.Sides {
		if x.Replica.ID == id {
			return x, true
		}
	}
	return Side{}, false
}

const (
	statePrefix   = "ds"
	stateVersion  = "1"
	stateSep      = "."
	stateDomain   = "dsync state 1\x00"
	sideLen       = 8 + 4 + 8 + 8
	stateBody     = 2 * sideLen
	stateSumLen   = 8
	filterLen     = 16
	MaxStateBytes = 64 << 10 // the longest state string that is looked at
)

// String gives the state as text: one line of [A-Za-z0-9_.-] that does not begin
// with "-".
func (s State) String() string {
	b := make([]byte, 0, stateBody+filterLen+stateSumLen)
	for _, x := range s.Sides {
		b = binary.BigEndian.AppendUint64(b, uint64(x.Replica.ID))
		b = binary.BigEndian.AppendUint32(b, x.Replica.Epoch)
		b = binary.BigEndian.AppendUint64(b, x.Seq)
		b = binary.BigEndian.AppendUint64(b, uint64(x.Tag))
	}
	if s.Filter != [16]byte{} {
		b = append(b, s.Filter[:]...)
	}
	b = append(b, stateSum(b)...)
	return statePrefix + stateVersion + stateSep + base64.RawURLEncoding.EncodeToString(b)
}

func stateSum(b []byte) []byte {
	h := sha256.Sum256(append([]byte(stateDomain), b...))
	return h[:stateSumLen]
}

// StateProblem is why a text is no state.
type StateProblem uint8

// The classes of failure of ParseState. StateEmpty is what a first run is given
// and no reason to warn.
const (
	StateEmpty    StateProblem = iota + 1
	StateDovecot               // one of Dovecot's own
	StateCut                   // begins as one of ours and is too short or too long
	StateChecksum              // ours, but changed on the way
	StateVersion               // ours, of a version unknown here
	StateForeign               // anything else
)

var stateProblems = [...]string{
	StateEmpty: "it is empty", StateDovecot: "it is one of Dovecot's", StateCut: "it is cut or has something added",
	StateChecksum: "its checksum is wrong", StateVersion: "it is of a version unknown to this program",
	StateForeign: "it is not one of this program's",
}

// StateError says why a text is no state. Problem is for programs.
type StateError struct {
	Problem StateProblem
	Len     int // bytes of the text
}

func (e *StateError) Error() string {
	return fmt.Sprintf("state of %d bytes: %s", e.Len, stateProblems[e.Problem])
}

// ParseState reads what String wrote, white space around it forgiven. Any error is
// a *StateError.
func ParseState(text string) (State, error) {
	fail := func(p StateProblem) (State, error) { return State{}, &StateError{p, len(text)} }
	if len(text) > MaxStateBytes {
		if looksLikeDovecot(strings.TrimSpace(text)) {
			return fail(StateDovecot)
		}
		return fail(StateForeign)
	}
	t := strings.TrimSpace(text)
	if t == "" {
		return fail(StateEmpty)
	}
	version, body, ok := strings.Cut(strings.TrimPrefix(t, statePrefix), stateSep)
	if !strings.HasPrefix(t, statePrefix) || !ok || !digits(version) {
		switch {
		case looksLikeDovecot(t):
			return fail(StateDovecot)
		case strings.HasPrefix(statePrefix+stateVersion+stateSep, t):
			return fail(StateCut)
		}
		return fail(StateForeign)
	}
	if version != stateVersion {
		return fail(StateVersion)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	whole := len(b) == stateBody+stateSumLen || len(b) == stateBody+filterLen+stateSumLen
	if n := base64.RawURLEncoding.DecodedLen(len(body)); err != nil &&
		(n == stateBody+stateSumLen || n == stateBody+filterLen+stateSumLen) {
		return fail(StateChecksum)
	}
	if err != nil || !whole {
		return fail(StateCut)
	}
	b, sum := b[:len(b)-stateSumLen], b[len(b)-stateSumLen:]
	if !bytes.Equal(sum, stateSum(b)) {
		return fail(StateChecksum)
	}
	s, ok := stateOf(b)
	// base64 in Go skips line ends: whoever puts them in did not get it from us.
	if !ok || s.String() != t {
		return fail(StateForeign)
	}
	return s, nil
}

func stateOf(b []byte) (s State, ok bool) {
	for i := range s.Sides {
		p := b[i*sideLen:]
		s.Sides[i] = Side{
			Replica{ReplicaID(binary.BigEndian.Uint64(p)), binary.BigEndian.Uint32(p[8:])},
			Position{binary.BigEndian.Uint64(p[12:]), Tag(binary.BigEndian.Uint64(p[20:]))},
		}
	}
	if len(b) > stateBody {
		copy(s.Filter[:], b[stateBody:])
		if s.Filter == [16]byte{} {
			return State{}, false
		}
	}
	return s, s.Sides[0].Replica.ID != 0 && s.Sides[0].Replica.ID < s.Sides[1].Replica.ID
}

func digits(s string) bool {
	return s != "" && len(s) <= 9 && strings.Trim(s, "0123456789") == ""
}

// What a state of doveadm looks like: base64 of a header, records, and a CRC-32 of
// all before it (little-endian).
const (
	dovecotHeader = 4
	dovecotRecord = 44
	dovecotCRC    = 4
)

func looksLikeDovecot(t string) bool {
	b, err := base64.StdEncoding.DecodeString(t)
	if err != nil {
		return strings.HasPrefix(t, "AQAAA") // cut, but it began as one
	}
	if len(b) < dovecotHeader {
		return false
	}
	if bytes.Equal(b, make([]byte, dovecotHeader)) || bytes.Equal(b[:dovecotHeader], []byte{1, 0, 0, 0}) {
		return true
	}
	n := len(b) - dovecotCRC
	return n >= dovecotHeader && (n-dovecotHeader)%dovecotRecord == 0 &&
		binary.LittleEndian.Uint32(b[n:]) == crc32.ChecksumIEEE(b[:n])
}
