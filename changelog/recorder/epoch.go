package recorder

import (
	"fmt"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
)

// Confront judges what a peer shows of this replica: the position that it knows (ok
// is false if it knows none). If the log lacks that position under that tag, it was
// restored from a backup or cloned, and goes on under a new epoch: its own changes
// above the newest position that it has in common with the peer get new dots, and
// of the old epoch it has seen only up to there. A peer that shows the replica's own
// identity is confronted with Cloned.
//
// by names the peer. How far it knew this log when they last met is the newest
// common position; without it, or if they never met, nothing is in common, and what
// the two hold of the same changes is linked again by content.
func (r *Recorder) Confront(mine changelog.Position, ok bool, by ...changelog.Replica) (restored bool, err error) {
	if !ok || mine.Seq == 0 {
		return false, nil
	}
	if known(r.acc.Last(), mine) {
		return false, nil
	}
	m := r.acc.Meta()
	var common uint64
	for _, p := range m.Peers {
		if slices.Contains(by, p.Replica) {
			common = max(common, p.Seen.Max(m.Replica))
		}
	}
	if err := r.newEpoch(min(common, m.Seq, mine.Seq)); err != nil {
		return false, fmt.Errorf("take a new epoch: %w", err)
	}
	r.notice(LevelWarning, "the change log of %s is older than what its peer knows of it (restored or cloned?): it goes on as %v", r.st.Location(), r.Replica())
	return true, nil
}

// Cloned says that the other end of a session goes by this replica's own identity.
func (r *Recorder) Cloned() error {
	if err := r.newEpoch(0); err != nil {
		return fmt.Errorf("take a new epoch: %w", err)
	}
	r.notice(LevelWarning, "the change log of %s has a twin at the other end: it goes on as %v", r.st.Location(), r.Replica())
	return nil
}

// known reports whether the log has the position under its tag. Tags that were
// dropped for their number are believed.
func known(m *logdb.Meta, p changelog.Position) bool {
	if p.Seq > m.Seq {
		return false
	}
	for _, t := range m.Tags {
		if t.Seq == p.Seq {
			return t.Tag == p.Tag
		}
	}
	return len(m.Tags) >= logdb.MaxTags/2 && p.Seq < m.Tags[0].Seq
}

// newEpoch renames all own changes above common.
func (r *Recorder) newEpoch(common uint64) error {
	m := r.acc.Meta()
	old := m.Replica
	// Twins draw their epochs apart.
	next := changelog.Replica{ID: old.ID, Epoch: old.Epoch + 1 + uint32(r.o.NewID()%(1<<20))}
	if next.Epoch <= old.Epoch {
		return fmt.Errorf("epochs of %v are used up", old)
	}
	d := renamer{old, next, common}
	b := r.acc.Batch()
	defer b.Discard()
	was, err := r.acc.LoadTree()
	if err != nil {
		return err
	}
	tree := was.Clone()
	for _, n := range tree.Nodes {
		d.node(n)
	}
	for _, x := range tree.Bare {
		each(x.Subs, func(w *changelog.BoolWrite) { d.dot(&w.Dot) })
		d.dots(&x.Past)
	}
	b.PutTree(was, tree)
	err = r.acc.AllRecords(func(rec *logdb.Record) error {
		ds := rec.Mentions()
		if ds.Max(old) <= common {
			return nil
		}
		before := rec.Clone()
		d.message(&rec.Message)
		b.PutRecord(before, rec)
		return nil
	})
	if err != nil {
		return err
	}
	r.seq = 0
	d.meta(&m)
	b.PutMeta(&m)
	return b.Commit(true)
}

// renamer gives the dots of one epoch above a position to the next epoch, in order.
type renamer struct {
	old, next changelog.Replica
	common    uint64
}

func (d renamer) dot(x *changelog.Dot) {
	if x.Replica == d.old && x.Seq > d.common {
		*x = changelog.Dot{Replica: d.next, Seq: x.Seq - d.common}
	}
}

func (d renamer) dots(s *changelog.Dots) {
	var out changelog.Dots
	for _, p := range s.Replicas() {
		for _, g := range p.Ranges {
			if p.Replica != d.old || g.Hi <= d.common {
				out.AddRange(p.Replica, g)
				continue
			}
			if g.Lo <= d.common {
				out.AddRange(d.old, changelog.Range{Lo: g.Lo, Hi: d.common})
				g.Lo = d.common + 1
			}
			out.AddRange(d.next, changelog.Range{Lo: g.Lo - d.common, Hi: g.Hi - d.common})
		}
	}
	*s = out
}

func each[W any](ws []W, f func(*W)) {
	for i := range ws {
		f(&ws[i])
	}
}

func (d renamer) message(m *changelog.Message) {
	each(m.Origins, func(w *changelog.Write) { d.dot(&w.Dot) })
	each(m.Presence, func(w *changelog.Presence) { d.dot(&w.Dot) })
	each(m.Flags, func(w *changelog.FlagWrite) { d.dot(&w.Dot) })
	each(m.Keywords, func(w *changelog.KeywordWrite) { d.dot(&w.Dot) })
	d.dots(&m.Past)
	slices.SortFunc(m.Origins, func(a, b changelog.Write) int { return a.Dot.Compare(b.Dot) })
	slices.SortFunc(m.Presence, func(a, b changelog.Presence) int { return a.Dot.Compare(b.Dot) })
	changelog.SortFlags(m.Flags)
	changelog.SortKeywords(m.Keywords)
}

func (d renamer) node(n *changelog.Node) {
	each(n.Creates, func(w *changelog.Create) { d.dot(&w.Dot) })
	each(n.Places, func(w *changelog.PlaceWrite) { d.dot(&w.Dot) })
	each(n.Presence, func(w *changelog.NodePresence) { d.dot(&w.Dot) })
	each(n.Subs, func(w *changelog.BoolWrite) { d.dot(&w.Dot) })
	each(n.Attrs, func(w *changelog.AttrWrite) { d.dot(&w.Dot) })
	d.dots(&n.Past)
	changelog.SortCreates(n.Creates)
	changelog.SortAttrs(n.Attrs)
	slices.SortFunc(n.Places, func(a, b changelog.PlaceWrite) int { return a.Dot.Compare(b.Dot) })
	slices.SortFunc(n.Presence, func(a, b changelog.NodePresence) int { return a.Dot.Compare(b.Dot) })
	slices.SortFunc(n.Subs, func(a, b changelog.BoolWrite) int { return a.Dot.Compare(b.Dot) })
}

// meta takes the account to the new epoch.
func (d renamer) meta(m *logdb.Meta) {
	var seen changelog.Dots
	for _, p := range m.Seen.Dots.Replicas() {
		for _, g := range p.Ranges {
			if p.Replica == d.old {
				g.Hi = min(g.Hi, d.common)
			}
			seen.AddRange(p.Replica, g)
		}
	}
	m.Replica, m.Seq = d.next, m.Seq-d.common
	seen.AddRange(d.next, changelog.Range{Lo: 1, Hi: m.Seq})
	m.Seen.Dots = seen
	m.Seen.Tags = slices.DeleteFunc(slices.Clone(m.Seen.Tags), func(t changelog.TagOf) bool {
		return t.Replica == d.old && t.Seq > d.common
	})
	for _, t := range m.Tags {
		if t.Seq <= d.common {
			m.Seen.SetTag(d.old, t)
		}
	}
	m.Tags = nil
}
