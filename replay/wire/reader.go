package wire

import (
	"errors"
	"fmt"
	"io"

	"dsync/changelog/pack"
)

// incoming is what came and waits, and what an end takes.
type incoming struct {
	limits  announced
	trusted bool
	packets account
	bodies  account
	inbox   []*inPacket
	partial bool // the last of inbox goes on
	ended   bool // the peer has said end
}

// reader is the goroutine that alone reads the stream. It waits for nothing else.
type reader struct {
	c      *Conn
	buf    []byte // buf[r:w] was read and not used
	r, w   int
	offset int64 // of buf[r] in the stream
	number int64 // of the next frame; -1: the preamble
}

func (c *Conn) read() {
	defer c.left()
	r := &reader{c: c, number: -1}
	err := r.all()
	c.mu.Lock()
	told := c.tell != nil
	c.mu.Unlock()
	var protocol *ProtocolError
	var version *VersionError
	var failed *Error
	switch {
	case err == nil: // the other end has said its last, or this one
	case errors.As(err, &protocol), errors.As(err, &version):
		c.broke(err)
		told = true
	case errors.As(err, &failed):
		c.shut(err, nil)
	default:
		c.shut(fmt.Errorf("%w: %w", ErrCut, err), nil)
	}
	if told {
		r.drain()
	}
}

// drain reads on, for nothing, until the other end has gone or the stream is closed:
// closing a socket with unread input would lose what it was told.
func (r *reader) drain() {
	var nothing [1 << 10]byte
	for {
		if _, err := r.c.rw.Read(nothing[:]); err != nil {
			return
		}
	}
}

func (r *reader) all() error {
	for {
		r.c.mu.Lock()
		over := r.c.err != nil || r.c.in.ended
		r.c.mu.Unlock()
		if over {
			return nil
		}
		var err error
		if r.number < 0 {
			err = r.preamble()
		} else {
			err = r.frame()
		}
		if err != nil {
			return err
		}
		r.number++
	}
}

// wrong is an error of what came, at the current place.
func (r *reader) wrong(err error) error {
	var failed *Error
	var version *VersionError
	if errors.As(err, &failed) || errors.As(err, &version) {
		return err
	}
	return &ProtocolError{r.number, r.offset, err.Error()}
}

// fill reads until n bytes are there. They may be used until the next fill.
func (r *reader) fill(n int) error {
	if cap(r.buf)-r.r < n {
		buf := r.buf
		if cap(buf) < n {
			buf = make([]byte, max(n, min(2*cap(buf), maxWrite), 2<<10))
		}
		r.w = copy(buf, r.buf[r.r:r.w])
		r.buf, r.r = buf, 0
	}
	for empty := 0; r.w-r.r < n; {
		got, err := r.c.rw.Read(r.buf[r.w:])
		if got > 0 {
			r.w += got
			r.c.lastIn.Store(r.c.now())
			r.c.mu.Lock()
			r.c.stats.ReceivedBytes += int64(got)
			r.c.mu.Unlock()
			continue
		}
		if empty++; err == nil && empty > 100 {
			err = io.ErrNoProgress
		}
		if err != nil {
			if err == io.EOF && r.w > r.r {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

func (r *reader) used(n int) {
	r.r += n
	r.offset += int64(n)
	if r.r == r.w {
		r.r, r.w = 0, 0
	}
}

func (r *reader) preamble() error {
	c := r.c
	if err := r.fill(fixedLen); err != nil {
		if r.w > r.r {
			return fmt.Errorf("%w after %q", err, r.buf[r.r:r.w])
		}
		return err
	}
	n, err := preambleLen(r.buf[r.r : r.r+fixedLen])
	if err != nil {
		return r.wrong(err)
	}
	if err := r.fill(n); err != nil {
		return err
	}
	p, err := readPreamble(r.buf[r.r : r.r+n])
	if err == nil && p.starter == c.o.Starter {
		err = fmt.Errorf("both ends began the connection, or neither did")
	}
	if err != nil {
		return r.wrong(err)
	}
	c.raw.preamble(false, &p)
	c.mu.Lock()
	o := &c.out
	o.met, o.raises = true, p.unknown
	o.zstd = o.preamble.caps&p.caps&capZstd != 0
	o.raise(p.limits)
	o.refuse()
	c.rouse()
	c.mu.Unlock()
	r.used(n)
	return nil
}

// raise takes over what the peer says it takes now.
func (o *outgoing) raise(to announced) {
	o.packets += to.queue - o.limits.queue
	o.bodies += to.window - o.limits.window
	o.limits = to
}

func (r *reader) frame() error {
	c := r.c
	if err := r.fill(headLen); err != nil {
		return err
	}
	c.mu.Lock()
	limit := c.in.limits.frame
	known := c.known()
	c.mu.Unlock()
	head := r.buf[r.r : r.r+headLen]
	if err := checkHead(head, limit); err != nil {
		return r.wrong(err)
	}
	n := frameLen(head)
	if err := r.fill(n); err != nil {
		return err
	}
	f, err := readFrame(r.buf[r.r:r.r+n], r.number)
	if err != nil {
		return r.wrong(err)
	}
	onWire := len(f.payload)
	if f.has(flagZstd) {
		if c.o.NoZstd || !known {
			return r.wrong(fmt.Errorf("%v compressed, which this end did not say it takes", f.kind))
		}
		lent := rooms.Get().(*room)
		defer rooms.Put(lent)
		if f.payload, err = expand(lent.buf, f.payload); err != nil {
			return r.wrong(fmt.Errorf("%v that cannot be unpacked into %d bytes: %w", f.kind, maxFrame, err))
		}
	}
	c.raw.line(false, &f, onWire)
	c.mu.Lock()
	err = c.got(&f)
	c.stats.ReceivedFrames++
	held := int64(c.in.limits.queue - c.in.packets.left - c.in.packets.owed + c.in.limits.window - c.in.bodies.left - c.in.bodies.owed)
	c.stats.Held = max(c.stats.Held, held)
	c.rouse()
	c.mu.Unlock()
	if err != nil {
		return r.wrong(err)
	}
	r.used(n)
	return nil
}

// got takes in a frame.
func (c *Conn) got(f *frame) error {
	if c.err != nil {
		return nil
	}
	switch f.kind {
	case framePacket:
		return c.gotPacket(f)
	case frameAsk:
		return c.gotAsk(f)
	case frameBody:
		return c.asked.gotBody(f)
	case frameNoBody:
		return c.asked.gotNone(f)
	case frameDrop:
		return c.gotDrop(f)
	}
	if f.stream != 0 {
		return fmt.Errorf("%v with a stream", f.kind)
	}
	r := pack.New(f.payload, f.kind.String())
	switch f.kind {
	case frameCredit:
		return c.gotCredit(&r)
	case frameLimits:
		r.Fields(5)
		to := readAnnounced(&r)
		if err := r.End(); err != nil {
			return err
		}
		if !c.out.raises || !c.out.limits.within(to) {
			return fmt.Errorf("limits that nobody waits for, or lower ones")
		}
		c.out.raises = false
		c.out.raise(to)
		c.out.refuse()
		return nil
	case frameFail:
		code, text, err := readWhy(f.payload, 255)
		if err != nil {
			return err
		}
		return &Error{int(code), text}
	case frameEnd:
		if err := r.End(); err != nil {
			return err
		}
		return c.gotEnd()
	default: // frameAlive
		return r.End()
	}
}

func (c *Conn) gotCredit(r *pack.Reader) error {
	r.Fields(2)
	packets, bodies := r.Uint64(), r.Uint64()
	if err := r.End(); err != nil {
		return err
	}
	var ok1, ok2 bool
	c.out.packets, ok1 = granted(c.out.packets, packets)
	c.out.bodies, ok2 = granted(c.out.bodies, bodies)
	if !ok1 || !ok2 {
		return fmt.Errorf("credit for %d and %d bytes, more than can be", packets, bodies)
	}
	return nil
}

// gotEnd: the other end takes nothing more, and nothing more comes.
func (c *Conn) gotEnd() error {
	if c.in.partial {
		return fmt.Errorf("the end in the middle of a packet")
	}
	c.in.ended = true
	if p := c.out.packet; p != nil {
		c.out.packet, p.err = nil, ErrEnded
		close(p.done)
	}
	c.asked.fail(ErrEnded)
	for _, s := range c.out.streams { // any order: each is dropped
		s.drop()
	}
	notify(c.arrived)
	if c.out.said {
		close(c.parted)
	}
	return nil
}
