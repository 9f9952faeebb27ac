package recorder

import (
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// writeNews logs what is new in a mailbox.
func (s *scan) writeNews(o *observed) error {
	var last changelog.Write // the latest that came in: one presence write stands for all
	came := func(w changelog.Write) {
		if last.Dot.IsZero() || w.Later(last, 0) > 0 {
			last = w
		}
	}
	var err error
	if s.bulk {
		err = s.describe(o, o.new, func(m store.Message, hash uint64) error {
			return s.deliver(o, &news{Message: m, hash: hash}, came)
		})
	}
	for _, f := range o.news {
		if err != nil {
			return err
		}
		o.top = max(o.top, f.UID)
		switch f.kind {
		case isNew, isCopy:
			err = s.deliver(o, f, came)
		case isFlags:
			err = s.flags(o, f)
		case isMove:
			err = s.moveIn(o, f, came)
		case isBack:
			err = s.heldAgain(o, f)
		case isLater:
			s.doubt(o.Name)
			o.missed = true
		}
	}
	if !last.Dot.IsZero() && !s.first {
		o.node.Deliver(last)
	}
	return err
}

// deliver logs a message that came in.
func (s *scan) deliver(o *observed, f *news, came func(changelog.Write)) error {
	w := s.mint(micros(f.Changed))
	came(w)
	o.top = max(o.top, f.UID)
	r := &logdb.Record{
		Message: *changelog.NewMessage(w, o.node.GUID(), f.Content, f.Received.Unix(), f.Flags, f.Keywords),
		ModSeq:  s.modSeq(),
	}
	body := changelog.Deliver{Mailbox: o.node.GUID(), Path: o.Name, UID: f.UID, GUID: f.Content.GUID, Flags: f.Flags}
	switch {
	case w.Found():
		s.log(w, changelog.Dot{}, changelog.Found(body))
	case f.kind == isCopy:
		s.log(w, f.rec.ID(), changelog.Copy(body))
	default:
		s.log(w, changelog.Dot{}, body)
	}
	s.hold(o, f, r)
	return s.put(nil, r)
}

// hold notes that the store has the message in the mailbox, as it shows it.
func (s *scan) hold(o *observed, f *news, r *logdb.Record) {
	r.Mailbox, r.Handle, r.Hash, r.Inode = o.box.GUID, f.Handle, f.hash, f.Inode
	r.Received = f.Received.Unix() // no register: of what the sides show the merge takes the earliest
	unshown := s.unshown(o, f, r)
	r.ShownFlags, r.ShownKeywords, r.UID = f.Flags, f.Keywords, f.UID
	r.Unshown = unshown
	if s.look.Restored && f.kind == isNew && f.UID < o.node.UIDNext && !o.fresh {
		// The log knows another message under this UID: a new one is to be found.
		r.UID = 0
	}
	o.zero = o.zero || r.UID == 0
}

// unshown are keywords that the message lacks in the store only because the mailbox
// has no room for them: those known as such, until they show, and those that it lost
// by coming into such a mailbox.
func (s *scan) unshown(o *observed, f *news, r *logdb.Record) []string {
	lacks := without(r.Counted(), f.Keywords)
	if len(lacks) == 0 {
		return nil
	}
	full := o.snap.NoRoom(lacks)
	return without(lacks, without(lacks, slices.Concat(r.Unshown, full)))
}

// flags logs flags and keywords that others changed. What a store older than the
// log shows is noted, but the log's values stand.
func (s *scan) flags(o *observed, f *news) error {
	r := f.rec
	old := r.Clone()
	if !s.look.Restored {
		s.flagEvents(o, f, r)
	}
	uid, guid := r.UID, boundGUID(r, &f.Message)
	s.hold(o, f, r)
	if f.UID != uid || guid != r.Content.GUID {
		r.UID = uid
		s.renumber(o, r, f.UID, guid, o.before.UIDValidity != o.status.UIDValidity)
	}
	r.ModSeq = s.modSeq()
	return s.put(old, r)
}

func (s *scan) flagEvents(o *observed, f *news, r *logdb.Record) {
	set, cleared := f.Flags&^r.ShownFlags, r.ShownFlags&^f.Flags
	shared := s.shared()
	if set|cleared != 0 {
		w := s.mint(micros(f.Changed))
		for b := range set.Each {
			r.SetFlag(w, b, true, shared)
		}
		for b := range cleared.Each {
			r.SetFlag(w, b, false, shared)
		}
		s.log(w, changelog.Dot{}, changelog.SetFlags{Message: r.ID(), Path: o.Name, UID: f.UID, Set: set, Clear: cleared})
	}
	had := r.Counted()
	on, off := without(f.Keywords, had), without(without(had, f.Keywords), s.unshown(o, f, r))
	if len(on)+len(off) == 0 {
		return
	}
	w := s.mint(micros(f.Changed))
	for _, k := range on {
		r.SetKeyword(w, k, true, shared)
	}
	for _, k := range off {
		r.SetKeyword(w, k, false, shared)
	}
	s.log(w, changelog.Dot{}, changelog.SetKeywords{Message: r.ID(), Path: o.Name, UID: f.UID, Set: on, Clear: off})
}

// shared is how far this replica has told others of its changes.
func (s *scan) shared() uint64 {
	if n := len(s.meta.Tags); n > 0 {
		return s.meta.Tags[n-1].Seq
	}
	return 0
}

// without gives the keywords of a that b lacks in any spelling.
func without(a, b []string) []string {
	var out []string
	for _, k := range a {
		fold := store.FoldKeyword(k)
		if !slices.ContainsFunc(b, func(x string) bool { return store.FoldKeyword(x) == fold }) {
			out = append(out, k)
		}
	}
	return out
}

// moveIn logs that a known message came from where it is gone.
func (s *scan) moveIn(o *observed, f *news, came func(changelog.Write)) error {
	r := f.rec
	old := r.Clone()
	from := store.Name("")
	if b := s.boxes[old.Mailbox]; b != nil {
		from = b.Path
		if old.UID != 0 {
			s.batch.AddVanished(s.now, old.Mailbox, s.modSeq(), []store.UID{old.UID})
		}
	}
	w := s.mint(micros(f.Changed))
	came(w)
	r.Move(w, o.node.GUID())
	s.log(w, changelog.Dot{}, changelog.Move{Message: r.ID(), From: from, To: o.Name, UID: f.UID, GUID: f.Content.GUID})
	s.flagEvents(o, f, r)
	r.Content.GUID = boundGUID(r, &f.Message)
	s.hold(o, f, r)
	r.ModSeq = s.modSeq()
	return s.put(old, r)
}

// heldAgain notes that a message is where the store shows it, without a change of
// what the log says of it.
func (s *scan) heldAgain(o *observed, f *news) error {
	r := f.rec
	old := r.Clone()
	r.Content.GUID = boundGUID(r, &f.Message)
	s.hold(o, f, r)
	if old.Mailbox != r.Mailbox && !old.Mailbox.IsZero() && old.UID != 0 {
		s.batch.AddVanished(s.now, old.Mailbox, s.modSeq(), []store.UID{old.UID})
	}
	r.ModSeq = s.modSeq()
	return s.put(old, r)
}
