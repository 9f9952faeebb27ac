package live

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"dsync/fuzz/pure"
	"dsync/store"
)

// storeAccount is an account in any store, changed by the store's own methods.
type storeAccount struct {
	st   store.Store
	name string
	n    int // identities given
}

// NewStore makes an account of a store that is open, new and empty. Clients act by the
// store's own methods. Closing the account closes the store.
func NewStore(name string, st store.Store) *Account {
	return &Account{&storeAccount{st: st, name: name}}
}

// kept is a store that a run's closing leaves open, at a place of its own.
type kept struct {
	store.Store
	name string
}

func (k kept) Location() string { return k.name }
func (k kept) Identity() string { return k.name }
func (k kept) Close() error     { return nil }

var errNoCopies = errors.New("an account in a store under test cannot be copied")

func (a *storeAccount) open() (store.Store, error) { return kept{a.st, a.name}, nil }
func (a *storeAccount) traces() (string, error) {
	l, err := list(a)
	if err != nil {
		return "", err
	}
	return l.text, nil
}
func (a *storeAccount) save() error          { return errNoCopies }
func (a *storeAccount) restore() error       { return errNoCopies }
func (a *storeAccount) become(account) error { return errNoCopies }
func (a *storeAccount) close() error         { return a.st.Close() }

// identity is that of a new mailbox: a GUID and UIDVALIDITY never given before.
func (a *storeAccount) identity() store.Status {
	a.n++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", a.name, a.n))
	return store.Status{GUID: store.MailboxGUID(sum[:16]), UIDValidity: store.UIDValidity(firstValidity + 10*a.n), UIDNext: 1}
}

// tree says which mailboxes can hold mail.
func (a *storeAccount) tree() (boxes []store.Name, all map[store.Name]bool, err error) {
	t, _, err := a.st.Tree(bg)
	if err != nil {
		return nil, nil, err
	}
	all = map[store.Name]bool{}
	for _, m := range t.Mailboxes {
		all[m.Name] = true
		if !m.NoSelect {
			boxes = append(boxes, m.Name)
		}
	}
	return boxes, all, nil
}

func (a *storeAccount) do(o pure.Op) ([]string, error) {
	boxes, all, err := a.tree()
	if err != nil {
		return nil, err
	}
	there := slices.Contains(boxes, o.Path)
	switch o.Verb {
	case pure.CreateBox:
		if there {
			return nil, nil
		}
		return nil, a.st.CreateMailbox(bg, o.Path, a.identity())
	case pure.RenameBox:
		return nil, a.rename(o, boxes, all)
	case pure.Subscribe, pure.Unsubscribe:
		return nil, a.st.SetSubscribed(bg, o.Path, o.Verb == pure.Subscribe)
	}
	if !there {
		return nil, nil
	}
	if err := a.identify(o.Path); err != nil {
		return nil, err
	}
	switch o.Verb {
	case pure.Append:
		body := bodyOf(o.Arg)
		return nil, a.bring(o.Path, store.NewMessage{Content: store.Content{GUID: store.GUID(guidOf(o.Arg))}, Received: receivedAt(o)}, bytes.NewReader(body))
	case pure.DeleteBox:
		return nil, a.remove(o.Path)
	case pure.SetAttr:
		return nil, a.apply(o.Path, &store.Change{Attributes: map[string]string{"/shared/comment": o.Arg}})
	case pure.RaiseNext:
		st, err := a.st.Status(bg, o.Path)
		if err != nil {
			return nil, err
		}
		return nil, a.apply(o.Path, &store.Change{UIDNext: st.UIDNext + 1})
	case pure.ResetUIDs:
		return nil, a.reset(o.Path, o.Arg == "down")
	case pure.Copy, pure.Move:
		if o.Path == o.Path2 && o.Verb == pure.Move || !slices.Contains(boxes, o.Path2) {
			return nil, nil
		}
		if err := a.identify(o.Path2); err != nil {
			return nil, err
		}
	}
	return nil, a.message(o)
}

// identify gives a mailbox an identity that has none.
func (a *storeAccount) identify(n store.Name) error {
	st, err := a.st.Status(bg, n)
	if err != nil {
		return err
	}
	id, caps, c := a.identity(), a.st.Capabilities(), store.Change{}
	if st.GUID.IsZero() && caps.MailboxGUIDs {
		c.GUID = id.GUID
	}
	if st.UIDValidity == 0 && caps.AssignUIDs {
		c.UIDValidity, c.UIDNext = id.UIDValidity, id.UIDNext
	}
	if c.GUID.IsZero() && c.UIDValidity == 0 {
		return nil
	}
	return a.apply(n, &c)
}

// apply makes a change; the first item that failed is the error.
func (a *storeAccount) apply(n store.Name, c *store.Change) error {
	r, err := a.st.Apply(bg, n, c)
	if err != nil {
		return err
	}
	for _, list := range [][]store.Done{r.Add, r.In, r.Flags, r.UIDs, r.Expunge} {
		for _, d := range list {
			err = errors.Join(err, d.Err)
		}
	}
	return err
}

func (a *storeAccount) next(n store.Name) (store.UID, error) {
	st, err := a.st.Status(bg, n)
	return st.UIDNext, err
}

// bring stages a message and makes it visible.
func (a *storeAccount) bring(n store.Name, m store.NewMessage, body io.Reader) error {
	var err error
	if m.UID, err = a.next(n); err != nil {
		return err
	}
	m.Key = a.st.ChooseKey("", false)
	s, err := a.st.Stage(bg, n, m, body)
	if err == nil {
		err = a.st.SyncStaged(bg, []*store.Staged{s})
	}
	if err != nil {
		return err
	}
	return a.apply(n, &store.Change{Add: []*store.Staged{s}, UIDNextSeen: m.UID})
}

// messages lists a mailbox with the names of contents.
func (a *storeAccount) messages(n store.Name) ([]message, error) {
	l := &listing{boxes: map[store.Name]store.Status{}}
	var text strings.Builder
	err := l.mailbox(bg, a.st, n, &text)
	return l.msgs, err
}

func (a *storeAccount) message(o pure.Op) error {
	ms, err := a.messages(o.Path)
	if err != nil || len(ms) == 0 {
		return err
	}
	i := o.N % len(ms)
	if o.Msg != "" {
		if i = slices.IndexFunc(ms, func(m message) bool { return m.token == o.Msg }); i < 0 {
			return nil
		}
	}
	m := ms[i]
	flags, words := m.Flags, slices.Clone(m.Keywords)
	switch o.Verb {
	case pure.Expunge:
		return a.apply(o.Path, &store.Change{Expunge: []store.Handle{m.Handle}})
	case pure.Copy:
		r, err := a.st.Open(bg, o.Path, m.Handle)
		if err != nil {
			return err
		}
		defer r.Close()
		return a.bring(o.Path2, store.NewMessage{Content: store.Content{GUID: m.Content.GUID}, Flags: flags, Keywords: words, Received: m.Received}, r)
	case pure.Move:
		uid, err := a.next(o.Path2)
		if err != nil {
			return err
		}
		return a.apply(o.Path2, &store.Change{In: []store.MoveIn{{From: o.Path, Handle: m.Handle, UID: uid, GUID: m.Content.GUID, Flags: flags, Keywords: words}}})
	case pure.Flag:
		flags |= flagLetters[o.Arg]
	case pure.Unflag:
		flags &^= flagLetters[o.Arg]
	case pure.Keyword, pure.Unkeyword:
		words = slices.DeleteFunc(words, func(w string) bool { return store.FoldKeyword(w) == store.FoldKeyword(o.Arg) })
		if o.Verb == pure.Keyword {
			words = append(words, o.Arg)
		}
	default:
		return nil
	}
	return a.apply(o.Path, &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Flags: flags, Keywords: words}}})
}

// remove empties a mailbox and deletes it.
func (a *storeAccount) remove(n store.Name) error {
	if n == store.Inbox {
		return nil
	}
	ms, err := a.messages(n)
	if err != nil {
		return err
	}
	c := &store.Change{}
	for _, m := range ms {
		c.Expunge = append(c.Expunge, m.Handle)
	}
	if len(ms) > 0 {
		err = a.apply(n, c)
	}
	if err != nil {
		return err
	}
	return a.st.DeleteMailbox(bg, n)
}

// rename renames a mailbox with its children, unless something is in the way.
func (a *storeAccount) rename(o pure.Op, boxes []store.Name, all map[store.Name]bool) error {
	if !all[o.Path] || all[o.Path2] || o.Path == store.Inbox || o.Path2.IsUnder(o.Path) {
		return nil
	}
	var moves []store.Rename
	for _, n := range boxes {
		if n == o.Path || n.IsUnder(o.Path) {
			moves = append(moves, store.Rename{From: n, To: o.Path2 + n[len(o.Path):]})
		}
	}
	return a.st.RenameMailboxes(bg, moves)
}

// reset gives another UIDVALIDITY, and UIDs from 1.
func (a *storeAccount) reset(n store.Name, down bool) error {
	st, err := a.st.Status(bg, n)
	if err != nil {
		return err
	}
	ms, err := a.messages(n)
	if err != nil {
		return err
	}
	a.n++
	c := &store.Change{UIDValidity: store.UIDValidity(firstValidity + 10*a.n), UIDNext: store.UID(len(ms) + 1)}
	if down {
		c.UIDValidity = store.UIDValidity(firstValidity - 10*a.n)
	}
	if c.UIDValidity == st.UIDValidity {
		return nil
	}
	for i, m := range ms {
		c.UIDs = append(c.UIDs, store.UIDChange{Handle: m.Handle, UID: store.UID(i + 1), GUID: m.Content.GUID})
	}
	return a.apply(n, c)
}
