package check

import (
	"fmt"
	"slices"

	"dsync/fuzz/scenario"
	"dsync/store"
)

// attempts is how often a scenario is drawn anew that misses the cell it aims at.
const attempts = 12

// Scenario makes a scenario that aims at a cell; the cells that it hits stand with
// it. It fails only if the Kind is not right.
func (k Kind) Scenario(src Source, aim scenario.Cell) (*scenario.Scenario, []scenario.Cell, error) {
	if err := k.Check(); err != nil {
		return nil, nil, err
	}
	var m *maker
	for range attempts {
		var err error
		if m, err = k.make(src, aim); err != nil {
			return nil, nil, err
		}
		if m.t.cells[aim] || k.Calm {
			break
		}
	}
	if !k.Calm {
		m.s.Cells = []scenario.Cell{aim}
	}
	return m.s, m.t.hit(), nil
}

// Case makes the scenario of a seed: it aims at the cell whose turn it is.
func (k Kind) Case(seed uint64) (*scenario.Scenario, []scenario.Cell, error) {
	if err := k.Check(); err != nil {
		return nil, nil, err
	}
	s, hit, err := k.Scenario(Seeded(seed), k.aim(seed))
	if err == nil {
		s.Name, s.Seed = fmt.Sprintf("seed %d", seed), fmt.Sprint(seed)
	}
	return s, hit, err
}

// maker makes one scenario, step by step, on the merge alone.
type maker struct {
	k     Kind
	src   Source
	s     *scenario.Scenario
	t     *tracker
	aim   scenario.Cell
	box   store.Name // where changes collide
	names int
}

func (k Kind) make(src Source, aim scenario.Cell) (*maker, error) {
	m := &maker{k: k, src: src, aim: aim, s: &scenario.Scenario{Name: "made"}}
	for i := range max(k.Replicas, 2) {
		m.s.Replicas = append(m.s.Replicas, string(rune('A'+i)))
	}
	if len(m.s.Replicas) > 2 {
		m.s.Topology = []scenario.Topology{scenario.Line, scenario.Star, scenario.Ring, scenario.Mesh}[src.N(4)]
	}
	if len(k.Modes) > 0 {
		if m.s.Mode = k.Modes[src.N(len(k.Modes))]; m.s.Mode == scenario.Fast {
			m.s.Mode = ""
		}
	}
	var err error
	if m.t, err = newTracker(m.s.Replicas, m.s.Topology); err != nil {
		return nil, err
	}
	m.box = "X"
	if !m.aims("DL", "RN", "CR") && src.N(3) == 2 {
		m.box = store.Inbox
	}
	m.past()
	rounds := 1 + src.N(2)
	if len(m.s.Replicas) > 2 {
		rounds = 1 + src.N(4)
	}
	for r := range rounds {
		m.round(r == 0)
	}
	m.end()
	return m, nil
}

// aims reports whether the cell aimed at has one of these kinds.
func (m *maker) aims(kinds ...string) bool {
	return slices.Contains(kinds, m.aim[0]) || slices.Contains(kinds, m.aim[1])
}

// some draws true once in n.
func (m *maker) some(n int) bool { return m.src.N(n) == n-1 }

// add makes a step, if it changes something.
func (m *maker) add(s scenario.Step) bool {
	did := m.t.play(s)
	if did || !s.Verb.IsClient() {
		m.s.Steps = append(m.s.Steps, s)
	}
	return did
}

func (m *maker) fresh() string {
	m.names++
	if m.names <= 26 {
		return string(rune('a' + m.names - 1))
	}
	return fmt.Sprintf("m%d", m.names)
}

// past makes what both sides have in common, or without a common past what each has.
func (m *maker) past() {
	sides := m.s.Replicas[:1]
	if m.k.Bare {
		sides = m.s.Replicas[:2]
	}
	for _, r := range sides {
		m.add(scenario.Step{Verb: scenario.Create, At: r, Mailbox: "X"})
		if m.some(2) {
			m.add(scenario.Step{Verb: scenario.Create, At: r, Mailbox: "Y"})
		}
		name := m.fresh()
		m.add(scenario.Step{Verb: scenario.Deliver, At: r, Mailbox: m.box, Message: name})
		if m.some(2) {
			m.add(scenario.Step{Verb: scenario.Deliver, At: r, Mailbox: m.box, Message: m.fresh()})
		}
		if m.some(3) {
			m.add(scenario.Step{Verb: scenario.Deliver, At: r, Mailbox: m.other(r, m.box), Message: m.fresh()})
		}
		if m.aims("F-", "KW", "RP") || m.some(3) {
			m.add(scenario.Step{Verb: scenario.Flag, At: r, Mailbox: m.box, Message: name, Changes: []string{`+\Flagged`, "+old"}})
		}
		if m.aims("US") || m.some(4) {
			m.add(scenario.Step{Verb: scenario.Subscribe, At: r, Mailbox: "X"})
		}
	}
	if !m.k.Bare {
		m.add(scenario.Step{Verb: scenario.Level})
	}
}

// round is changes at some replicas, then runs.
func (m *maker) round(aimed bool) {
	rs := m.s.Replicas
	a := m.src.N(len(rs))
	b := (a + 1 + m.src.N(len(rs)-1)) % len(rs)
	most := m.k.Changes
	if most == 0 {
		most = 3
	}
	first := m.drawn(most, aimed, m.aim[0])
	if m.k.Calm {
		m.tail(rs[a], first)
		m.relay(a)
		return
	}
	second := m.drawn(most, aimed, m.aim[1])
	switch m.src.N(4) {
	case 1: // as many at both sides
		for len(second) < len(first) {
			second = append(second, m.kind())
		}
		for len(first) < len(second) {
			first = append(first, m.kind())
		}
	case 2: // the same kinds at both sides
		if !aimed || m.aim[0] == m.aim[1] {
			second = first
		}
	}
	m.tail(rs[a], first)
	if m.k.Ticks && m.some(2) {
		m.add(scenario.Step{Verb: scenario.Tick})
	}
	m.tail(rs[b], second)
	if len(rs) == 2 {
		m.run(rs[a], rs[b])
		return
	}
	for c := range rs {
		if c != a && c != b && m.some(3) {
			m.tail(rs[c], []string{m.kind()})
		}
	}
	if m.some(3) { // a relay through a third
		c := slices.IndexFunc(rs, func(r string) bool { return r != rs[a] && r != rs[b] })
		m.run(rs[a], rs[c])
		m.run(rs[c], rs[b])
		return
	}
	m.run(rs[a], rs[b])
	for range m.src.N(3) {
		x := m.src.N(len(rs))
		m.run(rs[x], rs[(x+1+m.src.N(len(rs)-1))%len(rs)])
	}
}

// relay brings the changes of a replica from one to the next, until all have them.
func (m *maker) relay(from int) {
	rs := m.s.Replicas
	for i := range len(rs) - 1 {
		a, b := rs[(from+i)%len(rs)], rs[(from+i+1)%len(rs)]
		if m.some(2) {
			a, b = b, a
		}
		m.run(a, b)
	}
}

// drawn is a list of kinds, the one aimed at among them.
func (m *maker) drawn(most int, aimed bool, aim string) []string {
	n := m.src.N(most + 1)
	if aimed {
		n = 1 + m.src.N(most)
	}
	var out []string
	for range n {
		out = append(out, m.kind())
	}
	if aimed {
		out[m.src.N(n)] = aim
	}
	return out
}

func (m *maker) kind() string {
	ops := m.k.ops()
	return ops[m.src.N(len(ops))]
}

// tail makes changes at one replica; now and then one that undoes the last.
func (m *maker) tail(r string, kinds []string) {
	for _, kind := range kinds {
		for range 8 {
			s := m.step(r, kind)
			if !m.add(s) {
				continue
			}
			if back, ok := undo(s); ok && m.some(8) {
				m.add(back)
			}
			break
		}
	}
}

// run makes a run of one of the kinds.
func (m *maker) run(a, b string) {
	s := scenario.Step{Verb: scenario.Sync, At: a, With: b}
	if n := len(m.k.Runs); n > 0 && m.some(2) {
		switch m.k.Runs[m.src.N(n)] {
		case "oneway":
			s.Verb = scenario.OneWay
		case "backup":
			s.Verb = scenario.Backup
		case "only":
			s.Run = &scenario.Run{Only: []store.Name{m.name(a)}}
		case "except":
			s.Run = &scenario.Run{Except: []string{string(m.name(a))}}
		case "since":
			s.Run = &scenario.Run{Since: middle}
		case "fail":
			s.Run = &scenario.Run{Fail: fmt.Sprint("s", m.src.N(8))}
		}
	}
	m.add(s)
	if s.Verb != scenario.Sync && m.some(2) {
		m.add(scenario.Step{Verb: scenario.Sync, At: a, With: b})
	}
}

// end lets all changes come everywhere.
func (m *maker) end() {
	if !m.k.Short {
		m.add(scenario.Step{Verb: scenario.Converge})
		return
	}
	for _, p := range m.s.Topology.Pairs(len(m.s.Replicas)) {
		if len(m.s.Replicas) == 2 && p[0] > p[1] {
			continue
		}
		m.add(scenario.Step{Verb: scenario.Sync, At: m.s.Replicas[p[0]], With: m.s.Replicas[p[1]]})
	}
}
