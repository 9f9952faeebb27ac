package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"dsync/changelog"
	"dsync/replay"
	"dsync/replay/session"
	"dsync/replay/wire"
)

// Kind is what a packet holds. Those below 16 are secret and never in a raw log.
type Kind byte

// The kinds of packets.
const (
	KindLogin     Kind = 1  // near: who is there
	KindChallenge Kind = 2  // far, over a plain stream: what the login is about
	KindGreet     Kind = 3  // far: the login is good
	KindOrder     Kind = 16 // near: a run is asked for
	KindFrame     Kind = 17 // both: a frame of the session
	KindNotice    Kind = 18 // far: a line for people
	KindAccount   Kind = 19 // far: what it did
)

// ErrUnexpected: the other end sent something else than what was due.
var ErrUnexpected = errors.New("unexpected packet")

// Notice levels as they go over; those of recorder and engine.
const maxNotice = 4 << 10

// Link is a connection to another dsync. It is used by one goroutine, besides what
// Close and Bodies allow.
type Link struct {
	c *wire.Conn
	// Notice takes the far end's lines; may be nil.
	Notice func(level int, line string)
	// Name is the other end, for messages.
	Name string

	hops     atomic.Int32            // of the packets that came, the most
	greeting []byte                  // what the far end has to show; nil: nothing, or it did
	ended    func(agreed bool) error // waits for the child; nil: there is none

	timeout time.Duration
	notices int                   // that came in this run
	waits   atomic.Int32          // goroutines that wait for the other end
	idle    atomic.Pointer[error] // why this end gave up
}

// New makes a link over a stream.
func New(rw io.ReadWriteCloser, name string, o wire.Options) *Link {
	return &Link{c: wire.New(rw, o), Name: name, timeout: o.Timeout}
}

// Put sends one value as JSON.
func (l *Link) Put(ctx context.Context, k Kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return l.send(ctx, k, b)
}

// send puts before a packet how many hops led to it: a packet that nothing led to is
// the first.
func (l *Link) send(ctx context.Context, k Kind, b []byte) error {
	hop := byte(min(l.hops.Load()+1, 255))
	return l.lost(ctx, l.c.Send(ctx, byte(k), append([]byte{hop}, b...)))
}

// Trips counts the round trips that packets took one after another; bodies are not
// counted.
func (l *Link) Trips() int { return int(l.hops.Load()) / 2 }

// LostError says that the connection to the other end broke.
type LostError struct{ Err error }

func (e *LostError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *LostError) Unwrap() error { return e.Err }

// lost marks an error of the connection, if it is that alone: not one of ctx, nor one
// that the other end told.
func (l *Link) lost(ctx context.Context, err error) error {
	err = l.cause(err)
	var told *wire.Error
	if err == nil || ctx.Err() != nil || errors.As(err, &told) {
		return err
	}
	return &LostError{err}
}

// Broken reports whether an error is that the connection broke, or that what came
// over it made no sense.
func Broken(err error) bool {
	var lost *LostError
	return errors.As(err, &lost) || errors.Is(err, ErrUnexpected)
}

// Alert reports whether an error is that the other end gave up TLS, as one does that
// does not believe a certificate.
func Alert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// Closed reports whether an error is that the other end had nothing more to say.
func Closed(err error) bool { return errors.Is(err, io.EOF) }

// Take waits for one value. io.EOF: the other end has ended in good order.
func (l *Link) Take(ctx context.Context, k Kind, v any) error {
	b, err := l.take(ctx, k)
	if err != nil {
		return err
	}
	if err := decode(b, v); err != nil {
		return &LostError{fmt.Errorf("%s: packet of kind %d: %w", l.Name, k, err)}
	}
	return nil
}

// take waits for a packet of a kind; notices that come before are passed on.
func (l *Link) take(ctx context.Context, k Kind) ([]byte, error) {
	for {
		got, b, err := l.receive(ctx)
		if err != nil {
			return nil, l.lost(ctx, err)
		}
		if len(b) == 0 {
			return nil, fmt.Errorf("%s: %w: an empty packet", l.Name, ErrUnexpected)
		}
		l.hops.Store(max(l.hops.Load(), int32(b[0])))
		if Kind(got) == KindOrder { // a new run
			l.hops.Store(int32(b[0]))
		}
		b = b[1:]
		switch {
		case l.greeting != nil:
			if Kind(got) != KindGreet {
				return nil, fmt.Errorf("%s: %w: kind %d, want its greeting", l.Name, ErrUnexpected, got)
			}
			if err := l.greeted(b); err != nil {
				return nil, err
			}
		case Kind(got) == k:
			return b, nil
		case Kind(got) == KindChallenge:
			return nil, fmt.Errorf("%s: %w: the far end asks for a secret, and connect.secret_file names none", l.Name, ErrLogin)
		case Kind(got) == KindNotice:
			if l.notices++; l.notices > maxNotices {
				return nil, fmt.Errorf("%s: %w: more than %d notices", l.Name, ErrUnexpected, maxNotices)
			}
			l.note(b)
		default:
			return nil, fmt.Errorf("%s: %w: kind %d, want %d", l.Name, ErrUnexpected, got, k)
		}
	}
}

type notice struct {
	Level int    `json:"level"`
	Line  string `json:"line"`
}

func (l *Link) note(b []byte) {
	var n notice
	if l.Notice == nil || json.Unmarshal(b, &n) != nil {
		return
	}
	l.Notice(n.Level, printable(n.Line))
}

// Tell sends a line for people.
func (l *Link) Tell(ctx context.Context, level int, line string) error {
	return l.Put(ctx, KindNotice, notice{level, line[:min(len(line), maxNotice)]})
}

// printable makes one line of what came from the other end, without controls.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, s[:min(len(s), maxNotice)])
}

// Frames is the link as a session sees it.
func (l *Link) Frames() session.Conn { return frames{l} }

type frames struct{ l *Link }

// Send implements session.Conn.
func (f frames) Send(ctx context.Context, b []byte) error {
	return f.l.send(ctx, KindFrame, b)
}

// Receive implements session.Conn.
func (f frames) Receive(ctx context.Context) ([]byte, error) { return f.l.take(ctx, KindFrame) }

// Bodies are the other end's messages.
func (l *Link) Bodies() replay.Bodies { return bodies{l, l.c.Bodies()} }

type bodies struct {
	l *Link
	b *wire.Bodies
}

// Open implements replay.Bodies.
func (x bodies) Open(ctx context.Context, id changelog.Dot) (io.ReadCloser, string, error) {
	defer x.l.waiting()()
	r, key, err := x.b.Open(ctx, changelog.AppendDot(nil, id))
	if err != nil {
		return nil, "", x.l.cause(err)
	}
	return watched{r, x.l}, key, nil
}

// Want implements replay.Wanter.
func (x bodies) Want(ids []changelog.Dot) error {
	out := make([][]byte, len(ids))
	for i, d := range ids {
		out[i] = changelog.AppendDot(nil, d)
	}
	return x.b.Want(out)
}

// Serve answers what the other end asks for.
func (l *Link) Serve(from replay.Bodies) {
	l.c.SetServe(func(ctx context.Context, id []byte) (io.ReadCloser, string, error) {
		d, err := changelog.DecodeDot(id)
		if err != nil {
			return nil, "", err
		}
		return from.Open(ctx, d)
	})
}

// Stats counts what went over.
func (l *Link) Stats() wire.Stats { return l.c.Stats() }

// Trust takes what the peer sends within full limits: it is known now.
func (l *Link) Trust() { l.c.Trust() }

// Done is closed when the connection has ended.
func (l *Link) Done() <-chan struct{} { return l.c.Done() }

// Alive reports whether the connection can serve one more run, as far as this end
// knows.
func (l *Link) Alive() bool {
	select {
	case <-l.c.Done():
		return false
	default:
		return true
	}
}

// again readies the link for the next run.
func (l *Link) again() {
	l.Notice = nil
	l.hops.Store(0)
}

// Rest lets go of what a run that is over had asked for.
func (l *Link) Rest() {
	l.c.SetServe(nil)
	l.c.Bodies().Forget()
}

// Fail says why this end cannot go on, and closes.
func (l *Link) Fail(exit int, text string) error {
	l.c.Fail(exit, text)
	return l.wait(false)
}

// Close ends the connection in good order.
func (l *Link) Close(ctx context.Context) error {
	err := l.c.Close(ctx)
	return errors.Join(err, l.wait(err == nil))
}

func (l *Link) wait(agreed bool) error {
	if l.ended == nil {
		return nil
	}
	f := l.ended
	l.ended = nil
	return f(agreed)
}
