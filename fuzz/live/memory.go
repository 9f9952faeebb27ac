package live

import (
	"fmt"
	"slices"
	"time"

	"dsync/fuzz/pure"
	"dsync/store"
	"dsync/store/memory"
)

// memAccount is an account in memory.
type memAccount struct {
	st    *memory.Store
	loc   string
	id    string
	saved *memory.Store
	used  map[string]map[store.UIDValidity]bool // UIDVALIDITYs a client gave, by path
	// fail and hook are given to each opening.
	fail func(op string, n store.Name, item string) error
	hook func(op string)
}

func newMemAccount(name string, seed uint64, now func() time.Time, late bool) *memAccount {
	st := memory.New(memory.Options{Name: name, Seed: seed, Clock: now, LateUIDs: late})
	return &memAccount{st: st, loc: st.Location(), id: st.Identity(), used: map[string]map[store.UIDValidity]bool{}}
}

// placed is a memory store at a place of its own: a clone that took the place of
// the original keeps that place's location and identity.
type placed struct {
	*memory.Store
	loc, id string
}

func (p placed) Location() string { return p.loc }
func (p placed) Identity() string { return p.id }

func (a *memAccount) open() (store.Store, error) {
	s := a.st.Reopen("run")
	if a.fail != nil {
		s.SetFail(a.fail)
	}
	if a.hook != nil {
		s.SetHook(a.hook)
	}
	return placed{s, a.loc, a.id}, nil
}

func (a *memAccount) close() error            { return a.st.Close() }
func (a *memAccount) traces() (string, error) { return a.st.Dump(), nil }

func (a *memAccount) save() error {
	a.saved = a.st.Clone()
	return nil
}

func (a *memAccount) restore() error {
	if a.saved != nil {
		a.st = a.saved.Clone()
	}
	return nil
}

func (a *memAccount) become(o account) error {
	a.st = o.(*memAccount).st.Clone()
	return nil
}

func (a *memAccount) do(o pure.Op) ([]string, error) {
	c := a.st.Client()
	var err error
	var touched []string
	switch o.Verb {
	case pure.Append:
		_, err = c.DeliverGUID(o.Path, store.GUID(guidOf(o.Arg)), bodyOf(o.Arg), 0, nil, receivedAt(o))
		touched = []string{o.Arg}
	case pure.Copy, pure.Move, pure.Expunge, pure.Flag, pure.Unflag, pure.Keyword, pure.Unkeyword:
		return a.doMessage(c, o)
	case pure.CreateBox:
		err = c.CreateMailbox(o.Path)
	case pure.RenameBox:
		if o.Path == store.Inbox {
			touched, _ = a.tokens(c, o.Path)
		}
		err = c.RenameMailbox(o.Path, o.Path2)
	case pure.DeleteBox:
		touched, _ = a.tokens(c, o.Path)
		err = c.DeleteMailbox(o.Path)
	case pure.Subscribe:
		err = c.Subscribe(o.Path)
	case pure.Unsubscribe:
		err = c.Unsubscribe(o.Path)
	case pure.SetAttr:
		err = c.SetAttribute(o.Path, "/shared/comment", o.Arg)
	case pure.ResetUIDs:
		err = a.resetUIDs(c, o)
	case pure.RaiseNext:
		var st store.Status
		if st, err = a.st.Status(bg, o.Path); err == nil {
			err = c.RaiseUIDNext(o.Path, st.UIDNext+1)
		}
	}
	if err != nil {
		return nil, nil // does not apply
	}
	return touched, nil
}

// resetUIDs raises or lowers the UIDVALIDITY to one that the path never had.
func (a *memAccount) resetUIDs(c *memory.Client, o pure.Op) error {
	st, err := a.st.Status(bg, o.Path)
	if err != nil {
		return err
	}
	v := st.UIDValidity + 7
	if o.Arg == "down" && st.UIDValidity > 7 {
		v = st.UIDValidity - 7
	}
	u := a.used[string(o.Path)]
	if u == nil {
		u = map[store.UIDValidity]bool{}
		a.used[string(o.Path)] = u
	}
	u[st.UIDValidity] = true
	if u[v] {
		return store.ErrExists
	}
	u[v] = true
	return c.ResetUIDs(o.Path, v)
}

func (a *memAccount) body(n store.Name, m store.Message) (string, error) {
	s := a.st.Reopen("client")
	defer s.Close()
	r, err := s.Open(bg, n, m.Handle)
	if err != nil {
		return "", err
	}
	defer r.Close()
	return readToken(r)
}

func (a *memAccount) tokens(c *memory.Client, n store.Name) ([]string, error) {
	ms, err := c.Messages(n)
	var out []string
	for _, m := range ms {
		t, err := a.body(n, m)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, err
}

func (a *memAccount) doMessage(c *memory.Client, o pure.Op) ([]string, error) {
	ms, err := c.Messages(o.Path)
	if err != nil || len(ms) == 0 {
		return nil, nil
	}
	tokens, err := a.tokens(c, o.Path)
	if err != nil {
		return nil, err
	}
	i := o.N % len(ms)
	if o.Msg != "" {
		if i = slices.Index(tokens, o.Msg); i < 0 {
			return nil, nil
		}
	}
	m := ms[i]
	switch o.Verb {
	case pure.Copy:
		_, err = c.Copy(o.Path, m.Key, o.Path2)
	case pure.Move:
		if o.Path == o.Path2 {
			return nil, nil
		}
		_, err = c.Move(o.Path, m.Key, o.Path2)
	case pure.Expunge:
		err = c.Expunge(o.Path, m.Key)
	case pure.Flag:
		err = c.AddFlags(o.Path, m.Key, flagLetters[o.Arg])
	case pure.Unflag:
		err = c.RemoveFlags(o.Path, m.Key, flagLetters[o.Arg])
	case pure.Keyword:
		err = c.AddKeywords(o.Path, m.Key, o.Arg)
	case pure.Unkeyword:
		err = c.RemoveKeywords(o.Path, m.Key, o.Arg)
	default:
		return nil, fmt.Errorf("verb %q", o.Verb)
	}
	if err != nil {
		return nil, nil
	}
	return tokens[i : i+1], nil
}
