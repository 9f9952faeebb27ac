package wire

import (
	"context"
	"fmt"
	"io"
)

// Send sends a packet. It returns when the packet is copied to what is being written,
// which it does not hold back; an empty payload is a packet too. Where the other end
// does not receive, Send waits for it once more is under way than its first packet
// and its Queue. A packet that is longer than the other end takes is an error and
// sends nothing. When ctx ends before anything was sent nothing is; in the middle of a
// packet it ends the connection.
func (c *Conn) Send(ctx context.Context, kind byte, payload []byte) error {
	select {
	case c.sending <- struct{}{}:
		defer func() { <-c.sending }()
	case <-c.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	p := &outPacket{kind: kind, payload: payload, done: make(chan struct{})}
	c.mu.Lock()
	err := c.maySend(len(payload))
	if err == nil {
		c.out.packet = p
		c.rouse()
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-c.done:
	case <-ctx.Done():
	}
	c.mu.Lock()
	begun := p.begun
	if c.out.packet == p {
		c.out.packet = nil
	}
	cause := c.err
	c.mu.Unlock()
	switch {
	case cause != nil:
		return cause
	case begun:
		err := fmt.Errorf("a packet was given up in its middle: %w", ctx.Err())
		c.shut(err, &Error{CodeStalled, err.Error()})
		return err
	}
	return ctx.Err()
}

func (c *Conn) maySend(size int) error {
	switch {
	case c.err != nil:
		return c.err
	case c.in.ended:
		return ErrEnded
	case c.out.ending:
		return ErrClosed
	case size > c.out.limits.packet && c.out.met && !c.out.raises:
		return c.out.tooLong(size)
	}
	return nil
}

// Receive gives the next packet, which is the caller's. io.EOF: the other end has
// closed, and there are no more.
func (c *Conn) Receive(ctx context.Context) (kind byte, payload []byte, err error) {
	for {
		c.mu.Lock()
		p := c.in.pop()
		if p != nil {
			c.in.packets.owed += p.weight
			c.creditHead()
			if c.in.first() != nil {
				notify(c.arrived)
			}
			c.rouse()
		}
		err, ended := c.err, c.in.ended
		c.mu.Unlock()
		switch {
		case err == ErrClosed:
			return 0, nil, err
		case p != nil:
			return p.kind, p.payload, nil
		case err != nil:
			return 0, nil, err
		case ended:
			return 0, nil, io.EOF
		}
		select {
		case <-c.arrived:
		case <-c.done:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
}

// refuse gives up a packet that waited for the other end's limits, and is over them.
func (o *outgoing) refuse() {
	if p := o.packet; p != nil && len(p.payload) > o.limits.packet && !o.raises {
		o.packet, p.err = nil, o.tooLong(len(p.payload))
		close(p.done)
	}
}

func (o *outgoing) tooLong(size int) error {
	return fmt.Errorf("a packet of %d bytes: the other end takes %d", size, o.limits.packet)
}

// inPacket is a packet that came, or is coming.
type inPacket struct {
	kind    byte
	whole   bool
	payload []byte
	weight  int // of its frames that the sender has no credit for yet
}

// first is the packet to be received next, nil if it is not there in full.
func (i *incoming) first() *inPacket {
	if len(i.inbox) == 0 || !i.inbox[0].whole {
		return nil
	}
	return i.inbox[0]
}

func (i *incoming) pop() *inPacket {
	p := i.first()
	if p != nil {
		i.inbox[0] = nil
		i.inbox = i.inbox[1:]
	}
	return p
}

// creditHead gives back what the first packet took: a peer that is known can always
// send one, of any length that is allowed, whether or not anybody receives it. So two
// ends that both send do not wait for each other.
func (c *Conn) creditHead() {
	if c.known() && len(c.in.inbox) > 0 {
		p := c.in.inbox[0]
		c.in.packets.owed += p.weight
		p.weight = 0
	}
}

// gotPacket takes in a frame of a packet.
func (c *Conn) gotPacket(f *frame) error {
	in := &c.in
	if !in.packets.take(f.weight()) {
		return fmt.Errorf("%d bytes of packets more than there was credit for", f.weight()-in.packets.left)
	}
	if f.stream > 255 {
		return fmt.Errorf("a packet of kind %d", f.stream)
	}
	if f.has(flagFirst) == in.partial {
		return fmt.Errorf("a packet that begins in the middle of another, or goes on without a beginning")
	}
	if f.has(flagFirst) {
		in.inbox = append(in.inbox, &inPacket{kind: byte(f.stream)})
		if c.out.talked {
			c.out.talked = false
			c.stats.Turns++
		}
	}
	p := in.inbox[len(in.inbox)-1]
	switch {
	case p.kind != byte(f.stream):
		return fmt.Errorf("a packet of kind %d that goes on as kind %d", p.kind, f.stream)
	case len(p.payload)+len(f.payload) > in.limits.packet:
		return fmt.Errorf("a packet of more than %d bytes", in.limits.packet)
	case len(f.payload) == 0 && !f.has(flagLast):
		return fmt.Errorf("an empty part of a packet")
	}
	p.payload = append(p.payload, f.payload...)
	p.weight += f.weight()
	if in.partial = !f.has(flagLast); !in.partial {
		p.whole = true
		c.stats.ReceivedPackets++
		notify(c.arrived)
	}
	c.creditHead()
	return nil
}
