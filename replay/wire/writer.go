package wire

import (
	"fmt"
	"io"
	"math"
	"time"

	"dsync/changelog/pack"
)

const maxWrite = maxFrame + headLen + sumLen // bytes handed to the stream at once

// outgoing is what an end has to send, and what its peer takes of it.
type outgoing struct {
	preamble *preamble // ours
	met      bool      // the peer's has come
	zstd     bool      // both have it
	raises   bool      // the peer will say its limits once more
	limits   announced // what the peer takes
	packets  int       // credit left
	bodies   int

	announce *announced // limits to be sent
	drops    []uint32   // streams to be dropped
	packet   *outPacket
	ready    []*outBody // frames of bodies, in order; at most one for each server
	turn     bool       // a body's, if a packet waits as well
	ending   bool       // Close was called
	ended    bool       // "end" is being written
	said     bool       // and was taken

	serve   Serve
	queue   []*outStream          // asked for, in order
	streams map[uint32]*outStream // asked for and not ended
	upto    uint32                // highest stream asked for
	servers int
	talked  bool // a packet was sent since the last one came
}

// outPacket is a packet being sent. done is closed when all of it, or err, is there.
type outPacket struct {
	kind    byte
	payload []byte
	off     int
	begun   bool
	err     error
	done    chan struct{}
}

// outBody is a frame of a body, or "no body", that waits to be sent.
type outBody struct {
	frame
	taken chan struct{} // one place; its server gets a word when the frame is copied
}

// writer is the goroutine that alone writes to the stream.
type writer struct {
	c      *Conn
	buf    []byte
	number int64
}

func (c *Conn) write() {
	defer c.left()
	quiet := min(c.o.Timeout/4, mostQuiet)
	sign := time.NewTimer(quiet)
	defer sign.Stop()
	w := &writer{c: c, buf: c.out.preamble.append(nil)}
	c.raw.preamble(true, c.out.preamble)
	for {
		c.mu.Lock()
		f, taken, ok := c.next()
		ended := c.err != nil
		c.mu.Unlock()
		switch {
		case ok:
			if len(w.buf) > 0 && len(w.buf)+headLen+len(f.payload)+sumLen > maxWrite && !w.flush() {
				return
			}
			w.add(&f)
			taken()
		case ended:
			w.farewell()
			return
		case len(w.buf) > 0:
			if !w.flush() {
				return
			}
			sign.Reset(quiet)
		default:
			select {
			case <-c.wake:
			case <-c.done:
			case <-sign.C:
				if !w.over() {
					w.add(&frame{kind: frameAlive})
				}
			}
		}
	}
}

// over reports whether this end has said its last frame.
func (w *writer) over() bool {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	return w.c.out.ended
}

// next gives the next frame to be sent: what keeps the other end going first, then
// packets and bodies by turns. taken is to be called when the frame is copied.
func (c *Conn) next() (f frame, taken func(), ok bool) {
	o := &c.out
	taken = func() {}
	if c.err != nil || o.ended {
		return f, taken, false
	}
	if o.announce != nil {
		f = frame{kind: frameLimits, payload: o.announce.append(pack.Array(nil, 5))}
		o.announce = nil
		return f, taken, true
	}
	if c.in.packets.due(c.in.limits.queue, c.in.limits.packetChunk()) || c.in.bodies.due(c.in.limits.window, c.in.limits.bodyChunk()) {
		return c.in.credit(), taken, true
	}
	if n := len(o.drops); n > 0 {
		f = frame{kind: frameDrop, stream: o.drops[n-1]}
		o.drops = o.drops[:n-1]
		return f, taken, true
	}
	if f, ok = c.asked.ask(); ok {
		return f, taken, true
	}
	body := o.sendableBody()
	if p := o.packet; p != nil && (body < 0 || !o.turn) && o.sendablePacket(p) {
		o.turn = true
		return c.nextOfPacket(p)
	}
	if body >= 0 {
		o.turn = false
		return c.nextOfBody(body)
	}
	if o.ending && o.packet == nil {
		o.ended = true
		return frame{kind: frameEnd}, taken, true
	}
	return f, taken, false
}

func (o *outgoing) sendablePacket(p *outPacket) bool {
	return len(p.payload) <= o.limits.packet && o.packets >= min(len(p.payload)-p.off, o.limits.packetChunk())+weighs
}

func (c *Conn) nextOfPacket(p *outPacket) (frame, func(), bool) {
	o := &c.out
	n := min(len(p.payload)-p.off, o.limits.packetChunk())
	f := frame{kind: framePacket, stream: uint32(p.kind), payload: p.payload[p.off : p.off+n]}
	if !p.begun {
		p.begun = true
		f.flags |= flagFirst
	}
	p.off += n
	o.packets -= f.weight()
	if p.off < len(p.payload) {
		return f, func() {}, true
	}
	f.flags |= flagLast
	o.packet, o.talked = nil, true
	c.stats.SentPackets++
	return f, func() { close(p.done) }, true
}

// sendableBody gives the index in ready of the first frame for which there is credit
// or that needs none, -1 if there is none such.
func (o *outgoing) sendableBody() int {
	if o.ending {
		return -1
	}
	blocked := false
	for i, b := range o.ready {
		if b.kind == frameNoBody || !blocked && o.bodies >= b.weight() {
			return i
		}
		blocked = true
	}
	return -1
}

func (c *Conn) nextOfBody(i int) (frame, func(), bool) {
	o := &c.out
	b := o.ready[i]
	o.ready = append(o.ready[:i], o.ready[i+1:]...)
	if b.kind == frameBody {
		o.bodies -= b.weight()
	}
	if b.kind == frameNoBody || b.has(flagLast) {
		// Before the other end can know that it may ask for one more.
		delete(o.streams, b.stream)
		if b.kind == frameBody {
			c.stats.BodiesSent++
		}
	}
	return b.frame, func() { b.taken <- struct{}{} }, true
}

// add copies a frame to the buffer, compressed if that gains.
func (w *writer) add(f *frame) {
	c := w.c
	packed := *f
	if f.kind == framePacket || f.kind == frameBody {
		c.mu.Lock()
		zstd := c.out.zstd && !c.out.raises // who does not know us unpacks nothing
		c.mu.Unlock()
		if zstd && len(f.payload) >= leastToPack {
			lent := rooms.Get().(*room)
			defer rooms.Put(lent)
			if small := squeeze(lent.buf, f.payload); small != nil {
				packed.payload, packed.flags = small, f.flags|flagZstd
			}
		}
	}
	w.buf = appendFrame(w.buf, w.number, &packed)
	w.number++
	f.flags = packed.flags
	c.raw.line(true, f, len(packed.payload))
}

// flush writes what is buffered. When it fails, the other end may have said why it
// went: the reader gets a moment to find that.
func (w *writer) flush() bool {
	c := w.c
	c.writing.Store(c.now())
	n, err := c.rw.Write(w.buf)
	c.writing.Store(0)
	if err == nil && n < len(w.buf) {
		err = io.ErrShortWrite
	}
	c.mu.Lock()
	c.stats.SentBytes += int64(n)
	c.stats.SentFrames = w.number
	if err == nil && c.out.ended && !c.out.said {
		if c.out.said = true; c.in.ended {
			close(c.parted)
		}
	}
	c.mu.Unlock()
	w.buf = w.buf[:0]
	if err == nil {
		return true
	}
	select {
	case <-c.done:
	case <-time.After(min(grace, c.o.Timeout)):
		c.shut(fmt.Errorf("%w: %w", ErrCut, err), nil)
	}
	return false
}

// farewell tells the other end why the connection ends, and that nothing follows; the
// reader waits for it to go, so that what was told is not lost with what it sent.
func (w *writer) farewell() {
	c := w.c
	c.mu.Lock()
	tell, ended := c.tell, c.out.ended
	c.mu.Unlock()
	if tell == nil || ended {
		c.closeStream()
		return
	}
	code := uint64(min(max(tell.Code, 0), 255))
	w.add(&frame{kind: frameFail, payload: appendWhy(nil, code, tell.Text)})
	if !w.flush() {
		return
	}
	if half, ok := c.rw.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// credit is what is owed to the sender.
func (i *incoming) credit() frame {
	f := frame{kind: frameCredit, payload: pack.Uint(pack.Uint(pack.Array(nil, 2), i.packets.owed), i.bodies.owed)}
	i.packets.give()
	i.bodies.give()
	return f
}

// account is the credit that a sender has here.
type account struct {
	left int // granted and not used
	owed int // free again, and not granted yet
}

// due reports whether credit should be given: a quarter of the window is owed, or the
// sender may wait for it.
func (a *account) due(window, chunk int) bool {
	return a.owed > 0 && (a.owed >= window/4 || a.left < chunk+weighs)
}

func (a *account) give() {
	a.left += a.owed
	a.owed = 0
}

// take uses credit for a frame.
func (a *account) take(weight int) bool {
	if a.left < weight {
		return false
	}
	a.left -= weight
	return true
}

// granted adds credit that came.
func granted(have int, more uint64) (int, bool) {
	if more > math.MaxInt32 || have+int(more) > math.MaxInt32 {
		return have, false
	}
	return have + int(more), true
}
