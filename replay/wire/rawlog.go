package wire

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

const (
	private    = 16  // packets of kinds below are never shown
	rawPayload = 512 // bytes shown of a payload
)

type rawLog struct {
	mu  sync.Mutex
	w   io.Writer
	err error
	buf []byte
}

// line writes one frame: time, direction (> sent, < came), type, stream (of a packet
// its kind), flags, length of the payload unpacked and on the stream, and what it
// says: its first 512 bytes, quoted as Go does. Packets of kinds below 16 are private,
// and bodies are mail: of them nothing is shown.
//
//	2026-11-25T21:50:01.123456Z > packet 16 first,last 143/120 "\x92\x01..."
func (l *rawLog) line(sent bool, f *frame, onWire int) {
	if l.w == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	b := time.Now().UTC().AppendFormat(l.buf[:0], "2006-01-02T15:04:05.000000Z")
	direction := " < "
	if sent {
		direction = " > "
	}
	b = append(append(b, direction...), f.kind.String()...)
	b = fmt.Appendf(b, " %d %s %d/%d", f.stream, flagNames(f.flags), len(f.payload), onWire)
	show := f.payload
	switch f.kind {
	case framePacket:
		if f.stream < private {
			show = nil
		}
	case frameBody:
		show = nil
	}
	if len(show) > 0 {
		b = strconv.AppendQuoteToASCII(append(b, ' '), string(show[:min(len(show), rawPayload)]))
		if len(show) > rawPayload {
			b = append(b, "..."...)
		}
	}
	b = append(b, '\n')
	l.buf = b[:0]
	_, l.err = l.w.Write(b)
}

// preamble writes how an end began.
func (l *rawLog) preamble(sent bool, p *preamble) {
	if l.w == nil {
		return
	}
	b := p.append(nil)
	l.line(sent, &frame{payload: b}, len(b))
}

func flagNames(flags uint8) string {
	s := ""
	for _, n := range []struct {
		flag uint8
		name string
	}{{flagFirst, "first,"}, {flagLast, "last,"}, {flagNow, "now,"}, {flagZstd, "zstd,"}} {
		if flags&n.flag != 0 {
			s += n.name
		}
	}
	if s == "" {
		return "-"
	}
	return s[:len(s)-1]
}

func (l *rawLog) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
