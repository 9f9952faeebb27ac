package lab

import (
	"slices"
	"strings"

	"dsync/store"
)

// subscription judges one; that of a mailbox which was renamed follows it, so then
// nothing is said.
func (v *verdict) subscription(id string, x, y, t thing, moved [2][]store.Name) {
	name := store.Name(strings.TrimPrefix(id, isSubscription))
	if touches(moved[0], name) || touches(moved[1], name) {
		if len(t[place]) > 0 && v.now[0][id] == nil && v.now[1][id] == nil {
			v.loosen(id) // it followed its mailbox, and does so in later runs
		}
		return
	}
	fx, fy := x[place].fresh(v.j.know[v.r[1]].seen), y[place].fresh(v.j.know[v.r[0]].seen)
	off := x != nil && y != nil && (len(x[place]) == 0) != (len(y[place]) == 0)
	if off && len(fx)+len(fy) > 0 {
		v.j.m.ConflictsHappened++ // subscribed here, unsubscribed there
		return
	}
	if len(t[place]) > 0 && len(fx)+len(fy) > 0 && v.now[0][id] == nil && v.now[1][id] == nil {
		v.j.m.LostSubscriptions++
		v.say("P22", "%s was subscribed, and is not any more", strings.TrimPrefix(id, isSubscription))
	}
}

// touches reports whether what stands at a name may have been moved by changes at
// these paths: at the name itself, or above it.
func touches(paths []store.Name, n store.Name) bool {
	return slices.ContainsFunc(paths, func(p store.Name) bool { return p == n || n.IsUnder(p) })
}
