package listing

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"dsync/store"
)

// Difference is one thing in which two stores differ.
type Difference struct {
	Mailbox store.Name `json:"mailbox,omitempty"`
	UID     store.UID  `json:"uid,omitempty"`
	What    string     `json:"what"` // "mailbox", "noselect", "subscription", "attribute", "uidvalidity", "uidnext", "message", "guid", "flags", "received", "body"
	A       string     `json:"a"`
	B       string     `json:"b"`
	// Backup marks a UIDVALIDITY that is higher at B while all else in the mailbox
	// is equal: what a backup leaves where B had used the UIDs for other mail.
	Backup bool `json:"backup,omitempty"`
}

func (d Difference) String() string {
	var w strings.Builder
	if d.Mailbox != "" {
		fmt.Fprintf(&w, "%q ", string(d.Mailbox))
	}
	if d.UID != 0 {
		fmt.Fprintf(&w, "uid %d ", d.UID)
	}
	fmt.Fprintf(&w, "%s: %s | %s", d.What, d.A, d.B)
	if d.Backup {
		w.WriteString(" (all else in it is equal: so a backup leaves a mailbox whose UIDs B had used otherwise)")
	}
	return w.String()
}

// More gives the keywords that a message has besides those that its store shows.
type More func(n store.Name, m *store.Message) ([]string, error)

// Held is what explains a difference between what two stores show.
type Held struct {
	Side     int // 0: A
	Mailbox  store.Name
	Keywords []string // by FoldKeyword
	Messages int
}

// Compared says what a comparison could not compare.
type Compared struct {
	Different int          // differences but for those of a backup
	Backup    int          // mailboxes with another UIDVALIDITY, as Difference.Backup
	Skipped   []store.Skip // damaged, of either side
	Unstable  []store.Name // changed meanwhile
	Held      []Held       // keywords that count though a store does not show them
}

type comparer struct {
	side   [2]store.Store
	tree   [2]*store.Tree
	bodies bool
	more   [2]More
	report func(Difference) error
	res    Compared
}

// Compare compares what law P1 names (mailboxes, subscriptions, attributes,
// UIDVALIDITY, UIDNEXT, and by UID: GUID, flags, keywords, received date) and, if
// bodies is set, the SHA-256 of every body; never modseqs. Each difference goes to
// report as it is found. more is asked, of either side, where keywords differ.
func Compare(ctx context.Context, a, b store.Store, bodies bool, more [2]More, report func(Difference) error) (*Compared, error) {
	c := &comparer{side: [2]store.Store{a, b}, bodies: bodies, more: more, report: report}
	for i, s := range c.side {
		t, _, err := s.Tree(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: list mailboxes: %w", s.Location(), err)
		}
		c.tree[i] = t
		c.res.Skipped = append(c.res.Skipped, t.Skipped...)
	}
	if err := c.account(); err != nil {
		return nil, err
	}
	if err := c.mailboxes(ctx); err != nil {
		return nil, err
	}
	return &c.res, nil
}

func (c *comparer) differ(d Difference) error {
	if d.Backup {
		c.res.Backup++
	} else {
		c.res.Different++
	}
	return c.report(d)
}

// account compares subscriptions and the account's attributes.
func (c *comparer) account() error {
	subs := [2]map[string]string{{}, {}}
	for i, t := range c.tree {
		for _, n := range t.Subscriptions {
			subs[i][string(n)] = "subscribed"
		}
	}
	err := byKey(subs[0], subs[1], func(k, a, b string) error {
		return c.differ(Difference{Mailbox: store.Name(k), What: "subscription", A: orNone(a), B: orNone(b)})
	})
	if err != nil {
		return err
	}
	return c.attributes("", c.tree[0].Attributes, c.tree[1].Attributes)
}

func (c *comparer) attributes(n store.Name, a, b map[string]string) error {
	return byKey(a, b, func(k, x, y string) error {
		return c.differ(Difference{Mailbox: n, What: fmt.Sprintf("attribute %q", k), A: quoted(x), B: quoted(y)})
	})
}

// byKey calls found for each key whose values differ, in order.
func byKey(a, b map[string]string, found func(k, a, b string) error) error {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if a[k] != b[k] {
			if err := found(k, a[k], b[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *comparer) mailboxes(ctx context.Context) error {
	there := map[store.Name][2]string{} // what each side has under the name
	for i, t := range c.tree {
		for _, m := range t.Mailboxes {
			is := there[m.Name]
			is[i] = "mailbox"
			if m.NoSelect {
				is[i] = "noselect"
			}
			there[m.Name] = is
		}
	}
	for _, n := range slices.SortedFunc(maps.Keys(there), store.CompareNames) {
		is := there[n]
		var err error
		switch {
		case is[0] != is[1]:
			err = c.differ(Difference{Mailbox: n, What: "mailbox", A: orNone(is[0]), B: orNone(is[1])})
		case is[0] == "mailbox":
			err = c.mailbox(ctx, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *comparer) mailbox(ctx context.Context, n store.Name) error {
	var box [2]*Mailbox
	for i, s := range c.side {
		b, err := read(ctx, s, n)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Location(), err)
		}
		box[i] = b
		c.res.Skipped = append(c.res.Skipped, b.Skipped...)
	}
	before := c.res.Different
	if !box[0].Stable || !box[1].Stable {
		c.res.Unstable = append(c.res.Unstable, n)
	}
	a, b := box[0].Status, box[1].Status
	if err := c.attributes(n, a.Attributes, b.Attributes); err != nil {
		return err
	}
	if a.UIDNext != b.UIDNext {
		if err := c.differ(Difference{Mailbox: n, What: "uidnext", A: fmt.Sprint(a.UIDNext), B: fmt.Sprint(b.UIDNext)}); err != nil {
			return err
		}
	}
	if err := c.messages(ctx, box[0], box[1]); err != nil {
		return err
	}
	if a.UIDValidity == b.UIDValidity {
		return nil
	}
	return c.differ(Difference{
		Mailbox: n, What: "uidvalidity", A: fmt.Sprint(a.UIDValidity), B: fmt.Sprint(b.UIDValidity),
		Backup: c.res.Different == before && b.UIDValidity > a.UIDValidity && a.UIDValidity != 0,
	})
}

// messages walks two lists by UID.
func (c *comparer) messages(ctx context.Context, a, b *Mailbox) error {
	x, y := a.Messages, b.Messages
	for len(x) > 0 || len(y) > 0 {
		var err error
		switch {
		case len(y) == 0 || len(x) > 0 && x[0].UID < y[0].UID:
			err = c.differ(Difference{Mailbox: a.Name, UID: x[0].UID, What: "message", A: guid(&x[0]), B: "none"})
			x = x[1:]
		case len(x) == 0 || y[0].UID < x[0].UID:
			err = c.differ(Difference{Mailbox: a.Name, UID: y[0].UID, What: "message", A: "none", B: guid(&y[0])})
			y = y[1:]
		default:
			err = c.message(ctx, a.Name, &x[0], &y[0])
			x, y = x[1:], y[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *comparer) message(ctx context.Context, n store.Name, a, b *store.Message) error {
	if a.Content.GUID != b.Content.GUID {
		return c.differ(Difference{Mailbox: n, UID: a.UID, What: "guid", A: guid(a), B: guid(b)})
	}
	if err := c.explain(n, a, b); err != nil {
		return err
	}
	for _, d := range []Difference{
		{What: "flags", A: flags(a), B: flags(b)},
		{What: "received", A: a.Received.UTC().Format(time.RFC3339), B: b.Received.UTC().Format(time.RFC3339)},
	} {
		if d.A == d.B {
			continue
		}
		d.Mailbox, d.UID = n, a.UID
		if err := c.differ(d); err != nil {
			return err
		}
	}
	if !c.bodies {
		return nil
	}
	return c.body(ctx, n, a, b)
}

func (c *comparer) body(ctx context.Context, n store.Name, a, b *store.Message) error {
	var sum [2]string
	for i, m := range []*store.Message{a, b} {
		s, err := hash(ctx, c.side[i], n, m.Handle)
		switch {
		case err == nil:
			sum[i] = s
		case ctx.Err() != nil:
			return ctx.Err()
		case vanished(err):
			if !slices.Contains(c.res.Unstable, n) {
				c.res.Unstable = append(c.res.Unstable, n)
			}
			return nil
		default:
			c.res.Skipped = append(c.res.Skipped, store.Skip{Mailbox: n, Item: string(m.Handle), Err: err})
			return nil
		}
	}
	if sum[0] == sum[1] {
		return nil
	}
	return c.differ(Difference{Mailbox: n, UID: a.UID, What: "body", A: sum[0], B: sum[1]})
}

func hash(ctx context.Context, s store.Store, n store.Name, h store.Handle) (string, error) {
	r, err := s.Open(ctx, n, h)
	if err != nil {
		return "", err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), nil
}

func guid(m *store.Message) string { return quoted(string(m.Content.GUID)) }

func flags(m *store.Message) string {
	return "[" + strings.Join(append(m.Flags.Names(), keywords(m)...), " ") + "]"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func quoted(s string) string {
	if s == "" {
		return "none"
	}
	return fmt.Sprintf("%q", s)
}
