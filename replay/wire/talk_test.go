package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dsync/replay/wire"
	"dsync/replay/wire/wiretest"
	"dsync/store"
)

// script is what one end does in a conversation: packets it sends, bodies it wants.
type script struct {
	packets []packet
	want    []int // announced
	open    []int // opened, by several at once, in this order
	readers int
	missing int  // opened, too, if not 0: a body that is not there
	pause   bool // between packets
}

type packet struct {
	kind byte
	size int
}

// heard is what one end got.
type heard struct {
	packets int   // of the peer's script, whole and right
	bodies  []int // whole and right
	err     error // why it ended early; nil: in agreement
}

// play carries a script out and judges what comes by the peer's.
func (s script) play(c *wire.Conn, peer script) (h heard) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if h.err == nil {
			h.err = err
		}
	}
	run := func(f func() error) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := f(); err != nil {
				fail(err)
			}
		}()
	}
	run(func() error {
		for i, p := range s.packets {
			if s.pause {
				time.Sleep(time.Millisecond)
			}
			if err := c.Send(bg, p.kind, pattern(i, p.size)); err != nil {
				return err
			}
		}
		return nil
	})
	run(func() error {
		for i, p := range peer.packets {
			kind, payload, err := c.Receive(bg)
			if err != nil {
				return err
			}
			if kind != p.kind || !bytes.Equal(payload, pattern(i, p.size)) {
				return fmt.Errorf("WRONG packet %d: kind %d, %d bytes", i, kind, len(payload))
			}
			h.packets++
		}
		return nil
	})
	if err := c.Bodies().Want(ids(s.want...)); err != nil {
		fail(err)
	}
	next := make(chan int)
	for range max(s.readers, 1) {
		run(func() error {
			var first error
			for n := range next {
				err := open(c.Bodies(), n)
				mu.Lock()
				if err == nil {
					h.bodies = append(h.bodies, n)
				} else if first == nil {
					first = err
				}
				mu.Unlock()
			}
			return first
		})
	}
	for _, n := range s.open {
		next <- n
	}
	close(next)
	if s.missing != 0 {
		run(func() error {
			_, _, err := c.Bodies().Open(bg, []byte("missing"))
			if !errors.Is(err, store.ErrNoMessage) {
				return err
			}
			return nil
		})
	}
	wg.Wait()
	return h
}

// talk plays two scripts against each other. Where both end well the ends part.
func talk(a, b *wire.Conn, sa, sb script) (ha, hb heard) {
	var wg sync.WaitGroup
	// Who has all it wants tells the other, as sessions do, before it closes.
	const over = 200
	one := func(c *wire.Conn, mine, other script, h *heard) {
		defer wg.Done()
		*h = mine.play(c, other)
		if h.err == nil {
			h.err = c.Send(bg, over, nil)
		}
		if h.err == nil {
			var kind byte
			if kind, _, h.err = c.Receive(bg); h.err == nil && kind != over {
				h.err = fmt.Errorf("WRONG packet of kind %d", kind)
			}
		}
		if h.err != nil {
			c.Fail(75, h.err.Error())
			return
		}
		h.err = c.Close(bg)
	}
	wg.Add(2)
	go one(a, sa, sb, &ha)
	go one(b, sb, sa, &hb)
	wg.Wait()
	return ha, hb
}

// Any interleaving of packets and bodies, over any link and limits, comes out as it
// went in, and nobody waits for ever.
func TestRandom(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		sa, sb := drawScript(r, "a"), drawScript(r, "b")
		oa, ob := drawOptions(r, "a"), drawOptions(r, "b")
		ob.Unknown = rapid.Bool().Draw(r, "unknown")
		link := wiretest.Link{Delay: rapid.SampledFrom([]time.Duration{0, time.Millisecond, 300 * time.Millisecond}).Draw(r, "delay"),
			Bandwidth: rapid.SampledFrom([]int64{0, 1 << 20}).Draw(r, "bandwidth"),
			Buffer:    rapid.SampledFrom([]int{1, 1000, 1 << 20}).Draw(r, "buffer")}
		if link.Buffer == 1 { // each byte would wait for the delay
			link.Delay = 0
			sa, sb = sa.small(), sb.small()
		}
		trust := rapid.SampledFrom([]time.Duration{0, 400 * time.Millisecond}).Draw(r, "trusted after")
		var ha, hb heard
		bubble(t, func(t *testing.T) {
			a, b := ends(link, oa, ob)
			if ob.Unknown {
				time.AfterFunc(trust, b.Trust)
			}
			ha, hb = talk(a, b, sa, sb)
		})
		if ha.err != nil || hb.err != nil {
			r.Fatalf("%v; %v", ha.err, hb.err)
		}
	})
}

func drawScript(r *rapid.T, who string) (s script) {
	sizes := rapid.OneOf(rapid.IntRange(0, 300), rapid.SampledFrom([]int{2048, 4096, 4097, 65536, 70_000, 600_000}))
	for range rapid.IntRange(0, 6).Draw(r, who+" packets") {
		s.packets = append(s.packets, packet{rapid.Byte().Draw(r, "kind"), sizes.Draw(r, "size")})
	}
	all := rapid.SliceOfNDistinct(rapid.OneOf(rapid.IntRange(0, 5000), rapid.IntRange(100_000, 110_000), rapid.SampledFrom([]int{65528, 300_000, 700_000})),
		0, 20, rapid.ID).Draw(r, who+" bodies")
	s.want = slices.Clone(all)
	s.open = all
	switch rapid.IntRange(0, 3).Draw(r, who+" order") {
	case 1:
		s.open = rapid.Permutation(all).Draw(r, who+" opened") // not as announced
	case 2:
		s.open = all[:len(all)/2]
	case 3:
		s.want = all[len(all)/2:]
	}
	s.readers = rapid.IntRange(1, 5).Draw(r, who+" readers")
	s.missing = rapid.IntRange(0, 1).Draw(r, who+" missing")
	s.pause = rapid.Bool().Draw(r, who+" pause")
	return s
}

func (s script) small() script {
	s.packets = slices.DeleteFunc(s.packets, func(p packet) bool { return p.size > 5000 })
	s.want, s.open = slices.DeleteFunc(slices.Clone(s.want), func(n int) bool { return n > 5000 }), slices.DeleteFunc(slices.Clone(s.open), func(n int) bool { return n > 5000 })
	return s
}

func drawOptions(r *rapid.T, who string) wire.Options {
	return wire.Options{Serve: shelf, NoZstd: rapid.Bool().Draw(r, who+" no zstd"),
		Limits: wire.Limits{Queue: rapid.SampledFrom([]int{0, 1}).Draw(r, who+" queue"), Window: rapid.SampledFrom([]int{0, 1}).Draw(r, who+" window"),
			Asks: rapid.SampledFrom([]int{0, 1}).Draw(r, who+" asks")}}
}

// The same over net.Pipe, where each Write waits for its Read.
func TestNetPipe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		x, y := net.Pipe()
		a, b := wire.New(x, wire.Options{Starter: true, Serve: shelf}), wire.New(y, wire.Options{Serve: shelf})
		s := script{packets: []packet{{1, 10}, {16, 300_000}, {17, 0}}, want: []int{1, 100, 200_000}, open: []int{1, 100, 200_000}, readers: 2}
		ha, hb := talk(a, b, s, s)
		if ha.err != nil || hb.err != nil {
			t.Errorf("%v; %v", ha.err, hb.err)
		}
	})
}

// A conversation that is cut after any byte, in either direction: both ends learn it
// in bounded time, and what was heard before is right.
func TestCut(t *testing.T) {
	s := script{packets: []packet{{1, 10}, {16, 300}, {17, 0}}, want: []int{40, 30, 1}, open: []int{40, 30, 1, 7}, readers: 2, missing: 1}
	options := wire.Options{Serve: shelf, Timeout: time.Minute}
	play := func(t *testing.T, ab, ba wiretest.Cut) (ha, hb heard, cut bool) {
		bubble(t, func(t *testing.T) {
			x, y := wiretest.Link{Delay: time.Millisecond, AB: ab, BA: ba}.Pipe()
			oa := options
			oa.Starter = true
			begin := time.Now()
			ha, hb = talk(wire.New(x, oa), wire.New(y, options), s, s)
			if d := time.Since(begin); d > 5*time.Second {
				t.Errorf("cut at %v %v: took %v", ab, ba, d)
			}
			cut = x.WasCut()
		})
		return ha, hb, cut
	}
	for _, first := range []bool{true, false} {
		for i, cuts := 0, true; cuts; i++ {
			at := wiretest.Cut{On: true, Byte: i}
			ab, ba := at, wiretest.Cut{}
			if !first {
				ab, ba = ba, at
			}
			var ha, hb heard
			ha, hb, cuts = play(t, ab, ba)
			where := fmt.Sprintf("first end: %v, cut after %d bytes", first, i)
			whole := ha.err == nil && hb.err == nil
			if !whole && !cuts {
				t.Errorf("%s: not reached, but %v; %v", where, ha.err, hb.err)
			}
			for _, h := range []heard{ha, hb} {
				var told *wire.Error
				if h.err != nil && !errors.Is(h.err, wire.ErrCut) && !errors.As(h.err, &told) {
					t.Errorf("%s: %v", where, h.err)
				}
			}
			if whole && (i < 500 || ha.packets+hb.packets != 6 || len(ha.bodies)+len(hb.bodies) != 8) {
				t.Errorf("%s: whole, but %+v %+v", where, ha, hb)
			}
		}
	}
}

// The same between any two frames, and in the middle of each, of a conversation that
// is compressed and has more of them.
func TestCutFrames(t *testing.T) {
	s := script{packets: []packet{{1, 10}, {16, 150_000}, {17, 3000}}, want: []int{200_000, 70_000, 3000}, open: []int{3000, 200_000, 70_000}, readers: 1}
	options := wire.Options{Serve: shelf, Timeout: time.Minute, Limits: wire.Limits{Queue: 1, Window: 1}}
	for _, middle := range []int{0, 20} {
		for n, cuts := 0, true; cuts; n++ {
			bubble(t, func(t *testing.T) {
				x, y := wiretest.Link{Delay: time.Millisecond}.Pipe()
				cutter := wiretest.NewCutter(x, wiretest.Cut{On: true, Piece: n, Byte: middle}, wiretest.Cut{})
				oa := options
				oa.Starter = true
				begin := time.Now()
				ha, hb := talk(wire.New(cutter, oa), wire.New(y, options), s, s)
				sent, _ := cutter.Pieces()
				cuts = cutter.WasCut()
				where := fmt.Sprintf("cut %d bytes after %d pieces %v", middle, n, sent[max(0, len(sent)-3):])
				if d := time.Since(begin); d > 5*time.Second {
					t.Errorf("%s: took %v", where, d)
				}
				whole := ha.err == nil && hb.err == nil
				if !whole && !cuts || whole && (n < 10 || ha.packets+hb.packets != 6 || len(ha.bodies)+len(hb.bodies) != 6) {
					t.Errorf("%s: cut %v, %+v %+v", where, cuts, ha, hb)
				}
				for _, h := range []heard{ha, hb} {
					if h.err != nil && strings.Contains(h.err.Error(), "WRONG") {
						t.Errorf("%s: %v", where, h.err)
					}
				}
			})
		}
	}
}

// A context that ends lets go of whoever waits, and leaves the connection whole where
// nothing was half done.
func TestContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		never := make(chan struct{})
		serve := func(ctx context.Context, id []byte) (io.ReadCloser, string, error) {
			if string(id) == "slow" {
				<-never
			}
			return shelf(ctx, id)
		}
		a, b := ends(wiretest.Link{}, wire.Options{}, wire.Options{Serve: serve})
		short := func() context.Context {
			ctx, cancel := context.WithTimeout(bg, time.Second)
			t.Cleanup(cancel)
			return ctx
		}
		if _, _, err := a.Receive(short()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Receive: %v", err)
		}
		if _, _, err := a.Bodies().Open(short(), []byte("slow")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open: %v", err)
		}
		for range 5 {
			if err := open(a.Bodies(), 100); err != nil {
				t.Errorf("after that: %v", err)
			}
		}
		// Nobody receives: the second large packet stays in the middle.
		if err := a.Send(bg, 16, pattern(0, 2<<20)); err != nil {
			t.Error(err)
		}
		if err := a.Send(short(), 16, pattern(0, 2<<20)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send: %v", err)
		}
		if err := a.Send(bg, 16, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send after one was given up in its middle: %v", err)
		}
		receive(t, b, 16, pattern(0, 2<<20))
		var told *wire.Error
		if _, _, err := b.Receive(bg); !errors.As(err, &told) {
			t.Errorf("the other end: %v", err)
		}
		close(never)
	})
}
