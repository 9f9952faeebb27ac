package scenario

import (
	"strconv"
	"strings"

	"dsync/store"
)

// expectation reads "expect …"; rows follow on lines of their own.
func (p *parser) expectation(l *line) (s Step, err error) {
	if len(l.words) < 2 {
		return s, p.at(l.number, l.column, "want: expect all, expect REPLICA, expect conflicts [RULE…] or expect exit STATUS…")
	}
	what := l.words[1]
	switch what.text {
	case "conflicts", "exit":
		s.Verb = Verb("expect " + what.text)
		for _, w := range l.words[2:] {
			n := number(w.text)
			if n < 0 {
				return s, p.at(l.number, w.column, "%.40q is no number", w.text)
			}
			s.Numbers = append(s.Numbers, n)
		}
		return s, nil
	}
	if len(l.words) > 2 {
		return s, p.at(l.number, l.words[2].column, "what is expected stands on the next lines, each with | before it")
	}
	s.Verb, s.At, s.Shows = Expect, what.text, &Listing{}
	return s, nil
}

// row reads "| NAME …" into the expectation under way.
func (p *parser) row(l *line) error {
	if p.rows == nil {
		return p.at(l.number, l.column, `a row without "expect all" or "expect REPLICA" before it`)
	}
	words, err := split(l.text[1:], l.column+1)
	if err != nil {
		e := err.(*Error)
		return p.at(l.number, e.Column, "%s", e.Reason)
	}
	if len(words) == 0 {
		return nil // an account that shows nothing
	}
	if words[0].text == "subscribed" && !words[0].quoted {
		for _, w := range words[1:] {
			if err := store.Name(w.text).Check(); err != nil {
				return p.at(l.number, w.column, "%v", err)
			}
			p.rows.Subscribed = append(p.rows.Subscribed, store.Name(w.text))
		}
		return nil
	}
	b := Mailbox{Name: store.Name(words[0].text)}
	if err := b.Name.Check(); err != nil {
		return p.at(l.number, words[0].column, "%v", err)
	}
	for _, w := range words[1:] {
		if reason := b.item(w); reason != "" {
			return p.at(l.number, w.column, "%s", reason)
		}
	}
	p.rows.Mailboxes = append(p.rows.Mailboxes, b)
	return nil
}

// item reads one word of a row.
func (b *Mailbox) item(w token) (bad string) {
	const want = `want a message such as m, 3:m or 3:m[\Seen work], (noselect) or {"attribute"}`
	text := w.text
	switch {
	case w.quoted:
		return want
	case text == "(noselect)":
		b.NoSelect = true
		return ""
	case strings.HasPrefix(text, "{"):
		v, ok := strings.CutSuffix(text[1:], "}")
		v, err := strconv.Unquote(v)
		if !ok || err != nil || v == "" || b.Attribute != "" {
			return want
		}
		b.Attribute = v
		return ""
	}
	m, reason := message(text)
	if reason != "" {
		return reason + "; " + want
	}
	b.Messages = append(b.Messages, m)
	return ""
}

// message reads "3:m[\Seen work]".
func message(text string) (m Message, bad string) {
	if i := strings.IndexByte(text, '['); i >= 0 {
		in, ok := strings.CutSuffix(text[i+1:], "]")
		if !ok {
			return m, "no ] at the end"
		}
		m.Flags = strings.Fields(in)
		for _, f := range m.Flags {
			if reason := badFlag(f); reason != "" {
				return m, reason
			}
		}
		text = text[:i]
	}
	if uid, name, ok := strings.Cut(text, ":"); ok {
		n, err := strconv.ParseUint(uid, 10, 32)
		if err != nil || n == 0 {
			return m, strconv.Quote(uid) + " is no UID"
		}
		m.UID, text = uint32(n), name
	}
	if !content(text) {
		return m, strconv.Quote(text) + " cannot name a message"
	}
	m.Name = text
	return m, ""
}
