package wiretest

import (
	"io"
	"sync"

	"dsync/replay/wire"
)

// cutter passes bytes until the place of its cut.
type cutter struct {
	Cut
	pieces int
	names  []string
	head   []byte // of the piece that is passing, until its length is known
	size   int    // its length; 0: not known yet
	seen   int    // bytes of it that passed
	name   string
	past   int // bytes since Piece pieces passed
}

func newCutter(c Cut) *cutter { return &cutter{Cut: c} }

// pass says how many bytes of p pass, and whether the cut comes then.
func (c *cutter) pass(p []byte) (n int, cut bool) {
	for {
		over := c.On && c.pieces >= c.Piece && c.past >= c.Byte
		if over || n == len(p) {
			return n, over
		}
		step := 1
		if c.size > 0 {
			step = min(len(p)-n, c.size-c.seen)
		}
		if c.On && c.pieces >= c.Piece {
			step = min(step, c.Byte-c.past)
			c.past += step
		}
		if c.size == 0 {
			c.head = append(c.head, p[n])
			c.size, c.name = wire.Piece(c.head, c.pieces == 0)
		}
		n += step
		if c.seen += step; c.seen == c.size {
			c.names = append(c.names, c.name)
			c.head, c.seen, c.size = c.head[:0], 0, 0
			c.pieces++
		}
	}
}

// Cutter passes what goes through any stream, and closes it at a cut: two real
// processes can be parted between any two frames, or in the middle of one.
type Cutter struct {
	rw       io.ReadWriteCloser
	mu       sync.Mutex
	out, in  *cutter
	cut      bool
	shutOnce sync.Once
}

// NewCutter cuts rw at what is sent or received.
func NewCutter(rw io.ReadWriteCloser, sent, received Cut) *Cutter {
	return &Cutter{rw: rw, out: newCutter(sent), in: newCutter(received)}
}

// Read implements io.Reader; io.EOF from the cut on.
func (c *Cutter) Read(p []byte) (int, error) {
	n, err := c.rw.Read(p)
	c.mu.Lock()
	n, cut := c.in.pass(p[:n])
	c.cut = c.cut || cut
	gone := c.cut
	c.mu.Unlock()
	if gone {
		c.Close()
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	return n, err
}

// Write implements io.Writer; ErrCut from the cut on.
func (c *Cutter) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.cut {
		c.mu.Unlock()
		return 0, ErrCut
	}
	n, cut := c.out.pass(p)
	c.cut = c.cut || cut
	c.mu.Unlock()
	n, err := c.rw.Write(p[:n])
	if cut {
		c.Close()
		if err == nil && n < len(p) {
			err = ErrCut
		}
	}
	return n, err
}

// Close closes the stream.
func (c *Cutter) Close() (err error) {
	c.shutOnce.Do(func() { err = c.rw.Close() })
	return err
}

// WasCut reports whether the stream came to its cut.
func (c *Cutter) WasCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

// Pieces names what passed so far in each direction: "preamble", "packet", "ask" …
func (c *Cutter) Pieces() (sent, received []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(sent, c.out.names...), append(received, c.in.names...)
}
