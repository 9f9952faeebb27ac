package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"dsync/fuzz/dovecot"
	"dsync/fuzz/live"
	"dsync/fuzz/scenario"
	"dsync/replay/session"
	"dsync/store"
)

// Exit statuses, as the program has them.
const (
	exitAgain = 2
	exitData  = 65
	exitTemp  = 75
)

// report is what a session came to.
func report(res *session.PairResult, err error) Report {
	rep := Report{Known: true, Bytes: -1}
	bad := trouble(res)
	rep.Says = strings.Join(bad, "; ")
	switch {
	case err != nil:
		rep.Exit, rep.Says = exitTemp, err.Error()
	case len(bad) > 0:
		rep.Exit = exitData
	case res.Outcome != nil && !res.Outcome.Equal:
		rep.Exit = exitAgain
	}
	if res == nil {
		return rep
	}
	if res.Outcome != nil {
		rep.Conflicts = conflicts(res.Outcome.Decisions)
	}
	rep.Bytes = 0
	for _, e := range res.Ends {
		if e == nil {
			continue
		}
		for _, p := range e.Reports() {
			rep.Bytes += p.Bytes
		}
	}
	return rep
}

// trouble lists what a run says it could not do.
func trouble(res *session.PairResult) (out []string) {
	if res == nil {
		return nil
	}
	for i, l := range res.Looks {
		if l == nil {
			continue
		}
		for _, n := range l.Doubt {
			out = append(out, fmt.Sprintf("side %d: %q in doubt", i, n))
		}
		for _, s := range l.Skipped {
			out = append(out, fmt.Sprintf("side %d: skipped %v", i, s))
		}
		if l.Braked != "" {
			out = append(out, fmt.Sprintf("side %d: %s", i, l.Braked))
		}
	}
	for i, e := range res.Ends {
		if e == nil {
			continue
		}
		for _, p := range e.Reports() {
			for _, f := range p.Failed {
				out = append(out, fmt.Sprintf("side %d: %s %s %s: %v", i, f.Mailbox, f.GUID, f.What, f.Err))
			}
		}
	}
	return out
}

// listStore reads a store, bodies included.
func listStore(st store.Store) (*scenario.Listing, error) {
	ctx := context.Background()
	tree, _, err := st.Tree(ctx)
	if err != nil {
		return nil, err
	}
	out := &scenario.Listing{Subscribed: slices.Clone(tree.Subscriptions)}
	for _, b := range tree.Mailboxes {
		m := scenario.Mailbox{Name: b.Name, NoSelect: b.NoSelect}
		if !b.NoSelect {
			if err := listMailbox(ctx, st, &m); err != nil {
				return nil, fmt.Errorf("list %q: %w", b.Name, err)
			}
		}
		out.Mailboxes = append(out.Mailboxes, m)
	}
	return tidy(out), nil
}

func listMailbox(ctx context.Context, st store.Store, b *scenario.Mailbox) error {
	sn, err := st.Scan(ctx, b.Name, nil)
	if err != nil {
		return err
	}
	all := make([]int, sn.Len())
	for i := range all {
		all[i] = i
	}
	ms, skipped, err := sn.Describe(ctx, all)
	if err != nil {
		return err
	}
	if len(skipped) > 0 {
		return fmt.Errorf("skipped %v", skipped)
	}
	status := sn.Status()
	if !status.GUID.IsZero() {
		b.GUID = status.GUID.String()
	}
	b.UIDValidity, b.UIDNext, b.Attribute = uint32(status.UIDValidity), uint32(status.UIDNext), status.Attributes["/shared/comment"]
	for _, m := range ms {
		name, err := nameOf(ctx, st, b.Name, m)
		if err != nil {
			return err
		}
		flags := append(m.Flags.Names(), m.Keywords...)
		slices.Sort(flags)
		b.Messages = append(b.Messages, scenario.Message{UID: uint32(m.UID), Name: name, Flags: flags, GUID: string(m.Content.GUID),
			Received: scenario.Moment(m.Received.Unix()), Size: m.Content.Size})
	}
	return nil
}

func nameOf(ctx context.Context, st store.Store, n store.Name, m store.Message) (string, error) {
	r, err := st.Open(ctx, n, m.Handle)
	if err != nil {
		return "", err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	if name := live.TokenOf(body); name != "" {
		return name, nil
	}
	return "", fmt.Errorf("UID %d is not as it was made: %.200q", m.UID, body)
}

// tidy puts a listing into order.
func tidy(l *scenario.Listing) *scenario.Listing {
	slices.SortFunc(l.Mailboxes, func(a, b scenario.Mailbox) int { return store.CompareNames(a.Name, b.Name) })
	slices.SortFunc(l.Subscribed, store.CompareNames)
	l.Mailboxes = slices.DeleteFunc(l.Mailboxes, func(b scenario.Mailbox) bool {
		return b.NoSelect && !slices.ContainsFunc(l.Mailboxes, func(c scenario.Mailbox) bool { return !c.NoSelect && c.Name.IsUnder(b.Name) })
	})
	for _, b := range l.Mailboxes {
		slices.SortStableFunc(b.Messages, func(x, y scenario.Message) int {
			return cmp.Or(cmp.Compare(x.UID, y.UID), strings.Compare(x.Name, y.Name))
		})
	}
	return l
}

// tokens are the names of contents by GUID, so that each body is read once.
type tokens struct{ of map[string]string }

// listDovecot is what Dovecot shows of an account.
func (t *tokens) listDovecot(a *live.Account) (*scenario.Listing, error) {
	_, c, err := a.Dovecot()
	if err != nil {
		return nil, err
	}
	l, err := c.Listing()
	if err != nil {
		return nil, err
	}
	if t.of == nil {
		t.of = map[string]string{}
	}
	out := &scenario.Listing{}
	for _, b := range l.Mailboxes {
		m := scenario.Mailbox{Name: store.Name(b.Name), NoSelect: b.NoSelect, GUID: b.GUID, UIDValidity: b.UIDValidity, UIDNext: b.UIDNext}
		for _, x := range b.Messages {
			name, err := t.name(c, b.Name, x)
			if err != nil {
				return nil, err
			}
			flags := append(slices.Clone(x.Flags), x.Keywords...)
			slices.Sort(flags)
			m.Messages = append(m.Messages, scenario.Message{UID: x.UID, Name: name, Flags: flags, GUID: x.GUID, Received: scenario.Moment(x.Received.Unix()), Size: x.Size})
		}
		out.Mailboxes = append(out.Mailboxes, m)
	}
	for _, n := range l.Subscriptions {
		out.Subscribed = append(out.Subscribed, store.Name(n))
	}
	return tidy(out), nil
}

func (t *tokens) name(c *dovecot.Session, box string, m dovecot.Message) (string, error) {
	if name, ok := t.of[m.GUID]; ok {
		return name, nil
	}
	body, err := c.Text(box, m.UID)
	if err != nil {
		return "", errors.Join(fmt.Errorf("read UID %d of %s", m.UID, box), err)
	}
	name := live.TokenOf([]byte(strings.ReplaceAll(string(body), "\r\n", "\n")))
	if name == "" {
		return "", fmt.Errorf("UID %d of %s is not as it was made: %.200q", m.UID, box, body)
	}
	t.of[m.GUID] = name
	return name, nil
}
