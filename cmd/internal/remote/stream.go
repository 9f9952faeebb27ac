package remote

import (
	"errors"
	"io"
	"os"

	"dsync/replay/wire"
)

// Stream is a way to another dsync on which nothing was said yet. It is used once: for
// a link of this process, or handed to another process.
type Stream struct {
	io.ReadWriteCloser
	Name  string
	ended func(agreed bool) error // waits for the child; nil: there is none
}

// Link makes the near end's link over it.
func (s *Stream) Link(o wire.Options) *Link {
	o.Starter = true
	l := New(s.ReadWriteCloser, s.Name, o)
	l.ended = s.ended
	return l
}

// Files are what another process can be given: one to read from, one to write to.
// They are the stream's, until End.
func (s *Stream) Files() ([]*os.File, error) {
	p, ok := s.ReadWriteCloser.(*stdio)
	if !ok {
		return nil, errors.New("not a stream of two pipes")
	}
	return p.Files()
}

// End closes this process's part of a stream and waits for the child, whose status it
// names if that is not 0. agreed: whoever spoke on it came to the end in good order.
func (s *Stream) End(agreed bool) error {
	if s.ended != nil {
		return s.ended(agreed)
	}
	return s.Close()
}

// Close closes both directions in this process.
func (s *Stream) Close() error { return s.ReadWriteCloser.Close() }
