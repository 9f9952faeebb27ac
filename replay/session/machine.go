package session

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"dsync/changelog"
	"dsync/merge"
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
	DoPlan                  // Action.Result, Action.Side: Machine.Planned
	DoTree                  // Machine.Played
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
}

// Errors of a session.
var (
	ErrPlans  = errors.New("the two ends came to different plans; nothing was written")
	ErrOption = errors.New("the two ends were given different options")
	ErrFrame  = errors.New("the other end sent what makes no sense")
	ErrSelf   = errors.New("both ends are the same replica")
)

// Config is what both ends are told of the run.
type Config struct {
	Run       string // the options as text, for the comparison
	Policy    *merge.Policy
	Direction merge.Direction
	Filter    *merge.Filter
	First     bool // the first part of the run
	Starter   bool // this end started the run: it speaks first (and the negative controls look)
	DryRun    bool // stop when the plan is known
}

// Machine is one end of a session. It does no I/O.
type Machine struct {
	cfg    Config
	me     *Hello
	peer   *Hello
	queue  []Action
	phase  Kind // the frame waited for
	own    *Delta
	theirs *Delta
	rng    *Range
	early  bool                   // the delta went before the peer's range was known
	skip   bool                   // the peer's first delta went too early
	have   map[changelog.Dot]bool // own origins in the working set
	news   []*changelog.Message   // the peer's messages not yet looked up here
	nodes  []store.MailboxGUID    // mailboxes to be loaded whole with the next More
	turns  int                    // Mores sent and received in this round
	level  bool                   // unlike was asked
	first  bool                   // this end speaks first about plans
	result *merge.Result
	mine   Plan
	peers  Plan
	report *Report
	failed func(string) bool
	out    Outcome
}

// New makes a machine for an end that introduces itself by h.
func New(cfg Config, h *Hello) *Machine {
	m := &Machine{cfg: cfg, me: h}
	if cfg.Starter {
		m.send(&Frame{Kind: KindHello, Hello: h})
	}
	m.want(KindHello)
	return m
}

// met makes a machine for an end that has the other's hello already, and whose own
// was sent.
func met(cfg Config, me, peer *Hello) (*Machine, error) {
	m := &Machine{cfg: cfg, me: me}
	return m, m.meet(peer)
}

// Next gives the next action.
func (m *Machine) Next() Action {
	if len(m.queue) == 0 {
		return Action{Do: DoStop}
	}
	a := m.queue[0]
	m.queue = m.queue[1:]
	return a
}

// Outcome is the end of it, once Next gave DoStop.
func (m *Machine) Outcome() *Outcome { return &m.out }

func (m *Machine) do(a Action)   { m.queue = append(m.queue, a) }
func (m *Machine) send(f *Frame) { m.do(Action{Do: DoSend, Frame: f}) }
func (m *Machine) want(k Kind) {
	m.phase = k
	m.do(Action{Do: DoReceive})
}
func (m *Machine) side() int { return sideOf(m.me, m.peer) }
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
		if err := m.forged(f.Delta.Tree, f.Delta.Messages); err != nil {
			return err
		}
		m.delta(f.Delta)
	case KindMore:
		if err := m.forged(nil, f.More.Messages); err != nil {
			return err
		}
		m.heard(f.More.Messages)
	case KindHashes:
		m.hashed(f.Hashes)
	case KindPlan:
		return m.plan(f.Plan)
	case KindReady:
		m.do(Action{Do: DoBodies})
	case KindFed:
		m.do(Action{Do: DoRest})
	case KindReport:
		m.commit(f.Report)
	}
	return nil
}

func (m *Machine) hello(h *Hello) error {
	if !m.cfg.Starter {
		m.send(&Frame{Kind: KindHello, Hello: m.me})
	}
	return m.meet(h)
}

func (m *Machine) meet(h *Hello) error {
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
	case h.Seen.Dots.Max(m.me.Replica) > m.me.Seq:
		return fmt.Errorf("%w: it has seen number %d, the last is %d", ErrForged, h.Seen.Dots.Max(m.me.Replica), m.me.Seq)
	}
	if m.cfg.First && quiet(m.me, h) {
		m.out.Quiet, m.out.Equal = true, true
		return nil
	}
	m.do(Action{Do: DoRange, Seen: &h.Seen.Dots, Whole: h.Whole || m.me.Whole})
	return nil
}

// quiet reports whether two ends that introduced themselves so have nothing to say
// to each other.
func quiet(a, b *Hello) bool {
	return !a.Whole && !b.Whole && a.Digest == b.Digest && a.Seen.Dots.Equal(&b.Seen.Dots)
}

// Ranged takes how far this end would like to come. The end that did not start
// sends what there is at once, if it is not much: it is rare that the other has more
// than one part holds, and the frame comes a round trip earlier.
func (m *Machine) Ranged(r *Range) {
	m.rng = r
	m.send(&Frame{Kind: KindRange, Range: r})
	if !m.cfg.Starter && r.all() {
		m.early = true
		m.do(Action{Do: DoLoad})
		return
	}
	m.want(KindRange)
}

func (r *Range) all() bool { return !r.Many && r.Upto == Key{} }

// ranges settles how much this part of the run takes on. Where there is too much
// for one part the first settles the tree alone, so that both ends have the same
// paths to go by.
func (m *Machine) ranges(theirs *Range) {
	a := Action{Do: DoLoad, Upto: m.rng.Upto}
	switch {
	case m.cfg.First && (m.rng.Many || theirs.Many):
		a.None, m.out.More = true, true
	case theirs.Upto != Key{} && (a.Upto == Key{} || theirs.Upto.Compare(a.Upto) < 0):
		a.Upto = theirs.Upto
	}
	m.out.More = m.out.More || a.Upto != Key{}
	limited := a.None || a.Upto != Key{}
	m.skip = m.cfg.Starter && theirs.all() && limited
	if m.early && !limited {
		m.want(KindDelta)
		return
	}
	m.early = false
	m.do(a)
}

// Loaded takes what this end has that the peer has not seen.
func (m *Machine) Loaded(d *Delta) {
	m.own = d
	m.have = map[changelog.Dot]bool{}
	m.noteOwn(d.Messages)
	m.send(&Frame{Kind: KindDelta, Delta: d})
	if m.early {
		m.want(KindRange)
		return
	}
	m.want(KindDelta)
}

func (m *Machine) noteOwn(ms []*changelog.Message) {
	for _, x := range ms {
		for _, o := range x.Origins {
			m.have[o.Dot] = true
		}
	}
}

// delta takes what the peer has that this end has not seen.
func (m *Machine) delta(d *Delta) {
	if m.skip {
		m.skip = false
		m.want(KindDelta)
		return
	}
	m.theirs = d
	m.news = d.Messages
	sa, sb := m.sides()
	m.round(merge.NeedWhole(sa, sb, m.options()), m.cfg.Starter)
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
