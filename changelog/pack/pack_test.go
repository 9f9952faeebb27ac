package pack

import (
	"bytes"
	"math"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// What we write is what the library writes, and the library reads it back.
func TestSameAsLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want bytes.Buffer
		e := msgpack.NewEncoder(&want)
		var got []byte
		u := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 127, 128, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, math.MaxUint64})).Draw(t, "u")
		i := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{-1, -32, -33, -128, -129, -32768, -32769, -1 << 31, -1<<31 - 1, math.MinInt64})).Draw(t, "i")
		n := rapid.SampledFrom([]int{0, 15, 16, 31, 32, 255, 256, 65535, 65536, 70000}).Draw(t, "n")
		s := bytes.Repeat([]byte{'x'}, n)
		e.EncodeUint(u)
		e.EncodeInt(i)
		e.EncodeBool(n&1 == 0)
		e.EncodeString(string(s))
		e.EncodeBytes(s)
		e.EncodeArrayLen(n)
		got = Array(Bytes(String(Bool(Int(Uint(got, u), i), n&1 == 0), string(s)), s), n)
		if !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("u=%d i=%d n=%d: %.60x, the library %.60x", u, i, n, got, want.Bytes())
		}
		r := New(got, "test")
		if r.Uint64() != u || r.Int() != i || r.Bool() != (n&1 == 0) || r.String(n) != string(s) || !bytes.Equal(r.Bytes(n), s) || !r.OK() {
			t.Fatalf("read back otherwise: %v", r.Err())
		}
		if r.Array(n, 1); (r.Err() == nil) != (n == 0) {
			t.Fatalf("an array of %d with nothing left: %v", n, r.Err())
		}
	})
}

// Whatever the reader accepts, writing it again gives the same bytes.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"", "\x00", "\xcc\x80", "\xcc\x01", "\xd0\xdf", "\xd0\xff", "\xc3", "\xa1x", "\xd9\x01x", "\xc4\x01x", "\x91\x01",
		"\xdd\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff", "\xd3\x80\x00\x00\x00\x00\x00\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range []func(r *Reader) []byte{
			func(r *Reader) []byte { return Uint(nil, r.Uint64()) },
			func(r *Reader) []byte { return Int(nil, r.Int()) },
			func(r *Reader) []byte { return Bool(nil, r.Bool()) },
			func(r *Reader) []byte { return String(nil, r.String(1<<20)) },
			func(r *Reader) []byte { return Bytes(nil, r.Bytes(1<<20)) },
		} {
			r := New(b, "fuzz")
			out := c(&r)
			if r.OK() && !bytes.HasPrefix(b, out) {
				t.Fatalf("accepted %x, which is written %x", b, out)
			}
		}
	})
}
