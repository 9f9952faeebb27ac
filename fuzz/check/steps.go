package check

import (
	"slices"
	"strings"

	"dsync/fuzz/scenario"
	"dsync/store"
)

// middle is a moment between the dates of older and of newer mail.
const middle scenario.Moment = 1_500_000_000

// name draws a mailbox that a replica shows, most often the one where changes
// collide.
func (m *maker) name(r string) store.Name {
	shown := m.shown(r)
	if slices.Contains(shown, m.box) && m.src.N(4) > 0 {
		return m.box
	}
	return shown[m.src.N(len(shown))]
}

// shown lists the mailboxes that a replica shows and that can hold mail.
func (m *maker) shown(r string) (out []store.Name) {
	for _, b := range m.t.list(r).Mailboxes {
		if !b.NoSelect {
			out = append(out, b.Name)
		}
	}
	if len(out) == 0 {
		out = append(out, store.Inbox)
	}
	return out
}

// other draws a mailbox that is not n.
func (m *maker) other(r string, n store.Name) store.Name {
	rest := slices.DeleteFunc(m.shown(r), func(x store.Name) bool { return x == n })
	if len(rest) == 0 {
		return n
	}
	return rest[m.src.N(len(rest))]
}

// message draws a message of a mailbox: most often its first.
func (m *maker) message(r string, n store.Name) scenario.Message {
	for _, b := range m.t.list(r).Mailboxes {
		if b.Name == n && len(b.Messages) > 0 {
			if m.src.N(3) > 0 {
				return b.Messages[0]
			}
			return b.Messages[m.src.N(len(b.Messages))]
		}
	}
	return scenario.Message{}
}

// anyMessage draws a mailbox that holds mail, and a message in it.
func (m *maker) anyMessage(r string) (store.Name, scenario.Message) {
	n := m.name(r)
	if x := m.message(r, n); x.Name != "" {
		return n, x
	}
	for _, n := range m.shown(r) {
		if x := m.message(r, n); x.Name != "" {
			return n, x
		}
	}
	return n, scenario.Message{Name: "none"}
}

// step draws a step of a kind at a replica. It may turn out to change nothing.
func (m *maker) step(r, kind string) scenario.Step {
	s := scenario.Step{At: r}
	switch kind {
	case "AP":
		s.Verb, s.Mailbox, s.Message = scenario.Deliver, m.name(r), m.fresh()
		if slices.Contains(m.k.Runs, "since") {
			s.Received = middle - 86400 + scenario.Moment(m.src.N(2))*2*86400
		}
	case "CP", "MV":
		s.Verb = map[string]scenario.Verb{"CP": scenario.Copy, "MV": scenario.Move}[kind]
		var x scenario.Message
		s.Mailbox, x = m.anyMessage(r)
		s.Message, s.To = x.Name, m.other(r, s.Mailbox)
	case "EX":
		s.Verb = scenario.Expunge
		var x scenario.Message
		s.Mailbox, x = m.anyMessage(r)
		s.Message = x.Name
	case "F+", "F-", "KW", "RP":
		m.flags(&s, kind)
	case "CR":
		s.Verb, s.Mailbox = scenario.Create, []store.Name{"Z", "Z", "X/C", "Y"}[m.src.N(4)]
	case "RN":
		s.Verb, s.Mailbox = scenario.Rename, m.name(r)
		s.To = []store.Name{"Z", "Z", "Y", "Y/X", "X/C"}[m.src.N(5)]
	case "DL":
		s.Verb, s.Mailbox = scenario.Delete, m.name(r)
	case "SU":
		s.Verb, s.Mailbox = scenario.Subscribe, m.name(r)
	case "US":
		s.Verb, s.Mailbox = scenario.Unsubscribe, m.subscribed(r)
	case "UV":
		s.Verb, s.Mailbox, s.Value = scenario.UIDValidity, m.name(r), []string{"up", "down"}[m.src.N(2)]
	case "MD":
		s.Verb, s.Mailbox, s.Value = scenario.Attribute, m.name(r), []string{"v", "w", "z"}[m.src.N(3)]
	}
	return s
}

func (m *maker) subscribed(r string) store.Name {
	if subs := m.t.list(r).Subscribed; len(subs) > 0 {
		return subs[m.src.N(len(subs))]
	}
	return "X"
}

var (
	systemFlags = []string{`\Flagged`, `\Seen`, `\Deleted`}
	keywords    = []string{"old", "new"}
)

// flags draws a change of the flags of a message.
func (m *maker) flags(s *scenario.Step, kind string) {
	var x scenario.Message
	s.Verb = scenario.Flag
	s.Mailbox, x = m.anyMessage(s.At)
	s.Message = x.Name
	has := func(f string) bool {
		return slices.ContainsFunc(x.Flags, func(g string) bool { return strings.EqualFold(f, g) })
	}
	from := systemFlags
	if kind == "KW" {
		from = keywords
	}
	f := from[m.src.N(len(from))]
	switch kind {
	case "F+", "F-":
		for _, g := range append([]string{f}, from...) {
			if has(g) == (kind == "F-") {
				f = g
				break
			}
		}
		s.Changes = []string{kind[1:] + f}
	case "KW":
		s.Changes = []string{map[bool]string{true: "-", false: "+"}[has(f)] + f}
	default:
		s.Verb = scenario.Replace
		for _, g := range []string{`\Seen`, `\Flagged`, "new"} {
			if m.src.N(2) == 1 {
				s.Changes = append(s.Changes, g)
			}
		}
	}
}

// undo gives the step that takes back what a step did.
func undo(s scenario.Step) (scenario.Step, bool) {
	back := scenario.Step{Verb: s.Verb, At: s.At, Mailbox: s.Mailbox, Message: s.Message, To: s.To}
	switch s.Verb {
	case scenario.Deliver:
		back.Verb = scenario.Expunge
	case scenario.Move:
		back.Mailbox, back.To = s.To, s.Mailbox
	case scenario.Flag:
		for _, c := range s.Changes {
			sign := "-"
			if c[0] == '-' {
				sign = "+"
			}
			back.Changes = append(back.Changes, sign+c[1:])
		}
	case scenario.Create:
		back.Verb = scenario.Delete
	case scenario.Rename:
		back.Mailbox, back.To = s.To, s.Mailbox
	case scenario.Subscribe:
		back.Verb = scenario.Unsubscribe
	case scenario.Unsubscribe:
		back.Verb = scenario.Subscribe
	default:
		return back, false
	}
	return back, true
}
