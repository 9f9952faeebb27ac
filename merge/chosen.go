package merge

import "dsync/changelog"

// Rules 5, 12, 13, 21 and 23: which of the writes that stay is shown. The choice is
// kept with the set of writes that it was made for (changelog.Choice), so that the
// log says what the store shows, whatever policy the next run has. Where a set does
// not cross, neither does a choice.

// chosen is how a merged node is shown. A choice among writes is not kept where there
// is one write: a change of policy then rewrites no node for nothing.
func (m *merger) chosen(n *changelog.Node) changelog.Chosen {
	c := m.policy.Tree
	if n.IsAccount() {
		c.Name = changelog.LaterWins
	}
	if len(n.Places) < 2 {
		c.Place = changelog.LaterWins
	}
	if len(n.Subs) < 2 {
		c.Subs = changelog.LaterWins
	}
	if len(n.Attrs) < 2 {
		c.Attrs = changelog.LaterWins
	}
	return c
}

// choosePlace settles which presence write of a merged message is shown.
func (m *merger) choosePlace(x *changelog.Message) {
	x.Chosen = changelog.LaterWins
	if len(x.Presence) > 1 {
		x.Chosen = m.policy.Moves
	}
}

// reason says why one of several writes is shown.
func (m *merger) reason(c changelog.Choice, what string) string {
	switch c {
	case changelog.EarlierWins:
		return "policy " + m.policy.Name + ": the earlier " + what + " wins"
	case changelog.LargerWins:
		return "policy " + m.policy.Name + ": the larger value wins"
	case changelog.OnWins:
		return "policy " + m.policy.Name + ": subscribed wins"
	case changelog.OffWins:
		return "policy " + m.policy.Name + ": unsubscribed wins"
	}
	return "the later " + what + " wins"
}

// nameReason says why a mailbox lost its name.
func (m *merger) nameReason() string {
	if m.policy.Tree.Name == changelog.EarlierWins {
		return "policy " + m.policy.Name + ": the earlier placed holds the name"
	}
	return "the later placed holds the name"
}
