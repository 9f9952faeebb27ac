package live

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dsync/fuzz/dovecot"
	"dsync/fuzz/pure"
	"dsync/store"
)

// dovecotAccount is a Maildir whose client is a real Dovecot.
type dovecotAccount struct {
	*diskAccount
	st *dovecot.Store
	c  *dovecot.Session
	// seen is the last listing, for HIGHESTMODSEQ (P11).
	seen map[string]dovecot.Mailbox
}

func newDovecotAccount(d *dovecot.Dovecot, path string, layoutFS bool) (*dovecotAccount, error) {
	a, err := newDiskAccount(path, layoutFS)
	if err != nil {
		return nil, err
	}
	loc := "maildir:" + path
	if layoutFS {
		loc += ":LAYOUT=fs"
	}
	return &dovecotAccount{diskAccount: a, st: d.Store(loc), seen: map[string]dovecot.Mailbox{}}, nil
}

func (a *dovecotAccount) session() (*dovecot.Session, error) {
	if a.c == nil {
		c, err := a.st.Session()
		if err != nil {
			return nil, err
		}
		a.c = c
	}
	return a.c, nil
}

func (a *dovecotAccount) close() error {
	var err error
	if a.c != nil {
		err = a.c.Close()
		a.c = nil
	}
	return errors.Join(err, a.diskAccount.close())
}

// do makes the operation over IMAP. What Dovecot refuses does not apply.
func (a *dovecotAccount) do(o pure.Op) ([]string, error) {
	if o.Verb == NoIndex {
		a.seen = map[string]dovecot.Mailbox{}
		if a.c != nil {
			a.c.Close()
			a.c = nil
		}
		return a.diskAccount.do(o)
	}
	c, err := a.session()
	if err != nil {
		return nil, err
	}
	box, to := string(o.Path), string(o.Path2)
	var tokens []string
	if o.Verb == pure.DeleteBox && a.has(o.Path) && o.Path != store.Inbox {
		fs, err := a.files(o.Path)
		if err != nil {
			return nil, err
		}
		for _, f := range fs {
			tokens = append(tokens, f.token)
		}
	}
	switch o.Verb {
	case pure.Append:
		_, err = c.Append(box, bodyOf(o.Arg), receivedAt(o))
		tokens = []string{o.Arg}
	case pure.CreateBox:
		err = c.Create(box)
	case pure.RenameBox:
		if o.Path == store.Inbox || o.Path2 == store.Inbox {
			return nil, nil
		}
		err = c.Rename(box, to)
	case pure.DeleteBox:
		// Its index goes with it. Should new mail bring the mailbox back, Dovecot
		// counts anew.
		a.seen = map[string]dovecot.Mailbox{}
		err = c.Delete(box)
	case pure.Subscribe:
		err = c.Subscribe(box)
	case pure.Unsubscribe:
		err = c.Unsubscribe(box)
	case pure.Copy, pure.Move, pure.Expunge, pure.Flag, pure.Unflag, pure.Keyword, pure.Unkeyword:
		return a.mail(c, o)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, nil
	}
	return tokens, nil
}

var imapFlags = map[string]string{"A": `\Answered`, "T": `\Deleted`, "D": `\Draft`, "F": `\Flagged`, "S": `\Seen`}

func (a *dovecotAccount) mail(c *dovecot.Session, o pure.Op) ([]string, error) {
	box := string(o.Path)
	m, err := c.Examine(box)
	if err != nil || len(m.Messages) == 0 {
		return nil, nil
	}
	x := m.Messages[o.N%len(m.Messages)]
	body, err := c.Text(box, x.UID)
	if err != nil {
		return nil, fmt.Errorf("read UID %d of %s: %w", x.UID, box, err)
	}
	token := tokenOf([]byte(strings.ReplaceAll(string(body), "\r\n", "\n")))
	if token == "" {
		return nil, fmt.Errorf("UID %d of %s is damaged: %q", x.UID, box, body)
	}
	uids := []uint32{x.UID}
	switch o.Verb {
	case pure.Copy:
		err = c.Copy(box, string(o.Path2), x.UID)
	case pure.Move:
		if o.Path == o.Path2 {
			return nil, nil
		}
		err = c.Move(box, string(o.Path2), x.UID)
	case pure.Expunge:
		err = c.Expunge(box, x.UID)
	case pure.Flag:
		err = c.AddFlags(box, uids, imapFlags[o.Arg])
	case pure.Unflag:
		err = c.RemoveFlags(box, uids, imapFlags[o.Arg])
	case pure.Keyword:
		err = c.AddFlags(box, uids, o.Arg)
	case pure.Unkeyword:
		err = c.RemoveFlags(box, uids, o.Arg)
	}
	if err != nil {
		return nil, nil
	}
	return []string{token}, nil
}

// witness is what Dovecot says of both sides after a run: the same, in everything
// that a client sees; and its own HIGHESTMODSEQ rose with each change (P11).
func (w *world) witness(a, b int) error {
	var texts [2]string
	for i, r := range []int{a, b} {
		x, ok := w.acc[r].(*dovecotAccount)
		if !ok {
			return nil
		}
		if x.c != nil { // a client that connects anew
			x.c.Close()
			x.c = nil
		}
		c, err := x.session()
		if err != nil {
			return err
		}
		l, err := c.Listing()
		if err != nil {
			return fmt.Errorf("Dovecot lists %d: %w", r, err)
		}
		l.Mailboxes = slices.DeleteFunc(l.Mailboxes, func(m dovecot.Mailbox) bool {
			return m.NoSelect && !slices.ContainsFunc(l.Mailboxes, func(c dovecot.Mailbox) bool { return !c.NoSelect && strings.HasPrefix(c.Name, m.Name+"/") })
		})
		texts[i] = strings.ToLower(l.String()) // keywords: one spelling a mailbox
		old := x.seen
		x.seen = map[string]dovecot.Mailbox{}
		for _, m := range l.Mailboxes {
			key := fmt.Sprint(m.GUID, m.UIDValidity)
			was, known := old[key]
			x.seen[key] = m
			if !known || m.NoSelect {
				continue
			}
			if m.HighestModSeq < was.HighestModSeq || m.HighestModSeq == was.HighestModSeq && !slices.EqualFunc(m.Messages, was.Messages, sameRow) {
				return fmt.Errorf("P11: Dovecot's HIGHESTMODSEQ of %s at %d went from %d to %d, from %v to %v", m.Name, r, was.HighestModSeq, m.HighestModSeq, was.Messages, m.Messages)
			}
		}
	}
	if texts[0] != texts[1] {
		return fmt.Errorf("P1: Dovecot sees %d and %d differ:\n%s", a, b, diff(texts[0], texts[1]))
	}
	return nil
}

func sameRow(a, b dovecot.Message) bool { return a.String() == b.String() }
