package wire

import (
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	leastToPack = 256
	zstdWindow  = maxFrame
)

// tables are those of zstd: one set for the process, of constant size.
var tables = sync.OnceValue(func() (t struct {
	in  *zstd.Encoder
	out *zstd.Decoder
}) {
	var err1, err2 error
	t.in, err1 = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(false))
	t.out, err2 = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxFrame), zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true), zstd.IgnoreChecksum(true))
	if err := errors.Join(err1, err2); err != nil {
		panic("zstd refuses constant options: " + err.Error())
	}
	return t
})

// Ready makes zstd's tables now and not when they are first needed. Tests in virtual
// time need it: the tables belong to no bubble.
func Ready() { squeeze(nil, make([]byte, leastToPack)) }

// rooms are lent for as long as a frame is packed or unpacked, so that sessions that
// wait have none.
var rooms = sync.Pool{New: func() any { return &room{make([]byte, 0, maxFrame+1<<10)} }}

type room struct{ buf []byte }

// squeeze compresses a payload into buf, if it has the capacity. It gives nil where
// nothing is gained.
func squeeze(buf, payload []byte) []byte {
	if len(payload) < leastToPack {
		return nil
	}
	if out := tables().in.EncodeAll(payload, buf[:0]); len(out) < len(payload)-len(payload)/16 {
		return out
	}
	return nil
}

// expand unpacks a payload into buf, of which it uses what the longest may take:
// nothing is made room for by what the payload says of itself.
func expand(buf, payload []byte) ([]byte, error) {
	return tables().out.DecodeAll(payload, buf[:0:maxFrame])
}
