package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
)

// HashHeader computes the HeaderHash of a message from its first bytes; it reads
// little further than the header, and holds at most MaxHeader bytes.
func HashHeader(r io.Reader) (HeaderHash, error) {
	head := make([]byte, 0, 8192)
	for {
		if len(head) == cap(head) {
			head = append(head, make([]byte, len(head))...)[:len(head)]
		}
		n, err := r.Read(head[len(head):min(cap(head), MaxHeader)])
		head = head[:len(head)+n]
		end := headerEnd(head)
		if end < 0 && err == nil && len(head) < MaxHeader {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return HeaderHash{}, err
		}
		if end < 0 {
			end = len(head)
		}
		sum := sha256.Sum256(head[:end])
		return HeaderHash(sum[:len(HeaderHash{})]), nil
	}
}

// headerEnd is the length of the header with its empty line (LF or CRLF), or -1.
func headerEnd(b []byte) int {
	for at := 0; ; {
		rest := b[at:]
		if bytes.HasPrefix(rest, []byte("\n")) {
			return at + 1
		}
		if bytes.HasPrefix(rest, []byte("\r\n")) {
			return at + 2
		}
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
	}
}
