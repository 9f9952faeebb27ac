package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/fuzz/scenario"
	"dsync/merge"
	"dsync/replay/session"
	"dsync/store"
)

// Sync implements World.
func (w *sessions) Sync(s scenario.Step) (Report, error) {
	policy, err := w.set.policy(s.Run)
	if err != nil {
		return Report{}, err
	}
	w.note("%s\n", s)
	w.Pass(1e6)
	ends := [2]*replica{w.replica(s.At), w.replica(s.With)}
	u := w.begin(s, ends)
	o := session.PairOptions{Policy: policy, Run: "lab", Brake: recorder.Brake{Off: true}, NewID: w.NewID, Drive: u.drive,
		Clocks: [2]func() int64{ends[0].micros, ends[1].micros}, Now: ends[0].micros}
	switch s.Verb {
	case scenario.OneWay:
		o.Direction = merge.OneWay
	case scenario.Backup:
		o.Direction = merge.Mirror
	}
	if o.Filter, err = filter(s.Run); err != nil {
		return Report{}, err
	}
	done := u.watch()
	res, err := w.pair(u, w.set.mode(s.Run), o)
	done()
	rep := report(res, err)
	w.note("exit %d\n", rep.Exit)
	for i, r := range ends {
		r.mail.Reconnect()
		if res != nil && res.Ends[i] != nil && err == nil && !u.dead[i] {
			if r.seqs == nil {
				r.seqs = newModSeqs()
			}
			u.broken = append(u.broken, r.seqs.look(w.set.Replicas[w.set.index(u.name(i))], res.Ends[i].Rec.Account())...)
		}
	}
	if err := u.die(); err != nil {
		return rep, err
	}
	if u.failed != nil {
		return rep, u.failed
	}
	rep.Events, rep.Broken, rep.News = u.events, append(w.pending, u.broken...), u.news
	w.pending = nil
	return rep, nil
}

// pair makes a run, and if seen-sets are equal and digests are not, and nothing says
// why, compares everything, as the program does.
func (w *sessions) pair(u *underway, mode scenario.Mode, o session.PairOptions) (*session.PairResult, error) {
	res, err := w.once(u, mode, o)
	if err != nil || res.Whole || res.Outcome.Equal || o.Filter != nil || o.Direction != merge.TwoWay || len(trouble(res)) > 0 {
		return res, err
	}
	o.Whole = true
	again, err := w.once(u, scenario.Full, o)
	if again != nil && again.Outcome != nil {
		again.Outcome.Decisions = append(res.Outcome.Decisions, again.Outcome.Decisions...)
	}
	return again, err
}

func (w *sessions) once(u *underway, mode scenario.Mode, o session.PairOptions) (*session.PairResult, error) {
	a, b := w.set.index(u.step.At), w.set.index(u.step.With)
	key := [2]int{min(a, b), max(a, b)}
	state := w.state(key, mode, &o)
	if state != "" {
		st, err := changelog.ParseState(state)
		if err != nil {
			u.broken = append(u.broken, fmt.Sprintf("P13: state %q: %v", state, err))
		}
		o.Check = func(a, b *session.Hello, tags [2][]changelog.Position) bool { return disagrees(&st, a, b, tags) }
	}
	check := o.Check
	o.Check = func(a, b *session.Hello, tags [2][]changelog.Position) bool {
		if u.news[0] == nil {
			u.news = w.news(u.ends, [2]*session.Hello{a, b})
		}
		return check != nil && check(a, b, tags)
	}
	var st [2]store.Store
	var db [2]*logdb.DB
	var err error
	for i, r := range u.ends {
		if st[i], err = r.store(func(write bool, op, item string) error { return u.access(i, write, op, item) }); err != nil {
			return nil, err
		}
		defer st[i].Close()
		if db[i], err = r.open(); err != nil {
			return nil, err
		}
	}
	res, err := session.PairLogs(context.Background(), db, st, o)
	if err == nil && res.Outcome != nil {
		out := res.Outcome
		s := changelog.NewState(changelog.Side{Replica: res.Replicas[0], Position: out.Positions[0]}, changelog.Side{Replica: out.Peer, Position: out.Positions[1]}, [16]byte{})
		w.states[key] = append(w.states[key], s.String())
	}
	return res, err
}

// state is the state that a run in this mode is given; "": none.
func (w *sessions) state(key [2]int, mode scenario.Mode, o *session.PairOptions) string {
	kept := w.states[key]
	switch mode {
	case scenario.Full, scenario.Corrupt: // an unreadable state: everything is compared
		o.Whole = true
	case scenario.State:
		if len(kept) > 0 {
			return kept[len(kept)-1]
		}
	case scenario.Stale:
		if len(kept) > 0 {
			return kept[max(0, len(kept)-2)]
		}
	case scenario.Foreign:
		others := slices.SortedFunc(maps.Keys(w.states), func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
		others = slices.DeleteFunc(others, func(k [2]int) bool { return k == key })
		if len(others) == 0 {
			o.Whole = true
			return ""
		}
		other := w.states[others[len(others)-1]]
		return other[len(other)-1]
	}
	return ""
}

// disagrees reports whether a state is not what both logs say; then everything is
// compared.
func disagrees(s *changelog.State, a, b *session.Hello, tags [2][]changelog.Position) bool {
	for i, h := range []*session.Hello{a, b} {
		side, ok := s.Of(h.Replica.ID)
		if !ok || side.Replica != h.Replica || !slices.Contains(tags[i], side.Position) {
			return true
		}
	}
	return false
}

// filter is what a run carries.
func filter(r *scenario.Run) (*merge.Filter, error) {
	if r == nil || len(r.Only)+len(r.Except) == 0 && r.Since == 0 && r.Before == 0 {
		return nil, nil
	}
	f := &merge.Filter{}
	if len(r.Only)+len(r.Except) > 0 {
		f.Mailbox = func(n store.Name, _ []store.MailboxGUID) bool { return r.CarriesMailbox(n) }
	}
	if r.Since != 0 || r.Before != 0 {
		f.New = func(m *changelog.Message) bool { return r.CarriesReceived(scenario.Moment(m.Received)) }
	}
	return f, nil
}
