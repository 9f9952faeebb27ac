package wire_test

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dsync/replay/wire"
)

// tape is a stream that gives what stands on it, and swallows what is written.
type tape struct {
	io.Reader
	closed chan struct{}
}

func (s *tape) Write(p []byte) (int, error) { return len(p), nil }

func (s *tape) Close() error {
	close(s.closed)
	return nil
}

// Read waits at the end of the tape, as a peer does that falls silent.
func (s *tape) Read(p []byte) (int, error) {
	if n, err := s.Reader.Read(p); err == nil {
		return n, nil
	}
	<-s.closed
	return 0, io.EOF
}

// Whatever comes: no panic, no hang beyond the timeout, no goroutine left, and memory
// within the limits. The checksums are made right, so that the bytes behind them are
// reached; what holds no whole frame comes as it is.
func FuzzReader(f *testing.F) {
	for _, e := range []*evil{
		begin(),
		begin().frame(wire.Packet, 3, 16, []byte("abc")).frame(wire.End, 0, 0, nil),
		begin().frame(wire.Packet, 1, 16, bytes.Repeat([]byte("abc"), 100)).frame(wire.Packet, 2|wire.Zstd, 16, bomb(60000)),
		begin().frame(wire.Body, 3, 1, bodyEnd(3, "\xa1kabc")).frame(wire.NoBody, 0, 2, why(10, "gone")),
		begin().frame(wire.Ask, wire.Now, 1, asks("1", "70000")).frame(wire.Drop, 0, 2, nil).frame(wire.Credit, 0, 0, numbers(1, 2)),
		(&evil{b: wire.AppendPreamble(nil, true, true)}).frame(wire.Limit, 0, 0, numbers(65536, 1<<20, 1<<20, 1<<20, 10)),
		begin().frame(wire.Alive, 0, 0, nil).frame(wire.Failed, 0, 0, why(75, "no")),
	} {
		f.Add(e.b, false)
		f.Add(e.b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, unknown bool) {
		stream := resealed(b)
		synctest.Test(t, func(t *testing.T) {
			s := &tape{bytes.NewReader(stream), make(chan struct{})}
			begin := time.Now()
			c := wire.New(s, wire.Options{Unknown: unknown, Timeout: time.Minute, Serve: shelf, Limits: wire.Limits{Packet: 1 << 20, Queue: 1, Window: 1, Asks: 50}})
			c.Bodies().Want(ids(1, 2))
			packets := 0
			for {
				_, p, err := c.Receive(bg)
				if err != nil {
					break
				}
				packets += len(p)
			}
			for _, n := range []int{1, 2, 3} {
				if rc, _, err := c.Bodies().Open(bg, []byte{byte('0' + n)}); err == nil {
					io.Copy(io.Discard, rc)
					rc.Close()
				}
			}
			c.Close(bg)
			c.Fail(1, "")
			if d := time.Since(begin); d > 3*time.Minute {
				t.Errorf("it took %v", d)
			}
			if most := 64<<10*(len(stream)/14+1) + len(stream); packets > most {
				t.Errorf("%d bytes of packets out of %d", packets, len(stream))
			}
		})
	})
}

// resealed gives each whole frame the right checksum.
func resealed(b []byte) []byte {
	var out []byte
	for number := int64(-1); ; number++ {
		n, _ := wire.Piece(b, number < 0)
		if n == 0 || n > len(b) {
			return append(out, b...)
		}
		out = append(out, wire.Reseal(bytes.Clone(b[:n]), number)...)
		b = b[n:]
	}
}

// What the raw log shows is short and printable, whatever the payload.
func FuzzReadable(f *testing.F) {
	f.Add(numbers(1, 2, 300), true)
	f.Add(asks("1", "\x91\x01"), false)
	f.Fuzz(func(t *testing.T, b []byte, part bool) {
		s := wire.Readable(b, part)
		if len(s) > 4*512+5 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%d bytes: %s", len(s), s)
		}
	})
}

// The decoder of compressed frames keeps to what it is given room for, whatever a
// frame says of itself.
func FuzzExpand(f *testing.F) {
	f.Add(bomb(65536))
	f.Add(bomb(1 << 30))
	f.Add(wire.Squeeze(bytes.Repeat([]byte("From: me\r\n"), 100)))
	f.Fuzz(func(t *testing.T, b []byte) {
		room := make([]byte, 0, 64<<10)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := wire.Expand(room, b)
		runtime.ReadMemStats(&after)
		if err == nil && len(out) > 0 && &out[0] != &room[:1][0] {
			t.Errorf("unpacked elsewhere: %d bytes", len(out))
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
			t.Errorf("%d bytes made room for", used)
		}
	})
}
