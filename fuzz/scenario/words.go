package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// wordKind says what may stand without quotes.
type wordKind int

const (
	anyWord wordKind = iota // between blanks
	rowWord                 // at the beginning of a row: not "subscribed"
)

func quote(s string) string { return strconv.Quote(s) }

// word writes s so that a line reads it back, in quotes if it must be.
func word(s string, k wordKind) string {
	if s == "" || len(s) > 0 && (s[0] == '#' || s[0] == '+' || s[0] == '-') || k == rowWord && s == "subscribed" || !utf8.ValidString(s) {
		return quote(s)
	}
	for _, r := range s {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("\"|[](){}:,\\", r) {
			return quote(s)
		}
	}
	return s
}

// token is one word of a line.
type token struct {
	text   string
	column int // from 1
	quoted bool
}

// line is one line of the text that has something on it.
type line struct {
	number int
	text   string // without blanks at both ends
	column int    // of text
	words  []token
}

// blank reports whether words end there.
func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// split cuts a line into words. A word that begins with a quote ends with one; a
// row's message keeps the blanks inside its brackets. A word "#" begins a comment.
func split(text string, column int) ([]token, error) {
	var out []token
	for i := 0; i < len(text); {
		if blank(text[i]) {
			i++
			continue
		}
		t := token{column: column + i}
		if text[i] == '#' && (i+1 == len(text) || blank(text[i+1])) {
			return out, nil
		}
		if text[i] == '"' {
			q, err := strconv.QuotedPrefix(text[i:])
			if err != nil {
				return nil, &Error{Column: t.column, Reason: "a quote that does not end, or a bad escape in it"}
			}
			i += len(q)
			if i < len(text) && !blank(text[i]) {
				return nil, &Error{Column: column + i, Reason: "want a blank after the quote"}
			}
			t.quoted = true
			t.text, err = strconv.Unquote(q)
			if err != nil {
				return nil, &Error{Column: t.column, Reason: "bad escape in the quote"}
			}
		} else {
			end := wordEnd(text, i)
			t.text = text[i:end]
			i = end
		}
		if len(t.text) > maxWord {
			return nil, &Error{Column: t.column, Reason: fmt.Sprintf("a word of %d bytes, at most %d", len(t.text), maxWord)}
		}
		if !utf8.ValidString(t.text) {
			return nil, &Error{Column: t.column, Reason: "not UTF-8"}
		}
		out = append(out, t)
	}
	return out, nil
}

// wordEnd is where the word that begins at i ends: brackets and braces keep blanks.
func wordEnd(text string, i int) int {
	var open byte
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case open == 0 && blank(c):
			return i
		case open == 0 && c == '[':
			open = ']'
		case open == 0 && c == '{':
			open = '}'
		case open != 0 && c == open:
			open = 0
		case open == '}' && c == '"':
			if q, err := strconv.QuotedPrefix(text[i:]); err == nil {
				i += len(q) - 1
			}
		}
	}
	return i
}

// content reports whether s can name a message's content: what is before a slash
// is its GUID, so that g/1 and g/2 are two messages of one GUID.
func content(s string) bool {
	if s == "" || len(s) > 32 || strings.Count(s, "/") > 1 || strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") {
		return false
	}
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
		case i > 0 && (r == '-' || r == '_' || r == '/'):
		default:
			return false
		}
	}
	return true
}

// position reads "#N".
func position(s string) (int, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 10, 16)
	return int(n), err == nil && n > 0 && s == "#"+decimal(n)
}

// Position reads the N of a message that a step names by "#N", from 1.
func (s *Step) Position() (int, bool) { return position(s.Message) }

func decimal[T uint32 | uint64 | int](n T) string { return strconv.FormatUint(uint64(n), 10) }

// replicaName reports whether s can name a replica.
func replicaName(s string) bool {
	if s == "" || len(s) > 16 || s == "all" || s == "conflicts" || s == "exit" {
		return false
	}
	for i, r := range s {
		letter := r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || !(r >= '0' && r <= '9' || r == '_' || r == '-')) {
			return false
		}
	}
	return true
}
