package logdb

import (
	"slices"
	"testing"

	"dsync/store"
)

// TestUnshownFormat: a record is written in format 1 as long as its store shows all its
// keywords; what is between the two formats is refused.
func TestUnshownFormat(t *testing.T) {
	t.Parallel()
	r := message(3)
	plain := appendRecord(nil, r)
	if plain[0] != 0x98 || plain[1] != 1 {
		t.Fatalf("fields and format: % x", plain[:2])
	}
	r.Show([]string{"a", "B", "c"}, []string{"b", "x"})
	if !slices.Equal(r.ShownKeywords, []string{"a", "c"}) || !slices.Equal(r.Unshown, []string{"B"}) ||
		!slices.Equal(r.Counted(), []string{"a", "B", "c"}) {
		t.Fatalf("shown %q, not shown %q, together %q", r.ShownKeywords, r.Unshown, r.Counted())
	}
	more := appendRecord(nil, r)
	if more[0] != 0x99 || more[1] != 2 {
		t.Fatalf("fields and format: % x", more[:2])
	}
	got, err := decodeRecord(more)
	if err != nil || !slices.Equal(got.Unshown, r.Unshown) || !slices.Equal(got.ShownKeywords, r.ShownKeywords) {
		t.Fatalf("%+v, %v", got, err)
	}
	one, three := slices.Clone(more), slices.Clone(more)
	one[1], three[1] = 1, 3
	none := slices.Clone(more)
	at := slices.Index(none, 'B') - 2 // the list's header
	none = slices.Replace(none, at, at+3, 0x90)
	for what, b := range map[string][]byte{"format 1 with 9 fields": one, "format 3": three, "an empty list": none, "cut": more[:at+1]} {
		if _, err := decodeRecord(b); err == nil {
			t.Errorf("%s was read", what)
		}
	}
	if r.Unhold(); r.Counted() != nil || r.Mailbox != (store.MailboxGUID{}) {
		t.Fatalf("%+v", r)
	}
}
