package recorder

import (
	"bytes"
	"maps"
	"reflect"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// stored is what the database has, where a scan has other things in mind.
type stored struct {
	tree  *changelog.Tree                      // nil: nothing of it was asked for yet
	boxes map[store.MailboxGUID]*logdb.Mailbox // of those that the scan changed; nil: none
	// flushed: a batch was committed, so that of the tree only fresh can be other,
	// the nodes written to since, and the one that is being written to.
	flushed bool
	fresh   map[*changelog.Node]bool
	current *changelog.Node
	listing []logdb.Listed // as flushed
}

// was is the tree as the database has it.
func (s *scan) was() (*changelog.Tree, error) {
	if s.old.tree != nil {
		return s.old.tree, nil
	}
	t, err := s.r.acc.LoadTree()
	s.old.tree = t
	return t, err
}

// write notes that a mailbox is being brought up to date.
func (s *scan) write(n *changelog.Node) {
	s.old.current, s.old.fresh[n] = n, true
}

// touch notes that the local state of a mailbox is about to be changed.
func (s *scan) touch(b *logdb.Mailbox) {
	if _, ok := s.old.boxes[b.GUID]; !ok {
		s.old.boxes[b.GUID] = b.Clone()
	}
}

// add takes up a mailbox that the log has no state of.
func (s *scan) add(b *logdb.Mailbox) {
	s.boxes[b.GUID], s.old.boxes[b.GUID] = b, nil
}

// drop forgets a mailbox.
func (s *scan) drop(b *logdb.Mailbox) {
	s.batch.DeleteMailbox(b.GUID)
	delete(s.boxes, b.GUID)
	delete(s.old.boxes, b.GUID)
}

// flush commits what was found so far. The next scan, if this one does not end,
// lists everything again and goes on from here. It costs what changed since the
// last time: of the tree, that is the mailboxes that were written to.
func (s *scan) flush() error {
	s.putBoxes()
	if err := s.putNodes(); err != nil {
		return err
	}
	m := s.meta.Clone()
	if s.old.listing == nil {
		s.old.listing = s.lineUp()
	}
	m.Tree, m.TreeLook = s.old.listing, store.Look{}
	s.batch.PutMeta(&m)
	s.batch.AppendEvents(s.now, s.events)
	if err := s.batch.Commit(flushSync); err != nil {
		return err
	}
	s.batch, s.records, s.events, s.old.flushed = s.r.acc.Batch(), 0, nil, true
	return nil
}

// putNodes writes the nodes that changed.
func (s *scan) putNodes() error {
	was, err := s.was()
	if err != nil {
		return err
	}
	if s.old.flushed {
		s.putFresh(was)
	} else {
		s.batch.PutTree(was, s.tree)
		s.old.tree = s.tree.Clone()
	}
	clear(s.old.fresh)
	if s.old.current != nil {
		s.old.fresh[s.old.current] = true
	}
	return nil
}

func (s *scan) putFresh(was *changelog.Tree) {
	for _, n := range slices.SortedFunc(maps.Keys(s.old.fresh), func(a, b *changelog.Node) int { return a.GUID().Compare(b.GUID()) }) {
		i, ok := slices.BinarySearchFunc(was.Nodes, n.GUID(), func(x *changelog.Node, g store.MailboxGUID) int { return x.GUID().Compare(g) })
		if ok && !bytes.Equal(changelog.AppendNode(nil, was.Nodes[i]), changelog.AppendNode(nil, n)) {
			s.batch.PutNode(was.Nodes[i], n)
			was.Nodes[i] = n.Clone()
		}
	}
}

// putBoxes writes the mailboxes that changed.
func (s *scan) putBoxes() {
	for _, g := range slices.SortedFunc(maps.Keys(s.old.boxes), store.MailboxGUID.Compare) {
		b, was := s.boxes[g], s.old.boxes[g]
		if len(b.Status.Attributes) == 0 {
			b.Status.Attributes = nil
		}
		if was == nil || !reflect.DeepEqual(b, was) {
			s.batch.PutMailbox(b)
		}
	}
	clear(s.old.boxes)
}

// still reports that nothing was found that could make the log's tree another, or
// that of what it shows.
func (s *scan) still() bool {
	return s.meta.Seq == s.began && len(s.vanished) == 0 && !slices.ContainsFunc(s.obs, func(o *observed) bool { return o.changed })
}

// finish commits all that is left, and what the next scan compares with.
func (s *scan) finish() error {
	held := false
	for _, o := range s.obs {
		if o.node != nil && !o.NoSelect && o.node.UIDValidity != 0 {
			held = s.tree.Hold(o.Name, o.node.UIDValidity, o.node.GUID()) || held
		}
	}
	still := s.still()
	if !still {
		s.edit.Dirty() // mail came or went
	}
	s.show()
	s.putBoxes()
	if !still || held {
		was, err := s.was()
		if err != nil {
			return err
		}
		s.batch.PutTree(was, s.tree)
	}
	m := s.meta.Clone()
	m.Flags &^= flagWriting
	if s.look.Restored {
		m.Flags |= flagOlder
	}
	if !still || s.listed != nil {
		m.Tree = s.lineUp()
	}
	m.TreeLook = s.treeLook
	m.TreeLook.Racy = m.TreeLook.Racy || s.lapsed || !s.stable || len(s.look.AbsentMailboxes) > 0
	m.Digest = s.look.Digest
	m.Location, m.Identity = s.r.st.Location(), s.r.st.Identity()
	var err error
	if m.Rest, err = s.rest(&m); err != nil {
		return err
	}
	before := s.r.acc.Last().Clone()
	before.LastLook, m.LastLook = 0, 0
	if !s.batch.Empty() || !reflect.DeepEqual(before, m) || s.first {
		m.LastLook = s.now
		s.batch.AppendEvents(s.now, s.events)
		s.batch.PutMeta(&m)
		return s.batch.Commit(s.first || len(s.events) > 0 || s.look.Restored)
	}
	return nil
}

// show fills in what the log has, as it stands now. The digest is of what the store
// holds, whatever the log has of mail that it does not hold.
func (s *scan) show() {
	l := s.look
	l.Tree, l.Layout = s.tree, s.edit.Layout()
	l.Mailboxes = slices.SortedFunc(maps.Values(s.boxes), func(a, b *logdb.Mailbox) int { return a.GUID.Compare(b.GUID) })
	lay := l.Layout
	if s.held != nil {
		lay = s.tree.Layout(func(g store.MailboxGUID) bool { b := s.boxes[g]; return b != nil && b.Count > 0 })
	}
	l.Digest = logdb.AccountDigest(s.tree, lay, l.Mailboxes)
}
