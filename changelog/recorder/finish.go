package recorder

import (
	"reflect"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// rename gives a mailbox that shares its GUID with another one of its own.
func (s *scan) rename(o *observed, g store.MailboxGUID) {
	s.warn("%s: has the GUID of another mailbox (copied?); it gets one of its own", o.Name)
	if s.r.o.ReadOnly || !s.r.st.Capabilities().MailboxGUIDs || s.r.st.Capabilities().ReadOnly {
		return
	}
	if err := s.writing(); err != nil {
		s.warn("%s: its new GUID could not be written: %v", o.Name, err)
		return
	}
	if _, err := s.r.st.Apply(s.ctx, o.Name, &store.Change{GUID: g}); err != nil {
		s.warn("%s: its new GUID could not be written: %v", o.Name, err)
		return
	}
	o.status.GUID, o.missed = g, true
}

// subscriptions logs what others subscribed and unsubscribed.
func (s *scan) subscriptions() error {
	if s.listed == nil || !s.r.st.Capabilities().Subscriptions || s.look.Restored {
		return nil
	}
	shown := s.tree.Subscriptions(s.edit.Layout())
	write := func(n store.Name, on bool) {
		var w changelog.Write
		s.edit.Subscribe(n, on, func() changelog.Write {
			w = s.mint(micros(s.listed.SubsChanged))
			return w
		})
		s.log(w, changelog.Dot{}, changelog.Subscribe{Path: n, On: on})
	}
	for _, n := range shown {
		if !slices.Contains(s.listed.Subscriptions, n) {
			write(n, false)
		}
	}
	for _, n := range s.listed.Subscriptions {
		if !slices.Contains(shown, n) {
			write(n, true)
		}
	}
	return nil
}

// accountAttributes logs the account's attributes that others changed.
func (s *scan) accountAttributes() error {
	if s.listed == nil || !s.r.st.Capabilities().Attributes || s.look.Restored {
		return nil
	}
	known := len(s.tree.Nodes) > 0 && s.tree.Nodes[0].IsAccount()
	if !known && len(s.listed.Attributes) == 0 {
		return nil
	}
	s.attrs(s.tree.Account(), "", s.listed.Attributes)
	return nil
}

// listing is the tree for the log to remember, with what is only absent.
func (s *scan) listing() []logdb.Listed {
	lay := s.edit.Layout()
	var out []logdb.Listed
	for _, o := range s.obs {
		l := logdb.Listed{Path: o.Name, NoSelect: o.NoSelect, Dir: o.Dir}
		if o.node != nil {
			l.Node = o.node.GUID()
		} else if n := parentNode(lay.ByPath[o.Name]); n != nil {
			l.Node = n.GUID()
		}
		out = append(out, l)
	}
	if s.look.Restored {
		return out
	}
	for _, v := range s.vanished {
		if v.keep {
			out = append(out, v.line) // behind what is at its path now
		}
	}
	slices.SortStableFunc(out, func(a, b logdb.Listed) int { return store.CompareNames(a.Path, b.Path) })
	return out
}

// flush commits what was found so far. The next scan, if this one does not end,
// lists everything again and goes on from here.
func (s *scan) flush() error {
	s.putBoxes()
	s.batch.PutTree(s.was, s.tree)
	m := s.meta.Clone()
	m.Tree, m.TreeLook = s.listing(), store.Look{}
	s.batch.PutMeta(&m)
	s.batch.AppendEvents(s.now, s.events)
	if err := s.batch.Commit(flushSync); err != nil {
		return err
	}
	s.batch, s.records, s.events, s.was = s.r.acc.Batch(), 0, nil, s.tree.Clone()
	return nil
}

// putBoxes writes the mailboxes that changed.
func (s *scan) putBoxes() {
	for g, b := range s.boxes {
		if len(b.Status.Attributes) == 0 {
			b.Status.Attributes = nil
		}
		if !reflect.DeepEqual(b, s.orig[g]) {
			s.batch.PutMailbox(b)
			s.orig[g] = b.Clone()
		}
	}
}

// finish commits all that is left, and what the next scan compares with.
func (s *scan) finish() error {
	for _, o := range s.obs {
		if o.node != nil && !o.NoSelect && o.node.UIDValidity != 0 {
			s.tree.Hold(o.Name, o.node.UIDValidity, o.node.GUID())
		}
	}
	s.edit.Dirty()
	lay := s.edit.Layout()
	s.putBoxes()
	s.batch.PutTree(s.was, s.tree)
	m := s.meta.Clone()
	m.Flags &^= flagWriting
	if s.look.Restored {
		m.Flags |= flagOlder
	}
	m.Tree, m.TreeLook = s.listing(), s.treeLook
	m.TreeLook.Racy = m.TreeLook.Racy || s.lapsed || !s.stable || len(s.look.AbsentMailboxes) > 0
	m.Digest = AccountDigest(s.tree, lay, s.box)
	m.Location, m.Identity = s.r.st.Location(), s.r.st.Identity()
	before := s.r.acc.Meta()
	before.LastLook, m.LastLook = 0, 0
	if !s.batch.Empty() || !reflect.DeepEqual(before, m) || s.first {
		m.LastLook = s.now
		s.batch.AppendEvents(s.now, s.events)
		s.batch.PutMeta(&m)
		if err := s.batch.Commit(s.first || len(s.events) > 0 || s.look.Restored); err != nil {
			return err
		}
	}
	s.look.Tree = s.tree.Clone()
	s.look.Layout = s.look.Tree.Layout(s.live)
	return nil
}

// DigestOf is what a held record adds to the digest of its mailbox.
func DigestOf(r *logdb.Record) changelog.Digest {
	return changelog.MessageDigest(r.UID, r.Content.GUID, r.Content.Size, r.ShownFlags, r.Counted(), r.Received)
}

// AccountDigest is the digest of what a store shows: the tree's paths,
// subscriptions and attributes, and of each mailbox its numbers as the store has
// them and its messages' digest. box gives the local state of a node, nil if the
// store lacks it.
func AccountDigest(t *changelog.Tree, lay *changelog.Layout, box func(*changelog.Node) *logdb.Mailbox) changelog.Digest {
	var all []changelog.MailboxSummary
	for _, slot := range lay.Slots {
		if !slot.Shown {
			continue
		}
		m := changelog.MailboxSummary{Path: slot.Path, NoSelect: slot.Holder == nil}
		if slot.Holder != nil {
			m.Attributes = slot.Holder.Attributes()
			if b := box(slot.Holder); b != nil {
				m.UIDValidity, m.UIDNext, m.Messages = b.Status.UIDValidity, b.Status.UIDNext, b.Digest
			}
		}
		all = append(all, m)
	}
	var attrs map[string]string
	if len(t.Nodes) > 0 && t.Nodes[0].IsAccount() {
		attrs = t.Nodes[0].Attributes()
	}
	return changelog.AccountDigest(all, t.Subscriptions(lay), attrs)
}
