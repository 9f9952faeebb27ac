package draw

import (
	"slices"
	"strconv"
	"strings"

	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
	"dsync/fuzz/trace"
	"dsync/store"
)

// fate is what a conflict did to an event.
type fate struct {
	rule     int
	run      int  // the event that decided
	renumber bool // the message only got another UID
	says     string
}

// overridden finds, for each event, the conflicts that decided against it: of a run's
// conflicts each is looked for among the changes that one of the two sides had not
// seen. A conflict of which no event can be told is shown with its run alone.
func overridden(t *trace.Trace) map[int][]fate {
	m := &matcher{t: t, out: map[int][]fate{}, seen: map[string]map[int]bool{}, shown: map[string]*scenario.Listing{}, message: map[int]string{}}
	for _, r := range t.Scenario.Replicas {
		m.seen[r] = map[int]bool{}
	}
	for i := range t.Events {
		m.event(i, &t.Events[i])
	}
	return m.out
}

type matcher struct {
	t       *trace.Trace
	out     map[int][]fate
	seen    map[string]map[int]bool // by replica: events whose effects have come there
	shown   map[string]*scenario.Listing
	message map[int]string // of events that name one by its place
}

func (m *matcher) event(i int, e *trace.Event) {
	switch {
	case e.Do == nil:
	case e.Do.Verb.IsClient():
		m.message[i] = m.resolve(e.Do)
		m.seen[e.Do.At][i] = true
	case e.Report != nil:
		for _, c := range e.Report.Conflicts {
			m.conflict(i, e, c)
		}
		m.meet(e.Do)
	}
	for r, l := range e.Shows { // any order: replicas are there once
		m.shown[r] = l
	}
}

// resolve names the message that a step means by its place.
func (m *matcher) resolve(s *scenario.Step) string {
	n, ok := s.Position()
	if !ok || m.shown[s.At] == nil {
		return s.Message
	}
	for _, b := range m.shown[s.At].Mailboxes {
		if b.Name == s.Mailbox && len(b.Messages) > 0 {
			return b.Messages[(n-1)%len(b.Messages)].Name
		}
	}
	return s.Message
}

// meet lets both sides of a whole run, or its destination, have seen what the other
// has.
func (m *matcher) meet(s *scenario.Step) {
	if s.Run.Partial() {
		return
	}
	a, b := m.seen[s.At], m.seen[s.With]
	for i := range a { // any order: a sum
		b[i] = true
	}
	if s.Verb == scenario.Sync {
		for i := range b { // any order: a sum
			a[i] = true
		}
	}
}

func (m *matcher) conflict(run int, e *trace.Event, c engine.Conflict) {
	a, b := m.seen[e.Do.At], m.seen[e.Do.With]
	names := m.names(c.GUID, e)
	for i := range m.t.Events[:run] {
		if a[i] == b[i] {
			continue
		}
		is, renumber := m.against(c, i, names)
		if is && !slices.ContainsFunc(m.out[i], func(f fate) bool { return f.rule == c.Rule }) {
			m.out[i] = append(m.out[i], fate{c.Rule, run, renumber, "kept: " + c.Kept + "; lost: " + c.Lost + "; " + c.Reason})
		}
	}
}

// names lists the contents that share a GUID.
func (m *matcher) names(guid string, e *trace.Event) (out []string) {
	if guid == "" {
		return nil
	}
	for _, l := range []*scenario.Listing{m.shown[e.Do.At], m.shown[e.Do.With], e.Shows[e.Do.At], e.Shows[e.Do.With]} {
		if l == nil {
			continue
		}
		for _, b := range l.Mailboxes {
			for _, x := range b.Messages {
				if x.GUID == guid && !slices.Contains(out, x.Name) {
					out = append(out, x.Name)
				}
			}
		}
	}
	return out
}

// against reports whether an event is what a conflict decided against.
func (m *matcher) against(c engine.Conflict, i int, names []string) (is, renumber bool) {
	s := m.t.Events[i].Do
	mail := slices.Contains(names, m.message[i])
	value, set := strings.CutSuffix(c.Lost, " set")
	if !set {
		value, _ = strings.CutSuffix(c.Lost, " cleared")
	}
	switch {
	case strings.HasPrefix(c.Lost, "uid "):
		return mail && (s.Verb == scenario.Deliver || s.Verb == scenario.Copy || s.Verb == scenario.Move), true
	case c.Lost == "the expunge":
		return mail && s.Verb == scenario.Expunge || s.Verb == scenario.Delete, false
	case c.Lost == "a change of flags":
		return mail && (s.Verb == scenario.Flag || s.Verb == scenario.Replace), false
	case value != c.Lost:
		return mail && writes(s, value, set), false
	case strings.HasPrefix(c.Lost, "the move to "):
		return mail && s.Verb == scenario.Move && string(s.To) == strings.TrimPrefix(c.Lost, "the move to "), false
	case strings.HasPrefix(c.Lost, "the rename to "):
		to := store.Name(strings.TrimPrefix(c.Lost, "the rename to "))
		return s.Verb == scenario.Rename && s.To.Base() == to.Base(), false
	case strings.HasPrefix(c.Lost, "the name "):
		return m.tookName(c, s), false
	case c.Lost == "its place below its own child":
		return s.Verb == scenario.Rename && s.To.Base() == store.Name(c.Mailbox).Base(), false
	case c.Lost == "the deletion":
		return s.Verb == scenario.Delete && s.Mailbox.Base() == store.Name(c.Mailbox).Base(), false
	case c.Lost == "subscribed":
		return s.Verb == scenario.Subscribe, false
	case c.Lost == "unsubscribed":
		return s.Verb == scenario.Unsubscribe, false
	}
	_, attribute, ok := strings.Cut(c.Lost, " = ")
	return ok && s.Verb == scenario.Attribute && strconv.Quote(s.Value) == attribute, false
}

// writes reports whether a step sets, or clears, a flag or keyword.
func writes(s *scenario.Step, flag string, set bool) bool {
	sign := map[bool]string{true: "+", false: "-"}[set]
	return s.Verb == scenario.Replace || s.Verb == scenario.Flag && slices.ContainsFunc(s.Changes, func(c string) bool {
		return strings.HasPrefix(c, sign) && store.FoldKeyword(c[1:]) == store.FoldKeyword(flag)
	})
}

// tookName reports whether a step gave a mailbox the name that it lost to another:
// "the name Z of 78dd78f3", the last being digits of its GUID.
func (m *matcher) tookName(c engine.Conflict, s *scenario.Step) bool {
	name, guid, ok := strings.Cut(strings.TrimPrefix(c.Lost, "the name "), " of ")
	target := s.To
	if s.Verb == scenario.Create {
		target = s.Mailbox
	}
	if !ok || s.Verb != scenario.Create && s.Verb != scenario.Rename || string(target.Base()) != name || m.shown[s.At] == nil {
		return false
	}
	return slices.ContainsFunc(m.shown[s.At].Mailboxes, func(b scenario.Mailbox) bool {
		return b.Name == target && strings.HasPrefix(b.GUID, guid)
	})
}
