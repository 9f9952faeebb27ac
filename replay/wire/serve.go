package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"dsync/changelog/pack"
	"dsync/store"
)

const servers = 4 // bodies read at once

// outStream is a body that the other end asked for.
type outStream struct {
	stream  uint32
	id      []byte
	dropped bool          // the other end does not want it any more
	stop    chan struct{} // closed then; nil: nobody sends it yet
}

func (s *outStream) drop() {
	if !s.dropped && s.stop != nil {
		close(s.stop)
	}
	s.dropped = true
}

// gotAsk takes in a request.
func (c *Conn) gotAsk(f *frame) error {
	o := &c.out
	r := pack.New(f.payload, "ask")
	n := r.Array(maxFrame, 2)
	switch {
	case !r.OK():
		return r.Err()
	case n == 0 || f.stream != o.upto+1 || uint64(f.stream)+uint64(n) > 1<<32:
		return fmt.Errorf("a request for %d bodies from stream %d on, after %d", n, f.stream, o.upto)
	case len(o.streams)+n > c.in.limits.asks:
		return fmt.Errorf("%d bodies asked for at once, at most %d", len(o.streams)+n, c.in.limits.asks)
	}
	batch := make([]*outStream, n)
	for i := range batch {
		id := r.Bytes(maxID)
		if r.OK() && len(id) == 0 {
			r.Fail("an empty id")
		}
		batch[i] = &outStream{stream: f.stream + uint32(i), id: append([]byte(nil), id...)}
	}
	if err := r.End(); err != nil {
		return err
	}
	if o.streams == nil {
		o.streams = map[uint32]*outStream{}
	}
	for _, s := range batch {
		o.streams[s.stream] = s
	}
	o.upto += uint32(n)
	if f.has(flagNow) {
		o.queue = append(batch, o.queue...)
	} else {
		o.queue = append(o.queue, batch...)
	}
	for ; o.servers < servers && n > 0; n-- {
		o.servers++
		c.alive.Add(1)
		go c.serve()
	}
	return nil
}

// gotDrop: what is being sent of a stream is stopped. One that has ended meanwhile is
// none to stop.
func (c *Conn) gotDrop(f *frame) error {
	switch {
	case len(f.payload) != 0:
		return fmt.Errorf("drop with a payload")
	case f.stream == 0 || f.stream > c.out.upto:
		return fmt.Errorf("drop of stream %d, which was not asked for", f.stream)
	}
	if s := c.out.streams[f.stream]; s != nil {
		s.drop()
	}
	return nil
}

// serve answers requests until there are none.
func (c *Conn) serve() {
	defer c.left()
	var buf []byte
	taken := make(chan struct{}, 1)
	for {
		c.mu.Lock()
		if len(c.out.queue) == 0 || c.err != nil {
			c.out.servers--
			c.mu.Unlock()
			return
		}
		s := c.out.queue[0]
		c.out.queue[0] = nil
		c.out.queue = c.out.queue[1:]
		// A peer that asks and takes nothing waits for itself.
		open, chunk, dropped := c.out.serve, max(c.out.limits.bodyChunk(), least.frame), s.dropped
		s.stop = make(chan struct{})
		c.mu.Unlock()
		if len(buf) < chunk {
			buf = make([]byte, chunk)
		}
		v := &server{c: c, s: s, buf: buf[:chunk], taken: taken}
		err := errDropped
		if !dropped {
			err = v.stream(open)
		}
		if err != nil {
			code, text := bodyCode(err), err.Error()
			if err == errDropped {
				code = bodyDropped
			}
			v.send(&frame{kind: frameNoBody, stream: s.stream, payload: appendWhy(nil, code, text)})
		}
	}
}

// server sends one body.
type server struct {
	c     *Conn
	s     *outStream
	buf   []byte
	taken chan struct{}
}

var errDropped = errors.New("not wanted any more")

// stream sends a body to its end; after an error it has to be said that it does not
// come. One that never began because the connection ended is nobody's any more.
func (v *server) stream(open Serve) error {
	if open == nil {
		return fmt.Errorf("this end gives no bodies: %w", store.ErrUnsupported)
	}
	body, key, err := open(v.c.ctx, v.s.id)
	if err != nil {
		return err
	}
	defer body.Close()
	if len(key) > maxKey {
		return fmt.Errorf("a key of %d bytes, at most %d: %w", len(key), maxKey, store.ErrUnsupported)
	}
	total := uint64(0)
	n := len(pack.String(v.buf[:0], key))
	for flags := uint8(flagFirst); ; flags = 0 {
		got, err := io.ReadFull(body, v.buf[n:len(v.buf)-8])
		total += uint64(got)
		n += got
		v.c.mu.Lock()
		v.c.stats.BodyBytesSent += int64(got)
		v.c.mu.Unlock()
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			binary.BigEndian.PutUint64(v.buf[n:], total)
			n += 8
			flags |= flagLast
		default:
			return err
		}
		if err := v.send(&frame{kind: frameBody, flags: flags, stream: v.s.stream, payload: v.buf[:n]}); err != nil || flags&flagLast != 0 {
			return err
		}
		n = 0
	}
}

// send waits until a frame is taken, there being credit for it.
func (v *server) send(f *frame) error {
	c := v.c
	b := &outBody{*f, v.taken}
	c.mu.Lock()
	c.out.ready = append(c.out.ready, b)
	c.rouse()
	c.mu.Unlock()
	dropped := v.s.stop
	if f.kind == frameNoBody {
		dropped = nil // this is the answer
	}
	select {
	case <-v.taken:
		return nil
	case <-c.done:
		return errDropped
	case <-dropped:
	}
	c.mu.Lock()
	for i, x := range c.out.ready {
		if x == b {
			c.out.ready = append(c.out.ready[:i], c.out.ready[i+1:]...)
			c.mu.Unlock()
			return errDropped
		}
	}
	c.mu.Unlock()
	select {
	case <-v.taken:
		return nil
	case <-c.done:
		return errDropped
	}
}
