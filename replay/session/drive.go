package session

import (
	"context"
	"errors"
	"fmt"
)

// Conn carries encoded frames to and from the other end.
type Conn interface {
	Send(ctx context.Context, frame []byte) error
	Receive(ctx context.Context) ([]byte, error)
}

// Drive runs one end to its end.
func Drive(ctx context.Context, cfg Config, h *Hello, end End, conn Conn) (*Outcome, error) {
	m := New(cfg, h)
	for {
		if err := ctx.Err(); err != nil {
			return m.Outcome(), err
		}
		a := m.Next()
		if a.Do == DoStop {
			return m.Outcome(), nil
		}
		if err := step(ctx, m, a, end, conn); err != nil {
			return m.Outcome(), err
		}
	}
}

func step(ctx context.Context, m *Machine, a Action, end End, conn Conn) error {
	switch a.Do {
	case DoSend:
		return conn.Send(ctx, a.Frame.Encode())
	case DoReceive:
		b, err := conn.Receive(ctx)
		if err != nil {
			return err
		}
		f, err := Decode(b)
		if err != nil {
			return fmt.Errorf("frame from the other end: %w", err)
		}
		return m.Receive(f)
	case DoRange:
		r, err := end.Range(ctx, a.Seen, a.Whole)
		if err != nil {
			return err
		}
		m.Ranged(r)
	case DoLoad:
		d, err := end.Load(ctx, a.None, a.Upto)
		if err != nil {
			return err
		}
		m.Loaded(d)
	case DoMore:
		ms, err := end.More(ctx, a.IDs, a.Nodes)
		if err != nil {
			return err
		}
		m.LoadedMore(ms)
	case DoHash:
		hs, err := end.Hashes(ctx, a.IDs)
		if err != nil {
			return err
		}
		m.Hashed(hs)
	case DoTree:
		if err := end.Tree(ctx, a.Result, a.Side); err != nil {
			return err
		}
		m.Played()
	case DoBodies:
		if err := end.Bodies(ctx); err != nil {
			return err
		}
		m.Played()
	case DoRest:
		r, failed, err := end.Rest(ctx)
		if err != nil {
			return err
		}
		m.Finished(r, failed)
	case DoCommit:
		return end.Commit(ctx, a.Commit)
	}
	return nil
}

// errCut is what the other end of a pipe sees when this one has gone.
var errCut = errors.New("the other end stopped")

// pipe is one end of a connection within the process.
type pipe struct {
	out, in chan []byte
	gone    chan struct{} // closed when the other end is gone
}

// Send implements Conn.
func (p *pipe) Send(ctx context.Context, b []byte) error {
	select {
	case p.out <- b:
		return nil
	case <-p.gone:
		return errCut
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Receive implements Conn.
func (p *pipe) Receive(ctx context.Context) ([]byte, error) {
	select {
	case b := <-p.in:
		return b, nil
	default:
	}
	select {
	case b := <-p.in:
		return b, nil
	case <-p.gone:
		select {
		case b := <-p.in:
			return b, nil
		default:
		}
		return nil, errCut
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Both runs both ends of a session within the process and gives what each came to.
func Both(ctx context.Context, cfg [2]Config, hello [2]*Hello, end [2]End) ([2]*Outcome, error) {
	ab, ba := make(chan []byte, 2), make(chan []byte, 2)
	gone := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	conn := [2]*pipe{{out: ab, in: ba, gone: gone[1]}, {out: ba, in: ab, gone: gone[0]}}
	var out [2]*Outcome
	var errs [2]error
	done := make(chan int)
	for i := range 2 {
		go func() {
			defer func() { close(gone[i]); done <- i }()
			out[i], errs[i] = Drive(ctx, cfg[i], hello[i], end[i], conn[i])
		}()
	}
	<-done
	<-done
	for i := range errs {
		if errors.Is(errs[i], errCut) && errs[1-i] != nil {
			errs[i] = nil
		}
	}
	return out, errors.Join(errs[0], errs[1])
}
