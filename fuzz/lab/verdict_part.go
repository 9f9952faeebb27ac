package lab

import (
	"maps"
	"slices"
	"strings"

	"dsync/fuzz/scenario"
	"dsync/store"
)

// What is judged of runs that do not carry everything both ways.

// backup is P19.
func (v *verdict) backup() {
	// A source that is older than its log is to be brought up first, and the run says so.
	refused := v.j.older[v.r[0]] && v.rep.Exit != 0
	if d := same(v.after[0].WithoutUIDs(), v.after[1].WithoutUIDs()); d != "" && !refused {
		v.say("P19", "%s and %s differ: %s", v.name(0), v.name(1), d)
	}
	v.oneSided()
	v.blur()
}

// oneWay is P20.
func (v *verdict) oneWay() {
	v.oneSided()
	v.blur()
}

// oneSided is what any run in one direction leaves alone.
func (v *verdict) oneSided() {
	law := "P20"
	if v.s.Verb == scenario.Backup {
		law = "P19"
	}
	was, is := v.before[0], v.after[0]
	if v.j.halted[v.r[0]] { // renames that a dead run left half-made are taken back first
		was, is = unnamed(was), unnamed(is)
	}
	if d := untouched(was, is); d != "" {
		v.say(law, "the source %s was changed: %s", v.name(0), d)
	}
	for _, name := range slices.Sorted(maps.Keys(v.had[1])) {
		if v.count[1][name] < v.had[1][name] && v.s.Verb == scenario.OneWay {
			v.say("P20", "%s is gone at the destination %s", name, v.name(1))
		}
	}
	if v.s.Verb == scenario.Backup {
		v.mirrored()
	}
}

// unnamed has each mailbox under its GUID instead of its name, without those that are
// names alone.
func unnamed(l *scenario.Listing) *scenario.Listing {
	out := &scenario.Listing{Subscribed: l.Subscribed}
	for _, b := range l.Mailboxes {
		if !b.NoSelect {
			b.Name = store.Name(b.GUID)
			out.Mailboxes = append(out.Mailboxes, b)
		}
	}
	slices.SortFunc(out.Mailboxes, func(a, b scenario.Mailbox) int { return strings.Compare(a.GUID, b.GUID) })
	return out
}

// mirrored takes what a mirror removed.
func (v *verdict) mirrored() {
	for name, n := range v.had[1] {
		if v.count[1][name] < n && v.had[0][name] < n {
			v.j.gone[name] = true
		}
	}
}

// partial is P26, and that a run which ended early or carried a part is honest.
func (v *verdict) partial() {
	run := v.s.Run
	filtered := len(run.Only)+len(run.Except) > 0 || run.Since != 0 || run.Before != 0
	if v.stirred { // what clients did meanwhile cannot be told from what the run did
		if v.s.Verb == scenario.Backup {
			v.mirrored()
		}
		v.blur()
		return
	}
	if v.s.Verb == scenario.Sync && !filtered && v.rep.Exit == 0 {
		if d := same(v.after[0], v.after[1]); d != "" {
			v.say("P3", "exit status 0, but %s and %s differ: %s", v.name(0), v.name(1), d)
		}
	}
	for i := range v.r {
		if len(run.Only)+len(run.Except) > 0 {
			v.outside(i)
		}
		if run.Since != 0 || run.Before != 0 {
			v.older(i)
		}
	}
	if v.s.Verb != scenario.Sync {
		v.oneSided()
	}
	v.blur()
}

// outside: mailboxes that a run leaves out hold what they held.
func (v *verdict) outside(side int) {
	inside := map[string]bool{}
	for _, l := range []*scenario.Listing{v.before[0], v.before[1], v.after[0], v.after[1]} {
		for _, b := range l.Mailboxes {
			if v.s.Run.CarriesMailbox(b.Name) {
				inside[b.GUID] = true
			}
		}
	}
	for _, b := range v.before[side].Mailboxes {
		if b.NoSelect || b.GUID == "" || inside[b.GUID] {
			continue
		}
		i := slices.IndexFunc(v.after[side].Mailboxes, func(c scenario.Mailbox) bool { return c.GUID == b.GUID })
		if i < 0 {
			v.say("P26", "mailbox %s of %s is gone, though it was left out", b.Name, v.name(side))
			continue
		}
		was, is := &scenario.Listing{Mailboxes: []scenario.Mailbox{b}}, &scenario.Listing{Mailboxes: []scenario.Mailbox{v.after[side].Mailboxes[i]}}
		if d := untouched(was, is); d != "" {
			v.say("P26", "mailbox %s of %s was left out and changed: %s", b.Name, v.name(side), d)
		}
	}
}

// older: no message comes that was received when the run carries none. Where a store
// or a log was lost nobody knows by looking which are new.
func (v *verdict) older(side int) {
	if v.j.apart[v.r[0]] || v.j.apart[v.r[1]] {
		return
	}
	for _, b := range v.after[side].Mailboxes {
		for _, m := range b.Messages {
			if v.had[side][m.Name] == 0 && !v.s.Run.CarriesReceived(m.Received) {
				v.say("P26", "%s, received %s, came to %s, though it was left out", m.Name, m.Received, v.name(side))
			}
		}
	}
}

// blur takes a run that does not carry all: of what both sides know differently
// only presence is judged from now on.
func (v *verdict) blur() {
	a, b := v.j.know[v.r[0]], v.j.know[v.r[1]]
	both := a.merge(b)
	for id := range both.things {
		if !maps.EqualFunc(a.things[id], b.things[id], func(x, y register) bool { return maps.Equal(x, y) }) {
			v.loosen(id)
		}
	}
	v.j.know[v.r[0]], v.j.know[v.r[1]] = both, both.clone()
}
