package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"dsync/changelog/pack"
	"dsync/store"
)

var (
	// ErrStalled: nothing came from the other end, or nothing of ours was taken, for
	// Options.Timeout; or an unknown peer was not let in within its time.
	ErrStalled = errors.New("the connection stalled")
	// ErrCut: the stream ended or failed, and the other end had not said that it would.
	ErrCut = errors.New("the connection was cut")
	// ErrClosed: this end closed the connection.
	ErrClosed = errors.New("the connection is closed")
	// ErrEnded: the other end has said all it had to say, and takes nothing more.
	ErrEnded = errors.New("the other end has closed the connection")
)

// Codes of Error that this package itself sends; all are exit statuses.
const (
	CodeStalled  = 75 // ErrStalled
	CodeProtocol = 76 // a ProtocolError or VersionError
)

// Error is what the other end said with Fail, and why it gave up.
type Error struct {
	Code int    // as given to Fail; 0 to 255
	Text string // at most 1 KiB; without control characters
}

func (e *Error) Error() string { return "the other end gave up: " + e.Text }

// ProtocolError says that what came is not what an end of this protocol sends.
type ProtocolError struct {
	Frame  int64 // its number, from 0; -1: the preamble
	Offset int64 // where it begins in the stream, in bytes
	Reason string
}

func (e *ProtocolError) Error() string {
	if e.Frame < 0 {
		return "what came from the other end is not dsync's wire: " + e.Reason
	}
	return fmt.Sprintf("frame %d from the other end, at byte %d: %s", e.Frame, e.Offset, e.Reason)
}

// VersionError says that the two ends have no version of the wire in common.
type VersionError struct {
	OursLeast, OursMost, TheirsLeast, TheirsMost int
}

func (e *VersionError) Error() string {
	which := "update the other end"
	if e.TheirsLeast > e.OursMost {
		which = "update this end"
	}
	return fmt.Sprintf("no common version: this end speaks wire version %s, the other end %s; %s",
		span(e.OursLeast, e.OursMost), span(e.TheirsLeast, e.TheirsMost), which)
}

func span(a, b int) string {
	if a == b {
		return fmt.Sprint(a)
	}
	return fmt.Sprintf("%d to %d", a, b)
}

// BodyError says why the other end did not send a body. errors.Is finds the error of
// package store that it was there, and fs.ErrPermission.
type BodyError struct {
	Text  string // what it was there, at most 1 KiB
	cause error
}

func (e *BodyError) Error() string { return "the other end: " + e.Text }

func (e *BodyError) Unwrap() error { return e.cause }

// Codes of "no body". A number stays what it is.
const (
	bodyOther   = 1
	bodyDropped = 2 // asked for by the one who wanted it
)

var bodyCodes = []struct {
	code uint64
	err  error
}{
	{10, store.ErrNoMessage}, {11, store.ErrGone}, {12, fs.ErrPermission}, {13, store.ErrChanged}, {14, store.ErrNoMailbox},
	{15, store.ErrBusy}, {16, store.ErrDamaged}, {17, store.ErrUnsupported},
}

func bodyCode(err error) uint64 {
	for _, c := range bodyCodes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return bodyOther
}

func bodyError(code uint64, text string) *BodyError {
	e := &BodyError{Text: text}
	for _, c := range bodyCodes {
		if c.code == code {
			e.cause = c.err
		}
	}
	return e
}

// appendWhy writes [code, text], the text cut to what the other end takes.
func appendWhy(b []byte, code uint64, text string) []byte {
	return pack.String(pack.Uint(pack.Array(b, 2), code), text[:min(len(text), maxText)])
}

// readWhy reads [code, text]. The text is for people's terminals and logs, so
// nothing in it may act on them.
func readWhy(payload []byte, most uint64) (code uint64, text string, err error) {
	r := pack.New(payload, "reason")
	r.Fields(2)
	code, text = r.Uint(most), r.String(maxText)
	return code, printable(text), r.End()
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
