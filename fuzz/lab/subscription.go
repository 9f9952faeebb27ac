package lab

import "strings"

// subscription judges one; those of mailboxes that were renamed follow them, so
// then nothing is said.
func (v *verdict) subscription(id string, x, y, t thing, changed [2]bool) {
	if changed[0] || changed[1] {
		if len(t[place]) > 0 && v.now[0][id] == nil && v.now[1][id] == nil {
			v.j.loose[id] = true // it followed its mailbox, and does so in later runs
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
