package live

import (
	"context"
	"errors"
	"io"
	"sync"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/replay/session"
	"dsync/replay/wire"
	"dsync/store"
)

// ErrCut is the loss of a connection between two halves.
var ErrCut = errors.New("connection lost")

// Apart makes one run as two processes do: by two halves that have nothing in common
// but encoded frames and bodies asked for one by one. Cut, if not 0, is the number of
// the frame, of both directions, with which the connection breaks.
func Apart(ctx context.Context, db [2]*logdb.DB, st [2]store.Store, o session.PairOptions, state *changelog.State, cut int) (*session.PairResult, error) {
	l := &link{cut: cut, broken: make(chan struct{})}
	ab, ba := make(chan []byte, 16), make(chan []byte, 16)
	halves := halvesOf(db, st, o, state)
	for i, h := range halves {
		h.Conn = [2]*linkEnd{{l, ab, ba}, {l, ba, ab}}[i]
		h.Peer = &asked{l, halves[1-i]}
	}
	return runHalves(ctx, halves, func(_ int, err error) {
		if err != nil {
			l.end()
		}
	})
}

// Wired is Apart over the wire, whose bytes go through two streams.
//
// ended, if not nil, is called when a half has ended, before its connection is closed.
func Wired(ctx context.Context, db [2]*logdb.DB, st [2]store.Store, o session.PairOptions, state *changelog.State, rw [2]io.ReadWriteCloser,
	ended func(side int)) (*session.PairResult, error) {
	halves := halvesOf(db, st, o, state)
	var conns [2]*wire.Conn
	for i, h := range halves {
		c := wire.New(rw[i], wire.Options{Starter: i == 0})
		conns[i], h.Conn, h.Peer = c, wired{c}, wired{c}
		c.SetServe(func(ctx context.Context, id []byte) (io.ReadCloser, string, error) {
			d, err := changelog.DecodeDot(id)
			if err != nil {
				return nil, "", err
			}
			return h.Open(ctx, d)
		})
	}
	return runHalves(ctx, halves, func(i int, err error) {
		if ended != nil {
			ended(i)
		}
		if err != nil {
			conns[i].Fail(1, err.Error())
			return
		}
		conns[i].Close(ctx)
	})
}

func halvesOf(db [2]*logdb.DB, st [2]store.Store, o session.PairOptions, state *changelog.State) (halves [2]*session.Half) {
	for i := range halves {
		halves[i] = &session.Half{DB: db[i], Store: st[i], Side: i, Options: o, Place: st[i].Identity()}
	}
	halves[0].State = state
	return halves
}

// runHalves runs both; over is called at the end of each. Of a half that only saw the
// other one fail nothing is said.
func runHalves(ctx context.Context, halves [2]*session.Half, over func(i int, err error)) (*session.PairResult, error) {
	var errs [2]error
	var res [2]*session.PairResult
	done := make(chan struct{})
	run := func(i int) {
		res[i], errs[i] = halves[i].Run(ctx)
		over(i, errs[i])
	}
	go func() { run(1); close(done) }()
	run(0)
	<-done
	out := *res[0]
	out.Looks[1], out.Ends[1], out.Replicas[1], out.Changed[1] = res[1].Looks[1], res[1].Ends[1], res[1].Replicas[1], res[1].Changed[1]
	for i := range errs {
		if lost(errs[i]) && errs[1-i] != nil && !lost(errs[1-i]) {
			errs[i] = nil
		}
	}
	return &out, errors.Join(errs[0], errs[1])
}

// lost reports whether a half ended because the connection, or the other half, did.
func lost(err error) bool {
	var told *wire.Error
	for _, e := range []error{ErrCut, wire.ErrCut, wire.ErrEnded, wire.ErrClosed, io.EOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.As(err, &told)
}

// wired is a wire as a session sees it.
type wired struct{ c *wire.Conn }

// Send implements session.Conn.
func (w wired) Send(ctx context.Context, b []byte) error { return w.c.Send(ctx, 16, b) }

// Receive implements session.Conn.
func (w wired) Receive(ctx context.Context) ([]byte, error) {
	_, b, err := w.c.Receive(ctx)
	return b, err
}

// Open implements replay.Bodies.
func (w wired) Open(ctx context.Context, id changelog.Dot) (io.ReadCloser, string, error) {
	return w.c.Bodies().Open(ctx, changelog.AppendDot(nil, id))
}

// Want implements replay.Wanter.
func (w wired) Want(ids []changelog.Dot) error {
	out := make([][]byte, len(ids))
	for i, d := range ids {
		out[i] = changelog.AppendDot(nil, d)
	}
	return w.c.Bodies().Want(out)
}

// link is a connection that breaks with a frame.
type link struct {
	mu     sync.Mutex
	frames int
	cut    int
	broken chan struct{}
	over   bool
}

// end breaks the connection.
func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.over = true
		close(l.broken)
	}
}

// frame counts one, and reports whether the connection carries it.
func (l *link) frame() bool {
	l.mu.Lock()
	l.frames++
	cut := l.cut > 0 && l.frames >= l.cut
	l.mu.Unlock()
	if cut {
		l.end()
	}
	return !cut
}

type linkEnd struct {
	*link
	out, in chan []byte
}

// Send implements session.Conn.
func (e *linkEnd) Send(ctx context.Context, b []byte) error {
	if !e.frame() {
		return ErrCut
	}
	select {
	case e.out <- b:
		return nil
	case <-e.broken:
		return ErrCut
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Receive implements session.Conn. What was sent before the connection broke arrives.
func (e *linkEnd) Receive(ctx context.Context) ([]byte, error) {
	select {
	case b := <-e.in:
		return b, nil
	default:
	}
	select {
	case b := <-e.in:
		return b, nil
	case <-e.broken:
		select {
		case b := <-e.in:
			return b, nil
		default:
			return nil, ErrCut
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// asked is the other half's bodies; each one asked for counts as a frame.
type asked struct {
	*link
	of *session.Half
}

// Open implements replay.Bodies.
func (a *asked) Open(ctx context.Context, id changelog.Dot) (io.ReadCloser, string, error) {
	if !a.frame() {
		return nil, "", ErrCut
	}
	return a.of.Open(ctx, id)
}
