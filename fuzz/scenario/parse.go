package scenario

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Read parses the file at path.
func Read(path string) (*File, []byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasSuffix(path, ".json") {
		f, err := ParseJSON(path, b)
		return f, b, err
	}
	f, err := Parse(path, b)
	return f, b, err
}

// Parse reads the text of a file; name is what errors call it.
func Parse(name string, text []byte) (*File, error) {
	p := &parser{file: &File{Name: name, Format: 1}}
	if len(text) > maxFile {
		return nil, &Error{File: name, Line: 1, Column: 1, Reason: fmt.Sprintf("the file has %d bytes, at most %d", len(text), maxFile)}
	}
	for i, l := range bytes.Split(text, []byte("\n")) {
		if err := p.line(i+1, string(l)); err != nil {
			return nil, err
		}
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	if len(p.file.Scenarios) == 0 {
		return nil, &Error{File: name, Line: 1, Column: 1, Reason: `no scenario; a file begins with a line such as: scenario "delete, deliver"`}
	}
	return p.file, nil
}

// parser reads line by line.
type parser struct {
	file *File
	s    *Scenario
	said map[string]bool // headers of s that may stand once
	rows *Listing        // of the expectation under way; nil outside of one
}

// at is an error at a place.
func (p *parser) at(line, column int, format string, args ...any) error {
	return &Error{File: p.file.Name, Line: line, Column: column, Reason: fmt.Sprintf(format, args...)}
}

func (p *parser) line(number int, raw string) error {
	text := strings.TrimLeft(raw, " \t\r")
	column := len(raw) - len(text) + 1
	text = strings.TrimRight(text, " \t\r")
	if text == "" || text[0] == '#' {
		return nil
	}
	l := &line{number: number, text: text, column: column}
	if rest, ok := strings.CutPrefix(text, "note"); ok && (rest == "" || blank(rest[0])) {
		return p.note(l, strings.TrimLeft(rest, " \t\r"))
	}
	if strings.HasPrefix(text, "|") {
		return p.row(l)
	}
	var err error
	if l.words, err = split(text, column); err != nil {
		e := err.(*Error)
		return p.at(number, e.Column, "%s", e.Reason)
	}
	if len(l.words) == 0 {
		return nil
	}
	if l.words[0].text == "scenario" && !l.words[0].quoted {
		return p.begin(l)
	}
	if p.s == nil {
		return p.at(number, column, `%.40q before the first line "scenario NAME"`, l.words[0].text)
	}
	if len(p.s.Steps) == 0 {
		if ok, err := p.header(l); ok || err != nil {
			return err
		}
	}
	return p.steps(l)
}

func (p *parser) begin(l *line) error {
	if len(l.words) != 2 {
		return p.at(l.number, l.column, "want: scenario NAME (in quotes, if it has blanks)")
	}
	if err := p.done(); err != nil {
		return err
	}
	name := l.words[1]
	if name.text == "" || len(p.file.Scenarios) >= maxScenarios {
		return p.at(l.number, name.column, "no name, or more than %d scenarios", maxScenarios)
	}
	if slices.ContainsFunc(p.file.Scenarios, func(s *Scenario) bool { return s.Name == name.text }) {
		return p.at(l.number, name.column, "a second scenario %q", name.text)
	}
	p.s = &Scenario{Line: l.number, Name: name.text}
	p.said, p.rows = map[string]bool{}, nil
	return nil
}

// done ends the scenario under way.
func (p *parser) done() error {
	if p.s == nil {
		return nil
	}
	if len(p.s.Replicas) == 0 {
		p.s.Replicas = []string{"A", "B"}
	}
	p.file.Scenarios = append(p.file.Scenarios, p.s)
	p.s = nil
	return nil
}

func (p *parser) note(l *line, text string) error {
	switch {
	case p.s == nil:
		return p.at(l.number, l.column, `a note before the first line "scenario NAME"`)
	case len(p.s.Steps) > 0:
		return p.at(l.number, l.column, "a note stands before the first step; use # for comments")
	}
	if reason := badNote(text); reason != "" {
		return p.at(l.number, l.column, "%s", reason)
	}
	p.s.Notes = append(p.s.Notes, text)
	return nil
}

// header reads a line of the header; ok is false if it is none.
func (p *parser) header(l *line) (ok bool, err error) {
	key := l.words[0]
	i := slices.IndexFunc(headers, func(h struct{ word, form, says string }) bool { return h.word == key.text })
	if i < 0 || key.quoted {
		return false, nil
	}
	h := headers[i]
	args := l.words[1:]
	if n := len(args); n == 0 || h.form == strings.TrimSuffix(h.form, "…") && n != len(strings.Fields(h.form)) || h.word == "breaks" && n < 2 {
		return true, p.at(l.number, l.column, "want: %s %s", h.word, h.form)
	}
	if p.said[h.word] && h.word != "cell" && h.word != "breaks" {
		return true, p.at(l.number, l.column, "a second line %q", h.word)
	}
	p.said[h.word] = true
	var texts []string
	for _, a := range args {
		texts = append(texts, a.text)
	}
	s := p.s
	switch h.word {
	case "cell":
		s.Cells = append(s.Cells, Cell{texts[0], texts[1]})
	case "date":
		s.Date = texts[0]
	case "law":
		s.Laws = texts
	case "seed":
		s.Seed = texts[0]
	case "found":
		s.Found = texts[0]
	case "breaks":
		s.Breaks = append(s.Breaks, Break{texts[0], texts[1:]})
	case "replicas":
		s.Replicas = texts
	case "topology":
		s.Topology = Topology(texts[0])
	case "mode":
		s.Mode = Mode(texts[0])
	case "policy":
		s.Policy = texts[0]
	}
	if bad := s.checkHeader(h.word); bad != nil {
		column := l.column
		if bad.index < len(args) {
			column = args[bad.index].column
		}
		return true, p.at(l.number, column, "%s", bad.reason)
	}
	return true, nil
}

// steps reads a step, or one for each of several replicas ("A,B: create X").
func (p *parser) steps(l *line) error {
	p.rows = nil
	if len(p.s.Replicas) == 0 {
		p.s.Replicas = []string{"A", "B"}
	}
	first := l.words[0]
	var s Step
	var err error
	names, one := strings.CutSuffix(first.text, ":")
	switch {
	case first.quoted:
		err = p.at(l.number, first.column, "a quote where a verb or a replica is wanted")
	case one:
		s, err = p.local(l)
	case first.text == "expect":
		s, err = p.expectation(l)
	default:
		s, err = p.global(l)
	}
	if err != nil {
		return err
	}
	s.Line = l.number
	ats := []string{s.At}
	if one {
		ats = strings.Split(names, ",")
	}
	for _, at := range ats {
		s := s.clone()
		s.At = at
		if bad := p.s.checkStep(&s); bad != nil {
			return p.at(l.number, l.columnOf(bad), "%s", bad.reason)
		}
		if len(p.s.Steps) >= maxSteps {
			return p.at(l.number, l.column, "more than %d steps", maxSteps)
		}
		p.s.Steps = append(p.s.Steps, s)
	}
	if s.Verb == Expect {
		p.rows = p.s.Steps[len(p.s.Steps)-1].Shows
	}
	return nil
}

// columnOf is where the word that a complaint is about stands.
func (l *line) columnOf(bad *complaint) int {
	for _, w := range l.words {
		if bad.word != "" && (w.text == bad.word || strings.TrimSuffix(w.text, ":") == bad.word) {
			return w.column
		}
	}
	return l.column
}

// local reads "A: verb …".
func (p *parser) local(l *line) (s Step, err error) {
	if len(l.words) < 2 {
		return s, p.at(l.number, l.column, "want a verb after %q", l.words[0].text)
	}
	verb := l.words[1]
	r := ruleOf(Verb(verb.text))
	if r == nil || verb.quoted || r.kind != client && r.kind != fate {
		return s, p.at(l.number, verb.column, "unknown verb %.40q; a replica can %s", verb.text, known(client, fate))
	}
	s.Verb = r.verb
	return s, p.form(l, r, &s, l.words[2:])
}

// global reads a line that begins with a verb.
func (p *parser) global(l *line) (s Step, err error) {
	verb := l.words[0]
	r := ruleOf(Verb(verb.text))
	switch {
	case r == nil || r.kind == expect:
		return s, p.at(l.number, verb.column, `unknown word %.40q; a line begins with "REPLICA:" or one of %s, expect`, verb.text, known(between, all))
	case r.kind == client || r.kind == fate:
		return s, p.at(l.number, verb.column, "who is to %s? write: A: %s %s", verb.text, verb.text, r.form)
	}
	s.Verb = r.verb
	if r.kind == all {
		return s, p.form(l, r, &s, l.words[1:])
	}
	if len(l.words) < 3 {
		return s, p.at(l.number, verb.column, "want: %s REPLICA REPLICA [options]", verb.text)
	}
	s.At, s.With = l.words[1].text, l.words[2].text
	s.Run, err = p.run(l, l.words[3:])
	return s, err
}

// known lists the verbs of some kinds.
func known(kinds ...kind) string {
	var out []string
	for _, r := range rules {
		if slices.Contains(kinds, r.kind) {
			out = append(out, string(r.verb))
		}
	}
	return strings.Join(out, ", ")
}
