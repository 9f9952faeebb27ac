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
	Holder  *Node     // whose UIDVALIDITY and UIDs are shown; nil: not selectable
	Members []*Node   // every node shown here, holder, leftovers and tombstones, by GUID
	Shown   bool      // selectable, or a \Noselect parent of something shown
	Loser   bool      // shown under another name because a later one holds it
	kids    []*placed // while it is laid out: what lies below it
}

// Layout is what a tree shows: a pure function of its nodes and of which of them
// hold mail.
type Layout struct {
	ByPath map[store.Name]*Slot // every slot, hidden ones too
	Slots  []*Slot              // by CompareNames
	in     map[store.MailboxGUID]*Slot
	Cycles []*Node                    // nodes whose place would close a cycle; shown at the top level
	lost   map[store.MailboxGUID]bool // parents that nodes name and the tree lacks
}

// In gives the slot that shows the node of this GUID (or alias); nil if unknown.
func (l *Layout) In(g store.MailboxGUID) *Slot { return l.in[g] }

// Layout computes what the tree shows. live reports whether a node holds at least
// one message: such a node is never hidden, whatever became of its presence.
//
// The rules are tree.md 4, 5, 8 and 10.
func (t *Tree) Layout(live func(store.MailboxGUID) bool) *Layout {
	b := layouter{live: live, out: &Layout{ByPath: make(map[store.Name]*Slot, len(t.Nodes)), in: make(map[store.MailboxGUID]*Slot, len(t.Nodes)),
		lost: map[store.MailboxGUID]bool{}}}
	b.link(t.Nodes)
	b.level(nil, b.top)
	slices.SortFunc(b.out.Slots, func(x, y *Slot) int { return store.CompareNames(x.Path, y.Path) })
	for _, s := range b.out.Slots {
		s.Shown = s.Shown || s.Holder != nil
		for p := s; s.Holder != nil && p.Parent != nil; p = p.Parent {
			p.Parent.Shown = true
		}
	}
	return b.out
}

// grow shows a node that was just made, if its coming changes nothing but the slot
// that it is to be shown in, which has no holder yet; else it reports false.
func (l *Layout) grow(n *Node, live func(store.MailboxGUID) bool) bool {
	p, ok := n.Place()
	if !ok || len(n.GUIDs) != 1 || l.lost[n.GUID()] || l.in[n.GUID()] != nil || n.IsInbox() {
		return false
	}
	up := l.in[p.Parent]
	if up == nil && !p.Parent.IsZero() {
		return false
	}
	path := store.Name(p.Path.Base())
	if up != nil {
		path = up.Path.Child(p.Path.Base())
	}
	s := l.ByPath[path]
	if s == nil {
		s = &Slot{Path: path, Parent: up}
		i, _ := slices.BinarySearchFunc(l.Slots, path, func(x *Slot, path store.Name) int { return store.CompareNames(x.Path, path) })
		l.Slots = slices.Insert(l.Slots, i, s)
		l.ByPath[path] = s
	} else if s.Holder != nil {
		return false
	}
	i, _ := slices.BinarySearchFunc(s.Members, n.GUID(), func(x *Node, g store.MailboxGUID) int { return x.GUID().Compare(g) })
	s.Members = slices.Insert(s.Members, i, n)
	l.in[n.GUID()] = s
	if b := (&layouter{live: live}); n.Created() || b.leftover(&placed{Node: n}) {
		s.Holder = n
		for q := s; q != nil; q = q.Parent {
			q.Shown = true
		}
	}
	return true
}

type layouter struct {
	live func(store.MailboxGUID) bool
	top  []*placed
	out  *Layout
}

// placed is a node with its winning place, and what lies below it.
type placed struct {
	*Node
	at     PlaceWrite
	name   string
	inbox  bool
	lost   bool // the name, to another
	parent *placed
	kids   []*placed
}

// link finds each node's parent, in the order of the winning writes; one that
// would close a cycle goes to the top level.
func (b *layouter) link(nodes []*Node) {
	room := make([]placed, 0, len(nodes)) // never grows: all points into it
	all := make([]*placed, 0, len(nodes))
	byGUID := make(map[store.MailboxGUID]*placed, len(nodes))
	for _, n := range nodes {
		if n.IsAccount() {
			continue
		}
		at, ok := n.Place()
		if !ok {
			continue
		}
		room = append(room, placed{Node: n, at: at, name: at.Path.Base(), inbox: n.IsInbox()})
		p := &room[len(room)-1]
		if p.inbox {
			p.name = string(store.Inbox)
		}
		for _, g := range n.GUIDs {
			byGUID[g] = p
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(x, y *placed) int { return cmp.Or(laterPlace(x.at, y.at), x.GUID().Compare(y.GUID())) })
	for _, n := range all {
		p := byGUID[n.at.Parent]
		if p == nil && !n.at.Parent.IsZero() {
			b.out.lost[n.at.Parent] = true
		}
		if n.inbox {
			p = nil
		}
		for q := p; q != nil; q = q.parent {
			if q == n {
				b.out.Cycles = append(b.out.Cycles, n.Node)
				p = nil
				break
			}
		}
		if p == nil {
			b.top = append(b.top, n)
			continue
		}
		n.parent = p
		p.kids = append(p.kids, n)
	}
}

// mailbox reports whether n holds its place by a create, leftover whether it
// holds mail or a delivery's presence only.
func (n *placed) mailbox() bool { return n.inbox || n.Created() }

func (b *layouter) leftover(n *placed) bool {
	if len(n.Presence) > 0 {
		return true
	}
	return b.live != nil && slices.ContainsFunc(n.GUIDs, b.live)
}

// level lays out the nodes of one level below the slot up.
func (b *layouter) level(up *Slot, nodes []*placed) {
	slices.SortFunc(nodes, func(x, y *placed) int { return cmp.Or(cmp.Compare(x.name, y.name), x.GUID().Compare(y.GUID())) })
	first := len(b.out.Slots)
	var losers []*placed
	for i := 0; i < len(nodes); {
		j := i + 1
		for j < len(nodes) && nodes[j].name == nodes[i].name {
			j++
		}
		s := b.slot(up, nodes[i].name)
		if holder := b.contest(nodes[i:j]); holder != nil {
			s.Holder = holder.Node
		}
		for _, n := range nodes[i:j] {
			if n.lost {
				losers = append(losers, n)
			} else {
				s.Members = append(s.Members, n.Node)
				b.out.hold(n, s)
			}
		}
		i = j
	}
	slices.SortFunc(losers, func(x, y *placed) int { return x.GUID().Compare(y.GUID()) })
	for _, n := range losers {
		name := loserName(n.name, n.GUID(), func(s string) bool { return b.out.ByPath[childOf(up, s)] != nil })
		s := b.slot(up, name)
		s.Holder, s.Members, s.Loser = n.Node, []*Node{n.Node}, true
		b.out.hold(n, s)
	}
	for _, n := range nodes {
		s := b.out.in[n.GUID()]
		s.kids = append(s.kids, n.kids...)
	}
	for _, s := range b.out.Slots[first:] {
		if kids := s.kids; len(kids) > 0 {
			s.kids = nil
			b.level(s, kids)
		}
	}
}

// hold notes that a slot shows a node.
func (l *Layout) hold(n *placed, s *Slot) {
	for _, g := range n.GUIDs {
		l.in[g] = s
	}
}

func childOf(up *Slot, name string) store.Name {
	if up == nil {
		return store.Name(name)
	}
	return up.Path.Child(name)
}

func (b *layouter) slot(up *Slot, name string) *Slot {
	s := &Slot{Parent: up, Path: childOf(up, name)}
	b.out.ByPath[s.Path] = s
	b.out.Slots = append(b.out.Slots, s)
	return s
}

// contest decides who holds a place: the mailbox placed last; if there is none,
// the leftover placed last; nil: nobody. Where all have it so, the one placed first.
// Other mailboxes lose the name, other leftovers join.
func (b *layouter) contest(ns []*placed) (holder *placed) {
	by := EarlierWins
	for _, n := range ns {
		if n.Chosen.Name != by {
			by = LaterWins
		}
	}
	for _, n := range ns {
		if n.mailbox() && (holder == nil || n.beats(holder, by)) {
			holder = n
		}
	}
	if holder != nil {
		for _, n := range ns {
			n.lost = n != holder && n.mailbox()
		}
		return holder
	}
	for _, n := range ns {
		if b.leftover(n) && (holder == nil || n.beats(holder, by)) {
			holder = n
		}
	}
	return holder
}

// beats reports whether n comes before o in a contest for a name.
func (n *placed) beats(o *placed, by Choice) bool {
	if n.inbox != o.inbox {
		return n.inbox
	}
	return cmp.Or(by.wins(n.at.Write, o.at.Write, cmp.Compare(o.at.Path, n.at.Path)), o.GUID().Compare(n.GUID())) > 0
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
