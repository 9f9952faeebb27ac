package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dsync/fuzz/live"
	"dsync/fuzz/scenario"
	"dsync/store"
)

// Stores is the engine that tests a mail store: whole sessions of dsync, in which the
// first replica's account is in the store under test and the others are in memory.
// Clients act at it by the store's own methods. After each of their operations the
// store must show what the operation says and nothing else; what it shows instead is
// told with the next run, as law P0.
//
// open makes a new and empty account, open for writing; dir is an empty directory
// that it may use, removed when the engine is closed. The account is closed by the
// world.
func Stores(name string, open func(dir string) (store.Store, error)) *Sessions {
	return &Sessions{name: name, kind: underTest, open: open}
}

// account makes the account under test.
func (e *Sessions) account(id uint64) (*live.Account, error) {
	dir := filepath.Join(e.dir, fmt.Sprintf("w%d", id))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	st, err := e.open(dir)
	if err != nil {
		return nil, fmt.Errorf("make an account of %s: %w", e.name, err)
	}
	return live.NewStore(fmt.Sprintf("%s:w%d", e.name, id), st), nil
}

// lacks reports whether a store has no means for a step.
func (w *sessions) lacks(a *live.Account, s scenario.Step) (bool, error) {
	switch s.Verb {
	case scenario.Save, scenario.Restore, scenario.Clone, scenario.Damage:
		return true, nil
	}
	st, err := a.Open()
	if err != nil {
		return false, err
	}
	caps := st.Capabilities()
	switch s.Verb {
	case scenario.Attribute:
		return !caps.Attributes, nil
	case scenario.Subscribe, scenario.Unsubscribe:
		return !caps.Subscriptions, nil
	case scenario.UIDValidity, scenario.UIDNext:
		return !caps.AssignUIDs, nil
	case scenario.Flag, scenario.Replace:
		return caps.Keywords == 0 && slices.ContainsFunc(s.Changes, func(c string) bool { return !strings.Contains(c, `\`) }), nil
	}
	return false, nil
}

// watched makes a client's operation at the store under test, and compares what the
// store shows then with what the step says.
func (w *sessions) watched(s scenario.Step, do func() error) error {
	before, err := w.List(s.At)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		w.pending = append(w.pending, fmt.Sprintf("P0: %s: %v", s, err))
		return nil
	}
	after, err := w.List(s.At)
	if err != nil {
		return err
	}
	if why := strange(s, before, after); why != "" {
		w.pending = append(w.pending, fmt.Sprintf("P0: %s: %s", s, why))
	}
	return nil
}

// Final tells what was seen since the last run.
func (w *sessions) Final() []string {
	out := w.pending
	w.pending = nil
	return out
}

// strange says how a listing differs from what a step makes of the one before.
func strange(s scenario.Step, before, after *scenario.Listing) string {
	if twins(s, before) {
		return ""
	}
	want := effect(s, before.WithoutUIDs())
	if got := after.WithoutUIDs(); want.WithoutUIDs().String() != got.String() {
		return fmt.Sprintf("shows\n%s\nwant\n%s", got, want.WithoutUIDs())
	}
	if s.Verb == scenario.UIDValidity || s.Verb == scenario.Rename {
		return ""
	}
	for _, b := range after.Mailboxes {
		was := mailbox(before, b.Name)
		if was == nil || b.NoSelect || was.UIDValidity == 0 {
			continue
		}
		if was.UIDValidity != b.UIDValidity || was.GUID != b.GUID || b.UIDNext < was.UIDNext {
			return fmt.Sprintf("%s went from GUID %s, UIDVALIDITY %d, UIDNEXT %d to %s, %d, %d", b.Name, was.GUID, was.UIDValidity, was.UIDNext, b.GUID, b.UIDValidity, b.UIDNext)
		}
		for _, m := range b.Messages {
			old := slices.IndexFunc(was.Messages, func(x scenario.Message) bool { return x.UID == m.UID })
			switch {
			case old >= 0 && (was.Messages[old].Name != m.Name || was.Messages[old].GUID != m.GUID || was.Messages[old].Received != m.Received):
				return fmt.Sprintf("UID %d of %s was %s and is %s", m.UID, b.Name, was.Messages[old].Name, m.Name)
			case old < 0 && m.UID < was.UIDNext || m.UID >= b.UIDNext:
				return fmt.Sprintf("%s in %s got UID %d, UIDNEXT was %d and is %d", m.Name, b.Name, m.UID, was.UIDNext, b.UIDNext)
			}
		}
	}
	return ""
}

// twins reports whether a step may mean one or the other of two messages.
func twins(s scenario.Step, l *scenario.Listing) bool {
	b, n := mailbox(l, s.Mailbox), 0
	if b == nil || s.Message == "" || s.Verb == scenario.Deliver {
		return false
	}
	for _, m := range b.Messages {
		if m.Name == s.Message {
			n++
		}
	}
	return n > 1
}

// effect is what a listing shows after a step, but for UIDs.
func effect(s scenario.Step, l *scenario.Listing) *scenario.Listing {
	switch s.Verb {
	case scenario.Create:
		l.Mailboxes = append(l.Mailboxes, scenario.Mailbox{Name: s.Mailbox})
	case scenario.Rename:
		renameIn(l, s)
	case scenario.Delete:
		for i, b := range l.Mailboxes {
			if b.Name == s.Mailbox && b.Name != store.Inbox {
				l.Mailboxes[i] = scenario.Mailbox{Name: b.Name, NoSelect: true}
			}
		}
	case scenario.Subscribe, scenario.Unsubscribe:
		l.Subscribed = slices.DeleteFunc(l.Subscribed, func(n store.Name) bool { return n == s.Mailbox })
		if s.Verb == scenario.Subscribe {
			l.Subscribed = append(l.Subscribed, s.Mailbox)
		}
	case scenario.Attribute:
		if b := mailbox(l, s.Mailbox); b != nil {
			b.Attribute = s.Value
		}
	default:
		mailIn(l, s)
	}
	return withParents(l)
}

// mailIn changes the messages of a listing.
func mailIn(l *scenario.Listing, s scenario.Step) {
	b, to := mailbox(l, s.Mailbox), mailbox(l, s.To)
	if b == nil {
		return
	}
	if s.Verb == scenario.Deliver {
		b.Messages = append(b.Messages, scenario.Message{Name: s.Message})
		return
	}
	i := slices.IndexFunc(b.Messages, func(m scenario.Message) bool { return m.Name == s.Message })
	if i < 0 {
		return
	}
	m := b.Messages[i]
	switch s.Verb {
	case scenario.Expunge:
		b.Messages = slices.Delete(b.Messages, i, i+1)
	case scenario.Copy, scenario.Move:
		if to == nil || to == b && s.Verb == scenario.Move {
			return
		}
		if s.Verb == scenario.Move {
			b.Messages = slices.Delete(b.Messages, i, i+1)
		}
		to.Messages = append(to.Messages, m)
	case scenario.Replace:
		b.Messages[i].Flags = slices.Clone(s.Changes)
	case scenario.Flag:
		for _, c := range s.Changes {
			fs := slices.DeleteFunc(slices.Clone(b.Messages[i].Flags), func(f string) bool { return store.FoldKeyword(f) == store.FoldKeyword(c[1:]) })
			if c[0] == '+' {
				fs = append(fs, c[1:])
			}
			b.Messages[i].Flags = fs
		}
	}
}

// renameIn renames a mailbox with its children, unless something is in the way.
func renameIn(l *scenario.Listing, s scenario.Step) {
	taken := slices.ContainsFunc(l.Mailboxes, func(b scenario.Mailbox) bool { return b.Name == s.To })
	if taken || s.Mailbox == store.Inbox || s.To.IsUnder(s.Mailbox) {
		return
	}
	for i, b := range l.Mailboxes {
		if b.Name == s.Mailbox || b.Name.IsUnder(s.Mailbox) {
			l.Mailboxes[i].Name = s.To + b.Name[len(s.Mailbox):]
		}
	}
}

// withParents puts in the parents that must be there and leaves out those that need
// not, and mailboxes that are there twice.
func withParents(l *scenario.Listing) *scenario.Listing {
	held := map[store.Name]bool{}
	l.Mailboxes = slices.DeleteFunc(l.Mailboxes, func(b scenario.Mailbox) bool {
		again := held[b.Name] || b.NoSelect
		held[b.Name] = held[b.Name] || !b.NoSelect
		return again
	})
	for _, b := range slices.Clone(l.Mailboxes) {
		for n := b.Name.Parent(); n != "" && !held[n]; n = n.Parent() {
			held[n] = true
			l.Mailboxes = append(l.Mailboxes, scenario.Mailbox{Name: n, NoSelect: true})
		}
	}
	return l
}
