package scenario

import (
	"cmp"
	"slices"
	"strings"

	"dsync/store"
)

// Listing is what a client sees of an account.
type Listing struct {
	Mailboxes  []Mailbox    `json:"mailboxes"`
	Subscribed []store.Name `json:"subscribed,omitempty"`
}

// Mailbox is one mailbox of a listing.
type Mailbox struct {
	Name      store.Name `json:"name"`
	NoSelect  bool       `json:"noselect,omitempty"`  // a parent that holds no mail
	Attribute string     `json:"attribute,omitempty"` // /shared/comment
	Messages  []Message  `json:"messages,omitempty"`  // by UID

	// What an engine knows besides; no expectation names it.
	GUID        string `json:"guid,omitempty"`
	UIDValidity uint32 `json:"uidvalidity,omitempty"`
	UIDNext     uint32 `json:"uidnext,omitempty"`
}

// Message is one message of a listing.
type Message struct {
	UID   uint32   `json:"uid,omitempty"`   // 0 in an expectation: any
	Name  string   `json:"name"`            // of its content
	Flags []string `json:"flags,omitempty"` // and keywords, sorted

	GUID     string `json:"guid,omitempty"`
	Received Moment `json:"received,omitzero"`
	Size     int64  `json:"size,omitempty"`
}

// String writes the message as a row has it: 3:m[\Seen work].
func (m Message) String() string {
	s := m.Name
	if m.UID != 0 {
		s = decimal(m.UID) + ":" + s
	}
	if len(m.Flags) > 0 {
		s += "[" + strings.Join(m.Flags, " ") + "]"
	}
	return s
}

// Row writes one mailbox as an expectation has it, without the bar.
func (b Mailbox) Row() string {
	w := []string{word(string(b.Name), rowWord)}
	if b.NoSelect {
		w = append(w, "(noselect)")
	}
	if b.Attribute != "" {
		w = append(w, "{"+quote(b.Attribute)+"}")
	}
	for _, m := range b.Messages {
		w = append(w, m.String())
	}
	return strings.Join(w, " ")
}

// Rows writes the listing as an expectation has it, without the bars.
func (l *Listing) Rows() []string {
	var out []string
	for _, b := range l.Mailboxes {
		out = append(out, b.Row())
	}
	if len(l.Subscribed) > 0 {
		row := "subscribed"
		for _, n := range l.Subscribed {
			row += " " + word(string(n), anyWord)
		}
		out = append(out, row)
	}
	return out
}

func (l *Listing) String() string { return strings.Join(l.Rows(), "\n") }

// Plain gives what expectations compare: names and rows, in order; a mailbox that
// a collision gave a name of its GUID is called NAME-guid.
func (l *Listing) Plain() *Listing {
	out := &Listing{Subscribed: slices.Clone(l.Subscribed)}
	names := map[store.Name]store.Name{}
	for _, b := range l.Mailboxes {
		if n := stableName(b); n != b.Name {
			names[b.Name] = n
		}
	}
	for _, b := range l.Mailboxes {
		c := Mailbox{Name: rename(b.Name, names), NoSelect: b.NoSelect, Attribute: b.Attribute}
		for _, m := range b.Messages {
			fs := slices.Clone(m.Flags)
			slices.Sort(fs)
			c.Messages = append(c.Messages, Message{UID: m.UID, Name: m.Name, Flags: fs})
		}
		slices.SortStableFunc(c.Messages, func(a, b Message) int {
			return cmp.Or(cmp.Compare(a.UID, b.UID), strings.Compare(a.String(), b.String()))
		})
		out.Mailboxes = append(out.Mailboxes, c)
	}
	for i, n := range out.Subscribed {
		out.Subscribed[i] = rename(n, names)
	}
	slices.SortFunc(out.Mailboxes, func(a, b Mailbox) int { return store.CompareNames(a.Name, b.Name) })
	slices.SortFunc(out.Subscribed, store.CompareNames)
	return out
}

// stableName writes "guid" for the digits of a mailbox's own GUID at the end of
// its name: they differ from engine to engine.
func stableName(b Mailbox) store.Name {
	if len(b.GUID) >= 8 {
		if rest, ok := strings.CutSuffix(string(b.Name), "-"+b.GUID[:8]); ok {
			return store.Name(rest + "-guid")
		}
	}
	return b.Name
}

func rename(n store.Name, names map[store.Name]store.Name) store.Name {
	best := store.Name("")
	for old := range names { // any order: the longest is one
		if (n == old || n.IsUnder(old)) && len(old) > len(best) {
			best = old
		}
	}
	if best == "" {
		return n
	}
	return names[best] + n[len(best):]
}

// WithoutUIDs gives a copy without UIDs, each mailbox sorted by content.
func (l *Listing) WithoutUIDs() *Listing {
	out := l.Plain()
	for i := range out.Mailboxes {
		out.Mailboxes[i] = out.Mailboxes[i].withoutUIDs()
	}
	return out
}

func (b Mailbox) withoutUIDs() Mailbox {
	for i := range b.Messages {
		b.Messages[i].UID = 0
	}
	slices.SortFunc(b.Messages, func(x, y Message) int { return strings.Compare(x.String(), y.String()) })
	return b
}

// Matches reports whether what an engine shows is what the listing expects. Where
// it names no UID of a mailbox, UIDs there are not compared. Keywords are compared
// without regard to case: a Maildir has one spelling in a mailbox.
func (l *Listing) Matches(shown *Listing) bool {
	want, got := l.Plain(), shown.Plain()
	if !slices.Equal(want.Subscribed, got.Subscribed) || len(want.Mailboxes) != len(got.Mailboxes) {
		return false
	}
	for i, w := range want.Mailboxes {
		g := got.Mailboxes[i]
		if !slices.ContainsFunc(w.Messages, func(m Message) bool { return m.UID != 0 }) {
			w, g = w.withoutUIDs(), g.withoutUIDs()
		}
		if w.folded().Row() != g.folded().Row() {
			return false
		}
	}
	return true
}

// folded writes keywords as they are compared.
func (b Mailbox) folded() Mailbox {
	for _, m := range b.Messages {
		for i, f := range m.Flags {
			if !strings.HasPrefix(f, `\\`) {
				m.Flags[i] = store.FoldKeyword(f)
			}
		}
		slices.Sort(m.Flags)
	}
	return b
}
