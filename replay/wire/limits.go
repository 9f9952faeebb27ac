package wire

import (
	"math"

	"dsync/changelog/pack"
)

// Limits is what an end takes from its peer. Zero fields have the defaults.
type Limits struct {
	Packet int // bytes of the longest packet; default 256 MiB
	Queue  int // bytes of packets that wait behind the first one; default 1 MiB
	Window int // bytes of bodies that came and were not read; default 4 MiB
	Asks   int // bodies asked of this end that it has not sent yet; default 4,096
}

const (
	maxFrame = 64 << 10 // payload of a frame, unpacked
	weighs   = 64       // what a frame counts beyond its payload
	maxID    = 64
	maxKey   = 1 << 10
	maxText  = 1 << 10
)

// announced is what a peer may send, as the preamble and "limits" say it.
type announced struct{ frame, packet, queue, window, asks int }

// least is what every end takes, and all that one takes of a peer it does not know.
var least = announced{frame: 2 << 10, packet: 4 << 10, queue: 8 << 10}

// announce fills in defaults. A window below two frames could not keep its promises.
func (l Limits) announce() announced {
	or := func(v, def, floor int) int {
		if v <= 0 {
			v = def
		}
		return min(max(v, floor), math.MaxInt32)
	}
	return announced{
		frame:  maxFrame,
		packet: or(l.Packet, 256<<20, least.packet),
		queue:  or(l.Queue, 1<<20, 4*(maxFrame+weighs)),
		window: or(l.Window, 4<<20, 4*(maxFrame+weighs)),
		asks:   or(l.Asks, 4096, 16),
	}
}

func (a announced) append(b []byte) []byte {
	for _, v := range []int{a.frame, a.packet, a.queue, a.window, a.asks} {
		b = pack.Uint(b, v)
	}
	return b
}

// readAnnounced reads limits, which are never below least.
func readAnnounced(r *pack.Reader) announced {
	one := func(floor, most int) int {
		v := int(r.Uint(uint64(most)))
		if r.OK() && v < floor {
			r.Fail("a limit of %d, which is at least %d", v, floor)
		}
		return v
	}
	a := announced{
		frame:  one(least.frame, maxFrame),
		packet: one(least.packet, math.MaxInt32),
		queue:  one(least.queue, math.MaxInt32),
		window: one(least.window, math.MaxInt32),
		asks:   one(least.asks, math.MaxInt32),
	}
	if r.OK() && a.window > 0 && a.window < least.queue {
		r.Fail("a window of %d bytes, which is none or at least %d", a.window, least.queue)
	}
	return a
}

// packetChunk and bodyChunk are how much of a packet or body goes into one frame: a
// quarter of the credit there is at most, so that a sender never waits for more than
// the receiver would give unasked.
func (a announced) packetChunk() int { return min(a.frame, a.queue/4) }
func (a announced) bodyChunk() int   { return min(a.frame, a.window/4) }

// within reports whether nothing in a is more than in b.
func (a announced) within(b announced) bool {
	return a.frame <= b.frame && a.packet <= b.packet && a.queue <= b.queue && a.window <= b.window && a.asks <= b.asks
}
