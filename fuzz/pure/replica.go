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
	"strconv"
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
	list   []*changelog.Message // by ID
	asWas  *merge.Side          // a copy that shares nothing, for P5
	// lent: others may hold the same tree and entries; lentRecord: the same record
	// of what was shown. Whoever changes them takes a copy first.
	lent, lentRecord bool
}

type dumpKey struct {
	p    *merge.Policy
	uids bool
}

// changed forgets what was derived from the replica's entries.
func (r *Replica) changed() {
	r.layout, r.liveIn = nil, nil
	r.renumbered()
}

// renumbered forgets what was derived, but for the layout, which goes by no numbers.
func (r *Replica) renumbered() { r.bySlot, r.dumps, r.list, r.asWas = nil, nil, nil, nil }

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

// Clone copies the replica. The copy may be used by another goroutine than the
// original; but of Clone itself and what changes the replica one at a time.
func (r *Replica) Clone() *Replica {
	if !r.lent || !r.lentRecord { // a replica that is shared may be cloned at once by many
		r.lent, r.lentRecord = true, true
	}
	c := *r
	c.dumps = nil
	return &c
}

// Share prepares the replica for being cloned by many at once: what clones would
// derive each for itself is derived here.
func (r *Replica) Share() {
	r.In(nil)
	r.List()
	r.deep()
	r.lent, r.lentRecord = true, true
}

// own makes the tree and the entries the replica's own. They share slices with
// others, which nobody changes in place.
func (r *Replica) own() {
	if !r.lent {
		return
	}
	r.lent = false
	r.Tree = sharing(r.Tree)
	ms := make(map[changelog.Dot]*changelog.Message, len(r.Messages))
	room := make([]changelog.Message, 0, len(r.Messages))
	for d, m := range r.Messages {
		room = append(room, *m)
		ms[d] = &room[len(room)-1]
	}
	r.Messages = ms
	r.changed()
}

// remember makes the record of what was shown the replica's own.
func (r *Replica) remember() {
	if r.lentRecord {
		r.lentRecord = false
		r.shown, r.nexts, r.heldBy = maps.Clone(r.shown), maps.Clone(r.nexts), maps.Clone(r.heldBy)
	}
}

// sharing copies a tree and its entries, but not their slices.
func sharing(t *changelog.Tree) *changelog.Tree {
	c := &changelog.Tree{Nodes: make([]*changelog.Node, len(t.Nodes)), Bare: make([]*changelog.Bare, len(t.Bare)), UVs: maps.Clone(t.UVs)}
	nodes, bare := make([]changelog.Node, len(t.Nodes)), make([]changelog.Bare, len(t.Bare))
	for i, n := range t.Nodes {
		nodes[i] = *n
		c.Nodes[i] = &nodes[i]
	}
	for i, b := range t.Bare {
		bare[i] = *b
		c.Bare[i] = &bare[i]
	}
	return c
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
		r.remember()
		delete(r.nexts, k)
		delete(r.heldBy, k)
		maps.DeleteFunc(r.shown, func(u uidKey, _ store.GUID) bool { return u.boxKey == k })
	}
}

// List gives all entries, by ID. The caller must not change the list.
func (r *Replica) List() []*changelog.Message {
	if r.list == nil {
		r.list = slices.AppendSeq(make([]*changelog.Message, 0, len(r.Messages)), maps.Values(r.Messages))
		slices.SortFunc(r.list, func(a, b *changelog.Message) int { return a.ID().Compare(b.ID()) })
	}
	return r.list
}

// Side is the replica as a merge takes it.
func (r *Replica) Side() merge.Side {
	return merge.Side{Seen: r.Seen, Tree: r.Tree, Messages: r.List(), Layout: r.Layout()}
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
	b := make([]byte, 0, 1<<10)
	l := r.Layout()
	var lines []string
	for _, s := range l.Slots {
		if !s.Shown {
			continue
		}
		b = append(b, s.Path...)
		if s.Holder == nil {
			b = append(b, " noselect\n"...)
			continue
		}
		if uids {
			b = strconv.AppendUint(append(b, " uidvalidity="...), uint64(s.Holder.UIDValidity), 10)
			b = strconv.AppendUint(append(b, " uidnext="...), uint64(s.Holder.UIDNext), 10)
		}
		b = appendAttributes(append(b, ' '), s.Holder)
		lines = lines[:0]
		for _, m := range r.In(s) {
			lines = append(lines, string(appendShown(nil, m, p, uids)))
		}
		slices.Sort(lines)
		for _, l := range lines {
			b = append(b, l...)
		}
	}
	b = fmt.Appendf(b, "subscribed %v\n", r.Tree.Subscriptions(l))
	if len(r.Tree.Nodes) > 0 && r.Tree.Nodes[0].IsAccount() {
		b = appendAttributes(append(b, "attributes "...), r.Tree.Nodes[0])
	}
	return string(b)
}

func appendAttributes(b []byte, n *changelog.Node) []byte {
	if len(n.Attrs) == 0 {
		return append(b, "map[]\n"...)
	}
	return fmt.Appendf(b, "%v\n", n.Attributes())
}

// appendShown is the line of a message in Dump.
func appendShown(b []byte, m *changelog.Message, p *merge.Policy, uids bool) []byte {
	b = append(b, "  "...)
	if uids {
		b = fmt.Appendf(b, "%06d ", m.UID)
	}
	b = strconv.AppendInt(append(append(b, m.Content.GUID...), ' '), m.Content.Size, 10)
	b = append(append(append(b, " ["...), p.Flags(m).String()...), "] ["...)
	for i, k := range p.Keywords(m) {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, k...)
	}
	return append(strconv.AppendInt(append(b, "] "...), m.Received, 10), '\n')
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
