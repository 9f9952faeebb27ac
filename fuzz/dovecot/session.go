package dovecot

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Session is one imap process on a pipe, logged in on a [Store]. It is meant
// for one goroutine. Other programs may change the store meanwhile; every
// listing looks anew.
//
// A command the server refuses returns a *[Refused]; the session goes on. Any
// other error means that the session is lost.
type Session struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	reader   *wireReader
	stderr   bytes.Buffer
	tags     int
	selected string // mailbox open for writing; "" if none
}

// Refused is an answer of NO or BAD.
type Refused struct {
	Command string // the command, without literals
	Status  string // NO or BAD
	Text    string // what the server said, response code included
}

// Error gives the command and the answer.
func (r *Refused) Error() string {
	return fmt.Sprintf("dovecot: %.200s: %s %s", r.Command, r.Status, r.Text)
}

// Session starts "doveadm exec imap" on the location and waits for its
// greeting. Close it when done.
func (s *Store) Session() (*Session, error) {
	c := &Session{cmd: s.d.command(context.Background(), "doveadm",
		"-c", s.d.ConfigPath(), "exec", "imap", "-o", "mail_location="+s.location)}
	c.cmd.Stderr = &c.stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("dovecot: open pipe: %w", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("dovecot: open pipe: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("dovecot: start imap: %w", err)
	}
	c.in, c.reader = in, &wireReader{r: bufio.NewReaderSize(out, 64<<10)}
	defer c.watch()()
	greeting, err := c.reader.next()
	if err == nil && strings.HasPrefix(greeting.line, "* PREAUTH") {
		return c, nil
	}
	c.kill()
	return nil, fmt.Errorf("dovecot: imap did not greet (%v): %s%s", err, greeting.line, c.stderr.String())
}

// SessionT is Session for a test: failure ends the test, and the session is
// closed with it.
func (s *Store) SessionT(t testing.TB) *Session {
	t.Helper()
	c, err := s.Session()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Close logs out and waits for the process to end. It may be called twice.
func (c *Session) Close() error {
	if c.cmd.ProcessState != nil {
		return nil
	}
	defer c.watch()()
	_, err := c.Command("LOGOUT")
	c.in.Close()
	if waitErr := c.cmd.Wait(); err == nil && waitErr != nil {
		err = fmt.Errorf("dovecot: imap ended badly: %w: %s", waitErr, c.stderr.String())
	}
	return err
}

// watch kills the process unless the returned function is called in time.
func (c *Session) watch() (stop func()) {
	timer := time.AfterFunc(CommandLimit, func() { c.cmd.Process.Kill() })
	return func() { timer.Stop() }
}

func (c *Session) kill() {
	c.in.Close()
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// Literal is an argument of [Session.Command] that is sent as it is, in a
// non-synchronising literal.
type Literal []byte

// Command sends one command, built from words (string: verbatim; Literal:
// counted bytes) with spaces between, and returns the untagged lines, without
// the contents of literals. The typed methods are made of it.
func (c *Session) Command(words ...any) ([]string, error) {
	responses, _, err := c.do(words...)
	lines := make([]string, len(responses))
	for i, r := range responses {
		lines[i] = r.line
	}
	return lines, err
}

// do sends a command and gives the untagged responses and the text after the
// tagged OK.
func (c *Session) do(words ...any) ([]response, string, error) {
	defer c.watch()()
	c.tags++
	tag := fmt.Sprintf("t%d", c.tags)
	shown, wire := render(words)
	if _, err := c.in.Write([]byte(tag + " " + wire + "\r\n")); err != nil {
		return nil, "", c.lost(shown, err)
	}
	var untagged []response
	for {
		r, err := c.reader.next()
		if err != nil {
			return nil, "", c.lost(shown, err)
		}
		if rest, tagged := strings.CutPrefix(r.line, tag+" "); tagged {
			status, text, _ := strings.Cut(rest, " ")
			if status != "OK" {
				return untagged, "", &Refused{Command: shown, Status: status, Text: text}
			}
			return untagged, text, nil
		}
		untagged = append(untagged, r)
	}
}

func (c *Session) lost(command string, err error) error {
	return fmt.Errorf("dovecot: session lost at %.200s: %w: %s", command, err, c.stderr.String())
}

// render gives a command for messages and for the wire.
func render(words []any) (shown, wire string) {
	var s, w strings.Builder
	for i, word := range words {
		if i > 0 {
			s.WriteByte(' ')
			w.WriteByte(' ')
		}
		switch word := word.(type) {
		case Literal:
			fmt.Fprintf(&s, "{%d}", len(word))
			fmt.Fprintf(&w, "{%d+}\r\n%s", len(word), word)
		case string:
			s.WriteString(word)
			w.WriteString(word)
		default:
			panic(fmt.Sprintf("dovecot: a command word is a string or a Literal, not %T", word))
		}
	}
	return s.String(), w.String()
}
