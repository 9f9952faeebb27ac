package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/progress"
)

// messages writes lines to standard error.
type messages struct {
	mu     sync.Mutex
	w      io.Writer
	user   string
	level  engine.Level // what is lighter is not written
	colour bool
	bar    *progress.Bar
}

var levelNames = map[engine.Level][2]string{
	engine.Debug:   {"Debug", ""},
	engine.Info:    {"Info", ""},
	engine.Warning: {"Warning", "\x1b[33m"},
	engine.Error:   {"Error", "\x1b[31m"},
}

// print writes one line: "dsync(USER): Error: text".
func (m *messages) print(l engine.Level, text string) { m.of(m.user, l, text) }

// of writes one line about a user.
func (m *messages) of(user string, l engine.Level, text string) {
	if l < m.level {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name := levelNames[l][0]
	if c := levelNames[l][1]; m.colour && c != "" {
		name = c + name + "\x1b[0m"
	}
	m.bar.Clear()
	_, _ = fmt.Fprintf(m.w, "dsync(%s): %s: %s\n", clean(user), name, clean(text))
}

// voice writes lines about one user.
type voice struct {
	all  *messages
	user string
}

func (m *messages) as(user string) voice { return voice{m, user} }

func (v voice) print(l engine.Level, text string) { v.all.of(v.user, l, text) }

func (v voice) printf(l engine.Level, format string, args ...any) {
	v.print(l, fmt.Sprintf(format, args...))
}

// progress draws the progress line, never into the middle of a message.
func (m *messages) progress(p engine.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bar.Draw(p.Phase, p.Done, p.Total, p.Bytes)
}

// clear takes the progress line away.
func (m *messages) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bar.Clear()
}

func (m *messages) printf(l engine.Level, format string, args ...any) {
	m.print(l, fmt.Sprintf(format, args...))
}

// clean makes text fit for one line of a terminal: names in it come from outside.
func clean(s string) string {
	if !strings.ContainsFunc(s, unfit) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\n':
			b.WriteString(`\n`)
		case unfit(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func unfit(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
