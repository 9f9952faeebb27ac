package draw

import (
	"slices"

	"dsync/fuzz/scenario"
)

// state is what one replica shows after a row.
type state struct {
	Replica string
	Changed bool // by this row
	Unknown bool // nobody has looked yet
	Boxes   []box
}

// box is a mailbox, or the line of subscriptions.
type box struct {
	Name  string
	Class string // new, gone or ""
	Words []word
}

// word is a message or a subscribed name.
type word struct{ Text, Class string }

// compare lists what a replica shows, with what is new or gone since before.
func compare(replica string, before, after *scenario.Listing, changed bool) state {
	s := state{Replica: replica, Unknown: after == nil}
	if after == nil {
		return s
	}
	if before == nil {
		before = &scenario.Listing{}
		changed = false
	}
	old := rowsOf(before)
	now := rowsOf(after)
	for _, r := range now {
		b := box{Name: r.Name}
		i := slices.IndexFunc(old, func(o mailboxRow) bool { return o.Name == r.Name })
		if i < 0 && changed {
			b.Class = "new"
		}
		var was []string
		if i >= 0 {
			was = old[i].words
		}
		for _, w := range r.words {
			class := ""
			if changed && !slices.Contains(was, w) {
				class = "new"
			}
			b.Words = append(b.Words, word{w, class})
		}
		for _, w := range was {
			if changed && !slices.Contains(r.words, w) {
				b.Words = append(b.Words, word{w, "gone"})
			}
		}
		s.Boxes = append(s.Boxes, b)
	}
	for _, o := range old {
		if changed && !slices.ContainsFunc(now, func(r mailboxRow) bool { return r.Name == o.Name }) {
			b := box{Name: o.Name, Class: "gone"}
			for _, w := range o.words {
				b.Words = append(b.Words, word{w, "gone"})
			}
			s.Boxes = append(s.Boxes, b)
		}
	}
	s.Changed = changed && before.String() != after.String()
	return s
}

// mailboxRow is a mailbox with what is in it.
type mailboxRow struct {
	Name  string
	words []string
}

func rowsOf(l *scenario.Listing) (out []mailboxRow) {
	for _, b := range l.Mailboxes {
		r := mailboxRow{Name: clean(string(b.Name))}
		if b.NoSelect {
			r.words = append(r.words, "(noselect)")
		}
		if b.Attribute != "" {
			r.words = append(r.words, clean("{"+b.Attribute+"}"))
		}
		for _, m := range b.Messages {
			r.words = append(r.words, clean(m.String()))
		}
		out = append(out, r)
	}
	if len(l.Subscribed) > 0 {
		r := mailboxRow{Name: "subscribed"}
		for _, n := range l.Subscribed {
			r.words = append(r.words, clean(string(n)))
		}
		out = append(out, r)
	}
	return out
}
