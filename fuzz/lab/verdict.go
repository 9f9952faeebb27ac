package lab

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
	"dsync/store"
)

// verdict is the judgement of one run.
type verdict struct {
	j             *judge
	s             scenario.Step
	r             [2]int
	before, after [2]*scenario.Listing
	rep           engine.Report
	now           [2]shown
	had, count    [2]map[string]int
	broken        []string
	lost          map[string]bool // names already said to be lost
	meddled       map[string]bool // names that clients touched in the middle of the run
	stirred       bool            // clients changed something in the middle of the run
}

func (v *verdict) say(law, format string, args ...any) {
	v.broken = append(v.broken, law+": "+fmt.Sprintf(format, args...))
}

// loose reports whether only presence is judged of a thing in this run.
func (v *verdict) loose(id string) bool { return v.j.loose[v.r[0]][id] || v.j.loose[v.r[1]][id] }

func (v *verdict) loosen(id string) {
	for _, r := range v.r {
		v.j.loosen(r, id)
	}
}

// decided reports whether the run names a decision about a message by one of these
// rules.
func (v *verdict) decided(name string, rules ...int) bool {
	return slices.ContainsFunc(v.rep.Conflicts, func(c engine.Conflict) bool {
		return slices.Contains(rules, c.Rule) && slices.ContainsFunc(v.before[:], func(l *scenario.Listing) bool { return guidOf(l, name, c.GUID) })
	})
}

// guidOf reports whether a message of a name has a GUID.
func guidOf(l *scenario.Listing, name, guid string) bool {
	return guid != "" && slices.ContainsFunc(l.Mailboxes, func(b scenario.Mailbox) bool {
		return slices.ContainsFunc(b.Messages, func(m scenario.Message) bool { return m.Name == name && m.GUID == guid })
	})
}

// presence is what holds of any run: mail that nobody removed is there afterwards,
// and there are no more messages of a name than clients made.
func (v *verdict) presence() {
	v.lost = map[string]bool{}
	names := map[string]bool{}
	for i := range v.r {
		for name := range v.had[i] {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if v.count[0][name]+v.count[1][name] > 0 || v.j.gone[name] {
			continue
		}
		if v.s.Verb == scenario.Backup && v.had[0][name] == 0 {
			v.j.gone[name] = true // a mirror has none
			continue
		}
		v.lose(name, "which nobody removed")
	}
	for i := range v.r {
		for _, name := range slices.Sorted(maps.Keys(v.count[i])) {
			n, most := v.count[i][name], max(v.had[0][name], v.had[1][name])
			// P9 does not count what the other side had expunged; where a log was lost
			// nobody knows any more that it is the same.
			apart := v.j.apart[v.r[0]] || v.j.apart[v.r[1]]
			// What a client moves in the middle of a run is seen at both places, until
			// the next run (P15).
			if n > v.had[i][name] && !v.meddled[name] && (!apart && n > v.j.made[name] || n > most && !(apart && v.j.gone[name]) && v.crowded(i, name)) {
				v.j.m.Duplicates += n - max(most, 1)
				v.say("P9", "%s is %d times at %s, was %d times at %s and %d times at %s", name, n, v.name(i), v.had[0][name], v.name(0), v.had[1][name], v.name(1))
				v.loosen(isMessage + name)
				v.j.made[name] = max(v.j.made[name], n)
			}
		}
	}
}

// crowded reports whether a mailbox has more of a name than it had at either side, not
// counting those that moved in: where clients made several, as many as stood here at
// one side and elsewhere at the other.
func (v *verdict) crowded(side int, name string) bool {
	in := func(b *scenario.Mailbox) (n int) {
		if b == nil {
			return 0
		}
		for _, m := range b.Messages {
			if m.Name == name {
				n++
			}
		}
		return n
	}
	return slices.ContainsFunc(v.after[side].Mailboxes, func(b scenario.Mailbox) bool {
		x, y := in(v.former(0, side, b)), in(v.former(1, side, b))
		most := max(x, y)
		if v.j.made[name] > 1 {
			most += min(x, v.had[1][name]-y) + min(y, v.had[0][name]-x)
		}
		return in(&b) > most
	})
}

// former is the mailbox before the run, at side i, that side shows as b now: of its
// GUID, whatever its path was; else what had its path and is nowhere else now, for two
// mailboxes that become one keep one GUID. nil: there was none.
func (v *verdict) former(i, side int, b scenario.Mailbox) *scenario.Mailbox {
	var named *scenario.Mailbox
	for j := range v.before[i].Mailboxes {
		o := &v.before[i].Mailboxes[j]
		if b.GUID != "" && o.GUID == b.GUID {
			return o
		}
		if o.Name == b.Name {
			named = o
		}
	}
	if named != nil && named.GUID != "" && slices.ContainsFunc(v.after[side].Mailboxes, func(c scenario.Mailbox) bool { return c.GUID == named.GUID }) {
		return nil
	}
	return named
}

// lose counts a lost message. It breaks P6, but for what a rule that the run names
// takes away.
func (v *verdict) lose(name, why string) {
	if v.lost[name] {
		return
	}
	v.lost[name] = true
	v.j.m.LostMessages++
	v.loosen(isMessage + name)
	v.j.gone[name] = true
	if !v.decided(name, 4, 15, 17, 28) {
		v.say("P6", "%s, %s, is lost", name, why)
	}
}

func (v *verdict) name(side int) string { return v.j.names[v.r[side]] }

// whole is a two-way run over everything: P1, P3, and the fate of each register.
func (v *verdict) whole() {
	if d := same(v.after[0], v.after[1]); d != "" {
		v.say("P1", "%s and %s differ (exit status %d): %s", v.name(0), v.name(1), v.rep.Exit, d)
		if v.rep.Exit == 0 {
			v.say("P3", "exit status 0, but %s and %s differ", v.name(0), v.name(1))
		}
	} else if v.rep.Exit == 0 {
		v.j.older[v.r[0]], v.j.older[v.r[1]] = false, false
	}
	a, b := v.j.know[v.r[0]], v.j.know[v.r[1]]
	both := a.merge(b)
	moved := v.treeWrites(a, b)
	v.j.m.ConflictsHappened += v.uidConflicts() + v.nameConflicts(a, b, both)
	for _, id := range keys(both.things, nil) {
		if v.loose(id) {
			continue
		}
		x, y, t := a.things[id], b.things[id], both.things[id]
		switch {
		case strings.HasPrefix(id, isMessage):
			v.message(strings.TrimPrefix(id, isMessage), id, x, y, t)
		case strings.HasPrefix(id, isMailbox):
			v.mailbox(id, x, y, t, moved)
		default:
			v.subscription(id, x, y, t, moved)
		}
	}
	v.settle(both)
	v.j.know[v.r[0]], v.j.know[v.r[1]] = both, both.clone()
}

// treeWrites lists the paths at which each side changed the mailbox tree, unseen by
// the other: wherever the mailbox has been.
func (v *verdict) treeWrites(a, b *knowledge) (out [2][]store.Name) {
	for i, p := range [2][2]*knowledge{{a, b}, {b, a}} {
		for id, t := range p[0].things {
			if !strings.HasPrefix(id, isMailbox) {
				continue
			}
			o := p[1].things[id]
			// Where a run carried a part, or not to its end, nobody knows who has it.
			if !v.loose(id) && len(t[place].fresh(p[1].seen)) == 0 && (o == nil || len(t[place]) > 0 || len(o[place]) == 0) {
				continue
			}
			out[i] = append(out[i], v.j.paths[id]...)
		}
	}
	return out
}

// disagree reports whether both sides wrote a register, unseen by each other, and
// to different values.
func (v *verdict) disagree(x, y register) bool {
	fx, fy := x.fresh(v.j.know[v.r[1]].seen), y.fresh(v.j.know[v.r[0]].seen)
	return len(fx) > 0 && len(fy) > 0 && !slices.Equal(fx.values(), fy.values())
}

// news reports whether a side wrote a register, unseen by the other.
func (v *verdict) news(x, y register) bool {
	return len(x.fresh(v.j.know[v.r[1]].seen))+len(y.fresh(v.j.know[v.r[0]].seen)) > 0
}

// message judges one message: its presence, its place, its flags.
func (v *verdict) message(name, id string, x, y, t thing) {
	live, there := len(t[place]) > 0, v.count[0][name]+v.count[1][name] > 0
	removed := x != nil && y != nil && (len(x[place]) == 0) != (len(y[place]) == 0)
	switch {
	case removed && live, removed && v.flagged(x, y):
		v.j.m.ConflictsHappened++ // moved or copied here, or flagged here; removed there
	}
	switch {
	case live && !there:
		v.lose(name, "which nobody removed after having seen it")
		return
	case !live:
		for i, k := range [2]thing{x, y} {
			if k != nil && len(k[place]) == 0 && v.had[i][name] == 0 && v.count[i][name] > 0 {
				v.j.m.Resurrections++
				v.say("P8", "%s, removed at %s, came back", name, v.name(i))
				v.loosen(id)
			}
		}
		return
	}
	if v.disagree(x[place], y[place]) {
		v.j.m.ConflictsHappened++
	} else if want := t[place].values(); len(want) == 1 && v.news(x[place], y[place]) && !v.at(id, want[0]) {
		v.j.m.LostMoves++
		v.say("P22", "%s was moved, and is elsewhere again", name)
		v.loosen(id)
	}
	for _, reg := range keys(t, nil) {
		if !isFlag(reg) {
			continue
		}
		if v.disagree(x[reg], y[reg]) {
			v.j.m.ConflictsHappened++
			continue
		}
		want := t[reg].values()
		if len(want) != 1 || !v.news(x[reg], y[reg]) || v.shows(id, reg, want[0]) {
			continue
		}
		kind, flag, _ := strings.Cut(reg, " ")
		if kind == "flag" {
			v.j.m.LostFlags++
		} else {
			v.j.m.LostKeywords++
		}
		v.say("P7", "%s of %s was %s, and is not any more", flag, name, map[bool]string{true: "set", false: "cleared"}[want[0] == "set"])
	}
}

// flagged reports whether the side that still has the message changed flags unseen.
func (v *verdict) flagged(x, y thing) bool {
	for i, t := range [2]thing{x, y} {
		for reg, writes := range t {
			if isFlag(reg) && len(t[place]) > 0 && len(writes.fresh(v.j.know[v.r[1-i]].seen)) > 0 {
				return true
			}
		}
	}
	return false
}

// shows reports whether any side that has the thing shows the value.
func (v *verdict) shows(id, reg, want string) bool {
	for i := range v.now {
		if regs, ok := v.now[i][id]; ok && regs[reg] == want {
			return true
		}
	}
	return false
}

// at reports whether any side shows the message in that mailbox, or does not have
// the mailbox: where it went with its mailbox is not this message's affair.
func (v *verdict) at(id, want string) bool {
	for i, l := range v.after {
		regs, ok := v.now[i][id]
		if !ok {
			continue
		}
		if regs[place] == want {
			return true
		}
		known := false
		for _, b := range l.Mailboxes {
			known = known || b.GUID == want && want != ""
			if home(b) == regs[place] && want == "at "+string(b.Name) {
				return true
			}
		}
		if !known {
			return true
		}
	}
	return false
}

// mailbox judges one mailbox: that it is there, its name, its attribute.
func (v *verdict) mailbox(id string, x, y, t thing, moved [2][]store.Name) {
	gone := x != nil && len(x[place]) == 0 || y != nil && len(y[place]) == 0
	paths := t[place].values()
	if gone {
		if len(paths) > 0 || v.deliveredInto(strings.TrimPrefix(id, isMailbox)) || len(t[attribute]) > 0 && v.news(x[attribute], y[attribute]) {
			v.j.m.ConflictsHappened++ // renamed, filled or described here, deleted there
		}
		return
	}
	if v.disagree(x[place], y[place]) {
		v.j.m.ConflictsHappened++
		return
	}
	if len(paths) != 1 {
		return
	}
	there := [2]bool{v.now[0][id] != nil, v.now[1][id] != nil}
	known := x != nil && y != nil
	// Both may have changed what stands at its name, or above.
	contested := touches(moved[0], store.Name(paths[0])) && touches(moved[1], store.Name(paths[0]))
	switch {
	case !there[0] && !there[1]:
		// Made apart, it may be one with another now, which may have a new name (rule 11).
		if (known || len(moved[0]) == 0 || len(moved[1]) == 0) && !v.holds(paths[0]) {
			v.j.m.LostMailboxes++
			v.say("P22", "mailbox %s is gone, which nobody deleted", paths[0])
			v.loosen(id)
		}
	case known && !contested && v.news(x[place], y[place]) && !v.shows(id, place, paths[0]):
		v.j.m.LostRenames++
		v.say("P22", "mailbox %s has lost its new name", paths[0])
		v.loosen(id)
	}
	if v.disagree(x[attribute], y[attribute]) {
		v.j.m.ConflictsHappened++
	} else if want := t[attribute].values(); len(want) == 1 && v.news(x[attribute], y[attribute]) && (there[0] || there[1]) && !v.shows(id, attribute, want[0]) {
		v.j.m.LostAttributes++
		v.say("P22", "the attribute of mailbox %s was set, and is not any more", paths[0])
		v.loosen(id)
	}
}

// deliveredInto reports whether a side has mail in a mailbox that the other, which
// deleted it, had not seen.
func (v *verdict) deliveredInto(guid string) bool {
	for i := range v.r {
		seen := v.j.know[v.r[1-i]].seen
		for id, t := range v.j.know[v.r[i]].things {
			if strings.HasPrefix(id, isMessage) && slices.Contains(t[place].fresh(seen).values(), guid) {
				return true
			}
		}
	}
	return false
}

// holds reports whether any side shows a mailbox at the path.
func (v *verdict) holds(path string) bool {
	for _, l := range v.after {
		if slices.ContainsFunc(l.Mailboxes, func(b scenario.Mailbox) bool { return string(b.Name) == path }) {
			return true
		}
	}
	return false
}

// settle takes what both sides show now as the value of registers that are not in
// dispute, and forgets mailboxes that are part of another now.
func (v *verdict) settle(k *knowledge) {
	for id, t := range k.things {
		now, other := v.now[0][id], v.now[1][id]
		if strings.HasPrefix(id, isMailbox) && now == nil && other == nil && len(t[place]) > 0 {
			delete(k.things, id)
			continue
		}
		for reg, writes := range t {
			if now == nil || other == nil || now[reg] != other[reg] || len(writes.values()) != 1 {
				continue
			}
			for w := range writes {
				writes[w] = now[reg]
			}
		}
	}
	for i := range v.now {
		for id, regs := range v.now[i] {
			t := k.things[id]
			if t == nil {
				t = thing{}
				k.things[id] = t
			}
			for reg, value := range regs {
				if _, known := t[reg]; !known && reg != number {
					v.j.next++
					t[reg] = register{v.j.next: value}
					k.seen[v.j.next] = true
				}
			}
		}
	}
}

// uids is P10 at one side.
func (v *verdict) uids(side int) {
	r := v.r[side]
	for _, b := range v.after[side].Mailboxes {
		if b.NoSelect || b.UIDValidity == 0 {
			continue
		}
		k := boxKey{b.Name, b.UIDValidity}
		if b.UIDNext < v.j.nexts[r][k] {
			v.say("P10", "UIDNEXT of %s at %s fell from %d to %d", b.Name, v.name(side), v.j.nexts[r][k], b.UIDNext)
		}
		v.j.nexts[r][k] = b.UIDNext
		v.j.holds[r][k] = b.GUID
		for _, m := range b.Messages {
			if m.UID == 0 {
				continue
			}
			u := uidKey{k, m.UID}
			if was, ok := v.j.uids[r][u]; ok && was != m.Name {
				v.say("P10", "UID %d of %s at %s was %s and is %s", m.UID, b.Name, v.name(side), was, m.Name)
			}
			v.j.uids[r][u] = m.Name
		}
	}
}

// tree is P16 at one side.
func (v *verdict) tree(side int) {
	at := map[string]store.Name{}
	inbox := false
	for _, b := range v.after[side].Mailboxes {
		inbox = inbox || b.Name == store.Inbox && !b.NoSelect
		if b.GUID == "" {
			continue
		}
		if other, ok := at[b.GUID]; ok {
			v.say("P16", "%s and %s at %s are one mailbox", other, b.Name, v.name(side))
		}
		at[b.GUID] = b.Name
	}
	if !inbox {
		v.say("P16", "%s has no INBOX", v.name(side))
	}
}
