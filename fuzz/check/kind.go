package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
)

// Kind says what scenarios are made. The zero value makes scenarios of two replicas
// with whole two-way runs, every kind of change among them.
type Kind struct {
	Replicas int             // 2 to 5; 0: 2
	Changes  int             // most changes a side between runs, 1 to 8; 0: 3
	Ops      []string        // kinds of changes made, of Kinds; none: all
	Runs     []string        // kinds of runs beside whole two-way ones, of RunKinds
	Modes    []scenario.Mode // how runs are asked for, one for each scenario; none: fast
	Bare     bool            // no common past: the first run meets mail on both sides
	Ticks    bool            // a second passes between the two sides' changes, now and then
	Calm     bool            // one replica changes something, then all meet: nothing is concurrent
	Short    bool            // ends with one run of each pair, not with converge
}

// RunKinds are the kinds of runs that a Kind may have beside whole two-way ones.
var RunKinds = []string{"oneway", "backup", "only", "except", "since", "fail"}

// Check reports what is wrong with a Kind.
func (k Kind) Check() error {
	switch {
	case k.Replicas != 0 && (k.Replicas < 2 || k.Replicas > 5):
		return fmt.Errorf("%d replicas; want 2 to 5", k.Replicas)
	case k.Changes < 0 || k.Changes > 8:
		return fmt.Errorf("%d changes a side; want 1 to 8", k.Changes)
	}
	for _, o := range k.Ops {
		if !slices.Contains(Kinds, o) {
			return fmt.Errorf("unknown kind of change %.20q; known are %s", o, strings.Join(Kinds, ", "))
		}
	}
	for _, r := range k.Runs {
		if !slices.Contains(RunKinds, r) {
			return fmt.Errorf("unknown kind of run %.20q; known are %s", r, strings.Join(RunKinds, ", "))
		}
	}
	for _, m := range k.Modes {
		if !slices.Contains(modes, m) {
			return fmt.Errorf("unknown mode %.20q", string(m))
		}
	}
	return nil
}

var modes = []scenario.Mode{scenario.Fast, scenario.Full, scenario.State, scenario.Stale, scenario.Foreign, scenario.Corrupt}

// flags writes the Kind as options of "dsync lab test".
func (k Kind) flags() (out []string) {
	add := func(name string, values []string) {
		if len(values) > 0 {
			out = append(out, name, strings.Join(values, ","))
		}
	}
	if k.Replicas > 2 {
		out = append(out, "--replicas", fmt.Sprint(k.Replicas))
	}
	if k.Changes > 0 {
		out = append(out, "--changes", fmt.Sprint(k.Changes))
	}
	add("--ops", k.Ops)
	add("--runs", k.Runs)
	var ms []string
	for _, m := range k.Modes {
		ms = append(ms, string(m))
	}
	add("--modes", ms)
	for _, f := range []struct {
		is   bool
		name string
	}{{k.Bare, "--bare"}, {k.Ticks, "--ticks"}, {k.Calm, "--calm"}, {k.Short, "--short"}} {
		if f.is {
			out = append(out, f.name)
		}
	}
	return out
}

// ops lists the kinds of changes made, in the order of the matrix.
func (k Kind) ops() []string {
	if len(k.Ops) == 0 {
		return Kinds
	}
	return slices.DeleteFunc(slices.Clone(Kinds), func(o string) bool { return !slices.Contains(k.Ops, o) })
}

// Cells lists the cells of the matrix that the Kind aims at: none if it is calm.
func (k Kind) Cells() (out []scenario.Cell) {
	ops := k.ops()
	if k.Calm {
		return nil
	}
	for i, a := range ops {
		for _, b := range ops[i:] {
			out = append(out, scenario.Cell{a, b})
		}
	}
	return out
}

// aim is what the scenario of a seed aims at: the cells, or the kinds, take turns.
func (k Kind) aim(seed uint64) scenario.Cell {
	if cells := k.Cells(); len(cells) > 0 {
		return cells[seed%uint64(len(cells))]
	}
	op := k.ops()[seed%uint64(len(k.ops()))]
	return scenario.Cell{op, op}
}

// For leaves out what an engine has no means for: a Kind without Ops, Runs or Modes
// gets those that it has. What the caller asked for by name stays.
func (k Kind) For(e engine.Engine) (Kind, error) {
	if len(k.Ops) > 0 {
		return k, nil
	}
	probes := map[string]scenario.Step{
		"UV": {Verb: scenario.UIDValidity, At: "A", Mailbox: "X", Value: "up"},
		"MD": {Verb: scenario.Attribute, At: "A", Mailbox: "X", Value: "v"},
	}
	for _, o := range Kinds {
		if p, ok := probes[o]; ok {
			can, err := does(e, p)
			if err != nil {
				return k, err
			}
			if !can {
				continue
			}
		}
		k.Ops = append(k.Ops, o)
	}
	if len(k.Ops) == len(Kinds) {
		k.Ops = nil
	}
	return k, nil
}

// does tries whether an engine has means for a step.
func does(e engine.Engine, s scenario.Step) (bool, error) {
	w, err := e.Start(engine.Setup{Replicas: []string{"A", "B"}, Seed: 1})
	if err != nil {
		return false, err
	}
	defer w.Close()
	if err := w.Do(scenario.Step{Verb: scenario.Create, At: "A", Mailbox: "X"}); err != nil {
		return false, err
	}
	err = w.Do(s)
	if errors.Is(err, engine.ErrUnsupported) {
		return false, nil
	}
	return err == nil, err
}
