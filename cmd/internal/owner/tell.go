package owner

import (
	"io"
	"net"
	"sync"
	"time"

	"dsync/cmd/internal/engine"
)

// expect reads one frame of a kind.
func expect(r io.Reader, want kind, v any) error {
	k, b, err := readFrame(r, maxFirst)
	if err != nil {
		return err
	}
	if k != want {
		return errFrame
	}
	return decode(b, v)
}

// tell writes one frame.
func tell(c *net.UnixConn, k kind, v any) error {
	b, err := encode(k, v)
	if err != nil {
		return err
	}
	return send(c, b, nil)
}

// maxUntold bounds what waits to be told to one asker, in bytes; beyond it whoever has
// something to say waits.
const maxUntold = 8 << 20

// progressEvery is the shortest time between two reports of progress.
const progressEvery = 100 * time.Millisecond

// teller writes to an asker, in order, without making the work wait for it.
type teller struct {
	c    *net.UnixConn
	gone func() // the asker takes nothing any more

	mu     sync.Mutex
	change *sync.Cond
	queue  [][]byte
	size   int
	last   bool // nothing more will come
	dead   bool
	shown  time.Time // when progress was told last
	done   chan struct{}
}

func newTeller(c *net.UnixConn, gone func()) *teller {
	t := &teller{c: c, gone: gone, done: make(chan struct{})}
	t.change = sync.NewCond(&t.mu)
	go t.write()
	go t.alive()
	return t
}

// put queues a frame; one that must not wait is dropped where too much waits already.
func (t *teller) put(b []byte, must bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.size > maxUntold && !t.dead {
		if !must {
			return
		}
		t.change.Wait()
	}
	if t.dead || t.last {
		return
	}
	t.queue = append(t.queue, b)
	t.size += len(b)
	t.change.Broadcast()
}

// close waits until all is told, or cannot be.
func (t *teller) close() {
	t.mu.Lock()
	t.last = true
	t.change.Broadcast()
	t.mu.Unlock()
	<-t.done
}

func (t *teller) write() {
	defer close(t.done)
	for {
		b := t.next()
		if b == nil {
			return
		}
		t.c.SetWriteDeadline(time.Now().Add(askerStall))
		if _, err := t.c.Write(b); err != nil {
			t.mu.Lock()
			t.dead = true
			t.change.Broadcast()
			t.mu.Unlock()
			t.gone()
			return
		}
	}
}

// next waits for a frame; nil: there is none any more.
func (t *teller) next() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.queue) == 0 {
		if t.last {
			return nil
		}
		t.change.Wait()
	}
	b := t.queue[0]
	t.queue = t.queue[1:]
	t.size -= len(b)
	t.change.Broadcast()
	return b
}

// alive shows that the owner is at it.
func (t *teller) alive() {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	b, err := encode(kindAlive, nil)
	if err != nil {
		return
	}
	for {
		select {
		case <-t.done:
			return
		case <-tick.C:
			t.put(b, false)
		}
	}
}

func (t *teller) notice(level engine.Level, text string) {
	if b, err := encode(kindNotice, &notice{level, text}); err == nil {
		t.put(b, true)
	}
}

func (t *teller) progress(p engine.Progress) {
	t.mu.Lock()
	now := time.Now()
	due := now.Sub(t.shown) >= progressEvery
	if due {
		t.shown = now
	}
	t.mu.Unlock()
	if !due {
		return
	}
	if b, err := encode(kindProgress, &p); err == nil {
		t.put(b, false)
	}
}
