package merge

import (
	"cmp"
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// Rules 4 to 10: what becomes of a message (messages.md 1 to 3, 8, 9).

// group is one message: the entries of both sides that share an origin.
type group struct {
	side  [2][]*changelog.Message
	out   *changelog.Message
	waits bool // a filter keeps it from crossing
	// linked lists the groups that became part of this one.
	linked []*group
	into   *group // the group that this one became part of
}

// mergeMessages groups the working sets by origin and merges each group.
func (m *merger) mergeMessages() []*group {
	total := len(m.side[0].Messages) + len(m.side[1].Messages)
	byOrigin := make(map[changelog.Dot]int32, total) // origin -> entry
	up := make([]int32, 0, total)
	root := func(i int32) int32 {
		for up[i] != i {
			up[i] = up[up[i]]
			i = up[i]
		}
		return i
	}
	for s := range m.side {
		for _, x := range m.side[s].Messages {
			r := int32(len(up))
			up = append(up, r)
			for _, o := range x.Origins {
				if q, ok := byOrigin[o.Dot]; ok {
					a, b := root(r), root(q)
					up[max(a, b)] = min(a, b)
				} else {
					byOrigin[o.Dot] = r
				}
			}
		}
	}
	byRoot := make([]*group, len(up))
	gs := make([]*group, 0, max(len(m.side[0].Messages), len(m.side[1].Messages)))
	first := int32(0)
	for s := range m.side {
		ms := slices.Clone(m.side[s].Messages) // the groups keep parts of it
		for i := range ms {
			k := root(first + int32(i))
			g := byRoot[k]
			if g == nil {
				g = &group{}
				byRoot[k] = g
				gs = append(gs, g)
			}
			if g.side[s] == nil {
				g.side[s] = ms[i : i+1 : i+1]
			} else {
				g.side[s] = append(g.side[s], ms[i])
			}
		}
		first += int32(len(ms))
	}
	for _, g := range gs {
		g.out = m.mergeGroup(g)
	}
	sortGroups(gs)
	return gs
}

func sortGroups(gs []*group) {
	slices.SortFunc(gs, func(a, b *group) int { return a.out.ID().Compare(b.out.ID()) })
}

func writeDot(w changelog.Write) changelog.Dot             { return w.Dot }
func placedDot(w changelog.Presence) changelog.Dot         { return w.Dot }
func flagDot(w changelog.FlagWrite) changelog.Dot          { return w.Dot }
func keywordDot(w changelog.KeywordWrite) changelog.Dot    { return w.Dot }
func originsOf(x *changelog.Message) []changelog.Write     { return x.Origins }
func presenceOf(x *changelog.Message) []changelog.Presence { return x.Presence }
func flagsOf(x *changelog.Message) []changelog.FlagWrite   { return x.Flags }
func keysOf(x *changelog.Message) []changelog.KeywordWrite { return x.Keywords }
func compareFlag(a, b changelog.FlagWrite) int {
	return cmp.Or(cmp.Compare(a.Flag, b.Flag), a.Dot.Compare(b.Dot))
}
func compareKeyword(a, b changelog.KeywordWrite) int {
	return cmp.Or(cmp.Compare(store.FoldKeyword(a.Name), store.FoldKeyword(b.Name)), a.Dot.Compare(b.Dot))
}

func (m *merger) mergeGroup(g *group) *changelog.Message {
	if out := m.plain(g); out != nil {
		return out
	}
	a, b := g.side[0], g.side[1]
	all := slices.Concat(a, b)
	lackA, lackB := len(a) == 0, len(b) == 0
	sa, sb := &m.side[0].Seen, &m.side[1].Seen
	out := &changelog.Message{Content: all[0].Content, Received: all[0].Received}
	var gone changelog.Dots
	for _, x := range all {
		gone.Union(&x.Past)
		out.Received = min(out.Received, x.Received)
		out.Content = oneContent(out.Content, x.Content)
	}
	out.Origins = union(gather(all, originsOf), byDot(writeDot))
	out.Presence = mergeWrites(union(gather(a, presenceOf), byDot(placedDot)), union(gather(b, presenceOf), byDot(placedDot)),
		sa, sb, false, false, byDot(placedDot), placedDot, &gone)
	out.Flags = mergeWrites(union(gather(a, flagsOf), compareFlag), union(gather(b, flagsOf), compareFlag),
		sa, sb, lackA, lackB, compareFlag, flagDot, &gone)
	out.Keywords = mergeWrites(union(gather(a, keysOf), compareKeyword), union(gather(b, keysOf), compareKeyword),
		sa, sb, lackA, lackB, compareKeyword, keywordDot, &gone)
	if m.grows {
		m.grow(all, out)
	}
	m.stays(g, out, &gone)
	if !out.Live() {
		out.Was = m.was(all)
	}
	m.controls(g, out, &gone)
	m.choosePlace(out)
	out.Past = dropLive(gone, out.EachLive)
	m.overrides(g, out)
	return out
}

// plain gives the outcome of the two ordinary cases, in which no write meets
// another: an entry that one side alone has and the other has seen nothing of, and
// one that both hold alike. The result shares slices with the entries, which nobody
// changes in place. nil: neither case.
func (m *merger) plain(g *group) *changelog.Message {
	if m.control || m.policy.Deletion == DeletionWins {
		return nil
	}
	var x *changelog.Message
	switch a, b := g.side[0], g.side[1]; {
	case len(a)+len(b) == 1:
		s := len(b)
		x = g.side[s][0]
		if !x.Live() || slices.ContainsFunc(x.Presence, func(p changelog.Presence) bool { return m.side[1-s].Seen.Has(p.Dot) }) {
			return nil
		}
	case len(a) == 1 && len(b) == 1:
		x = a[0]
		y := b[0]
		if !x.Live() || x.Content != y.Content || x.Received != y.Received || !x.Past.Equal(&y.Past) ||
			!slices.Equal(x.Origins, y.Origins) || !slices.Equal(x.Presence, y.Presence) ||
			!slices.Equal(x.Flags, y.Flags) || !slices.Equal(x.Keywords, y.Keywords) {
			return nil
		}
	default:
		return nil
	}
	out := *x
	out.UID, out.Was = 0, changelog.Was{}
	m.choosePlace(&out)
	return &out
}

func compareContent(a, b store.Content) int {
	return cmp.Or(cmp.Compare(a.GUID, b.GUID), cmp.Compare(a.Size, b.Size), slices.Compare(a.Hash[:], b.Hash[:]))
}

// yields are the cases in which a message goes although the side that removed it
// had not seen all of it: rule 28, and choices of a policy.
func (m *merger) yields(g *group, out *changelog.Message, gone *changelog.Dots) {
	drop := func(which func(changelog.Presence) bool) {
		out.Presence = slices.DeleteFunc(slices.Clone(out.Presence), func(p changelog.Presence) bool {
			if which(p) {
				gone.Add(p.Dot)
				return true
			}
			return false
		})
	}
	expunged := len(g.side[0]) > 0 && len(g.side[1]) > 0 && anyLive(g.side[0]) != anyLive(g.side[1])
	if expunged && out.Live() && !m.policy.MailComesBack {
		// What was met without history yields to the log that is left (rule 28).
		drop(func(p changelog.Presence) bool { return p.Found() })
		if !out.Live() {
			m.decide(out, 28, "log-lost", "the expunge that one log still has", "the same message, met without its history", "what was expunged does not come back because a log was lost")
		}
	}
	if m.policy.ExpungeFollowsMove && expunged {
		drop(func(p changelog.Presence) bool {
			return !slices.ContainsFunc(out.Origins, func(o changelog.Write) bool { return o.Dot == p.Dot })
		})
	}
	if m.policy.Deletion == DeletionWins && out.Live() {
		drop(func(p changelog.Presence) bool { return m.class.deleted(p.Mailbox) })
		if !out.Live() {
			m.decide(out, 15, "delete-deliver", "the deletion of the mailbox", "the message", "policy "+m.policy.Name)
		}
	}
}

// was is where a message that is gone was last shown: of several answers the
// largest.
func (m *merger) was(all []*changelog.Message) changelog.Was {
	var best changelog.Was
	for _, x := range all {
		w := x.Was
		if x.Live() {
			continue
		}
		if cmp.Or(w.Mailbox.Compare(best.Mailbox), cmp.Compare(w.UIDValidity, best.UIDValidity), cmp.Compare(w.UID, best.UID)) > 0 {
			best = w
		}
	}
	return best
}
