package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/cmd/internal/opener"
	"dsync/cmd/internal/peek"
	"dsync/merge"
	"dsync/replay/session"
	"dsync/store"
)

// The change log for people: what happened, and what a rule decided, in the order
// in which this log learned of it.

func doLog(ctx context.Context, o LogOptions, each func(LogLine) error) error {
	db, err := openLog(ctx, o.ChangeLog, true, lookWait)
	if err != nil {
		return err
	}
	defer db.Close()
	acc, err := findAccount(db, o.Location, o.As)
	if err != nil {
		return fmt.Errorf("read the change log of %s: %w", o.Location, err)
	}
	if acc == nil {
		return fmt.Errorf("the change log knows no account at %s: %w", o.Location, store.ErrGone)
	}
	l := &logger{ctx: ctx, acc: acc, o: o, each: each, wanted: map[store.Name]bool{}}
	for _, n := range o.Mailboxes {
		l.wanted[n] = true
	}
	if err := l.known(); err != nil {
		return err
	}
	if err := l.layout(); err != nil {
		return err
	}
	defer l.close()
	return l.merged()
}

type logger struct {
	ctx    context.Context
	acc    *logdb.Account
	o      LogOptions
	each   func(LogLine) error
	wanted map[store.Name]bool // empty: all
	lay    *changelog.Layout
	st     store.Store // with Headers; nil if it cannot be opened
}

// known refuses a name that neither the tree nor an event has.
func (l *logger) known() error {
	if len(l.wanted) == 0 {
		return nil
	}
	had := map[store.Name]bool{}
	t, err := l.acc.LoadTree()
	if err != nil {
		return err
	}
	for _, n := range t.Nodes {
		for _, p := range n.Places {
			had[p.Path] = true
		}
	}
	for _, s := range t.Layout(nil).Slots {
		had[s.Path] = true
	}
	for n := range t.UVs {
		had[n] = true
	}
	for _, b := range t.Bare {
		had[b.Name] = true
	}
	err = l.acc.Events(1, func(_ uint64, _ int64, e *changelog.Event) error {
		x := l.body(e)
		had[x.Mailbox], had[x.To] = true, true
		return l.ctx.Err()
	})
	if err != nil {
		return err
	}
	for _, n := range l.o.Mailboxes {
		if !had[n] {
			return fmt.Errorf("the change log of %s: %q: %w", l.o.Location, string(n), store.ErrNoMailbox)
		}
	}
	return nil
}

func (l *logger) layout() error {
	t, err := l.acc.LoadTree()
	if err != nil {
		return err
	}
	live, err := liveIn(l.acc)
	if err != nil {
		return err
	}
	l.lay = t.Layout(live)
	if l.o.Headers {
		if l.st, err = opener.Look(l.o.Location, l.o.As); err != nil {
			l.st = nil // the lines are as good without
		}
	}
	return nil
}

func (l *logger) close() {
	if l.st != nil {
		l.st.Close()
	}
}

// report is one stored decision.
type report struct {
	at int64
	d  *merge.Decision
}

// merged puts events and reports into one order. A run logs what it found before
// it decides, so of equal times the event comes first.
func (l *logger) merged() error {
	var failed error
	next, stop := iter.Pull(func(yield func(report) bool) {
		errStop := errors.New("stop")
		err := l.acc.Reports(1, func(_ uint64, at int64, payload []byte) error {
			d, err := session.DecodeDecision(payload)
			if err != nil {
				return err
			}
			if !yield(report{at, d}) {
				return errStop
			}
			return nil
		})
		if err != errStop {
			failed = err
		}
	})
	defer stop()
	r, ok := next()
	until := func(at int64) error {
		for ok && r.at < at {
			if err := l.decision(r); err != nil {
				return err
			}
			r, ok = next()
		}
		return failed
	}
	err := l.acc.Events(1, func(_ uint64, at int64, e *changelog.Event) error {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if err := until(at); err != nil {
			return err
		}
		return l.event(at, e)
	})
	if err != nil {
		return err
	}
	return until(1<<63 - 1)
}

func (l *logger) hides(x *LogLine) bool {
	return !l.o.Since.IsZero() && x.Time.Before(l.o.Since) ||
		len(l.wanted) > 0 && !l.wanted[x.Mailbox] && (x.To == "" || !l.wanted[x.To])
}

func (l *logger) event(at int64, e *changelog.Event) error {
	x := l.body(e)
	x.Time, x.Dot, x.Origin = time.UnixMicro(at).UTC(), e.Dot.String(), l.origin(e.Dot)
	if made := time.UnixMicro(e.Stamp.Time).UTC(); !e.Stamp.IsFound() && x.Time.Sub(made).Abs() >= time.Second {
		x.Made = made
	}
	if !e.Cause.IsZero() {
		x.Cause = e.Cause.String()
	}
	if l.hides(&x) {
		return nil
	}
	return l.each(x)
}

func (l *logger) origin(d changelog.Dot) string {
	if d.Replica.ID == l.acc.ID() {
		return "here"
	}
	return d.Replica.String()
}

// body gives the line of an event's body.
func (l *logger) body(e *changelog.Event) LogLine {
	x := LogLine{Event: e.Body.Kind().String()}
	came := func(b changelog.Deliver) {
		x.Mailbox, x.UID, x.GUID = b.Path, b.UID, b.GUID
		x.What = strings.Join(b.Flags.Names(), " ")
	}
	switch b := e.Body.(type) {
	case changelog.Deliver:
		came(b)
	case changelog.Found:
		came(changelog.Deliver(b))
	case changelog.Copy:
		came(changelog.Deliver(b))
	case changelog.Move:
		x.Mailbox, x.To, x.UID, x.GUID = b.From, b.To, b.UID, b.GUID
	case changelog.Restore:
		x.Mailbox, x.To, x.UID, x.GUID = b.From, b.To, b.UID, b.GUID
	case changelog.Expunge:
		x.Mailbox, x.UID, x.GUID = b.Path, b.UID, b.GUID
	case changelog.SetFlags:
		x.Mailbox, x.UID, x.GUID = b.Path, b.UID, l.guid(b.Message)
		x.What = signed(b.Set.Names(), b.Clear.Names())
	case changelog.SetKeywords:
		x.Mailbox, x.UID, x.GUID = b.Path, b.UID, l.guid(b.Message)
		x.What = signed(b.Set, b.Clear)
	case changelog.CreateMailbox:
		x.Mailbox, x.What = b.Path, b.Mailbox.String()
		if b.NoSelect {
			x.What += " noselect"
		}
	case changelog.RenameMailbox:
		x.Mailbox, x.To, x.What = b.From, b.To, b.Mailbox.String()
	case changelog.DeleteMailbox:
		x.Mailbox, x.What = b.Path, fmt.Sprintf("with %d messages", b.Messages)
	case changelog.Subscribe:
		x.Mailbox = b.Path
		if !b.On {
			x.Event = "unsubscribe"
		}
	case changelog.SetAttribute:
		x.Mailbox, x.What = b.Path, fmt.Sprintf("%q = %q", b.Key, b.Value)
	case changelog.RaiseUIDNext:
		x.Mailbox, x.What = b.Path, fmt.Sprintf("uidnext %d", b.UIDNext)
	case changelog.ResetUIDs:
		x.Mailbox, x.What = b.Path, fmt.Sprintf("uidvalidity %d", b.UIDValidity)
	}
	return x
}

func signed(set, clear []string) string {
	var out []string
	for _, s := range set {
		out = append(out, "+"+s)
	}
	for _, s := range clear {
		out = append(out, "-"+s)
	}
	return strings.Join(out, " ")
}

// guid is that of a message; "" if the log no longer has it.
func (l *logger) guid(d changelog.Dot) store.GUID {
	if r, err := l.acc.Record(d); err == nil && r != nil {
		return r.Content.GUID
	}
	return ""
}

func (l *logger) decision(r report) error {
	c := conflictOf(*r.d)
	x := LogLine{Time: time.UnixMicro(r.at).UTC(), Origin: "here", Event: "conflict", Overrode: &c}
	var rec *logdb.Record
	if !r.d.Message.IsZero() {
		x.Dot = r.d.Message.String()
		rec, _ = l.acc.Record(r.d.Message)
	}
	path := store.Name("")
	if rec != nil && !rec.Mailbox.IsZero() {
		if s := l.lay.In(rec.Mailbox); s != nil {
			path = s.Path
		}
		c.UID = max(c.UID, rec.UID)
	}
	if c.Mailbox == "" {
		c.Mailbox = path
	}
	x.Mailbox, x.UID, x.GUID = c.Mailbox, c.UID, c.GUID
	if l.hides(&x) {
		return nil
	}
	if l.st != nil && path != "" {
		x.Subject, x.From = l.header(path, rec.Handle)
	}
	return l.each(x)
}

// header reads what a message says of itself; nothing if it cannot be read.
func (l *logger) header(path store.Name, h store.Handle) (subject, from string) {
	in, err := l.st.Open(l.ctx, path, h)
	if err != nil {
		return "", ""
	}
	defer in.Close()
	hd := peek.Read(in)
	return hd.Subject, hd.From
}
