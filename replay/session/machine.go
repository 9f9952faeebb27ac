package session

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"dsync/changelog"
	"dsync/merge"
	"dsync/replay"
	"dsync/store"
)

// Do is what the loop is asked to do next.
type Do int

// The actions.
const (
	DoSend    Do = iota + 1 // Action.Frame
	DoReceive               // and give it to Machine.Receive
	DoRange                 // Action.Seen, Action.Whole: Machine.Ranged
	DoLoad                  // Action.None, Action.Upto: Machine.Loaded
	DoMore                  // Action.IDs, Action.Nodes: Machine.LoadedMore
	DoHash                  // Action.IDs: Machine.Hashed
	DoTree                  // Action.Result: Machine.Played
	DoBodies                // Machine.Played
	DoRest                  // Machine.Finished
	DoCommit                // Action.Commit: Machine.Played
	DoStop                  // the session is over: Machine.Outcome
)

// Action is one thing to do.
type Action struct {
	Do     Do
	Frame  *Frame
	Seen   *changelog.Dots
	Whole  bool
	None   bool // load no message
	Upto   Key  // load messages up to this
	IDs    []changelog.Dot
	Nodes  []store.MailboxGUID
	Result *merge.Result
	Side   int // of this end in Result
	Commit *Commit
}

// Commit is what an end enters into its log when everything stands.
type Commit struct {
	Peer      changelog.Replica
	PeerSeen  changelog.Seen
	Enter     changelog.Dots // what may be entered
	Held      changelog.Dots // what must not, whatever another part of the run says
	More      bool           // more parts follow: nothing is entered yet
	Failed    uint64         // items that failed at either end in this part
	Join      bool           // both ends stand equal: everything the peer has seen is entered
	Stamps    []changelog.Stamp
	Minted    []changelog.Dot // changes that the merge made here
	Decisions []merge.Decision
}

// Outcome is how a session ended.
type Outcome struct {
	Quiet     bool // nothing to do
	More      bool // this was one part of a large run; the next follows
	Equal     bool // both digests are the same
	Decisions []merge.Decision
	Waiting   int
	LeftOut   []store.Name
	Compared  int64                 // messages merged
	Positions [2]changelog.Position // mine, the peer's
	Peer      changelog.Replica
	PeerNow   int64
	Far       []string // stamps far ahead of every clock
	Trips     int
}

// Errors of a session.
var (
	ErrPlans  = errors.New("the two ends came to different plans; nothing was written")
	ErrOption = errors.New("the two ends were given different options")
	ErrFrame  = errors.New("unexpected frame")
	ErrSelf   = errors.New("both ends are the same replica")
)

// Config is what both ends are told of the run.
type Config struct {
	Run       string // the options as text, for the comparison
	Policy    *merge.Policy
	Direction merge.Direction
	Filter    *merge.Filter
	First     bool // the first part of the run
	Starter   bool // this end started the run (the negative controls look)
	DryRun    bool // stop when the plan is known
}

// Machine is one end of a session. It does no I/O.
type Machine struct {
	cfg     Config
	me      *Hello
	peer    *Hello
	queue   []Action
	phase   Kind // the frame waited for
	own     *Delta
	theirs  *Delta
	rng     *Range
	have    map[changelog.Dot]bool // own origins in the working set
	news    []*changelog.Message   // the peer's messages not yet looked up here
	whole   bool                   // NeedWhole was asked
	leveled bool                   // unlike was asked
	sentNo  bool                   // my last More was empty
	gotNo   bool                   // the peer's was
	result  *merge.Result
	report  *Report
	failed  func(string) bool
	out     Outcome
}

// New makes a machine for an end that introduces itself by h.
func New(cfg Config, h *Hello) *Machine {
	m := &Machine{cfg: cfg, me: h, phase: KindHello}
	m.send(&Frame{Kind: KindHello, Hello: h})
	m.want()
	return m
}

// Next gives the next action.
func (m *Machine) Next() Action {
	if len(m.queue) == 0 {
		return Action{Do: DoStop}
	}
	a := m.queue[0]
	m.queue = m.queue[1:]
	if a.Do == DoSend {
		m.out.Trips++
	}
	return a
}

// Outcome is the end of it, once Next gave DoStop.
func (m *Machine) Outcome() *Outcome { return &m.out }

func (m *Machine) do(a Action)   { m.queue = append(m.queue, a) }
func (m *Machine) send(f *Frame) { m.do(Action{Do: DoSend, Frame: f}) }
func (m *Machine) want()         { m.do(Action{Do: DoReceive}) }
func (m *Machine) side() int     { return sideOf(m.me, m.peer) }
func sideOf(me, peer *Hello) int {
	if me.Replica.Compare(peer.Replica) < 0 {
		return 0
	}
	return 1
}

// Receive takes the peer's next frame.
func (m *Machine) Receive(f *Frame) error {
	if f.Kind != m.phase {
		return fmt.Errorf("%w: kind %d, want %d", ErrFrame, f.Kind, m.phase)
	}
	switch f.Kind {
	case KindHello:
		return m.hello(f.Hello)
	case KindRange:
		m.ranges(f.Range)
	case KindDelta:
		m.theirs = f.Delta
		m.news = f.Delta.Messages
		m.phase = KindMore
		m.more()
	case KindMore:
		m.gotNo = len(f.More.Messages) == 0
		m.theirs.Messages = append(m.theirs.Messages, f.More.Messages...)
		m.news = f.More.Messages
		if m.gotNo && m.sentNo {
			m.level()
			return nil
		}
		m.more()
	case KindHashes:
		m.setHashes(m.theirs.Messages, f.Hashes)
		m.merge()
	case KindPlan:
		return m.plan(f.Plan)
	case KindReady:
		m.phase = KindFed
		m.do(Action{Do: DoBodies})
	case KindFed:
		m.phase = KindReport
		m.do(Action{Do: DoRest})
	case KindReport:
		m.commit(f.Report)
	}
	return nil
}

func (m *Machine) hello(h *Hello) error {
	m.peer = h
	m.out.Peer, m.out.PeerNow = h.Replica, h.Now
	m.out.Positions = [2]changelog.Position{m.me.Position, h.Position}
	switch {
	case h.Version != Version:
		return fmt.Errorf("%w: version %d, this end speaks %d", ErrFrame, h.Version, Version)
	case h.Run != m.me.Run:
		return fmt.Errorf("%w: %q here, %q there", ErrOption, m.me.Run, h.Run)
	case h.Replica == m.me.Replica:
		return ErrSelf
	}
	whole := h.Whole || m.me.Whole
	if m.cfg.First && !whole && h.Digest == m.me.Digest && h.Seen.Dots.Equal(&m.me.Seen.Dots) {
		m.out.Quiet, m.out.Equal = true, true
		return nil
	}
	m.phase = KindRange
	m.do(Action{Do: DoRange, Seen: &h.Seen.Dots, Whole: whole})
	return nil
}

// Ranged takes how far this end would like to come.
func (m *Machine) Ranged(r *Range) {
	m.rng = r
	m.send(&Frame{Kind: KindRange, Range: r})
	m.want()
}

// ranges settles how much this part of the run takes on. Where there is too much
// for one part the first settles the tree alone, so that both ends have the same
// paths to go by.
func (m *Machine) ranges(theirs *Range) {
	m.phase = KindDelta
	a := Action{Do: DoLoad, Upto: m.rng.Upto}
	switch {
	case m.cfg.First && (m.rng.Many || theirs.Many):
		a.None, m.out.More = true, true
	case theirs.Upto != Key{} && (a.Upto == Key{} || theirs.Upto.Compare(a.Upto) < 0):
		a.Upto = theirs.Upto
	}
	m.out.More = m.out.More || a.Upto != Key{}
	m.do(a)
}

// Loaded takes what this end has that the peer has not seen.
func (m *Machine) Loaded(d *Delta) {
	m.own = d
	m.have = map[changelog.Dot]bool{}
	m.noteOwn(d.Messages)
	m.send(&Frame{Kind: KindDelta, Delta: d})
	m.want()
}

func (m *Machine) noteOwn(ms []*changelog.Message) {
	for _, x := range ms {
		for _, o := range x.Origins {
			m.have[o.Dot] = true
		}
	}
}

// more asks for the counterparts of what the peer sent last, and once for all of
// the mailboxes that must be whole.
func (m *Machine) more() {
	a := Action{Do: DoMore}
	for _, x := range m.news {
		for _, o := range x.Origins {
			if !m.have[o.Dot] {
				a.IDs = append(a.IDs, o.Dot)
			}
		}
	}
	if !m.whole {
		m.whole = true
		sa, sb := m.sides()
		a.Nodes = merge.NeedWhole(sa, sb, m.options())
	}
	m.do(a)
}

// level asks once for all of the mailboxes that differ for a reason nobody has seen.
func (m *Machine) level() {
	if m.leveled {
		m.hashes()
		return
	}
	m.leveled = true
	if nodes := m.unlike(); len(nodes) > 0 {
		m.do(Action{Do: DoMore, Nodes: nodes})
		return
	}
	m.hashes()
}

// LoadedMore takes the counterparts.
func (m *Machine) LoadedMore(ms []*changelog.Message) {
	ms = slices.DeleteFunc(ms, func(x *changelog.Message) bool { return m.have[x.ID()] })
	m.noteOwn(ms)
	m.own.Messages = append(m.own.Messages, ms...)
	m.sentNo = len(ms) == 0
	m.send(&Frame{Kind: KindMore, More: &More{ms}})
	m.want()
}

// hashes asks for the header hashes of own messages whose GUID the peer brings in
// too, where both lack one.
func (m *Machine) hashes() {
	guids := map[store.GUID]bool{}
	theirs := map[changelog.Dot]bool{}
	for _, x := range m.theirs.Messages {
		if x.Live() {
			guids[x.Content.GUID] = true
		}
		for _, o := range x.Origins {
			theirs[o.Dot] = true
		}
	}
	a := Action{Do: DoHash}
	for _, x := range m.own.Messages {
		shared := slices.ContainsFunc(x.Origins, func(w changelog.Write) bool { return theirs[w.Dot] })
		if x.Live() && !shared && guids[x.Content.GUID] && x.Content.Hash == (store.HeaderHash{}) {
			a.IDs = append(a.IDs, x.ID())
		}
	}
	m.phase = KindHashes
	m.do(a)
}

// Hashed takes the hashes.
func (m *Machine) Hashed(hs []HeaderHash) {
	m.setHashes(m.own.Messages, hs)
	m.send(&Frame{Kind: KindHashes, Hashes: hs})
	m.want()
}

func (m *Machine) setHashes(ms []*changelog.Message, hs []HeaderHash) {
	if len(hs) == 0 {
		return
	}
	by := map[changelog.Dot]store.HeaderHash{}
	for _, h := range hs {
		by[h.ID] = h.Hash
	}
	for _, x := range ms {
		if h, ok := by[x.ID()]; ok {
			x.Content.Hash = h
		}
	}
}

// sides gives both ends' working sets in the order of the replicas.
func (m *Machine) sides() (merge.Side, merge.Side) {
	me := makeSide(m.me, m.own)
	peer := makeSide(m.peer, m.theirs)
	if m.side() == 0 {
		return me, peer
	}
	return peer, me
}

func makeSide(h *Hello, d *Delta) merge.Side {
	slices.SortFunc(d.Messages, func(a, b *changelog.Message) int { return a.ID().Compare(b.ID()) })
	rest := map[store.MailboxGUID]int64{}
	for _, x := range d.Held {
		rest[x.Mailbox] = int64(x.Count)
	}
	layout := d.Tree.Layout(func(g store.MailboxGUID) bool { return rest[g] > 0 })
	for _, x := range d.Messages {
		if at, ok := x.Place(); ok {
			if s := layout.In(at); s != nil && s.Holder != nil {
				rest[s.Holder.GUID()]--
			}
		}
	}
	return merge.Side{Seen: h.Seen.Dots, Tree: d.Tree, Messages: d.Messages,
		Rest: func(g store.MailboxGUID) bool { return rest[g] > 0 }}
}

func (m *Machine) options() merge.Options {
	o := merge.Options{Policy: m.cfg.Policy, Direction: m.cfg.Direction, Filter: m.cfg.Filter, Left: m.side()}
	if !m.cfg.Starter {
		o.Left = 1 - m.side()
	}
	dst := m.peer
	o.Source = m.side()
	if !m.me.Source {
		o.Source, dst = 1-m.side(), m.me
	}
	now := max(m.me.Now, m.peer.Now)
	o.Mint = Minter(dst, now)
	o.Floor = store.UIDValidity(min(max(now/1e6, 1), math.MaxInt32))
	return o
}

// Minter gives the changes that a merge makes at the destination of a backup: both
// ends count alike from what the destination said of itself.
func Minter(h *Hello, now int64) changelog.Mint {
	seq, clock := h.Seq, changelog.Clock{Last: h.Clock}
	return func() changelog.Write {
		seq++
		s := clock.After(now, now)
		clock.Observe(s, now)
		return changelog.Write{Dot: changelog.Dot{Replica: h.Replica, Seq: seq}, Stamp: s}
	}
}

func (m *Machine) merge() {
	a, b := m.sides()
	m.result = merge.Merge(a, b, m.options())
	m.out.Compared = int64(max(len(m.own.Messages), len(m.theirs.Messages)))
	m.out.Decisions, m.out.Waiting, m.out.LeftOut = m.result.Decisions, m.result.Waiting, m.result.LeftOut
	m.phase = KindPlan
	m.send(&Frame{Kind: KindPlan, Plan: replay.HashOf(m.result)})
	m.want()
}

func (m *Machine) plan(theirs replay.Hash) error {
	if theirs != replay.HashOf(m.result) {
		return ErrPlans
	}
	m.phase = KindReady
	m.do(Action{Do: DoTree, Result: m.result, Side: m.side()})
	return nil
}

// Played tells that Tree or Bodies is done.
func (m *Machine) Played() {
	switch m.phase {
	case KindReady:
		if m.cfg.DryRun {
			return
		}
		m.send(&Frame{Kind: KindReady})
		m.want()
	case KindFed:
		m.send(&Frame{Kind: KindFed})
		m.want()
	}
}

// Finished takes what became of the plan here.
func (m *Machine) Finished(r *Report, failed func(string) bool) {
	m.report, m.failed = r, failed
	m.send(&Frame{Kind: KindReport, Report: r})
	m.want()
}
