package pure

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// World is some replicas and the time they share.
type World struct {
	R      []*Replica
	Policy *merge.Policy
	now    int64
	ids    int
	// Decisions are those of the last merge, Reported those of all runs of the
	// history, in order, without the runs that only check a law.
	Decisions []merge.Decision
	Reported  []merge.Decision
	// Cover, if not nil, counts the cells of conflicts.md that runs decide.
	Cover *Coverage
	// Mute, if not nil, names laws that are not asked.
	Mute func(law string) bool
	// Once leaves out what whole runs are asked at the price of further merges: P2, P4
	// and P5.
	Once bool
	// Excused, if not nil, takes the number of the rule by which a message was let
	// go (P6) or kept (P8) against the wording of a law, by law.
	Excused map[string]int
}

// asked gives an error of a law, or nil if that law is not asked.
func (w *World) asked(err error) error {
	if err != nil && w.Mute != nil && w.Mute(LawOf(err)) {
		return nil
	}
	return err
}

// sub is a world of other replicas under the same laws.
func (w *World) sub(rs ...*Replica) *World {
	return &World{R: rs, Policy: w.Policy, now: w.now, ids: w.ids, Mute: w.Mute, Excused: w.Excused}
}

// NewWorld makes n replicas.
func NewWorld(n int, p *merge.Policy) *World {
	w := &World{Policy: p, now: 1_000_000_000}
	for i := range n {
		w.R = append(w.R, NewReplica(i, &w.now))
	}
	return w
}

// Run does one operation and checks what must hold right after it. The error
// names the law.
func (w *World) Run(o Op) error {
	if o.R >= len(w.R) || o.Peer >= len(w.R) {
		return nil
	}
	r, p := w.R[o.R], w.R[o.Peer]
	switch o.Verb {
	case Tick:
		w.now += 1e6
		return nil
	case SyncWhole:
		if r == p {
			return nil
		}
		return w.whole(r, p)
	case SyncBox, SyncSince, Half, Partly:
		if r == p {
			return nil
		}
		return w.part(r, p, o)
	case Limited:
		if r == p {
			return nil
		}
		return w.limited(r, p, o)
	case OneWay, Backup:
		if r == p {
			return nil
		}
		return w.direct(r, p, o)
	}
	switch o.Verb {
	case Clone:
		if r == p {
			return nil
		}
		w.R[o.R] = p.Without(w, r)
	case Twin:
		if r == p {
			return nil
		}
		w.R[o.R] = p.twin(w, r)
	case LostLog:
		w.R[o.R] = r.Without(w, r)
	case Save:
		r.saved = nil
		r.saved = r.Clone()
	case Restore, Again:
		if r.saved != nil {
			w.R[o.R] = r.saved.Clone()
			w.R[o.R].saved = r.saved
			if o.Verb == Again {
				w.R[o.R].guids = r.guids
				w.R[o.R].fresh(w)
			}
		}
	case Trim:
		w.trim(r)
	default:
		seq := r.Seq
		r.Do(o)
		if w.Cover != nil {
			w.Cover.did(o, r, seq)
		}
		r.forgive()
	}
	return w.asked(w.R[o.R].check())
}

// whole is a two-way run over everything, with its laws.
func (w *World) whole(a, b *Replica) error {
	w.meet(a, b)
	if w.Cover != nil {
		w.Cover.meet(a, b)
	}
	if a.Seen.Equal(&b.Seen) && a.Dump(w.Policy, true) == b.Dump(w.Policy, true) {
		return w.nothing(a, b, "a run between equals")
	}
	a0, b0 := a.Clone(), b.Clone()
	res, err := w.sync(a, b, merge.Options{Policy: w.Policy}, nil)
	if err != nil {
		return err
	}
	w.Reported = append(w.Reported, w.Decisions...)
	for _, law := range []func() error{
		func() error { return w.converged(a, b) },
		func() error { return w.noLoss(a0, b0, a, res.Decisions) },
		func() error { return noDuplicates(a0, b0, a) },
		func() error { return closed(a0, b0, a) },
		func() error { return w.reported(a0, b0, a, res.Decisions) },
	} {
		if err := w.asked(law()); err != nil {
			return err
		}
	}
	if w.Once {
		return nil
	}
	if err := w.repeatable(a0, b0, res); err != nil {
		return err
	}
	return w.nothing(a, b, "a second run")
}

// converged is P1, and P2 for what was seen.
func (w *World) converged(a, b *Replica) error {
	if da, db := a.Dump(w.Policy, true), b.Dump(w.Policy, true); da != db {
		return fmt.Errorf("P1: replicas %d and %d differ after a whole run\n%d:\n%s%d:\n%s", a.Name, b.Name, a.Name, da, b.Name, db)
	}
	if !a.Seen.Equal(&b.Seen) {
		return errors.New("P2: seen-sets differ after a whole run")
	}
	return nil
}

// nothing makes a run that should find nothing to do (P2), nor to report (P25). A
// merge that gives both sides what they hold, byte by byte, need not be played.
func (w *World) nothing(a, b *Replica, which string) error {
	res := merge.Merge(a.Side(), b.Side(), merge.Options{Policy: w.Policy})
	w.Decisions = res.Decisions
	if !a.holds(&res.After[0]) || !b.holds(&res.After[1]) {
		before := a.Dump(w.Policy, true)
		if _, err := w.sync(a, b, merge.Options{Policy: w.Policy}, nil); err != nil {
			return err
		}
		if after := a.Dump(w.Policy, true); after != before || b.Dump(w.Policy, true) != before {
			if err := w.asked(fmt.Errorf("P2: %s changed something\nbefore:\n%safter:\n%s%s", which, before, after, b.Dump(w.Policy, true))); err != nil {
				return err
			}
		}
	}
	if len(w.Decisions) > 0 {
		return w.asked(fmt.Errorf("P25: %s reports %v", which, w.Decisions))
	}
	return nil
}

// sync merges, plays what does not fail, and enters what stands. fails says which
// entries fail to be played at which side (0 or 1).
func (w *World) sync(a, b *Replica, opt merge.Options, fails func(side int, id string) bool) (*merge.Result, error) {
	rs := [2]*Replica{a, b}
	res := merge.Merge(a.Side(), b.Side(), opt)
	w.Decisions = res.Decisions
	var enter [2]changelog.Dots
	for s := range rs {
		if fails == nil {
			enter[s] = res.Enter(s, nil)
		} else {
			enter[s] = res.Enter(s, func(id string) bool { return fails(s, id) })
		}
	}
	full := fails == nil && opt.Filter == nil && opt.Direction == merge.TwoWay
	for s, r := range rs {
		if fails == nil {
			play(r, res.After[s], nil)
		} else {
			play(r, res.After[s], func(id string) bool { return fails(s, id) })
		}
		for _, d := range res.New[s] {
			r.Seen.Add(d)
		}
	}
	for s, r := range rs {
		r.Seen.Union(&enter[s])
		r.observeAll(w.now + r.skew)
	}
	if full {
		if a.Dump(w.Policy, true) == b.Dump(w.Policy, true) {
			a.Seen.Union(&b.Seen)
			b.Seen.Union(&a.Seen)
		}
	}
	w.tell(a, b)
	w.tell(b, a)
	for _, r := range rs {
		if err := w.asked(r.check()); err != nil {
			return res, err
		}
	}
	return res, nil
}

// observeAll moves the clock past every stamp held.
func (r *Replica) observeAll(now int64) {
	obs := func(s changelog.Stamp) { r.Clock.Observe(s, now) }
	for _, m := range r.Messages {
		for _, x := range m.Origins {
			obs(x.Stamp)
		}
		for _, x := range m.Presence {
			obs(x.Stamp)
		}
		for _, x := range m.Flags {
			obs(x.Stamp)
		}
		for _, x := range m.Keywords {
			obs(x.Stamp)
		}
	}
	for _, n := range r.Tree.Nodes {
		for _, x := range n.Places {
			obs(x.Stamp)
		}
		for _, x := range n.Presence {
			obs(x.Stamp)
		}
		for _, x := range n.Subs {
			obs(x.Stamp)
		}
		for _, x := range n.Attrs {
			obs(x.Stamp)
		}
	}
	for _, b := range r.Tree.Bare {
		for _, x := range b.Subs {
			obs(x.Stamp)
		}
	}
}

// play makes the replica hold what the merge gave it, but for what fails (nil:
// nothing does). A failed tree fails as a whole.
func play(r *Replica, after merge.After, fails func(string) bool) {
	if after.Tree == nil || fails != nil && fails(merge.TreeID) {
		return
	}
	uvs := map[store.MailboxGUID]store.UIDValidity{}
	for _, n := range r.Tree.Nodes {
		for _, g := range n.GUIDs {
			uvs[g] = n.UIDValidity
		}
	}
	// Entries are taken over as they are, and copied by whoever changes them.
	ms := maps.Clone(r.Messages)
	stood := map[changelog.Dot]bool{}
	for _, m := range after.Messages {
		if fails != nil && fails(merge.MessageID(m)) {
			continue
		}
		for _, o := range m.Origins {
			delete(ms, o.Dot)
		}
		ms[m.ID()] = m
		stood[m.ID()] = true
	}
	r.Tree, r.Messages, r.lent = sharing(after.Tree), ms, true
	r.changed()
	r.renumberRest(uvs, stood)
	r.noteHolds()
}

// renumberRest does what a store does when a mailbox gets a new UIDVALIDITY:
// messages that the plan could not number get fresh UIDs. The same for a message
// that stayed behind in a mailbox that is now shown within another.
func (r *Replica) renumberRest(uvs map[store.MailboxGUID]store.UIDValidity, stood map[changelog.Dot]bool) {
	l, moved := r.Layout(), false
	for _, s := range l.Slots {
		if s.Holder == nil {
			continue
		}
		for _, m := range r.In(s) {
			at, _ := m.Place()
			n := r.Tree.Node(at)
			if !stood[m.ID()] && (n != s.Holder || uvs[at] != s.Holder.UIDValidity) {
				other := *m
				other.UID = s.Holder.UIDNext
				r.Messages[m.ID()] = &other
				s.Holder.UIDNext++
				moved = true
			}
		}
	}
	if moved {
		r.renumbered()
	}
}

// check is what must hold of one replica at any time: P10 and P16.
func (r *Replica) check() error {
	l := r.Layout()
	inbox := l.ByPath[store.Inbox]
	if inbox == nil || inbox.Holder == nil {
		return fmt.Errorf("P16: replica %d has no INBOX", r.Name)
	}
	guids := map[store.MailboxGUID]store.Name{}
	for _, s := range l.Slots {
		if s.Holder == nil {
			continue
		}
		if p, ok := guids[s.Holder.GUID()]; ok {
			return fmt.Errorf("P16: replica %d shows one mailbox at %s and %s", r.Name, p, s.Path)
		}
		guids[s.Holder.GUID()] = s.Path
		bk := boxKey{s.Path, s.Holder.UIDValidity}
		if s.Holder.UIDNext < r.nexts[bk] {
			return fmt.Errorf("P10: replica %d: UIDNEXT of %s fell from %d to %d", r.Name, s.Path, r.nexts[bk], s.Holder.UIDNext)
		}
		if r.nexts[bk] != s.Holder.UIDNext || r.heldBy[bk] != s.Holder.GUID() {
			r.remember()
			r.nexts[bk], r.heldBy[bk] = s.Holder.UIDNext, s.Holder.GUID()
		}
		seen := map[store.UID]bool{}
		for _, m := range r.In(s) {
			if m.UID == 0 || m.UID >= s.Holder.UIDNext || seen[m.UID] {
				return fmt.Errorf("P10: replica %d: %s in %s has uid %d, UIDNEXT %d, twice %v", r.Name, m.Content.GUID, s.Path, m.UID, s.Holder.UIDNext, seen[m.UID])
			}
			seen[m.UID] = true
			k := uidKey{bk, m.UID}
			g, ok := r.shown[k]
			if ok && g != m.Content.GUID {
				return fmt.Errorf("P10: replica %d: uid %d of %s was %s and is %s", r.Name, m.UID, s.Path, g, m.Content.GUID)
			}
			if !ok {
				r.remember()
				r.shown[k] = m.Content.GUID
			}
		}
	}
	for _, m := range r.List() {
		if at, ok := m.Place(); ok {
			s := l.In(at)
			if s == nil || s.Holder == nil {
				return fmt.Errorf("P6: replica %d: %s is in no mailbox", r.Name, m.Content.GUID)
			}
		}
		if !slices.IsSortedFunc(m.Origins, func(a, b changelog.Write) int { return a.Dot.Compare(b.Dot) }) {
			return fmt.Errorf("replica %d: origins of %v out of order", r.Name, m.ID())
		}
	}
	return nil
}

func (w *World) part(a, b *Replica, o Op) error {
	opt := merge.Options{Policy: w.Policy}
	var fails func(int, string) bool
	switch o.Verb {
	case SyncBox:
		opt.Filter = &merge.Filter{Mailbox: func(p store.Name, _ []store.MailboxGUID) bool { return p == o.Path }}
	case SyncSince:
		opt.Filter = &merge.Filter{New: func(m *changelog.Message) bool {
			g := string(m.Content.GUID)
			return g[len(g)-1]%2 == 0
		}}
	case Half:
		fails = func(s int, _ string) bool { return s == 0 }
	case Partly:
		fails = func(s int, id string) bool {
			h := fnv.New32a()
			fmt.Fprintf(h, "%s/%d/%s", o.Arg, s, id)
			return id != merge.TreeID && h.Sum32()%3 == 0
		}
	}
	w.meet(a, b)
	a0, b0 := a.Clone(), b.Clone()
	if _, err := w.sync(a, b, opt, fails); err != nil {
		return err
	}
	w.Reported = append(w.Reported, w.Decisions...)
	switch o.Verb {
	case SyncBox:
		shown := map[store.MailboxGUID]bool{}
		for _, r := range []*Replica{a0, b0, a, b} {
			r.at(o.Path, shown)
		}
		if err := w.asked(w.outside(a0, a, o.Path, shown)); err != nil {
			return err
		}
		return w.asked(w.outside(b0, b, o.Path, shown))
	case SyncSince:
		if err := w.asked(kept(a0, b0, a, opt.Filter.New)); err != nil {
			return err
		}
		return w.asked(kept(b0, a0, b, opt.Filter.New))
	}
	return nil
}

func (w *World) direct(src, dst *Replica, o Op) error {
	w.meet(src, dst)
	before := src.Dump(w.Policy, true)
	opt := merge.Options{Policy: w.Policy, Direction: merge.OneWay, Source: 0, Mint: dst.mint}
	if o.Verb == Backup {
		opt.Direction = merge.Mirror
	}
	src0, dst0 := src.Clone(), dst.Clone()
	if _, err := w.sync(src, dst, opt, nil); err != nil {
		return err
	}
	w.Reported = append(w.Reported, w.Decisions...)
	if err := w.asked(w.directed(o, src0, dst0, src, dst, before)); err != nil {
		return err
	}
	after := dst.Dump(w.Policy, true)
	if _, err := w.sync(src, dst, opt, nil); err != nil {
		return err
	}
	if again := dst.Dump(w.Policy, true); again != after {
		return w.asked(fmt.Errorf("%s: a second run changed the destination\nfirst:\n%ssecond:\n%s", directLaw[o.Verb], after, again))
	}
	return nil
}

// directLaw is the law of a run in one direction.
var directLaw = map[Verb]string{OneWay: "P20", Backup: "P19"}

// directed is P19 or P20 for one run from src to dst; before is what src showed.
func (w *World) directed(o Op, src0, dst0, src, dst *Replica, before string) error {
	if src.Dump(w.Policy, true) != before {
		return fmt.Errorf("%s: the source was changed", directLaw[o.Verb])
	}
	if o.Verb == OneWay {
		return w.gains(src0, dst0, dst)
	}
	if s, d := src.Dump(w.Policy, false), dst.Dump(w.Policy, false); s != d {
		return fmt.Errorf("P19: after backup\nsource:\n%sdestination:\n%s", s, d)
	}
	return nil
}
