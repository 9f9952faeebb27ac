package changelog

import (
	"testing"

	"dsync/store"
)

// What was found without history yields to what is known, under every choice; equal
// stamps go by value.
func TestChoices(t *testing.T) {
	at := func(seq uint64, time int64, on bool) BoolWrite {
		return BoolWrite{Write{Dot{Replica{1, 0}, seq}, Stamp{Time: time}}, on}
	}
	for _, c := range []struct {
		name  string
		ws    []BoolWrite
		shown [choices]bool // LaterWins, EarlierWins, LargerWins, OnWins, OffWins
	}{
		{"none", nil, [choices]bool{}},
		{"later yes", []BoolWrite{at(1, 5, false), at(2, 6, true)}, [choices]bool{true, false, true, true, false}},
		{"later no", []BoolWrite{at(1, 6, false), at(2, 5, true)}, [choices]bool{false, true, true, true, false}},
		{"equal", []BoolWrite{at(1, 5, false), at(2, 5, true)}, [choices]bool{true, true, true, true, false}},
		{"found yes", []BoolWrite{at(1, 5, false), at(2, 0, true)}, [choices]bool{}},
		{"found no", []BoolWrite{at(1, 5, true), at(2, 0, false)}, [choices]bool{true, true, true, true, true}},
		{"both found", []BoolWrite{at(1, 0, true), at(2, 0, false)}, [choices]bool{true, true, true, true, false}},
	} {
		for x, want := range c.shown {
			if got := ShownBool(c.ws, Choice(x)); got != want {
				t.Errorf("%s, choice %d: got %v", c.name, x, got)
			}
			if len(c.ws) == 2 {
				if got := ShownBool([]BoolWrite{c.ws[1], c.ws[0]}, Choice(x)); got != want {
					t.Errorf("%s, choice %d, in the other order: got %v", c.name, x, got)
				}
			}
		}
	}
}

// A choice is one field and one number of the format more; without one the bytes are
// those of format 1.
func TestFormatOfChoices(t *testing.T) {
	n := &Node{GUIDs: []store.MailboxGUID{{1}}, UIDNext: 1}
	one := AppendNode(nil, n)
	n.Chosen.Attrs = LargerWins
	two := AppendNode(nil, n)
	if one[1] != NodeFormat || two[1] != NodeFormat+1 || len(two) != len(one)+5 {
		t.Errorf("got % x\nand % x", one, two)
	}
	two[len(two)-1] = byte(LaterWins)
	if _, err := DecodeNode(two); err == nil {
		t.Error("choices that are as ever were taken")
	}
	two[len(two)-1] = byte(choices)
	if _, err := DecodeNode(two); err == nil {
		t.Error("an unknown choice was taken")
	}
}
