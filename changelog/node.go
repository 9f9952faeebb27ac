package changelog

import (
	"cmp"
	"slices"

	"dsync/store"
)

// Create is kept for good: where a mailbox was made, and in which generation of
// that place (tree.md 6).
type Create struct {
	Write
	Parent store.MailboxGUID // zero: top level
	Name   string            // last level
	Gen    uint32            // 0 for INBOX and for what was found without history
	// NoSelect: made only as somebody's parent, without presence (tree.md 7).
	NoSelect bool
}

// PlaceWrite puts a mailbox under a parent, by its whole path at that time (the
// value by which equal stamps are ordered).
type PlaceWrite struct {
	Write
	Parent store.MailboxGUID
	Path   store.Name
}

// NodePresence is a write that makes a mailbox exist. A delivery, copy or move
// into it counts as one (conflicts.md 15).
type NodePresence struct {
	Write
	Delivery bool
}

// BoolWrite is a write of a yes/no register.
type BoolWrite struct {
	Write
	On bool
}

// AttrWrite is a write of one attribute; the empty value removes it.
type AttrWrite struct {
	Write
	Key   string
	Value string
}

// Node is one node of the mailbox tree: a mailbox, a \Noselect parent (a mailbox
// without presence), or a tombstone. The node with the zero GUID is the account:
// it has attributes only.
type Node struct {
	GUIDs    []store.MailboxGUID // ascending; all names it goes by; the first is shown
	Creates  []Create            // by dot
	Places   []PlaceWrite        // by dot
	Presence []NodePresence      // by dot
	Subs     []BoolWrite         // by dot
	Attrs    []AttrWrite         // by key, then dot
	Past     Dots

	// Chosen says which of the writes are shown, and who holds the name.
	Chosen Chosen
	// UIDValidity and UIDNext as this replica shows them; no registers.
	UIDValidity store.UIDValidity
	UIDNext     store.UID
}

// GUID is the name the node is shown under.
func (n *Node) GUID() store.MailboxGUID { return n.GUIDs[0] }

// IsAccount reports whether the node stands for the account.
func (n *Node) IsAccount() bool { return n.GUIDs[0].IsZero() }

// IsInbox reports whether the node is (an alias of) INBOX.
func (n *Node) IsInbox() bool {
	return slices.ContainsFunc(n.Creates, func(c Create) bool { return c.Parent.IsZero() && c.Name == string(store.Inbox) })
}

// Created reports whether a create still stands, as against a leftover that
// lives by a delivery alone.
func (n *Node) Created() bool {
	return slices.ContainsFunc(n.Presence, func(p NodePresence) bool { return !p.Delivery })
}

// Place is the winning place write; ok is false for the account. A node that has
// lost all place writes is where it was made: nothing is ever nowhere.
func (n *Node) Place() (PlaceWrite, bool) {
	if len(n.Places) == 0 {
		if len(n.Creates) == 0 {
			return PlaceWrite{}, false
		}
		c := n.Creates[0]
		return PlaceWrite{c.Write, c.Parent, store.Name(c.Name)}, true
	}
	best := n.Places[0]
	for _, p := range n.Places[1:] {
		if n.Chosen.Place.wins(p.Write, best.Write, cmp.Compare(best.Path, p.Path)) > 0 {
			best = p
		}
	}
	return best, true
}

// Subscribed is the value of the subscription register.
func (n *Node) Subscribed() bool { return ShownBool(n.Subs, n.Chosen.Subs) }

// Attributes are the shown values, without removed ones. Of equal stamps the larger
// value is shown.
func (n *Node) Attributes() map[string]string {
	best := map[string]AttrWrite{}
	for _, w := range n.Attrs {
		if b, ok := best[w.Key]; !ok || n.Chosen.Attrs.wins(w.Write, b.Write, cmp.Compare(w.Value, b.Value)) > 0 {
			best[w.Key] = w
		}
	}
	out := map[string]string{}
	for k, w := range best {
		if w.Value != "" {
			out[k] = w.Value
		}
	}
	return out
}

// Clone copies the node; the copy shares no slice with it.
func (n *Node) Clone() *Node {
	c := *n
	c.GUIDs = slices.Clone(n.GUIDs)
	c.Creates = slices.Clone(n.Creates)
	c.Places = slices.Clone(n.Places)
	c.Presence = slices.Clone(n.Presence)
	c.Subs = slices.Clone(n.Subs)
	c.Attrs = slices.Clone(n.Attrs)
	c.Past = n.Past.Clone()
	return &c
}

// Deliver records that change w brought a message into the mailbox: it replaces
// the earlier deliveries' presence, never a create's.
func (n *Node) Deliver(w Write) {
	old := n.Presence
	n.Presence = slices.DeleteFunc(slices.Clone(old), func(p NodePresence) bool { return p.Delivery })
	n.Presence = append(n.Presence, NodePresence{w, true})
	sortPresence(n.Presence)
	for _, p := range old {
		n.retire(p.Dot)
	}
}

// Remove records that change d deleted the mailbox.
func (n *Node) Remove(d Dot) {
	old := n.Presence
	n.Presence = nil
	n.Past.Add(d)
	for _, p := range old {
		n.retire(p.Dot)
	}
}

// Revive gives a \Noselect parent its presence: it becomes a mailbox.
func (n *Node) Revive(c Create) {
	n.Creates = append(slices.Clone(n.Creates), c)
	SortCreates(n.Creates)
	n.Presence = append(slices.Clone(n.Presence), NodePresence{c.Write, false})
	sortPresence(n.Presence)
}

// OnlyParent reports whether the node was never more than somebody's parent.
func (n *Node) OnlyParent() bool {
	return len(n.Presence) == 0 && !slices.ContainsFunc(n.Creates, func(c Create) bool { return !c.NoSelect })
}

// AddGUID gives the node one more name.
func (n *Node) AddGUID(g store.MailboxGUID) {
	if i, ok := slices.BinarySearchFunc(n.GUIDs, g, store.MailboxGUID.Compare); !ok {
		n.GUIDs = slices.Insert(slices.Clone(n.GUIDs), i, g)
	}
}

// MoveTo records that change w put the mailbox under a parent.
func (n *Node) MoveTo(w Write, parent store.MailboxGUID, path store.Name) {
	old := n.Places
	n.Places = []PlaceWrite{{w, parent, path}}
	for _, p := range old {
		n.retire(p.Dot)
	}
}

// Subscribe records that change w (un)subscribed it.
func (n *Node) Subscribe(w Write, on bool) {
	old := n.Subs
	n.Subs = []BoolWrite{{w, on}}
	for _, p := range old {
		n.retire(p.Dot)
	}
}

// SetAttr records that change w set an attribute; "" removes it.
func (n *Node) SetAttr(w Write, key, value string) {
	var old []AttrWrite
	n.Attrs = slices.DeleteFunc(slices.Clone(n.Attrs), func(a AttrWrite) bool {
		if a.Key == key {
			old = append(old, a)
			return true
		}
		return false
	})
	n.Attrs = append(n.Attrs, AttrWrite{w, key, value})
	SortAttrs(n.Attrs)
	for _, a := range old {
		n.retire(a.Dot)
	}
}

func (n *Node) retire(d Dot) {
	found := false
	n.EachLive(func(l Dot) { found = found || l == d })
	if !found {
		n.Past.Add(d)
	}
}

// EachLive calls f with the dot of every create and live write.
func (n *Node) EachLive(f func(Dot)) {
	for _, w := range n.Creates {
		f(w.Dot)
	}
	for _, w := range n.Places {
		f(w.Dot)
	}
	for _, w := range n.Presence {
		f(w.Dot)
	}
	for _, w := range n.Subs {
		f(w.Dot)
	}
	for _, w := range n.Attrs {
		f(w.Dot)
	}
}

// Mentions is every dot that the node knows, live and past.
func (n *Node) Mentions() Dots {
	s := n.Past.Clone()
	n.EachLive(s.Add)
	return s
}

// SortCreates puts creates into their order: by dot.
func SortCreates(ws []Create) {
	slices.SortFunc(ws, func(a, b Create) int { return a.Dot.Compare(b.Dot) })
}

func sortPresence(ws []NodePresence) {
	slices.SortFunc(ws, func(a, b NodePresence) int { return a.Dot.Compare(b.Dot) })
}

// SortAttrs puts attribute writes into their order: key, then dot.
func SortAttrs(ws []AttrWrite) {
	slices.SortFunc(ws, func(a, b AttrWrite) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), a.Dot.Compare(b.Dot))
	})
}

// Bare is the subscription of a name that no node may stand for (tree.md 11).
type Bare struct {
	Name store.Name
	Subs []BoolWrite // by dot
	Past Dots
	// Chosen says which of Subs is shown, as in Chosen.Subs.
	Chosen Choice
}

// Subscribed is the value of the register.
func (b *Bare) Subscribed() bool { return ShownBool(b.Subs, b.Chosen) }

// Clone copies the entry.
func (b *Bare) Clone() *Bare { return &Bare{b.Name, slices.Clone(b.Subs), b.Past.Clone(), b.Chosen} }

// Subscribe records that change w (un)subscribed the name.
func (b *Bare) Subscribe(w Write, on bool) {
	for _, p := range b.Subs {
		b.Past.Add(p.Dot)
	}
	b.Subs = []BoolWrite{{w, on}}
}

// Mentions is every dot that the entry knows.
func (b *Bare) Mentions() Dots {
	s := b.Past.Clone()
	for _, w := range b.Subs {
		s.Add(w.Dot)
	}
	return s
}

// Held says that a path has shown a UIDVALIDITY for a mailbox (tree.md 9).
type Held struct {
	UIDValidity store.UIDValidity
	Holder      store.MailboxGUID
}
