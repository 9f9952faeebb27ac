package recorder

import (
	"cmp"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// match finds out what each new message is: a known one with other flags, one that
// moved, a copy, or a delivery.
func (s *scan) match() error {
	for _, o := range s.obs {
		for _, f := range o.news {
			if err := s.matchHere(o, f); err != nil {
				return err
			}
		}
	}
	var rest []*news
	var at []*observed
	for _, o := range s.obs {
		for _, f := range o.news {
			if f.kind != isNew {
				continue
			}
			if err := s.matchElsewhere(o, f); err != nil {
				return err
			}
			if f.kind == isNew || f.kind == isCopy {
				rest, at = append(rest, f), append(at, o)
			}
		}
	}
	if err := s.matchByFile(rest, at); err != nil {
		return err
	}
	return s.unreadable()
}

// candidates are the records of a message's GUID, by identity.
func (s *scan) candidates(f *news) ([]*logdb.Record, error) {
	ids, err := s.r.acc.ByGUID(f.Content.GUID)
	if err != nil {
		return nil, err
	}
	var out []*logdb.Record
	for _, id := range ids {
		r, err := s.r.acc.Record(id)
		if err != nil {
			return nil, err
		}
		if r != nil {
			out = append(out, r)
		}
	}
	return out, nil
}

// claim takes a record out of what is gone.
func (s *scan) claim(f *news, k kind, r *logdb.Record) {
	f.kind, f.rec = k, r
	delete(s.gone, r.ID())
	if k == isBack {
		s.back[r.ID()] = true
	}
}

// matchHere: the same file under another name or with other keywords.
func (s *scan) matchHere(o *observed, f *news) error {
	rs, err := s.candidates(f)
	if err != nil {
		return err
	}
	for _, r := range rs {
		at := s.gone[r.ID()]
		if at != nil && at.obs == o && hasKey(r, f.Key) {
			s.claim(f, isFlags, r)
			return nil
		}
	}
	return nil
}

// matchElsewhere: moved, back again, or copied.
func (s *scan) matchElsewhere(o *observed, f *news) error {
	rs, err := s.candidates(f)
	if err != nil {
		return err
	}
	rs = slices.DeleteFunc(rs, func(r *logdb.Record) bool {
		return r.Content.Size != 0 && f.Content.Size != 0 && r.Content.Size != f.Content.Size
	})
	// A message that left another mailbox comes before one that left this one.
	slices.SortStableFunc(rs, func(a, b *logdb.Record) int {
		return cmp.Compare(s.here(a, o), s.here(b, o))
	})
	for _, r := range rs {
		if s.gone[r.ID()] != nil {
			s.gonesTo(f, r)
			return nil
		}
	}
	for _, r := range rs {
		if s.comesBack(o, f, r) {
			s.claim(f, isBack, r)
			return nil
		}
	}
	for _, r := range rs {
		if r.Live() && !r.Mailbox.IsZero() {
			f.kind, f.rec = isCopy, r
			return nil
		}
	}
	return nil
}

func (s *scan) here(r *logdb.Record, o *observed) int {
	if at := s.gone[r.ID()]; at != nil && at.obs == o {
		return 1
	}
	return 0
}

// gonesTo: r is gone where it was and new here. In a store older than the log it
// is held where it is found; what the log says of its place is put right later.
func (s *scan) gonesTo(f *news, r *logdb.Record) {
	switch {
	case s.look.Restored:
		s.claim(f, isBack, r)
	case !s.stable:
		f.kind, f.rec = isLater, r
	default:
		s.claim(f, isMove, r)
	}
}

// comesBack reports whether a message that the log knows and the store did not
// hold is there again.
func (s *scan) comesBack(o *observed, f *news, r *logdb.Record) bool {
	if !r.Mailbox.IsZero() || s.back[r.ID()] {
		return false
	}
	if r.Live() {
		return true
	}
	// A restored store may show what was expunged since: by its old UID it is known.
	return s.look.Restored && o.node != nil && slices.Contains(o.node.GUIDs, r.Was.Mailbox) &&
		r.Was.UIDValidity == o.status.UIDValidity && r.Was.UID == f.UID && f.UID != 0
}

// matchByFile recognises what the GUID does not tell: files of a mailbox whose
// uidlist was lost, by key, and files that a client renamed while it moved them,
// by inode.
func (s *scan) matchByFile(rest []*news, at []*observed) error {
	if len(rest) == 0 || len(s.gone) == 0 {
		return nil
	}
	ids := make([]changelog.Dot, 0, len(s.gone))
	for id := range s.gone {
		ids = append(ids, id)
	}
	type fileKey struct {
		obs *observed
		key string
	}
	byKey, byInode := map[fileKey]changelog.Dot{}, map[uint64]changelog.Dot{}
	err := s.r.acc.Records(ids, func(id changelog.Dot, r *logdb.Record) error {
		if r == nil {
			return nil
		}
		if o := s.gone[id].obs; o != nil {
			for _, key := range strings.FieldsFunc(string(r.Handle), keyEnd) {
				byKey[fileKey{o, key}] = id
			}
		}
		if r.Inode != 0 {
			byInode[r.Inode] = id
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, f := range rest {
		id, ok := byKey[fileKey{at[i], f.Key}]
		byFile := !ok && f.Inode != 0 && !s.look.Restored // whose files are others
		if byFile {
			id, ok = byInode[f.Inode]
		}
		if !ok || s.gone[id] == nil {
			continue
		}
		r, err := s.r.acc.Record(id)
		if err != nil {
			return err
		}
		switch {
		case r == nil || !sameFile(r, f):
		case byFile:
			s.gonesTo(f, r)
		case hasKey(r, f.Key):
			s.claim(f, isFlags, r)
		}
	}
	return nil
}

// sameFile reports whether a file can be the one that the record was: a key may be
// used again, a file written to, so size, date and, if known, header must agree.
func sameFile(r *logdb.Record, f *news) bool {
	none := store.HeaderHash{}
	return r.Content.Size == f.Content.Size && r.Received == f.Received.Unix() &&
		(r.Content.Hash == f.Content.Hash || r.Content.Hash == none || f.Content.Hash == none)
}

// keyEnd is what ends a key within a handle.
func keyEnd(c rune) bool { return c == '/' || c == ':' }

// hasKey reports whether the record's handle is of this key.
func hasKey(r *logdb.Record, key string) bool {
	return slices.Contains(strings.FieldsFunc(string(r.Handle), keyEnd), key)
}

// unreadable keeps what could not be described from being taken for gone.
func (s *scan) unreadable() error {
	for _, o := range s.obs {
		if len(o.doubted) == 0 || o.box == nil {
			continue
		}
		for id, at := range s.gone {
			if at.obs != o {
				continue
			}
			r, err := s.r.acc.Record(id)
			if err != nil {
				return err
			}
			if r != nil && slices.ContainsFunc(o.doubted, func(k string) bool { return hasKey(r, k) }) {
				s.look.Absent = append(s.look.Absent, id)
				s.doubt(o.Name)
				delete(s.gone, id)
			}
		}
	}
	return nil
}
