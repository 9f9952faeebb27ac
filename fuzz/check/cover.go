package check

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
)

// Kinds are the kinds of changes, the rows of the matrix of conflicts: deliver, copy,
// move, expunge, set a flag, clear one, keywords, replace all flags; make, rename,
// delete a mailbox; subscribe, unsubscribe; UIDVALIDITY; an attribute.
var Kinds = []string{"AP", "CP", "MV", "EX", "F+", "F-", "KW", "RP", "CR", "RN", "DL", "SU", "US", "UV", "MD"}

// cellOf puts two kinds into the order of the matrix.
func cellOf(a, b string) scenario.Cell {
	if slices.Index(Kinds, a) > slices.Index(Kinds, b) {
		a, b = b, a
	}
	return scenario.Cell{a, b}
}

// Coverage counts how many scenarios hit each cell of the matrix.
type Coverage struct {
	Aimed []scenario.Cell       // that the Kind can hit, in the order of the matrix
	Hits  map[scenario.Cell]int // scenarios that hit it
}

// Missing lists the cells that were aimed at and never hit.
func (c *Coverage) Missing() (out []scenario.Cell) {
	for _, x := range c.Aimed {
		if c.Hits[x] == 0 {
			out = append(out, x)
		}
	}
	return out
}

func (c *Coverage) add(cells []scenario.Cell) {
	if c.Hits == nil {
		c.Hits = map[scenario.Cell]int{}
	}
	for _, x := range cells {
		c.Hits[x]++
	}
}

// Text is the coverage in one line; and the cells that are missing, if there were
// scenarios enough for all.
func (c *Coverage) Text(enough bool) string {
	if len(c.Aimed) == 0 {
		return "no cell of the matrix was aimed at: nothing is concurrent\n"
	}
	least := c.Aimed[0]
	for _, x := range c.Aimed {
		if c.Hits[x] < c.Hits[least] {
			least = x
		}
	}
	missing := c.Missing()
	out := fmt.Sprintf("cells of the matrix hit: %d of %d", len(c.Aimed)-len(missing), len(c.Aimed))
	if !enough {
		return out + "; there were too few scenarios for all\n"
	}
	out += fmt.Sprintf("; the rarest, %s x %s, by %d scenarios\n", least[0], least[1], c.Hits[least])
	if len(missing) > 0 {
		var names []string
		for _, x := range missing {
			names = append(names, x[0]+" x "+x[1])
		}
		out += "never hit: " + strings.Join(names, ", ") + "\n"
	}
	return out
}

// Cells lists the cells of the matrix that a scenario hits, in order. Steps that the
// merge alone cannot play count for nothing.
func Cells(s *scenario.Scenario) ([]scenario.Cell, error) {
	t, err := newTracker(s.Replicas, s.Topology)
	if err != nil {
		return nil, err
	}
	for _, step := range s.Steps {
		t.play(step)
	}
	return t.hit(), nil
}

// change is one change that changed something.
type change struct {
	kinds []string
}

// tracker plays steps on the merge alone and knows who has seen which change.
type tracker struct {
	w        engine.World
	replicas []string
	topology scenario.Topology
	changes  []change
	seen     []map[int]bool // by replica
	cells    map[scenario.Cell]bool
}

func newTracker(replicas []string, topology scenario.Topology) (*tracker, error) {
	t := &tracker{replicas: replicas, topology: topology, cells: map[scenario.Cell]bool{}}
	for range replicas {
		t.seen = append(t.seen, map[int]bool{})
	}
	var err error
	t.w, err = engine.Pure{}.Start(engine.Setup{Replicas: replicas})
	return t, err
}

func (t *tracker) hit() []scenario.Cell {
	var out []scenario.Cell
	for c := range t.cells {
		out = append(out, c)
	}
	slices.SortFunc(out, compareCells)
	return out
}

func compareCells(a, b scenario.Cell) int {
	at := func(k string) int { return slices.Index(Kinds, k) }
	return cmp.Or(at(a[0])-at(b[0]), at(a[1])-at(b[1]))
}

// list is what a replica shows; the merge alone always can.
func (t *tracker) list(replica string) *scenario.Listing {
	l, err := t.w.List(replica)
	if err != nil {
		return &scenario.Listing{}
	}
	return l
}

// play makes one step and says whether it changed anything that its replica shows.
func (t *tracker) play(s scenario.Step) bool {
	switch {
	case s.Verb == scenario.Level:
		for range 2 {
			for _, r := range t.replicas[1:] {
				t.run(scenario.Step{Verb: scenario.Sync, At: t.replicas[0], With: r})
			}
		}
		t.cells = map[scenario.Cell]bool{}
		t.w.Do(scenario.Step{Verb: scenario.Tick})
	case s.Verb == scenario.Sweep || s.Verb == scenario.Converge:
		for _, p := range t.topology.Pairs(len(t.replicas)) {
			t.run(scenario.Step{Verb: scenario.Sync, At: t.replicas[p[0]], With: t.replicas[p[1]]})
		}
	case s.Verb.IsRun():
		t.run(s)
	case s.Verb.IsClient():
		return t.client(s)
	case s.Verb.IsFate() || s.Verb == scenario.Tick:
		t.w.Do(s)
	}
	return false
}

func (t *tracker) client(s scenario.Step) bool {
	before := t.list(s.At)
	if t.w.Do(s) != nil || reflect.DeepEqual(before, t.list(s.At)) {
		return false
	}
	if kinds := kindsOf(s); len(kinds) > 0 {
		t.seen[slices.Index(t.replicas, s.At)][len(t.changes)] = true
		t.changes = append(t.changes, change{kinds})
	}
	return true
}

// run makes a run; each pair of changes that meet in a two-way run, one at each side
// and unseen by the other, is a cell hit.
func (t *tracker) run(s scenario.Step) {
	if _, err := t.w.Sync(s); err != nil {
		return
	}
	a, b := t.seen[slices.Index(t.replicas, s.At)], t.seen[slices.Index(t.replicas, s.With)]
	for x := range a {
		for y := range b {
			if s.Verb == scenario.Sync && !b[x] && !a[y] {
				for _, k := range t.changes[x].kinds {
					for _, l := range t.changes[y].kinds {
						t.cells[cellOf(k, l)] = true
					}
				}
			}
		}
	}
	for x := range a {
		b[x] = true
	}
	if s.Verb == scenario.Sync {
		for y := range b {
			a[y] = true
		}
	}
}

var verbKinds = map[scenario.Verb]string{scenario.Deliver: "AP", scenario.Copy: "CP", scenario.Move: "MV", scenario.Expunge: "EX", scenario.Replace: "RP",
	scenario.Create: "CR", scenario.Rename: "RN", scenario.Delete: "DL", scenario.Subscribe: "SU", scenario.Unsubscribe: "US",
	scenario.UIDValidity: "UV", scenario.Attribute: "MD"}

// kindsOf gives the kinds of a client's step.
func kindsOf(s scenario.Step) (out []string) {
	if s.Verb != scenario.Flag {
		if k := verbKinds[s.Verb]; k != "" {
			out = append(out, k)
		}
		return out
	}
	for _, c := range s.Changes {
		k := "KW"
		if strings.HasPrefix(c[1:], `\`) {
			k = "F" + c[:1]
		}
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}
