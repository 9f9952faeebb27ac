package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"dsync/replay/wire"
)

// An end that works for long says that it is alive, so wire's timeout measures dead
// ends and links. One that says so for good, and does nothing, is found out here:
// while this end waits for a packet or a body, something has to come or go.

// patience is how many timeouts long the other end may work without a result.
const patience = 6

// maxNotices bounds the lines for people that come in one run.
const maxNotices = 10_000

// ErrIdle: the other end did nothing for too long, and said that it was alive.
var ErrIdle = errors.New("the other end says that it is alive, and nothing else")

// Run readies the link for one run and watches over it until the caller calls what
// it gives. more is what the other end may wait for a lock, besides.
func (l *Link) Run(more time.Duration) (done func()) {
	l.notices = 0
	timeout := l.timeout
	if timeout == 0 {
		timeout = wire.DefaultTimeout
	}
	stop := make(chan struct{})
	go l.watch(patience*timeout+more, stop)
	return func() { close(stop) }
}

func (l *Link) watch(limit time.Duration, stop chan struct{}) {
	const steps = 12
	tick := time.NewTicker(max(limit/steps, time.Millisecond))
	defer tick.Stop()
	for last, idle := int64(-1), 0; ; {
		select {
		case <-stop:
			return
		case <-l.c.Done():
			return
		case <-tick.C:
		}
		now := l.progress()
		if idle++; now != last || l.waits.Load() == 0 {
			last, idle = now, 0
		}
		if idle >= steps {
			err := fmt.Errorf("%w, for %v", ErrIdle, limit)
			l.idle.Store(&err)
			l.c.Fail(wire.CodeStalled, err.Error())
			return
		}
	}
}

// progress is a number that grows with what comes and goes.
func (l *Link) progress() int64 {
	s := l.c.Stats()
	return s.SentPackets + s.ReceivedPackets + s.BodiesSent + s.BodiesCame + s.BodyBytesSent + s.BodyBytesCame
}

// waiting counts who waits for the other end.
func (l *Link) waiting() (done func()) {
	l.waits.Add(1)
	return func() { l.waits.Add(-1) }
}

// watched is a body that its reader waits for.
type watched struct {
	io.ReadCloser
	l *Link
}

// Read implements io.Reader.
func (w watched) Read(p []byte) (int, error) {
	defer w.l.waiting()()
	n, err := w.ReadCloser.Read(p)
	return n, w.l.cause(err)
}

// cause puts in place of an error of a connection that was given up why it was.
func (l *Link) cause(err error) error {
	if idle := l.idle.Load(); idle != nil && errors.Is(err, wire.ErrClosed) {
		return *idle
	}
	return err
}

// receive waits for a packet.
func (l *Link) receive(ctx context.Context) (byte, []byte, error) {
	defer l.waiting()()
	return l.c.Receive(ctx)
}
