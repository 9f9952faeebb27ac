package owner

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Format is the version of what is said on the socket.
const Format = 1

// kind says what a frame holds.
type kind byte

const (
	kindHello    kind = 'h' // asker: who asks; owner: whether it takes work
	kindWork     kind = 'w' // asker: the work; the descriptors come with it
	kindTaken    kind = 't' // owner: the work is begun now
	kindNotice   kind = 'n' // owner: a line for people
	kindProgress kind = 'p' // owner
	kindAlive    kind = 'a' // owner: still at it
	kindLine     kind = 'l' // owner: a part of the result
	kindEnd      kind = 'e' // owner: the result
)

// Limits on what comes over the socket.
const (
	headLen  = 5
	maxFrame = 256 << 20 // bytes; a plan of a large account
	maxFirst = 16 << 20  // of what an asker sends
	maxFiles = 4         // descriptors
)

var errFrame = errors.New("not what dsync says on this socket")

// encode makes a frame.
func encode(k kind, v any) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, headLen))
	if v != nil {
		if err := gob.NewEncoder(&b).Encode(v); err != nil {
			return nil, err
		}
	}
	out := b.Bytes()
	if len(out)-headLen > maxFrame {
		return nil, fmt.Errorf("%d bytes to say at once, at most %d", len(out)-headLen, maxFrame)
	}
	out[0] = byte(k)
	binary.BigEndian.PutUint32(out[1:], uint32(len(out)-headLen))
	return out, nil
}

// readFrame reads one. The buffer grows with what comes.
func readFrame(r io.Reader, most uint32) (kind, []byte, error) {
	var head [headLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > most {
		return 0, nil, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, r, int64(n)); err != nil {
		return 0, nil, fmt.Errorf("a frame is cut off: %w", err)
	}
	return kind(head[0]), b.Bytes(), nil
}

func decode(b []byte, v any) error {
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errFrame, err)
	}
	return nil
}

// send writes bytes, the first of which take descriptors along.
func send(c *net.UnixConn, b []byte, files []*os.File) error {
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			raw, err := f.SyscallConn()
			if err != nil {
				return err
			}
			// Fd would make the file blocking.
			if err := raw.Control(func(fd uintptr) { fds[i] = int(fd) }); err != nil {
				return err
			}
		}
		n, _, err := c.WriteMsgUnix(b[:1], syscall.UnixRights(fds...), nil)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	_, err := c.Write(b)
	return err
}

// taker reads from a socket and keeps the descriptors that come along.
type taker struct {
	c   *net.UnixConn
	fds []int
}

// Read implements io.Reader.
func (t *taker) Read(p []byte) (int, error) {
	oob := make([]byte, syscall.CmsgSpace(4*maxFiles))
	n, got, flags, _, err := t.c.ReadMsgUnix(p, oob)
	if err != nil {
		return n, err
	}
	if msgs, perr := syscall.ParseSocketControlMessage(oob[:got]); perr == nil {
		for i := range msgs {
			if fds, ferr := syscall.ParseUnixRights(&msgs[i]); ferr == nil {
				t.fds = append(t.fds, fds...)
			}
		}
	}
	if flags&syscall.MSG_CTRUNC != 0 || len(t.fds) > maxFiles {
		return n, fmt.Errorf("%w: too many descriptors", errFrame)
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// close closes what nobody took.
func (t *taker) close() {
	for _, fd := range t.fds {
		syscall.Close(fd)
	}
	t.fds = nil
}

// take gives the descriptors to the caller.
func (t *taker) take() []int {
	fds := t.fds
	t.fds = nil
	return fds
}
