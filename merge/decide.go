package merge

import (
	"cmp"
	"fmt"
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// What was overridden, and by which rule (P7, P25).

func sortDecisions(ds []Decision) {
	slices.SortFunc(ds, func(a, b Decision) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), store.CompareNames(a.Mailbox, b.Mailbox),
			a.Message.Compare(b.Message), cmp.Compare(a.Kept, b.Kept), cmp.Compare(a.Lost, b.Lost))
	})
}

func (m *merger) decide(out *changelog.Message, rule int, name, kept, lost, reason string) {
	m.out.Decisions = append(m.out.Decisions, Decision{Rule: rule, Name: name, Message: out.ID(),
		GUID: out.Content.GUID, Kept: kept, Lost: lost, Reason: reason})
}

// overrides notes what the merge of one group overrode.
func (m *merger) overrides(g *group, out *changelog.Message) {
	if len(g.side[0]) == 0 || len(g.side[1]) == 0 {
		return
	}
	live := [2]bool{anyLive(g.side[0]), anyLive(g.side[1])}
	switch {
	case live[0] && live[1]:
		m.overriddenPlace(g, out)
		m.overriddenFlags(g, out)
		m.overriddenKeywords(g, out)
	case live[0] != live[1]:
		s := 0
		if live[1] {
			s = 1
		}
		m.overriddenByExpunge(g, out, s)
	}
}

func anyLive(xs []*changelog.Message) bool { return slices.ContainsFunc(xs, (*changelog.Message).Live) }

// overriddenByExpunge: side s holds the message, the other has expunged it.
func (m *merger) overriddenByExpunge(g *group, out *changelog.Message, s int) {
	other := &m.side[1-s].Seen
	if out.Live() {
		m.decide(out, 4, "expunge-move", "the message where it was moved", "the expunge", "a move is not undone by an expunge that had not seen it")
		return
	}
	for _, x := range g.side[s] {
		if unseen(x.Flags, flagDot, other) || unseen(x.Keywords, keywordDot, other) {
			m.decide(out, 7, "expunge-flags", "the expunge", "a change of flags", "expunge wins over flags")
			return
		}
	}
}

func (m *merger) overriddenPlace(g *group, out *changelog.Message) {
	at, _ := out.Place()
	var from [2]store.MailboxGUID
	for s := range g.side {
		moved := false
		for _, x := range g.side[s] {
			if p, ok := x.Place(); ok {
				from[s] = p
				moved = moved || unseen(x.Presence, placedDot, &m.side[1-s].Seen)
			}
		}
		if !moved {
			return
		}
	}
	if from[0] == from[1] {
		return
	}
	for s := range from {
		if from[s] != at {
			m.decide(out, 5, "move-move", "the move to "+at.String()[:8], "the move to "+from[s].String()[:8], "the later move wins")
		}
	}
}

func (m *merger) overriddenFlags(g *group, out *changelog.Message) {
	shown := m.policy.Flags(out)
	for f := range store.AllFlags.Each {
		var changed [2]bool
		var was [2]bool
		for s := range g.side {
			for _, x := range g.side[s] {
				was[s] = was[s] || m.policy.Flags(x)&f != 0
				changed[s] = changed[s] || slices.ContainsFunc(x.Flags, func(w changelog.FlagWrite) bool {
					return w.Flag == f && !w.Found() && !m.side[1-s].Seen.Has(w.Dot)
				})
			}
		}
		if changed[0] && changed[1] && was[0] != was[1] {
			now := shown&f != 0
			m.decide(out, 8, "flag", fmt.Sprintf("%v %s", f, onOff(now)), fmt.Sprintf("%v %s", f, onOff(!now)), "policy "+m.policy.Name)
		}
	}
}

func onOff(b bool) string {
	if b {
		return "set"
	}
	return "cleared"
}

func (m *merger) overriddenKeywords(g *group, out *changelog.Message) {
	var names []string
	for s := range g.side {
		for _, x := range g.side[s] {
			for _, w := range x.Keywords {
				names = append(names, store.FoldKeyword(w.Name))
			}
		}
	}
	slices.Sort(names)
	for _, k := range slices.Compact(names) {
		var changed, was [2]bool
		for s := range g.side {
			for _, x := range g.side[s] {
				was[s] = was[s] || hasKeyword(m.policy.Keywords(x), k)
				changed[s] = changed[s] || slices.ContainsFunc(x.Keywords, func(w changelog.KeywordWrite) bool {
					return store.FoldKeyword(w.Name) == k && !w.Found() && !m.side[1-s].Seen.Has(w.Dot)
				})
			}
		}
		if changed[0] && changed[1] && was[0] != was[1] {
			now := hasKeyword(m.policy.Keywords(out), k)
			m.decide(out, 9, "keyword", k+" "+onOff(now), k+" "+onOff(!now), "policy "+m.policy.Name)
		}
	}
}

func hasKeyword(ks []string, fold string) bool {
	return slices.ContainsFunc(ks, func(k string) bool { return store.FoldKeyword(k) == fold })
}

// treeDecisions notes what the merge of the tree overrode, and fills in where the
// messages of other decisions are.
func (m *merger) treeDecisions() {
	byID := map[changelog.Dot]*group{}
	for _, g := range m.groups {
		byID[g.out.ID()] = g
	}
	for i := range m.out.Decisions {
		d := &m.out.Decisions[i]
		if g := byID[d.Message]; g != nil && d.Mailbox == "" {
			at, ok := g.out.Place()
			if !ok {
				at = g.out.Was.Mailbox
			}
			if slot := m.layout.In(at); slot != nil {
				d.Mailbox = slot.Path
			}
			d.UID = g.out.UID
		}
	}
	for _, c := range m.class.all {
		m.placeDecision(c)
		m.deleteDecision(c)
	}
	for _, s := range m.layout.Slots {
		if s.Loser {
			p, _ := s.Holder.Place()
			m.out.Decisions = append(m.out.Decisions, Decision{Rule: 13, Name: "same-name", Mailbox: s.Path,
				Kept: "another mailbox at " + p.Path.Base(), Lost: "the name " + p.Path.Base() + " of " + s.Holder.GUID().String()[:8], Reason: "the later placed holds the name"})
		}
	}
	for _, n := range m.layout.Cycles {
		if slot := m.layout.In(n.GUID()); slot != nil {
			m.out.Decisions = append(m.out.Decisions, Decision{Rule: 14, Name: "cycle", Mailbox: slot.Path,
				Kept: "the mailbox at the top level", Lost: "its place below its own child", Reason: "the last winning write that closes a cycle yields"})
		}
	}
}

// placeDecision: both sides renamed one mailbox.
func (m *merger) placeDecision(c *class) {
	if len(c.side[0]) == 0 || len(c.side[1]) == 0 || c.out.IsInbox() || c.out.IsAccount() {
		return
	}
	var to [2]changelog.PlaceWrite
	for s := range c.side {
		p, ok := c.side[s][0].Place()
		if !ok || m.side[1-s].Seen.Has(p.Dot) || p.Found() {
			return
		}
		to[s] = p
	}
	win, ok := c.out.Place()
	if !ok || to[0].Path == to[1].Path {
		return
	}
	for s := range to {
		if to[s].Dot != win.Dot {
			m.out.Decisions = append(m.out.Decisions, Decision{Rule: 12, Name: "rename-rename", Mailbox: win.Path,
				Kept: "the rename to " + string(win.Path), Lost: "the rename to " + string(to[s].Path), Reason: "the later rename wins"})
		}
	}
}

// deleteDecision: one side deleted the mailbox, the other delivered into it or
// changed it.
func (m *merger) deleteDecision(c *class) {
	for s := range c.side {
		here, there := c.side[s], c.side[1-s]
		if len(here) == 0 || len(there) == 0 || c.out.IsAccount() {
			continue
		}
		dead := !slices.ContainsFunc(here, func(n *changelog.Node) bool { return len(n.Presence) > 0 || n.OnlyParent() })
		alive := slices.ContainsFunc(there, func(n *changelog.Node) bool { return len(n.Presence) > 0 })
		if !dead || !alive {
			continue
		}
		slot := m.layout.In(c.out.GUID())
		if slot == nil {
			continue
		}
		if len(c.out.Presence) > 0 {
			m.out.Decisions = append(m.out.Decisions, Decision{Rule: 15, Name: "delete-deliver", Mailbox: slot.Path,
				Kept: "the mailbox with the mail that the deletion had not seen", Lost: "the deletion", Reason: "new mail is not deleted unseen"})
			continue
		}
		p, ok := there[0].Place()
		if ok && !m.side[s].Seen.Has(p.Dot) && !p.Found() {
			m.out.Decisions = append(m.out.Decisions, Decision{Rule: 17, Name: "delete-rename", Mailbox: slot.Path,
				Kept: "the deletion", Lost: "the rename to " + string(p.Path), Reason: "delete wins"})
		}
	}
}
