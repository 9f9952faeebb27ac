package merge

import (
	"cmp"
	"fmt"
	"maps"
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
		rule, name, kept, why := m.whyAlive(g, out, s)
		m.decide(out, rule, name, kept, lostExpunge, why)
		return
	}
	for _, x := range g.side[s] {
		if m.policy.ExpungeFollowsMove && unseen(x.Presence, placedDot, other) {
			m.decide(out, 4, "expunge-move", "the expunge", "the move", "policy "+m.policy.Name)
			return
		}
		if unseen(x.Flags, flagDot, other) || unseen(x.Keywords, keywordDot, other) {
			m.decide(out, 7, "expunge-flags", "the expunge", "a change of flags", "expunge wins over flags")
			return
		}
	}
}

// lostExpunge is the Lost of a decision that keeps a message.
const lostExpunge = "the expunge"

// whyAlive says by which rule a message stays that the side other than s had
// expunged.
func (m *merger) whyAlive(g *group, out *changelog.Message, s int) (rule int, name, kept, why string) {
	policy := "policy " + m.policy.Name
	fresh := slices.ContainsFunc(out.Presence, func(p changelog.Presence) bool { return !m.side[1-s].Seen.Has(p.Dot) })
	switch {
	case fresh && m.policy.MailComesBack && foundMessage(out):
		return 28, "log-lost", "the message, met without its history", policy
	case fresh:
		return 4, "expunge-move", "the message where it was moved", "a move is not undone by an expunge that had not seen it"
	case m.policy.ExpungeNever:
		return 3, "expunge-never", "the message", policy
	case slices.ContainsFunc(g.side[s], func(x *changelog.Message) bool { return m.flagsRescue(x, s) }):
		return 7, "expunge-flags", "the message and the change of its flags", policy
	}
	return 17, "delete-rename", "the message in the renamed mailbox", policy
}

func (m *merger) overriddenPlace(g *group, out *changelog.Message) {
	at, _ := out.Place()
	var from [2]store.MailboxGUID
	for s := range g.side {
		moved := false
		for _, x := range g.side[s] {
			if p, ok := x.Place(); ok {
				from[s] = p
				// A move that was overridden here before is no news.
				w := x.Placed()
				moved = moved || !w.Found() && !m.side[1-s].Seen.Has(w.Dot)
			}
		}
		if !moved {
			return
		}
	}
	if m.class.node(from[0]) == m.class.node(from[1]) {
		return
	}
	for s := range from {
		if m.class.node(from[s]) != m.class.node(at) {
			m.decide(out, 5, "move-move", "the move", "the move", m.reason(out.Chosen, "move"))
			d := &m.out.Decisions[len(m.out.Decisions)-1]
			d.kept, d.lost = at, from[s]
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
		if now := shown&f != 0; changed[0] && was[0] != now || changed[1] && was[1] != now {
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
		if now := hasKeyword(m.policy.Keywords(out), k); changed[0] && was[0] != now || changed[1] && was[1] != now {
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
	for _, d := range m.out.Decisions {
		byID[d.Message] = nil
	}
	for _, g := range m.groups {
		if len(byID) == 0 {
			break
		}
		if _, ok := byID[g.out.ID()]; ok {
			byID[g.out.ID()] = g
		}
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
		if !d.kept.IsZero() {
			d.Kept += " to " + m.nameOf(d.kept)
			d.Lost += " to " + m.nameOf(d.lost)
		}
	}
	for _, c := range m.class.all {
		m.placeDecision(c)
		m.deleteDecision(c)
		m.attrDecisions(c)
	}
	m.subDecisions()
	for _, s := range m.layout.Slots {
		if s.Loser && m.isNews(s, s.Holder) {
			p, _ := s.Holder.Place()
			m.out.Decisions = append(m.out.Decisions, Decision{Rule: 13, Name: "same-name", Mailbox: s.Path,
				Kept: "another mailbox at " + p.Path.Base(), Lost: "the name " + p.Path.Base() + " of " + s.Holder.GUID().String()[:8], Reason: m.nameReason()})
		}
	}
	for _, n := range m.layout.Cycles {
		if slot := m.layout.In(n.GUID()); slot != nil && m.isNews(slot, n) {
			m.out.Decisions = append(m.out.Decisions, Decision{Rule: 14, Name: "cycle", Mailbox: slot.Path,
				Kept: "the mailbox at the top level", Lost: "its place below its own child", Reason: "the last winning write that closes a cycle yields"})
		}
	}
}

// isNews reports whether some side shows a node elsewhere than the merged slot.
func (m *merger) isNews(slot *changelog.Slot, n *changelog.Node) bool {
	for _, ns := range m.class.byGUID[n.GUID()].side {
		for _, n := range ns {
			if was := m.before[0].In(n.GUID()); was != nil && was.Path != slot.Path {
				return true
			}
			if was := m.before[1].In(n.GUID()); was != nil && was.Path != slot.Path {
				return true
			}
		}
	}
	return false
}

// nameOf is the path under which the merge shows a mailbox.
func (m *merger) nameOf(g store.MailboxGUID) string {
	if slot := m.layout.In(g); slot != nil {
		return string(slot.Path)
	}
	return g.String()[:8]
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
				Kept: "the rename to " + string(win.Path), Lost: "the rename to " + string(to[s].Path), Reason: m.reason(c.out.Chosen.Place, "rename")})
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
		if len(c.out.Presence) > 0 && slot.Holder != c.out {
			m.out.Decisions = append(m.out.Decisions, Decision{Rule: 19, Name: "recreate-deliver", Mailbox: slot.Path,
				Kept: "the mail that the deletion had not seen, in the mailbox made anew", Lost: "the old mailbox", Reason: "new mail is not deleted unseen"})
			continue
		}
		if len(c.out.Presence) > 0 && (c.rescued || m.policy.Deletion == MailboxStays) {
			rule, name := 15, "delete-deliver"
			if c.rescued {
				rule, name = 17, "delete-rename"
			}
			m.out.Decisions = append(m.out.Decisions, Decision{Rule: rule, Name: name, Mailbox: slot.Path,
				Kept: "the mailbox", Lost: "the deletion", Reason: "policy " + m.policy.Name})
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

// attrDecisions: both sides set one attribute otherwise (rule 23), or one deleted
// the mailbox (rule 16).
func (m *merger) attrDecisions(c *class) {
	if len(c.side[0]) == 0 || len(c.side[1]) == 0 {
		return
	}
	fresh := [2]map[string]bool{{}, {}}
	var shown [2]map[string]string
	for s := range c.side {
		for _, n := range c.side[s] {
			shown[s] = n.Attributes()
			for _, w := range n.Attrs {
				if !w.Found() && !m.side[1-s].Seen.Has(w.Dot) {
					fresh[s][w.Key] = true
				}
			}
		}
	}
	slot := m.layout.In(c.out.GUID())
	at := store.Name("")
	if slot != nil {
		at = slot.Path
	}
	now := c.out.Attributes()
	for _, k := range slices.Sorted(maps.Keys(fresh[0])) {
		if a, b := shown[0][k], shown[1][k]; fresh[1][k] && a != b {
			lost := a
			if now[k] == a {
				lost = b
			}
			m.out.Decisions = append(m.out.Decisions, Decision{Rule: 23, Name: "attribute", Mailbox: at,
				Kept: fmt.Sprintf("%s = %q", k, now[k]), Lost: fmt.Sprintf("%s = %q", k, lost), Reason: m.reason(c.out.Chosen.Attrs, "write")})
		}
	}
	if c.out.IsAccount() || c.out.IsInbox() || len(c.out.Presence) > 0 {
		return
	}
	for s := range c.side {
		dead := !slices.ContainsFunc(c.side[1-s], func(n *changelog.Node) bool { return len(n.Presence) > 0 || n.OnlyParent() })
		alive := slices.ContainsFunc(c.side[s], func(n *changelog.Node) bool { return len(n.Presence) > 0 })
		if dead && alive && len(fresh[s]) > 0 {
			for _, k := range slices.Sorted(maps.Keys(fresh[s])) {
				m.out.Decisions = append(m.out.Decisions, Decision{Rule: 16, Name: "delete-attribute", Mailbox: at,
					Kept: "the deletion", Lost: fmt.Sprintf("%s = %q", k, shown[s][k]), Reason: "delete wins over what is in the mailbox"})
			}
		}
	}
}

// subDecisions: one side subscribed, the other unsubscribed (rule 21).
func (m *merger) subDecisions() {
	done := map[store.Name]bool{}
	judge := func(at store.Name, ws [2][]changelog.BoolWrite, was [2]bool, now bool, by changelog.Choice) {
		for s := range ws {
			if !slices.ContainsFunc(ws[s], func(w changelog.BoolWrite) bool { return !w.Found() && !m.side[1-s].Seen.Has(w.Dot) }) {
				return
			}
		}
		if was[0] == was[1] || done[at] {
			return
		}
		done[at] = true
		word := func(on bool) string {
			if on {
				return "subscribed"
			}
			return "unsubscribed"
		}
		m.out.Decisions = append(m.out.Decisions, Decision{Rule: 21, Name: "subscription", Mailbox: at,
			Kept: word(now), Lost: word(!now), Reason: m.reason(by, "write")})
	}
	for _, c := range m.class.all {
		slot := m.layout.In(c.out.GUID())
		if slot == nil || m.inside != nil && !m.inside[c.out] {
			continue
		}
		var ws [2][]changelog.BoolWrite
		var was [2]bool
		for s := range c.side {
			for _, n := range c.side[s] {
				ws[s] = append(ws[s], n.Subs...)
				was[s] = was[s] || n.Subscribed()
			}
		}
		judge(slot.Path, ws, was, c.out.Subscribed(), c.out.Chosen.Subs)
	}
	if m.inside != nil {
		return
	}
	for _, b := range m.tree.Bare {
		var ws [2][]changelog.BoolWrite
		var was [2]bool
		for s := range ws {
			for _, x := range m.side[s].Tree.Bare {
				if x.Name == b.Name {
					ws[s], was[s] = x.Subs, x.Subscribed()
				}
			}
		}
		judge(b.Name, ws, was, b.Subscribed(), b.Chosen)
	}
}
