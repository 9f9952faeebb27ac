package session

import (
	"fmt"

	"dsync/changelog"
	"dsync/merge"
	"dsync/replay"
)

func (m *Machine) merge() {
	a, b := m.sides()
	m.result = merge.Merge(a, b, m.options())
	m.out.Compared = int64(max(len(m.own.Messages), len(m.theirs.Messages)))
	m.out.Decisions, m.out.Waiting, m.out.LeftOut = m.result.Decisions, m.result.Waiting, m.result.LeftOut
	m.do(Action{Do: DoPlan, Result: m.result, Side: m.side()})
}

// Planned tells that this end knows what it has to do, whether it will ask for bodies,
// and whether its store stays still.
func (m *Machine) Planned(needs, still bool) {
	m.mine = Plan{Hash: replay.HashOf(m.result), Needs: needs, Still: still}
	if m.first {
		m.send(&Frame{Kind: KindPlan, Plan: &m.mine})
	}
	m.want(KindPlan)
}

func (m *Machine) plan(theirs *Plan) error {
	if theirs.Hash != m.mine.Hash {
		return ErrPlans
	}
	m.peers = *theirs
	if !m.first {
		m.send(&Frame{Kind: KindPlan, Plan: &m.mine})
	}
	m.phase = 0
	if !m.cfg.DryRun {
		m.do(Action{Do: DoTree})
	}
	return nil
}

// Played tells that Tree or Bodies is done. An end that needs no bodies waits for no
// "ready"; one whose peer needs none, or that stays still, for no "fed".
func (m *Machine) Played() {
	tree := m.phase == 0
	switch {
	case tree && m.peers.Needs:
		m.send(&Frame{Kind: KindReady})
	case !tree && !m.peers.Still:
		m.send(&Frame{Kind: KindFed})
	}
	switch {
	case tree && m.mine.Needs:
		m.want(KindReady)
	case m.peers.Needs && !m.mine.Still:
		m.want(KindFed)
	default:
		m.do(Action{Do: DoRest})
	}
}

// Finished takes what became of the plan here.
func (m *Machine) Finished(r *Report, failed func(string) bool) {
	m.report, m.failed = r, failed
	m.send(&Frame{Kind: KindReport, Report: r})
	m.want(KindReport)
}

func (m *Machine) commit(peer *Report) {
	m.phase = 0
	m.out.Equal = peer.Digest == m.report.Digest
	m.out.Positions = [2]changelog.Position{m.report.Position, peer.Position}
	c := &Commit{Peer: m.peer.Replica, PeerSeen: peer.Seen, Decisions: m.out.Decisions, Minted: m.result.New[m.side()]}
	c.Enter, c.Held = m.result.EnterParts(m.side(), m.failed)
	c.More = m.out.More
	c.Failed = m.report.Failed + peer.Failed
	c.Join = m.out.Equal && !m.out.More && m.cfg.Direction == merge.TwoWay && m.cfg.Filter == nil && m.report.Failed == 0 && peer.Failed == 0
	c.Stamps = m.stamps()
	m.do(Action{Do: DoCommit, Commit: c})
}

// stamps gives the highest stamp of what the peer sent, below a day ahead of both
// clocks; those above it are reported.
func (m *Machine) stamps() []changelog.Stamp {
	limit := max(m.me.Now, m.peer.Now) + changelog.Day
	var top changelog.Stamp
	far := 0
	see := func(w changelog.Write) {
		if w.Stamp.Time > limit {
			far++
		} else if w.Stamp.Compare(top) > 0 {
			top = w.Stamp
		}
	}
	for _, x := range m.theirs.Messages {
		for _, w := range x.Origins {
			see(w)
		}
		for _, w := range x.Presence {
			see(w.Write)
		}
		for _, w := range x.Flags {
			see(w.Write)
		}
		for _, w := range x.Keywords {
			see(w.Write)
		}
	}
	for _, n := range m.theirs.Tree.Nodes {
		for _, w := range n.Places {
			see(w.Write)
		}
		for _, w := range n.Presence {
			see(w.Write)
		}
		for _, w := range n.Subs {
			see(w.Write)
		}
		for _, w := range n.Attrs {
			see(w.Write)
		}
	}
	for _, b := range m.theirs.Tree.Bare {
		for _, w := range b.Subs {
			see(w.Write)
		}
	}
	if far > 0 {
		m.out.Far = append(m.out.Far, fmt.Sprintf("%d changes of replica %v are stamped more than a day ahead of both clocks", far, m.peer.Replica))
	}
	if top == (changelog.Stamp{}) {
		return nil
	}
	return []changelog.Stamp{top}
}
