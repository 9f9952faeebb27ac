package recorder

import (
	"maps"
	"slices"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// micros is evidence in the units of a stamp; 0: none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// writeAll logs what was found in the mailboxes.
func (s *scan) writeAll() error {
	byBox := map[*observed][]changelog.Dot{}
	byVan := map[*vanished][]changelog.Dot{}
	for id, at := range s.gone {
		if at.obs != nil {
			byBox[at.obs] = append(byBox[at.obs], id)
		} else {
			byVan[at.van] = append(byVan[at.van], id)
		}
	}
	for _, o := range s.obs {
		if o.snap == nil {
			continue
		}
		if err := s.writeMailbox(o, byBox[o]); err != nil {
			return err
		}
	}
	for _, v := range s.vanished {
		if err := s.writeVanished(v, byVan[v]); err != nil {
			return err
		}
	}
	s.pending = false
	return nil
}

// writeMailbox brings one listed mailbox up to date.
func (s *scan) writeMailbox(o *observed, gone []changelog.Dot) error {
	found := false
	if o.box == nil {
		_, born := s.boxes[o.node.GUID()]
		o.box = &logdb.Mailbox{GUID: o.node.GUID()}
		s.add(o.box)
		o.fresh = true
		found = !born && s.known(o.node)
	} else {
		s.touch(o.box)
	}
	s.write(o.node)
	o.before = o.box.Status
	o.box.Path, o.box.Look, o.box.UIDPrint = o.Name, store.Look{}, nil
	o.box.Status = o.status
	o.box.Skipped = nil
	s.zero = found
	defer func() { s.zero = false }()
	s.newValidity(o)
	if err := s.writeMoved(o); err != nil {
		return err
	}
	if err := s.writeGone(o, gone); err != nil {
		return err
	}
	if err := s.writeNews(o); err != nil {
		return err
	}
	s.raised(o)
	s.attributes(o)
	s.touch(o.box)
	o.box.Look = o.snap.Look()
	o.box.Skipped = o.noted
	if o.missed || !o.snap.Stable() {
		o.box.Look.Racy = true
	} else if !o.zero {
		o.box.UIDPrint = o.snap.Look().Print
	}
	return nil
}

// known reports whether the log had a node as a mailbox before this scan.
func (s *scan) known(n *changelog.Node) bool {
	early := func(d changelog.Dot) bool { return d.Replica != s.meta.Replica || d.Seq <= s.began }
	return slices.ContainsFunc(n.Creates, func(c changelog.Create) bool { return !c.NoSelect && early(c.Dot) }) ||
		slices.ContainsFunc(n.Presence, func(p changelog.NodePresence) bool { return early(p.Dot) })
}

// newValidity logs a new UIDVALIDITY.
func (s *scan) newValidity(o *observed) {
	uv := o.status.UIDValidity
	n := o.node
	if uv == o.before.UIDValidity && !o.fresh {
		return
	}
	if n.UIDValidity != uv {
		if n.UIDValidity != 0 && !s.first {
			w := s.mint(0)
			n.Past.Add(w.Dot)
			s.log(w, changelog.Dot{}, changelog.ResetUIDs{Path: o.Name, UIDValidity: uv})
		}
		n.UIDValidity, n.UIDNext = uv, 1
	}
	n.UIDNext = max(n.UIDNext, o.status.UIDNext)
}

// raised logs that UIDNEXT rose although nothing is there for it.
func (s *scan) raised(o *observed) {
	if o.node.UIDValidity != o.status.UIDValidity {
		return
	}
	old := max(o.before.UIDNext, 1)
	if !o.fresh && o.before.UIDValidity == o.status.UIDValidity && o.status.UIDNext > max(old, o.top+1) && o.status.UIDNext > o.node.UIDNext {
		w := s.mint(0)
		o.node.Past.Add(w.Dot)
		s.log(w, changelog.Dot{}, changelog.RaiseUIDNext{Path: o.Name, UIDNext: o.status.UIDNext})
	}
	o.node.UIDNext = max(o.node.UIDNext, o.status.UIDNext)
}

// writeMoved notes new handles and UIDs of known messages. UIDs that changed under
// one UIDVALIDITY are one change of the mailbox and of each such message.
func (s *scan) writeMoved(o *observed) error {
	ids := make([]changelog.Dot, len(o.moved))
	by := make(map[changelog.Dot]moved, len(o.moved))
	for i, m := range o.moved {
		ids[i] = m.id
		by[m.id] = m
	}
	reset := o.before.UIDValidity != o.status.UIDValidity
	return s.r.acc.Records(ids, func(id changelog.Dot, r *logdb.Record) error {
		if r == nil {
			return nil
		}
		old := r.Clone()
		m := by[id]
		r.Handle = m.handle
		if r.UID != m.uid || r.Content.GUID != m.guid {
			s.renumber(o, r, m.uid, m.guid, reset)
		}
		return s.put(old, r)
	})
}

// renumber gives a message the UID and GUID that the store shows.
func (s *scan) renumber(o *observed, r *logdb.Record, uid store.UID, guid store.GUID, reset bool) {
	if !reset && !s.first {
		if o.late.Dot.IsZero() {
			o.late = s.mint(0)
			o.node.Past.Add(o.late.Dot)
			s.log(o.late, changelog.Dot{}, changelog.ResetUIDs{Path: o.Name, UIDValidity: o.status.UIDValidity})
		}
		r.Past.Add(o.late.Dot)
	}
	r.ModSeq = s.modSeq()
	if r.UID != 0 && !reset {
		s.batch.AddVanished(s.now, o.box.GUID, r.ModSeq, []store.UID{r.UID})
	}
	r.UID, r.Content.GUID = uid, guid
	o.top = max(o.top, uid)
}

func (s *scan) modSeq() store.ModSeq {
	s.meta.HighestMod++
	return s.meta.HighestMod
}

// writeGone logs expunges. In a store older than the log the messages stay live and
// are no longer held.
func (s *scan) writeGone(o *observed, gone []changelog.Dot) error {
	if len(gone) == 0 {
		return nil
	}
	var uids []store.UID
	mod := s.modSeq()
	err := s.r.acc.Records(gone, func(_ changelog.Dot, r *logdb.Record) error {
		if r == nil {
			return nil
		}
		old := r.Clone()
		if r.UID != 0 && o.before.UIDValidity == o.status.UIDValidity {
			uids = append(uids, r.UID)
		}
		if r.Live() && !s.look.Restored {
			w := s.mint(0)
			s.log(w, changelog.Dot{}, changelog.Expunge{Message: r.ID(), Path: o.Name, UID: r.UID, GUID: r.Content.GUID})
			r.Expunge(w.Dot, changelog.Was{Mailbox: o.node.GUID(), UIDValidity: o.before.UIDValidity, UID: r.UID})
		} else if r.Live() {
			s.meta.Flags |= FlagUnheld
		}
		r.ModSeq = mod
		r.Unhold()
		return s.put(old, r)
	})
	s.batch.AddVanished(s.now, o.box.GUID, mod, uids)
	return err
}

// writeVanished logs what became of the mail of a mailbox that is gone.
func (s *scan) writeVanished(v *vanished, gone []changelog.Dot) error {
	if v.keep && !s.look.Restored {
		s.lapsed = true
		return nil
	}
	mod := store.ModSeq(0)
	if len(gone) > 0 {
		mod = s.modSeq()
	}
	var uids []store.UID
	err := s.r.acc.Records(gone, func(_ changelog.Dot, r *logdb.Record) error {
		if r == nil {
			return nil
		}
		old := r.Clone()
		if r.UID != 0 {
			uids = append(uids, r.UID)
		}
		if r.Live() && !v.keep {
			if v.by.Dot.IsZero() {
				v.by = s.mint(0)
				s.log(v.by, changelog.Dot{}, changelog.DeleteMailbox{Mailbox: v.node.GUID(), Path: v.path, Messages: uint32(len(gone))})
			}
			r.Expunge(v.by.Dot, changelog.Was{Mailbox: v.node.GUID(), UIDValidity: v.node.UIDValidity, UID: r.UID})
		} else if r.Live() {
			s.meta.Flags |= FlagUnheld
		}
		r.ModSeq = mod
		r.Unhold()
		return s.put(old, r)
	})
	if err == nil && v.box != nil {
		// The merge may bring the mailbox back, under the same UIDVALIDITY.
		s.batch.AddVanished(s.now, v.box.GUID, mod, uids)
		s.drop(v.box)
	}
	return err
}

// put writes a record and keeps the digests of its mailboxes.
func (s *scan) put(old, r *logdb.Record) error {
	if old != nil && !old.Mailbox.IsZero() {
		if b := s.boxes[old.Mailbox]; b != nil {
			s.touch(b)
			b.Digest.Sub(old.Digest())
			b.Count--
		}
	}
	if !r.Mailbox.IsZero() {
		if b := s.boxes[r.Mailbox]; b != nil {
			s.touch(b)
			b.Digest.Add(r.Digest())
			b.Count++
		}
	}
	s.batch.PutRecord(old, r)
	s.records++
	if s.records >= flushRecords && !s.pending {
		return s.flush()
	}
	return nil
}

// attributes logs the attributes of a mailbox that others changed.
func (s *scan) attributes(o *observed) {
	if !s.r.st.Capabilities().Attributes || s.look.Restored {
		return
	}
	s.attrs(o.node, o.Name, o.status.Attributes)
}

func (s *scan) attrs(n *changelog.Node, path store.Name, shown map[string]string) {
	had := n.Attributes()
	keys := slices.Concat(slices.Collect(maps.Keys(had)), slices.Collect(maps.Keys(shown)))
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if had[k] == shown[k] {
			continue
		}
		w := s.mint(0)
		n.SetAttr(w, k, shown[k])
		s.log(w, changelog.Dot{}, changelog.SetAttribute{Path: path, Key: k, Value: shown[k]})
	}
}
