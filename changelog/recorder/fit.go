package recorder

import (
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// fitTree makes the log's tree show what the store shows: deletions, then from the
// top down renames and creates, so that children which merely follow their parent
// make no write.
func (s *scan) fitTree() error {
	s.obs = slices.DeleteFunc(s.obs, func(o *observed) bool {
		broken := o.changed && o.snap == nil && o.node == nil
		s.lapsed = s.lapsed || broken
		return broken
	})
	f := &fitting{s: s, from: map[*changelog.Node]store.Name{}, with: map[*changelog.Node][]*changelog.Node{}}
	lay := s.edit.Layout()
	for _, o := range s.obs {
		if o.node == nil {
			continue
		}
		f.with[o.node] = []*changelog.Node{o.node}
		if slot := lay.In(o.node.GUID()); slot != nil {
			f.from[o.node] = slot.Path
			if slot.Holder == o.node || o.NoSelect {
				f.with[o.node] = slices.Clone(slot.Members)
			}
		}
	}
	for _, v := range s.vanished {
		if !v.keep {
			f.remove(v)
		}
	}
	for _, o := range s.obs {
		if !o.NoSelect || o.node != nil {
			f.place(o)
		}
	}
	for range 3 {
		if !f.again() {
			break
		}
	}
	return nil
}

// fitting is a tree on its way to what the store shows.
type fitting struct {
	s      *scan
	from   map[*changelog.Node]store.Name        // where nodes were shown
	with   map[*changelog.Node][]*changelog.Node // what moves together
	writes []changelog.Write                     // of the operation under way
}

// mint gives a function that remembers what it gave out.
func (f *fitting) mint(evidence int64) changelog.Mint {
	f.writes = f.writes[:0]
	return func() changelog.Write {
		w := f.s.mint(evidence)
		f.writes = append(f.writes, w)
		return w
	}
}

// logOthers logs what an operation wrote besides main: parents that it made, and
// mailboxes that it placed.
func (f *fitting) logOthers(main changelog.Write) {
	for _, w := range f.writes {
		if w.Dot == main.Dot {
			continue
		}
		for _, n := range f.s.tree.Nodes {
			p, _ := n.Place()
			switch {
			case slices.ContainsFunc(n.Creates, func(c changelog.Create) bool { return c.Dot == w.Dot }):
				f.s.log(w, changelog.Dot{}, changelog.CreateMailbox{Mailbox: n.GUID(), Path: p.Path, NoSelect: n.OnlyParent(), Found: w.Found()})
			case p.Dot == w.Dot:
				f.s.log(w, changelog.Dot{}, changelog.RenameMailbox{Mailbox: n.GUID(), From: f.from[n], To: p.Path})
			}
		}
	}
}

// remove logs that a mailbox was deleted. Its mail follows in writeAll.
func (f *fitting) remove(v *vanished) {
	s := f.s
	s.pending = true
	mint := f.mint(0)
	slot := s.edit.Layout().In(v.node.GUID())
	for _, g := range v.node.GUIDs {
		s.ended[g] = true
	}
	if slot == nil || slot.Holder != v.node {
		s.edit.Dirty()
		return // the log has it deleted already
	}
	w, members, err := s.edit.Delete(slot.Path, mint)
	if err != nil {
		s.edit.Dirty()
		return
	}
	for _, n := range members {
		for _, g := range n.GUIDs {
			s.ended[g] = true
		}
	}
	s.edit.Dirty()
	if v.box != nil {
		v.mail = uint32(v.box.Count)
	}
	v.by = w
	f.logOthers(w)
	s.log(w, changelog.Dot{}, changelog.DeleteMailbox{Mailbox: v.node.GUID(), Path: v.path, Messages: v.mail})
}

// place puts one mailbox where it was observed, or makes it.
func (f *fitting) place(o *observed) {
	s := f.s
	if o.node == nil {
		f.create(o)
		return
	}
	slot := s.edit.Layout().In(o.node.GUID())
	shown := slot != nil && slot.Path == o.Name
	if shown && (o.NoSelect || slot.Holder == o.node) || s.look.Restored {
		return
	}
	mint := f.mint(micros(o.Changed))
	if !shown {
		f.move(o, mint)
	}
	if slot = s.edit.Layout().In(o.node.GUID()); !o.NoSelect && !o.node.Created() && !o.node.IsInbox() &&
		(slot == nil || slot.Holder != o.node) {
		f.revive(o, mint)
	}
}

// move writes the place of all that is shown together with a mailbox.
func (f *fitting) move(o *observed, mint changelog.Mint) {
	s := f.s
	pg := f.parent(o.Name, mint)
	w := mint()
	for _, n := range f.with[o.node] {
		n.MoveTo(w, pg, o.Name)
		f.s.edit.Dirty()
	}
	f.logOthers(w)
	s.log(w, changelog.Dot{}, changelog.RenameMailbox{Mailbox: o.node.GUID(), From: f.from[o.node], To: o.Name})
}

// revive gives presence to a mailbox that the log has as deleted.
func (f *fitting) revive(o *observed, mint changelog.Mint) {
	p, _ := o.node.Place()
	w := mint()
	o.node.Revive(changelog.Create{Write: w, Parent: p.Parent, Name: o.Name.Base(), Gen: f.generation(p.Parent, o.Name.Base())})
	for _, g := range o.node.GUIDs {
		delete(f.s.ended, g)
	}
	f.s.edit.Dirty()
	f.s.log(w, changelog.Dot{}, changelog.CreateMailbox{Mailbox: o.node.GUID(), Path: o.Name, Found: w.Found()})
}

// generation is one above the highest created at a place.
func (f *fitting) generation(parent store.MailboxGUID, name string) uint32 {
	var up *changelog.Node
	if !parent.IsZero() {
		up = f.s.tree.Node(parent)
	}
	var top uint32
	for _, n := range f.s.tree.Nodes {
		for _, c := range n.Creates {
			same := c.Parent == parent || up != nil && slices.Contains(up.GUIDs, c.Parent)
			if same && c.Name == name {
				top = max(top, c.Gen)
			}
		}
	}
	return top + 1
}

// parent gives the node under which a path is placed; zero: the top level.
func (f *fitting) parent(path store.Name, mint changelog.Mint) store.MailboxGUID {
	up := path.Parent()
	if up == "" {
		return store.MailboxGUID{}
	}
	if n := parentNode(f.s.edit.Layout().ByPath[up]); n != nil {
		return n.GUID()
	}
	n, _ := f.s.edit.Create(up, f.s.r.newGUID(), mint, true, f.s.first)
	return n.GUID()
}

// create makes a mailbox that the log does not know.
func (f *fitting) create(o *observed) {
	s := f.s
	g := o.status.GUID
	if g.IsZero() || o.copied {
		g = s.r.newGUID()
		if !o.copied && o.snap != nil && o.snap.Len() == 0 {
			g[0] = 0xff // sorts last: of two mailboxes that turn out to be one, that with mail keeps its GUID
		}
	}
	if o.copied {
		s.rename(o, g)
	}
	mint := f.mint(micros(o.Changed))
	slot := s.edit.Layout().ByPath[o.Name]
	if slot == nil || slot.Holder == nil {
		o.node, _ = s.edit.Create(o.Name, g, mint, false, s.first)
	} else {
		o.node = f.createOver(o, g, mint)
	}
	w := f.writes[len(f.writes)-1]
	f.with[o.node], f.from[o.node] = []*changelog.Node{o.node}, o.Name
	f.logOthers(w)
	s.log(w, changelog.Dot{}, changelog.CreateMailbox{Mailbox: o.node.GUID(), Path: o.Name, Found: w.Found()})
}

// createOver makes a mailbox at a path whose holder is still to be moved away.
func (f *fitting) createOver(o *observed, g store.MailboxGUID, mint changelog.Mint) *changelog.Node {
	pg := f.parent(o.Name, mint)
	w := mint()
	n := &changelog.Node{
		GUIDs:    []store.MailboxGUID{g},
		Creates:  []changelog.Create{{Write: w, Parent: pg, Name: o.Name.Base(), Gen: f.generation(pg, o.Name.Base())}},
		Places:   []changelog.PlaceWrite{{Write: w, Parent: pg, Path: o.Name}},
		Presence: []changelog.NodePresence{{Write: w}},
		UIDNext:  1,
	}
	f.s.tree.AddNode(n)
	f.s.edit.Dirty()
	return n
}

// again writes places where the layout still does not show what the store does.
func (f *fitting) again() bool {
	s := f.s
	if s.look.Restored {
		return false
	}
	some := false
	for _, o := range s.obs {
		if o.node == nil || o.NoSelect {
			continue
		}
		slot := s.edit.Layout().In(o.node.GUID())
		if slot != nil && slot.Path == o.Name && slot.Holder == o.node {
			continue
		}
		some = true
		f.with[o.node] = []*changelog.Node{o.node}
		f.move(o, f.mint(micros(o.Changed)))
	}
	return some
}
