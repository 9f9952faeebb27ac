package changelog

import (
	"cmp"
	"errors"
	"slices"

	"dsync/store"
)

// Mint hands out the next write of this replica: a fresh dot and its stamp.
type Mint func() Write

// What a client's tree operation can run into.
var (
	ErrNoMailbox = errors.New("no such mailbox")
	ErrExists    = errors.New("mailbox exists already")
	ErrInbox     = errors.New("INBOX cannot be deleted or renamed")
)

// Edit is the tree of one replica under change by its own clients. Operations
// change nodes in place (clone the tree first if it is shared) and keep the layout
// up to date.
type Edit struct {
	Tree    *Tree
	Live    func(store.MailboxGUID) bool // does the node hold mail; may be nil
	NewGUID func() store.MailboxGUID     // for \Noselect parents
	layout  *Layout
}

// Layout is what the tree shows now, until the next operation.
func (e *Edit) Layout() *Layout {
	if e.layout == nil {
		e.layout = e.Tree.Layout(e.Live)
	}
	return e.layout
}

// Dirty forgets the layout, after nodes were changed from outside.
func (e *Edit) Dirty() { e.layout = nil }

// Node finds a node by GUID, by which the nodes are in order, or by alias.
func (t *Tree) Node(g store.MailboxGUID) *Node {
	i, ok := slices.BinarySearchFunc(t.Nodes, g, func(x *Node, g store.MailboxGUID) int { return x.GUID().Compare(g) })
	if ok {
		return t.Nodes[i]
	}
	for _, n := range t.Nodes {
		if slices.Contains(n.GUIDs, g) {
			return n
		}
	}
	return nil
}

// AddNode puts a node into the tree, in its order.
func (t *Tree) AddNode(n *Node) {
	i, _ := slices.BinarySearchFunc(t.Nodes, n.GUID(), func(x *Node, g store.MailboxGUID) int { return x.GUID().Compare(g) })
	t.Nodes = slices.Insert(t.Nodes, i, n)
}

// SortNodes restores the order of nodes after GUIDs were added.
func (t *Tree) SortNodes() {
	slices.SortFunc(t.Nodes, func(a, b *Node) int { return a.GUID().Compare(b.GUID()) })
}

// Account is the node of the account itself, made if there is none.
func (t *Tree) Account() *Node {
	if len(t.Nodes) > 0 && t.Nodes[0].IsAccount() {
		return t.Nodes[0]
	}
	n := &Node{GUIDs: []store.MailboxGUID{{}}}
	t.AddNode(n)
	return n
}

// Attributes are those of the account itself.
func (t *Tree) Attributes() map[string]string {
	if len(t.Nodes) > 0 && t.Nodes[0].IsAccount() {
		return t.Nodes[0].Attributes()
	}
	return nil
}

// generation gives the generation for a create at a place: one above the highest
// created there that this replica knows (tree.md 6).
func (t *Tree) generation(parent *Node, name string) uint32 {
	if parent == nil && name == string(store.Inbox) {
		return 0
	}
	var top uint32
	for _, n := range t.Nodes {
		for _, c := range n.Creates {
			if c.Name == name && sameParent(c.Parent, parent) {
				top = max(top, c.Gen)
			}
		}
	}
	return top + 1
}

func sameParent(g store.MailboxGUID, p *Node) bool {
	if p == nil {
		return g.IsZero()
	}
	return slices.Contains(p.GUIDs, g)
}

// parentOf finds the node under which children of a path are placed, and makes
// \Noselect parents where there is none. nil is the top level.
func (e *Edit) parentOf(path store.Name, mint Mint) *Node {
	up := path.Parent()
	if up == "" {
		return nil
	}
	if s := e.Layout().ByPath[up]; s != nil {
		if s.Holder != nil {
			return s.Holder
		}
		return s.Members[0]
	}
	return e.create(up, e.NewGUID(), mint, true, false)
}

func (e *Edit) create(path store.Name, g store.MailboxGUID, mint Mint, noSelect, found bool) *Node {
	parent := e.parentOf(path, mint)
	w := mint()
	var pg store.MailboxGUID
	if parent != nil {
		pg = parent.GUID()
	}
	c := Create{Write: w, Parent: pg, Name: path.Base(), NoSelect: noSelect}
	if !found {
		c.Gen = e.Tree.generation(parent, path.Base())
	}
	n := &Node{GUIDs: []store.MailboxGUID{g}, Creates: []Create{c}, Places: []PlaceWrite{{w, pg, path}}, UIDNext: 1}
	if !noSelect {
		n.Presence = []NodePresence{{w, false}}
	}
	e.Tree.AddNode(n)
	if e.layout != nil && !e.layout.grow(n, e.Live) {
		e.Dirty()
	}
	return n
}

// Create makes a mailbox (or, with noSelect, a parent without mail) at a path
// that shows none, and gives its node. found says that it was met without
// history. A \Noselect parent already there becomes the mailbox and takes g as
// one more name.
func (e *Edit) Create(path store.Name, g store.MailboxGUID, mint Mint, noSelect, found bool) (*Node, error) {
	if s := e.Layout().ByPath[path]; s != nil {
		if s.Holder != nil || noSelect && s.Shown {
			return s.Holder, ErrExists
		}
		i := slices.IndexFunc(s.Members, (*Node).OnlyParent)
		if i >= 0 && noSelect {
			return s.Members[i], nil
		}
		if i >= 0 {
			return e.revive(s.Members[i], path, g, mint), nil
		}
	}
	return e.create(path, g, mint, noSelect, found), nil
}

func (e *Edit) revive(n *Node, path store.Name, g store.MailboxGUID, mint Mint) *Node {
	p, _ := n.Place()
	parent := e.Tree.Node(p.Parent)
	w := mint()
	c := Create{Write: w, Parent: p.Parent, Name: path.Base()}
	for _, x := range n.Creates {
		if x.Name == c.Name && sameParent(x.Parent, parent) {
			c.Gen = x.Gen
		}
	}
	if c.Gen == 0 {
		c.Gen = e.Tree.generation(parent, c.Name)
	}
	n.AddGUID(g)
	n.Revive(c)
	e.Tree.SortNodes()
	e.Dirty()
	return n
}

// Delete removes the presence of every node shown at the path, under one write,
// which it gives back: the mail in them is expunged by the same change.
func (e *Edit) Delete(path store.Name, mint Mint) (Write, []*Node, error) {
	s := e.Layout().ByPath[path]
	if s == nil || s.Holder == nil {
		return Write{}, nil, ErrNoMailbox
	}
	if path == store.Inbox {
		return Write{}, nil, ErrInbox
	}
	e.fixLosers(s, mint)
	w := mint()
	for _, n := range s.Members {
		n.Remove(w.Dot)
		e.Dirty()
	}
	return w, s.Members, nil
}

// Rename places every node shown at from at the path to; children follow their
// parents. The bare subscriptions below from go along.
func (e *Edit) Rename(from, to store.Name, mint Mint) error {
	s := e.Layout().ByPath[from]
	if s == nil || !s.Shown {
		return ErrNoMailbox
	}
	if from == store.Inbox {
		return ErrInbox
	}
	if t := e.Layout().ByPath[to]; t != nil && t.Holder != nil || to.IsUnder(from) {
		return ErrExists
	}
	e.place(s, to, mint)
	e.carryBare(from, to, mint)
	return nil
}

// place writes the place of all members of a slot.
func (e *Edit) place(s *Slot, to store.Name, mint Mint) {
	e.fixLosers(s, mint)
	var pg store.MailboxGUID
	if parent := e.parentOf(to, mint); parent != nil {
		pg = parent.GUID()
	}
	w := mint()
	for _, n := range s.Members {
		n.MoveTo(w, pg, to)
		e.Dirty()
	}
}

// fixLosers writes the shown names of those that lost the name of s as their
// places, else one would jump into it (tree.md 10).
func (e *Edit) fixLosers(s *Slot, mint Mint) {
	if s.Holder == nil {
		return
	}
	hp, _ := s.Holder.Place()
	for _, l := range e.Layout().Slots {
		if !l.Loser || l.Parent != s.Parent || l == s {
			continue
		}
		p, _ := l.Holder.Place()
		if p.Path.Base() == hp.Path.Base() {
			l.Holder.MoveTo(mint(), p.Parent, l.Path)
			e.Dirty()
		}
	}
}

func (e *Edit) carryBare(from, to store.Name, mint Mint) {
	for _, b := range slices.Clone(e.Tree.Bare) {
		if !b.Subscribed() || b.Name != from && !b.Name.IsUnder(from) {
			continue
		}
		w := mint()
		b.Subscribe(w, false)
		nb := e.bare(to + b.Name[len(from):])
		nb.Subscribe(w, true)
	}
}

// bare finds or makes the bare entry of a name.
func (e *Edit) bare(n store.Name) *Bare {
	i, ok := slices.BinarySearchFunc(e.Tree.Bare, n, func(b *Bare, n store.Name) int { return cmp.Compare(b.Name, n) })
	if !ok {
		e.Tree.Bare = slices.Insert(e.Tree.Bare, i, &Bare{Name: n})
	}
	return e.Tree.Bare[i]
}

// Subscribe writes every subscription register that exists for the path, under
// one write (tree.md 11).
func (e *Edit) Subscribe(path store.Name, on bool, mint Mint) {
	w := mint()
	some := false
	if s := e.Layout().ByPath[path]; s != nil {
		for _, n := range s.Members {
			n.Subscribe(w, on)
			e.Dirty()
			some = true
		}
	}
	i, ok := slices.BinarySearchFunc(e.Tree.Bare, path, func(b *Bare, n store.Name) int { return cmp.Compare(b.Name, n) })
	if ok {
		e.Tree.Bare[i].Subscribe(w, on)
	} else if !some {
		b := e.bare(path)
		b.Subscribe(w, on)
	}
}

// Subscriptions is what a client sees, in CompareNames order.
func (t *Tree) Subscriptions(l *Layout) []store.Name {
	set := map[store.Name]bool{}
	for _, s := range l.Slots {
		for _, n := range s.Members {
			if n.Subscribed() {
				set[s.Path] = true
			}
		}
	}
	for _, b := range t.Bare {
		if b.Subscribed() {
			set[b.Name] = true
		}
	}
	out := make([]store.Name, 0, len(set))
	for n := range set {
		out = append(out, n)
	}
	slices.SortFunc(out, store.CompareNames)
	return out
}

// Hold notes that a path shows a UIDVALIDITY for a mailbox, and reports whether
// that is new.
func (t *Tree) Hold(path store.Name, uv store.UIDValidity, g store.MailboxGUID) bool {
	if t.UVs == nil {
		t.UVs = map[store.Name][]Held{}
	}
	h := Held{uv, g}
	l := t.UVs[path]
	i, ok := slices.BinarySearchFunc(l, h, CompareHeld)
	if !ok {
		t.UVs[path] = slices.Insert(slices.Clone(l), i, h)
	}
	return !ok
}

// CompareHeld orders by UIDVALIDITY, then holder.
func CompareHeld(a, b Held) int {
	return cmp.Or(cmp.Compare(a.UIDValidity, b.UIDValidity), a.Holder.Compare(b.Holder))
}

// Clone copies the tree and all it holds.
func (t *Tree) Clone() *Tree {
	c := &Tree{UVs: make(map[store.Name][]Held, len(t.UVs))}
	for _, n := range t.Nodes {
		c.Nodes = append(c.Nodes, n.Clone())
	}
	for _, b := range t.Bare {
		c.Bare = append(c.Bare, b.Clone())
	}
	for k, v := range t.UVs {
		c.UVs[k] = slices.Clone(v)
	}
	return c
}
