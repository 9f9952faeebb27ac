package wire_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"testing"

	"dsync/replay/wire"
	"dsync/replay/wire/wiretest"
)

// A session in which nothing changed: connect, one packet each way, close.
func BenchmarkUnchanged(b *testing.B) {
	b.ReportAllocs()
	hello := make([]byte, 300)
	for range b.N {
		x, y := wiretest.Link{}.Pipe()
		near, far := wire.New(x, wire.Options{Starter: true}), wire.New(y, wire.Options{})
		done := make(chan error)
		go func() {
			far.Receive(bg)
			far.Send(bg, 16, hello)
			done <- far.Close(bg)
		}()
		near.Send(bg, 16, hello)
		if _, _, err := near.Receive(bg); err != nil {
			b.Fatal(err)
		}
		if err := near.Close(bg); err != nil {
			b.Fatal(err)
		}
		<-done
	}
}

// A thousand bodies of 4 kB, and one of 64 MB, over loopback TCP.
func BenchmarkBodies(b *testing.B) {
	for _, c := range []struct {
		name  string
		sizes []int
		raw   bool
	}{{"small", upTo(1000, 4000), false}, {"small-raw", upTo(1000, 4000), true}, {"large", []int{64 << 20}, false}, {"large-raw", []int{64 << 20}, true}} {
		b.Run(c.name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			x, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			y, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			var letter []byte
			serve := func(_ context.Context, id []byte) (io.ReadCloser, string, error) {
				n, err := strconv.Atoi(string(id))
				return io.NopCloser(bytes.NewReader(letter[:n])), "key", err
			}
			near, far := wire.New(x, wire.Options{Starter: true, NoZstd: c.raw}), wire.New(y, wire.Options{Serve: serve, NoZstd: c.raw})
			total := int64(0)
			for _, n := range c.sizes {
				total += int64(n)
			}
			letter = pattern(1, c.sizes[len(c.sizes)-1])
			b.SetBytes(total)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				near.Bodies().Want(ids(c.sizes...))
				for _, id := range ids(c.sizes...) {
					rc, _, err := near.Bodies().Open(bg, id)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, rc); err != nil {
						b.Fatal(err)
					}
					rc.Close()
				}
			}
			b.StopTimer()
			go far.Close(bg)
			near.Close(bg)
		})
	}
}
