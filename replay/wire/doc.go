// Package wire carries one session between two processes over any byte stream: a
// child's standard input and output, a socket, TLS.
//
// # Contract
//
// Two things go over a Conn, each in both directions, and share it frame by frame:
//
//   - Packets: a kind and bytes that mean nothing here, in the order sent.
//   - Bodies: the bytes of messages, asked for by opaque ids; announced with Want,
//     opened with Open, answered at the other end by Options.Serve.
//
// It promises:
//
//   - What comes out is what went in, or an error. A packet or body that was cut
//     never looks whole: its last frame says so, and a body's says how long it was.
//   - Nothing waits for a round trip that it does not need: the preamble, first
//     packets and requests go out at once.
//   - Nobody hangs: each call takes a context, and the connection ends with
//     ErrStalled when for Options.Timeout no byte came, or none of ours (64 KiB at
//     most) were taken. An end that has nothing to say says so every Timeout/4,
//     at most 15 s; so long work at the other end is no stall.
//   - The reading goroutine never waits for the program: who does not receive
//     packets or read bodies holds up nobody but who sends them. The sender waits
//     for credit, and what comes without credit ends the connection.
//   - All learn the same first cause when the connection ends, but for packets and
//     bodies that had come whole before: these are given out first.
//   - When Close or Fail has returned and calls of Serve are back, no goroutine is
//     left.
//
// It asks of the program: who opened a body reads it on or closes it, and does not
// wait for another one meanwhile in the same goroutine.
//
// # Memory
//
// What a peer can make an end hold is bounded by Limits, whatever it sends:
//
//	                          before Trust   after (defaults)
//	frames being read         4 KiB          64 KiB
//	frames being written      4 KiB          80 KiB
//	packets not received yet  8 KiB          1 MiB (Queue), and the first of them
//	                                         up to 256 MiB (Packet), for which it
//	                                         takes at most 2.3 times what has come
//	bodies not read yet       none           4 MiB (Window)
//	bodies asked of us        none           1 MiB (4,096 ids of 64 bytes),
//	                                         256 KiB (four read at once)
//	the rest                  8 KiB, two goroutines
//
// Each frame counts as 64 bytes more than it carries, for what keeping it costs.
// zstd has its tables once for the process: 1 to 2 MiB for each processor. A frame that
// is packed or unpacked takes 65 KiB while that lasts.
//
// # Format
//
// Integers outside of msgpack are big-endian. Each end first sends a preamble:
//
//	 0  "dsync\r\n\x00"
//	 8  lowest and highest version it speaks, one byte each: now 1 and 1
//	10  length of what follows up to the checksum, two bytes, at most 256
//	12  msgpack array: [starter, unknown, capabilities, frame, packet, queue,
//	    window, asks]; fields after these are passed over
//	    CRC-32C of all before it, four bytes
//
// The first twelve bytes are so in every version. Version: the highest that both
// speak; without one both ends give up, naming all four numbers. What is sent before
// the peer's preamble has come is in the lowest version one speaks, within the limits
// of a peer that is not known, and not compressed. Capabilities are bits, used where
// both have them, passed over where they are unknown: 1 is zstd.
//
// Frames follow:
//
//	0  type, flags: one byte each
//	2  length of the payload, four bytes, at most frame (64 KiB; unknown: 2 KiB)
//	6  stream, four bytes: of a packet its kind; 0 where it has no meaning
//	10 payload
//	   CRC-32C of the frame's number (eight bytes; the first is 0) and all before,
//	   four bytes: a frame lost or sent twice does not pass
//
//	type        flags             payload
//	1 packet    first, last, zstd a part of the packet; parts of two do not mix
//	2 ask       now               msgpack [ids]; streams count up from the frame's
//	3 body      first, last, zstd the first begins with the key (msgpack string), the
//	                              last ends with the body's length, eight bytes
//	4 no body                     msgpack [code, text]: why; ends the stream
//	5 drop                        empty: send no more of this stream; what ends it
//	                              comes all the same, "no body" or a last frame
//	6 credit                      msgpack [packets, bodies]: so many bytes more
//	7 limits                      msgpack [frame, packet, queue, window, asks]: the
//	                              peer is known now, and may send so much
//	8 alive                       empty
//	9 fail                        msgpack [code, text]: why this end gives up
//	10 end                        empty: all was said; the last frame of its side
//
// Flags: 1 first, 2 last, 4 now (before all that wait), 128 zstd. Anything else is
// an error.
package wire
