package dovecot

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Listing is a whole store as an IMAP client sees it.
type Listing struct {
	Mailboxes     []Mailbox // INBOX first, then by name
	Subscriptions []string  // every subscribed name, sorted, existing or not
}

// Mailbox is one mailbox and its messages.
type Mailbox struct {
	Name          string
	NoSelect      bool // only a place in the tree; all below is zero
	GUID          string
	UIDValidity   uint32
	UIDNext       uint32
	HighestModSeq uint64
	Messages      []Message // by UID
}

// Message is one message of a mailbox.
type Message struct {
	UID      uint32
	GUID     string
	Flags    []string // system flags, sorted, without \Recent
	Keywords []string // sorted
	Received time.Time
	Size     int64 // RFC822.SIZE
	ModSeq   uint64
}

// Mailbox finds a mailbox by name; nil if there is none.
func (l Listing) Mailbox(name string) *Mailbox {
	for i := range l.Mailboxes {
		if l.Mailboxes[i].Name == name {
			return &l.Mailboxes[i]
		}
	}
	return nil
}

// String is the listing as text, one line per mailbox and message, without
// modseqs: two equal stores give equal texts.
func (l Listing) String() string {
	var b strings.Builder
	for _, m := range l.Mailboxes {
		fmt.Fprintf(&b, "mailbox %q noselect=%t guid=%s uidvalidity=%d uidnext=%d\n",
			m.Name, m.NoSelect, m.GUID, m.UIDValidity, m.UIDNext)
		for _, msg := range m.Messages {
			fmt.Fprintf(&b, "  %s\n", msg)
		}
	}
	fmt.Fprintf(&b, "subscriptions %q\n", l.Subscriptions)
	return b.String()
}

// String is one line without the modseq.
func (m Message) String() string {
	return fmt.Sprintf("uid=%d guid=%s flags=%v keywords=%v received=%s size=%d",
		m.UID, m.GUID, m.Flags, m.Keywords, m.Received.Format(time.RFC3339), m.Size)
}

// Listing starts a session, lists the store and ends the session.
func (s *Store) Listing() (Listing, error) {
	c, err := s.Session()
	if err != nil {
		return Listing{}, err
	}
	listing, err := c.Listing()
	return listing, errors.Join(err, c.Close())
}

// Listing lists everything. It opens mailboxes read-only (EXAMINE), so new
// mail stays in new/; Dovecot does assign UIDs to it. A name that LIST shows as a
// mailbox and that does not exist when it is opened is listed as NoSelect: Dovecot's
// index of names goes on showing a mailbox with children whose directory another
// program removed.
func (c *Session) Listing() (Listing, error) {
	var out Listing
	boxes, err := c.Mailboxes()
	if err != nil {
		return out, err
	}
	for _, box := range boxes {
		if !box.NoSelect {
			name := box.Name
			var refused *Refused
			switch box, err = c.Examine(name); {
			case errors.As(err, &refused) && strings.Contains(refused.Text, "doesn't exist"):
				box = Mailbox{Name: name, NoSelect: true}
			case err != nil:
				return out, err
			}
		}
		out.Mailboxes = append(out.Mailboxes, box)
	}
	out.Subscriptions, err = c.Subscriptions()
	return out, err
}

// Mailboxes lists the tree: names and NoSelect only.
func (c *Session) Mailboxes() ([]Mailbox, error) {
	rows, err := c.list("LIST")
	if err != nil {
		return nil, err
	}
	out := make([]Mailbox, 0, len(rows))
	for _, row := range rows {
		out = append(out, Mailbox{Name: row.name, NoSelect: row.noSelect})
	}
	slices.SortFunc(out, func(a, b Mailbox) int { return compareNames(a.Name, b.Name) })
	return out, nil
}

// Subscriptions lists every subscribed name, sorted.
func (c *Session) Subscriptions() ([]string, error) {
	rows, err := c.list("LSUB")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, row := range rows {
		if !row.noSelect { // LSUB's \Noselect is a parent, not a subscription
			out = append(out, row.name)
		}
	}
	slices.SortFunc(out, compareNames)
	return out, nil
}

type listRow struct {
	name     string
	noSelect bool
}

func (c *Session) list(verb string) ([]listRow, error) {
	responses, _, err := c.do(verb, `"" "*"`)
	if err != nil {
		return nil, err
	}
	var out []listRow
	for _, r := range responses {
		v := r.values
		if len(v) != 5 || v[1].text != verb {
			continue
		}
		name, err := DecodeName(v[4].text)
		if err != nil {
			return nil, err
		}
		row := listRow{name: name}
		for _, attribute := range v[2].list {
			a := strings.ToLower(attribute.text)
			row.noSelect = row.noSelect || a == `\noselect` || a == `\nonexistent`
		}
		out = append(out, row)
	}
	return out, nil
}

func compareNames(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "INBOX":
		return -1
	case b == "INBOX":
		return 1
	}
	return strings.Compare(a, b)
}

// Examine lists one mailbox with its messages.
func (c *Session) Examine(mailbox string) (Mailbox, error) {
	c.selected = ""
	if _, _, err := c.do("EXAMINE", nameWord(mailbox)); err != nil {
		return Mailbox{}, err
	}
	messages, err := c.messages()
	if err != nil {
		return Mailbox{}, err
	}
	if _, _, err := c.do("UNSELECT"); err != nil {
		return Mailbox{}, err
	}
	box, err := c.Status(mailbox)
	box.Messages = messages
	return box, err
}

// Status asks for what is known of a mailbox without its messages.
func (c *Session) Status(mailbox string) (Mailbox, error) {
	responses, _, err := c.do("STATUS", nameWord(mailbox), "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ X-GUID)")
	if err != nil {
		return Mailbox{}, err
	}
	for _, r := range responses {
		if len(r.values) == 4 && r.values[1].text == "STATUS" {
			return statusOf(mailbox, r.values[3].list)
		}
	}
	return Mailbox{}, fmt.Errorf("dovecot: no STATUS of %q in the answer", mailbox)
}

func statusOf(name string, items []value) (Mailbox, error) {
	box := Mailbox{Name: name}
	for i := 0; i+1 < len(items); i += 2 {
		var err error
		switch text := items[i+1].text; items[i].text {
		case "UIDVALIDITY":
			box.UIDValidity, err = number32(text)
		case "UIDNEXT":
			box.UIDNext, err = number32(text)
		case "HIGHESTMODSEQ":
			box.HighestModSeq, err = strconv.ParseUint(text, 10, 64)
		case "X-GUID":
			box.GUID = text
		}
		if err != nil {
			return box, fmt.Errorf("dovecot: STATUS of %q: %w", name, err)
		}
	}
	return box, nil
}

// messages fetches the rows of the mailbox that is open.
func (c *Session) messages() ([]Message, error) {
	responses, _, err := c.do("UID FETCH 1:* (UID X-GUID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)")
	if err != nil {
		return nil, err
	}
	var out []Message
	for _, r := range responses {
		if len(r.values) != 4 || r.values[2].text != "FETCH" {
			continue
		}
		m, err := messageOf(r.values[3].list)
		if err != nil {
			return nil, err
		}
		if m.GUID != "" { // an unasked flag report has no GUID
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b Message) int { return int(int64(a.UID) - int64(b.UID)) })
	return out, nil
}

func messageOf(items []value) (Message, error) {
	var m Message
	for i := 0; i+1 < len(items); i += 2 {
		var err error
		switch v := items[i+1]; items[i].text {
		case "UID":
			m.UID, err = number32(v.text)
		case "X-GUID":
			m.GUID = v.text
		case "FLAGS":
			m.Flags, m.Keywords = splitFlags(v.list)
		case "INTERNALDATE":
			m.Received, err = time.Parse(dateLayout, v.text)
			m.Received = m.Received.UTC()
		case "RFC822.SIZE":
			m.Size, err = strconv.ParseInt(v.text, 10, 64)
		case "MODSEQ":
			if len(v.list) == 1 {
				m.ModSeq, err = strconv.ParseUint(v.list[0].text, 10, 64)
			}
		}
		if err != nil {
			return m, fmt.Errorf("dovecot: FETCH: %w", err)
		}
	}
	return m, nil
}

func splitFlags(list []value) (flags, keywords []string) {
	for _, v := range list {
		switch {
		case strings.EqualFold(v.text, `\Recent`):
		case strings.HasPrefix(v.text, `\`):
			flags = append(flags, v.text)
		default:
			keywords = append(keywords, v.text)
		}
	}
	slices.Sort(flags)
	slices.Sort(keywords)
	return flags, keywords
}

// Text fetches a message as IMAP gives it, with CRLF line ends. The mailbox is opened
// read-only: a look that moved mail from new/ to cur/ would give it another ctime.
func (c *Session) Text(mailbox string, uid uint32) ([]byte, error) {
	c.selected = ""
	if _, _, err := c.do("EXAMINE", nameWord(mailbox)); err != nil {
		return nil, err
	}
	responses, _, err := c.do("UID FETCH", uidSet([]uint32{uid}), "BODY.PEEK[]")
	if err != nil {
		return nil, err
	}
	if _, _, err := c.do("UNSELECT"); err != nil {
		return nil, err
	}
	for _, r := range responses {
		if len(r.values) != 4 || r.values[2].text != "FETCH" {
			continue
		}
		items := r.values[3].list
		for i := 0; i+1 < len(items); i += 2 {
			if items[i].text == "BODY[]" {
				return []byte(items[i+1].text), nil
			}
		}
	}
	return nil, fmt.Errorf("dovecot: no message with UID %d in %q", uid, mailbox)
}

func number32(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err
}
