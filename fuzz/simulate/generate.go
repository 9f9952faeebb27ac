package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"dsync/fuzz/scenario"
	"dsync/store"
)

// generator makes one world.
type generator struct {
	o     Options
	rng   *rand.Rand
	s     *scenario.Scenario
	pairs [][2]int // who may meet in the history
	named int      // messages made
	disk  bool     // the mail is in Maildirs
	saved map[string]bool
}

// World is the scenario of a seed.
func (o Options) World(seed uint64) *scenario.Scenario {
	g := &generator{o: o, rng: rand.New(rand.NewPCG(seed, 0x776f726c64)), saved: map[string]bool{}}
	g.disk = o.engineOf(seed) == "maildir"
	g.s = &scenario.Scenario{Name: fmt.Sprintf("simulated world %d", seed), Seed: fmt.Sprint(seed), Policy: o.Policy}
	n := o.Replicas
	if n == 0 {
		n = [...]int{2, 2, 3, 3, 3, 4, 5}[g.rng.IntN(7)]
	}
	if g.disk && o.Replicas == 0 {
		n = min(n, 3)
	}
	for i := range n {
		g.s.Replicas = append(g.s.Replicas, string(rune('A'+i)))
	}
	t := o.Topology
	if t == "" {
		t = Topologies[g.rng.IntN(len(Topologies))]
	}
	g.s.Topology, g.pairs = t, t.Pairs(n)
	if t == Random {
		g.s.Topology = Topologies[g.rng.IntN(len(Topologies)-1)]
		g.pairs = scenario.Mesh.Pairs(n)
	}
	g.past()
	for range 2 {
		g.phase()
	}
	return g.s
}

func (g *generator) add(s scenario.Step) { g.s.Steps = append(g.s.Steps, s) }

// chance is true one time in n.
func (g *generator) chance(n int) bool { return g.rng.IntN(n) == 0 }

func pick[T any](g *generator, from ...T) T { return from[g.rng.IntN(len(from))] }

func (g *generator) replica() string { return pick(g, g.s.Replicas...) }

var boxes = []store.Name{"INBOX", "A", "B", "A/C", "B/C", "INBOX/D"}

// box draws a mailbox, the first ones oftener.
func (g *generator) box() store.Name { return boxes[g.rng.IntN(3+g.rng.IntN(len(boxes)-2))] }

// past is a small common past, most of the time.
func (g *generator) past() {
	a := g.s.Replicas[0]
	g.add(scenario.Step{Verb: scenario.Create, At: a, Mailbox: "A"})
	for _, b := range []store.Name{"INBOX", "A", "A"} {
		g.add(g.deliver(a, b))
	}
	for _, b := range []store.Name{"INBOX", "A"} {
		g.add(scenario.Step{Verb: scenario.Flag, At: a, Message: "#1", Mailbox: b, Changes: []string{`+\Flagged`, `+\Seen`, "+kw"}})
	}
	g.add(scenario.Step{Verb: scenario.Subscribe, At: a, Mailbox: "A"})
	if g.chance(2) {
		g.add(scenario.Step{Verb: scenario.Subscribe, At: a, Mailbox: "B"})
	}
	if !g.chance(4) {
		g.add(scenario.Step{Verb: scenario.Level})
	}
}

// phase is a history with faults, and a time without in which all must become equal.
func (g *generator) phase() {
	n := g.o.Steps
	if n == 0 {
		n = 8 + g.rng.IntN(13)
	}
	if g.disk {
		n = min(n, 10)
	}
	for range n {
		g.one()
	}
	g.add(scenario.Step{Verb: scenario.Tick})
	g.add(scenario.Step{Verb: scenario.Sweep})
	g.add(scenario.Step{Verb: scenario.Converge})
}

func (g *generator) one() {
	switch n := g.rng.IntN(20); {
	case n < 5:
		g.add(g.run())
	case n == 5:
		if !g.fate() {
			g.add(scenario.Step{Verb: scenario.Tick})
		}
	default:
		g.add(g.client(g.replica()))
	}
}

// fate is what befalls a replica; false if no fault of that kind is wanted.
func (g *generator) fate() bool {
	s := scenario.Step{At: g.replica()}
	var kinds []scenario.Verb
	if g.o.has("restores") {
		kinds = append(kinds, scenario.Save, scenario.Save, scenario.Restore, scenario.Restore, scenario.LoseLog)
	}
	if g.o.has("clones") {
		kinds = append(kinds, scenario.Clone)
	}
	if g.o.has("clocks") {
		kinds = append(kinds, scenario.Clock, scenario.Clock)
	}
	if len(kinds) == 0 {
		return false
	}
	s.Verb = pick(g, append(kinds, scenario.Trim)...)
	switch s.Verb {
	case scenario.Save:
		g.saved[s.At] = true
	case scenario.Restore:
		if !g.saved[s.At] {
			s.Verb = scenario.Save
			g.saved[s.At] = true
			break
		}
		s.Value = pick(g, "", "mail", "log")
	case scenario.Clone:
		s.With = g.replica()
		if s.With == s.At {
			return false
		}
	case scenario.Clock:
		s.Span = g.span()
	}
	g.add(s)
	return true
}

func (g *generator) span() scenario.Span {
	return scenario.Span(pick(g, 1, 60, 3600, -60, -3600, 90_000, -90_000, 200_000) * 1e9)
}

// deliver is a new message, nearly always of a content of its own.
func (g *generator) deliver(at string, b store.Name) scenario.Step {
	s := scenario.Step{Verb: scenario.Deliver, At: at, Mailbox: b, Message: fmt.Sprintf("m%d", g.named)}
	g.named++
	if g.chance(12) {
		s.Message = pick(g, "d1", "d2")
	}
	if g.o.has("filters") && g.chance(2) {
		s.Received = days[g.rng.IntN(len(days))]
	}
	return s
}

// days on which messages are received; runs with since and before part them.
var days = []scenario.Moment{1_767_225_600, 1_767_312_000, 1_767_398_400}

// client is an operation of a client.
func (g *generator) client(at string) scenario.Step {
	s := scenario.Step{At: at, Mailbox: g.box()}
	message := func() { s.Message = fmt.Sprintf("#%d", 1+g.rng.IntN(3)) }
	switch n := g.rng.IntN(50); {
	case n < 10:
		return g.deliver(at, s.Mailbox)
	case n < 14:
		s.Verb, s.To = scenario.Copy, g.box()
		message()
	case n < 19:
		s.Verb, s.To = scenario.Move, g.box()
		message()
	case n < 25:
		s.Verb = scenario.Expunge
		message()
	case n < 32:
		s.Verb = scenario.Flag
		message()
		s.Changes = []string{pick(g, `+\Flagged`, `+\Flagged`, `-\Flagged`, `-\Flagged`, `+\Seen`, `-\Seen`, `+\Deleted`, `-\Deleted`, "+kw", "-kw", "+KW")}
	case n < 33:
		s.Verb = scenario.Replace
		message()
		s.Changes = pick(g, []string{`\Seen`}, []string{`\Flagged`, "kw"}, nil)
	case n < 36:
		s.Verb = scenario.Create
	case n < 39:
		s.Verb, s.To = scenario.Rename, g.box()
	case n < 41:
		s.Verb = scenario.Delete
	case n < 43:
		s.Verb = scenario.Subscribe
	case n < 46:
		s.Verb = scenario.Unsubscribe
	case n < 48 && !g.disk:
		s.Verb, s.Value = scenario.Attribute, pick(g, "v1", "v2")
	case n < 49:
		s.Verb, s.Value = scenario.UIDValidity, pick(g, "up", "down")
	default:
		s.Verb = scenario.UIDNext
	}
	return s
}

// meet draws who meets whom, started from either.
func (g *generator) meet() (a, b string) {
	p := pick(g, g.pairs...)
	if g.chance(2) {
		p[0], p[1] = p[1], p[0]
	}
	return g.s.Replicas[p[0]], g.s.Replicas[p[1]]
}

// run is a run between two replicas, half of the time with faults.
func (g *generator) run() scenario.Step {
	s := scenario.Step{Verb: scenario.Sync}
	s.At, s.With = g.meet()
	r := &scenario.Run{}
	if g.o.has("states") && g.chance(2) {
		r.Mode = pick(g, scenario.State, scenario.State, scenario.Stale, scenario.Foreign, scenario.Corrupt)
	} else if g.chance(8) {
		r.Mode = scenario.Full
	}
	switch {
	case g.o.has("oneway") && g.chance(10):
		s.Verb = scenario.OneWay
	case g.o.has("backup") && g.chance(14):
		s.Verb = scenario.Backup
	case g.o.has("filters") && g.chance(6):
		g.filter(r)
	}
	if len(g.o.Faults) > 0 && g.chance(2) {
		g.faults(s, r)
		for g.chance(4) {
			g.faults(s, r)
		}
	}
	if text := (scenario.Step{Verb: scenario.Sync, At: "A", With: "B", Run: r}); text.String() != "sync A B" {
		s.Run = r
	}
	return s
}

func (g *generator) filter(r *scenario.Run) {
	switch g.rng.IntN(4) {
	case 0:
		r.Only = []store.Name{g.box()}
	case 1:
		r.Except = []string{pick(g, "A*", "B", "INBOX/*")}
	case 2:
		r.Since = days[1]
	default:
		r.Before = days[2]
	}
}

// faults adds one to a run.
func (g *generator) faults(s scenario.Step, r *scenario.Run) {
	ends := []string{s.At, s.With}
	word := fmt.Sprint(g.rng.IntN(1000))
	switch f := pick(g, g.o.Faults...); f {
	case "delays":
		r.Delay = word
	case "cuts":
		r.Cut = 1 + g.rng.IntN(20)
	case "crashes", "power":
		r.Crash, r.CrashAt = pick(g, append(ends, scenario.AllReplicas)...), 1+g.rng.IntN(1+g.rng.IntN(40))
		if f == "power" || g.o.has("power") && g.chance(2) {
			r.Power = word
		}
	case "full":
		r.Full, r.FullAt, r.FullFor = pick(g, ends...), 1+g.rng.IntN(1+g.rng.IntN(30)), 1+g.rng.IntN(6)
	case "failures":
		r.Fail = word
	case "clients":
		for range 1 + g.rng.IntN(3) {
			r.During = append(r.During, scenario.Meanwhile{At: g.moment(), Step: g.client(pick(g, ends...))})
		}
	case "overlaps":
		m := scenario.Meanwhile{At: g.moment(), Step: scenario.Step{Verb: scenario.Sync}}
		m.Step.At, m.Step.With = g.meet()
		if g.chance(3) {
			m.Step.At, m.Step.With = s.At, s.With
		}
		r.During = append(r.During, m)
	case "clocks":
		r.During = append(r.During, scenario.Meanwhile{At: g.moment(), Step: scenario.Step{Verb: scenario.Clock, At: pick(g, ends...), Span: g.span()}})
	}
	slices.SortStableFunc(r.During, func(a, b scenario.Meanwhile) int { return a.At - b.At })
}

// moment draws one of a run: early ones are as likely as late ones.
func (g *generator) moment() int { return 1 + g.rng.IntN(1<<(2+g.rng.IntN(7))) }
