package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"dsync/changelog/pack"
	"dsync/replay/wire"
	"dsync/replay/wire/wiretest"
)

// One end closes: the other gets what was sent, then learns that it was the end.
func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{Delay: time.Millisecond}, wire.Options{Serve: shelf}, wire.Options{})
		b.Bodies().Want(ids(10_000_000))
		if err := a.Send(bg, 16, pattern(1, 300_000)); err != nil {
			t.Fatal(err)
		}
		closed := make(chan error)
		go func() { closed <- a.Close(bg) }()
		receive(t, b, 16, pattern(1, 300_000))
		for range 2 {
			if _, _, err := b.Receive(bg); err != io.EOF {
				t.Errorf("received %v", err)
			}
		}
		if err := b.Send(bg, 16, nil); err != wire.ErrEnded {
			t.Errorf("sent: %v", err)
		}
		if err := open(b.Bodies(), 10_000_000); err != wire.ErrEnded {
			t.Errorf("opened: %v", err)
		}
		if err := errors.Join(b.Close(bg), <-closed, b.Close(bg), a.Close(bg)); err != nil {
			t.Error(err)
		}
	})
}

// The other end does not close: Close ends all the same, in bounded time.
func TestCloseAlone(t *testing.T) {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		after func(x *wiretest.Stream, b *wire.Conn)
		error string
	}{
		{"cancelled", ctx, nil, "context canceled"},
		{"timeout", bg, nil, "deadline exceeded"},
		{"cut", bg, func(x *wiretest.Stream, _ *wire.Conn) { x.Close() }, "cut"},
		{"failed", bg, func(_ *wiretest.Stream, b *wire.Conn) { b.Fail(75, "no more") }, "no more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				x, y := wiretest.Link{Delay: time.Millisecond}.Pipe()
				a, b := wire.New(x, wire.Options{Starter: true}), wire.New(y, wire.Options{})
				begin := time.Now()
				if c.after != nil {
					time.AfterFunc(time.Second, func() { c.after(y, b) })
				}
				if err := a.Close(c.ctx); err == nil || !strings.Contains(err.Error(), c.error) {
					t.Errorf("%v, want %q", err, c.error)
				}
				if d := time.Since(begin); d > 11*time.Minute {
					t.Errorf("it took %v", d)
				}
				b.Fail(1, "")
			})
		})
	}
}

// A packet that the other end does not take is refused before anything of it is sent.
func TestTooLong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{Delay: time.Millisecond}, wire.Options{}, wire.Options{Unknown: true, Limits: wire.Limits{Packet: 100_000}})
		time.AfterFunc(time.Second, b.Trust)
		for range 2 { // the first waits for the limits, the second knows them
			if err := a.Send(bg, 16, make([]byte, 100_001)); err == nil || !strings.Contains(err.Error(), "the other end takes 100000") {
				t.Errorf("sent: %v", err)
			}
		}
		if err := a.Send(bg, 16, make([]byte, 100_000)); err != nil {
			t.Error(err)
		}
		receive(t, b, 16, make([]byte, 100_000))
		part(t, a, b)
	})
}

// The raw log has a line for each frame, and no secret and no mail.
func TestRaw(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var raw bytes.Buffer
		a, b := ends(wiretest.Link{}, wire.Options{Raw: &raw, Serve: shelf}, wire.Options{Serve: shelf})
		a.Send(bg, 1, []byte("secret"))
		a.Send(bg, 16, []byte("to be\nseen"))
		b.Send(bg, 17, bytes.Repeat([]byte("long "), 200))
		receive(t, b, 1, []byte("secret"))
		receive(t, b, 16, []byte("to be\nseen"))
		receive(t, a, 17, bytes.Repeat([]byte("long "), 200))
		if err := errors.Join(open(a.Bodies(), 100), open(b.Bodies(), 100)); err != nil {
			t.Error(err)
		}
		s := a.Stats()
		part(t, a, b)
		if s.Raw != nil {
			t.Error(s.Raw)
		}
		for _, want := range []string{
			`^20..-..-..T..:..:..\.\d{6}Z > preamble 0 - \d+/\d+ "dsync\\r\\n`,
			`> packet 1 first,last 6/6$`,
			`> packet 16 first,last 10/10 "to be\\nseen"$`,
			`< packet 17 first,last(,zstd)? 1000/\d+ "(long ){102}lo"\.\.\.$`,
			`> ask 1 now 6/6 \[x313030\]$`,
			`< body 1 first,last \d+/\d+$`,
			`> body 1 first,last \d+/\d+$`,
			`> end 0 - 0/0$`,
			`< end 0 - 0/0$`,
		} {
			if !regexp.MustCompile("(?m)" + want).Match(raw.Bytes()) {
				t.Errorf("no line %s", want)
			}
		}
		if strings.Contains(raw.String(), "secret") || strings.Contains(raw.String(), string(pattern(100, 100)[:8])) {
			t.Error("what is private is in the log")
		}
		if t.Failed() {
			t.Logf("%s", raw.String())
		}
		if n := int64(strings.Count(raw.String(), "\n")); n < s.SentFrames+s.ReceivedFrames+2 {
			t.Errorf("%d lines for %d and %d frames", n, s.SentFrames, s.ReceivedFrames)
		}
	})
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{}, wire.Options{Raw: full{}}, wire.Options{})
		a.Send(bg, 16, nil)
		receive(t, b, 16, nil)
		if s := a.Stats(); fmt.Sprint(s.Raw) != "disk full" {
			t.Errorf("the log's error: %v", s.Raw)
		}
		part(t, a, b)
	})
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// The raw log shows msgpack as its values, and anything else quoted.
func TestReadable(t *testing.T) {
	list := pack.Array(nil, 5)
	list = pack.String(pack.Int(pack.Uint(list, uint64(300)), -5), "a\x1b")
	list = pack.Bytes(pack.Bool(list, true), pack.Uint(pack.Array(nil, 1), uint8(7)))
	long := pack.Array(nil, 1000)
	for range 1000 {
		long = pack.Uint(long, uint8(9))
	}
	deep := bytes.Repeat([]byte{0x91}, 100)
	for _, c := range []struct {
		payload []byte
		part    bool
		want    string
	}{
		{list, false, `[300 -5 "a\x1b" true <[7]>]`},
		{append(bytes.Clone(list), 1), false, `[300 -5 "a\x1b" true <[7]>] 1`},
		{pack.Bytes(pack.Array(nil, 1), []byte{0x91}), false, "[x91]"},
		{pack.Bytes(pack.Array(nil, 1), []byte{0x92, 1}), false, "[x9201]"},
		{list[:7], true, "[300 -5 ..."},
		{list[:7], false, `"\x95\xcd\x01,\xfb\xa2a"`},
		{[]byte("plain text"), false, `"plain text"`},
		{[]byte("\xc1"), false, `"\xc1"`},
		{deep, false, strconv.QuoteToASCII(string(deep))},
	} {
		if got := wire.Readable(c.payload, c.part); got != c.want {
			t.Errorf("%x: %s, want %s", c.payload, got, c.want)
		}
	}
	if got := wire.Readable(long, false); !strings.HasPrefix(got, "[9 9 9") || !strings.HasSuffix(got, "...") || len(got) > 520 {
		t.Errorf("a long one: %s", got)
	}
}
