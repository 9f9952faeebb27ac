// Package merge says what should be: a pure, deterministic function of what two
// replicas hold and have seen.
//
// # Contract
//
//   - Merge reads two Sides and gives, for each, what it holds afterwards. It
//     never reads a log and makes no write of its own, except under backup, where
//     what is undone at the destination is a new change of the destination.
//   - A write that one side holds and the other lacks is new if the other has not
//     seen its dot, and was removed there if it has. Both hold it: it stays.
//   - What is shown is derived from the writes that stay. Where truly concurrent
//     writes disagree a rule decides; each such decision is a Decision with the
//     number of the rule in conflicts.md.
//   - Merge(a, b) and Merge(b, a) give the same results for the same sides.
//   - The package is pure: no clock, disk, goroutine, random or map order.
//
// A working set (Side.Messages) may be a part of what the side holds, as long as
// it has every message that mentions a dot which the other side has not seen, its
// counterpart, and all messages of the mailboxes that NeedWhole names.
package merge

import (
	"dsync/changelog"
	"dsync/store"
)

// Side is what one replica brings into a merge. Merge changes none of it.
type Side struct {
	Seen     changelog.Dots
	Tree     *changelog.Tree
	Messages []*changelog.Message
	// Layout is what Tree shows, if the caller has it at hand; it must be that of
	// Messages and Rest. nil: Merge computes it.
	Layout *changelog.Layout
	// Rest reports whether the side holds mail of a mailbox outside Messages; nil
	// if Messages is all.
	Rest func(store.MailboxGUID) bool
}

// Direction says which sides a run changes.
type Direction int

// The directions.
const (
	TwoWay Direction = iota
	OneWay           // sync -1
	Mirror           // backup
)

// Options of a merge, the same at both ends.
type Options struct {
	Policy    *Policy // nil: Safe
	Direction Direction
	Source    int // with OneWay and Mirror: index of the side that stays as it is
	Filter    *Filter
	// Left is the side that started the run; only the negative controls look.
	Left int
	// Mint gives new changes of the destination; not needed by TwoWay.
	Mint changelog.Mint
	// Floor is what every new UIDVALIDITY lies above: the time in seconds, by custom.
	Floor store.UIDValidity
}

// After is what one side holds when the merge is played. Messages not listed are
// untouched.
type After struct {
	Tree     *changelog.Tree
	Messages []*changelog.Message // by ID; complete entries, tombstones too
	// Drop names entries that are part of another now (linked), by their ID.
	Drop []changelog.Dot
}

// Result is the outcome.
type Result struct {
	After     [2]After
	Decisions []Decision
	// Waiting counts messages that a filter keeps from crossing.
	Waiting int
	// LeftOut names mailboxes that a filtered run cannot settle (messages.md 11).
	LeftOut []store.Name
	// New are the dots of changes that the merge made at a side (Mirror only).
	New [2][]changelog.Dot

	cross [2][]crossing
	held  [2]changelog.Dots
	// heldBack are entries whose dots are held back too.
	heldBack [2][]*changelog.Message
	seen     [2]changelog.Dots
}

// Decision is one application of a rule to concurrent changes.
type Decision struct {
	Rule    int
	Name    string
	Message changelog.Dot // zero if it is about a mailbox
	Mailbox store.Name
	GUID    store.GUID
	UID     store.UID
	Kept    string
	Lost    string
	Reason  string
	// kept and lost are mailboxes to be named in Kept and Lost.
	kept, lost store.MailboxGUID
}

// Keeps reports whether the decision kept a message against an expunge.
func (d *Decision) Keeps() bool { return d.Lost == lostExpunge }

// merger is one merge under way.
type merger struct {
	opt    Options
	policy *Policy
	// control and grows say of the policy whether any register is picked so.
	control, grows bool
	side           [2]Side
	before         [2]*changelog.Layout
	class          *classes
	groups         []*group
	clash          [][]*group      // contents that share a GUID (rule 29)
	tree           *changelog.Tree // the merged tree
	layout         *changelog.Layout
	inside         map[*changelog.Node]bool // with a filter: nodes that cross; nil: all
	out            *Result
}

// Merge gives what both sides hold afterwards.
func Merge(a, b Side, opt Options) *Result {
	m := newMerger(a, b, opt)
	m.out.seen = [2]changelog.Dots{a.Seen, b.Seen}
	for s := range m.side {
		if m.before[s] = m.side[s].Layout; m.before[s] == nil {
			m.before[s] = m.side[s].Tree.Layout(m.holds(s))
		}
	}
	switch opt.Direction {
	case OneWay:
		m.oneWay()
	case Mirror:
		m.mirror()
	default:
		m.twoWay()
	}
	sortDecisions(m.out.Decisions)
	return m.out
}

func newMerger(a, b Side, opt Options) *merger {
	m := &merger{opt: opt, policy: opt.Policy, side: [2]Side{a, b}, out: &Result{}}
	if m.policy == nil {
		m.policy = Safe
	}
	m.control = m.policy.Control()
	m.grows = m.policy.picks(func(p Pick) bool { return p == Grow })
	return m
}

// holds gives the function that says which nodes hold mail at a side.
func (m *merger) holds(s int) func(store.MailboxGUID) bool {
	live := map[store.MailboxGUID]bool{}
	for _, x := range m.side[s].Messages {
		if g, ok := x.Place(); ok {
			live[g] = true
		}
	}
	rest := m.side[s].Rest
	return func(g store.MailboxGUID) bool { return live[g] || rest != nil && rest(g) }
}

func (m *merger) twoWay() {
	m.class = m.unify()
	m.tree = m.mergeTree()
	m.groups = m.mergeMessages()
	m.layout = m.tree.Layout(m.mergedLive())
	if m.foundAgainstTombstone() {
		m.layout = m.tree.Layout(m.mergedLive())
	}
	m.tellApart()
	m.link()
	m.filter()
	m.waitTogether()
	m.uids()
	m.emit()
	m.treeDecisions()
}

// mergedLive says which merged nodes hold mail afterwards.
func (m *merger) mergedLive() func(store.MailboxGUID) bool {
	live := map[store.MailboxGUID]bool{}
	for _, g := range m.groups {
		if at, ok := g.out.Place(); ok {
			live[at] = true
		}
	}
	return func(g store.MailboxGUID) bool {
		if live[g] {
			return true
		}
		for s := range m.side {
			if r := m.side[s].Rest; r != nil && r(g) {
				return true
			}
		}
		return false
	}
}

// emit gives both sides the merged entries that cross.
func (m *merger) emit() {
	var up map[*changelog.Node]bool
	if m.inside != nil {
		up = m.ancestors()
	}
	whole := func(c *class) bool { return m.inside == nil || m.inside[c.out] }
	part := func(c *class) bool { return up[c.out] }
	for s := range m.side {
		after := &m.out.After[s]
		switch {
		case m.inside == nil && s == 1:
			after.Tree = m.tree // nobody changes it any more
		case m.inside == nil:
			after.Tree = m.tree.Clone()
		default:
			after.Tree = m.partTree(s)
		}
		m.keepOwn(s, after.Tree)
		m.crossTree(s, whole, part, m.inside == nil)
		after.Messages = make([]*changelog.Message, 0, len(m.groups))
		for _, g := range m.groups {
			m.crossGroup(s, g)
			if !g.waits {
				after.add(g.out, g.side[s])
			}
		}
		after.sort()
	}
}

// keepOwn gives the mailboxes that the run left out the numbers that they have at
// side s.
func (m *merger) keepOwn(s int, t *changelog.Tree) {
	for _, path := range m.out.LeftOut {
		slot := m.layout.ByPath[path]
		if own := m.holding(s, slot.Holder); own != nil {
			n := t.Node(slot.Holder.GUID())
			n.UIDValidity, n.UIDNext = own.UIDValidity, own.UIDNext
		}
	}
}
