package lab

import (
	"maps"
	"slices"
	"strings"

	"dsync/fuzz/scenario"
	"dsync/store"
)

// Conflicts about UIDs and names, which are no registers: they can be seen in what
// both sides showed before a run. Messages that share a name are left out, as
// everywhere.

// uidConflicts counts messages that cannot keep their UID: one that the other side
// has not seen in its mailbox, while it has used that UID there or has passed it
// (rules 1 and 3), or has a larger UIDVALIDITY (rule 22).
func (v *verdict) uidConflicts() (n int) {
	for i := range v.r {
		seen := v.j.know[v.r[1-i]].seen
		for _, b := range v.before[i].Mailboxes {
			o := mailboxAt(v.before[1-i], b.Name)
			if o == nil || b.UIDValidity == 0 || o.UIDValidity < b.UIDValidity || !v.oneMailbox(b, *o) {
				continue
			}
			for _, m := range b.Messages {
				t := v.j.know[v.r[i]].things[isMessage+m.Name]
				if m.UID == 0 || t == nil || slices.ContainsFunc(o.Messages, func(x scenario.Message) bool { return x.Name == m.Name }) || v.loose(isMessage+m.Name) || len(t[place].fresh(seen)) == 0 {
					continue
				}
				if o.UIDValidity > b.UIDValidity || m.UID < o.UIDNext {
					n++
				}
			}
		}
	}
	return n
}

// oneMailbox reports whether two at one name are one mailbox or become one: not if
// either was there before the other was made.
func (v *verdict) oneMailbox(a, b scenario.Mailbox) bool {
	return a.GUID == b.GUID || v.j.know[v.r[1]].things[isMailbox+a.GUID] == nil && v.j.know[v.r[0]].things[isMailbox+b.GUID] == nil ||
		v.j.know[v.r[0]].things[isMailbox+a.GUID] == nil && v.j.know[v.r[1]].things[isMailbox+b.GUID] == nil
}

func mailboxAt(l *scenario.Listing, n store.Name) *scenario.Mailbox {
	i := slices.IndexFunc(l.Mailboxes, func(b scenario.Mailbox) bool { return b.Name == n && !b.NoSelect })
	if i < 0 {
		return nil
	}
	return &l.Mailboxes[i]
}

// nameConflicts counts mailboxes that have to give way to another at their name (rule
// 13). Two that were both made there are one mailbox instead (rule 11).
func (v *verdict) nameConflicts(a, b, both *knowledge) (n int) {
	at := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(both.things)) {
		if p := both.things[id][place].values(); strings.HasPrefix(id, isMailbox) && len(p) == 1 && !v.loose(id) {
			at[p[0]] = append(at[p[0]], id)
		}
	}
	for _, ids := range at { // any order: a sum
		if len(ids) > 1 && slices.ContainsFunc(ids, func(id string) bool { return a.things[id] != nil && b.things[id] != nil }) {
			n += len(ids) - 1
		}
	}
	return n
}
