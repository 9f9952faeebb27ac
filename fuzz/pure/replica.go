// Package pure runs histories on the merge alone: replicas that are nothing but
// views and seen-sets, without store, log or session. It is the fastest ring, and
// the reference that slower rings are compared with.
//
// A history is data (Op values), every operation is total (one that does not apply
// does nothing), and a world computes the same from the same history, so that a
// failing history can be shortened by leaving operations out.
package pure

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// Replica is one copy of the account.
type Replica struct {
	Name     int
	ID       changelog.Replica
	Seq      uint64
	Clock    changelog.Clock
	Seen     changelog.Dots
	Tree     *changelog.Tree
	Messages map[changelog.Dot]*changelog.Message
	guids    uint32
	now      *int64
	skew     int64
	saved    *Replica
	tags     []handed                     // positions given to others, ascending
	heard    map[changelog.Replica]handed // of others; never changed in place
	// shown is uid -> guid per path and UIDVALIDITY over all time (P10).
	shown map[uidKey]store.GUID
	nexts map[boxKey]store.UID
	// heldBy says which mailbox a path showed under a UIDVALIDITY.
	heldBy map[boxKey]store.MailboxGUID
	// layout is what the replica shows, and the messages of each slot; forgotten
	// with each change (changed).
	layout *changelog.Layout
	bySlot map[*changelog.Slot][]*changelog.Message
	liveIn map[store.MailboxGUID]bool
	dumps  map[dumpKey]string
}

type dumpKey struct {
	p    *merge.Policy
	uids bool
}

// changed forgets what was derived from the replica's entries.
func (r *Replica) changed() { r.layout, r.bySlot, r.liveIn, r.dumps = nil, nil, nil, nil }

type boxKey struct {
	path store.Name
	uv   store.UIDValidity
}

type uidKey struct {
	boxKey
	uid store.UID
}

// NewReplica makes an account with an INBOX of its own.
func NewReplica(name int, now *int64) *Replica {
	r := &Replica{Name: name, ID: changelog.Replica{ID: changelog.ReplicaID(name + 1)}, Tree: &changelog.Tree{},
		Messages: map[changelog.Dot]*changelog.Message{}, now: now, shown: map[uidKey]store.GUID{}, nexts: map[boxKey]store.UID{}, heldBy: map[boxKey]store.MailboxGUID{}}
	e := r.edit()
	n, _ := e.Create(store.Inbox, r.NewGUID(), r.mint, false, false)
	r.hold(n, store.Inbox)
	return r
}

// NewGUID gives a mailbox GUID that depends on the replica and a count alone. Its
// order against other replicas' is mixed.
func (r *Replica) NewGUID() store.MailboxGUID {
	r.guids++
	var g store.MailboxGUID
	h := uint32(r.guids*2654435761) ^ uint32(r.Name+1)*40503
	binary.BigEndian.PutUint32(g[:], h)
	g[14], g[15] = byte(r.Name+1), byte(r.guids)
	return g
}

func (r *Replica) mint() changelog.Write {
	r.Seq++
	d := changelog.Dot{Replica: r.ID, Seq: r.Seq}
	now := *r.now + r.skew
	s := r.Clock.After(now, now)
	r.Clock.Observe(s, now)
	r.Seen.Add(d)
	return changelog.Write{Dot: d, Stamp: s}
}

// shared is how far the replica has told others of its changes.
func (r *Replica) shared() uint64 {
	if n := len(r.tags); n > 0 {
		return r.tags[n-1].seq
	}
	return 0
}

func (r *Replica) live(g store.MailboxGUID) bool {
	if r.liveIn == nil {
		r.liveIn = map[store.MailboxGUID]bool{}
		for _, m := range r.Messages {
			if at, ok := m.Place(); ok {
				r.liveIn[at] = true
			}
		}
	}
	return r.liveIn[g]
}

func (r *Replica) edit() *changelog.Edit {
	return &changelog.Edit{Tree: r.Tree, Live: r.live, NewGUID: r.NewGUID}
}

// Layout is what the replica shows.
func (r *Replica) Layout() *changelog.Layout {
	if r.layout == nil {
		r.layout = r.Tree.Layout(r.live)
	}
	return r.layout
}

func (r *Replica) hold(n *changelog.Node, path store.Name) {
	if n.UIDValidity == 0 {
		// As Dovecot does: the time, but never twice in one account.
		n.UIDValidity = store.UIDValidity(*r.now / 1e6)
		for _, hs := range r.Tree.UVs {
			for _, h := range hs {
				n.UIDValidity = max(n.UIDValidity, h.UIDValidity+1)
			}
		}
	}
	r.Tree.Hold(path, n.UIDValidity, n.GUID())
}

// noteHolds records what every path shows now, as a scan would.
func (r *Replica) noteHolds() {
	for _, s := range r.Layout().Slots {
		if s.Holder != nil {
			r.hold(s.Holder, s.Path)
		}
	}
}

// In lists the live messages that the replica shows in a slot of its Layout, by
// UID.
func (r *Replica) In(s *changelog.Slot) []*changelog.Message {
	if r.bySlot == nil {
		l := r.Layout()
		r.bySlot = map[*changelog.Slot][]*changelog.Message{}
		for _, m := range r.Messages {
			if at, ok := m.Place(); ok {
				if in := l.In(at); in != nil {
					r.bySlot[in] = append(r.bySlot[in], m)
				}
			}
		}
		for _, ms := range r.bySlot {
			slices.SortFunc(ms, func(a, b *changelog.Message) int { return cmp.Or(cmp.Compare(a.UID, b.UID), a.ID().Compare(b.ID())) })
		}
	}
	return r.bySlot[s]
}

// Clone copies the replica; the copy shares nothing but the clock's source.
func (r *Replica) Clone() *Replica {
	c := *r
	c.changed()
	c.Seen = r.Seen.Clone()
	c.Tree = r.Tree.Clone()
	c.Messages = make(map[changelog.Dot]*changelog.Message, len(r.Messages))
	for d, m := range r.Messages {
		c.Messages[d] = m.Clone()
	}
	c.shown = maps.Clone(r.shown)
	c.nexts = maps.Clone(r.nexts)
	c.heldBy = maps.Clone(r.heldBy)
	return &c
}

// forgive forgets what a path has shown under a UIDVALIDITY if a client's own
// operation brought another mailbox of that UIDVALIDITY there: that is no fault of
// a merge, and the next run raises the number.
func (r *Replica) forgive() {
	for _, s := range r.Layout().Slots {
		if s.Holder == nil {
			continue
		}
		k := boxKey{s.Path, s.Holder.UIDValidity}
		if g, ok := r.heldBy[k]; !ok || slices.Contains(s.Holder.GUIDs, g) {
			continue
		}
		delete(r.nexts, k)
		delete(r.heldBy, k)
		maps.DeleteFunc(r.shown, func(u uidKey, _ store.GUID) bool { return u.boxKey == k })
	}
}

// List gives all entries, by ID.
func (r *Replica) List() []*changelog.Message {
	out := slices.Collect(maps.Values(r.Messages))
	slices.SortFunc(out, func(a, b *changelog.Message) int { return a.ID().Compare(b.ID()) })
	return out
}

// Side is the replica as a merge takes it.
func (r *Replica) Side() merge.Side {
	return merge.Side{Seen: r.Seen, Tree: r.Tree, Messages: r.List()}
}

// Dump is what an IMAP client sees, as text; two replicas are equal when their
// dumps are. Without uids it leaves out UIDs, UIDVALIDITY and UIDNEXT.
func (r *Replica) Dump(p *merge.Policy, uids bool) string {
	k := dumpKey{p, uids}
	d, ok := r.dumps[k]
	if !ok {
		d = r.dump(p, uids)
		if r.dumps == nil {
			r.dumps = map[dumpKey]string{}
		}
		r.dumps[k] = d
	}
	return d
}

func (r *Replica) dump(p *merge.Policy, uids bool) string {
	var b strings.Builder
	l := r.Layout()
	for _, s := range l.Slots {
		if !s.Shown {
			continue
		}
		if s.Holder == nil {
			fmt.Fprintf(&b, "%s noselect\n", s.Path)
			continue
		}
		if uids {
			fmt.Fprintf(&b, "%s uidvalidity=%d uidnext=%d %v\n", s.Path, s.Holder.UIDValidity, s.Holder.UIDNext, s.Holder.Attributes())
		} else {
			fmt.Fprintf(&b, "%s %v\n", s.Path, s.Holder.Attributes())
		}
		var lines []string
		for _, m := range r.In(s) {
			line := fmt.Sprintf("%s %d [%v] %v %d", m.Content.GUID, m.Content.Size, p.Flags(m), p.Keywords(m), m.Received)
			if uids {
				line = fmt.Sprintf("%06d %s", m.UID, line)
			}
			lines = append(lines, "  "+line+"\n")
		}
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, ""))
	}
	fmt.Fprintf(&b, "subscribed %v\n", r.Tree.Subscriptions(l))
	if len(r.Tree.Nodes) > 0 && r.Tree.Nodes[0].IsAccount() {
		fmt.Fprintf(&b, "attributes %v\n", r.Tree.Nodes[0].Attributes())
	}
	return b.String()
}

// Show is Dump in one line, for named cases:
//
//	INBOX 1:g0[F S kw] 2:g1; A 1:g2; B/ ; sub A B
//
// with uid:content[flags keywords]; "B/" is a \Noselect parent. Attributes stand
// in braces after the mailbox.
func (r *Replica) Show(p *merge.Policy) string {
	var parts []string
	l := r.Layout()
	for _, s := range l.Slots {
		if !s.Shown {
			continue
		}
		if s.Holder == nil {
			parts = append(parts, string(s.Path)+"/")
			continue
		}
		line := string(s.Path)
		if at := s.Holder.Attributes(); len(at) > 0 {
			line += fmt.Sprintf("{%s}", at["/shared/comment"])
		}
		for _, m := range r.In(s) {
			var fs []string
			for _, f := range flagOrder {
				if p.Flags(m)&flagLetters[f] != 0 {
					fs = append(fs, f)
				}
			}
			line += fmt.Sprintf(" %d:%s", m.UID, nameOf(m.Content))
			if fs = append(fs, p.Keywords(m)...); len(fs) > 0 {
				line += "[" + strings.Join(fs, " ") + "]"
			}
		}
		parts = append(parts, line)
	}
	if subs := r.Tree.Subscriptions(l); len(subs) > 0 {
		line := "sub"
		for _, n := range subs {
			line += " " + string(n)
		}
		parts = append(parts, line)
	}
	return strings.Join(parts, "; ")
}

var flagOrder = []string{"A", "T", "D", "F", "S"}

// nameOf is the name that contentOf reads.
func nameOf(c store.Content) string {
	if c.Hash == (store.HeaderHash{1}) {
		return string(c.GUID)
	}
	return string(c.GUID) + "/" + strings.TrimRight(string(c.Hash[:]), "\x00")
}
