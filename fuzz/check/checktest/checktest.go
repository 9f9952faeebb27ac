// Package checktest checks mail stores and synchronisers from tests: the whole of a
// test is
//
//	func TestStore(t *testing.T) {
//		checktest.Store(t, func(dir string) (store.Store, error) { return mine.Open(dir) })
//	}
//
// # Contract
//
//   - Each check is two searches: the scenarios of consecutive seeds (package check),
//     as many as the matrix of conflicts has cells, and then scenarios that rapid
//     draws (its flags count and repeat: -rapid.checks, -rapid.seed).
//   - What breaks a law fails the test with the small scenario and the line that
//     repeats it on any machine; DSYNC_CHECK_WRITE=DIR keeps it as a scenario file.
//     So does a cell of the matrix that no scenario hit. DSYNC_SEED is the first seed
//     (1), DSYNC_COUNT how many scenarios.
//   - The coverage of the matrix is logged.
package checktest

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dsync/fuzz/check"
	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/scenario"
	"dsync/store"
)

// Store checks a mail store: it takes part in whole sessions of dsync, and is changed
// and listed by its own methods. open makes a new and empty account; dir is an empty
// directory that it may use. What store.Store promises beyond what sessions use is
// checked by store/storetest.
func Store(t *testing.T, open func(dir string) (store.Store, error), kinds ...check.Kind) {
	t.Helper()
	e := engine.Stores("store", open)
	t.Cleanup(func() { engine.Close(e) })
	Engine(t, e, kinds...)
}

// Engine checks a synchroniser with scenarios of each kind; none: of two replicas
// with whole two-way runs, as the zero Kind makes them. Close the engine yourself.
func Engine(t *testing.T, e engine.Engine, kinds ...check.Kind) {
	t.Helper()
	if len(kinds) == 0 {
		kinds = []check.Kind{{}}
	}
	for _, k := range kinds {
		k, err := k.For(e)
		if err != nil {
			t.Fatal(err)
		}
		o := check.Options{Kind: k, Seed: number("DSYNC_SEED", 1), Count: int(number("DSYNC_COUNT", uint64(max(len(k.Cells()), 40))))}
		rep, err := check.Run(context.Background(), e, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range rep.Findings {
			fail(t, e, f, "DSYNC_SEED="+strconv.FormatUint(f.Seed, 10)+" DSYNC_COUNT=1 go test -run '^"+t.Name()+"$'")
		}
		t.Log(rep.Text())
		if len(rep.Missing) > 0 {
			t.Fatalf("cells of the matrix never hit: %v", rep.Missing)
		}
		if rep.Played == 0 {
			t.Fatalf("nothing could be played: %s", rep.Why)
		}
		if !t.Failed() {
			Rapid(t, e, k)
		}
	}
}

// Rapid checks a synchroniser with scenarios of one kind that rapid draws. What it
// finds rapid makes small first, by its draws, then check.Shrink, by its steps.
func Rapid(t *testing.T, e engine.Engine, k check.Kind) {
	t.Helper()
	var last *scenario.Scenario
	var law string
	t.Cleanup(func() {
		if last == nil || !t.Failed() {
			return
		}
		f := check.Smaller(context.Background(), e, check.Options{Kind: k}, last, law)
		t.Logf("made smaller still:\n%s\n%s", f.Text, f.Scenario)
		write(t, f)
	})
	drawn := Scenarios(k)
	rapid.Check(t, func(rt *rapid.T) {
		s := drawn.Draw(rt, "scenario").Scenario
		res := lab.Play(e, s, lab.Options{Exchange: true})
		if res.Failed != "" {
			last, law = s, check.Failed
			rt.Fatalf("failed: %s", res.Failed)
		}
		if laws := res.BrokenLaws(); len(laws) > 0 {
			last, law = s, laws[0]
			rt.Fatalf("%s: %s", law, res.Broken[0].Text)
		}
	})
}

// Drawn is a scenario that rapid drew; it is shown as text.
type Drawn struct{ *scenario.Scenario }

// GoString is the scenario's text: what rapid shows.
func (d Drawn) GoString() string { return "\n" + d.Scenario.String() }

// Scenarios is the generator of scenarios of a kind, for properties of one's own.
func Scenarios(k check.Kind) *rapid.Generator[Drawn] {
	return rapid.Custom(func(t *rapid.T) Drawn {
		src := source{t}
		cells := k.Cells()
		aim := scenario.Cell{"AP", "AP"}
		if len(cells) > 0 {
			aim = cells[src.N(len(cells))]
		}
		s, _, err := k.Scenario(src, aim)
		if err != nil {
			t.Fatalf("%v", err)
		}
		s.Name = "drawn by rapid"
		return Drawn{s}
	})
}

// source draws from rapid.
type source struct{ t *rapid.T }

func (s source) N(n int) int { return rapid.IntRange(0, n-1).Draw(s.t, "n") }

// fail tells a finding, and keeps it.
func fail(t *testing.T, e engine.Engine, f *check.Finding, repeat string) {
	t.Helper()
	text := f.Text + "\n" + f.Scenario
	if f.Unsteady {
		text += "unsteady: played again, it did not break the law each time\n"
	}
	if known(e) {
		repeat += ", or " + f.Command()
	}
	t.Errorf("%srepeat with: %s", text, repeat)
	write(t, f)
}

// known reports whether the program knows an engine by its name.
func known(e engine.Engine) bool {
	_, outside := e.(*engine.Outside)
	for _, k := range engine.Known {
		outside = outside || k.Name == e.Name()
	}
	return outside
}

// write keeps a finding where DSYNC_CHECK_WRITE says.
func write(t *testing.T, f *check.Finding) {
	t.Helper()
	dir := os.Getenv("DSYNC_CHECK_WRITE")
	if dir == "" {
		return
	}
	path, err := f.Write(dir, time.Now().UTC().Format(time.DateOnly), false)
	if err != nil {
		t.Errorf("keep the scenario: %v", err)
		return
	}
	t.Logf("written: %s", path)
}

func number(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}
