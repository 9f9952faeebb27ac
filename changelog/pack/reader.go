package pack

import (
	"encoding/binary"
	"fmt"
	"math"
)

// CorruptError says that bytes are not what they should be.
type CorruptError struct {
	What   string // what was read: "message", "seen"; in a log also its key
	Offset int    // where in the value it went wrong, in bytes; -1: as a whole
	Reason string
}

func (e *CorruptError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("damaged %s: %s", e.What, e.Reason)
	}
	return fmt.Sprintf("damaged %s: at byte %d: %s", e.What, e.Offset, e.Reason)
}

// Reader reads one packed value. Make it with New.
type Reader struct {
	buf  []byte
	off  int
	what string
	err  *CorruptError
}

// New reads from buf, which must not change meanwhile; what names the value in
// errors.
func New(buf []byte, what string) Reader { return Reader{buf: buf, what: what} }

// Fail notes the first error, at the current place.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = &CorruptError{r.what, r.off, fmt.Sprintf(format, args...)}
	}
}

// OK reports whether nothing went wrong so far.
func (r *Reader) OK() bool { return r.err == nil }

// Left is the number of bytes not read yet; 0 after an error.
func (r *Reader) Left() int {
	if r.err != nil {
		return 0
	}
	return len(r.buf) - r.off
}

// Err is the first error, or nil.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// End is the first error; bytes left over are one.
func (r *Reader) End() error {
	if r.err == nil && r.off != len(r.buf) {
		r.Fail("%d bytes left over", len(r.buf)-r.off)
	}
	return r.Err()
}

// Rest gives the bytes not read yet and counts them as read. They alias the
// input.
func (r *Reader) Rest() []byte {
	if r.err != nil {
		return nil
	}
	b := r.buf[r.off:]
	r.off = len(r.buf)
	return b
}

func (r *Reader) byte() byte {
	if r.err != nil {
		return 0
	}
	if r.off >= len(r.buf) {
		r.Fail("cut off")
		return 0
	}
	r.off++
	return r.buf[r.off-1]
}

// big reads n big-endian bytes; the value must be at least least, else a shorter
// form would have done.
func (r *Reader) big(n int, least uint64) uint64 {
	if r.err != nil {
		return 0
	}
	if len(r.buf)-r.off < n {
		r.Fail("cut off")
		return 0
	}
	b := r.buf[r.off:]
	var v uint64
	switch n {
	case 1:
		v = uint64(b[0])
	case 2:
		v = uint64(binary.BigEndian.Uint16(b))
	case 4:
		v = uint64(binary.BigEndian.Uint32(b))
	default:
		v = binary.BigEndian.Uint64(b)
	}
	if v < least {
		r.Fail("not the shortest form")
		return 0
	}
	r.off += n
	return v
}

// Uint reads an unsigned integer of at most limit.
func (r *Reader) Uint(limit uint64) uint64 {
	c := r.byte()
	if r.err != nil {
		return 0
	}
	var v uint64
	switch {
	case c < 0x80:
		v = uint64(c)
	case c == 0xcc:
		v = r.big(1, 1<<7)
	case c == 0xcd:
		v = r.big(2, 1<<8)
	case c == 0xce:
		v = r.big(4, 1<<16)
	case c == 0xcf:
		v = r.big(8, 1<<32)
	default:
		r.off--
		r.Fail("want an unsigned integer, found 0x%02x", c)
	}
	if v > limit {
		r.Fail("%d is over the limit of %d", v, limit)
		return 0
	}
	return v
}

// Uint32 reads an unsigned integer that fits into 32 bits.
func (r *Reader) Uint32() uint32 { return uint32(r.Uint(math.MaxUint32)) }

// Uint64 reads an unsigned integer.
func (r *Reader) Uint64() uint64 { return r.Uint(math.MaxUint64) }

// Int reads a signed integer.
func (r *Reader) Int() int64 {
	if r.err != nil || r.off >= len(r.buf) {
		r.Fail("cut off")
		return 0
	}
	c := r.buf[r.off]
	if c < 0x80 || 0xcc <= c && c <= 0xcf {
		return int64(r.Uint(math.MaxInt64))
	}
	r.off++
	var v, most int64
	switch {
	case c >= 0xe0:
		return int64(int8(c))
	case c == 0xd0:
		v, most = int64(int8(r.big(1, 0))), -33
	case c == 0xd1:
		v, most = int64(int16(r.big(2, 0))), -1<<7-1
	case c == 0xd2:
		v, most = int64(int32(r.big(4, 0))), -1<<15-1
	case c == 0xd3:
		v, most = int64(r.big(8, 0)), -1<<31-1
	default:
		r.off--
		r.Fail("want an integer, found 0x%02x", c)
	}
	if r.err == nil && v > most {
		r.Fail("not the shortest form")
	}
	if r.err != nil {
		return 0
	}
	return v
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	c := r.byte()
	if r.err == nil && c != 0xc2 && c != 0xc3 {
		r.off--
		r.Fail("want a boolean, found 0x%02x", c)
	}
	return r.err == nil && c == 0xc3
}

// Array reads the header of an array whose elements take at least size bytes
// each: a length that cannot fit into what is left is an error.
func (r *Reader) Array(limit, size int) int {
	c := r.byte()
	if r.err != nil {
		return 0
	}
	var n uint64
	switch {
	case c&0xf0 == 0x90:
		n = uint64(c & 0x0f)
	case c == 0xdc:
		n = r.big(2, 16)
	case c == 0xdd:
		n = r.big(4, 1<<16)
	default:
		r.off--
		r.Fail("want an array, found 0x%02x", c)
	}
	if r.err == nil && (n > uint64(limit) || n*uint64(size) > uint64(len(r.buf)-r.off)) {
		r.Fail("an array of %d elements, limit %d, %d bytes left", n, limit, len(r.buf)-r.off)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// Fields reads the header of an array that must have n elements.
func (r *Reader) Fields(n int) {
	if m := r.Array(math.MaxInt32, 1); r.err == nil && m != n {
		r.Fail("%d fields, want %d", m, n)
	}
}

// Version reads a format's version number, which must be want.
func (r *Reader) Version(want uint64) {
	if v := r.Uint64(); r.err == nil && v != want {
		r.Fail("format version %d, want %d", v, want)
	}
}

func (r *Reader) take(n uint64, limit int) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(limit) || n > uint64(len(r.buf)-r.off) {
		r.Fail("a length of %d, limit %d, %d bytes left", n, limit, len(r.buf)-r.off)
		return nil
	}
	r.off += int(n)
	return r.buf[r.off-int(n) : r.off : r.off]
}

// Raw reads a string of at most limit bytes and gives it aliasing the input.
func (r *Reader) Raw(limit int) []byte {
	c := r.byte()
	if r.err != nil {
		return nil
	}
	switch {
	case c&0xe0 == 0xa0:
		return r.take(uint64(c&0x1f), limit)
	case c == 0xd9:
		return r.take(r.big(1, 32), limit)
	case c == 0xda:
		return r.take(r.big(2, 1<<8), limit)
	case c == 0xdb:
		return r.take(r.big(4, 1<<16), limit)
	}
	r.off--
	r.Fail("want a string, found 0x%02x", c)
	return nil
}

// String reads a string of at most limit bytes.
func (r *Reader) String(limit int) string { return string(r.Raw(limit)) }

// Bytes reads a byte string of at most limit bytes; it aliases the input.
func (r *Reader) Bytes(limit int) []byte {
	c := r.byte()
	if r.err != nil {
		return nil
	}
	switch c {
	case 0xc4:
		return r.take(r.big(1, 0), limit)
	case 0xc5:
		return r.take(r.big(2, 1<<8), limit)
	case 0xc6:
		return r.take(r.big(4, 1<<16), limit)
	}
	r.off--
	r.Fail("want a byte string, found 0x%02x", c)
	return nil
}

// Fixed reads a byte string of exactly len(dst) bytes into dst.
func (r *Reader) Fixed(dst []byte) {
	if b := r.Bytes(len(dst)); r.err == nil {
		if len(b) != len(dst) {
			r.Fail("%d bytes, want %d", len(b), len(dst))
			return
		}
		copy(dst, b)
	}
}

// FixedOrNone reads a byte string that has either no byte, which stands for all
// zero, or len(dst) bytes that are not all zero. See AppendFixedOrNone.
func (r *Reader) FixedOrNone(dst []byte) {
	b := r.Bytes(len(dst))
	switch {
	case r.err != nil || len(b) == 0:
	case len(b) != len(dst):
		r.Fail("%d bytes, want none or %d", len(b), len(dst))
	case allZero(b):
		r.Fail("zero written out")
	default:
		copy(dst, b)
	}
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// FixedOrNone appends b, or the empty byte string if b is all zero.
func FixedOrNone(dst, b []byte) []byte {
	if allZero(b) {
		b = nil
	}
	return Bytes(dst, b)
}

// IsArray reports whether an array of at most 15 elements comes next.
func (r *Reader) IsArray() bool {
	return r.err == nil && r.off < len(r.buf) && r.buf[r.off]&0xf0 == 0x90
}

// IsBool reports whether a boolean comes next.
func (r *Reader) IsBool() bool {
	return r.err == nil && r.off < len(r.buf) && r.buf[r.off]&0xfe == 0xc2
}
