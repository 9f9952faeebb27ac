package engine

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"dsync/changelog"
	"dsync/fuzz/live"
	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
)

// sessions is a world of Sessions.
type sessions struct {
	e        *Sessions
	set      Setup
	replicas []*replica
	tokens   tokens // names of contents, by GUID, where Dovecot reads

	*live.Source
	states map[[2]int][]string
	runs   uint64
	trace  hash.Hash64              // of all that happened
	kinds  map[changelog.Dot]string // of changes, by the matrix of conflicts

	pending []string // laws broken since the last run
}

// note puts what happened into the trace.
func (w *sessions) note(format string, args ...any) { fmt.Fprintf(w.trace, format, args...) }

// noteAccess is note for what happens most.
func (w *sessions) noteAccess(side int, words ...string) {
	w.trace.Write([]byte{byte(side)})
	for _, word := range words {
		io.WriteString(w.trace, word)
		w.trace.Write([]byte{0})
	}
}

// Trace is a hash of all that happened so far: of the steps, of every access to store
// and log, and of every frame. Over accounts in memory equal scenarios and seeds give
// equal traces.
func (w *sessions) Trace() uint64 { return w.trace.Sum64() }

// replica finds a replica by its name.
func (w *sessions) replica(name string) *replica { return w.replicas[w.set.index(name)] }

// tick is how long a real clock is waited for: evidence in files is as fine as the
// kernel's clock.
const tick = 12 * time.Millisecond

// Do implements World.
func (w *sessions) Do(s scenario.Step) error {
	w.note("%s\n", s)
	w.Pass(time.Millisecond)
	if s.Verb == scenario.Tick {
		if w.Real() {
			time.Sleep(tick)
		}
		w.Pass(max(time.Second, time.Duration(s.Span)))
		return nil
	}
	r := w.replica(s.At)
	if s.Verb.IsFate() && s.Verb != scenario.Clock && r.under != nil {
		return unsupported(s) // not in the middle of a run
	}
	if w.e.kind == underTest && w.set.index(s.At) == 0 {
		if no, err := w.lacks(r.mail, s); err != nil || no {
			return errors.Join(err, map[bool]error{true: unsupported(s)}[no])
		}
		return w.watched(s, func() error { return w.act(r, s) })
	}
	return w.act(r, s)
}

// act makes a step at a replica.
func (w *sessions) act(r *replica, s scenario.Step) error {
	switch s.Verb {
	case scenario.Clock:
		r.skew = time.Duration(s.Span)
		return nil
	case scenario.Trim:
		return r.trim()
	case scenario.Save:
		return r.save()
	case scenario.Restore:
		return r.restore(s.Value)
	case scenario.Clone:
		return r.clone(w.replica(s.With))
	case scenario.LoseLog:
		return r.replace(newLog(w.set.Pebble))
	case scenario.Damage:
		if !w.e.kind.files() {
			return unsupported(s)
		}
		r.mail.Reconnect()
		return damage(r.mail, s)
	}
	return w.client(r, s)
}

// client makes a client's operation.
func (w *sessions) client(r *replica, s scenario.Step) error {
	if w.e.kind.files() && s.Verb == scenario.Attribute || w.e.kind == underDovecot && (s.Verb == scenario.UIDValidity || s.Verb == scenario.UIDNext || strings.Contains(s.Message, "/")) {
		return unsupported(s)
	}
	if s.Verb == scenario.Deliver && s.Received != 0 {
		return errors.Join(r.mail.Deliver(s.Mailbox, s.Message, s.Received.Time()), r.mail.Number(w.seed(s.At)))
	}
	var shown *scenario.Mailbox
	if s.Message != "" && s.Verb != scenario.Deliver {
		l, err := w.List(s.At)
		if err != nil {
			return err
		}
		if shown = mailbox(l, s.Mailbox); shown == nil {
			return nil
		}
	}
	for _, o := range operations(w.set, s, shown) {
		if shown != nil && w.e.kind != underDovecot {
			o.Msg = shown.Messages[o.N].Name // the others count in another order
		}
		if err := r.mail.Do(o); err != nil {
			return err
		}
	}
	return r.mail.Number(w.seed(s.At))
}

// seed is what GUIDs of a replica's mailboxes are made of.
func (w *sessions) seed(replica string) string { return fmt.Sprint(w.set.Seed, " ", replica) }

var damages = map[string]pure.Verb{"uidlist": live.NoUIDList, "half-uidlist": live.CutUIDList, "index": live.NoIndex}

func damage(a *live.Account, s scenario.Step) error {
	return a.Do(pure.Op{Verb: damages[s.Value], Path: s.Mailbox})
}

// List implements World.
func (w *sessions) List(name string) (*scenario.Listing, error) {
	r := w.replica(name)
	if w.e.kind == underDovecot {
		return w.tokens.listDovecot(r.mail)
	}
	st, err := r.mail.Open()
	if err != nil {
		return nil, err
	}
	defer st.Close()
	return listStore(st)
}

// Close implements World.
func (w *sessions) Close() error {
	var errs []error
	for _, r := range w.replicas {
		if r.mail != nil {
			errs = append(errs, r.close())
		}
	}
	return errors.Join(errs...)
}
