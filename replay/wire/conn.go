package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Options are of one end. The zero value is one that knows its peer and answers.
type Options struct {
	// Starter: this end began the connection. Exactly one of the two does.
	Starter bool
	// Timeout ends the connection with ErrStalled: so long without a byte. 0: ten
	// minutes.
	Timeout time.Duration
	// Unknown: the peer is not known yet. Until Trust is called it is held to the
	// least limits, and for Admission (0: 30 s, at most Timeout) at most.
	Unknown   bool
	Admission time.Duration
	// Limits is what this end takes of a peer that it knows.
	Limits Limits
	// Serve answers a request for a body; see SetServe.
	Serve Serve
	// NoZstd: nothing is compressed, in either direction.
	NoZstd bool
	// Raw gets a readable line for each frame of either direction. It is written
	// to by one goroutine at a time, and holds up the connection while it writes. Its
	// first error ends the log alone (Stats.Raw). nil: no log.
	Raw io.Writer
}

// Serve gives the body of a message and the key under which the store holds it, at
// most 1 KiB. It is called by up to four goroutines at once, and not any more once
// the connection has ended, which cancels ctx. An error is that body's alone.
type Serve func(ctx context.Context, id []byte) (body io.ReadCloser, key string, err error)

const (
	// DefaultTimeout is that of Options.
	DefaultTimeout   = 10 * time.Minute
	defaultAdmission = 30 * time.Second
	mostQuiet        = 15 * time.Second // between two signs of life
	grace            = 2 * time.Second  // to tell the other end why
)

// Conn is one end of a connection. Its methods may be called by several goroutines.
type Conn struct {
	o      Options
	rw     io.ReadWriteCloser
	born   time.Time
	done   chan struct{} // closed when the connection has ended, whyever
	gone   chan struct{} // closed when its goroutines have, too
	ctx    context.Context
	cancel context.CancelFunc
	alive  atomic.Int32 // goroutines
	raw    rawLog
	asked  Bodies

	closing sync.Once
	lastIn  atomic.Int64 // when the last byte came, in ns since born
	writing atomic.Int64 // when the write under way began; 0: none is
	watch   *time.Timer
	admit   *time.Timer

	wake    chan struct{} // to the writer: there is something
	arrived chan struct{} // to Receive
	parted  chan struct{} // closed when both ends have said end
	sending chan struct{} // held by the one Send that is under way

	mu    sync.Mutex
	err   error  // the first cause
	tell  *Error // what the other end is told of it
	stats Stats
	in    incoming
	out   outgoing
}

// New begins a connection over rw, which it closes at its end; that must end a Read
// or Write that waits. It does not wait for the other end.
func New(rw io.ReadWriteCloser, o Options) *Conn {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Admission == 0 {
		o.Admission = defaultAdmission
	}
	c := &Conn{o: o, rw: rw, born: time.Now(),
		done: make(chan struct{}), gone: make(chan struct{}), parted: make(chan struct{}),
		wake: make(chan struct{}, 1), arrived: make(chan struct{}, 1), sending: make(chan struct{}, 1)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.raw.w = o.Raw
	c.asked.init(c)
	mine := o.Limits.announce()
	if o.Unknown {
		mine = least
	}
	c.in.limits, c.out.limits = mine, least
	c.in.packets.left, c.in.bodies.left = mine.queue, mine.window
	c.out.packets, c.out.bodies = least.queue, least.window
	c.out.serve = o.Serve
	c.out.preamble = &preamble{starter: o.Starter, unknown: o.Unknown, limits: mine}
	if !o.NoZstd {
		c.out.preamble.caps |= capZstd
	}
	c.alive.Store(2)
	c.mu.Lock() // the timers may go off before they are noted
	defer c.mu.Unlock()
	c.watch = time.AfterFunc(o.Timeout, c.look)
	if o.Unknown {
		admission := min(o.Admission, o.Timeout)
		c.admit = time.AfterFunc(admission, func() { c.stalled("the other end was not let in within %v", admission) })
	}
	go c.read()
	go c.write()
	return c
}

// Done is closed when the connection has ended, whyever.
func (c *Conn) Done() <-chan struct{} { return c.done }

// SetServe says who answers requests for bodies from now on; nil: they are refused.
func (c *Conn) SetServe(s Serve) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.serve = s
}

// Trust says that the peer is known: Options.Limits are in force, and it is told so.
// It does nothing if the peer was known already.
func (c *Conn) Trust() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.o.Unknown || c.in.trusted || c.err != nil {
		return
	}
	c.admit.Stop()
	c.in.trusted = true
	now := c.o.Limits.announce()
	c.in.packets.left += now.queue - c.in.limits.queue
	c.in.bodies.left += now.window - c.in.limits.window
	c.in.limits = now
	c.out.announce = &now
	c.creditHead()
	c.rouse()
}

// known reports whether the peer was known from the start or is by now.
func (c *Conn) known() bool { return !c.o.Unknown || c.in.trusted }

// Fail ends the connection and tells the other end why: code is an exit status for
// it (0 to 255), text for people, of which 1 KiB is sent. It waits until that is
// sent and taken, at most two seconds, and as long for calls of Serve to return. Where
// the connection has ended already it changes nothing.
func (c *Conn) Fail(code int, text string) {
	c.shut(ErrClosed, &Error{code, text})
	select {
	case <-c.gone:
	case <-time.After(2 * grace):
	}
}

// Close says that all was said, and waits until all that was sent before is out and
// the other end has closed too. nil: both ends agree that it was the end. Bodies still
// under way are dropped. When ctx ends first, or Options.Timeout passes, the connection
// is ended all the same.
func (c *Conn) Close(ctx context.Context) error {
	c.mu.Lock()
	c.out.ending = true
	c.asked.fail(ErrClosed)
	c.rouse()
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	err := error(nil)
	select {
	case <-c.parted:
	case <-c.done:
		if c.mu.Lock(); c.err != ErrClosed {
			err = c.err
		}
		c.mu.Unlock()
	case <-ctx.Done():
		err = fmt.Errorf("wait for the other end to close: %w", ctx.Err())
	}
	c.shut(ErrClosed, nil)
	select {
	case <-c.gone:
	case <-ctx.Done():
	}
	return err
}

// shut ends the connection with a cause, if it has none yet. If tell is set the
// other end is told, for which it has a moment.
func (c *Conn) shut(cause error, tell *Error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err, c.tell = cause, tell
		close(c.done)
		c.asked.fail(cause)
	}
	c.mu.Unlock()
	if !first {
		return
	}
	c.cancel()
	c.watch.Stop()
	if c.admit != nil {
		c.admit.Stop()
	}
	if tell == nil {
		c.closeStream()
	} else {
		time.AfterFunc(min(grace, c.o.Timeout), c.closeStream)
	}
}

func (c *Conn) closeStream() { c.closing.Do(func() { c.rw.Close() }) }

// broke ends the connection for what is wrong with the stream or with what came.
func (c *Conn) broke(err error) {
	var tell *Error
	var version *VersionError
	var protocol *ProtocolError
	if errors.As(err, &version) || errors.As(err, &protocol) {
		tell = &Error{CodeProtocol, err.Error()}
	}
	c.shut(err, tell)
}

// left is called by each goroutine at its end.
func (c *Conn) left() {
	if c.alive.Add(-1) == 0 {
		c.closeStream()
		close(c.gone)
	}
}

// rouse wakes the writer.
func (c *Conn) rouse() { notify(c.wake) }

func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (c *Conn) now() int64 { return int64(time.Since(c.born)) + 1 }

// look is the watch: it ends the connection if it stalled, else looks again when it
// could have.
func (c *Conn) look() {
	now := c.now()
	since, what := c.lastIn.Load(), "nothing came from the other end for %v"
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.ended {
		since = now
	}
	if w := c.writing.Load(); w != 0 && w < since {
		since, what = w, "the other end took nothing for %v"
	}
	switch rest := c.o.Timeout - time.Duration(now-since); {
	case c.err != nil:
	case rest <= 0:
		go c.stalled(what, c.o.Timeout)
	default:
		c.watch.Reset(rest)
	}
}

func (c *Conn) stalled(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.shut(fmt.Errorf("%w: %s", ErrStalled, text), &Error{CodeStalled, "the connection stalled: " + text})
}

// Stats says what went over the connection so far.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Raw = c.raw.failed()
	return s
}

// Stats counts. Bytes are as on the stream, preambles included.
type Stats struct {
	SentBytes, ReceivedBytes     int64
	SentFrames, ReceivedFrames   int64
	SentPackets, ReceivedPackets int64 // whole
	BodiesSent, BodiesCame       int64 // whole
	BodiesDropped                int64 // came or were under way, for nothing
	BodyBytesSent, BodyBytesCame int64 // unpacked
	// Turns counts how often a packet came after one was sent: at the starter's end
	// these are the round trips of the packets.
	Turns int64
	// Held is the most that ever waited here, in bytes as credit counts them.
	Held int64
	// Raw is the error that ended the raw log.
	Raw error
}
