package lab

import (
	"maps"
	"slices"

	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
)

// What happens in the middle of a run (P15).

// busy is the exit status of a run that could not have a store.
const busy = 75

// meanwhile takes something that happened in the middle of the run.
func (v *verdict) meanwhile(e engine.Event) {
	r := []int{slices.Index(v.j.names, e.Step.At)}
	if !e.Step.Verb.IsRun() {
		v.client(r[0], e)
		return
	}
	r = append(r, slices.Index(v.j.names, e.Step.With))
	if !slices.Contains(v.r[:], r[0]) && !slices.Contains(v.r[:], r[1]) {
		v.broken = append(v.broken, v.j.run(e.Step, [2]int(r), [2]*scenario.Listing(e.Before), [2]*scenario.Listing(e.After), e.Report)...)
		return
	}
	for i := range r {
		if d := same(e.Before[i], e.After[i]); d != "" || e.Report.Exit != busy {
			v.say("P15", "%s, in the middle of a run that has a replica of it, ended with %d and changed %s: %s", e.Step, e.Report.Exit, v.j.names[r[i]], d)
		}
	}
}

// client takes what a client did in the middle: of what it touched only presence is
// judged, and what it removed may go.
func (v *verdict) client(r int, e engine.Event) {
	was, before := look(e.Before[0])
	now, after := look(e.After[0])
	side := slices.Index(v.r[:], r)
	v.stirred = v.stirred || side >= 0 && same(e.Before[0], e.After[0]) != ""
	for _, name := range keys(before, after) {
		if n := after[name] - before[name]; n > 0 {
			v.j.made[name] += n
			if side >= 0 {
				v.had[side][name] += n
			}
		} else if n < 0 {
			v.j.gone[name] = true
		}
	}
	for _, id := range keys(was, now) {
		if maps.Equal(was[id], now[id]) {
			continue
		}
		v.j.loosen(r, id)
		if name, ok := cutMessage(id); ok {
			v.meddled[name] = true
		}
	}
	for _, b := range e.After[0].Mailboxes {
		i := slices.IndexFunc(e.Before[0].Mailboxes, func(x scenario.Mailbox) bool {
			return x.Name == b.Name && x.UIDValidity == b.UIDValidity && x.GUID == b.GUID
		})
		if i < 0 {
			v.j.forget(r, boxKey{b.Name, b.UIDValidity})
		}
	}
}
