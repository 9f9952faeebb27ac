package live

import (
	"fmt"
	"maps"
	"slices"

	"dsync/store"
)

// The slow model: messages by token, each with the writes that count, kept as
// shared/design/messages.md 1 says and in no other way. A write that one side has
// and the other lacks is new if the other has not seen it, else removed there.
//
// It looks at the stores before a run, as a scan does, and never at a log. Tokens
// that stand for more than one message, or that a run in one direction or with a
// filter parted, are loose: of them only less is known.

// register is a set of writes by number.
type register map[int]bool

// entry is what a replica knows of a message.
type entry struct {
	presence register
	flags    map[string]register // by letter, or "k"+folded keyword; the values written
}

// knowledge is what a replica has seen.
type knowledge struct {
	seen map[int]bool
	msgs map[string]*entry
}

func newKnowledge() *knowledge {
	return &knowledge{seen: map[int]bool{}, msgs: map[string]*entry{}}
}

func (k *knowledge) clone() *knowledge {
	c := newKnowledge()
	maps.Copy(c.seen, k.seen)
	for t, e := range k.msgs {
		x := &entry{presence: maps.Clone(e.presence), flags: map[string]register{}}
		for f, r := range e.flags {
			x.flags[f] = maps.Clone(r)
		}
		c.msgs[t] = x
	}
	return c
}

// join is the merge: of two registers, given what each side has seen.
func join(a, b register, seenA, seenB map[int]bool) register {
	out := register{}
	for w, v := range a {
		if _, both := b[w]; both || !seenB[w] {
			out[w] = v
		}
	}
	for w, v := range b {
		if _, both := a[w]; both || !seenA[w] {
			out[w] = v
		}
	}
	return out
}

func (k *knowledge) merge(o *knowledge) *knowledge {
	out := newKnowledge()
	maps.Copy(out.seen, k.seen)
	maps.Copy(out.seen, o.seen)
	tokens := maps.Clone(k.msgs)
	maps.Copy(tokens, o.msgs)
	none := &entry{}
	for t := range tokens {
		a, b := k.msgs[t], o.msgs[t]
		if a == nil {
			a = none
		}
		if b == nil {
			b = none
		}
		e := &entry{presence: join(a.presence, b.presence, k.seen, o.seen), flags: map[string]register{}}
		names := map[string]bool{}
		for f := range a.flags {
			names[f] = true
		}
		for f := range b.flags {
			names[f] = true
		}
		for f := range names {
			e.flags[f] = join(a.flags[f], b.flags[f], k.seen, o.seen)
		}
		out.msgs[t] = e
	}
	return out
}

// shows is a flag's value by rule 8.
func (r register) shows(name string) bool {
	set, clear := false, false
	for _, v := range r {
		set, clear = set || v, clear || !v
	}
	if name == "T" || name == "D" {
		return set && !clear
	}
	return set
}

// model is the knowledge of all replicas.
type model struct {
	next    int
	of      []*knowledge
	moved   []map[string]int // since the last look
	loose   map[string]bool
	made    map[string]int  // messages made of a token, copies too
	gone    map[string]bool // a client, or a mirror, removed one of the token
	dropped map[string]bool // all there was went with a restored store
	apart   bool            // logs were lost: one message may count as two
}

func newModel(n int) *model {
	m := &model{loose: map[string]bool{}, made: map[string]int{}, gone: map[string]bool{}, dropped: map[string]bool{}}
	for range n {
		m.of = append(m.of, newKnowledge())
		m.moved = append(m.moved, map[string]int{})
	}
	return m
}

func (m *model) write(k *knowledge) int {
	m.next++
	k.seen[m.next] = true
	return m.next
}

// shown lists what a message shows by the names of the model.
func shown(x message) map[string]bool {
	out := map[string]bool{}
	for l, f := range flagLetters {
		if x.Flags&f != 0 {
			out[l] = true
		}
	}
	for _, k := range x.Keywords {
		out["k"+store.FoldKeyword(k)] = true
	}
	return out
}

// look takes what replica r shows now.
func (m *model) look(r int, l *listing) {
	k := m.of[r]
	n := l.count()
	at := map[string]message{}
	for _, x := range l.msgs {
		at[x.token] = x
	}
	for t, e := range k.msgs {
		if n[t] == 0 {
			e.presence = register{}
		}
	}
	for _, t := range slices.Sorted(maps.Keys(n)) {
		e := k.msgs[t]
		switch {
		case n[t] > 1 || m.made[t] > 1:
			m.loose[t] = true
			continue
		case e == nil:
			e = &entry{presence: register{m.write(k): true}, flags: map[string]register{}}
			k.msgs[t] = e
		case len(e.presence) == 0:
			m.loose[t] = true
			continue
		case m.moved[r][t] == 1:
			e.presence = register{m.write(k): true}
		case m.moved[r][t] > 1:
			m.loose[t] = true
		}
		has := shown(at[t])
		names := maps.Clone(has)
		for f := range e.flags {
			names[f] = true
		}
		for _, f := range slices.Sorted(maps.Keys(names)) {
			if e.flags[f].shows(f) != has[f] {
				e.flags[f] = register{m.write(k): has[f]}
			}
		}
	}
	m.moved[r] = map[string]int{}
}

// whole is a whole two-way run between a and b, and both show after.
func (m *model) whole(a, b int, before [2]*listing, after *listing) error {
	k := m.of[a].merge(m.of[b])
	n := after.count()
	at := map[string]message{}
	for _, x := range after.msgs {
		at[x.token] = x
	}
	for _, t := range slices.Sorted(maps.Keys(k.msgs)) {
		e := k.msgs[t]
		if m.loose[t] {
			continue
		}
		switch {
		case len(e.presence) > 0 && n[t] == 0:
			return fmt.Errorf("P6: %s is lost", t)
		case len(e.presence) == 0 && n[t] > 0:
			return fmt.Errorf("P8: %s came back", t)
		case n[t] > 1:
			return fmt.Errorf("P9: %s is there %d times", t, n[t])
		case n[t] == 0:
			continue
		}
		has := shown(at[t])
		for _, f := range slices.Sorted(maps.Keys(e.flags)) {
			if want := e.flags[f].shows(f); want != has[f] {
				return fmt.Errorf("P7: %s of %s is %v, want %v", f, t, has[f], want)
			}
		}
	}
	ca, cb := before[0].count(), before[1].count()
	for t := range ca {
		if n[t] == 0 && !m.gone[t] {
			return fmt.Errorf("P6: %s, which nobody removed, is lost", t)
		}
	}
	for t := range cb {
		if n[t] == 0 && !m.gone[t] {
			return fmt.Errorf("P6: %s, which nobody removed, is lost", t)
		}
	}
	for t, c := range n {
		if c > ca[t]+cb[t] || !m.apart && c > m.made[t] {
			return fmt.Errorf("P9: %s is there %d times, was %d and %d times, made %d times", t, c, ca[t], cb[t], m.made[t])
		}
	}
	m.of[a], m.of[b] = k, k.clone()
	return nil
}

// partial is any other run: whatever the two sides know differently is loose from
// now on.
func (m *model) partial(a, b int, before, after [2]*listing) {
	k := m.of[a].merge(m.of[b])
	for i, r := range []int{a, b} {
		cb, ca := before[i].count(), after[i].count()
		for t := range k.msgs {
			x, y := m.of[a].msgs[t], m.of[b].msgs[t]
			if x == nil || y == nil || !sameEntry(x, y) {
				m.loose[t] = true
			}
		}
		for t := range cb {
			if ca[t] < cb[t] {
				m.loose[t] = true
			}
		}
		// What was carried is known there; the rest is loose and asked no more.
		_ = r
	}
	m.of[a], m.of[b] = k, k.clone()
}

func sameEntry(a, b *entry) bool {
	if !maps.Equal(a.presence, b.presence) {
		return false
	}
	for f := range a.flags {
		if !maps.Equal(a.flags[f], b.flags[f]) {
			return false
		}
	}
	for f := range b.flags {
		if !maps.Equal(a.flags[f], b.flags[f]) {
			return false
		}
	}
	return true
}

// loosen forgets what is known exactly of everything: a log was lost or restored.
func (m *model) loosen() {
	m.apart = true
	for _, k := range m.of {
		for t := range k.msgs {
			m.loose[t] = true
		}
	}
	for t := range m.made {
		m.loose[t] = true
	}
}
