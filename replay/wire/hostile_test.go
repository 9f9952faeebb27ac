package wire_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"dsync/changelog/pack"
	"dsync/replay/wire"
	"dsync/replay/wire/wiretest"
)

// evil speaks the wire by hand, and lies.
type evil struct {
	b      []byte
	number int64
	slow   bool // a byte a second
}

func begin() *evil { return &evil{b: wire.AppendPreamble(nil, true, false)} }

func (e *evil) frame(kind, flags uint8, stream uint32, payload []byte) *evil {
	e.b = wire.AppendFrame(e.b, e.number, kind, flags, stream, payload)
	e.number++
	return e
}

func (e *evil) raw(b ...byte) *evil {
	e.b = append(e.b, b...)
	return e
}

// spoil changes bytes of the last piece, which begins at from the end, and seals it
// again.
func (e *evil) spoil(from int, f func([]byte)) *evil {
	at := len(e.b) - from
	number := e.number - 1
	f(e.b[at:])
	copy(e.b[at:], wire.Reseal(bytes.Clone(e.b[at:]), number))
	return e
}

func bodyEnd(n uint64, data string) []byte {
	return binary.BigEndian.AppendUint64([]byte(data), n)
}

func numbers(n ...uint64) []byte {
	b := pack.Array(nil, len(n))
	for _, v := range n {
		b = pack.Uint(b, v)
	}
	return b
}

func asks(ids ...string) []byte {
	b := pack.Array(nil, len(ids))
	for _, id := range ids {
		b = pack.Bytes(b, []byte(id))
	}
	return b
}

func why(code uint64, text string) []byte {
	return pack.String(pack.Uint(pack.Array(nil, 2), code), text)
}

func repeat(e *evil, n int, kind, flags uint8, stream uint32, payload []byte) *evil {
	for range n {
		e.frame(kind, flags, stream, payload)
	}
	return e
}

// Every lie is found, named and told, and ends the connection. The end under attack
// has asked for the bodies of streams 1 to 3, opens none and receives nothing.
func TestLies(t *testing.T) {
	key := pack.String(nil, "k")
	big := make([]byte, 64<<10)
	for _, c := range []struct {
		name  string
		what  *evil
		error string
	}{
		{"nothing like it", (&evil{number: -1}).raw([]byte("Welcome to host! Last login: now\n")...), `begins with "Welcome to h"`},
		{"a newer version", (&evil{b: wire.AppendPreamble(nil, true, false)}).spoil(len(wire.AppendPreamble(nil, true, false)), func(b []byte) { b[8], b[9] = 7, 9 }), "this end speaks wire version 1, the other end 7 to 9; update this end"},
		{"an older version", (&evil{b: wire.AppendPreamble(nil, true, false)}).spoil(len(wire.AppendPreamble(nil, true, false)), func(b []byte) { b[8], b[9] = 0, 0 }), "update the other end"},
		{"a damaged preamble", (&evil{b: wire.AppendPreamble(nil, true, false)}).raw().spoilRaw(20), "wrong checksum"},
		{"a long preamble", (&evil{b: wire.AppendPreamble(nil, true, false)}).spoil(len(wire.AppendPreamble(nil, true, false)), func(b []byte) { b[10] = 0xff }), "a preamble of 65"},
		{"neither began", &evil{b: wire.AppendPreamble(nil, false, false)}, "or neither did"},
		{"type 0", begin().frame(0, 0, 0, nil), "unknown type 0"},
		{"type 11", begin().frame(11, 0, 0, nil), "unknown type 11"},
		{"unknown flags", begin().frame(wire.Packet, 8, 16, nil), "unknown flags"},
		{"flags of others", begin().frame(wire.Alive, wire.First, 0, nil), "unknown flags"},
		{"a long frame", begin().raw(wire.Packet, 3, 0, 1, 0, 1, 0, 0, 0, 16), "packet of 65537 bytes, at most 65536"},
		{"the longest frame", begin().raw(wire.Packet, 3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 16), "packet of 4294967295 bytes"},
		{"damage", begin().frame(wire.Packet, 3, 16, []byte("abc")).spoilRaw(5), "wrong checksum"},
		{"sent twice", begin().frame(wire.Packet, 3, 16, nil).back().frame(wire.Packet, 3, 16, nil), "wrong checksum"},
		{"lost", begin().forth().frame(wire.Packet, 3, 16, nil), "wrong checksum"},
		{"packet: kind", begin().frame(wire.Packet, 3, 256, nil), "kind 256"},
		{"packet: no beginning", begin().frame(wire.Packet, wire.Last, 16, nil), "without a beginning"},
		{"packet: in another", begin().frame(wire.Packet, wire.First, 16, big[:9]).frame(wire.Packet, wire.First, 16, nil), "in the middle of another"},
		{"packet: changes", begin().frame(wire.Packet, wire.First, 16, big[:9]).frame(wire.Packet, wire.Last, 17, nil), "goes on as kind 17"},
		{"packet: nothing", begin().frame(wire.Packet, wire.First, 16, big[:9]).frame(wire.Packet, 0, 16, nil), "empty part"},
		{"packet: no credit", repeat(begin(), 20, wire.Packet, 3, 16, big), "more than there was credit for"},
		{"packet: no credit, tiny", repeat(begin(), 5000, wire.Packet, 3, 16, nil), "more than there was credit for"},
		{"packet: long", repeat(begin().frame(wire.Packet, wire.First, 16, big), 3, wire.Packet, 0, 16, big), "more than 200000 bytes"},
		{"ask: nothing", begin().frame(wire.Ask, 0, 1, asks()), "for 0 bodies"},
		{"ask: ahead", begin().frame(wire.Ask, 0, 2, asks("1")), "from stream 2 on, after 0"},
		{"ask: again", begin().frame(wire.Ask, 0, 1, asks("1")).frame(wire.Ask, 0, 1, asks("1")), "from stream 1 on, after 1"},
		{"ask: too many", begin().frame(wire.Ask, 0, 1, asks(strings.Split(strings.Repeat("1,", 200), ",")[:200]...)), "at most 100"},
		{"ask: a long id", begin().frame(wire.Ask, 0, 1, asks(strings.Repeat("x", 65))), "a length of 65, limit 64"},
		{"ask: no id", begin().frame(wire.Ask, 0, 1, asks("")), "empty id"},
		{"ask: a lie", begin().frame(wire.Ask, 0, 1, []byte("\xdd\xff\xff\xff\xff")), "an array of 4294967295"},
		{"ask: more", begin().frame(wire.Ask, 0, 1, append(asks("1"), 0)), "left over"},
		{"body: not asked for", begin().frame(wire.Body, 3, 4, append(key, bodyEnd(0, "")...)), "nobody asked for (stream 4)"},
		{"body: twice", begin().frame(wire.Body, 3, 2, append(key, bodyEnd(0, "")...)).frame(wire.Body, 3, 2, append(key, bodyEnd(0, "")...)), "nobody asked for"},
		{"body: no beginning", begin().frame(wire.Body, wire.Last, 2, bodyEnd(0, "")), "without a beginning"},
		{"body: begins again", begin().frame(wire.Body, wire.First, 2, key).frame(wire.Body, wire.First, 2, key), "begins twice"},
		{"body: short", begin().frame(wire.Body, 3, 2, append(key, bodyEnd(4, "abc")...)), "a body of 4 bytes of which 3 came"},
		{"body: long", begin().frame(wire.Body, 1, 2, append(key, "abc"...)).frame(wire.Body, wire.Last, 2, bodyEnd(5, "abc")), "a body of 5 bytes of which 6 came"},
		{"body: no length", begin().frame(wire.Body, 3, 2, append(key, "abc"...)), "without its length"},
		{"body: nothing", begin().frame(wire.Body, 1, 2, key).frame(wire.Body, 0, 2, nil), "empty part"},
		{"body: a long key", begin().frame(wire.Body, 3, 2, bodyEnd(0, string(pack.String(nil, strings.Repeat("k", 1025))))), "a length of 1025, limit 1024"},
		{"body: no credit", repeat(begin().frame(wire.Body, 1, 2, key), 100, wire.Body, 0, 2, big), "more than there was credit for"},
		{"body: no credit, tiny", repeat(begin().frame(wire.Body, 1, 2, key), 9000, wire.Body, 0, 2, big[:1]), "more than there was credit for"},
		{"no body: not asked for", begin().frame(wire.NoBody, 0, 4, why(1, "")), "where none was asked for"},
		{"no body: twice", begin().frame(wire.NoBody, 0, 2, why(1, "")).frame(wire.NoBody, 0, 2, why(1, "")), "where none was asked for"},
		{"no body: after its end", begin().frame(wire.Body, 3, 2, append(key, bodyEnd(0, "")...)).frame(wire.NoBody, 0, 2, why(1, "")), "where none was asked for"},
		{"no body: a lie", begin().frame(wire.NoBody, 0, 2, []byte("\x92\x01\xdb\xff\xff\xff\xff")), "a length of 4294967295"},
		{"no body: a long text", begin().frame(wire.NoBody, 0, 2, why(1, strings.Repeat("x", 1025))), "a length of 1025"},
		{"drop: with bytes", begin().frame(wire.Ask, 0, 1, asks("1")).frame(wire.Drop, 0, 1, big[:1]), "drop with a payload"},
		{"drop: 0", begin().frame(wire.Drop, 0, 0, nil), "drop of stream 0"},
		{"drop: not asked for", begin().frame(wire.Ask, 0, 1, asks("1")).frame(wire.Drop, 0, 2, nil), "drop of stream 2"},
		{"credit: a stream", begin().frame(wire.Credit, 0, 1, numbers(1, 1)), "with a stream"},
		{"credit: too much", begin().frame(wire.Credit, 0, 0, numbers(math.MaxUint64, 0)), "more than can be"},
		{"credit: sums up", repeat(begin(), 3, wire.Credit, 0, 0, numbers(0, math.MaxInt32)), "more than can be"},
		{"credit: a lie", begin().frame(wire.Credit, 0, 0, numbers(1)), "1 fields, want 2"},
		{"limits: not waited for", begin().frame(wire.Limit, 0, 0, numbers(65536, 1<<20, 1<<20, 1<<20, 10)), "that nobody waits for"},
		{"limits: low", (&evil{b: wire.AppendPreamble(nil, true, true)}).frame(wire.Limit, 0, 0, numbers(2048, 4095, 8192, 0, 0)), "a limit of 4095"},
		{"limits: a small window", (&evil{b: wire.AppendPreamble(nil, true, true)}).frame(wire.Limit, 0, 0, numbers(2048, 4096, 8192, 1, 0)), "a window of 1 bytes"},
		{"limits: twice", repeat(&evil{b: wire.AppendPreamble(nil, true, true)}, 2, wire.Limit, 0, 0, numbers(2048, 4096, 8192, 0, 0)), "that nobody waits for"},
		{"alive: with bytes", begin().frame(wire.Alive, 0, 0, big[:1]), "left over"},
		{"fail: a lie", begin().frame(wire.Failed, 0, 0, nil), "cut off"},
		{"fail: a high code", begin().frame(wire.Failed, 0, 0, why(256, "")), "256 is over the limit"},
		{"end: with bytes", begin().frame(wire.End, 0, 0, big[:1]), "left over"},
		{"end: in a packet", begin().frame(wire.Packet, wire.First, 16, big[:9]).frame(wire.End, 0, 0, nil), "in the middle of a packet"},
		{"zstd: none", begin().frame(wire.Packet, 3|wire.Zstd, 16, []byte("this is not zstd")), "cannot be unpacked"},
		{"zstd: a bomb", begin().frame(wire.Packet, 3|wire.Zstd, 16, bomb(1<<30)), "cannot be unpacked into 65536 bytes"},
		{"zstd: many bombs", begin().frame(wire.Packet, 3|wire.Zstd, 16, bytes.Repeat(bomb(60000), 2)), "cannot be unpacked into 65536 bytes"},
		{"zstd: no window", begin().frame(wire.Packet, 3|wire.Zstd, 16, []byte("\x28\xb5\x2f\xfd\x04\xf8\x01\x00\x00")), "cannot be unpacked"},
		{"zstd: cut", begin().frame(wire.Packet, 3|wire.Zstd, 16, bomb(60000)[:9]), "cannot be unpacked"},
		{"zstd: others", begin().frame(wire.Ask, wire.Zstd, 1, asks("1")), "unknown flags"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				limits := wire.Limits{Packet: 200_000, Queue: 300_000, Window: 300_000, Asks: 100}
				told := c.what.attack(t, wire.Options{Limits: limits, Serve: shelf}, func(conn *wire.Conn) {
					conn.Bodies().Want(ids(1, 2, 3))
					err := end(conn)
					var protocol *wire.ProtocolError
					var version *wire.VersionError
					if !errors.As(err, &protocol) && !errors.As(err, &version) || !strings.Contains(err.Error(), c.error) {
						t.Errorf("%v, want %q", err, c.error)
					}
				})
				if c.what.number >= 0 && !bytes.Contains(told, []byte(c.error[:min(len(c.error), 9)])) {
					t.Errorf("the other end was told %q", told)
				}
			})
		})
	}
}

// end waits for the end of a connection, and gives its cause.
func end(c *wire.Conn) (err error) {
	for ; err == nil; err = c.Bodies().Want(nil) {
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// back has the next frame use the number of the last; forth skips one.
func (e *evil) back() *evil  { e.number--; return e }
func (e *evil) forth() *evil { e.number++; return e }

// spoilRaw changes a byte near the end, and not the checksum.
func (e *evil) spoilRaw(from int) *evil {
	e.b[len(e.b)-from] ^= 1
	return e
}

// bomb is a zstd frame of n zeros in a few bytes.
func bomb(n int) []byte {
	b := []byte("\x28\xb5\x2f\xfd\xa0") // single segment, four bytes of size
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	for n > 0 {
		size := min(n, 128<<10)
		n -= size
		header := uint32(size)<<3 | 1<<1 // a run of one byte
		if n == 0 {
			header |= 1
		}
		b = append(b, byte(header), byte(header>>8), byte(header>>16), 0)
	}
	return b
}

// attack sends what it has at an end, and gives what it said before it went. judge has
// the end meanwhile.
func (e *evil) attack(t *testing.T, o wire.Options, judge func(*wire.Conn)) (told []byte) {
	x, y := wiretest.Link{}.Pipe()
	var done sync.WaitGroup
	done.Go(func() {
		told, _ = io.ReadAll(y)
		y.Close()
	})
	c := wire.New(x, o)
	begin := time.Now()
	done.Go(func() {
		n, _ := wire.Piece(e.b, true)
		n = min(n, len(e.b))
		y.Write(e.b[:n])
		time.Sleep(time.Second) // for requests to go out
		for ; e.slow && n < len(e.b)-1; n++ {
			if _, err := y.Write(e.b[n : n+1]); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
		y.Write(e.b[n:])
	})
	judge(c)
	c.Fail(1, "test over")
	done.Wait()
	if d := time.Since(begin); d > 35*time.Second {
		t.Errorf("it took %v", d)
	}
	return told
}

// A bomb of the permitted size is what it says.
func TestBombUnpacks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		begin().frame(wire.Packet, 3|wire.Zstd, 16, bomb(65536)).attack(t, wire.Options{}, func(c *wire.Conn) {
			receive(t, c, 16, make([]byte, 65536))
		})
	})
}

// What an unknown peer may not do.
func TestUnknown(t *testing.T) {
	for _, c := range []struct {
		name  string
		what  *evil
		error string
	}{
		{"a long frame", begin().frame(wire.Packet, 3, 1, make([]byte, 2049)), "of 2049 bytes, at most 2048"},
		{"a long packet", repeat(begin().frame(wire.Packet, 1, 1, make([]byte, 2048)), 2, wire.Packet, 0, 1, make([]byte, 2048)), "more than 4096 bytes"},
		{"many packets", repeat(begin(), 4, wire.Packet, 3, 1, make([]byte, 2048)), "credit"},
		{"tiny packets", repeat(begin(), 200, wire.Packet, 3, 1, nil), "credit"},
		{"requests", begin().frame(wire.Ask, 0, 1, asks("1")), "at most 0"},
		{"zstd", begin().frame(wire.Packet, 3|wire.Zstd, 1, bomb(1000)), "did not say it takes"},
		{"silence", begin(), "was not let in within 30s"},
		{"a byte at a time", repeat(begin(), 100, wire.Alive, 0, 0, nil).slowly(), "was not let in within 30s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c.what.attack(t, wire.Options{Unknown: true}, func(conn *wire.Conn) {
					err := end(conn)
					if !strings.Contains(err.Error(), c.error) {
						t.Errorf("%v, want %q", err, c.error)
					}
				})
			})
		})
	}
}

func (e *evil) slowly() *evil {
	e.slow = true
	return e
}

// grown gives how much the heap grew by n ends that are held as they are when ready
// has returned, in bytes for each.
func grown(n int, ready func(i int) io.Closer) int64 {
	var before, after runtime.MemStats
	all := make([]io.Closer, n)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range all {
		all[i] = ready(i)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for _, c := range all {
		c.Close()
	}
	return (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / int64(n)
}

// ear hears what the end under attack says.
type ear struct {
	mu     sync.Mutex
	pieces map[string]int
	credit int // for packets, granted since the preamble
}

func (e *ear) listen(from io.Reader) {
	var held []byte
	buf := make([]byte, 4<<10)
	for first := true; ; {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		for held = append(held, buf[:n]...); ; {
			size, name := wire.Piece(held, first)
			if size == 0 || size > len(held) {
				break
			}
			e.mu.Lock()
			e.pieces[name]++
			if name == "credit" {
				r := pack.New(held[10:size-4], name)
				r.Fields(2)
				e.credit += int(r.Uint64())
			}
			e.mu.Unlock()
			held, first = held[size:], false
		}
	}
}

// until waits for what has to come; half a minute without it is for ever.
func (e *ear) until(t *testing.T, what func() bool) {
	for begin := time.Now(); time.Since(begin) < 30*time.Second; time.Sleep(100 * time.Microsecond) {
		e.mu.Lock()
		ok := what()
		e.mu.Unlock()
		if ok {
			return
		}
	}
	t.Fatal("what is waited for does not come")
}

// feed sends what there is frame by frame as fast as credit allows, and waits until
// all is taken in. Packets may first use credit's worth.
func (e *evil) feed(t *testing.T, y *wiretest.Stream, c *wire.Conn, credit int, asked bool) {
	ear := &ear{pieces: map[string]int{}, credit: credit}
	rest := e.b
	if asked {
		go ear.listen(y)
	} else { // nothing is said that has to be waited for
		y.Write(rest)
		rest = nil
	}
	used := 0
	for first := true; len(rest) > 0; first = false {
		n, name := wire.Piece(rest, first)
		n = min(n, len(rest))
		if name == "packet" {
			used += n - 14 + 64
			ear.until(t, func() bool { return ear.credit >= used })
		}
		y.Write(rest[:n])
		rest = rest[n:]
		if first && asked {
			ear.until(t, func() bool { return ear.pieces["ask"] > 0 })
		}
	}
	ear.until(t, func() bool {
		if err := c.Bodies().Want(nil); err != nil {
			t.Fatal(err)
		}
		return c.Stats().ReceivedBytes == int64(len(e.b))
	})
}

// closed ends an end under attack.
type closed struct {
	*wire.Conn
	peer    io.Closer
	release func()
}

func (c closed) Close() error {
	c.release()
	c.peer.Close()
	c.Fail(1, "test over")
	return nil
}

// A peer that sends all that it may makes an end hold no more than the contract says.
func TestMemory(t *testing.T) {
	big := make([]byte, 64<<10)
	unknown := begin()
	unknown.frame(wire.Packet, 1, 1, big[:2048]).frame(wire.Packet, 2, 1, big[:2048]).frame(wire.Packet, 3, 1, big[:2048])
	repeat(unknown, 26, wire.Packet, 3, 1, nil)
	tiny := repeat(begin(), 127, wire.Packet, 3, 1, nil)
	known := repeat(begin().frame(wire.Packet, 1, 16, big), 39, wire.Packet, 0, 16, big).frame(wire.Packet, 2, 16, nil)
	repeat(known, 15, wire.Packet, 3, 16, big)
	queue := repeat(begin(), 1<<20/64, wire.Packet, 3, 16, nil)
	asking := begin()
	for i := range 4096 / 512 {
		asking.frame(wire.Ask, 0, uint32(512*i+1), asks(strings.Split(strings.Repeat(strings.Repeat("x", 64)+",", 512), ",")[:512]...))
	}
	crumbs := begin().frame(wire.Body, 1, 1, append(pack.String(nil, "k"), 'x'))
	repeat(crumbs, 4<<20/65-1, wire.Body, 0, 1, big[:1])
	const least, frames = 7 << 10, 130 << 10
	for _, c := range []struct {
		name string
		what *evil
		ends int
		most int64
		o    wire.Options
	}{
		{"unknown, nothing", begin(), 100, least + 3<<10, wire.Options{Unknown: true}},
		{"unknown, large", unknown, 100, least + 3<<10 + 8<<10, wire.Options{Unknown: true}},
		{"unknown, tiny", tiny, 100, least + 3<<10 + 8<<10, wire.Options{Unknown: true}},
		{"unknown, a frame begun", begin().raw(wire.Packet, 3, 0, 0, 8, 0, 0, 0, 0, 1), 100, least + 3<<10, wire.Options{Unknown: true}},
		{"a frame begun", begin().raw(wire.Packet, 3, 0, 1, 0, 0, 0, 0, 0, 16), 20, least + frames, wire.Options{}},
		{"packets", known, 4, least + frames + 40*64<<10*23/10 + 1<<20, wire.Options{}},
		{"tiny packets", queue, 4, least + frames + 2<<20, wire.Options{}},
		{"requests", asking, 4, least + frames + 1<<20, wire.Options{}},
		{"crumbs of a body", crumbs, 4, least + frames + 2*4<<20, wire.Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			never := make(chan struct{})
			release := sync.OnceFunc(func() { close(never) })
			o := c.o
			o.Serve = func(context.Context, []byte) (io.ReadCloser, string, error) {
				<-never
				return nil, "", io.EOF
			}
			got := grown(c.ends, func(int) io.Closer {
				x, y := wiretest.Link{Buffer: 1 << 30}.Pipe()
				conn := wire.New(x, o)
				if !o.Unknown {
					conn.Bodies().Want(ids(1))
				}
				credit := 1 << 20
				if o.Unknown {
					credit = 8 << 10
				}
				c.what.feed(t, y, conn, credit, !o.Unknown)
				return closed{conn, y, release}
			})
			t.Logf("%d bytes held, at most %d", got, c.most)
			if got > c.most {
				t.Errorf("%d bytes held, at most %d", got, c.most)
			}
		})
	}
}
