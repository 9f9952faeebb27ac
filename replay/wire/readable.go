package wire

import (
	"encoding/hex"
	"math"
	"strconv"

	"dsync/changelog/pack"
)

// appendReadable writes what a payload says, in at most about rawPayload bytes: as the
// values of msgpack if that is what it is, else quoted. Strings are quoted, byte strings
// are hexadecimal, or in angles what msgpack they hold. part: it goes on in another
// frame.
func appendReadable(b, payload []byte, part bool) []byte {
	p := printer{out: b, most: len(b) + rawPayload}
	if isArray(payload) {
		if p.values(payload, 0); p.ok || part && len(p.out) > len(b)+1 {
			return p.cut(part)
		}
	}
	p = printer{out: strconv.AppendQuoteToASCII(b, string(payload[:min(len(payload), rawPayload)])), most: math.MaxInt}
	return p.cut(part || len(payload) > rawPayload)
}

// printer writes values until there is enough.
type printer struct {
	out  []byte
	most int
	ok   bool // all that was read is msgpack, as far as it was printed
}

const deepest = 8 // levels that are printed

// isArray reports whether msgpack would be an array, as all is that a session sends:
// text could be taken for numbers.
func isArray(b []byte) bool {
	return len(b) > 0 && (b[0]&0xf0 == 0x90 || b[0] == 0xdc || b[0] == 0xdd)
}

// values writes msgpack values one after the other.
func (p *printer) values(payload []byte, depth int) {
	r := pack.New(payload, "")
	for p.ok = true; p.ok && r.Left() > 0 && len(p.out) < p.most; {
		p.space()
		p.value(&r, payload, depth)
	}
	p.ok = p.ok && r.OK()
}

func (p *printer) space() {
	if n := len(p.out); n > 0 && p.out[n-1] != '[' && p.out[n-1] != '<' && p.out[n-1] != ' ' {
		p.out = append(p.out, ' ')
	}
}

func (p *printer) value(r *pack.Reader, payload []byte, depth int) {
	c := payload[len(payload)-r.Left()]
	at := len(p.out)
	switch {
	case c < 0x80, 0xcc <= c && c <= 0xcf:
		p.out = strconv.AppendUint(p.out, r.Uint64(), 10)
	case c >= 0xe0, 0xd0 <= c && c <= 0xd3:
		p.out = strconv.AppendInt(p.out, r.Int(), 10)
	case c == 0xc2, c == 0xc3:
		p.out = strconv.AppendBool(p.out, r.Bool())
	case 0xc4 <= c && c <= 0xc6:
		p.bytes(r.Bytes(math.MaxInt32), depth)
	case c&0xe0 == 0xa0, 0xd9 <= c && c <= 0xdb:
		p.out = strconv.AppendQuoteToASCII(p.out, r.String(math.MaxInt32))
	default:
		n := r.Array(math.MaxInt32, 1)
		p.out = append(p.out, '[')
		for i := 0; i < n && r.OK() && len(p.out) < p.most; i++ {
			if r.Left() == 0 || depth >= deepest {
				p.ok = false
				return
			}
			p.space()
			if p.value(r, payload, depth+1); !p.ok {
				return
			}
		}
		p.out = append(p.out, ']')
	}
	if !r.OK() { // only what came is shown
		p.out, p.ok = p.out[:at], false
	}
}

// bytes writes what a byte string holds.
func (p *printer) bytes(b []byte, depth int) {
	if len(b) > 1 && isArray(b) && depth < deepest {
		at := len(p.out)
		p.out = append(p.out, '<')
		if p.values(b, depth+1); p.ok {
			p.out = append(p.out, '>')
			return
		}
		p.out, p.ok = p.out[:at], true
	}
	p.out = append(append(p.out, 'x'), hex.EncodeToString(b[:min(len(b), rawPayload/2)])...)
}

// cut ends what was written where there was enough.
func (p *printer) cut(more bool) []byte {
	if len(p.out) > p.most {
		p.out, more = p.out[:p.most], true
	}
	if more {
		p.out = append(p.out, "..."...)
	}
	return p.out
}
