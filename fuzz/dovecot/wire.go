package dovecot

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// value is one piece of an IMAP response: an atom or a string (list is nil
// and isList false), or a parenthesised list. An IMAP NIL is an atom "NIL".
type value struct {
	text   string
	list   []value
	isList bool
}

const (
	maxLine    = 16 << 20 // longest response line without literals
	maxLiteral = 1 << 30  // largest literal
	maxDepth   = 64       // deepest nesting of lists
)

// response is one logical line: the raw text up to the first literal for
// status codes, and its values.
type response struct {
	line   string // without literals' contents
	values []value
}

// wireReader reads responses from the server.
type wireReader struct{ r *bufio.Reader }

// next reads one response, literals included.
func (w *wireReader) next() (response, error) {
	p := &parser{w: w}
	line, err := w.line()
	if err != nil {
		return response{}, err
	}
	p.rest = line
	if isStatus(line) { // free text follows, which is not made of values
		return response{line: line}, nil
	}
	values, err := p.values(0)
	return response{line: line, values: values}, err
}

// isStatus tells "tag OK …", "* NO …", "* BYE …", "+ …" from data.
func isStatus(line string) bool {
	tag, rest, _ := strings.Cut(line, " ")
	word, _, _ := strings.Cut(rest, " ")
	switch word {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return true
	}
	return tag == "+"
}

// line reads up to CRLF and returns the text before it.
func (w *wireReader) line() (string, error) {
	var b strings.Builder
	for {
		part, err := w.r.ReadSlice('\n')
		b.Write(part)
		if err == nil {
			return strings.TrimSuffix(strings.TrimSuffix(b.String(), "\n"), "\r"), nil
		}
		if err != bufio.ErrBufferFull {
			return "", err
		}
		if b.Len() > maxLine {
			return "", fmt.Errorf("dovecot: response line over %d bytes", maxLine)
		}
	}
}

// literal reads n raw bytes.
func (w *wireReader) literal(n int) (string, error) {
	buf := make([]byte, n)
	_, err := io.ReadFull(w.r, buf)
	return string(buf), err
}

// parser walks a response; a literal makes it read on from w.
type parser struct {
	w    *wireReader
	rest string
}

// values parses until the end of the response or the closing parenthesis.
func (p *parser) values(depth int) ([]value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("dovecot: response nested deeper than %d", maxDepth)
	}
	var out []value
	for {
		p.rest = strings.TrimLeft(p.rest, " ")
		if p.rest == "" {
			if depth > 0 {
				return nil, fmt.Errorf("dovecot: response ends inside a list")
			}
			return out, nil
		}
		if p.rest[0] == ')' && depth > 0 {
			p.rest = p.rest[1:]
			return out, nil
		}
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

func (p *parser) value(depth int) (value, error) {
	switch p.rest[0] {
	case '(':
		p.rest = p.rest[1:]
		list, err := p.values(depth + 1)
		return value{list: list, isList: true}, err
	case '"':
		return p.quoted()
	case '{':
		return p.literalValue()
	default:
		return p.atom(), nil
	}
}

func (p *parser) quoted() (value, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return value{text: b.String()}, nil
		case '\\':
			i++
			if i < len(p.rest) {
				b.WriteByte(p.rest[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return value{}, fmt.Errorf("dovecot: unterminated string in %.80q", p.rest)
}

func (p *parser) literalValue() (value, error) {
	n, err := strconv.Atoi(strings.Trim(p.rest, "{}"))
	if err != nil || n < 0 || n > maxLiteral {
		return value{}, fmt.Errorf("dovecot: bad literal %.80q", p.rest)
	}
	text, err := p.w.literal(n)
	if err != nil {
		return value{}, err
	}
	p.rest, err = p.w.line()
	return value{text: text}, err
}

// atom takes everything up to a space or parenthesis; a "[…]" section, as in
// BODY[HEADER.FIELDS (X)], belongs to it.
func (p *parser) atom() value {
	inSection := false
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '[':
			inSection = true
		case c == ']':
			inSection = false
		case !inSection && (c == ' ' || c == '(' || c == ')') && i > 0:
			v := value{text: p.rest[:i]}
			p.rest = p.rest[i:]
			return v
		}
	}
	v := value{text: p.rest}
	p.rest = ""
	return v
}
