package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"dsync/changelog/pack"
)

const (
	leastVersion = 1
	mostVersion  = 1
)

const magic = "dsync\r\n\x00"

const (
	fixedLen    = len(magic) + 4 // of a preamble: the part that is so in every version
	maxPreamble = 256            // of the part that follows, checksum left out
	headLen     = 10
	sumLen      = 4
)

const capZstd = 1

// kind of frame
type kind uint8

const (
	framePacket kind = iota + 1
	frameAsk
	frameBody
	frameNoBody
	frameDrop
	frameCredit
	frameLimits
	frameAlive
	frameFail
	frameEnd
)

var kindNames = [...]string{"preamble", "packet", "ask", "body", "no-body", "drop", "credit", "limits", "alive", "fail", "end"}

func (k kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("type-%d", uint8(k))
}

const (
	flagFirst = 1
	flagLast  = 2
	flagNow   = 4
	flagZstd  = 128
)

// flagsOf says which flags a frame may have.
var flagsOf = [...]uint8{framePacket: flagFirst | flagLast | flagZstd, frameAsk: flagNow, frameBody: flagFirst | flagLast | flagZstd, frameEnd: 0}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame is one frame, unpacked.
type frame struct {
	kind    kind
	flags   uint8
	stream  uint32
	payload []byte
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

// weight is what the frame takes of the receiver's credit.
func (f *frame) weight() int { return len(f.payload) + weighs }

// appendFrame writes frame number n.
func appendFrame(b []byte, n int64, f *frame) []byte {
	at := len(b)
	b = append(b, byte(f.kind), f.flags)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.payload)))
	b = binary.BigEndian.AppendUint32(b, f.stream)
	b = append(b, f.payload...)
	return binary.BigEndian.AppendUint32(b, frameSum(n, b[at:]))
}

func frameSum(n int64, b []byte) uint32 {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(n))
	return crc32.Update(crc32.Update(0, castagnoli, number[:]), castagnoli, b)
}

// frameLen reads the length of a whole frame out of its first headLen bytes.
func frameLen(head []byte) int {
	return headLen + int(binary.BigEndian.Uint32(head[2:])) + sumLen
}

// checkHead looks at the first headLen bytes of a frame, before anything is made
// room for.
func checkHead(head []byte, limit int) error {
	k, flags, n := kind(head[0]), head[1], binary.BigEndian.Uint32(head[2:])
	switch {
	case k == 0 || k > frameEnd:
		return fmt.Errorf("of unknown type %d", k)
	case flags&^flagsOf[k] != 0:
		return fmt.Errorf("%v with unknown flags 0x%02x", k, flags)
	case uint64(n) > uint64(limit):
		return fmt.Errorf("%v of %d bytes, at most %d", k, n, limit)
	}
	return nil
}

// readFrame takes a whole frame apart, as it came.
func readFrame(b []byte, n int64) (frame, error) {
	end := len(b) - sumLen
	if binary.BigEndian.Uint32(b[end:]) != frameSum(n, b[:end]) {
		return frame{}, fmt.Errorf("%v with a wrong checksum: damaged on the way, lost or sent twice", kind(b[0]))
	}
	return frame{kind(b[0]), b[1], binary.BigEndian.Uint32(b[6:]), b[headLen:end:end]}, nil
}

// preamble is how an end begins.
type preamble struct {
	starter bool
	unknown bool // it does not know its peer yet: limits follow
	caps    uint64
	limits  announced
}

func (p *preamble) append(b []byte) []byte {
	at := len(b)
	b = append(b, magic...)
	b = append(b, leastVersion, mostVersion, 0, 0)
	b = pack.Bool(pack.Bool(pack.Array(b, 8), p.starter), p.unknown)
	b = p.limits.append(pack.Uint(b, p.caps))
	binary.BigEndian.PutUint16(b[at+10:], uint16(len(b)-at-fixedLen))
	return binary.BigEndian.AppendUint32(b, preambleSum(b[at:]))
}

func preambleSum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// preambleLen checks the first fixedLen bytes and gives the length of the whole.
func preambleLen(b []byte) (int, error) {
	if string(b[:len(magic)]) != magic {
		return 0, fmt.Errorf("it begins with %q", b[:fixedLen])
	}
	least, most := int(b[8]), int(b[9])
	if least > mostVersion || most < leastVersion || least > most {
		return 0, &VersionError{leastVersion, mostVersion, least, most}
	}
	n := int(binary.BigEndian.Uint16(b[10:]))
	if n > maxPreamble {
		return 0, fmt.Errorf("a preamble of %d bytes, at most %d", n, maxPreamble)
	}
	return fixedLen + n + sumLen, nil
}

// readPreamble takes a whole preamble apart.
func readPreamble(b []byte) (preamble, error) {
	end := len(b) - sumLen
	if binary.BigEndian.Uint32(b[end:]) != preambleSum(b[:end]) {
		return preamble{}, fmt.Errorf("its preamble has a wrong checksum")
	}
	r := pack.New(b[fixedLen:end], "preamble")
	if n := r.Array(64, 1); r.OK() && n < 8 {
		r.Fail("%d fields, at least 8", n)
	}
	p := preamble{starter: r.Bool(), unknown: r.Bool(), caps: r.Uint64()}
	p.limits = readAnnounced(&r)
	r.Rest()
	return p, r.End()
}

// Piece gives the length and the name of the piece of a stream that begins with b: the
// preamble, if first, or a frame. 0: b is too short to tell. It is for tests and tools
// that cut a stream between frames; nothing is checked.
func Piece(b []byte, first bool) (n int, name string) {
	switch {
	case first && len(b) >= fixedLen:
		return fixedLen + int(binary.BigEndian.Uint16(b[10:])) + sumLen, kind(0).String()
	case !first && len(b) >= headLen:
		return frameLen(b), kind(b[0]).String()
	}
	return 0, ""
}
