package live

import (
	"context"
	"errors"
	"io"
	"sync"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/replay/session"
	"dsync/store"
)

// ErrCut is the loss of a connection between two halves.
var ErrCut = errors.New("connection lost")

// Apart makes one run as two processes do: by two halves that have nothing in common
// but encoded frames and bodies asked for one by one. Cut, if not 0, is the number of
// the frame, of both directions, with which the connection breaks.
func Apart(ctx context.Context, db [2]*logdb.DB, st [2]store.Store, o session.PairOptions, state *changelog.State, cut int) (*session.PairResult, int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l := &link{cut: cut, broken: make(chan struct{})}
	ab, ba := make(chan []byte, 16), make(chan []byte, 16)
	conns := [2]*linkEnd{{l, ab, ba}, {l, ba, ab}}
	var halves [2]*session.Half
	for i := range halves {
		halves[i] = &session.Half{DB: db[i], Store: st[i], Side: i, Conn: conns[i], Options: o, Place: st[i].Identity()}
	}
	halves[0].State = state
	for i, h := range halves {
		h.Peer = &asked{l, halves[1-i]}
	}
	var errs [2]error
	var res [2]*session.PairResult
	done := make(chan struct{})
	run := func(i int) {
		res[i], errs[i] = halves[i].Run(ctx)
		if errs[i] != nil {
			l.end()
		}
	}
	go func() { run(1); close(done) }()
	run(0)
	<-done
	out := *res[0]
	out.Looks[1], out.Ends[1], out.Replicas[1], out.Changed[1] = res[1].Looks[1], res[1].Ends[1], res[1].Replicas[1], res[1].Changed[1]
	if errs[0] != nil && errs[1] != nil {
		for i := range errs {
			if errors.Is(errs[i], ErrCut) && !errors.Is(errs[1-i], ErrCut) {
				errs[i] = nil
			}
		}
	}
	return &out, int(l.count()), errors.Join(errs[0], errs[1])
}

// link is a connection that breaks with a frame.
type link struct {
	mu     sync.Mutex
	frames int
	cut    int
	broken chan struct{}
	over   bool
}

func (l *link) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.frames
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
