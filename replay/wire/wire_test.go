package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dsync/replay/wire"
	"dsync/replay/wire/wiretest"
	"dsync/store"
)

// bg is the context of what a test does. In a bubble it ends after three hours, so that
// what would wait for ever fails.
var bg = context.Background()

// ends joins two ends by a link.
func ends(l wiretest.Link, a, b wire.Options) (near, far *wire.Conn) {
	x, y := l.Pipe()
	a.Starter = true
	near, far = wire.New(x, a), wire.New(y, b)
	joined = append(joined, near, far)
	return near, far
}

// joined are the ends of the test that runs: a failure leaves none open.
var joined []*wire.Conn

// part closes both ends, which must agree on it.
func part(t *testing.T, a, b *wire.Conn) {
	t.Helper()
	errs := make(chan error, 1)
	go func() { errs <- b.Close(bg) }()
	if err := errors.Join(a.Close(bg), <-errs); err != nil {
		t.Errorf("the ends did not part: %v", err)
	}
}

// bubble runs a test in virtual time; all goroutines must end with it.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Hour)
		bg = ctx
		defer func() {
			for _, c := range joined {
				c.Fail(1, "test over")
			}
			bg, joined = context.Background(), nil
			cancel()
		}()
		f(t)
	})
}

func receive(t *testing.T, c *wire.Conn, kind byte, want []byte) {
	t.Helper()
	k, p, err := c.Receive(bg)
	if err != nil || k != kind || !bytes.Equal(p, want) {
		t.Fatalf("received kind %d, %d bytes, %v; want kind %d, %d bytes", k, len(p), err, kind, len(want))
	}
}

// pattern gives n bytes that differ by seed; half of them compress.
func pattern(seed, n int) []byte {
	b := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range b {
		if x = x*1664525 + 1013904223; i/1000%2 == 0 {
			b[i] = byte(x >> 24)
		} else {
			b[i] = byte('a' + x>>30)
		}
	}
	return b
}

func TestPackets(t *testing.T) {
	for _, noZstd := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			a, b := ends(wiretest.Link{Delay: time.Millisecond}, wire.Options{NoZstd: noZstd}, wire.Options{})
			go func() {
				for i, n := range []int{0, 1, 255, 256, 65535, 65536, 65537, 3 << 20} {
					if err := a.Send(bg, byte(i), pattern(i, n)); err != nil {
						t.Error(err)
					}
				}
			}()
			for i, n := range []int{0, 1, 255, 256, 65535, 65536, 65537, 3 << 20} {
				receive(t, b, byte(i), pattern(i, n))
			}
			if s := a.Stats(); noZstd != (s.SentBytes > 3<<20) {
				t.Errorf("compression off: %v, sent %d bytes", noZstd, s.SentBytes)
			}
			part(t, a, b)
			if _, _, err := b.Receive(bg); err != wire.ErrClosed {
				t.Errorf("received after Close: %v", err)
			}
			if err := a.Send(bg, 16, nil); err != wire.ErrClosed {
				t.Errorf("sent after Close: %v", err)
			}
		})
	}
}

// Both ends send more than anybody receives; each takes one packet of any length.
func TestBothSend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{}, wire.Options{}, wire.Options{})
		big := pattern(1, 5<<20)
		done := make(chan error, 2)
		for _, c := range []*wire.Conn{a, b} {
			go func() { done <- c.Send(bg, 16, big) }()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		receive(t, a, 16, big)
		receive(t, b, 16, big)
		part(t, a, b)
	})
}

// shelf serves bodies by id: "n" is n bytes of a pattern.
func shelf(ctx context.Context, id []byte) (io.ReadCloser, string, error) {
	var n int
	if _, err := fmt.Sscan(string(id), &n); err != nil {
		return nil, "", fmt.Errorf("message %s: %w", id, store.ErrNoMessage)
	}
	return io.NopCloser(bytes.NewReader(pattern(n, n))), "key-" + string(id), nil
}

func ids(n ...int) (out [][]byte) {
	for _, n := range n {
		out = append(out, []byte(fmt.Sprint(n)))
	}
	return out
}

func open(b *wire.Bodies, n int) error {
	rc, key, err := b.Open(bg, []byte(fmt.Sprint(n)))
	if err != nil {
		return err
	}
	defer rc.Close()
	got, err := io.ReadAll(rc)
	if err == nil && (!bytes.Equal(got, pattern(n, n)) || key != fmt.Sprint("key-", n)) {
		err = fmt.Errorf("WRONG body %d: %d bytes, key %q", n, len(got), key)
	}
	return err
}

func TestBodies(t *testing.T) {
	sizes := []int{0, 1, 100, 65_000, 65_535, 65_536, 70_000, 200_000, 5 << 20}
	for _, announced := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			a, b := ends(wiretest.Link{Delay: time.Millisecond}, wire.Options{Serve: shelf}, wire.Options{Serve: shelf})
			for _, c := range []*wire.Conn{a, b} {
				if announced {
					if err := c.Bodies().Want(ids(sizes...)); err != nil {
						t.Fatal(err)
					}
				}
				for _, n := range sizes {
					if err := open(c.Bodies(), n); err != nil {
						t.Error(err)
					}
				}
				var none *wire.BodyError
				if _, _, err := c.Bodies().Open(bg, []byte("x")); !errors.Is(err, store.ErrNoMessage) || !errors.As(err, &none) {
					t.Errorf("a body that is not there: %v", err)
				}
			}
			part(t, a, b)
		})
	}
}

// Over a link of 100 ms each way nothing waits for more than it needs.
func TestRoundTrips(t *testing.T) {
	const delay = 100 * time.Millisecond
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{Delay: delay}, wire.Options{}, wire.Options{Unknown: true, Serve: shelf})
		begin := time.Now()
		took := func(what string, want time.Duration) {
			t.Helper()
			if d := time.Since(begin); d != want {
				t.Errorf("%s: %v, want %v", what, d, want)
			}
			begin = time.Now()
		}
		go func() {
			for range 3 {
				_, p, err := b.Receive(bg)
				if err != nil {
					t.Error(err)
				}
				b.Trust()
				b.Send(bg, 17, p)
			}
		}()
		// Who may not send much yet says at once what it wants and who it is.
		for _, n := range []int{100, 1000, 3000} {
			a.Send(bg, 16, pattern(n, n))
		}
		for _, n := range []int{100, 1000, 3000} {
			receive(t, a, 17, pattern(n, n))
		}
		took("first answer", 2*delay)
		// Bodies that were announced come in one round trip, as far as the window goes.
		var all []int
		for i := range 900 {
			all = append(all, 4000+i)
		}
		if err := a.Bodies().Want(ids(all...)); err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			if err := open(a.Bodies(), n); err != nil {
				t.Fatal(err)
			}
		}
		took("900 bodies", 2*delay)
		part(t, a, b)
		took("parting", delay)
		if n := a.Stats().Turns; n != 1 {
			t.Errorf("%d turns", n)
		}
	})
	// With 1 MB/s they are bound by that.
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{Delay: delay, Bandwidth: 1e6}, wire.Options{NoZstd: true}, wire.Options{Serve: shelf})
		b.Send(bg, 16, nil)
		receive(t, a, 16, nil)
		begin := time.Now()
		var all []int
		for i := range 1000 {
			all = append(all, 4000+i)
		}
		a.Bodies().Want(ids(all...))
		for _, n := range all {
			if err := open(a.Bodies(), n); err != nil {
				t.Fatal(err)
			}
		}
		line := time.Duration(b.Stats().SentBytes) * time.Microsecond
		if d := time.Since(begin); d < line || d > line+3*delay {
			t.Errorf("%v for %d bytes", d, b.Stats().SentBytes)
		}
		part(t, a, b)
	})
}

func TestFail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{Delay: time.Millisecond}, wire.Options{}, wire.Options{})
		if err := a.Send(bg, 3, []byte("last words")); err != nil {
			t.Fatal(err)
		}
		a.Fail(78, "no\x1b[31m \nsuch user")
		receive(t, b, 3, []byte("last words"))
		for range 2 {
			_, _, err := b.Receive(bg)
			var e *wire.Error
			if !errors.As(err, &e) || *e != (wire.Error{Code: 78, Text: "no?[31m ?such user"}) {
				t.Errorf("received %v", err)
			}
		}
		if err := b.Close(bg); err == nil {
			t.Error("closed well")
		}
		if err := a.Send(bg, 3, nil); err != wire.ErrClosed {
			t.Errorf("sent after Fail: %v", err)
		}
	})
}

// One end is silent: a dead link or process.
func TestStalled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		x, y := wiretest.Link{}.Pipe()
		begin := time.Now()
		c := wire.New(x, wire.Options{Timeout: time.Minute})
		_, _, err := c.Receive(bg)
		if !errors.Is(err, wire.ErrStalled) || time.Since(begin) != time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		c.Fail(1, "")
		y.Close()
	})
	// Nothing is taken, but something comes: the preamble, and signs of life.
	bubble(t, func(t *testing.T) {
		x, y := wiretest.Link{Buffer: 1 << 10}.Pipe()
		x2, y2 := wiretest.Link{}.Pipe()
		begin := time.Now()
		far := wire.New(x2, wire.Options{Timeout: time.Hour}) // to fill y2, whose bytes go to c
		c := wire.New(struct {
			io.Reader
			io.Writer
			io.Closer
		}{y2, x, closers{x, y2}}, wire.Options{Starter: true, Timeout: time.Minute})
		if err := c.Send(bg, 16, pattern(1, 1<<20)); !errors.Is(err, wire.ErrStalled) || !strings.Contains(err.Error(), "took nothing") || time.Since(begin) != time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		far.Fail(1, "")
		c.Fail(1, "")
		y.Close()
	})
}

type closers []io.Closer

func (c closers) Close() error {
	for _, x := range c {
		x.Close()
	}
	return nil
}

// An end that works for an hour is not dead.
func TestAlive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{Delay: time.Second}, wire.Options{Timeout: 10 * time.Second}, wire.Options{Timeout: 10 * time.Second})
		go func() {
			time.Sleep(time.Hour)
			b.Send(bg, 16, []byte("done"))
		}()
		receive(t, a, 16, []byte("done"))
		if n := b.Stats().SentFrames; n < 1400 || n > 1500 {
			t.Errorf("%d frames in an hour", n)
		}
		part(t, a, b)
	})
}

// A pair of ends costs little while it has nothing to carry.
func TestCost(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 100
	var all []*wire.Conn
	for range n {
		a, b := ends(wiretest.Link{}, wire.Options{}, wire.Options{Unknown: true})
		if err := a.Send(bg, 1, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		receive(t, b, 1, []byte("hello"))
		all = append(all, a, b)
	}
	runtime.ReadMemStats(&after)
	heap := (after.HeapAlloc - before.HeapAlloc) / n / 2
	stacks := (after.StackInuse - before.StackInuse) / n / 2
	t.Logf("an end takes %d bytes and %d of stack", heap, stacks)
	if heap > 12<<10 {
		t.Errorf("an end takes %d bytes", heap)
	}
	for i := 0; i < len(all); i += 2 {
		part(t, all[i], all[i+1])
	}
}
