package merge

import (
	"cmp"
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// Rule 2 and rule 28: copies made apart become one message (messages.md 7), and
// what was found without history meets the tombstone that remembers it.

// apart reports whether a group stands only at side s, on origins that the other
// side has not seen.
func (m *merger) apart(g *group, s int) bool {
	return len(g.side[s]) > 0 && len(g.side[1-s]) == 0 &&
		!slices.ContainsFunc(g.out.Origins, func(w changelog.Write) bool { return m.side[1-s].Seen.Has(w.Dot) })
}

// bothApart reports whether both sides have a message that the other knows nothing
// of; only then can there be anything to link or to tell apart.
func (m *merger) bothApart() bool {
	for s := range m.side {
		if !slices.ContainsFunc(m.groups, func(g *group) bool { return m.apart(g, s) }) {
			return false
		}
	}
	return true
}

type linkKey struct {
	mailbox store.MailboxGUID
	guid    store.GUID
	size    int64
}

// link pairs copies of one content in one mailbox, made apart at the two sides, in
// (stamp, dot) order.
func (m *merger) link() {
	if !m.bothApart() {
		return
	}
	sides := [2]map[linkKey][]*group{{}, {}}
	for _, g := range m.groups {
		at, ok := g.out.Place()
		slot := m.layout.In(at)
		if !ok || g.waits || slot == nil || slot.Holder == nil {
			continue
		}
		k := linkKey{slot.Holder.GUID(), g.out.Content.GUID, g.out.Content.Size}
		for s := range sides {
			if m.apart(g, s) {
				sides[s][k] = append(sides[s][k], g)
			}
		}
	}
	gone := map[*group]bool{}
	for k, as := range sides[0] {
		bs := slices.Clone(sides[1][k])
		if len(bs) == 0 {
			continue
		}
		slices.SortFunc(as, compareAge)
		slices.SortFunc(bs, compareAge)
		for _, a := range as {
			j := slices.IndexFunc(bs, func(b *group) bool { return sameHash(a.out.Content, b.out.Content) && !m.keptApart(a, b) })
			if j < 0 {
				continue
			}
			m.join(a, bs[j])
			m.overriddenFlags(a, a.out)
			m.overriddenKeywords(a, a.out)
			gone[bs[j]] = true
			bs = slices.Delete(bs, j, j+1)
		}
	}
	if len(gone) > 0 {
		m.groups = slices.DeleteFunc(m.groups, func(g *group) bool { return gone[g] })
		sortGroups(m.groups)
	}
}

// keptApart reports whether the policy keeps two copies that were made apart. What
// was met without history is linked whatever it says: nobody made a copy.
func (m *merger) keptApart(a, b *group) bool {
	return m.policy.KeepCopies && !foundMessage(a.out) && !foundMessage(b.out)
}

func compareAge(a, b *group) int {
	return cmp.Or(a.out.Stamp().Compare(b.out.Stamp()), a.out.ID().Compare(b.out.ID()))
}

func sameHash(a, b store.Content) bool {
	return a.Hash == b.Hash || a.Hash == store.HeaderHash{} || b.Hash == store.HeaderHash{}
}

// join makes b part of a: all origins and places of both, and the flags as of one
// message that both sides have: a write that one side lacks and has seen was
// replaced there.
func (m *merger) join(a, b *group) {
	for s := range a.side {
		a.side[s] = slices.Concat(a.side[s], b.side[s])
	}
	x, y := a.out, b.out
	x.Origins = union([][]changelog.Write{x.Origins, y.Origins}, byDot(writeDot))
	x.Presence = union([][]changelog.Presence{x.Presence, y.Presence}, byDot(placedDot))
	m.choosePlace(x)
	x.Past = x.Past.Clone()
	x.Past.Union(&y.Past)
	sa, sb := &m.side[0].Seen, &m.side[1].Seen
	x.Flags = mergeWrites(union(gather(a.side[0], flagsOf), compareFlag), union(gather(a.side[1], flagsOf), compareFlag),
		sa, sb, false, false, compareFlag, flagDot, &x.Past)
	x.Keywords = mergeWrites(union(gather(a.side[0], keysOf), compareKeyword), union(gather(a.side[1], keysOf), compareKeyword),
		sa, sb, false, false, compareKeyword, keywordDot, &x.Past)
	if m.grows {
		m.grow(slices.Concat(a.side[0], a.side[1]), x)
	}
	x.Past = dropLive(x.Past, x.EachLive)
	x.Received = min(x.Received, y.Received)
	x.Content = oneContent(x.Content, y.Content)
	a.linked, b.into = append(a.linked, b), a
}

type wasKey struct {
	mailbox store.MailboxGUID
	uv      store.UIDValidity
	uid     store.UID
	guid    store.GUID
}

// foundAgainstTombstone lets an expunge that one log still has stand against the
// same message (mailbox, UIDVALIDITY, UID and GUID) where one of the two was met
// without history. It reports whether any did. Where the side of the expunge shows
// as many copies of the content as the other, it came back there, under another
// origin and maybe another UID: then the two are one message (rule 2).
func (m *merger) foundAgainstTombstone() bool {
	if m.policy.MailComesBack || m.policy.ExpungeNever {
		return false
	}
	dead := map[wasKey]*group{}
	for _, g := range m.groups {
		w := g.out.Was
		if !g.out.Live() && w.UID != 0 {
			if n := m.class.node(w.Mailbox); n != nil {
				dead[wasKey{n.GUID(), w.UIDValidity, w.UID, g.out.Content.GUID}] = g
			}
		}
	}
	if len(dead) == 0 {
		return false
	}
	var copies [2]map[wasKey]int
	gone := map[*group]bool{}
	for _, g := range m.groups {
		for s := range g.side {
			if !m.apart(g, s) || len(g.side[s]) != 1 || !g.out.Live() {
				continue
			}
			k, ok := m.whereAt(s, g.side[s][0])
			t := dead[k]
			if !ok || t == nil || len(t.side[1-s]) == 0 || len(t.side[s]) > 0 || !foundMessage(g.out) && !foundMessage(t.out) {
				continue
			}
			if copies[0] == nil {
				copies[0], copies[1] = m.copies(0), m.copies(1)
			}
			if c := k.content(); copies[1-s][c] >= copies[s][c] {
				continue
			}
			copies[s][k.content()]--
			g.out.Expunge(g.out.Presence[0].Dot, t.out.Was)
			m.join(t, g)
			gone[g] = true
			m.decide(t.out, 28, "log-lost", "the expunge that one log still has", "the same message, met without its history", "what was expunged does not come back because a log was lost")
		}
	}
	m.groups = slices.DeleteFunc(m.groups, func(g *group) bool { return gone[g] })
	sortGroups(m.groups)
	return len(gone) > 0
}

// whereAt names what side s shows a live message as.
func (m *merger) whereAt(s int, x *changelog.Message) (k wasKey, ok bool) {
	at, live := x.Place()
	slot := m.before[s].In(at)
	if !live || slot == nil || slot.Holder == nil {
		return k, false
	}
	return wasKey{m.class.node(slot.Holder.GUID()).GUID(), slot.Holder.UIDValidity, x.UID, x.Content.GUID}, true
}

// content is the name without its numbers.
func (k wasKey) content() wasKey { return wasKey{mailbox: k.mailbox, guid: k.guid} }

// copies counts the live messages of side s by mailbox and GUID.
func (m *merger) copies(s int) map[wasKey]int {
	out := map[wasKey]int{}
	for _, g := range m.groups {
		for _, x := range g.side[s] {
			if k, ok := m.whereAt(s, x); ok {
				out[k.content()]++
			}
		}
	}
	return out
}

// foundMessage reports whether a message is known only from a look without history.
func foundMessage(x *changelog.Message) bool {
	return !slices.ContainsFunc(x.Origins, func(w changelog.Write) bool { return !w.Found() }) &&
		!slices.ContainsFunc(x.Presence, func(p changelog.Presence) bool { return !p.Found() })
}
