package changelog

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func genState(t *rapid.T) State {
	side := func(id uint64) Side {
		return Side{Replica{ReplicaID(id), rapid.Uint32().Draw(t, "epoch")},
			Position{rapid.Uint64().Draw(t, "seq"), Tag(rapid.Uint64().Draw(t, "tag"))}}
	}
	a := rapid.Uint64Range(1, 1<<63).Draw(t, "a")
	b := rapid.Uint64Range(a+1, ^uint64(0)).Draw(t, "b")
	var f [16]byte
	copy(f[:], rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "filter"))
	return NewState(side(b), side(a), f)
}

var stateText = regexp.MustCompile(`^[A-Za-z0-9+/=_.][A-Za-z0-9+/=_.-]*$`)

func TestStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genState(t)
		text := s.String()
		got, err := ParseState(text + "\n")
		if err != nil || got != s || !stateText.MatchString(text) {
			t.Fatalf("%q gave %+v, %v; want %+v", text, got, err, s)
		}
		if want := len(State{}.String()); s.Filter == [16]byte{} && len(text) != want {
			t.Fatalf("%d bytes, want always %d", len(text), want)
		}
		// Any change of one byte, any cut and any addition is noticed.
		b := []byte(text)
		i := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		b[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		var se *StateError
		if got, err := ParseState(string(b)); strings.TrimSpace(string(b)) != text && !errors.As(err, &se) {
			t.Fatalf("%q gave %+v, %v", b, got, err)
		}
		for _, bad := range []string{text[:i], text + "A", text + text} {
			if _, err := ParseState(bad); !errors.As(err, &se) {
				t.Fatalf("%q was accepted", bad)
			}
		}
	})
}

func dovecotState(records int) string {
	b := make([]byte, 4+44*records)
	b[0] = 1
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.StdEncoding.EncodeToString(b)
}

func TestStateProblems(t *testing.T) {
	good := State{Sides: [2]Side{{Replica: Replica{1, 0}}, {Replica: Replica{2, 0}}}}.String()
	flip := []byte(good)
	flip[20] ^= 1
	unordered := State{Sides: [2]Side{{Replica: Replica{2, 0}}, {Replica: Replica{1, 0}}}}.String()
	same := State{Sides: [2]Side{{Replica: Replica{2, 0}}, {Replica: Replica{2, 1}}}}.String()
	for _, c := range []struct {
		text string
		want StateProblem
	}{
		{"", StateEmpty}, {" \n", StateEmpty},
		{dovecotState(0), StateDovecot}, {dovecotState(3), StateDovecot}, {dovecotState(3)[:50], StateDovecot}, {"AAAAAA==", StateDovecot},
		{dovecotState(1200), StateDovecot}, {dovecotState(3000), StateDovecot},
		{"ds", StateCut}, {"ds1.", StateCut}, {good[:len(good)-1], StateCut}, {good[:40], StateCut}, {good + "AAAA", StateCut},
		{string(flip), StateChecksum}, {good[:len(good)-1] + "_", StateChecksum},
		{"ds2." + good[4:], StateVersion}, {"ds999.x", StateVersion},
		{unordered, StateForeign}, {same, StateForeign}, {"garbage!!", StateForeign}, {"hello", StateForeign}, {"-x", StateForeign},
		{"ds1", StateCut}, {"dsx.", StateForeign}, {strings.Repeat("x", MaxStateBytes+1), StateForeign}, {"AAAA", StateForeign},
	} {
		_, err := ParseState(c.text)
		var se *StateError
		if !errors.As(err, &se) || se.Problem != c.want {
			t.Errorf("%.60q: %v, want %s", c.text, err, stateProblems[c.want])
		}
	}
}

func FuzzParseState(f *testing.F) {
	f.Add("")
	f.Add(State{Sides: [2]Side{{Replica: Replica{1, 0}}, {Replica: Replica{2, 7}}}}.String())
	f.Add(State{Sides: [2]Side{{Replica: Replica{1, 0}}, {Replica: Replica{2, 7}}}, Filter: [16]byte{9}}.String())
	f.Add(dovecotState(2))
	f.Add("ds1.\n")
	f.Fuzz(func(t *testing.T, s string) {
		st, err := ParseState(s)
		if err == nil && st.String() != strings.TrimSpace(s) {
			t.Fatalf("accepted %q, which is written %q", s, st)
		}
	})
}
