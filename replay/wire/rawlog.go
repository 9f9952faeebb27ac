package wire

import (
	"fmt"
	"io"
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
// its kind), flags, length of the payload unpacked and on the stream, and about the
// first 512 bytes of what it says (appendReadable); of a packet in parts its first part.
// Packets of kinds below 16 are private, and bodies are mail: of them nothing is shown.
//
//	2026-11-25T21:50:01.123456Z > packet 16 first,last 143/120 [1 [7 "INBOX" x00ff]]
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
	if len(show) > 0 && f.kind != framePacket || f.has(flagFirst) && len(show) > 0 {
		b = appendReadable(append(b, ' '), show, f.kind == framePacket && !f.has(flagLast))
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
