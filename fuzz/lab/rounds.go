package lab

import (
	"fmt"

	"dsync/fuzz/scenario"
)

// sweep makes the runs of the topology, there and back, and says whether any
// changed anything.
func (p *player) sweep(s scenario.Step) (changed bool, err error) {
	before := p.res.Metrics.Operations
	for _, pair := range p.s.Topology.Pairs(len(p.s.Replicas)) {
		run := scenario.Step{Line: s.Line, Verb: scenario.Sync, At: p.s.Replicas[pair[0]], With: p.s.Replicas[pair[1]]}
		if err := p.sync(run); err != nil {
			return true, err
		}
	}
	return p.res.Metrics.Operations != before, nil
}

// maxRounds is when converge gives up.
const maxRounds = 6

// converge is P17: one sweep, and all have the same mail; two, and they agree on
// UIDs; a third finds nothing to do (P2).
func (p *player) converge(s scenario.Step) error {
	said := false
	for round := 1; round <= maxRounds; round++ {
		changed, err := p.sweep(s)
		if err != nil {
			return err
		}
		mail, uids, err := p.apart()
		if err != nil {
			return err
		}
		switch {
		case uids == "" && !changed:
			p.res.Metrics.Rounds += max(0, round-3)
			l, err := p.w.List(p.s.Replicas[0])
			if err == nil {
				p.j.afresh(l)
			}
			return err
		case round == 1 && mail != "", round == 2 && uids != "" && !said:
			p.broken(s, []string{fmt.Sprintf("P17: after sweep %d: %s", round, mail+uids)})
			said = true
		case round == 3 && changed:
			p.broken(s, []string{"P2: the third sweep changed something"})
		}
	}
	p.res.Metrics.Rounds += maxRounds - 3
	p.res.Metrics.NeverEqual++
	return nil
}

// apart says how the replicas differ, but for UIDs, and at all.
func (p *player) apart() (mail, uids string, err error) {
	var first *scenario.Listing
	for _, r := range p.s.Replicas {
		l, err := p.w.List(r)
		if err != nil {
			return "", "", err
		}
		if first == nil {
			first = l
			continue
		}
		if d := same(first.WithoutUIDs(), l.WithoutUIDs()); d != "" && mail == "" {
			mail = fmt.Sprintf("%s and %s differ: %s", p.s.Replicas[0], r, d)
		}
		if d := same(first, l); d != "" && uids == "" {
			uids = fmt.Sprintf("%s and %s differ: %s", p.s.Replicas[0], r, d)
		}
	}
	if mail != "" {
		return mail, "", nil
	}
	return "", uids, nil
}
