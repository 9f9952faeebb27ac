package changelog

import (
	"cmp"
	"slices"

	"dsync/store"
)

// Tree is the mailbox tree of one replica: all nodes, the bare subscriptions,
// and the UIDVALIDITYs that each path has shown.
type Tree struct {
	Nodes []*Node               // by GUID; the account's first, if there is one
	Bare  []*Bare               // by name
	UVs   map[store.Name][]Held // each list ascending
}

// Slot is one place of the tree as a mail client sees it.
type Slot struct {
	Path    store.Name
	Parent  *Slot
	Holder  *Node   // whose UIDVALIDITY and UIDs are shown; nil: not selectable
	Members []*Node // every node shown here, holder, leftovers and tombstones, by GUID
	Shown   bool    // selectable, or a \Noselect parent of something shown
	Loser   bool    // shown under another name because a later one holds it
}

// Layout is what a tree shows: a pure function of its nodes and of which of them
// hold mail.
type Layout struct {
	ByPath map[store.Name]*Slot // every slot, hidden ones too
	Slots  []*Slot              // by CompareNames
	in     map[store.MailboxGUID]*Slot
	Cycles []*Node // nodes whose place would close a cycle; shown at the top level
}

// In gives the slot that shows the node of this GUID (or alias); nil if unknown.
func (l *Layout) In(g store.MailboxGUID) *Slot { return l.in[g] }

// Layout computes what the tree shows. live reports whether a node holds at least
// one message: such a node is never hidden, whatever became of its presence.
//
// The rules are tree.md 4, 5, 8 and 10.
func (t *Tree) Layout(live func(store.MailboxGUID) bool) *Layout {
	b := layouter{
		live: live, byGUID: map[store.MailboxGUID]*Node{}, parent: map[*Node]*Node{},
		kids: map[*Node][]*Node{}, place: map[*Node]PlaceWrite{},
		out: &Layout{ByPath: map[store.Name]*Slot{}, in: map[store.MailboxGUID]*Slot{}},
	}
	b.link(t.Nodes)
	b.level(nil, b.top)
	for _, s := range b.out.ByPath {
		b.out.Slots = append(b.out.Slots, s)
	}
	slices.SortFunc(b.out.Slots, func(x, y *Slot) int { return store.CompareNames(x.Path, y.Path) })
	for i := len(b.out.Slots) - 1; i >= 0; i-- {
		s := b.out.Slots[i]
		s.Shown = s.Shown || s.Holder != nil
	}
	for _, s := range b.out.Slots {
		for p := s; s.Holder != nil && p.Parent != nil; p = p.Parent {
			p.Parent.Shown = true
		}
	}
	return b.out
}

type layouter struct {
	live   func(store.MailboxGUID) bool
	byGUID map[store.MailboxGUID]*Node
	parent map[*Node]*Node
	kids   map[*Node][]*Node
	place  map[*Node]PlaceWrite
	top    []*Node
	out    *Layout
}

// link finds each node's parent, in the order of the winning writes; one that
// would close a cycle goes to the top level.
func (b *layouter) link(nodes []*Node) {
	var all []*Node
	for _, n := range nodes {
		if n.IsAccount() {
			continue
		}
		p, ok := n.Place()
		if !ok {
			continue
		}
		for _, g := range n.GUIDs {
			b.byGUID[g] = n
		}
		b.place[n] = p
		all = append(all, n)
	}
	slices.SortFunc(all, func(x, y *Node) int {
		p, q := b.place[x], b.place[y]
		return cmp.Or(laterPlace(p, q), x.GUID().Compare(y.GUID()))
	})
	for _, n := range all {
		p := b.byGUID[b.place[n].Parent]
		if n.IsInbox() {
			p = nil
		}
		for q := p; q != nil; q = b.parent[q] {
			if q == n {
				b.out.Cycles = append(b.out.Cycles, n)
				p = nil
				break
			}
		}
		if p == nil {
			b.top = append(b.top, n)
			continue
		}
		b.parent[n] = p
		b.kids[p] = append(b.kids[p], n)
	}
}

func (b *layouter) name(n *Node) string {
	if n.IsInbox() {
		return string(store.Inbox)
	}
	return b.place[n].Path.Base()
}

// mailbox reports whether n holds its place by a create, leftover whether it
// holds mail or a delivery's presence only.
func (b *layouter) mailbox(n *Node) bool { return n.Created() || n.IsInbox() }

func (b *layouter) leftover(n *Node) bool {
	if len(n.Presence) > 0 {
		return true
	}
	return b.live != nil && slices.ContainsFunc(n.GUIDs, b.live)
}

// level lays out the nodes of one level below the slot up.
func (b *layouter) level(up *Slot, nodes []*Node) {
	byName := map[string][]*Node{}
	for _, n := range nodes {
		byName[b.name(n)] = append(byName[b.name(n)], n)
	}
	var losers []*Node
	slots := map[string]*Slot{}
	for name, ns := range byName {
		s := b.slot(up, name)
		slots[name] = s
		holder, lost := b.contest(ns)
		s.Holder = holder
		for _, n := range ns {
			if !slices.Contains(lost, n) {
				s.Members = append(s.Members, n)
			}
		}
		losers = append(losers, lost...)
	}
	slices.SortFunc(losers, func(x, y *Node) int { return x.GUID().Compare(y.GUID()) })
	for _, n := range losers {
		name := loserName(b.name(n), n.GUID(), func(s string) bool { return slots[s] != nil })
		s := b.slot(up, name)
		slots[name] = s
		s.Holder, s.Members, s.Loser = n, []*Node{n}, true
	}
	for _, s := range slots {
		slices.SortFunc(s.Members, func(x, y *Node) int { return x.GUID().Compare(y.GUID()) })
		var kids []*Node
		for _, n := range s.Members {
			for _, g := range n.GUIDs {
				b.out.in[g] = s
			}
			kids = append(kids, b.kids[n]...)
		}
		if len(kids) > 0 {
			b.level(s, kids)
		}
	}
}

func (b *layouter) slot(up *Slot, name string) *Slot {
	s := &Slot{Parent: up}
	if up != nil {
		s.Path = up.Path.Child(name)
	} else {
		s.Path = store.Name(name)
	}
	b.out.ByPath[s.Path] = s
	return s
}

// contest decides who holds a place: the mailbox placed last; if there is none,
// the leftover placed last. Where all have it so, the one placed first. Other
// mailboxes lose the name, other leftovers join.
func (b *layouter) contest(ns []*Node) (holder *Node, lost []*Node) {
	by := EarlierWins
	for _, n := range ns {
		if n.Chosen.Name != by {
			by = LaterWins
		}
	}
	later := func(x, y *Node) bool {
		if x.IsInbox() != y.IsInbox() {
			return x.IsInbox()
		}
		p, q := b.place[x], b.place[y]
		return cmp.Or(by.wins(p.Write, q.Write, cmp.Compare(q.Path, p.Path)), y.GUID().Compare(x.GUID())) > 0
	}
	for _, n := range ns {
		if !b.mailbox(n) {
			continue
		}
		if holder == nil || later(n, holder) {
			holder = n
		}
	}
	if holder != nil {
		for _, n := range ns {
			if n != holder && b.mailbox(n) {
				lost = append(lost, n)
			}
		}
		return holder, lost
	}
	for _, n := range ns {
		if b.leftover(n) && (holder == nil || later(n, holder)) {
			holder = n
		}
	}
	return holder, nil
}

// loserName is "Z-" and 8 hexadecimal digits of the GUID, lengthened until free.
func loserName(name string, g store.MailboxGUID, taken func(string) bool) string {
	hex := g.String()
	for i := 8; i <= len(hex); i++ {
		if s := name + "-" + hex[:i]; !taken(s) {
			return s
		}
	}
	s := name + "-" + hex
	for taken(s) {
		s += "-"
	}
	return s
}
