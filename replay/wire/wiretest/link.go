package wiretest

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"dsync/replay/wire"
)

func init() { wire.Ready() }

// ErrCut is what a Write to a link that was cut gives; a Read gives io.EOF.
var ErrCut = errors.New("the link was cut")

// Link is what lies between two ends. The zero value is fast and whole.
type Link struct {
	Delay     time.Duration // one way
	Bandwidth int64         // bytes a second, each way; 0: no limit
	Buffer    int           // bytes that a Write leaves under way; 0: 8 MiB, as of a socket that grows
	// AB and BA cut the link, seen from what the first or the second end sends.
	AB, BA Cut
}

// Cut says where a stream ends. The zero value does not cut.
type Cut struct {
	On    bool
	Piece int // after so many pieces: the preamble, then frames
	Byte  int // and so many bytes more, of whatever pieces
}

// Pipe gives the two ends of a link.
func (l Link) Pipe() (a, b *Stream) {
	if l.Buffer == 0 {
		l.Buffer = 8 << 20
	}
	both := &pair{}
	ab, ba := &oneWay{link: &l, both: both, cut: newCutter(l.AB)}, &oneWay{link: &l, both: both, cut: newCutter(l.BA)}
	for _, w := range []*oneWay{ab, ba} {
		w.news = make(chan struct{})
		both.ways = append(both.ways, w)
	}
	return &Stream{out: ab, in: ba}, &Stream{out: ba, in: ab}
}

// pair is the state that both directions share.
type pair struct {
	mu   sync.Mutex
	ways []*oneWay
	cut  bool
}

// oneWay is one direction. Its fields are guarded by pair.mu.
type oneWay struct {
	link   *Link
	both   *pair
	cut    *cutter
	queue  []parcel
	size   int       // bytes in queue
	free   time.Time // when the line has sent what was written
	closed bool      // by the writer: io.EOF follows
	unread bool      // the reader is gone
	news   chan struct{}
}

type parcel struct {
	data []byte
	at   time.Time
}

// tell wakes all who wait for this direction.
func (w *oneWay) tell() {
	close(w.news)
	w.news = make(chan struct{})
}

// Stream is one end of a link.
type Stream struct {
	out, in *oneWay
	sent    int64
	got     int64
}

// Read waits until bytes have come over the link.
func (s *Stream) Read(p []byte) (int, error) {
	w := s.in
	for {
		w.both.mu.Lock()
		news := w.news
		var wait <-chan time.Time
		switch {
		case w.unread:
			w.both.mu.Unlock()
			return 0, os.ErrClosed
		case w.both.cut && len(w.queue) == 0:
			w.both.mu.Unlock()
			return 0, io.EOF
		case len(w.queue) > 0:
			first := &w.queue[0]
			rest := time.Until(first.at)
			if rest <= 0 {
				n := copy(p, first.data)
				if first.data = first.data[n:]; len(first.data) == 0 {
					w.queue[0] = parcel{}
					w.queue = w.queue[1:]
				}
				w.size -= n
				s.got += int64(n)
				w.tell()
				w.both.mu.Unlock()
				return n, nil
			}
			wait = time.After(rest)
		case w.closed:
			w.both.mu.Unlock()
			return 0, io.EOF
		}
		w.both.mu.Unlock()
		select {
		case <-news:
		case <-wait:
		}
	}
}

// Write puts bytes on the link, as far as they fit under way; then it waits.
func (s *Stream) Write(p []byte) (written int, err error) {
	w := s.out
	for len(p) > 0 {
		w.both.mu.Lock()
		switch {
		case w.closed:
			err = os.ErrClosed
		case w.both.cut, w.unread:
			err = ErrCut
		}
		if err != nil {
			w.both.mu.Unlock()
			return written, err
		}
		news := w.news
		n := min(len(p), w.link.Buffer-w.size)
		if n > 0 {
			pass, cut := w.cut.pass(p[:n])
			w.put(p[:pass])
			s.sent += int64(pass)
			written += pass
			p = p[pass:]
			if cut {
				w.both.sever(w)
			}
			w.tell()
		}
		w.both.mu.Unlock()
		if n <= 0 {
			<-news
		}
	}
	return written, nil
}

func (w *oneWay) put(p []byte) {
	if len(p) == 0 {
		return
	}
	now := time.Now()
	if w.free.Before(now) {
		w.free = now
	}
	if w.link.Bandwidth > 0 {
		w.free = w.free.Add(time.Duration(float64(len(p)) / float64(w.link.Bandwidth) * float64(time.Second)))
	}
	w.queue = append(w.queue, parcel{append([]byte(nil), p...), w.free.Add(w.link.Delay)})
	w.size += len(p)
}

// sever cuts the link: what is under way in the direction of the cut arrives still.
func (b *pair) sever(at *oneWay) {
	b.cut = true
	for _, w := range b.ways {
		if w != at {
			w.queue, w.size = nil, 0
		}
		w.tell()
	}
}

// CloseWrite ends what this end sends, as a socket's does.
func (s *Stream) CloseWrite() error {
	s.out.both.mu.Lock()
	defer s.out.both.mu.Unlock()
	s.out.closed = true
	s.out.tell()
	return nil
}

// Close ends both directions. What was sent arrives; what was not read is lost.
func (s *Stream) Close() error {
	s.out.both.mu.Lock()
	defer s.out.both.mu.Unlock()
	s.out.closed, s.in.unread = true, true
	s.out.tell()
	s.in.tell()
	return nil
}

// WasCut reports whether the link came to its cut.
func (s *Stream) WasCut() bool {
	s.out.both.mu.Lock()
	defer s.out.both.mu.Unlock()
	return s.out.both.cut
}

// Counts gives how many bytes this end sent and read.
func (s *Stream) Counts() (sent, got int64) {
	s.out.both.mu.Lock()
	defer s.out.both.mu.Unlock()
	return s.sent, s.got
}
