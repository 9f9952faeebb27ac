package live

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/fuzz/pure"
	"dsync/replay/session"
	"dsync/store"
)

// whole is a two-way run over everything, with its laws.
func (w *world) whole(a, b int) error {
	before, err := w.both(a, b)
	if err != nil {
		return err
	}
	w.model.look(a, before[0])
	w.model.look(b, before[1])
	if w.runs%5 == 4 {
		if err := w.dry(a, b); err != nil {
			return err
		}
	}
	res, err := w.sync(a, b, w.pairOptions(a, b))
	w.last = res
	if err != nil {
		return ended("P1: the run", err)
	}
	after, err := w.both(a, b)
	if err != nil {
		return err
	}
	bad := trouble(res)
	if w.model.apart && nowhere(bad, before) {
		defer w.model.partial(a, b, before, after)
		return w.kept(before, after)
	}
	if after[0].text != after[1].text {
		if res.Outcome.Equal {
			return fmt.Errorf("P3: the run says equal; %d and %d differ:\n%s", a, b, diff(after[0].text, after[1].text))
		}
		return fmt.Errorf("P1: %d and %d differ (%v):\n%s", a, b, bad, diff(after[0].text, after[1].text))
	}
	if !res.Outcome.Equal {
		return fmt.Errorf("P3: both sides are equal, the run says not (%v)", bad)
	}
	if len(bad) > 0 {
		return fmt.Errorf("P3: trouble without cause: %v", bad)
	}
	if err := w.model.whole(a, b, before, after[0]); w.strict && err != nil {
		return fmt.Errorf("%w\nbefore:\n%s\n%s\nafter:\n%s", err, before[0].text, before[1].text, after[0].text)
	}
	if w.modseqs != nil {
		if err := w.frugal(before, after); err != nil {
			return err
		}
	}
	if err := w.stable(a, after[0]); err != nil {
		return err
	}
	if err := w.stable(b, after[1]); err != nil {
		return err
	}
	if err := w.witness(a, b); err != nil {
		return err
	}
	return w.quiet(a, b)
}

// nowhere reports whether all trouble is mail that a restored side's log knows and
// neither side holds: a third replica must bring it.
func nowhere(bad []string, before [2]*listing) bool {
	for _, b := range bad {
		f := strings.Fields(b)
		if !strings.HasSuffix(b, store.ErrNoMessage.Error()) || !slices.Contains(f, "copy:") {
			return false
		}
		for _, l := range before {
			if slices.ContainsFunc(l.msgs, func(m message) bool { return slices.Contains(f, string(m.Content.GUID)) }) {
				return false
			}
		}
	}
	return len(bad) > 0
}

// quiet is P2: another run, started from the other side, writes nothing.
func (w *world) quiet(a, b int) error {
	if w.between != nil {
		return nil
	}
	ta, tb, err := w.traces(a, b)
	if err != nil {
		return err
	}
	res, err := w.pair(b, a, w.pairOptions(b, a))
	w.lastRe = res
	if err != nil {
		return ended("P2: the second run", err)
	}
	if bad := trouble(res); len(bad) > 0 || !res.Outcome.Equal {
		return fmt.Errorf("P2: the second run found trouble: %v, equal %v", bad, res.Outcome.Equal)
	}
	if res.Changed[0] || res.Changed[1] || res.Looks[0].Events+res.Looks[1].Events > 0 {
		return fmt.Errorf("P2: the second run wrote: %v, events %v and %v", res.Changed, w.events(res, 0), w.events(res, 1))
	}
	if len(res.Outcome.Decisions) > 0 {
		return fmt.Errorf("P25: the second run reports %v", res.Outcome.Decisions)
	}
	if !res.Whole && res.Outcome.Compared > 0 {
		return fmt.Errorf("P23: a run with nothing to do compared %d entries", res.Outcome.Compared)
	}
	if !res.Whole && !res.Outcome.Quiet {
		return errors.New("P2: the second run was not quiet")
	}
	ta2, tb2, err := w.traces(a, b)
	if err != nil {
		return err
	}
	if ta2 != ta || tb2 != tb {
		return fmt.Errorf("P2: the second run left traces:\n%s%s", diff(ta, ta2), diff(tb, tb2))
	}
	return nil
}

// events lists what the look of a run found at one side.
func (w *world) events(res *session.PairResult, side int) (out []string) {
	acc := res.Ends[side].Rec.Account()
	acc.Events(0, func(_ uint64, _ int64, e *changelog.Event) error {
		out = append(out, fmt.Sprintf("%+v", e))
		return nil
	})
	return out[max(0, len(out)-res.Looks[side].Events):]
}

func (w *world) traces(a, b int) (string, string, error) {
	x, err := w.acc[a].traces()
	if err != nil {
		return "", "", err
	}
	y, err := w.acc[b].traces()
	return x, y, err
}

// dry is a dry run: it changes nothing in the stores.
func (w *world) dry(a, b int) error {
	ta, tb, err := w.traces(a, b)
	if err != nil {
		return err
	}
	o := w.pairOptions(a, b)
	o.DryRun, o.Between = true, nil
	if _, err := w.pair(a, b, o); err != nil {
		return fmt.Errorf("P2: the dry run ended with: %w", err)
	}
	ta2, tb2, err := w.traces(a, b)
	if err == nil && (ta2 != ta || tb2 != tb) {
		return fmt.Errorf("P2: a dry run left traces:\n%s%s", diff(ta, ta2), diff(tb, tb2))
	}
	return err
}

// stable is P10, and that a run leaves nothing without a UID.
func (w *world) stable(r int, l *listing) error {
	for n, st := range l.boxes {
		k := boxKey{n, st.UIDValidity}
		if st.UIDNext < w.nexts[r][k] {
			return fmt.Errorf("P10: replica %d: UIDNEXT of %s fell from %d to %d", r, n, w.nexts[r][k], st.UIDNext)
		}
		w.nexts[r][k] = st.UIDNext
		if st.UIDValidity == 0 || st.GUID.IsZero() {
			return fmt.Errorf("P10: replica %d: %s has no identity", r, n)
		}
	}
	for _, m := range l.msgs {
		st := l.boxes[m.box]
		if m.UID == 0 || m.UID >= st.UIDNext {
			return fmt.Errorf("P10: replica %d: %s in %s has UID %d, UIDNEXT %d", r, m.token, m.box, m.UID, st.UIDNext)
		}
		k := uidKey{boxKey{m.box, st.UIDValidity}, m.UID}
		if t, ok := w.uids[r][k]; ok && t != m.token {
			return fmt.Errorf("P10: replica %d: UID %d of %s was %s and is %s", r, m.UID, m.box, t, m.token)
		}
		w.uids[r][k] = m.token
	}
	return nil
}

// converge sweeps there and back, after which all replicas must show the same mail;
// once more, and they agree on UIDs too (P17).
func (w *world) converge() error {
	for range 2 {
		if err := w.sweep(); err != nil {
			return err
		}
	}
	var first *listing
	for r := range w.acc {
		l, err := list(w.acc[r])
		if err != nil {
			return err
		}
		if first == nil {
			first = l
		}
		if l.text != first.text {
			return fmt.Errorf("P17: replicas 0 and %d differ:\n%s", r, diff(first.text, l.text))
		}
	}
	n := first.count()
	for t, c := range w.model.made {
		if !w.model.gone[t] && !w.model.dropped[t] && n[t] == 0 {
			return fmt.Errorf("P6: %s, made and never removed, is nowhere", t)
		}
		if n[t] > c && !w.model.apart {
			return fmt.Errorf("P9: %s, made %d times, is there %d times", t, c, n[t])
		}
	}
	return nil
}

func (w *world) sweep() error {
	n := len(w.acc)
	w.between = nil
	for i := 1; i < n; i++ {
		if err := w.run(Op{Verb: pure.SyncWhole, R: i - 1, Peer: i}); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	for i := n - 1; i > 1; i-- {
		if err := w.run(Op{Verb: pure.SyncWhole, R: i - 2, Peer: i - 1}); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}

// ended is the error of a run that should have had none, under a law unless it names
// one itself.
func ended(run string, err error) error {
	if l := lawOf(err); l != "other" && strings.HasPrefix(err.Error(), l+":") {
		return err
	}
	return fmt.Errorf("%s ended with: %w", run, err)
}

// lawOf names the law in an error.
func lawOf(err error) string {
	if err == nil {
		return ""
	}
	for _, f := range strings.FieldsFunc(err.Error(), func(r rune) bool { return r == ' ' || r == ':' || r == '\n' }) {
		if len(f) >= 2 && f[0] == 'P' && f[1] >= '0' && f[1] <= '9' || f == "panic" {
			return f
		}
	}
	return "other"
}
