package wire

import "math"

// For tests that speak the wire by hand.

// Frame types and flags.
const (
	Packet, Ask, Body, NoBody = uint8(framePacket), uint8(frameAsk), uint8(frameBody), uint8(frameNoBody)
	Drop, Credit, Limit       = uint8(frameDrop), uint8(frameCredit), uint8(frameLimits)
	Alive, Failed, End        = uint8(frameAlive), uint8(frameFail), uint8(frameEnd)

	First, Last, Now, Zstd = flagFirst, flagLast, flagNow, flagZstd
)

// AppendFrame writes a frame as it stands.
func AppendFrame(b []byte, number int64, kind, flags uint8, stream uint32, payload []byte) []byte {
	return appendFrame(b, number, &frame{kindOf(kind), flags, stream, payload})
}

func kindOf(k uint8) kind { return kind(k) }

// Reseal gives a piece the checksum that its bytes call for.
func Reseal(b []byte, number int64) []byte {
	n := len(b) - sumLen
	sum := frameSum(number, b[:n])
	if number < 0 {
		sum = preambleSum(b[:n])
	}
	return append(b[:n:n], byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
}

// AppendPreamble writes how an end begins that takes very much, or the least.
func AppendPreamble(b []byte, starter, unknown bool) []byte {
	p := preamble{starter: starter, unknown: unknown, caps: capZstd, limits: Limits{Packet: math.MaxInt32, Queue: math.MaxInt32, Window: math.MaxInt32, Asks: math.MaxInt32}.announce()}
	if unknown {
		p.limits = least
	}
	return p.append(b)
}

// Squeeze compresses.
func Squeeze(b []byte) []byte { return squeeze(nil, b) }

// Readable is what the raw log shows of a payload.
func Readable(payload []byte, part bool) string { return string(appendReadable(nil, payload, part)) }

// Expand unpacks.
func Expand(room, b []byte) ([]byte, error) { return expand(room, b) }
