package changelog

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"dsync/store"

	"pgregory.net/rapid"
)

// codec is one format with its type taken away.
type codec struct {
	name   string
	gen    func(*rapid.T) any
	append func([]byte, any) []byte
	decode func([]byte) (any, error)
}

func codecOf[T any](name string, gen func(*rapid.T) T, app func([]byte, T) []byte, dec func([]byte) (T, error)) codec {
	return codec{name, func(t *rapid.T) any { return gen(t) },
		func(b []byte, v any) []byte { return app(b, v.(T)) },
		func(b []byte) (any, error) { return dec(b) }}
}

func byPtr[T any](f func([]byte, *T) []byte) func([]byte, T) []byte {
	return func(b []byte, v T) []byte { return f(b, &v) }
}

func genUVs(t *rapid.T) map[store.Name][]Held {
	m := map[store.Name][]Held{}
	for range rapid.IntRange(0, 3).Draw(t, "n") {
		m[genName(t)] = genHeld(t)
	}
	return m
}

func codecs() []codec {
	return []codec{
		codecOf("dot", genOptDot, AppendDot, DecodeDot),
		codecOf("dots", genDots, byPtr(AppendDots), DecodeDots),
		codecOf("seen", genSeen, byPtr(AppendSeen), DecodeSeen),
		codecOf("message", genMessage, AppendMessage, DecodeMessage),
		codecOf("node", genNode, AppendNode, DecodeNode),
		codecOf("bare", func(t *rapid.T) *Bare { return &Bare{genName(t), genBools(t), genDots(t), genChoice(t)} }, AppendBare, DecodeBare),
		codecOf("held", genHeld, AppendHeld, DecodeHeld),
		codecOf("uvs", genUVs, AppendUVs, DecodeUVs),
		codecOf("event", func(t *rapid.T) *Event { e := genEvent(t); return &e }, AppendEvent, DecodeEvent),
		codecOf("events", func(t *rapid.T) []Event { return many(t, 0, genEvent) }, AppendEvents, DecodeEvents),
	}
}

// Round trip both ways, and no prefix and no longer input is accepted.
func TestCodecRoundTrip(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := c.gen(t)
				b := c.append(nil, v)
				got, err := c.decode(b)
				if err != nil {
					t.Fatalf("%v\n%+v\n%x", err, v, b)
				}
				if !reflect.DeepEqual(got, v) && !(len(b) < 4 && reflect.ValueOf(v).Kind() == reflect.Slice) &&
					fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", v) {
					t.Fatalf("got  %+v\nwant %+v", got, v)
				}
				if again := c.append([]byte("x"), got); !bytes.Equal(again[1:], b) {
					t.Fatalf("encodes to %x, then to %x", b, again[1:])
				}
				for _, bad := range [][]byte{b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")], append(slices.Clone(b), 0xc0)} {
					var ce *CorruptError
					if _, err := c.decode(bad); !errors.As(err, &ce) {
						t.Fatalf("%x gave %v, want a CorruptError", bad, err)
					}
				}
			})
		})
	}
}

// What is accepted is the one encoding of its value (one value, one encoding).
func checkCanonical(t interface{ Fatalf(string, ...any) }, c codec, b []byte) {
	v, err := c.decode(b)
	var ce *CorruptError
	if err != nil && !errors.As(err, &ce) {
		t.Fatalf("%s: error %T %v", c.name, err, err)
	}
	if err == nil {
		if again := c.append(nil, v); !bytes.Equal(again, b) {
			t.Fatalf("%s: accepted %x, which is written %x", c.name, b, again)
		}
	}
}

func TestCodecChangedBytes(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				b := c.append(nil, c.gen(t))
				for range rapid.IntRange(1, 3).Draw(t, "changes") {
					b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
				}
				checkCanonical(t, c, b)
			})
		})
	}
}

// fuzzCodec is the native fuzz target of one decoder.
func fuzzCodec(f *testing.F, name string) {
	all := codecs()
	c := all[slices.IndexFunc(all, func(c codec) bool { return c.name == name })]
	g := rapid.Custom(func(t *rapid.T) []byte { return c.append(nil, c.gen(t)) })
	for i := range 20 {
		f.Add(g.Example(i))
	}
	for _, s := range []string{"", "\x90", "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff", "\xc0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkCanonical(t, c, b) })
}

func FuzzDot(f *testing.F)     { fuzzCodec(f, "dot") }
func FuzzDots(f *testing.F)    { fuzzCodec(f, "dots") }
func FuzzSeen(f *testing.F)    { fuzzCodec(f, "seen") }
func FuzzMessage(f *testing.F) { fuzzCodec(f, "message") }
func FuzzNode(f *testing.F)    { fuzzCodec(f, "node") }
func FuzzBare(f *testing.F)    { fuzzCodec(f, "bare") }
func FuzzHeld(f *testing.F)    { fuzzCodec(f, "held") }
func FuzzUVs(f *testing.F)     { fuzzCodec(f, "uvs") }
func FuzzEvents(f *testing.F)  { fuzzCodec(f, "events") }

// Lengths that promise more than there is cost nothing (libraries.md: five bytes
// make the library allocate gigabytes).
func TestCodecHostileLengths(t *testing.T) {
	for _, c := range codecs() {
		good := c.append(nil, rapid.Custom(c.gen).Example(3))
		for i := range good {
			for _, h := range []string{"\xdd\x7f\xff\xff\xff", "\xc6\x7f\xff\xff\xff", "\xdb\x7f\xff\xff\xff", "\xdf\x7f\xff\xff\xff", "\xdc\xff\xff"} {
				bad := append(slices.Clone(good[:i]), h...)
				bad = append(bad, good[i:]...)
				var a, b runtime.MemStats
				runtime.ReadMemStats(&a)
				_, err := c.decode(bad)
				runtime.ReadMemStats(&b)
				if err == nil || b.TotalAlloc-a.TotalAlloc > 1<<20 {
					t.Fatalf("%s: %d bytes for %x, error %v", c.name, b.TotalAlloc-a.TotalAlloc, bad, err)
				}
			}
		}
	}
}

func TestCorruptErrorNamesPlace(t *testing.T) {
	b := AppendMessage(nil, typicalMessage())
	b[1] = 9
	_, err := DecodeMessage(b)
	if err == nil || !strings.Contains(err.Error(), "message: at byte 2: format version 9, want 1") {
		t.Fatal(err)
	}
}

// typicalMessage has one origin, one presence, two flags, a Maildir's GUID.
func typicalMessage() *Message {
	w := Write{Dot{Replica{0xa1b2c3d4e5f60718, 0}, 12345}, Stamp{1763931549123456, 0}}
	g := store.MailboxGUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	c := store.Content{GUID: "1700012345.M123456P1234Q42.mail.example.org", Size: 4321}
	copy(c.Hash[:], "0123456789abcdef")
	m := NewMessage(w, g, c, 1700012345, store.Seen|store.Answered, nil)
	m.UID = 12345
	return m
}

func TestTypicalMessageIsSmall(t *testing.T) {
	m := typicalMessage()
	b := AppendMessage(nil, m)
	t.Logf("%d bytes", len(b))
	if len(b) > 150 {
		t.Errorf("%d bytes, want at most 150", len(b))
	}
	if n := testing.AllocsPerRun(100, func() { b = AppendMessage(b[:0], m) }); n != 0 {
		t.Errorf("%v allocations to encode, want 0", n)
	}
	if n := testing.AllocsPerRun(100, func() { DecodeMessage(b) }); n > 6 {
		t.Errorf("%v allocations to decode, want at most 6", n)
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	m := typicalMessage()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendMessage(buf[:0], m)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeMessage(b *testing.B) {
	buf := AppendMessage(nil, typicalMessage())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeMessage(buf); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

func benchEvents() []Event {
	es := make([]Event, 256)
	for i := range es {
		m := typicalMessage()
		w := m.Origins[0]
		w.Dot.Seq += uint64(i)
		es[i] = Event{w.Dot, w.Stamp, Dot{}, Deliver{m.Presence[0].Mailbox, "INBOX", store.UID(i + 1), m.Content.GUID, 0}}
	}
	return es
}

func BenchmarkAppendEvents256(b *testing.B) {
	es := benchEvents()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEvents(buf[:0], es)
	}
}

func BenchmarkDecodeEvents256(b *testing.B) {
	buf := AppendEvents(nil, benchEvents())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeEvents(buf); err != nil {
			b.Fatal(err)
		}
	}
}
