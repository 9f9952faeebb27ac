package replay

import (
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// What stands: the nodes of the tree as the store shows them at this moment, and as
// the log has them.

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

// keep notes nodes as committed.
func (p *Player) keep(ns ...*changelog.Node) {
	for _, n := range ns {
		c := n.Clone()
		for _, g := range n.GUIDs {
			p.kept[g] = c
		}
	}
}

// adopt puts a node as it is to be in the place of those it is made of, with the
// numbers that the mailbox has at this moment.
func (p *Player) adopt(n *changelog.Node) {
	c := n.Clone()
	p.tree.Nodes = slices.DeleteFunc(p.tree.Nodes, func(x *changelog.Node) bool {
		if shareGUID(x, c) {
			delete(p.moved, x)
			return true
		}
		return false
	})
	if b := p.isNow[n]; b != nil {
		switch {
		case b.Was == nil:
			c.UIDNext = max(p.next[b], 1)
		case p.next[b] == 0:
			c.UIDValidity, c.UIDNext = b.Was.UIDValidity, b.Was.UIDNext
		}
	}
	p.hold(c, n)
	p.tree.AddNode(c)
	p.moved[c] = true
}

// putNodes writes the nodes that changed since the last time.
func (p *Player) putNodes(b *logdb.Batch) {
	for _, n := range p.tree.Nodes {
		if !p.moved[n] {
			continue
		}
		var olds []*changelog.Node
		for _, g := range n.GUIDs {
			if o := p.kept[g]; o != nil && !slices.Contains(olds, o) {
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
		p.keep(n)
	}
	clear(p.moved)
}
