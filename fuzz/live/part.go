package live

import (
	"fmt"
	"slices"

	"dsync/changelog"
	"dsync/fuzz/pure"
	"dsync/merge"
	"dsync/replay/session"
	"dsync/store"
)

// part is a run that is not whole or not two-way, with its laws.
func (w *world) part(o Op) error {
	a, b := o.R, o.Peer
	before, err := w.both(a, b)
	if err != nil {
		return err
	}
	w.model.look(a, before[0])
	w.model.look(b, before[1])
	po := w.pairOptions(a, b)
	switch o.Verb {
	case pure.SyncBox:
		po.Filter = &merge.Filter{Mailbox: func(p store.Name, _ []store.MailboxGUID) bool { return p == o.Path }}
	case pure.SyncSince:
		po.Filter = &merge.Filter{New: func(m *changelog.Message) bool { return m.Received%2 == 0 }}
	case pure.OneWay:
		po.Direction = merge.OneWay
	case pure.Backup:
		po.Direction = merge.Mirror
	case pure.Half, pure.Partly:
		if w.apart && w.runs%2 == 0 {
			w.cut = 1 + w.runs*7%23
			break
		}
		w.faults(o)
	}
	res, err := w.pair(a, b, po)
	w.last = res
	w.mend()
	if err != nil && o.Verb != pure.Half && o.Verb != pure.Partly {
		return fmt.Errorf("P1: the run ended with: %w", err)
	}
	after, err2 := w.both(a, b)
	if err2 != nil {
		return err2
	}
	defer w.model.partial(a, b, before, after)
	bad := trouble(res)
	switch o.Verb {
	case pure.Half, pure.Partly:
		if err == nil && res.Outcome.Equal && after[0].text != after[1].text {
			return fmt.Errorf("P3: the run says equal; %d and %d differ:\n%s", a, b, diff(after[0].text, after[1].text))
		}
	case pure.SyncBox, pure.SyncSince:
		if len(bad) > 0 {
			return fmt.Errorf("P3: trouble without cause: %v", bad)
		}
		return w.outside(o, before, after)
	default:
		if len(bad) > 0 {
			return fmt.Errorf("P3: trouble without cause: %v", bad)
		}
		return w.direct(o, po, before, after)
	}
	return w.kept(before, after)
}

// kept: what nobody removed is still there after any run.
func (w *world) kept(before, after [2]*listing) error {
	for i := range before {
		n := after[i].count()
		for t := range before[i].count() {
			if n[t] == 0 && !w.model.gone[t] {
				return fmt.Errorf("P6: %s, which nobody removed, is lost at side %d", t, i)
			}
		}
	}
	return nil
}

// outside is P26: what a filter leaves out is untouched.
func (w *world) outside(o Op, before, after [2]*listing) error {
	if err := w.kept(before, after); err != nil {
		return err
	}
	if o.Verb != pure.SyncBox {
		return nil
	}
	for i := range before {
		had := map[string]bool{}
		for _, m := range before[i].msgs {
			if m.box != o.Path {
				had[m.token] = true
			}
		}
		n := after[i].count()
		for t := range had {
			if n[t] == 0 {
				return fmt.Errorf("P26: %s, outside of %s, is gone at side %d", t, o.Path, i)
			}
		}
	}
	return nil
}

// direct is P19 and P20.
func (w *world) direct(o Op, po session.PairOptions, before, after [2]*listing) error {
	if before[0].text != after[0].text && !lateUIDs(before[0]) {
		return fmt.Errorf("P19/P20: the source was changed:\n%s", diff(before[0].text, after[0].text))
	}
	if o.Verb == pure.Backup {
		for t := range before[1].count() {
			w.model.gone[t] = w.model.gone[t] || after[1].count()[t] == 0
		}
		if s, d := after[0].plain(), after[1].plain(); s != d {
			return fmt.Errorf("P19: after backup\n%s", diff(s, d))
		}
	} else {
		n := after[1].count()
		for t, c := range before[1].count() {
			if n[t] < c {
				return fmt.Errorf("P20: %s is gone at the destination", t)
			}
		}
	}
	t1, t2, err := w.traces(o.R, o.Peer)
	if err != nil {
		return err
	}
	res, err := w.pair(o.R, o.Peer, po)
	if err != nil {
		return fmt.Errorf("P19/P20: the second run ended with: %w", err)
	}
	u1, u2, err := w.traces(o.R, o.Peer)
	if err == nil && (t1 != u1 || t2 != u2) {
		return fmt.Errorf("P19/P20: a second run left traces (%v):\n%s%s", trouble(res), diff(t1, u1), diff(t2, u2))
	}
	return err
}

func lateUIDs(l *listing) bool {
	for _, st := range l.boxes {
		if st.GUID.IsZero() || st.UIDValidity == 0 {
			return true
		}
	}
	return slices.ContainsFunc(l.msgs, func(m message) bool { return m.UID == 0 })
}
