package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dsync/store"
	"dsync/store/memory"
)

// runModel makes the same random changes in the store under test and in
// store/memory, and compares errors and dumps after each.
func runModel(t *testing.T, factory Factory) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "model")
		if err != nil {
			rt.Fatalf("%v", err)
		}
		defer os.RemoveAll(dir)
		in, err := factory(dir)
		if err != nil {
			rt.Fatalf("make the account: %v", err)
		}
		defer in.Store.Close()
		compareWithModel(rt, in.Store)
	})
}

func compareWithModel(rt *rapid.T, sut store.Store) {
	caps := sut.Capabilities()
	p := &pair{T: rt, ctx: context.Background(), caps: caps, sides: [2]store.Store{sut, memory.New(memory.Options{Capabilities: &caps})}}
	p.both("give INBOX an identity", func(s store.Store) error { return makeBox(p.ctx, s, store.Inbox) })
	for _, n := range []store.Name{"a", "b"} {
		p.both(fmt.Sprintf("create %q", n), func(s store.Store) error { return makeBox(p.ctx, s, n) })
	}
	p.deliver("a")
	steps := rapid.IntRange(3, 20).Draw(rt, "steps")
	for range steps {
		c := rapid.SampledFrom(modelChanges).Draw(rt, "change")
		if c.can == nil || c.can(caps) {
			c.make(p)
		}
	}
}

// pair is the store under test and the model.
type pair struct {
	*rapid.T
	ctx   context.Context
	caps  store.Capabilities
	sides [2]store.Store
	mails int
}

// both makes a change on both sides and compares what came of it.
func (p *pair) both(what string, do func(s store.Store) error) {
	p.Helper()
	p.Logf("%s", what)
	var errs [2]error
	for i, s := range p.sides {
		errs[i] = do(s)
	}
	if class(errs[0]) != class(errs[1]) {
		p.Fatalf("%s: the store says %v, the model %v", what, errs[0], errs[1])
	}
}

// class is the sentinel that an error wraps.
func class(err error) error {
	for _, e := range []error{store.ErrChanged, store.ErrNoMailbox, store.ErrNoMessage, store.ErrExists, store.ErrUnsupported} {
		if errors.Is(err, e) {
			return e
		}
	}
	return err
}

// equal compares the dumps.
func (p *pair) equal(what string) {
	p.Helper()
	sh := shown{guids: p.caps.KeepGUIDs, boxGUIDs: p.caps.MailboxGUIDs, uids: p.caps.AssignUIDs, bodies: true}
	var d [2]string
	for i, s := range p.sides {
		var err error
		if d[i], err = dumpWith(p.ctx, s, sh); err != nil {
			p.Fatalf("after %s: %v", what, err)
		}
	}
	if d[0] != d[1] {
		p.Fatalf("after %s the store (+) is not as the model (-):\n%s", what, diff(d[1], d[0]))
	}
}

// change makes a change on both sides and compares all.
func (p *pair) change(what string, do func(s store.Store) error) {
	p.Helper()
	p.both(what, do)
	p.equal(what)
}

var modelNames = []store.Name{"a", "a/b", "a/b/c", "b", "Größe", "Größe/x"}

func (p *pair) name() store.Name { return rapid.SampledFrom(modelNames).Draw(p.T, "name") }

// mailbox draws a mailbox that is there, more often one that holds mail.
func (p *pair) mailbox() store.Name {
	tr, _, err := p.sides[1].Tree(p.ctx)
	if err != nil {
		p.Fatalf("tree of the model: %v", err)
	}
	var names []store.Name
	for _, m := range tr.Mailboxes {
		if m.NoSelect {
			continue
		}
		names = append(names, m.Name)
		if len(p.list(p.sides[1], m.Name)) > 0 {
			names = append(names, m.Name)
		}
	}
	return rapid.SampledFrom(names).Draw(p.T, "mailbox")
}

// list gives the messages in an order that both sides share.
func (p *pair) list(s store.Store, n store.Name) []store.Message {
	sn, err := s.Scan(p.ctx, n, nil)
	if err != nil {
		p.Fatalf("scan %q of %s: %v", n, s.Location(), err)
	}
	list, _, err := sn.Describe(p.ctx, all(sn))
	if err != nil {
		p.Fatalf("describe %q of %s: %v", n, s.Location(), err)
	}
	slices.SortFunc(list, func(a, b store.Message) int { return cmp.Compare(a.UID, b.UID) })
	return list
}

// message draws the place in the listing of a message; ok is false if there is
// none.
func (p *pair) message(n store.Name) (at int, ok bool) {
	k := len(p.list(p.sides[1], n))
	if k == 0 {
		return 0, false
	}
	return rapid.IntRange(0, k-1).Draw(p.T, "message"), true
}

func (p *pair) flags() store.Flags {
	return store.Flags(rapid.Uint8Max(uint8(store.AllFlags)).Draw(p.T, "flags"))
}

func (p *pair) keywords() []string {
	if p.caps.Keywords >= 0 && p.caps.Keywords < 3 {
		return nil
	}
	return rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"$Junk", "home", "work"}), 0, 3, rapid.ID[string]).Draw(p.T, "keywords")
}

// nextUID draws a UID at or above UIDNEXT.
func (p *pair) nextUID(n store.Name) store.UID {
	st, err := p.sides[1].Status(p.ctx, n)
	if err != nil {
		p.Fatalf("status of %q in the model: %v", n, err)
	}
	return st.UIDNext + store.UID(rapid.IntRange(0, 2).Draw(p.T, "gap"))
}

// apply makes a change; the first item that failed is the error.
func (p *pair) apply(s store.Store, n store.Name, c *store.Change) error {
	r, err := s.Apply(p.ctx, n, c)
	if err != nil {
		return err
	}
	for _, list := range [][]store.Done{r.Add, r.In, r.Flags, r.UIDs, r.Expunge} {
		for _, d := range list {
			if d.Err != nil {
				return d.Err
			}
		}
	}
	return nil
}

// newMail gives what both sides stage alike, but for the key.
func (p *pair) newMail(n store.Name) (store.NewMessage, []byte) {
	p.mails++
	body := fmt.Appendf(nil, "Subject: %d\n\n%s", p.mails, rapid.SampledFrom([]string{"", "x", "\r\n\x00\xff"}).Draw(p.T, "body"))
	return store.NewMessage{
		UID: p.nextUID(n), Content: store.Content{GUID: store.GUID(fmt.Sprint("guid-", p.mails))},
		Flags: p.flags(), Keywords: p.keywords(), Received: date.Add(time.Duration(p.mails) * time.Hour),
	}, body
}

// add stages with stage and makes visible.
func (p *pair) add(s store.Store, n store.Name, m store.NewMessage, stage func(m store.NewMessage) (*store.Staged, error)) error {
	m.Key = s.ChooseKey("", false)
	st, err := stage(m)
	if err != nil {
		return err
	}
	if err := s.SyncStaged(p.ctx, []*store.Staged{st}); err != nil {
		return err
	}
	return p.apply(s, n, &store.Change{Add: []*store.Staged{st}})
}

func (p *pair) deliver(n store.Name) {
	m, body := p.newMail(n)
	p.change(fmt.Sprintf("deliver UID %d into %q", m.UID, n), func(s store.Store) error {
		return p.add(s, n, m, func(m store.NewMessage) (*store.Staged, error) {
			return s.Stage(p.ctx, n, m, bytes.NewReader(body))
		})
	})
}
