package pure

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// Laws that compare what two replicas held before a whole run with what they hold
// after it.

// repeatable is P5 and P4 for the merge itself, of which res is the result: exchanged
// sides, and another order of the working sets, give the same bytes. Whatever is made
// of a result depends on it alone, so that a run from the other side ends alike.
func (w *World) repeatable(a, b *Replica, res *merge.Result) error {
	opt := merge.Options{Policy: w.Policy}
	before := [2]*merge.Side{a.deep(), b.deep()}
	x, y, err := bothCoded(a.Side(), b.Side())
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(uint64(len(x.Messages)), uint64(len(y.Messages))))
	shuffled := func(s merge.Side) merge.Side {
		s.Messages = slices.Clone(s.Messages)
		rng.Shuffle(len(s.Messages), func(i, j int) { s.Messages[i], s.Messages[j] = s.Messages[j], s.Messages[i] })
		return s
	}
	if got := merge.Merge(shuffled(y), shuffled(x), opt); !sameResult(res, got, true) {
		// Which of the two it was.
		var p4, p5 error
		if again := merge.Merge(shuffled(x), shuffled(y), opt); !sameResult(res, again, false) {
			p5 = fmt.Errorf("P5: two merges of %d and %d give other bytes", a.Name, b.Name)
		}
		if swapped := merge.Merge(y, x, opt); p5 == nil || !sameResult(res, swapped, true) {
			p4 = fmt.Errorf("P4: exchanged sides give other bytes or decisions\n%s\n%s", brief(res.Decisions), brief(swapped.Decisions))
		}
		for _, err := range []error{p5, p4} {
			if err := w.asked(err); err != nil {
				return err
			}
		}
	}
	if !sameSide(before[0], &x) || !sameSide(before[1], &y) {
		return w.asked(fmt.Errorf("P5: the merge of %d and %d changed its input", a.Name, b.Name))
	}
	return nil
}

// brief lists decisions for a message.
func brief(ds []merge.Decision) string {
	if len(ds) == 0 {
		return "no decision"
	}
	var out []string
	for _, d := range ds {
		out = append(out, fmt.Sprintf("rule %d in %s: %s stands, not %s", d.Rule, d.Mailbox, d.Kept, d.Lost))
	}
	return strings.Join(out, "; ")
}

// closed is the part of P24 of that name: a merge makes no write. What a replica
// holds after a whole run is made of writes that one of the two held before.
func closed(a, b, after *Replica) error {
	had := make(map[written]bool, 32)
	for _, r := range []*Replica{a, b} {
		for _, m := range r.Messages {
			eachWritten(m, func(x written) { had[x] = true })
		}
	}
	var err error
	for _, m := range after.Messages {
		eachWritten(m, func(x written) {
			if !had[x] {
				err = fmt.Errorf("P24-closed: %v of %s was made by the merge", x, m.Content.GUID)
			}
		})
	}
	return err
}

// written is one write of a message with its value.
type written struct {
	what string
	changelog.Write
	mailbox   store.MailboxGUID
	flag      store.Flags
	keyword   string
	set, back bool
}

func eachWritten(m *changelog.Message, f func(written)) {
	for _, o := range m.Origins {
		f(written{what: "origin", Write: o})
	}
	for _, w := range m.Presence {
		f(written{what: "place", Write: w.Write, mailbox: w.Mailbox})
	}
	for _, w := range m.Flags {
		f(written{what: "flag", Write: w.Write, flag: w.Flag, set: w.Set, back: w.Back})
	}
	for _, w := range m.Keywords {
		f(written{what: "keyword", Write: w.Write, keyword: w.Name, set: w.Set, back: w.Back})
	}
}

// noLoss is P6 and P8 for one run: what is live at one side and unknown to the
// other is live afterwards, unless a decision names the message and the rule; what
// the other has seen and no longer holds is gone.
func (w *World) noLoss(a, b, after *Replica, ds []merge.Decision) error {
	named, kept := map[changelog.Dot]int{}, map[changelog.Dot]int{}
	for _, d := range ds {
		if d.Rule == 28 || d.Rule == 15 || d.Rule == 4 {
			named[d.Message] = d.Rule
		}
		if d.Keeps() && d.Rule != 4 {
			kept[d.Message] = d.Rule // by a choice of the policy, which the report names
		}
	}
	byOrigin := map[changelog.Dot]*changelog.Message{}
	for _, m := range after.Messages {
		for _, o := range m.Origins {
			byOrigin[o.Dot] = m
		}
	}
	for i, r := range []*Replica{a, b} {
		other := []*Replica{b, a}[i]
		mine, theirs := r.origins(), other.origins()
		for _, m := range r.List() {
			if !m.Live() {
				continue
			}
			now := byOrigin[m.ID()]
			if now != nil && !now.Live() && named[now.ID()] != 0 {
				w.excuse("P6", named[now.ID()])
				continue
			}
			var known *changelog.Message
			seen := false
			for _, o := range m.Origins {
				if x := theirs[o.Dot]; x != nil && (known == nil || x.Live()) {
					known = x // of several the one that is shown
				}
				seen = seen || other.Seen.Has(o.Dot)
			}
			if known == nil && !seen && (now == nil || !now.Live()) {
				return fmt.Errorf("P6: %s of replica %d, unknown to %d, is lost", m.Content.GUID, r.Name, other.Name)
			}
			if known != nil && known.Live() && (now == nil || !now.Live()) {
				return fmt.Errorf("P6: %s, live at both %d and %d, is lost", m.Content.GUID, r.Name, other.Name)
			}
			gone := known != nil && !known.Live() || known == nil && seen
			if gone && now != nil && now.Live() {
				// The message may be several entries here, and one of them moved unseen.
				fresh := false
				for _, x := range of(now, mine) {
					for _, p := range x.Presence {
						fresh = fresh || !other.Seen.Has(p.Dot)
					}
				}
				if rule := kept[now.ID()]; !fresh && rule != 0 {
					w.excuse("P8", rule)
				} else if !fresh {
					return fmt.Errorf("P8: %s, expunged at %d, came back from %d", m.Content.GUID, other.Name, r.Name)
				}
			}
		}
	}
	return nil
}

func (w *World) excuse(law string, rule int) {
	if w.Excused != nil {
		w.Excused[law] = rule
	}
}

// origins finds a replica's entry by any of its origin dots.
func (r *Replica) origins() map[changelog.Dot]*changelog.Message {
	out := map[changelog.Dot]*changelog.Message{}
	for _, m := range r.Messages {
		for _, o := range m.Origins {
			out[o.Dot] = m
		}
	}
	return out
}

// of lists the entries that share an origin with m.
func of(m *changelog.Message, by map[changelog.Dot]*changelog.Message) (out []*changelog.Message) {
	for _, o := range m.Origins {
		if x := by[o.Dot]; x != nil && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

type copiesKey struct {
	in *changelog.Slot
	c  store.Content
}

// noDuplicates is P9: per mailbox, no more copies of a content than the larger side
// had, not counting those moved in or that the other side had expunged.
func noDuplicates(a, b, after *Replica) error {
	l := after.Layout()
	where := func(m *changelog.Message) *changelog.Slot {
		if at, ok := m.Place(); ok {
			return l.In(at)
		}
		return nil
	}
	now := after.origins()
	content := func(m *changelog.Message) store.Content {
		for _, o := range m.Origins {
			if x := now[o.Dot]; x != nil {
				return x.Content
			}
		}
		return m.Content
	}
	had := map[copiesKey][2]int{}
	for s, r := range []*Replica{a, b} {
		for _, m := range r.Messages {
			if in := where(m); in != nil {
				k := copiesKey{in, content(m)}
				n := had[k]
				n[s]++
				had[k] = n
			}
		}
	}
	by := [2]map[changelog.Dot]*changelog.Message{a.origins(), b.origins()}
	has := map[copiesKey]int{}
	for _, m := range after.Messages {
		in := where(m)
		if in == nil {
			continue
		}
		k := copiesKey{in, m.Content}
		has[k]++
		var here, known [2]bool
		for s, r := range []*Replica{a, b} {
			for _, x := range of(m, by[s]) {
				known[s] = true
				here[s] = here[s] || where(x) == in
			}
			known[s] = known[s] || slices.ContainsFunc(m.Origins, func(o changelog.Write) bool { return r.Seen.Has(o.Dot) })
		}
		if known[0] && known[1] && !(here[0] && here[1]) {
			has[k]-- // moved in, or expunged by the other
		}
	}
	for k, n := range has {
		if h := had[k]; n > max(h[0], h[1]) {
			return fmt.Errorf("P9: %d copies of %s in %s, where replica %d had %d and %d had %d", n, k.c.GUID, k.in.Path, a.Name, h[0], b.Name, h[1])
		}
	}
	return nil
}

// reported is P7 and P25: what a merge overrode, element by element, is what it
// reports.
func (w *World) reported(a, b, after *Replica, ds []merge.Decision) error {
	type key struct {
		rule int
		id   changelog.Dot
	}
	want, got := map[key]int{}, map[key]int{}
	for _, d := range ds {
		switch {
		case d.Keeps(): // by whatever rule
			got[key{4, d.Message}]++
		case slices.Contains([]int{4, 5, 7, 8, 9}, d.Rule):
			got[key{d.Rule, d.Message}]++
		case d.Rule == 28:
			got[key{7, d.Message}] -= 1000 // the expunge of a lost log: neither
		}
	}
	side := [2]*Replica{a, b}
	by := [2]map[changelog.Dot]*changelog.Message{a.origins(), b.origins()}
	l := after.Layout()
	for _, m := range after.Messages {
		var es [2][]*changelog.Message
		for s := range side {
			es[s] = of(m, by[s])
		}
		if len(es[0]) == 0 || len(es[1]) == 0 {
			continue
		}
		unseen := func(s int, d changelog.Write) bool { return !d.Found() && !side[1-s].Seen.Has(d.Dot) }
		live := [2]bool{slices.ContainsFunc(es[0], (*changelog.Message).Live), slices.ContainsFunc(es[1], (*changelog.Message).Live)}
		switch {
		case live[0] && live[1]:
			w.lostFlags(m, es, unseen, func(rule int) { want[key{rule, m.ID()}]++ })
			w.lostPlace(m, es, unseen, l, func() { want[key{5, m.ID()}]++ })
		case live[0] != live[1]:
			s := 0
			if live[1] {
				s = 1
			}
			var changed, placed bool
			for _, x := range es[s] {
				for _, p := range x.Presence {
					placed = placed || !p.Found() && !side[1-s].Seen.Has(p.Dot)
				}
				for _, f := range x.Flags {
					changed = changed || !side[1-s].Seen.Has(f.Dot)
				}
				for _, f := range x.Keywords {
					changed = changed || !side[1-s].Seen.Has(f.Dot)
				}
			}
			if m.Live() || placed && w.Policy.ExpungeFollowsMove {
				want[key{4, m.ID()}]++
			} else if changed {
				want[key{7, m.ID()}]++
			}
		}
	}
	for k := range got {
		if got[k] < 0 {
			delete(got, k)
			delete(want, k)
		}
	}
	for k, n := range want {
		if got[k] != n {
			return fmt.Errorf("P25: message %v: %d changes overridden by rule %d, %d reported: %v", k.id, n, k.rule, got[k], ds)
		}
	}
	for k, n := range got {
		if want[k] != n {
			return fmt.Errorf("P25: message %v: %d reports of rule %d, %d changes overridden: %v", k.id, n, k.rule, want[k], ds)
		}
	}
	return nil
}

// lostFlags calls lost with the rule for every flag and keyword that a side had
// changed and that is not shown as that side showed it.
func (w *World) lostFlags(m *changelog.Message, es [2][]*changelog.Message, unseen func(int, changelog.Write) bool, lost func(int)) {
	for f := range store.AllFlags.Each {
		for s := range es {
			var changed, on bool
			for _, x := range es[s] {
				on = on || w.Policy.Flags(x)&f != 0
				changed = changed || slices.ContainsFunc(x.Flags, func(v changelog.FlagWrite) bool { return v.Flag == f && unseen(s, v.Write) })
			}
			if changed && on != (w.Policy.Flags(m)&f != 0) {
				lost(8)
			}
		}
	}
	names := map[string]bool{}
	for s := range es {
		for _, x := range es[s] {
			for _, k := range x.Keywords {
				names[store.FoldKeyword(k.Name)] = true
			}
		}
	}
	has := func(m *changelog.Message, k string) bool {
		return slices.ContainsFunc(w.Policy.Keywords(m), func(n string) bool { return store.FoldKeyword(n) == k })
	}
	for k := range names {
		for s := range es {
			var changed, on bool
			for _, x := range es[s] {
				on = on || has(x, k)
				changed = changed || slices.ContainsFunc(x.Keywords, func(v changelog.KeywordWrite) bool { return store.FoldKeyword(v.Name) == k && unseen(s, v.Write) })
			}
			if changed && on != has(m, k) {
				lost(9)
			}
		}
	}
}

// lostPlace calls lost for every side that had moved the message to a mailbox where
// it is not shown now.
func (w *World) lostPlace(m *changelog.Message, es [2][]*changelog.Message, unseen func(int, changelog.Write) bool, l *changelog.Layout, lost func()) {
	at, ok := m.Place()
	if !ok {
		return
	}
	for s := range es {
		for _, x := range es[s] {
			p, ok := x.Place()
			if !ok {
				continue
			}
			won := slices.MaxFunc(x.Presence, func(a, b changelog.Presence) int {
				by := a.Stamp.Compare(b.Stamp)
				if w.Policy.Moves == changelog.EarlierWins && !a.Found() && !b.Found() {
					by = -by
				}
				return cmp.Or(by, a.Mailbox.Compare(b.Mailbox))
			})
			if unseen(s, won.Write) && l.In(p) != l.In(at) {
				lost()
			}
		}
	}
}
