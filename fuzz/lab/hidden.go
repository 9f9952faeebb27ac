package lab

import (
	"fmt"
	"slices"

	"dsync/fuzz/scenario"
	"dsync/store"
)

// hidden tells the judge of changes that a look cannot tell apart from none or
// others: a copy that takes the place of its original, a subscription that was there
// already, and what was written twice between two looks, for it may have come back
// to what it was. Of these only presence is judged.
func (p *player) hidden(s scenario.Step) error {
	keys, err := p.writes(s)
	if err != nil || len(keys) == 0 {
		return err
	}
	if p.touched == nil {
		p.touched = map[string]map[string]bool{}
	}
	had := p.touched[s.At]
	if had == nil {
		had = map[string]bool{}
		p.touched[s.At] = had
	}
	for _, k := range keys {
		if had[k.register()] || had[k.all()] || k.reg == "*" && had["any "+k.thing] {
			p.j.loosen(p.index(s.At), k.thing)
		}
	}
	for _, k := range keys {
		had[k.register()], had["any "+k.thing] = true, true
	}
	return nil
}

// write names a register that a step writes; "*" stands for all flags.
type write struct{ thing, reg string }

func (w write) register() string { return w.thing + "\x00" + w.reg }
func (w write) all() string {
	if w.reg == place || w.reg == attribute {
		return ""
	}
	return w.thing + "\x00*"
}

// writes lists the registers that a client's step writes.
func (p *player) writes(s scenario.Step) ([]write, error) {
	switch s.Verb {
	case scenario.Expunge, scenario.Delete:
		p.j.fewer[p.index(s.At)] = true
		return nil, nil
	case scenario.Copy, scenario.Move, scenario.Flag, scenario.Replace, scenario.Subscribe, scenario.Unsubscribe, scenario.Rename, scenario.Attribute:
	default:
		return nil, nil
	}
	_, counted := s.Position()
	l := &scenario.Listing{}
	if counted || s.Verb != scenario.Move && s.Verb != scenario.Flag && s.Verb != scenario.Replace {
		var err error
		if l, err = p.w.List(s.At); err != nil {
			return nil, fmt.Errorf("line %d, list %s: %w", s.Line, s.At, err)
		}
	}
	switch s.Verb {
	case scenario.Subscribe, scenario.Unsubscribe:
		id := isSubscription + string(s.Mailbox)
		if slices.Contains(l.Subscribed, s.Mailbox) == (s.Verb == scenario.Subscribe) {
			p.j.loosen(p.index(s.At), id)
		}
		return []write{{id, place}}, nil
	case scenario.Rename, scenario.Attribute:
		return mailboxWrites(s, l), nil
	}
	name := messageName(s, l)
	if name == "" {
		return nil, nil
	}
	id := isMessage + name
	switch s.Verb {
	case scenario.Copy:
		if !holds(l, s.Mailbox, name) {
			return nil, nil
		}
		p.j.loosen(p.index(s.At), id)
		p.j.copied[p.index(s.At)][name]++
		return nil, nil
	case scenario.Move:
		return []write{{id, place}}, nil
	case scenario.Replace:
		return []write{{id, "*"}}, nil
	}
	var out []write
	for _, c := range s.Changes {
		out = append(out, write{id, store.FoldKeyword(c[1:])})
	}
	return out, nil
}

// mailboxWrites: a rename takes the children along.
func mailboxWrites(s scenario.Step, l *scenario.Listing) (out []write) {
	reg := place
	if s.Verb == scenario.Attribute {
		reg = attribute
	}
	for _, b := range l.Mailboxes {
		if b.GUID != "" && (b.Name == s.Mailbox || reg == place && b.Name.IsUnder(s.Mailbox)) {
			out = append(out, write{isMailbox + b.GUID, reg})
		}
	}
	return out
}

// holds reports whether a mailbox shows a message of a name.
func holds(l *scenario.Listing, n store.Name, name string) bool {
	return slices.ContainsFunc(l.Mailboxes, func(b scenario.Mailbox) bool {
		return b.Name == n && slices.ContainsFunc(b.Messages, func(m scenario.Message) bool { return m.Name == name })
	})
}

// messageName is the message of a step; "" if its mailbox has none.
func messageName(s scenario.Step, l *scenario.Listing) string {
	n, counted := s.Position()
	if !counted {
		return s.Message
	}
	for _, b := range l.Mailboxes {
		if b.Name == s.Mailbox && len(b.Messages) > 0 {
			return b.Messages[(n-1)%len(b.Messages)].Name
		}
	}
	return ""
}
