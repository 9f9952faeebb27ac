package replay

import (
	"maps"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// standing is what stands: the nodes of the tree as the store shows them at this
// moment, and as the log has them. A node that the log has is changed by putting
// another in its place, so that both may be one.
type standing struct {
	now, kept map[store.MailboxGUID]*changelog.Node // by every GUID
	moved     map[*changelog.Node]bool              // of now, to be committed
	bare      []*changelog.Bare
	uvs       map[store.Name][]changelog.Held
}

func stand(t *changelog.Tree) standing {
	s := standing{now: make(map[store.MailboxGUID]*changelog.Node, len(t.Nodes)), moved: map[*changelog.Node]bool{}, bare: t.Bare, uvs: t.UVs}
	for _, n := range t.Nodes {
		for _, g := range n.GUIDs {
			s.now[g] = n
		}
	}
	s.kept = maps.Clone(s.now)
	return s
}

// tree is what stands now, to be read.
func (s *standing) tree() *changelog.Tree {
	t := &changelog.Tree{Bare: s.bare, UVs: s.uvs}
	for g, n := range s.now {
		if g == n.GUID() {
			t.Nodes = append(t.Nodes, n)
		}
	}
	t.SortNodes()
	return t
}

// replace puts a node in the place of all that share a GUID with it, and gives these.
func (s *standing) replace(c *changelog.Node) (olds []*changelog.Node) {
	for _, g := range c.GUIDs {
		if o := s.now[g]; o != nil && !slices.Contains(olds, o) {
			olds = append(olds, o)
		}
	}
	for _, o := range olds {
		for _, g := range o.GUIDs {
			delete(s.now, g)
		}
		delete(s.moved, o)
	}
	for _, g := range c.GUIDs {
		s.now[g] = c
	}
	s.moved[c] = true
	return olds
}

// putNodes writes the nodes that changed since the last time.
func (s *standing) putNodes(b *logdb.Batch) {
	for _, n := range slices.SortedFunc(maps.Keys(s.moved), func(x, y *changelog.Node) int { return x.GUID().Compare(y.GUID()) }) {
		var olds []*changelog.Node
		for _, g := range n.GUIDs {
			if o := s.kept[g]; o != nil && !slices.Contains(olds, o) {
				olds = append(olds, o)
			}
		}
		var same *changelog.Node
		for _, o := range olds {
			if o.GUID() == n.GUID() {
				same = o
			} else {
				b.DropVanished(o, n)
				b.PutNode(o, nil)
			}
		}
		b.PutNode(same, n)
		for _, g := range n.GUIDs {
			s.kept[g] = n
		}
	}
	clear(s.moved)
}

// raise sets the UIDNEXT of a mailbox, unless it is as high already or counts UIDs
// otherwise.
func (s *standing) raise(g store.MailboxGUID, st store.Status) {
	n := s.now[g]
	if n == nil || n.UIDNext >= st.UIDNext || n.UIDValidity != st.UIDValidity {
		return
	}
	if !s.moved[n] {
		n = n.Clone()
		s.replace(n)
	}
	n.UIDNext = st.UIDNext
}

// slot is where the store showed a mailbox before the run.
func (p *Player) slot(g store.MailboxGUID) *changelog.Slot {
	if was, ok := p.alias[g]; ok {
		g = was
	}
	return p.In.Layout.In(g)
}

// rekey moves the records of mailboxes that get another GUID under it, in the
// batch that changes their nodes.
func (p *Player) rekey(batch *logdb.Batch) error {
	for _, b := range p.Plan.all() {
		if b.Was == nil || b.Node == nil || p.bad[b] || b.Was.GUID() == b.Node.GUID() {
			continue
		}
		was, now := b.Was.GUID(), b.Node.GUID()
		err := p.Account.MailboxRecords(was, func(r *logdb.Record) error {
			n := *r
			n.Mailbox = now
			batch.PutRecord(r, &n)
			return nil
		})
		if err != nil {
			return err
		}
		for _, r := range p.In.Records {
			if r.Mailbox == was {
				r.Mailbox = now
			}
		}
		p.alias[now] = was
		row := p.row(b)
		batch.DeleteMailbox(was)
		row.GUID = now
		p.putRow(batch, b)
	}
	return nil
}
