package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// JSON writes the file as one JSON object, indented.
func (f *File) JSON() ([]byte, error) {
	c := *f
	c.Format = 1
	c.Scenarios = slices.Clone(f.Scenarios)
	for i, s := range c.Scenarios {
		if s.Steps == nil { // none is a list, too
			s := *s
			s.Steps = []Step{}
			c.Scenarios[i] = &s
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(&c)
	return b.Bytes(), err
}

// ParseJSON reads what JSON writes, strictly: an unknown member, or one that its
// verb does not use, is an error that names the line and column of the step.
func ParseJSON(name string, text []byte) (*File, error) {
	if len(text) > maxFile {
		return nil, &Error{name, 1, 1, fmt.Sprintf("the file has %d bytes, at most %d", len(text), maxFile)}
	}
	d := &decoder{name: name, text: text, json: json.NewDecoder(bytes.NewReader(text))}
	d.json.DisallowUnknownFields()
	f := &File{Name: name, Format: 1}
	format := 0
	err := d.object(func(key string) error {
		switch key {
		case "format":
			return d.value(&format)
		case "scenarios":
			return d.array(func() error {
				s, err := d.scenario()
				if err == nil && (len(f.Scenarios) >= maxScenarios || slices.ContainsFunc(f.Scenarios, func(o *Scenario) bool { return o.Name == s.Name })) {
					err = d.bad("a second scenario %q, or more than %d", s.Name, maxScenarios)
				}
				f.Scenarios = append(f.Scenarios, s)
				return err
			})
		}
		return d.bad("unknown member %.40q; known are format, scenarios", key)
	})
	if err == nil {
		if _, end := d.json.Token(); end != io.EOF {
			err = d.bad("something follows the object")
		}
	}
	if err == nil && (format != 1 || len(f.Scenarios) == 0) {
		d.start = 0
		err = d.bad(`want "format": 1 and at least one scenario`)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// decoder walks JSON and knows where it is.
type decoder struct {
	name  string
	text  []byte
	json  *json.Decoder
	start int // of the value last begun
}

// bad is an error at the value last begun.
func (d *decoder) bad(format string, args ...any) error {
	return d.at(d.start, fmt.Sprintf(format, args...))
}

func (d *decoder) at(offset int, reason string) error {
	before := d.text[:min(max(offset, 0), len(d.text))]
	line := bytes.Count(before, []byte("\n")) + 1
	return &Error{d.name, line, len(before) - bytes.LastIndexByte(before, '\n'), reason}
}

// wrap gives an error of package json its place.
func (d *decoder) wrap(err error) error {
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
func (d *decoder) mark() {
	d.start = int(d.json.InputOffset())
	for d.start < len(d.text) && bytes.IndexByte([]byte(" \t\r\n,:"), d.text[d.start]) >= 0 {
		d.start++
	}
}

func (d *decoder) delim(want json.Delim) error {
	d.mark()
	t, err := d.json.Token()
	if err != nil {
		return d.wrap(err)
	}
	if t != want {
		return d.bad("want %q", want.String())
	}
	return nil
}

func (d *decoder) object(member func(key string) error) error {
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
			return d.bad("a second member %.40q", key)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	return d.delim('}')
}

func (d *decoder) array(element func() error) error {
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

func (d *decoder) value(into any) error {
	d.mark()
	return d.wrap(d.json.Decode(into))
}

// scenario reads one scenario; its steps must come after its replicas.
func (d *decoder) scenario() (*Scenario, error) {
	s := &Scenario{}
	err := d.object(func(key string) error {
		if key == "steps" {
			if len(s.Replicas) == 0 {
				return d.bad("steps before replicas")
			}
			return d.array(func() error { return d.step(s) })
		}
		into, ok := s.member(key)
		if !ok {
			return d.bad("unknown member %.40q of a scenario", key)
		}
		if err := d.value(into); err != nil {
			return err
		}
		if bad := s.checkMember(key); bad != nil {
			return d.bad("%s", bad.reason)
		}
		return nil
	})
	if err == nil && (s.Name == "" || len(s.Replicas) == 0) {
		err = d.bad("a scenario needs name and replicas")
	}
	return s, err
}

// member is the field of a scenario that a member of the JSON fills.
func (s *Scenario) member(key string) (any, bool) {
	into, ok := map[string]any{
		"name": &s.Name, "notes": &s.Notes, "cells": &s.Cells, "date": &s.Date, "laws": &s.Laws, "seed": &s.Seed, "found": &s.Found,
		"breaks": &s.Breaks, "replicas": &s.Replicas, "topology": &s.Topology, "mode": &s.Mode, "policy": &s.Policy,
	}[key]
	return into, ok
}

// checkMember looks at a member as checkHeader does at a line.
func (s *Scenario) checkMember(key string) *complaint {
	switch key {
	case "name":
		if s.Name == "" || len(s.Name) > maxWord || strings.ToValidUTF8(s.Name, "") != s.Name {
			return complain("", "a name has 1 to %d bytes of UTF-8", maxWord)
		}
	case "notes":
		for _, n := range s.Notes {
			if reason := badNote(n); reason != "" {
				return complain("", "%s", reason)
			}
		}
	case "cells":
		for i := range s.Cells {
			c := Scenario{Cells: s.Cells[:i+1]}
			if bad := c.checkHeader("cell"); bad != nil {
				return bad
			}
		}
	case "breaks":
		for i, b := range s.Breaks {
			c := Scenario{Breaks: s.Breaks[:i+1]}
			if bad := c.checkHeader("breaks"); bad != nil || len(b.Laws) == 0 {
				return complain("", "want an engine and the laws that it breaks")
			}
		}
	case "laws":
		if len(s.Laws) > 0 {
			return s.checkHeader("law")
		}
	case "replicas", "date", "seed", "found", "topology", "mode", "policy":
		return s.checkHeader(key)
	}
	return nil
}

func (d *decoder) step(s *Scenario) error {
	var t Step
	if err := d.value(&t); err != nil {
		return err
	}
	if bad := s.checkStep(&t); bad != nil {
		return d.bad("%s", bad.reason)
	}
	if len(s.Steps) >= maxSteps {
		return d.bad("more than %d steps", maxSteps)
	}
	s.Steps = append(s.Steps, t)
	return nil
}
