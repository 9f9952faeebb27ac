package pure

import (
	"maps"
	"slices"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// What happens to logs: lost, cloned, restored, trimmed.

// Without is the mail of r met without any history, as the replica that takes the
// place of old: a new identity, all it shows Found, with the same GUIDs, UIDs and
// UIDVALIDITYs.
func (r *Replica) Without(w *World, old *Replica) *Replica {
	w.ids++
	n := &Replica{Name: old.Name, ID: changelog.Replica{ID: changelog.ReplicaID(1000*w.ids + old.Name + 1)}, Tree: &changelog.Tree{},
		Messages: map[changelog.Dot]*changelog.Message{}, now: r.now, skew: old.skew, guids: old.guids + 100,
		shown: map[uidKey]store.GUID{}, nexts: map[boxKey]store.UID{}, heldBy: map[boxKey]store.MailboxGUID{}}
	if r == old {
		// Of numbers that a path has left nobody knows any more.
		for _, s := range r.Layout().Slots {
			if s.Holder == nil {
				continue
			}
			k := boxKey{s.Path, s.Holder.UIDValidity}
			n.nexts[k] = r.nexts[k]
			for u, g := range r.shown {
				if u.boxKey == k {
					n.shown[u] = g
				}
			}
		}
	}
	found := func() changelog.Write {
		x := n.mint()
		x.Stamp = changelog.Stamp{}
		return x
	}
	e := n.edit()
	l := r.Layout()
	for _, s := range l.Slots {
		if !s.Shown {
			continue
		}
		var g store.MailboxGUID
		if s.Holder != nil {
			g = s.Holder.GUID()
		} else {
			g = n.NewGUID()
		}
		node, err := e.Create(s.Path, g, found, s.Holder == nil, true)
		if err != nil {
			panic("lost log: " + err.Error())
		}
		if s.Holder == nil {
			continue
		}
		node.UIDValidity, node.UIDNext = s.Holder.UIDValidity, s.Holder.UIDNext
		for k, v := range s.Holder.Attributes() {
			node.SetAttr(found(), k, v)
		}
		for _, m := range r.In(s) {
			x := changelog.NewMessage(found(), g, m.Content, m.Received, merge.Safe.Flags(m), merge.Safe.Keywords(m))
			x.UID = m.UID
			n.Messages[x.ID()] = x
		}
	}
	for _, s := range r.Tree.Subscriptions(l) {
		e.Subscribe(s, true, found)
	}
	n.changed()
	n.noteHolds()
	return n
}

// Twin makes R a copy of Peer's mail and log together, under a new epoch from then
// on: what a cloned home does once it knows that it is one.
const Twin Verb = "twin"

// Again is Restore by one who knows it: R goes back to the last Save, and takes a
// new epoch at once.
const Again Verb = "again"

// twin is a copy of r, log and all, in the place of old. What it makes from now on
// it makes under a new epoch; what stands in the log keeps its dots, since the copy
// has seen just what the original had.
func (r *Replica) twin(w *World, old *Replica) *Replica {
	w.ids++
	c := r.Clone()
	c.Name, c.skew, c.saved = old.Name, old.skew, nil
	c.guids = max(old.guids, r.guids) + 100
	c.fresh(w)
	return c
}

// fresh takes a new epoch that no other replica has, and renames nothing.
func (r *Replica) fresh(w *World) {
	if len(r.tags) > 0 {
		heard := map[changelog.Replica]handed{r.ID: r.tags[len(r.tags)-1]}
		maps.Copy(heard, r.heard)
		r.heard = heard
	}
	w.ids++
	r.ID.Epoch = uint32(1000 * w.ids)
	r.Seq, r.tags = 0, nil
}

// handed is a position that a replica gave to others, with its tag.
type handed struct {
	seq uint64
	tag uint64
}

// meet is what two replicas do before they merge: who was restored since takes a
// new epoch. Then each tells its position.
func (w *World) meet(a, b *Replica) {
	w.renew(a, b)
	w.renew(b, a)
}

func (w *World) renew(r, peer *Replica) {
	last := peer.heard[r.ID]
	if last.seq == 0 || slices.Contains(r.tags, last) {
		return
	}
	var common uint64
	for _, t := range r.tags {
		if t.seq <= last.seq {
			common = max(common, t.seq)
		}
	}
	r.newEpoch(common)
}

// tell gives everything that r has heard, and its own position, to the peer.
func (w *World) tell(r, peer *Replica) {
	if len(r.tags) == 0 || r.tags[len(r.tags)-1].seq < r.Seq {
		w.ids++
		r.tags = append(slices.Clone(r.tags), handed{r.Seq, uint64(w.ids)})
	}
	hear := func(id changelog.Replica, h handed) {
		if id != peer.ID && h.seq > peer.heard[id].seq {
			heard := map[changelog.Replica]handed{id: h}
			for k, v := range peer.heard {
				if k != id {
					heard[k] = v
				}
			}
			peer.heard = heard
		}
	}
	hear(r.ID, r.tags[len(r.tags)-1])
	for id, h := range r.heard {
		hear(id, h)
	}
}

// newEpoch makes the replica go on under a new epoch: its own changes above seq get
// new dots, and of the old epoch it has seen only up to there.
func (r *Replica) newEpoch(seq uint64) {
	old := r.ID
	r.ID.Epoch++
	top := r.Seq
	r.Seq, r.tags = 0, nil
	names := map[changelog.Dot]changelog.Dot{}
	for q := seq + 1; q <= top; q++ {
		r.Seq++
		names[changelog.Dot{Replica: old, Seq: q}] = changelog.Dot{Replica: r.ID, Seq: r.Seq}
	}
	renamed := func(d changelog.Dot) changelog.Dot {
		if n, ok := names[d]; ok {
			return n
		}
		return d
	}
	r.rewrite(func(w *changelog.Write) { w.Dot = renamed(w.Dot) }, func(s changelog.Dots) (out changelog.Dots) {
		s.Each(func(d changelog.Dot) bool {
			out.Add(renamed(d))
			return true
		})
		return out
	})
}

// trim drops from r what every replica has seen in full: tombstones, and the dots
// of writes that count no longer (P12: no result may change).
func (w *World) trim(r *Replica) {
	all := w.R[0].Seen.Clone()
	for _, x := range w.R[1:] {
		beyond := all.Minus(&x.Seen)
		all = all.Minus(&beyond)
	}
	r.own()
	for d, m := range r.Messages {
		ds := m.Mentions()
		if !m.Live() && all.Covers(&ds) {
			delete(r.Messages, d)
			continue
		}
		m.Past = m.Past.Minus(&all)
	}
	for _, n := range r.Tree.Nodes {
		n.Past = n.Past.Minus(&all)
	}
	for _, b := range r.Tree.Bare {
		b.Past = b.Past.Minus(&all)
	}
	r.changed()
}
