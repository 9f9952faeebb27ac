package crash

import (
	"fmt"
	"slices"
	"testing"

	"dsync/changelog/logdb"
	"dsync/store"
)

func letters(from, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("k%02d", from+i))
	}
	return out
}

// beyond gives one message 26 keywords here and others there, moves another to where
// no letter is left, and has a third come anew.
func beyond() situation {
	return situation{name: "keyword 27", history: []func(a, b client) error{
		func(a, b client) error {
			return steps(a.deliver("INBOX", 2, 0), a.create("box"), a.deliver("box", 1, 0))
		},
		func(a, b client) error {
			return steps(a.flag("INBOX", 0, 0, letters(0, 26)...), a.flag("box", 0, 0, letters(10, 26)...),
				b.flag("INBOX", 0, store.Seen, "more"), b.flag("INBOX", 1, 0, "k00", "more"), b.move("INBOX", "box", 1),
				b.deliver("INBOX", 1, store.Flagged, "other"))
		},
	}}
}

// recorded lists what keywords an account's messages have in the log, and the changes
// that set them.
func recorded(w world) (out []string, err error) {
	db, err := logdb.Open("log", logdb.Options{FS: w.log()})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	all, err := db.Accounts()
	if err != nil {
		return nil, err
	}
	for _, info := range all {
		a, err := db.Account(info.Replica.ID)
		if err != nil {
			return nil, err
		}
		if err := a.AllRecords(func(r *logdb.Record) error {
			l := fmt.Sprintf("%s: %v %v by", info.Location, r.ShownFlags, r.Counted())
			for _, k := range r.Keywords {
				l += fmt.Sprintf(" %v", k.Dot)
			}
			out = append(out, l)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	return out, nil
}

// Rule 9 and P14: a run that crashed while a store had no room for keywords is made good
// by the next, and no log takes what the run did, or could not do, for a client's change.
func TestCrashKeyword27(t *testing.T) {
	w, err := newDiskWorld(false)
	if err != nil {
		t.Fatal(err)
	}
	s := beyond()
	if err := prepare(w, s); err != nil {
		t.Fatal(err)
	}
	every := 5
	if long() {
		every = 1
	}
	c, err := shoot(w, s.o, 1, every)
	if err != nil {
		t.Fatal(err)
	}
	want, err := recorded(w)
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, l := range want {
		most = max(most, len(l))
	}
	if len(want) != 8 || most < 27*4 {
		t.Fatalf("without a crash:\n%q", want)
	}
	for _, i := range c.images {
		if err := again(i.w, s.o); err != nil {
			t.Fatalf("crash before write %d of %d (%s): %v", i.n, c.writes, i.what, err)
		}
		got, err := recorded(i.w)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("crash before write %d of %d (%s): %v\n%q, want\n%q", i.n, c.writes, i.what, err, got, want)
		}
	}
	t.Logf("%d images", len(c.images))
}
