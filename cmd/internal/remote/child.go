package remote

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"dsync/replay/wire"
)

// How long a child may take to end: by itself, and after SIGTERM.
const (
	childWait = 30 * time.Second
	childTerm = 2 * time.Second
)

// Command is another process to talk to.
type Command struct {
	Argv []string
	// Prefix, if not "", is written as a first line, before anything else
	// (remoteprefix:).
	Prefix string
	// Stderr takes the child's lines; may be nil.
	Stderr func(line string)
}

// Run starts the process and makes a link to it.
func (c Command) Run(o wire.Options) (*Link, error) {
	s, err := c.Start()
	if err != nil {
		return nil, err
	}
	return s.Link(o), nil
}

// Start starts the process, and gives the way to it.
func (c Command) Start() (*Stream, error) {
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", c.Argv[0], err)
	}
	p := &process{cmd: cmd, name: c.Argv[0], told: make(chan struct{}), stream: &stdio{in, out}}
	go p.listen(said, c.Stderr)
	if c.Prefix != "" {
		if _, err := io.WriteString(in, c.Prefix+"\n"); err != nil {
			return nil, errors.Join(fmt.Errorf("write to %s: %w", c.Argv[0], err), p.end(false))
		}
	}
	return &Stream{ReadWriteCloser: p.stream, Name: strings.Join(c.Argv, " "), ended: p.end}, nil
}

// stdio is a pair of pipes as one stream.
type stdio struct {
	w io.WriteCloser
	r io.ReadCloser
}

// Files are the two ends of the pipes.
func (s *stdio) Files() ([]*os.File, error) {
	r, ok := s.r.(*os.File)
	w, also := s.w.(*os.File)
	if !ok || !also {
		return nil, errors.New("a pipe that is no file")
	}
	return []*os.File{r, w}, nil
}

func (s *stdio) Read(b []byte) (int, error)  { return s.r.Read(b) }
func (s *stdio) Write(b []byte) (int, error) { return s.w.Write(b) }

// Close closes both, so that a reader is woken.
func (s *stdio) Close() error { return errors.Join(s.w.Close(), s.r.Close()) }

// Stdio is this process's standard input and output as a stream that can be closed
// while it is read from.
func Stdio() (*Stream, error) { return Pipes(0, 1) }

// Pipes makes a stream of two descriptors, one to read from and one to write to, which
// are the stream's from then on.
func Pipes(in, out int) (*Stream, error) {
	for _, fd := range []int{in, out} {
		if err := syscall.SetNonblock(fd, true); err != nil {
			return nil, fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	rw := &stdio{os.NewFile(uintptr(out), "output"), os.NewFile(uintptr(in), "input")}
	return &Stream{ReadWriteCloser: rw, Name: "the near end"}, nil
}

type process struct {
	cmd    *exec.Cmd
	name   string
	stream *stdio
	told   chan struct{} // closed when standard error is through
}

// maxSaid bounds a line of a child's standard error, in bytes.
const maxSaid = 4 << 10

func (p *process) listen(r io.Reader, to func(string)) {
	defer close(p.told)
	in := bufio.NewReaderSize(r, maxSaid)
	for {
		line, err := in.ReadSlice('\n')
		if s := strings.TrimRight(string(line), "\r\n"); s != "" && to != nil {
			to(printable(s))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// end waits for the child, and ends it if it does not end. One that agreed that all was
// said is only waited for: runs of others may have been handed to it meanwhile.
func (p *process) end(agreed bool) error {
	p.stream.Close()
	if agreed {
		return p.leave()
	}
	done := make(chan struct{})
	stop := func(sig syscall.Signal, after time.Duration) bool {
		select {
		case <-done:
			return true
		case <-time.After(after):
			p.cmd.Process.Signal(sig)
			return false
		}
	}
	killed := make(chan bool, 1)
	go func() { killed <- !stop(syscall.SIGTERM, childWait) && !stop(syscall.SIGKILL, childTerm) }()
	select {
	case <-p.told: // Wait closes the pipe, so everything is read before
	case <-time.After(childWait + 2*childTerm):
	}
	err := p.cmd.Wait()
	close(done)
	if <-killed {
		return fmt.Errorf("%s did not end for %v and was killed", p.name, childWait)
	}
	return p.named(err)
}

// leave waits for the child as long as end does, and then no more.
func (p *process) leave() error {
	gone := make(chan error, 1)
	go func() {
		<-p.told
		gone <- p.cmd.Wait()
	}()
	select {
	case err := <-gone:
		return p.named(err)
	case <-time.After(childWait):
		return nil
	}
}

// named says how the child ended, if not well.
func (p *process) named(err error) error {
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return &ExitError{p.name, exit.ExitCode(), exit.String()}
	case err != nil:
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// ExitError is a child that did not end with 0.
type ExitError struct {
	Name   string
	Status int // -1: a signal ended it
	Text   string
}

func (e *ExitError) Error() string { return fmt.Sprintf("%s ended with %s", e.Name, e.Text) }
