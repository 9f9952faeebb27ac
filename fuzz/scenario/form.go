package scenario

import (
	"slices"
	"strconv"
	"strings"

	"dsync/store"
)

// form reads what follows a verb as its form says.
func (p *parser) form(l *line, r *rule, s *Step, args []token) error {
	want := strings.TrimSpace("want: " + string(r.verb) + " " + r.form)
	i := 0
	for _, f := range parts(r.form) {
		if i == len(args) {
			if f.optional {
				return nil
			}
			return p.at(l.number, l.column, "%s", want)
		}
		for n := 0; i < len(args) && (n == 0 || f.many); n++ {
			a := args[i]
			if f.name == "" && !(slices.Contains(f.words, a.text) && !a.quoted) {
				return p.at(l.number, a.column, "%.40q where %s is wanted; %s", a.text, strings.Join(f.words, " or "), want)
			}
			if err := s.set(f, a.text); err != nil {
				return p.at(l.number, a.column, "%v", err)
			}
			i++
		}
	}
	if i < len(args) {
		return p.at(l.number, args[i].column, "%.40q is one word too many; %s", args[i].text, want)
	}
	return nil
}

// set puts a word into the field that a form names.
func (s *Step) set(f part, text string) error {
	switch f.name {
	case "NAME", "MESSAGE":
		s.Message = text
	case "MAILBOX":
		s.Mailbox = store.Name(text)
	case "OTHER":
		s.To = store.Name(text)
	case "REPLICA":
		s.With = text
	case "TEXT":
		s.Value = text
	case "TIME":
		return s.Received.UnmarshalText([]byte(text))
	case "SPAN":
		return s.Span.UnmarshalText([]byte(text))
	case "CHANGE", "FLAG":
		s.Changes = append(s.Changes, text)
	case "":
		if len(f.words) > 1 {
			s.Value = text
		}
	}
	return nil
}

// get is the reverse of set: the words that a part of a form has.
func (s *Step) get(f part) []string {
	text := ""
	switch f.name {
	case "NAME", "MESSAGE":
		return []string{s.Message}
	case "MAILBOX":
		text = string(s.Mailbox)
	case "OTHER":
		text = string(s.To)
	case "REPLICA":
		return []string{s.With}
	case "TEXT":
		text = s.Value
	case "TIME":
		if s.Received == 0 {
			return nil
		}
		return []string{s.Received.String()}
	case "SPAN":
		if s.Span == 0 {
			return nil
		}
		return []string{s.Span.String()}
	case "CHANGE", "FLAG":
		return s.Changes
	default:
		if len(f.words) > 1 {
			if s.Value == "" {
				return nil
			}
			return []string{s.Value}
		}
		return f.words
	}
	return []string{word(text, anyWord)}
}

// formText writes what follows the verb.
func (s *Step) formText(r *rule) string {
	out := string(r.verb)
	ps := parts(r.form)
	for i, f := range ps {
		if f.optional && f.name == "" && len(f.words) == 1 && i+1 < len(ps) && len(s.get(ps[i+1])) == 0 {
			return out // a word that only introduces what is left out
		}
		for _, w := range s.get(f) {
			out += " " + w
		}
	}
	return out
}

// run reads what follows the replicas of a run.
func (p *parser) run(l *line, args []token) (*Run, error) {
	if len(args) == 0 {
		return nil, nil
	}
	run := &Run{}
	for len(args) > 0 {
		key := args[0]
		i := slices.IndexFunc(runOptions, func(o struct{ word, form, says string }) bool { return o.word == key.text && !key.quoted })
		if i < 0 {
			var names []string
			for _, o := range runOptions {
				names = append(names, o.word)
			}
			return nil, p.at(l.number, key.column, "unknown option %.40q of a run; known are %s", key.text, strings.Join(names, ", "))
		}
		o := runOptions[i]
		n := len(strings.Fields(o.form))
		if len(args) <= n {
			return nil, p.at(l.number, key.column, "want: %s %s", o.word, o.form)
		}
		if o.word == "during" {
			m, err := p.meanwhile(l, args[1], args[2])
			if err != nil {
				return nil, err
			}
			run.During = append(run.During, m)
		} else if err := run.set(o.word, args[1:1+n]); err != "" {
			return nil, p.at(l.number, args[1].column, "%s", err)
		}
		args = args[1+n:]
	}
	return run, nil
}

// meanwhile reads what happens in the middle of a run: a step in quotes.
func (p *parser) meanwhile(l *line, at, text token) (m Meanwhile, err error) {
	m.At = number(at.text)
	inner := &line{number: l.number, text: text.text, column: text.column}
	if inner.words, err = split(text.text, 0); err == nil && len(inner.words) == 0 {
		err = &Error{Reason: "want a step in quotes"}
	}
	if err == nil {
		if name, ok := strings.CutSuffix(inner.words[0].text, ":"); ok && !inner.words[0].quoted {
			m.Step, err = p.local(inner)
			m.Step.At = name
		} else {
			m.Step, err = p.global(inner)
		}
	}
	if e, ok := err.(*Error); ok {
		return m, p.at(l.number, text.column, "in the step %.60q: %s", text.text, e.Reason) // columns within a quote mean little
	}
	return m, err
}

func (r *Run) set(key string, args []token) (bad string) {
	text := args[0].text
	again := func(is bool) string {
		if is {
			return "a second " + key
		}
		return ""
	}
	switch key {
	case "mode":
		bad = again(r.Mode != "")
		r.Mode = Mode(text)
	case "policy":
		bad = again(r.Policy != "")
		r.Policy = text
	case "only":
		r.Only = append(r.Only, store.Name(text))
	case "except":
		r.Except = append(r.Except, text)
	case "since", "before":
		at := &r.Since
		if key == "before" {
			at = &r.Before
		}
		bad = again(*at != 0)
		if err := at.UnmarshalText([]byte(text)); err != nil {
			bad = err.Error()
		}
	case "cut":
		bad = again(r.Cut != 0)
		r.Cut = number(text)
	case "crash":
		bad = again(r.Crash != "")
		r.Crash, r.CrashAt = text, number(args[1].text)
	case "full":
		bad = again(r.Full != "")
		r.Full, r.FullAt, r.FullFor = text, number(args[1].text), number(args[2].text)
	case "power", "fail", "delay":
		seed := map[string]*string{"power": &r.Power, "fail": &r.Fail, "delay": &r.Delay}[key]
		bad = again(*seed != "")
		*seed = text
	}
	return bad
}

// number reads a count; -1 is none.
func number(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// text writes the options of a run.
func (r *Run) text() string {
	if r == nil {
		return ""
	}
	var w []string
	add := func(key string, values ...string) { w = append(append(w, key), values...) }
	if r.Mode != "" {
		add("mode", string(r.Mode))
	}
	if r.Policy != "" {
		add("policy", word(r.Policy, anyWord))
	}
	for _, n := range r.Only {
		add("only", word(string(n), anyWord))
	}
	for _, m := range r.Except {
		add("except", word(m, anyWord))
	}
	if r.Since != 0 {
		add("since", r.Since.String())
	}
	if r.Before != 0 {
		add("before", r.Before.String())
	}
	if r.Cut != 0 {
		add("cut", decimal(r.Cut))
	}
	if r.Crash != "" {
		add("crash", r.Crash, decimal(r.CrashAt))
	}
	if r.Power != "" {
		add("power", word(r.Power, anyWord))
	}
	if r.Full != "" {
		add("full", r.Full, decimal(r.FullAt), decimal(r.FullFor))
	}
	if r.Fail != "" {
		add("fail", word(r.Fail, anyWord))
	}
	if r.Delay != "" {
		add("delay", word(r.Delay, anyWord))
	}
	for _, m := range r.During {
		add("during", decimal(m.At), quote(m.Step.String()))
	}
	return strings.Join(w, " ")
}
