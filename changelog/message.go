package changelog

import (
	"cmp"
	"math"
	"slices"

	"dsync/store"
)

// Write is what all writes share: the dot they were made under and their stamp.
type Write struct {
	Dot   Dot
	Stamp Stamp
}

// Found reports whether the write stems from a look without history.
func (w Write) Found() bool { return w.Stamp.IsFound() }

// Later orders writes of one register: stamp, then the order of values given by
// the caller, then dot. "Equal stamps go by value, then replica" (tree.md 13).
func (w Write) Later(o Write, byValue int) int {
	if c := w.Stamp.Compare(o.Stamp); c != 0 {
		return c
	}
	if byValue != 0 {
		return byValue
	}
	return w.Dot.Compare(o.Dot)
}

// Presence is a write that puts a message into a mailbox.
type Presence struct {
	Write
	Mailbox store.MailboxGUID
}

// FlagWrite sets or clears one system flag.
type FlagWrite struct {
	Write
	Flag store.Flags // exactly one
	Set  bool
	// Back: the writer undid its own change before anybody could have seen it. Who
	// looks at states and not at changes sees nothing here.
	Back bool
}

// KeywordWrite sets or clears one keyword. Writes are of one register when their
// names fold alike.
type KeywordWrite struct {
	Write
	Name string // as the writer spelt it
	Set  bool
	Back bool // as in FlagWrite
}

// Message is one message, wherever it is or was.
//
// It is named by its origin dots: those of the Deliver, Found or Copy it stems
// from, of linked copies all of them; they are kept as long as it is known. An
// empty Presence makes it a tombstone: it keeps its registers and has no UID.
type Message struct {
	Origins  []Write        // by dot; at least one
	Content  store.Content  // of linked copies the same
	Received int64          // unix seconds; of linked copies the earliest
	Presence []Presence     // by dot
	Flags    []FlagWrite    // by flag, then dot
	Keywords []KeywordWrite // by folded name, then dot
	Past     Dots           // of changes to this message that left no live write

	// Chosen says which of Presence is shown (rule 5): LaterWins or EarlierWins.
	Chosen Choice
	// UID is where this replica shows the message; 0: none yet. It is no
	// register: merge has a rule for it.
	UID store.UID
	// Was says where a tombstone was last shown here (conflicts.md 28).
	Was Was
}

// Was is the last place of an expunged message.
type Was struct {
	Mailbox     store.MailboxGUID
	UIDValidity store.UIDValidity
	UID         store.UID
}

// ID is the smallest origin dot: the name of the entry in this view.
func (m *Message) ID() Dot { return m.Origins[0].Dot }

// Stamp is that of the smallest origin (messages.md 9).
func (m *Message) Stamp() Stamp { return m.Origins[0].Stamp }

// Live reports whether the message is in a mailbox.
func (m *Message) Live() bool { return len(m.Presence) > 0 }

// Place gives the mailbox that shows the message: that of the presence write which
// wins.
func (m *Message) Place() (store.MailboxGUID, bool) {
	if len(m.Presence) == 0 {
		return store.MailboxGUID{}, false
	}
	return m.Placed().Mailbox, true
}

// Placed is the presence write that wins. The message must be live.
func (m *Message) Placed() Presence {
	best := m.Presence[0]
	for _, p := range m.Presence[1:] {
		if m.Chosen.wins(p.Write, best.Write, p.Mailbox.Compare(best.Mailbox)) > 0 {
			best = p
		}
	}
	return best
}

// NewMessage makes an entry for a message that came into a mailbox by the change
// w. Flags and keywords that it came with are writes of that change.
func NewMessage(w Write, in store.MailboxGUID, c store.Content, received int64, flags store.Flags, keywords []string) *Message {
	m := &Message{Origins: []Write{w}, Content: c, Received: received, Presence: []Presence{{w, in}}}
	for f := range flags.Each {
		m.Flags = append(m.Flags, FlagWrite{Write: w, Flag: f, Set: true})
	}
	for _, k := range keywords {
		m.Keywords = append(m.Keywords, KeywordWrite{Write: w, Name: k, Set: true})
	}
	SortKeywords(m.Keywords)
	return m
}

// Clone copies the entry; the copy shares no slice with it.
func (m *Message) Clone() *Message {
	c := *m
	c.Origins = slices.Clone(m.Origins)
	c.Presence = slices.Clone(m.Presence)
	c.Flags = slices.Clone(m.Flags)
	c.Keywords = slices.Clone(m.Keywords)
	c.Past = m.Past.Clone()
	return &c
}

// Move records that change w put the message into a mailbox: it replaces all
// presence writes that stood.
func (m *Message) Move(w Write, to store.MailboxGUID) {
	old := m.Presence
	m.Presence = []Presence{{w, to}}
	for _, p := range old {
		m.retire(p.Dot)
	}
	m.Was = Was{}
}

// Expunge records that change d removed the message from where it was.
func (m *Message) Expunge(d Dot, was Was) {
	old := m.Presence
	m.Presence = nil
	m.Past.Add(d)
	for _, p := range old {
		m.retire(p.Dot)
	}
	m.UID, m.Was = 0, was
}

// AllShared is the shared of SetFlag and SetKeyword for a writer that tells others
// of each change at once.
const AllShared = math.MaxUint64

// SetFlag records that change w set or cleared one flag. shared is how far the
// writer has told others of its changes (Position.Seq).
func (m *Message) SetFlag(w Write, f store.Flags, on bool, shared uint64) {
	var old []FlagWrite
	m.Flags = slices.DeleteFunc(slices.Clone(m.Flags), func(x FlagWrite) bool {
		if x.Flag == f {
			old = append(old, x)
			return true
		}
		return false
	})
	back := len(old) == 1 && undoes(w, on, shared, old[0].Write, old[0].Set, old[0].Back)
	m.Flags = append(m.Flags, FlagWrite{w, f, on, back})
	SortFlags(m.Flags)
	for _, x := range old {
		m.retire(x.Dot)
	}
}

// SetKeyword records that change w set or cleared one keyword; shared is as in
// SetFlag.
func (m *Message) SetKeyword(w Write, name string, on bool, shared uint64) {
	fold := store.FoldKeyword(name)
	var old []KeywordWrite
	m.Keywords = slices.DeleteFunc(slices.Clone(m.Keywords), func(x KeywordWrite) bool {
		if store.FoldKeyword(x.Name) == fold {
			old = append(old, x)
			return true
		}
		return false
	})
	back := len(old) == 1 && undoes(w, on, shared, old[0].Write, old[0].Set, old[0].Back)
	m.Keywords = append(m.Keywords, KeywordWrite{w, name, on, back})
	SortKeywords(m.Keywords)
	for _, x := range old {
		m.retire(x.Dot)
	}
}

// undoes reports whether a write brings a register back to what others know of it:
// it replaces a write of its own writer that nobody has been told of. Of several
// such in a row every second does.
func undoes(w Write, on bool, shared uint64, old Write, was, back bool) bool {
	return old.Dot.Replica == w.Dot.Replica && old.Dot.Seq > shared && !old.Found() && was != on && !back
}

// retire notes the dot of a write that no longer counts, unless the message
// still mentions it elsewhere.
func (m *Message) retire(d Dot) {
	if !m.mentionsLive(d) {
		m.Past.Add(d)
	}
}

func (m *Message) mentionsLive(d Dot) bool {
	return slices.ContainsFunc(m.Origins, func(w Write) bool { return w.Dot == d }) ||
		slices.ContainsFunc(m.Presence, func(w Presence) bool { return w.Dot == d }) ||
		slices.ContainsFunc(m.Flags, func(w FlagWrite) bool { return w.Dot == d }) ||
		slices.ContainsFunc(m.Keywords, func(w KeywordWrite) bool { return w.Dot == d })
}

// EachLive calls f with the dot of every origin and live write; a dot may come
// more than once.
func (m *Message) EachLive(f func(Dot)) {
	for _, w := range m.Origins {
		f(w.Dot)
	}
	for _, w := range m.Presence {
		f(w.Dot)
	}
	for _, w := range m.Flags {
		f(w.Dot)
	}
	for _, w := range m.Keywords {
		f(w.Dot)
	}
}

// Mentions is every dot that the entry knows, live and past.
func (m *Message) Mentions() Dots {
	s := m.Past.Clone()
	m.EachLive(s.Add)
	return s
}

// SortFlags puts flag writes into their order: flag, then dot.
func SortFlags(ws []FlagWrite) {
	slices.SortFunc(ws, func(a, b FlagWrite) int {
		return cmp.Or(cmp.Compare(a.Flag, b.Flag), a.Dot.Compare(b.Dot))
	})
}

// SortKeywords puts keyword writes into their order: folded name, then dot.
func SortKeywords(ws []KeywordWrite) {
	slices.SortFunc(ws, func(a, b KeywordWrite) int {
		return cmp.Or(cmp.Compare(store.FoldKeyword(a.Name), store.FoldKeyword(b.Name)), a.Dot.Compare(b.Dot))
	})
}
