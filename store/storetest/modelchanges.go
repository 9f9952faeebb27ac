package storetest

import (
	"fmt"

	"pgregory.net/rapid"

	"dsync/store"
)

// modelChange is one kind of random change; can is nil if every store has it.
type modelChange struct {
	name string
	can  func(store.Capabilities) bool
	make func(p *pair)
}

func (c modelChange) String() string { return c.name }

var modelChanges = []modelChange{
	{"deliver", nil, func(p *pair) { p.deliver(p.mailbox()) }},
	{"deliver again", nil, func(p *pair) { p.deliver(p.mailbox()) }},
	{"flags", nil, randomFlags},
	{"expunge", nil, randomExpunge},
	{"move", nil, randomMove},
	{"link", func(c store.Capabilities) bool { return c.Link }, randomLink},
	{"stale handle", nil, randomStale},
	{"uid", assigns, randomUID},
	{"renumber", assigns, randomRenumber},
	{"uidnext", assigns, randomUIDNext},
	{"mailbox attribute", attributes, randomBoxAttribute},
	{"create", nil, randomCreate},
	{"delete", nil, randomDelete},
	{"rename", nil, randomRename},
	{"swap", nil, randomSwap},
	{"subscribe", func(c store.Capabilities) bool { return c.Subscriptions }, randomSubscribe},
	{"attribute", attributes, randomAttribute},
}

func assigns(c store.Capabilities) bool    { return c.AssignUIDs }
func attributes(c store.Capabilities) bool { return c.Attributes }

func randomFlags(p *pair) {
	n := p.mailbox()
	at, ok := p.message(n)
	if !ok {
		return
	}
	fl, kws := p.flags(), p.keywords()
	p.change(fmt.Sprintf("flags %v %v of message %d in %q", fl, kws, at, n), func(s store.Store) error {
		h := p.list(s, n)[at].Handle
		return p.apply(s, n, &store.Change{Flags: []store.FlagChange{{Handle: h, Flags: fl, Keywords: kws}}})
	})
}

func randomExpunge(p *pair) {
	n := p.mailbox()
	at, ok := p.message(n)
	if !ok {
		return
	}
	p.change(fmt.Sprintf("expunge message %d in %q", at, n), func(s store.Store) error {
		return p.apply(s, n, &store.Change{Expunge: []store.Handle{p.list(s, n)[at].Handle}})
	})
}

func randomMove(p *pair) {
	from, to := p.mailbox(), p.mailbox()
	at, ok := p.message(from)
	if !ok || from == to {
		return
	}
	in := store.MoveIn{From: from, UID: p.nextUID(to), Flags: p.flags(), Keywords: p.keywords()}
	p.change(fmt.Sprintf("move message %d from %q to %q as %d", at, from, to, in.UID), func(s store.Store) error {
		in, m := in, p.list(s, from)[at]
		in.Handle, in.GUID = m.Handle, m.Content.GUID
		return p.apply(s, to, &store.Change{In: []store.MoveIn{in}})
	})
}

func randomLink(p *pair) {
	from, to := p.mailbox(), p.mailbox()
	at, ok := p.message(from)
	if !ok {
		return
	}
	link := store.NewMessage{UID: p.nextUID(to), Flags: p.flags(), Keywords: p.keywords()}
	p.change(fmt.Sprintf("link message %d of %q into %q as %d", at, from, to, link.UID), func(s store.Store) error {
		link, m := link, p.list(s, from)[at]
		link.Received, link.Content.GUID = m.Received, m.Content.GUID
		return p.add(s, to, link, func(l store.NewMessage) (*store.Staged, error) {
			return s.StageLink(p.ctx, to, l, from, m.Handle)
		})
	})
}

// randomStale changes a message's flags, then tries to change it as seen before.
func randomStale(p *pair) {
	n := p.mailbox()
	at, ok := p.message(n)
	if !ok {
		return
	}
	expunge := rapid.Bool().Draw(p.T, "expunge")
	p.change(fmt.Sprintf("stale handle of message %d in %q", at, n), func(s store.Store) error {
		m := p.list(s, n)[at]
		now := store.FlagChange{Handle: m.Handle, Flags: m.Flags ^ store.Seen, Keywords: m.Keywords}
		if err := p.apply(s, n, &store.Change{Flags: []store.FlagChange{now}}); err != nil {
			return err
		}
		c := &store.Change{Flags: []store.FlagChange{{Handle: m.Handle}}}
		if expunge {
			c = &store.Change{Expunge: []store.Handle{m.Handle}}
		}
		return p.apply(s, n, c)
	})
}

func randomUID(p *pair) {
	n := p.mailbox()
	at, ok := p.message(n)
	if !ok {
		return
	}
	uid := p.nextUID(n)
	p.change(fmt.Sprintf("UID %d for message %d in %q", uid, at, n), func(s store.Store) error {
		m := p.list(s, n)[at]
		return p.apply(s, n, &store.Change{UIDs: []store.UIDChange{{Handle: m.Handle, UID: uid, GUID: m.Content.GUID}}})
	})
}

// randomRenumber gives a new UIDVALIDITY and all messages new UIDs, backwards.
func randomRenumber(p *pair) {
	n := p.mailbox()
	st, err := p.sides[1].Status(p.ctx, n)
	if err != nil {
		p.Fatalf("status of %q in the model: %v", n, err)
	}
	p.change(fmt.Sprintf("renumber %q", n), func(s store.Store) error {
		list := p.list(s, n)
		c := &store.Change{UIDValidity: st.UIDValidity + 1, UIDNext: store.UID(len(list) + 1)}
		for i, m := range list {
			c.UIDs = append(c.UIDs, store.UIDChange{Handle: m.Handle, UID: store.UID(len(list) - i), GUID: m.Content.GUID})
		}
		return p.apply(s, n, c)
	})
}

func randomUIDNext(p *pair) {
	n, next := p.mailbox(), store.UID(rapid.IntRange(1, 40).Draw(p.T, "uidnext"))
	p.change(fmt.Sprintf("UIDNEXT %d in %q", next, n), func(s store.Store) error {
		return p.apply(s, n, &store.Change{UIDNext: next})
	})
}

func attributeValue(p *pair) string {
	return rapid.SampledFrom([]string{"", "v", "two\nlines", "ü"}).Draw(p.T, "value")
}

func randomBoxAttribute(p *pair) {
	n, v := p.mailbox(), attributeValue(p)
	p.change(fmt.Sprintf("attribute %q of %q", v, n), func(s store.Store) error {
		return p.apply(s, n, &store.Change{Attributes: map[string]string{"/private/comment": v}})
	})
}

func randomAttribute(p *pair) {
	v := attributeValue(p)
	p.change(fmt.Sprintf("attribute %q", v), func(s store.Store) error { return s.SetAttribute(p.ctx, "/shared/admin", v) })
}

func randomSubscribe(p *pair) {
	n, on := p.name(), rapid.Bool().Draw(p.T, "on")
	p.change(fmt.Sprintf("subscribe %q %v", n, on), func(s store.Store) error { return s.SetSubscribed(p.ctx, n, on) })
}

func randomCreate(p *pair) {
	n := p.name()
	p.change(fmt.Sprintf("create %q", n), func(s store.Store) error { return makeBox(p.ctx, s, n) })
}

func randomDelete(p *pair) {
	n := p.name()
	p.change(fmt.Sprintf("delete %q", n), func(s store.Store) error { return s.DeleteMailbox(p.ctx, n) })
}

func randomRename(p *pair) {
	from, to := p.mailbox(), p.name()
	if from == store.Inbox || from == to {
		return
	}
	p.change(fmt.Sprintf("rename %q to %q", from, to), func(s store.Store) error {
		return s.RenameMailboxes(p.ctx, []store.Rename{{From: from, To: to}})
	})
}

func randomSwap(p *pair) {
	a, b := p.mailbox(), p.name()
	if a == b || a == store.Inbox || b == store.Inbox {
		return
	}
	if _, err := p.sides[1].Status(p.ctx, b); err != nil {
		return // a set of which one was made and one was not: no promise
	}
	p.change(fmt.Sprintf("swap %q and %q", a, b), func(s store.Store) error {
		return s.RenameMailboxes(p.ctx, []store.Rename{{From: a, To: b}, {From: b, To: a}})
	})
}
