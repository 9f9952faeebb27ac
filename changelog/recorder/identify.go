package recorder

import (
	"strings"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// Which mailbox of the log is which of the store: by GUID, else by place in the
// file system, else by path.

// identify gives every observed mailbox its node, as far as the log knows one, and
// finds the mailboxes that vanished.
func (s *scan) identify() error {
	taken := map[*changelog.Node]bool{}
	for _, o := range s.obs {
		if o.node != nil {
			taken[o.node] = true
		}
	}
	rules := []func(*observed) *changelog.Node{s.sameAll, s.sameGUID, s.samePlace, s.sameLate}
	for i, rule := range rules {
		for _, o := range s.obs {
			if o.node != nil || o.NoSelect || o.copied && i == 1 {
				continue
			}
			n := rule(o)
			if n == nil {
				continue
			}
			if taken[n] {
				if i == 1 {
					o.copied = true // another mailbox of this GUID stands where the log remembers it
				}
				continue
			}
			o.node, taken[n] = n, true
		}
	}
	s.copies()
	for _, o := range s.obs {
		if o.node == nil || o.NoSelect {
			continue
		}
		o.box = s.box(o.node)
		if o.copied {
			s.rename(o, o.node.GUID())
		}
		if g := o.status.GUID; o.known && !g.IsZero() && s.tree.Node(g) == nil {
			o.node.AddGUID(g)
			s.tree.SortNodes()
			s.edit.Dirty()
		}
	}
	s.parents(taken)
	s.missed(taken)
	return nil
}

// box is the local state of a node, under whichever of its names.
func (s *scan) box(n *changelog.Node) *logdb.Mailbox {
	for _, g := range n.GUIDs {
		if b := s.boxes[g]; b != nil {
			return b
		}
	}
	return nil
}

// listedAt gives the node that the log remembers at the path.
func (s *scan) listedAt(o *observed) (*logdb.Listed, *changelog.Node, *logdb.Mailbox) {
	l := s.prior(o.Name)
	if l == nil || l.NoSelect != o.NoSelect {
		return nil, nil, nil
	}
	n := s.tree.Node(l.Node)
	if n == nil {
		return nil, nil, nil
	}
	return l, n, s.box(n)
}

// sameAll: what the log remembers at this path, by the same GUID.
func (s *scan) sameAll(o *observed) *changelog.Node {
	_, n, b := s.listedAt(o)
	if n != nil && b != nil && b.Status.GUID == o.status.GUID && !o.status.GUID.IsZero() {
		return n
	}
	return nil
}

// sameGUID: a mailbox of this GUID, wherever it was.
func (s *scan) sameGUID(o *observed) *changelog.Node {
	if o.status.GUID.IsZero() {
		return nil
	}
	return s.tree.Node(o.status.GUID)
}

// samePlace: the directory that the log remembers here or elsewhere, whose GUID
// was lost, or is new.
func (s *scan) samePlace(o *observed) *changelog.Node {
	if o.Dir == "" {
		return nil
	}
	if l, n, _ := s.listedAt(o); l != nil && l.Dir == o.Dir {
		return n
	}
	if !o.status.GUID.IsZero() && !o.copied {
		return nil
	}
	if l := s.rooms[o.Dir]; l != nil {
		return s.tree.Node(l.Node)
	}
	return nil
}

// sameLate: what the log remembers at this path, if either has no GUID.
func (s *scan) sameLate(o *observed) *changelog.Node {
	l, n, b := s.listedAt(o)
	if n == nil {
		if o.Name == store.Inbox {
			return s.inbox()
		}
		return nil
	}
	if o.Name == store.Inbox || o.status.GUID.IsZero() || o.copied {
		return n
	}
	if (b == nil || b.Status.GUID.IsZero()) && (l.Dir == "" || o.Dir == "") {
		return n
	}
	return nil
}

// inbox is the node of INBOX: there is never more than one.
func (s *scan) inbox() *changelog.Node {
	for _, n := range s.tree.Nodes {
		if n.IsInbox() {
			return n
		}
	}
	return nil
}

// copies finds mailboxes that the log does not know and that share a GUID: the
// first keeps it.
func (s *scan) copies() {
	first := map[store.MailboxGUID]bool{}
	for _, o := range s.obs {
		if o.node != nil || o.NoSelect || o.copied || o.status.GUID.IsZero() {
			continue
		}
		if first[o.status.GUID] {
			o.copied = true
		}
		first[o.status.GUID] = true
	}
}

// parents recognises \Noselect parents: by place, or because all that moved away
// from one came up in another.
func (s *scan) parents(taken map[*changelog.Node]bool) {
	shown := map[store.Name]bool{}
	for _, o := range s.obs {
		shown[o.Name] = true
	}
	for _, o := range s.obs {
		if !o.NoSelect || s.prior(o.Name) != nil {
			continue
		}
		if n := s.movedParent(o, shown); n != nil && !taken[n] {
			o.node, taken[n] = n, true
		}
	}
}

func (s *scan) movedParent(o *observed, shown map[store.Name]bool) *changelog.Node {
	lay := s.edit.Layout()
	for i := range s.meta.Tree {
		l := &s.meta.Tree[i]
		if l.NoSelect && l.Dir != "" && l.Dir == o.Dir && !shown[l.Path] {
			return parentNode(lay.ByPath[l.Path])
		}
	}
	for _, c := range s.obs {
		if c.node == nil || c.NoSelect || !c.Name.IsUnder(o.Name) {
			continue
		}
		slot := lay.In(c.node.GUID())
		if slot == nil {
			continue
		}
		from, ok := strings.CutSuffix(string(slot.Path), string(c.Name[len(o.Name):]))
		l := s.prior(store.Name(from))
		if ok && l != nil && l.NoSelect && !shown[store.Name(from)] {
			return parentNode(lay.ByPath[store.Name(from)])
		}
	}
	return nil
}

// parentNode is the node that stands for a slot without a holder.
func parentNode(slot *changelog.Slot) *changelog.Node {
	if slot == nil || len(slot.Members) == 0 {
		return nil
	}
	if slot.Holder != nil {
		return slot.Holder
	}
	for _, n := range slot.Members {
		if n.OnlyParent() {
			return n
		}
	}
	return slot.Members[0]
}

// missed collects the mailboxes that the log's listing has and the store lacks.
func (s *scan) missed(taken map[*changelog.Node]bool) {
	for _, l := range s.meta.Tree {
		if l.NoSelect {
			continue
		}
		n := s.tree.Node(l.Node)
		if n == nil || taken[n] {
			continue
		}
		v := &vanished{line: l, path: l.Path, node: n, box: s.box(n)}
		if s.skippedMailbox(l.Path) {
			v.keep = true
			s.doubt(l.Path)
			s.look.AbsentMailboxes = append(s.look.AbsentMailboxes, l.Path)
		}
		s.vanished = append(s.vanished, v)
	}
}

// skippedMailbox reports whether a mailbox may be there still, as something that
// cannot be read.
func (s *scan) skippedMailbox(n store.Name) bool {
	if s.doubted(n) {
		return true
	}
	if s.listed == nil {
		return false
	}
	for _, k := range s.listed.Skipped {
		if k.Mailbox == n || strings.Contains(k.Item, n.Base()) || !ascii(string(n)) {
			return true
		}
	}
	return false
}

func (s *scan) doubted(n store.Name) bool {
	for _, d := range s.look.Doubt {
		if d == n {
			return true
		}
	}
	return false
}

func ascii(t string) bool {
	for i := 0; i < len(t); i++ {
		if t[i] >= 0x80 {
			return false
		}
	}
	return true
}
