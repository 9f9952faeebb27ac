package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/replay"
	"dsync/store"
)

// Half is one end of a run whose other end is another process. It locks its store,
// looks at it, meets the other end, and plays. It is used for one run.
type Half struct {
	DB    *logdb.DB
	Store store.Store
	// Side is 0 at the end that started the run, 1 at the other.
	Side int
	Conn Conn
	// Peer gives the other end's bodies.
	Peer    replay.Bodies
	Options PairOptions // Check, Drive and Between are of no use here
	// Place is the store's name among all stores of the world, for the order in which
	// two are locked.
	Place string
	// Reported, if not nil, is called when this end has said what became of the plan,
	// before the other end's word about that has come: nothing but the log's own entries
	// is still to be made. It is not called where there was nothing to do.
	Reported func(*PairResult) error
	// State is what the starter was given with -s; nil: nothing.
	State *changelog.State

	rec    *recorder.Recorder
	end    *Local
	res    *PairResult
	unlock func() error // nil: not locked
	gate   gate
	again  bool // the other end has introduced itself anew
}

// errAgain: the other end begins anew, for it found that its log was restored.
var errAgain = errors.New("the other end introduces itself again")

// Run makes the run. What is known of this side is set in the result.
func (h *Half) Run(ctx context.Context) (*PairResult, error) {
	h.res = &PairResult{}
	defer func() {
		if h.unlock != nil {
			h.unlock()
		}
	}()
	peer, err := h.meet(ctx)
	if err != nil {
		return h.res, err
	}
	return h.res, h.talk(ctx, peer)
}

func (h *Half) talk(ctx context.Context, peer *Hello) error {
	for first := true; ; first = false {
		more, err := h.part(ctx, first, peer)
		if errors.Is(err, errAgain) { // once: an end looks anew but once
			h.again = true
			if peer, err = h.greet(ctx); err == nil {
				more, err = h.part(ctx, first, peer)
			}
		}
		h.gate.shut()
		if err != nil && h.end != nil && h.end.Player != nil {
			err = errors.Join(err, h.end.Player.Abandon())
		}
		if h.end == nil {
			return err
		}
		if err != nil || !more {
			return errors.Join(err, h.res.mark(ctx, h.rec, h.Side, h.Options, err == nil))
		}
		h.end.Advance()
	}
}

// part is one part of the run: from hello to report. peer is the hello that came
// already, of the first part at the end that did not start.
func (h *Half) part(ctx context.Context, first bool, peer *Hello) (more bool, err error) {
	var me *Hello
	if h.Side == 0 {
		me, peer, err = h.introduce(ctx, first)
	} else {
		me, peer, err = h.answer(ctx, first, peer)
	}
	if err != nil {
		return false, err
	}
	h.res.Whole = me.Whole || peer.Whole
	o := h.Options
	d, err := Met(Config{Run: o.Run, Policy: o.Policy, Direction: o.Direction, Filter: o.Filter, First: first, Starter: h.Side == 0, DryRun: o.DryRun},
		me, peer, h.end)
	if err != nil {
		return false, err
	}
	d.Conn = &gated{h, h.Side == 1 && first && !h.again, d}
	err = d.run(ctx)
	o.unequal(err, d)
	out := d.Outcome()
	h.res.note(out)
	return out.More && !o.DryRun, err
}

// introduce sends the starter's hello and takes the answer. It begins anew where the
// answer shows that this end's log was restored, or asks for the lock.
func (h *Half) introduce(ctx context.Context, first bool) (me, peer *Hello, err error) {
	for released, again := false, false; ; {
		if first {
			h.begin()
		}
		if me, err = h.own(ctx, first); err != nil {
			return nil, nil, err
		}
		if err := h.send(ctx, &Frame{Kind: KindHello, Hello: me}); err != nil {
			return nil, nil, err
		}
		f, err := h.receive(ctx, KindHello, KindLock)
		switch {
		case err != nil:
			return nil, nil, err
		case f.Kind == KindLock && first && !released && !again:
			if err := h.release(ctx, f.Lock.Turn); err != nil {
				return nil, nil, err
			}
			released = true
			continue
		case f.Kind == KindLock:
			return nil, nil, ErrFrame
		case !first || again:
			return me, f.Hello, nil
		}
		again = true
		restored, err := h.confront(ctx, f.Hello)
		if err != nil || !restored {
			return me, f.Hello, err
		}
	}
}

// answer answers the starter's hello.
func (h *Half) answer(ctx context.Context, first bool, peer *Hello) (*Hello, *Hello, error) {
	if first {
		h.begin()
	} else {
		var err error
		if peer, err = h.hello(ctx); err != nil {
			return nil, nil, err
		}
	}
	me, err := h.own(ctx, first)
	if err != nil {
		return nil, nil, err
	}
	if c := peer.Claim; first && c != nil && !h.stands(*c) {
		me.Whole = true
	}
	return me, peer, h.send(ctx, &Frame{Kind: KindHello, Hello: me})
}

// begin makes what does the machine's actions, from the last look.
func (h *Half) begin() {
	o := h.Options
	h.end = &Local{Rec: h.rec, Look: h.res.Looks[h.Side], Policy: o.Policy, Peer: h.Peer, Now: o.clock(h.Side), DryRun: o.DryRun,
		ReadOnly: o.readOnly(h.Side) && !o.DryRun}
	if o.Progress != nil {
		h.end.Progress = func(done, bytes int64) { o.Progress(h.Side, done, bytes) }
	}
	h.res.Ends[h.Side] = h.end
}

// own makes this end's hello.
func (h *Half) own(ctx context.Context, first bool) (*Hello, error) {
	me, err := h.end.Hello(ctx, h.Options.Run)
	if err != nil {
		return nil, err
	}
	me.Source = h.Options.source(h.Side)
	me.Whole = h.Options.Whole || h.res.Whole || first && me.Whole
	if first && h.State != nil {
		mine, ok := h.State.Of(me.Replica.ID)
		if !ok || !h.stands(mine) {
			me.Whole = true
			return me, nil
		}
		for _, s := range h.State.Sides {
			if s.Replica.ID != me.Replica.ID {
				me.Claim = &s
			}
		}
	}
	return me, nil
}

// stands reports whether this replica has handed out the position.
func (h *Half) stands(s changelog.Side) bool {
	return s.Replica == h.rec.Replica() && slices.Contains(h.rec.Account().Last().Tags, s.Position)
}

// confront sees how far the peer knows this end to have come.
func (h *Half) confront(ctx context.Context, peer *Hello) (restored bool, err error) {
	if h.Side == 1 && peer.Replica == h.rec.Replica() {
		err, restored = h.rec.Cloned(), true
	} else {
		pos, ok := knownOf(&peer.Seen, h.rec)
		restored, err = h.rec.Confront(pos, ok, peer.Replica)
	}
	if err != nil || !restored {
		return false, err
	}
	return true, h.scan(ctx)
}

func (h *Half) scan(ctx context.Context) (err error) {
	h.res.Replicas[h.Side] = h.rec.Replica()
	var l *recorder.Look
	if !h.Options.Whole {
		l = h.rec.Glance(ctx)
	}
	if l == nil {
		l, err = h.rec.Scan(ctx, h.Options.Whole)
	}
	if h.res.Looks[h.Side] = l; err != nil {
		return fmt.Errorf("look at %s: %w", h.Store.Location(), err)
	}
	return nil
}

// look opens the log and looks at the store, which is locked.
func (h *Half) look(ctx context.Context) (err error) {
	if h.rec, err = open(ctx, h.DB, h.Store, h.Options, h.Side); err != nil {
		return fmt.Errorf("open the change log of %s: %w", h.Store.Location(), err)
	}
	return h.scan(ctx)
}

// lock locks the store; busy, if wait is 0 and another has it.
func (h *Half) lock(ctx context.Context, wait time.Duration) error {
	unlock, err := h.Options.lock(ctx, h.Store, h.Side, wait)
	if err != nil {
		return fmt.Errorf("lock %s: %w", h.Store.Location(), err)
	}
	h.unlock = unlock
	return nil
}

func (h *Half) send(ctx context.Context, f *Frame) error {
	return h.Conn.Send(ctx, f.Encode())
}

// receive takes the next frame, which must be of one of the kinds.
func (h *Half) receive(ctx context.Context, kinds ...Kind) (*Frame, error) {
	b, err := h.Conn.Receive(ctx)
	if err != nil {
		return nil, err
	}
	f, err := came(b)
	if err != nil {
		return nil, err
	}
	for _, k := range kinds {
		if f.Kind == k {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%w: kind %d", ErrFrame, f.Kind)
}

func (h *Half) hello(ctx context.Context) (*Hello, error) {
	f, err := h.receive(ctx, KindHello)
	if err != nil {
		return nil, err
	}
	return f.Hello, nil
}

// gate is open while the other end may ask for bodies: from "ready" to "fed" or, at an
// end that stays still, its report.
type gate struct {
	mu   sync.Mutex
	open *Local
}

func (g *gate) let(l *Local) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = l
}

func (g *gate) shut() { g.let(nil) }

// Open gives the other end a body, while it may ask, as replay.Bodies does.
func (h *Half) Open(ctx context.Context, id changelog.Dot) (io.ReadCloser, string, error) {
	h.gate.mu.Lock()
	defer h.gate.mu.Unlock()
	if h.gate.open == nil {
		return nil, "", fmt.Errorf("message %v, which is not open to be read: %w", id, store.ErrNoMessage)
	}
	return h.gate.open.Open(ctx, id)
}

// gated is the connection as the machine sees it.
type gated struct {
	*Half
	restart bool // a hello in place of a range begins anew
	d       *Driver
}

// Send implements Conn.
func (g *gated) Send(ctx context.Context, b []byte) error {
	if kindOf(b) == KindReady {
		g.gate.let(g.end)
	}
	if err := g.Conn.Send(ctx, b); err != nil || kindOf(b) != KindReport || g.Reported == nil || g.d.Outcome().More {
		return err
	}
	return g.Reported(g.res)
}

// Receive implements Conn.
func (g *gated) Receive(ctx context.Context) ([]byte, error) {
	b, err := g.Conn.Receive(ctx)
	if err != nil {
		return nil, err
	}
	switch kindOf(b) {
	case KindFed, KindReport:
		g.gate.shut()
	case KindHello:
		if g.restart {
			g.Half.Conn = &pushed{g.Half.Conn, b}
			return nil, errAgain
		}
	}
	g.restart = false
	return b, nil
}

// pushed gives a frame back that was read too early.
type pushed struct {
	Conn
	b []byte
}

// Receive implements Conn.
func (p *pushed) Receive(ctx context.Context) ([]byte, error) {
	if b := p.b; b != nil {
		p.b = nil
		return b, nil
	}
	return p.Conn.Receive(ctx)
}
