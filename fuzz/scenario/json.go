package scenario

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"dsync/fuzz/jsonfile"
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
	d, err := jsonfile.New(name, text, maxFile)
	if err != nil {
		return nil, err
	}
	f := &File{Name: name, Format: 1}
	format := 0
	err = d.Object(func(key string) error {
		switch key {
		case "format":
			return d.Value(&format)
		case "scenarios":
			return d.Array(func() error {
				s, err := FromJSON(d)
				if err == nil && (len(f.Scenarios) >= maxScenarios || slices.ContainsFunc(f.Scenarios, func(o *Scenario) bool { return o.Name == s.Name })) {
					err = d.Bad("a second scenario %q, or more than %d", s.Name, maxScenarios)
				}
				f.Scenarios = append(f.Scenarios, s)
				return err
			})
		}
		return d.Bad("unknown member %.40q; known are format, scenarios", key)
	})
	if err == nil {
		err = d.End()
	}
	if err == nil && (format != 1 || len(f.Scenarios) == 0) {
		err = d.BadFile(`want "format": 1 and at least one scenario`)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// FromJSON reads one scenario where a decoder stands, as strictly as ParseJSON. Its
// steps must come after its replicas.
func FromJSON(d *jsonfile.Decoder) (*Scenario, error) {
	s := &Scenario{}
	err := d.Object(func(key string) error {
		if key == "steps" {
			if len(s.Replicas) == 0 {
				return d.Bad("steps before replicas")
			}
			return d.Array(func() error { return s.stepFromJSON(d) })
		}
		into, ok := s.member(key)
		if !ok {
			return d.Bad("unknown member %.40q of a scenario", key)
		}
		if err := d.Value(into); err != nil {
			return err
		}
		if bad := s.checkMember(key); bad != nil {
			return d.Bad("%s", bad.reason)
		}
		return nil
	})
	if err == nil && (s.Name == "" || len(s.Replicas) == 0) {
		err = d.Bad("a scenario needs name and replicas")
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

func (s *Scenario) stepFromJSON(d *jsonfile.Decoder) error {
	var t Step
	if err := d.Value(&t); err != nil {
		return err
	}
	if bad := s.checkStep(&t); bad != nil {
		return d.Bad("%s", bad.reason)
	}
	if len(s.Steps) >= maxSteps {
		return d.Bad("more than %d steps", maxSteps)
	}
	s.Steps = append(s.Steps, t)
	return nil
}
