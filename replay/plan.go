package replay

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/merge"
	"dsync/store"
)

// Input is what a plan is made from. Nothing of it is changed.
type Input struct {
	Before *changelog.Tree
	Layout *changelog.Layout // of Before, as the store shows it
	After  merge.After
	// Records are those of the working set, by ID and by every origin.
	Records map[changelog.Dot]*logdb.Record
	Policy  *merge.Policy
	// Absent are messages (by ID) that the store does not show, nobody knows why.
	Absent map[changelog.Dot]bool
	// Shows, of a store that was restored, is what it shows besides Layout; nil: as
	// Before has it.
	Shows *Shows
	// Live reports whether a node holds mail that the merge did not look at, Held
	// whether it holds any.
	Live, Held func(store.MailboxGUID) bool
}

// Shows is what a store shows of the account as a whole.
type Shows struct {
	Subscriptions []store.Name
	Attributes    map[string]string
}

// Box is one mailbox of the store during a run.
type Box struct {
	Node *changelog.Node // as it is to be; nil: doomed
	Was  *changelog.Node // as it was; nil: made by this run
	From store.Name      // path before; "" if made by this run
	Path store.Name      // path from the Tree part on

	Adds     []Item
	Moves    []Item
	Flags    []Item // flags or keywords differ
	UIDs     []Item // UID, GUID or received date differ
	Expunges []Item
	// Numbers: UIDVALIDITY or GUID of the mailbox changes, so that everything must
	// be done at one go.
	Numbers bool
	// Raise: UIDNEXT is to rise although no new UID is given out.
	Raise bool
	Attrs map[string]string // to set; "" removes
}

// Item is one message's effect.
type Item struct {
	Out  *changelog.Message // as it is to be; nil: the record is superfluous
	Rec  *logdb.Record      // as held; nil with Adds
	From *Box               // of Moves: where it is
}

// redated is the received date that a held message is to have instead of its own;
// zero: none.
func (it *Item) redated() (t time.Time) {
	if it.Rec.Received != it.Out.Received {
		t = unixTime(it.Out.Received)
	}
	return t
}

// Plan is what is to be done to one store.
type Plan struct {
	Renames     []store.Rename
	Creates     []*Box
	Boxes       []*Box // every mailbox with something to do, by path; doomed ones last
	Doomed      []*Box // to be deleted once they are empty
	Subscribe   []store.Name
	Unsubscribe []store.Name
	Attrs       map[string]string // of the account
	// Quiet are entries to be recorded that change nothing in the store.
	Quiet []Item
	after *changelog.Layout
	// Left are messages that must not be touched in this run; From is the mailbox that
	// has no UID left for one.
	Left  []Item
	every []*Box
}

// Empty reports whether the store is to stay as it is.
func (p *Plan) Empty() bool {
	return len(p.Renames) == 0 && len(p.Creates) == 0 && len(p.Boxes) == 0 && len(p.Doomed) == 0 &&
		len(p.Subscribe) == 0 && len(p.Unsubscribe) == 0 && len(p.Attrs) == 0
}

// planner is a plan being made.
type planner struct {
	in      Input
	plan    *Plan
	after   *changelog.Layout
	byWas   map[*changelog.Node]*Box   // by holder before
	byNode  map[*changelog.Node]*Box   // by holder after
	byGUID  map[store.MailboxGUID]*Box // by every GUID of the holder before
	between *changelog.Layout          // see waiting; nil: not needed yet
}

// Make makes the plan that turns what the store holds into what it is to hold. A
// nil After.Tree means: nothing is to be done.
func Make(in Input) *Plan {
	p := &planner{in: in, plan: &Plan{Attrs: map[string]string{}}, byWas: map[*changelog.Node]*Box{}, byNode: map[*changelog.Node]*Box{}, byGUID: map[store.MailboxGUID]*Box{}}
	if in.After.Tree == nil {
		return p.plan
	}
	p.after = in.After.Tree.Layout(p.live())
	p.plan.after = p.after
	p.mailboxes()
	p.subscriptions()
	p.messages()
	p.numbers()
	p.collect()
	return p.plan
}

// live says which nodes hold mail when the plan is played.
func (p *planner) live() func(store.MailboxGUID) bool {
	in := map[store.MailboxGUID]bool{}
	for _, m := range p.in.After.Messages {
		if at, ok := m.Place(); ok {
			in[at] = true
		}
	}
	return func(g store.MailboxGUID) bool { return in[g] || p.in.Live != nil && p.in.Live(g) }
}

// mailboxes matches what is there with what is to be.
func (p *planner) mailboxes() {
	for _, s := range p.in.Layout.Slots {
		if s.Holder != nil {
			b := &Box{Was: s.Holder, From: s.Path, Path: s.Path}
			p.byWas[s.Holder] = b
			for _, g := range s.Holder.GUIDs {
				p.byGUID[g] = b
			}
		}
	}
	for _, s := range p.after.Slots {
		if s.Holder == nil {
			continue
		}
		b := p.match(s)
		if b == nil {
			b = &Box{Path: s.Path}
			p.plan.Creates = append(p.plan.Creates, b)
		}
		b.Node, b.Path = s.Holder, s.Path
		p.byNode[s.Holder] = b
	}
	p.vacate()
}

// match finds the mailbox in the store that the slot's holder is: of several
// (aliases that met only now) the one at the path, else with the larger
// UIDVALIDITY.
func (p *planner) match(s *changelog.Slot) *Box {
	var best *Box
	for _, g := range s.Holder.GUIDs {
		b := p.byGUID[g]
		if b == nil || b.Node != nil {
			continue
		}
		if best == nil || better(b, best, s.Path) {
			best = b
		}
	}
	return best
}

func better(a, b *Box, path store.Name) bool {
	if (a.From == path) != (b.From == path) {
		return a.From == path
	}
	return cmp.Or(cmp.Compare(a.Was.UIDValidity, b.Was.UIDValidity), b.Was.GUID().Compare(a.Was.GUID())) > 0
}

func shareGUID(a, b *changelog.Node) bool {
	return slices.ContainsFunc(a.GUIDs, func(g store.MailboxGUID) bool { return slices.Contains(b.GUIDs, g) })
}

// vacate plans the renames; a mailbox that is to go makes way under a name of its
// own until its mail is dealt with.
func (p *planner) vacate() {
	wanted := map[store.Name]bool{}
	for _, b := range p.byNode {
		wanted[b.Path] = true
	}
	for _, b := range p.byWas {
		if b.Node == nil {
			if wanted[b.From] {
				b.Path = p.aside(b, wanted)
			}
			p.plan.Doomed = append(p.plan.Doomed, b)
		}
		if b.Path != b.From {
			p.plan.Renames = append(p.plan.Renames, store.Rename{From: b.From, To: b.Path})
		}
	}
	slices.SortFunc(p.plan.Renames, func(a, b store.Rename) int { return store.CompareNames(a.From, b.From) })
	slices.SortFunc(p.plan.Creates, byPath)
	slices.SortFunc(p.plan.Doomed, byPath)
}

// aside is where a mailbox waits for its end while another has its path: where the
// log shows it then, so that a look after a crash takes it for no rename.
func (p *planner) aside(b *Box, wanted map[store.Name]bool) store.Name {
	if p.between == nil {
		p.between = p.waiting()
	}
	if s := p.between.In(b.Was.GUID()); s != nil && s.Path != b.From && !wanted[s.Path] && s.Holder != nil && shareGUID(s.Holder, b.Was) {
		return s.Path
	}
	return b.From + store.Name("-"+b.Was.GUID().String()[:8]+"-removed")
}

// waiting is the layout while mailboxes wait for their end: all else is as it is to
// be.
func (p *planner) waiting() *changelog.Layout {
	ends := map[store.MailboxGUID]bool{}
	for _, b := range p.byWas {
		if b.Node == nil {
			for _, g := range b.Was.GUIDs {
				ends[g] = true
			}
		}
	}
	s := stand(p.in.Before)
	for _, n := range p.in.After.Tree.Nodes {
		if !slices.ContainsFunc(n.GUIDs, func(g store.MailboxGUID) bool { return ends[g] }) {
			s.replace(n)
		}
	}
	return s.tree().Layout(p.in.Held)
}

func byPath(a, b *Box) int { return store.CompareNames(a.Path, b.Path) }

func (p *planner) subscriptions() {
	have := p.in.Before.Subscriptions(p.in.Layout)
	attrs := p.in.Before.Attributes()
	if s := p.in.Shows; s != nil {
		have, attrs = s.Subscriptions, s.Attributes
	}
	want := p.in.After.Tree.Subscriptions(p.after)
	p.plan.Subscribe, p.plan.Unsubscribe = without(want, have), without(have, want)
	p.plan.Attrs = changedAttrs(attrs, p.in.After.Tree.Attributes())
}

// without gives the names of a that b lacks, in the order of a.
func without(a, b []store.Name) (out []store.Name) {
	in := make(map[store.Name]bool, len(b))
	for _, n := range b {
		in[n] = true
	}
	for _, n := range a {
		if !in[n] {
			out = append(out, n)
		}
	}
	return out
}

// changedAttrs gives what must be set to get from one set to the other.
func changedAttrs(have, want map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range want {
		if have[k] != v {
			out[k] = v
		}
	}
	for k := range have {
		if want[k] == "" {
			out[k] = ""
		}
	}
	return out
}

// messages plans what becomes of every message of the working set.
func (p *planner) messages() {
	for _, out := range p.in.After.Messages {
		var held []*logdb.Record
		var some *logdb.Record
		if slices.ContainsFunc(out.Origins, func(w changelog.Write) bool { return p.in.Absent[w.Dot] }) {
			p.plan.Left = append(p.plan.Left, Item{Out: out})
			continue
		}
		for _, o := range out.Origins {
			r := p.in.Records[o.Dot]
			if r == nil || slices.Contains(held, r) {
				continue
			}
			some = r
			if !r.Mailbox.IsZero() {
				held = append(held, r)
			}
		}
		at, live := out.Place()
		var to *Box
		if s := p.after.In(at); live && s != nil && s.Holder != nil {
			to = p.byNode[s.Holder]
		}
		if to != nil && noUIDLeft(out, to) {
			p.plan.Left = append(p.plan.Left, Item{Out: out, From: to})
			continue
		}
		keep := p.keep(out, held, to)
		for _, r := range held {
			if r != keep {
				p.expunge(r, out, to != nil)
			}
		}
		p.message(out, keep, some, to, len(held) > 0)
	}
}

// noUIDLeft reports whether the merge had no UID for a message, nor a UIDVALIDITY to
// number its mailbox anew.
func noUIDLeft(m *changelog.Message, b *Box) bool {
	return m.UID == 0 && b.Node != nil && b.Node.UIDValidity == math.MaxUint32
}

// boxOf is where the store holds a record.
func (p *planner) boxOf(r *logdb.Record) *Box {
	if s := p.in.Layout.In(r.Mailbox); s != nil && s.Holder != nil {
		return p.byWas[s.Holder]
	}
	return nil
}

// keep chooses which of several copies stays: one in the right mailbox, with the
// right UID if there is one.
func (p *planner) keep(out *changelog.Message, held []*logdb.Record, to *Box) *logdb.Record {
	if to == nil {
		return nil
	}
	rank := func(r *logdb.Record) int {
		switch {
		case p.boxOf(r) == nil:
			return 0
		case p.boxOf(r) == to && r.UID == out.UID:
			return 3
		case p.boxOf(r) == to:
			return 2
		}
		return 1
	}
	var best *logdb.Record
	for _, r := range held {
		if best == nil || rank(r) > rank(best) {
			best = r
		}
	}
	if best != nil && rank(best) == 0 {
		return nil
	}
	return best
}

func (p *planner) expunge(r *logdb.Record, out *changelog.Message, superfluous bool) {
	b := p.boxOf(r)
	if b == nil {
		return
	}
	it := Item{Out: out, Rec: r}
	if superfluous {
		it.Out = nil
	}
	b.Expunges = append(b.Expunges, it)
}

func (p *planner) message(out *changelog.Message, keep, some *logdb.Record, to *Box, held bool) {
	if to == nil {
		if !held && (some == nil || !sameEntry(out, &some.Message)) {
			p.plan.Quiet = append(p.plan.Quiet, Item{Out: out, Rec: some})
		}
		return
	}
	if keep == nil {
		to.Adds = append(to.Adds, Item{Out: out, Rec: some})
		return
	}
	it := Item{Out: out, Rec: keep}
	if from := p.boxOf(keep); from != to {
		it.From = from
		to.Moves = append(to.Moves, it)
		return
	}
	changed := keep.ShownFlags != p.in.Policy.Flags(out) || !slices.Equal(keep.Counted(), p.in.Policy.Keywords(out))
	if changed {
		to.Flags = append(to.Flags, it)
	}
	numbered := keep.UID != out.UID || keep.Content.GUID != out.Content.GUID || keep.Received != out.Received
	if numbered {
		to.UIDs = append(to.UIDs, it)
	}
	if !changed && !numbered && !sameEntry(out, &keep.Message) {
		p.plan.Quiet = append(p.plan.Quiet, it)
	}
}

// numbers finds the mailboxes whose UIDVALIDITY, GUID, UIDNEXT or attributes
// change.
func (p *planner) numbers() {
	for n, b := range p.byNode {
		if b.Was == nil {
			b.Attrs = changedAttrs(nil, n.Attributes())
			continue
		}
		b.Attrs = changedAttrs(b.Was.Attributes(), n.Attributes())
		b.Numbers = b.Was.UIDValidity != n.UIDValidity || b.Was.GUID() != n.GUID()
		b.Raise = b.Was.UIDNext < n.UIDNext
	}
}

// collect lists the mailboxes with something to do, messages in UID order.
func (p *planner) collect() {
	var all []*Box
	for _, b := range p.byNode {
		all = append(all, b)
	}
	all = append(all, p.plan.Doomed...)
	for _, b := range all {
		for _, is := range [][]Item{b.Adds, b.Moves, b.Flags, b.UIDs} {
			slices.SortFunc(is, func(x, y Item) int { return cmp.Compare(x.Out.UID, y.Out.UID) })
		}
		if b.Node != nil && (b.Was == nil || len(b.Adds)+len(b.Moves)+len(b.Flags)+len(b.UIDs)+len(b.Expunges)+len(b.Attrs) > 0 || b.Numbers || b.Raise) {
			p.plan.Boxes = append(p.plan.Boxes, b)
		} else if b.Node == nil && len(b.Expunges) > 0 {
			p.plan.Boxes = append(p.plan.Boxes, b)
		}
	}
	p.plan.every = all
	slices.SortFunc(p.plan.Boxes, func(a, b *Box) int {
		if (a.Node == nil) != (b.Node == nil) {
			if a.Node == nil {
				return 1
			}
			return -1
		}
		return byPath(a, b)
	})
}

// sameEntry reports whether two entries are equal to the letter.
func sameEntry(a, b *changelog.Message) bool {
	return bytes.Equal(changelog.AppendMessage(nil, a), changelog.AppendMessage(nil, b))
}
