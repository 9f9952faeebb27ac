package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"dsync/changelog/pack"
)

// Bodies is the side that asks for bodies.
type Bodies struct {
	c      *Conn
	over   error              // nothing more is asked
	byID   map[string]*inBody // announced and not opened
	byWire map[uint32]*inBody // asked for and not ended; nil: dropped
	want   []*inBody          // to be asked for, in order
	now    []*inBody          // before those
	last   uint32             // stream asked for last
	order  int64              // of the last announced
	front  int64              // of the last opened, in the order announced
	waits  map[*inBody]int    // in Open or Read, for something to come
}

// inBody is a body that is wanted.
type inBody struct {
	id     string
	order  int64
	stream uint32 // 0: not asked for
	now    bool   // was asked for before others
	opened bool
	begun  bool
	whole  bool
	err    error
	key    string
	chunks []chunk
	got    uint64
	weight int           // held of the window, for all frames that came
	wake   chan struct{} // one place
}

type chunk struct {
	data   []byte
	weight int
}

// Bodies gives the side that asks the other end for bodies. It is always the same.
func (c *Conn) Bodies() *Bodies { return &c.asked }

func (b *Bodies) init(c *Conn) {
	*b = Bodies{c: c, byID: map[string]*inBody{}, byWire: map[uint32]*inBody{}, waits: map[*inBody]int{}}
}

// Want announces which bodies will be opened, in about this order: they are asked for
// at once, and come while other things are done. It waits for nothing. An id has 1 to
// 64 bytes; one that was announced and not opened yet is passed over. What came and
// is not opened may be dropped when others are waited for; Open then asks anew.
func (b *Bodies) Want(ids [][]byte) error {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	if b.over != nil {
		return b.over
	}
	for _, id := range ids {
		if err := checkID(id); err != nil {
			return err
		}
		if b.byID[string(id)] == nil {
			x := b.body(id)
			b.byID[x.id] = x
			b.want = append(b.want, x)
		}
	}
	b.c.rouse()
	return nil
}

func (b *Bodies) body(id []byte) *inBody {
	b.order++
	return &inBody{id: string(id), order: b.order, wake: make(chan struct{}, 1)}
}

func checkID(id []byte) error {
	if len(id) == 0 || len(id) > maxID {
		return fmt.Errorf("a body's id of %d bytes: it has 1 to %d", len(id), maxID)
	}
	return nil
}

// Forget drops what was announced and not opened.
func (b *Bodies) Forget() {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	for _, x := range b.byID { // any order: all are dropped
		b.drop(x)
	}
	b.c.rouse()
}

// Open gives a body and its key, and waits for its first bytes. The error is that
// body's alone (BodyError) or why the connection ended. The body's Read gives io.EOF
// only when all of it came; ctx is for Read, too. Each body is opened once for each
// time it is wanted; Close drops what was not read.
func (b *Bodies) Open(ctx context.Context, id []byte) (body io.ReadCloser, key string, err error) {
	if err := checkID(id); err != nil {
		return nil, "", err
	}
	c := b.c
	c.mu.Lock()
	defer c.mu.Unlock()
	x := b.byID[string(id)]
	if x == nil || !x.begun && x.stream == 0 {
		if b.over != nil {
			return nil, "", b.over
		}
		if x == nil {
			x = b.body(id)
		}
		b.now = append(b.now, x)
		x.now = true
		c.rouse()
	} else {
		b.front = max(b.front, x.order)
	}
	delete(b.byID, x.id)
	x.opened = true
	if err := b.await(ctx, x, func() bool { return x.begun }); err != nil {
		b.drop(x)
		return nil, "", err
	}
	return &bodyReader{ctx: ctx, b: b, x: x}, x.key, nil
}

// await waits, giving mu up, until something is there of x, or its error.
func (b *Bodies) await(ctx context.Context, x *inBody, there func() bool) error {
	c := b.c
	for !there() {
		switch {
		case x.err != nil:
			return x.err
		case b.over != nil:
			return b.over
		case ctx.Err() != nil:
			return ctx.Err()
		}
		b.waits[x]++
		b.unstick()
		c.mu.Unlock()
		select {
		case <-x.wake:
		case <-c.done:
		case <-ctx.Done():
		}
		c.mu.Lock()
		if b.waits[x]--; b.waits[x] == 0 {
			delete(b.waits, x)
		}
	}
	return nil
}

// ask gives the next request, for as many bodies as the other end lets wait. A
// sixteenth of that is kept for those that somebody waits for.
func (b *Bodies) ask() (f frame, ok bool) {
	if b.over != nil || b.c.out.limits.asks == 0 || !b.c.known() {
		return f, false
	}
	from, flags := &b.now, uint8(flagNow)
	room := b.c.out.limits.asks - len(b.byWire)
	if len(b.now) == 0 {
		from, flags = &b.want, 0
		room -= b.c.out.limits.asks / 16
	}
	var ids []*inBody
	size := 16
	for len(*from) > 0 && len(ids) < room && size+maxID+2 <= b.c.out.limits.frame {
		x := (*from)[0]
		*from = (*from)[1:]
		if x.stream != 0 || x.err != nil || !x.opened && b.byID[x.id] != x || flags == 0 && x.now {
			continue // asked for otherwise, or not wanted any more
		}
		b.last++
		x.stream = b.last
		b.byWire[x.stream] = x
		ids = append(ids, x)
		size += len(x.id) + 2
	}
	if len(ids) == 0 {
		return f, false
	}
	f = frame{kind: frameAsk, flags: flags, stream: ids[0].stream, payload: pack.Array(nil, len(ids))}
	for _, x := range ids {
		f.payload = pack.Bytes(f.payload, []byte(x.id))
	}
	return f, true
}

// drop gives up what is asked for or held of x; it may be asked for anew.
func (b *Bodies) drop(x *inBody) {
	if b.byID[x.id] == x {
		delete(b.byID, x.id)
	}
	if x.stream != 0 && b.byWire[x.stream] == x {
		b.byWire[x.stream] = nil
		b.c.out.drops = append(b.c.out.drops, x.stream)
	}
	if x.weight > 0 {
		b.c.stats.BodiesDropped++
	}
	b.release(x, x.weight)
	x.chunks, x.stream, x.opened = nil, 0, false
}

// release gives credit back.
func (b *Bodies) release(x *inBody, weight int) {
	x.weight -= weight
	b.c.in.bodies.owed += weight
	b.c.rouse()
}

// unstick sees to it that a body that somebody waits for can come: when the window is
// full of bodies that nobody opened, they are dropped, first those that were passed
// over, then those that are wanted last; and what is waited for is asked for anew,
// before all others.
func (b *Bodies) unstick() {
	in := &b.c.in
	if len(b.waits) == 0 || in.bodies.left+in.bodies.owed >= in.limits.bodyChunk()+weighs {
		return
	}
	var idle []*inBody
	for _, x := range b.byID { // any order: sorted below
		if x.weight > 0 {
			idle = append(idle, x)
		}
	}
	slices.SortFunc(idle, func(x, y *inBody) int {
		passedX, passedY := x.order < b.front, y.order < b.front
		switch {
		case passedX != passedY && passedX:
			return -1
		case passedX != passedY:
			return 1
		case passedX:
			return int(x.order - y.order)
		}
		return int(y.order - x.order)
	})
	dropped := false
	for _, x := range idle {
		if in.bodies.left+in.bodies.owed >= in.limits.window/2 {
			break
		}
		b.drop(x)
		dropped = true
	}
	for x := range b.waits { // any order: each is asked for on its own
		if dropped && !x.begun && !x.now && x.err == nil && x.opened {
			b.drop(x)
			x.opened, x.now = true, true
			b.now = append(b.now, x)
		}
	}
}

// gotBody takes in a frame of a body.
func (b *Bodies) gotBody(f *frame) error {
	in := &b.c.in
	if !in.bodies.take(f.weight()) {
		return fmt.Errorf("%d bytes of bodies more than there was credit for", f.weight()-in.bodies.left)
	}
	x, asked := b.byWire[f.stream]
	if !asked {
		return fmt.Errorf("a body that nobody asked for (stream %d)", f.stream)
	}
	if f.has(flagLast) {
		delete(b.byWire, f.stream)
	}
	if x == nil {
		in.bodies.owed += f.weight()
		return nil
	}
	data := f.payload
	if f.has(flagFirst) == x.begun {
		return fmt.Errorf("a body that begins twice, or goes on without a beginning (stream %d)", f.stream)
	}
	if f.has(flagFirst) {
		r := pack.New(data, "body")
		x.key = strings.Clone(r.String(maxKey))
		if data = r.Rest(); !r.OK() {
			return r.Err()
		}
		x.begun = true
	}
	if f.has(flagLast) {
		n := len(data) - 8
		if n < 0 {
			return fmt.Errorf("a body without its length (stream %d)", f.stream)
		}
		if want := binary.BigEndian.Uint64(data[n:]); want != x.got+uint64(n) {
			return fmt.Errorf("a body of %d bytes of which %d came (stream %d)", want, x.got+uint64(n), f.stream)
		}
		data, x.whole = data[:n], true
		b.c.stats.BodiesCame++
	} else if len(data) == 0 && !f.has(flagFirst) {
		return fmt.Errorf("an empty part of a body (stream %d)", f.stream)
	}
	x.got += uint64(len(data))
	b.c.stats.BodyBytesCame += int64(len(data))
	x.weight += f.weight()
	if len(data) > 0 {
		x.chunks = append(x.chunks, chunk{slices.Clone(data), f.weight()})
	}
	notify(x.wake)
	b.unstick()
	return nil
}

// gotNone takes in why a body does not come.
func (b *Bodies) gotNone(f *frame) error {
	code, text, err := readWhy(f.payload, 255)
	if err != nil {
		return err
	}
	x, asked := b.byWire[f.stream]
	if !asked {
		return fmt.Errorf("no body where none was asked for (stream %d)", f.stream)
	}
	delete(b.byWire, f.stream)
	if x != nil {
		x.err = bodyError(code, text)
		x.chunks = nil
		b.release(x, x.weight)
		notify(x.wake)
	}
	return nil
}

// fail ends all asking; what came whole can still be read.
func (b *Bodies) fail(cause error) {
	if b.over != nil {
		return
	}
	b.over = cause
	b.want, b.now = nil, nil
	for x := range b.waits { // any order: all are woken
		notify(x.wake)
	}
}

// bodyReader reads one body. It is used by one goroutine.
type bodyReader struct {
	ctx    context.Context
	b      *Bodies
	x      *inBody
	rest   []byte
	weight int // of the chunk that rest is the end of
	closed bool
}

func (r *bodyReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// next gives credit for what was read and gets the next chunk.
func (r *bodyReader) next() error {
	r.b.c.mu.Lock()
	defer r.b.c.mu.Unlock()
	if r.closed {
		return errors.New("read a body after Close")
	}
	x := r.x
	r.b.release(x, r.weight)
	r.weight = 0
	if err := r.b.await(r.ctx, x, func() bool { return len(x.chunks) > 0 || x.whole }); err != nil {
		return err
	}
	if len(x.chunks) == 0 {
		r.b.release(x, x.weight) // of frames without bytes
		return io.EOF
	}
	r.rest, r.weight = x.chunks[0].data, x.chunks[0].weight
	x.chunks[0] = chunk{}
	x.chunks = x.chunks[1:]
	return nil
}

// Close drops what was not read. It fails never.
func (r *bodyReader) Close() error {
	r.b.c.mu.Lock()
	defer r.b.c.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.rest = nil
		if r.x.whole && len(r.x.chunks) == 0 {
			r.b.release(r.x, r.x.weight)
		}
		r.b.drop(r.x)
	}
	return nil
}
