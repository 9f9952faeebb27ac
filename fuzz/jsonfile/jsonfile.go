// Package jsonfile reads JSON files strictly, and knows where it is in them.
//
// # Contract
//
//   - A Decoder walks one file from its beginning to its end; Object, Array and
//     Value are called in the order of the text.
//   - Any bytes give a value or an *Error with file, line and column: a member that
//     nobody asks for, one that stands twice, what follows the end, and a value of
//     the wrong kind are errors, too.
//   - Nothing is allocated by a length that the file merely claims.
package jsonfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Error is what is wrong with a file.
type Error struct {
	File   string
	Line   int // from 1
	Column int // from 1, in bytes
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Reason)
}

// Decoder walks a file. It is used by one goroutine.
type Decoder struct {
	name  string
	text  []byte
	json  *json.Decoder
	start int // of the value last begun
}

// New begins to read text; name is what errors call the file, most is how many bytes
// it may have.
func New(name string, text []byte, most int) (*Decoder, error) {
	if len(text) > most {
		return nil, &Error{name, 1, 1, fmt.Sprintf("the file has %d bytes, at most %d", len(text), most)}
	}
	d := &Decoder{name: name, text: text, json: json.NewDecoder(bytes.NewReader(text))}
	d.json.DisallowUnknownFields()
	return d, nil
}

// End wants nothing but blanks after the value last read.
func (d *Decoder) End() error {
	if _, end := d.json.Token(); end != io.EOF {
		return d.Bad("something follows the object")
	}
	return nil
}

// Bad is an error at the value last begun.
func (d *Decoder) Bad(format string, args ...any) error {
	return d.at(d.start, fmt.Sprintf(format, args...))
}

// BadFile is an error of the whole file, at its beginning.
func (d *Decoder) BadFile(format string, args ...any) error {
	return d.at(0, fmt.Sprintf(format, args...))
}

func (d *Decoder) at(offset int, reason string) error {
	before := d.text[:min(max(offset, 0), len(d.text))]
	line := bytes.Count(before, []byte("\n")) + 1
	return &Error{d.name, line, len(before) - bytes.LastIndexByte(before, '\n'), reason}
}

// wrap gives an error of package json its place.
func (d *Decoder) wrap(err error) error {
	var own *Error
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case errors.As(err, &syntax):
		return d.at(max(int(syntax.Offset)-1, d.start), strings.TrimPrefix(err.Error(), "json: "))
	case errors.As(err, &kind):
		return d.at(d.start, fmt.Sprintf("%s: want %v, not %s", kind.Field, kind.Type, kind.Value))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return d.at(len(d.text), "the text ends too early")
	}
	return d.at(d.start, strings.TrimPrefix(err.Error(), "json: "))
}

// mark notes that a value begins at the next byte that is no blank, comma or
// colon.
func (d *Decoder) mark() {
	d.start = int(d.json.InputOffset())
	for d.start < len(d.text) && bytes.IndexByte([]byte(" \t\r\n,:"), d.text[d.start]) >= 0 {
		d.start++
	}
}

func (d *Decoder) delim(want json.Delim) error {
	d.mark()
	t, err := d.json.Token()
	if err != nil {
		return d.wrap(err)
	}
	if t != want {
		return d.Bad("want %q", want.String())
	}
	return nil
}

// Object reads an object; member is called for each key and reads its value.
func (d *Decoder) Object(member func(key string) error) error {
	if err := d.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.json.More() {
		d.mark()
		t, err := d.json.Token()
		if err != nil {
			return d.wrap(err)
		}
		key, _ := t.(string)
		if seen[key] {
			return d.Bad("a second member %.40q", key)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	return d.delim('}')
}

// Array reads a list; element is called where each element begins and reads it.
func (d *Decoder) Array(element func() error) error {
	if err := d.delim('['); err != nil {
		return err
	}
	for d.json.More() {
		d.mark()
		if err := element(); err != nil {
			return err
		}
	}
	return d.delim(']')
}

// Value reads the next value into a variable, as package json does, without unknown
// members.
func (d *Decoder) Value(into any) error {
	d.mark()
	return d.wrap(d.json.Decode(into))
}
