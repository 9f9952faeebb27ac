package live

import (
	"fmt"
	"time"

	"dsync/fuzz/dovecot"
	"dsync/store"
)

// Account is one replica's mail, for harnesses outside of this package: what clients
// do to it, and how a run opens it. It is used by one goroutine, but for what a run
// opened.
type Account struct{ a account }

// NewMemory makes an account in memory; now is the clock of its clients.
func NewMemory(name string, seed uint64, now func() time.Time) *Account {
	return &Account{newMemAccount(name, seed, now, false)}
}

// NewMaildir makes a Maildir at path that clients change by plain file operations;
// with fs its mailboxes are directories within each other.
func NewMaildir(path string, fs bool) (*Account, error) {
	a, err := newDiskAccount(path, fs)
	if err != nil {
		return nil, err
	}
	return &Account{a}, nil
}

// NewDovecot makes a Maildir at path whose client is a Dovecot.
func NewDovecot(d *dovecot.Dovecot, path string, fs bool) (*Account, error) {
	a, err := newDovecotAccount(d, path, fs)
	if err != nil {
		return nil, err
	}
	return &Account{a}, nil
}

// Open opens the account as a run does; the caller closes it.
func (a *Account) Open() (store.Store, error) { return a.a.open() }

// Do makes a client's operation. One that does not apply does nothing.
func (a *Account) Do(o Op) error {
	_, err := a.a.do(o)
	return err
}

// Deliver is pure.Append with a received date.
func (a *Account) Deliver(n store.Name, token string, received time.Time) error {
	var err error
	switch x := a.a.(type) {
	case *memAccount:
		_, err = x.st.Client().DeliverGUID(n, store.GUID(guidOf(token)), bodyOf(token), 0, nil, received)
		err = nil // a mailbox that is not there: it does not apply
	case *dovecotAccount:
		c, e := x.session()
		if e != nil {
			return e
		}
		c.Append(string(n), bodyOf(token), received)
	case *diskAccount:
		if !x.has(n) {
			return nil
		}
		err = x.deliver(n, token, received, false)
	default:
		err = fmt.Errorf("account %T", a.a)
	}
	return err
}

// Renumber gives a mailbox of a Maildir another UIDVALIDITY, higher or lower, and UIDs
// from 1, or raises UIDNEXT by one (pure.ResetUIDs, pure.RaiseNext); also where
// Dovecot is the client, who has no command for it: the index, which knows the old
// numbers, is removed.
func (a *Account) Renumber(o Op) error {
	x, ok := a.a.(*dovecotAccount)
	if !ok {
		return a.Do(o)
	}
	a.Reconnect()
	if _, err := x.diskAccount.do(o); err != nil {
		return err
	}
	_, err := x.diskAccount.do(Op{Verb: NoIndex, Path: o.Path})
	return err
}

// Save keeps a copy of the mail, Restore brings it back, Become replaces the mail by
// a copy of another account's of the same kind, mark and all.
func (a *Account) Save() error { return a.a.save() }

// Restore brings back what Save kept.
func (a *Account) Restore() error { return a.a.restore() }

// Become replaces the mail by a copy of another account's of the same kind.
func (a *Account) Become(o *Account) error { return a.a.become(o.a) }

// Close removes the account.
func (a *Account) Close() error { return a.a.close() }

// Crash leaves an account in memory as the death of what had it open does: with power,
// of the machine, when what was not durable is lost. Maildirs stay as they are.
func (a *Account) Crash(power bool) {
	m, ok := a.a.(*memAccount)
	switch {
	case !ok:
	case power:
		m.st = m.st.Crash()
	default:
		m.st = m.st.Clone()
	}
}

// SetFail makes steps of what is opened from now on fail at an account in memory; ok is
// false for any other. nil: nothing fails.
func (a *Account) SetFail(fail func(op string, n store.Name, item string) error) (ok bool) {
	m, ok := a.a.(*memAccount)
	if ok {
		m.fail = fail
	}
	return ok
}

// Dovecot is the store and the session of an account whose client is a Dovecot; ok is
// false for any other.
func (a *Account) Dovecot() (st *dovecot.Store, c *dovecot.Session, err error) {
	x, ok := a.a.(*dovecotAccount)
	if !ok {
		return nil, nil, fmt.Errorf("account %T has no Dovecot", a.a)
	}
	c, err = x.session()
	return x.st, c, err
}

// Reconnect ends the session of an account whose client is a Dovecot: the next
// operation connects anew.
func (a *Account) Reconnect() {
	if x, ok := a.a.(*dovecotAccount); ok && x.c != nil {
		x.c.Close()
		x.c = nil
	}
}

// TokenOf reads the name of a message's content from its body; "" if the body is not
// as it was made.
func TokenOf(body []byte) string { return tokenOf(body) }
