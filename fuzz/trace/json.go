package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"unicode/utf8"

	"dsync/fuzz/engine"
	"dsync/fuzz/jsonfile"
	"dsync/fuzz/scenario"
)

// Limits on what is read.
const (
	MaxFile   = 256 << 20 // bytes
	maxEvents = 1 << 20
	maxText   = 64 << 10 // bytes of a remark
	maxList   = 10_000   // findings of one event
)

// JSON writes the trace, an event a line.
func (t *Trace) JSON() ([]byte, error) {
	c := *t
	c.Format = 1
	if c.Scenario.Steps == nil { // none is a list, too
		s := *c.Scenario
		s.Steps = []scenario.Step{}
		c.Scenario = &s
	}
	c.Events = nil
	head, err := marshal(&c)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(bytes.TrimSuffix(head, []byte("null}")))
	b.WriteString("[")
	for i := range t.Events {
		line, err := marshal(&t.Events[i])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n ")
		b.Write(line)
	}
	b.WriteString("\n]}\n")
	return b.Bytes(), nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// Read parses the file at path.
func Read(path string) (*Trace, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b)
}

// Is reports whether text looks like a trace, not like a scenario file in JSON.
func Is(text []byte) bool {
	var t struct {
		Events json.RawMessage `json:"events"`
	}
	return json.Unmarshal(text, &t) == nil && t.Events != nil
}

// Parse reads what JSON writes; name is what errors call the file.
func Parse(name string, text []byte) (*Trace, error) {
	d, err := jsonfile.New(name, text, MaxFile)
	if err != nil {
		return nil, err
	}
	t := &Trace{}
	err = d.Object(func(key string) error {
		switch key {
		case "format":
			if err := d.Value(&t.Format); err != nil {
				return err
			}
			if t.Format != 1 {
				return d.Bad("format %d of a trace; this program reads 1", t.Format)
			}
			return nil
		case "scenario":
			t.Scenario, err = scenario.FromJSON(d)
			return err
		case "events":
			if t.Scenario == nil {
				return d.Bad("events before scenario")
			}
			t.Events = []Event{}
			return d.Array(func() error { return t.event(d) })
		}
		return t.member(d, key)
	})
	if err == nil {
		err = d.End()
	}
	if err == nil && (t.Format == 0 || t.Scenario == nil || t.Events == nil || t.Engine == "" || t.Mode == "") {
		err = d.BadFile("a trace needs format, engine, mode, scenario and events")
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// member reads one of the plain members.
func (t *Trace) member(d *jsonfile.Decoder, key string) error {
	into, ok := map[string]any{"engine": &t.Engine, "policy": &t.Policy, "mode": &t.Mode, "seed": &t.Seed, "failed": &t.Failed}[key]
	if !ok {
		return d.Bad("unknown member %.40q of a trace", key)
	}
	if err := d.Value(into); err != nil {
		return err
	}
	if key == "mode" && !slices.Contains(scenario.Modes(), t.Mode) {
		return d.Bad("unknown mode %.40q", string(t.Mode))
	}
	if !texts(t.Engine, t.Policy, t.Failed) {
		return d.Bad("%s: want at most %d bytes of UTF-8", key, maxText)
	}
	return nil
}

// texts reports whether remarks are such.
func texts(ss ...string) bool {
	return !slices.ContainsFunc(ss, func(s string) bool { return len(s) > maxText || !utf8.ValidString(s) })
}

// event reads one event and looks at it.
func (t *Trace) event(d *jsonfile.Decoder) error {
	var e Event
	if err := d.Value(&e); err != nil {
		return err
	}
	if len(t.Events) >= maxEvents {
		return d.Bad("more than %d events", maxEvents)
	}
	if err := t.check(&e); err != nil {
		return d.Bad("%v", err)
	}
	t.Events = append(t.Events, e)
	return nil
}

// reportTexts reports whether all that a report says are remarks.
func reportTexts(r *engine.Report) bool {
	return texts(r.Says) && texts(r.Broken...) && !slices.ContainsFunc(r.Conflicts, func(c engine.Conflict) bool {
		return !texts(c.Mailbox, c.Kept, c.Lost, c.Reason, c.GUID)
	})
}

// checkDo looks at what an event did: the step that it belongs to, or a run that
// level, sweep and converge make.
func (t *Trace) checkDo(e *Event) error {
	if err := t.Scenario.Check(e.Do); err != nil {
		return err
	}
	of := t.Scenario.Steps[e.Step-1]
	switch {
	case of.String() == e.Do.String():
		return nil
	case !e.Do.Verb.IsRun() || of.Verb != scenario.Level && of.Verb != scenario.Sweep && of.Verb != scenario.Converge:
		return fmt.Errorf("%q is not done by step %d, %q", e.Do, e.Step, of)
	}
	return nil
}

func (t *Trace) check(e *Event) error {
	s, last := t.Scenario, &Event{Step: 1}
	if n := len(t.Events); n > 0 {
		last = &t.Events[n-1]
	}
	switch {
	case e.Step < last.Step || e.Step > len(s.Steps)+1:
		return fmt.Errorf("step %d after step %d of %d", e.Step, last.Step, len(s.Steps))
	case (e.Do == nil) != (e.Step > len(s.Steps)):
		return errors.New("what was judged at the end does nothing, and all else does something")
	case e.Time < last.Time:
		return fmt.Errorf("time %s after %s", e.Time, last.Time)
	case e.Report != nil && (e.Do == nil || !e.Do.Verb.IsRun()):
		return errors.New("a report that is of no run")
	case len(e.Broken) > maxList || len(e.Unmet) > maxList || e.Report != nil && len(e.Report.Conflicts)+len(e.Report.Broken) > maxList:
		return fmt.Errorf("more than %d findings or conflicts of one event", maxList)
	}
	if e.Do != nil {
		if err := t.checkDo(e); err != nil {
			return err
		}
	}
	for _, b := range e.Broken {
		if b.Law == "" || !texts(b.Law, b.Text) {
			return errors.New("a broken law needs its name, and says at most some lines of UTF-8")
		}
	}
	if !texts(e.Unmet...) || e.Report != nil && !reportTexts(e.Report) {
		return fmt.Errorf("a remark has at most %d bytes of UTF-8", maxText)
	}
	for r, l := range e.Shows { // any order: the first fault found is as good as another
		if l == nil {
			return fmt.Errorf("nothing is shown at %.40q", r)
		}
		if err := s.Check(&scenario.Step{Verb: scenario.Expect, At: r, Shows: l.Plain()}); err != nil || r == "all" {
			return fmt.Errorf("what %.40q shows: %v", r, err)
		}
		for _, b := range l.Mailboxes {
			if !texts(b.GUID) || slices.ContainsFunc(b.Messages, func(m scenario.Message) bool { return !texts(m.GUID) || m.Size < 0 }) {
				return fmt.Errorf("what %.40q shows in %.40q is no listing", r, string(b.Name))
			}
		}
	}
	return nil
}
