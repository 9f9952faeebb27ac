package scenario

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Print writes the file in its canonical form.
func (f *File) Print() []byte {
	var b bytes.Buffer
	for i, s := range f.Scenarios {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(s.String())
	}
	return b.Bytes()
}

// String writes the scenario in its canonical form.
func (s *Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario %s\n", word(s.Name, anyWord))
	say := func(key string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			fmt.Fprintf(&b, "  %s %s\n", key, strings.Join(values, " "))
		}
	}
	for _, n := range s.Notes {
		say("note", n)
	}
	for _, c := range s.Cells {
		say("cell", c[:]...)
	}
	say("date", s.Date)
	say("law", s.Laws...)
	say("seed", s.Seed)
	say("found", s.Found)
	for _, x := range s.Breaks {
		say("breaks", append([]string{x.Engine}, x.Laws...)...)
	}
	if !slices.Equal(s.Replicas, []string{"A", "B"}) {
		say("replicas", s.Replicas...)
	}
	say("topology", string(s.Topology))
	say("mode", string(s.Mode))
	say("policy", s.Policy)
	for i := range s.Steps {
		fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(s.Steps[i].String(), "\n", "\n  "))
	}
	return b.String()
}

// String writes the step as a line; an expectation's rows follow on lines of their
// own.
func (s Step) String() string {
	r := ruleOf(s.Verb)
	if r == nil {
		return string(s.Verb)
	}
	switch {
	case s.Verb == Expect:
		out := "expect " + s.At
		if s.Shows != nil {
			for _, row := range s.Shows.Rows() {
				out += "\n  | " + row
			}
		}
		return out
	case r.kind == expect:
		out := string(s.Verb)
		for _, n := range s.Numbers {
			out += " " + decimal(n)
		}
		return out
	case r.kind == between:
		return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", s.Verb, s.At, s.With, s.Run.text()))
	case r.kind == all:
		return s.formText(r)
	}
	return s.At + ": " + s.formText(r)
}

// clone copies the step so that nothing is shared.
func (s Step) clone() Step {
	s.Changes, s.Numbers = slices.Clone(s.Changes), slices.Clone(s.Numbers)
	if s.Run != nil {
		r := *s.Run
		r.Only, r.Except = slices.Clone(r.Only), slices.Clone(r.Except)
		r.During = slices.Clone(r.During)
		for i := range r.During {
			r.During[i].Step = r.During[i].Step.clone()
		}
		s.Run = &r
	}
	if s.Shows != nil {
		l := *s.Shows
		s.Shows = &l
	}
	return s
}

// Clone copies the scenario; Steps may be changed then.
func (s *Scenario) Clone() *Scenario {
	c := *s
	c.Steps = make([]Step, len(s.Steps))
	for i := range s.Steps {
		c.Steps[i] = s.Steps[i].clone()
	}
	return &c
}

func (s *Step) equal(o *Step) bool { return reflect.DeepEqual(s, o) }

func (r *Run) empty() bool { return reflect.DeepEqual(*r, Run{}) }

// Edit is an expectation that is to say something else: the step that stands in
// the text at Step.Line, as it shall be.
type Edit struct{ Step Step }

// Rewrite puts expectations into the text of a file in the place of those that
// stand at the same lines. All else stays, comments too.
func Rewrite(text []byte, edits []Edit) []byte {
	lines := strings.Split(string(text), "\n")
	by := map[int]Step{}
	for _, e := range edits {
		by[e.Step.Line] = e.Step
	}
	var out []string
	for i := 0; i < len(lines); i++ {
		s, ok := by[i+1]
		if !ok {
			out = append(out, lines[i])
			continue
		}
		indent := lines[i][:len(lines[i])-len(strings.TrimLeft(lines[i], " \t"))]
		for _, l := range strings.Split(s.String(), "\n") {
			out = append(out, indent+l)
		}
		for i+1 < len(lines) && strings.HasPrefix(strings.TrimLeft(lines[i+1], " \t"), "|") {
			i++
		}
	}
	return []byte(strings.Join(out, "\n"))
}
