package main

// ofWire are faults in what goes over the wire.
var ofWire = []mutant{
	{"packets without credit are taken", "replay/wire/packet.go", "	if !in.packets.take(f.weight()) {", "	if !in.packets.take(f.weight()) && false {"},
	{"bodies without credit are taken", "replay/wire/bodies.go", "	if !in.bodies.take(f.weight()) {", "	if !in.bodies.take(f.weight()) && false {"},
	{"packets are sent without credit", "replay/wire/writer.go", "len(p.payload) <= o.limits.packet && o.packets >= min(", "len(p.payload) <= o.limits.packet && o.packets+1<<30 >= min("},
	{"bodies are sent without credit", "replay/wire/writer.go", "!blocked && o.bodies >= b.weight()", "!blocked"},
	{"a frame weighs what it carries", "replay/wire/limits.go", "	weighs   = 64 ", "	weighs   = 0 "},
	{"the length at a body's end is not compared", "replay/wire/bodies.go", "; want != x.got+uint64(n) {", "; false && want != x.got+uint64(n) {"},
	{"the checksum does not hold the frame's number", "replay/wire/frame.go", "	binary.BigEndian.PutUint64(number[:], uint64(n))\n", "	_ = n\n"},
	{"the length is checked after the frame is there", "replay/wire/frame.go", "	case uint64(n) > uint64(limit):\n", "	case false && uint64(n) > uint64(limit):\n"},
	{"no packet is taken before it is received", "replay/wire/packet.go", "	if c.known() && len(c.in.inbox) > 0 {", "	if false && len(c.in.inbox) > 0 {"},
	{"a packet may be of any length", "replay/wire/packet.go", "	case len(p.payload)+len(f.payload) > in.limits.packet:", "	case false:"},
	{"bodies that nobody opens stop all others", "replay/wire/bodies.go", "	if len(b.waits) == 0 || in.bodies.left", "	if true || in.bodies.left"},
	{"a body that was not asked for is taken", "replay/wire/bodies.go", `	if !asked {
		return fmt.Errorf("a body that`, `	if false && !asked {
		return fmt.Errorf("a body that`},
	{"who waits is not served first", "replay/wire/serve.go", "		o.queue = append(batch, o.queue...)\n", "		o.queue = append(o.queue, batch...)\n"},
	{"what is dropped is sent on", "replay/wire/serve.go", "	if s := c.out.streams[f.stream]; s != nil {\n		s.drop()\n	}\n", ""},
	{"any number of bodies may be asked for", "replay/wire/serve.go", "	case len(o.streams)+n > c.in.limits.asks:", "	case false:"},
	{"an error in the middle of a body looks like its end", "replay/wire/serve.go", `		case io.EOF, io.ErrUnexpectedEOF:
			binary.BigEndian.PutUint64(v.buf[n:], total)
			n += 8
			flags |= flagLast
		default:
			return err
		}
`, `		default:
			binary.BigEndian.PutUint64(v.buf[n:], total)
			n += 8
			flags |= flagLast
		}
`},
	{"packets wait for all bodies", "replay/wire/writer.go", "p != nil && (body < 0 || !o.turn) && o", "p != nil && body < 0 && o"},
	{"no sign of life is given", "replay/wire/writer.go", "				if !w.over() {\n", "				if false {\n"},
	{"a peer that does not know us gets zstd", "replay/wire/writer.go", "zstd := c.out.zstd && !c.out.raises", "zstd := c.out.zstd"},
	{"an unknown peer may send zstd", "replay/wire/reader.go", "		if c.o.NoZstd || !known {", "		if c.o.NoZstd || false && !known {"},
	{"an unknown peer may stay", "replay/wire/conn.go", "		c.admit = time.AfterFunc(admission, ", "		c.admit = time.AfterFunc(1000*admission, "},
	{"limits may come at any time", "replay/wire/reader.go", "		if !c.out.raises || !c.out.limits.within(to) {", "		if !c.out.limits.within(to) {"},
	{"the end may come in the middle of a packet", "replay/wire/reader.go", "	if c.in.partial {\n", "	if false {\n"},
	{"a cut is taken for an end", "replay/wire/reader.go", `	default:
		c.shut(fmt.Errorf("%w: %w", ErrCut, err), nil)
	}
`, `	default:
		c.mu.Lock()
		c.in.partial = false
		c.gotEnd()
		c.mu.Unlock()
	}
`},
	{"a body that came whole is lost with the connection", "replay/wire/bodies.go", `	for !there() {
		switch {
`, `	for b.over != nil || !there() {
		switch {
`},
	{"packets that came whole are lost with the connection", "replay/wire/packet.go", "		case err == ErrClosed:\n", "		case err != nil:\n"},
	{"texts of the peer act on the terminal", "replay/wire/errors.go", "	return code, printable(text), r.End()", "	return code, text, r.End()"},
	{"secrets are logged", "replay/wire/rawlog.go", "		if f.stream < private {\n", "		if false {\n"},
	{"mail is logged", "replay/wire/rawlog.go", "	case frameBody:\n		show = nil\n", ""},
	{"no such message is told as gone", "replay/wire/errors.go", "{10, store.ErrNoMessage}, {11, store.ErrGone}", "{11, store.ErrNoMessage}, {11, store.ErrGone}"},
	{"limits are in force before Trust", "replay/wire/conn.go", "	if o.Unknown {\n		mine = least\n	}\n", ""},
}
