package session

import (
	"slices"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// unlike names the mailboxes (by all their GUIDs) that differ between the ends by
// more than what is in the working set: a UID that a third replica gave anew is no
// change that anybody has seen. Their mail must be looked at whole, or a UIDNEXT
// would cross without the UIDs that raised it, and be overtaken for ever.
//
// What is left of a mailbox's digest once the working set is taken out must be the
// same at both ends. Both ends compute the same from what was exchanged.
func (m *Machine) unlike() []store.MailboxGUID {
	if m.cfg.Direction == merge.OneWay || m.out.More {
		return nil // -1 leaves UIDs apart for good; a part is no whole
	}
	sa, sb := m.own, m.theirs
	if m.side() == 1 {
		sa, sb = sb, sa
	}
	ra, rb := m.rests(sa), m.rests(sb)
	set := map[store.MailboxGUID]bool{}
	note := func(one, other map[*changelog.Node]changelog.Digest, t *changelog.Tree) {
		for n, d := range one {
			var theirs changelog.Digest
			var also []store.MailboxGUID
			for _, g := range n.GUIDs {
				if x := t.Node(g); x != nil {
					theirs, also = other[x], x.GUIDs
				}
			}
			if d == theirs {
				continue
			}
			for _, g := range slices.Concat(n.GUIDs, also) {
				set[g] = true
			}
		}
	}
	note(ra, rb, sb.Tree)
	note(rb, ra, sa.Tree)
	out := make([]store.MailboxGUID, 0, len(set))
	for g := range set {
		out = append(out, g)
	}
	slices.SortFunc(out, store.MailboxGUID.Compare)
	return out
}

// rests gives of each mailbox that an end shows what its digest holds besides the
// working set.
func (m *Machine) rests(d *Delta) map[*changelog.Node]changelog.Digest {
	count := map[store.MailboxGUID]bool{}
	for _, h := range d.Held {
		count[h.Mailbox] = h.Count > 0
	}
	lay := d.Tree.Layout(func(g store.MailboxGUID) bool { return count[g] })
	out := map[*changelog.Node]changelog.Digest{}
	for _, h := range d.Held {
		if n := d.Tree.Node(h.Mailbox); n != nil {
			x := out[n]
			x.Add(h.Digest)
			out[n] = x
		}
	}
	p := m.cfg.Policy
	for _, x := range d.Messages {
		at, ok := x.Place()
		if !ok {
			continue
		}
		s := lay.In(at)
		if s == nil || s.Holder == nil {
			continue
		}
		sum := out[s.Holder]
		sum.Sub(changelog.MessageDigest(x.UID, x.Content.GUID, x.Content.Size, p.Flags(x), p.Keywords(x), x.Received))
		out[s.Holder] = sum
	}
	return out
}
