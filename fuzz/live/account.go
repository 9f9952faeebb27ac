package live

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"dsync/fuzz/pure"
	"dsync/store"
)

// account is one replica's mail, as clients and runs see it.
type account interface {
	// open opens the account as a run does; the caller closes it.
	open() (store.Store, error)
	// do makes a client's operation and says which messages it concerned, by
	// token; nothing if it did not apply.
	do(o pure.Op) (touched []string, err error)
	// traces names everything that a run may not change when it has nothing to
	// do.
	traces() (string, error)
	// save keeps a copy of the mail; restore brings it back.
	save() error
	restore() error
	// become replaces the mail by a copy of another account's, mark and all.
	become(o account) error
	close() error
}

// bodyOf makes the message of a token. "g0/2" has the GUID of "g0" and other bytes.
func bodyOf(token string) []byte {
	return fmt.Appendf(nil, "Subject: %s\nFrom: a@b\n\nbody of %s\n%s", token, token, strings.Repeat("x\n", len(token)%5))
}

// tokenOf reads the token back; "" if the body is not as it was made.
func tokenOf(body []byte) string {
	line, _, _ := strings.Cut(string(body), "\n")
	t, ok := strings.CutPrefix(line, "Subject: ")
	if !ok || string(bodyOf(t)) != string(body) {
		return ""
	}
	return t
}

// guidOf is the GUID that a token's first delivery is given.
func guidOf(token string) string {
	g, _, _ := strings.Cut(token, "/")
	return g
}

// receivedOf is when a token was received: a whole second, even for even last
// characters.
func receivedOf(token string) time.Time {
	n := int64(0)
	for _, c := range token {
		n = (n*31 + int64(c)) % 100000
	}
	n = n*2 + int64(token[len(token)-1]%2)
	return time.Unix(1500000000+n, 0).UTC()
}

// receivedAt is when a delivery was received: one content at each replica at another
// time, even or odd alike.
func receivedAt(o pure.Op) time.Time {
	return receivedOf(o.Arg).Add(time.Duration(2*o.R) * time.Second)
}

// message is one row of a listing.
type message struct {
	store.Message
	box   store.Name
	token string
}

// listing is what a store shows.
type listing struct {
	text  string // canonical, bodies included
	msgs  []message
	boxes map[store.Name]store.Status
}

// list looks at a store through a fresh opening.
func list(a account) (*listing, error) {
	s, err := a.open()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return listStore(s)
}

func listStore(s store.Store) (*listing, error) {
	ctx := context.Background()
	tree, _, err := s.Tree(ctx)
	if err != nil {
		return nil, err
	}
	if len(tree.Skipped) > 0 {
		return nil, fmt.Errorf("skipped %v", tree.Skipped)
	}
	l := &listing{boxes: map[store.Name]store.Status{}}
	var b strings.Builder
	for _, m := range tree.Mailboxes {
		if m.NoSelect && !slices.ContainsFunc(tree.Mailboxes, func(c store.MailboxInfo) bool { return !c.NoSelect && c.Name.IsUnder(m.Name) }) {
			continue // an empty directory: not kept (tree.md)
		}
		if m.NoSelect {
			fmt.Fprintf(&b, "mailbox %q noselect\n", m.Name)
			continue
		}
		if err := l.mailbox(ctx, s, m.Name, &b); err != nil {
			return nil, fmt.Errorf("list %q: %w", m.Name, err)
		}
	}
	fmt.Fprintf(&b, "subscribed %q\nattributes %v\n", tree.Subscriptions, tree.Attributes)
	l.text = b.String()
	return l, nil
}

func (l *listing) mailbox(ctx context.Context, s store.Store, n store.Name, b *strings.Builder) error {
	sn, err := s.Scan(ctx, n, nil)
	if err != nil {
		return err
	}
	idx := make([]int, sn.Len())
	for i := range idx {
		idx[i] = i
	}
	ms, skips, err := sn.Describe(ctx, idx)
	if err != nil {
		return err
	}
	if len(skips) > 0 {
		return fmt.Errorf("skipped %v", skips)
	}
	st := sn.Status()
	l.boxes[n] = st
	fmt.Fprintf(b, "mailbox %q guid=%s uidvalidity=%d uidnext=%d %v\n", n, st.GUID, st.UIDValidity, st.UIDNext, st.Attributes)
	slices.SortFunc(ms, func(a, b store.Message) int { return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(a.Key, b.Key)) })
	for _, m := range ms {
		r, err := s.Open(ctx, n, m.Handle)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return err
		}
		t := tokenOf(body)
		if t == "" {
			return fmt.Errorf("body damaged: %q", body)
		}
		l.msgs = append(l.msgs, message{m, n, t})
		var kws []string
		for _, k := range m.Keywords {
			kws = append(kws, store.FoldKeyword(k)) // a Maildir has one spelling for a mailbox
		}
		slices.Sort(kws)
		fmt.Fprintf(b, "  %d %q %s [%s] %v %s %d\n", m.UID, m.Content.GUID, t, strings.Join(m.Flags.Names(), " "), kws, m.Received.UTC().Format(time.RFC3339), m.Content.Size)
	}
	return nil
}

// count says how often each token is there.
func (l *listing) count() map[string]int {
	out := map[string]int{}
	for _, m := range l.msgs {
		out[m.token]++
	}
	return out
}

// plain is the text without UIDs, UIDVALIDITY, UIDNEXT and the GUIDs of mailboxes.
func (l *listing) plain() string {
	var out []string
	for _, line := range strings.Split(l.text, "\n") {
		if strings.HasPrefix(line, "  ") {
			_, line, _ = strings.Cut(strings.TrimLeft(line, " "), " ")
			line = "  " + line
		} else if i := strings.Index(line, " uidvalidity="); i >= 0 {
			name, _, _ := strings.Cut(line[:i], " guid=")
			line = name + line[strings.LastIndex(line, " "):]
		}
		out = append(out, line)
	}
	return sortRows(out)
}

// sortRows sorts the rows of each mailbox.
func sortRows(lines []string) string {
	for i := 0; i < len(lines); {
		j := i
		for j < len(lines) && strings.HasPrefix(lines[j], "  ") {
			j++
		}
		slices.Sort(lines[i:j])
		i = j + 1
	}
	return strings.Join(lines, "\n")
}

// diff lists lines that only one of two texts has.
func diff(a, b string) string {
	var out strings.Builder
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, l := range x {
		if !slices.Contains(y, l) {
			fmt.Fprintln(&out, "-", l)
		}
	}
	for _, l := range y {
		if !slices.Contains(x, l) {
			fmt.Fprintln(&out, "+", l)
		}
	}
	return out.String()
}

var flagLetters = map[string]store.Flags{"A": store.Answered, "T": store.Deleted, "D": store.Draft, "F": store.Flagged, "S": store.Seen}
