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

// Driver is one end under way: its machine, what does what the machine asks, and
// the connection to the other end. It is used by one goroutine.
type Driver struct {
	Conn Conn // set before the first Step

	m    *Machine
	end  End
	next *Action
}

// NewDriver makes a driver for an end that introduces itself by h.
func NewDriver(cfg Config, h *Hello, end End) *Driver {
	return &Driver{m: New(cfg, h), end: end}
}

// Met makes a driver for an end that has the other's hello already, and whose own was
// sent.
func Met(cfg Config, me, peer *Hello, end End) (*Driver, error) {
	m, err := met(cfg, me, peer)
	return &Driver{m: m, end: end}, err
}

// Next tells what the next Step does: DoReceive waits for the other end, DoStop says
// that this one is through.
func (d *Driver) Next() Do {
	if d.next == nil {
		a := d.m.Next()
		d.next = &a
	}
	return d.next.Do
}

// Step does one thing. After DoStop it does nothing.
func (d *Driver) Step(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.Next() == DoStop {
		return nil
	}
	a := *d.next
	d.next = nil
	return step(ctx, d.m, a, d.end, d.Conn)
}

// Outcome is what the end came to, or has come to so far.
func (d *Driver) Outcome() *Outcome { return d.m.Outcome() }

// run makes all steps.
func (d *Driver) run(ctx context.Context) error {
	for {
		if err := d.Step(ctx); err != nil || d.Next() == DoStop {
			return err
		}
	}
}

// came reads a frame of the other end. What is wrong with it is no damage of anything
// that is here.
func came(b []byte) (*Frame, error) {
	f, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFrame, err)
	}
	return f, nil
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
		f, err := came(b)
		if err != nil {
			return err
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
	case DoPlan:
		needs, still, err := end.Plan(ctx, a.Result, a.Side)
		if err != nil {
			return err
		}
		m.Planned(needs, still)
	case DoTree:
		if err := end.Tree(ctx); err != nil {
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

// ErrCut is what the other end of a connection sees when this one has gone.
var ErrCut = errors.New("the other end stopped")

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
		return ErrCut
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
		return nil, ErrCut
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Both drives both ends of a session within the process, each by a goroutine of its
// own once there is work to do. Of an end that only saw the other one fail nothing is
// said.
func Both(ctx context.Context, ends [2]*Driver) error {
	pipes := [2]chan []byte{make(chan []byte, 2), make(chan []byte, 2)}
	gone := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	for i, d := range ends {
		d.Conn = &pipe{out: pipes[i], in: pipes[1-i], gone: gone[1-i]}
	}
	var errs [2]error
	if i, err := greet(ctx, ends, pipes); err != nil {
		close(gone[i])
		errs[i], errs[1-i] = err, ends[1-i].run(ctx)
		return Join(errs)
	}
	if ends[0].Next() == DoStop && ends[1].Next() == DoStop {
		return nil
	}
	done := make(chan int)
	for i, d := range ends {
		go func() {
			defer func() { close(gone[i]); done <- i }()
			errs[i] = d.run(ctx)
		}()
	}
	<-done
	<-done
	return Join(errs)
}

// greet makes what is but sending and receiving, by turns, in the caller's goroutine: if
// nothing is to be done that is all of the session. The error is that of one end.
func greet(ctx context.Context, ends [2]*Driver, pipes [2]chan []byte) (end int, err error) {
	for moved := true; moved; {
		moved = false
		for i, d := range ends {
			for d.Next() == DoSend && len(pipes[i]) < cap(pipes[i]) || d.Next() == DoReceive && len(pipes[1-i]) > 0 {
				if err := d.Step(ctx); err != nil {
					return i, err
				}
				moved = true
			}
		}
	}
	return 0, nil
}

// Join makes one error of those of both ends: of an end that only saw the other one
// fail nothing is said.
func Join(errs [2]error) error {
	for i := range errs {
		if errors.Is(errs[i], ErrCut) && errs[1-i] != nil && !errors.Is(errs[1-i], ErrCut) {
			errs[i] = nil
		}
	}
	return errors.Join(errs[0], errs[1])
}
