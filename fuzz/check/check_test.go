package check

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/scenario"
)

// count is how many scenarios a test tries; DSYNC_HISTORIES multiplies it.
func count(n int) int {
	if s, err := strconv.Atoi(os.Getenv("DSYNC_HISTORIES")); err == nil && s > 0 {
		return n * s
	}
	return n
}

func search(t *testing.T, e engine.Engine, o Options) *Report {
	t.Helper()
	r, err := Run(context.Background(), e, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Our engines keep the laws, and every cell of the matrix is hit (L3).
func TestOurEnginesPass(t *testing.T) {
	for _, c := range []struct {
		name string
		e    engine.Engine
		kind Kind
		n    int
	}{
		{"pure", engine.Pure{}, Kind{}, 120},
		{"pure-four", engine.Pure{}, Kind{Replicas: 4, Ops: []string{"AP", "MV", "EX", "F+", "F-", "RN", "SU"}}, 30},
		{"memory", engine.Memory(), Kind{Changes: 2, Short: true}, 120},
		{"memory-three", engine.Memory(), Kind{Replicas: 3, Runs: []string{"only", "oneway", "backup", "fail", "since", "except"}, Short: true}, 24},
		{"memory-bare", engine.Memory(), Kind{Bare: true, Changes: 2}, 40},
		{"memory-calm", engine.Memory(), Kind{Calm: true, Replicas: 3, Modes: modes}, 14},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer engine.Close(c.e)
			r := search(t, c.e, Options{Kind: c.kind, Seed: 1, Count: count(c.n)})
			t.Log(r.Text())
			for _, f := range r.Findings {
				t.Errorf("%v", f)
			}
			if len(r.Missing) > 0 || r.Played == 0 || r.Skipped > 0 {
				t.Errorf("%d played, %d skipped (%s), never hit: %v", r.Played, r.Skipped, r.Why, r.Missing)
			}
		})
	}
}

// The controls are caught within 100 scenarios, and made small (L2).
func TestControlsAreCaught(t *testing.T) {
	e := engine.Memory()
	defer e.Close()
	for _, policy := range []string{"left-wins", "right-wins", "random"} {
		r := search(t, e, Options{Policy: policy, Seed: 1, Count: 100})
		if len(r.Findings) == 0 {
			t.Errorf("%s: not caught by 100 scenarios", policy)
			continue
		}
		f := r.Findings[0]
		t.Logf("%s: %s by scenario %d\n%s", policy, f.Law, r.Played, f.Scenario)
		if n := len(f.Small.Steps); n > 8 || f.Unsteady {
			t.Errorf("%s: %d steps are left, unsteady %v:\n%s", policy, n, f.Unsteady, f.Scenario)
		}
		if res := lab.Play(e, f.Small, lab.Options{Policy: policy, Exchange: true}); !slices.Contains(res.BrokenLaws(), f.Law) {
			t.Errorf("%s: what is left does not break %s: %v", policy, f.Law, res.Broken)
		}
	}
}

// A seed makes the same scenario each time, whatever was made before; as these stand
// here they are the same on every machine.
func TestSeedsRepeat(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		seed uint64
		want string
	}{
		{Kind{Changes: 1}, 12345, "scenario \"seed 12345\"\n"},
		{Kind{Replicas: 3, Runs: []string{"only"}, Modes: modes}, 7, "scenario \"seed 7\"\n"},
	} {
		first, _, err := c.kind.Case(c.seed)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			c.kind.Case(c.seed + 1)
			again, _, err := c.kind.Case(c.seed)
			if err != nil || again.String() != first.String() || !strings.HasPrefix(again.String(), c.want) {
				t.Fatalf("%v\n%s\nthen\n%s", err, first, again)
			}
		}
	}
}

// What is made can be read: text and JSON give it back.
func TestMadeScenariosAreScenarios(t *testing.T) {
	for seed := range uint64(25) {
		k := Kind{Replicas: 2 + int(seed%4), Runs: RunKinds, Modes: modes, Ticks: true, Bare: seed%5 == 0}
		s, cells, err := k.Case(seed)
		if err != nil {
			t.Fatal(err)
		}
		f, err := scenario.Parse("made.txt", []byte(s.String()))
		if err != nil || string(f.Print()) != s.String() {
			t.Fatalf("seed %d: %v\n%s", seed, err, s)
		}
		if again, err := Cells(f.Scenarios[0]); err != nil || !slices.Equal(again, cells) {
			t.Errorf("seed %d hits %v, read again %v (%v)", seed, cells, again, err)
		}
	}
}

// Shrink leaves nothing that could be left out, and plays no more than it may.
func TestShrink(t *testing.T) {
	s, _, err := Kind{Replicas: 3, Changes: 8}.Case(3)
	if err != nil {
		t.Fatal(err)
	}
	plays := 0
	breaks := func(x *scenario.Scenario) bool {
		plays++
		flags, runs := 0, 0
		for _, st := range x.Steps {
			flags += map[bool]int{true: 1}[st.Verb == scenario.Deliver]
			runs += map[bool]int{true: 1}[st.Verb == scenario.Sync]
		}
		return flags > 0 && runs > 0
	}
	if !breaks(s) {
		t.Fatalf("the scenario is not fit for the test:\n%s", s)
	}
	before := s.String()
	small := Shrink(s, 500, breaks)
	if s.String() != before {
		t.Error("the scenario given was changed")
	}
	// The end of the common past stays.
	if len(small.Steps) != 3 || len(small.Replicas) != 2 {
		t.Errorf("left:\n%s", small)
	}
	plays = 0
	Shrink(s, 7, breaks)
	if plays > 7 {
		t.Errorf("%d plays, 7 were allowed", plays)
	}
}

// A regression says where it comes from, passes on what keeps the laws, and is found
// again by its line.
func TestRegression(t *testing.T) {
	e := engine.Memory()
	defer e.Close()
	f := search(t, e, Options{Policy: "left-wins", Law: "P7", Seed: 1, Count: 100}).Findings[0]
	dir := t.TempDir()
	path, err := f.Write(dir, "2026-11-25", true)
	if err != nil {
		t.Fatal(err)
	}
	file, _, err := scenario.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	s := file.Scenarios[0]
	if s.Date != "2026-11-25" || s.Found != "memory" || s.Seed != fmt.Sprint(f.Seed) || !slices.Equal(s.Laws, []string{"P7"}) || len(s.Breaks) != 1 {
		t.Errorf("header:\n%s", s)
	}
	s.Breaks = nil
	if r := lab.Play(engine.Pure{}, s, lab.Options{}); !r.Pass {
		t.Errorf("the merge alone, policy safe: %s", r.Text())
	}
	if r := lab.Play(e, s, lab.Options{Policy: "left-wins"}); r.Pass {
		t.Error("left-wins passes its own regression")
	}
	if want := fmt.Sprintf("dsync lab test --engine memory --policy left-wins --law P7 --seed %d --count 1", f.Seed); f.Command() != want {
		t.Errorf("repeat with %q, want %q", f.Command(), want)
	}
}

// A Kind that is not right is an error that says what is known.
func TestBadKinds(t *testing.T) {
	for _, k := range []Kind{{Replicas: 6}, {Changes: 9}, {Ops: []string{"XX"}}, {Runs: []string{"both"}}, {Modes: []scenario.Mode{"slow"}}} {
		if _, err := Run(context.Background(), engine.Pure{}, Options{Kind: k}); err == nil {
			t.Errorf("%v: no error", k)
		}
	}
}

// A search that is stopped says where to go on.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := Run(ctx, engine.Pure{}, Options{Seed: 10, Count: 50, Progress: func(r *Report) {
		if r.Played == 3 {
			cancel()
		}
	}})
	if err != nil || !r.Stopped || r.Next != 13 || r.Played != 3 || !strings.Contains(r.Text(), "--seed 13") {
		t.Errorf("%v %+v", err, r)
	}
}

// bytes is a source that reads its choices from bytes; beyond the end it draws 0.
type bytes struct{ data []byte }

func (b *bytes) N(n int) int {
	if len(b.data) == 0 {
		return 0
	}
	x := int(b.data[0])
	b.data = b.data[1:]
	return x % n
}

// Whatever a source draws, the scenario that comes of it can be read, played and
// shrunk, and hits the cells that it is said to hit.
func FuzzScenario(f *testing.F) {
	f.Add([]byte{}, uint8(0))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, uint8(7))
	f.Add([]byte("every choice is a letter of this sentence, and there are not so few of them"), uint8(255))
	f.Fuzz(func(t *testing.T, data []byte, what uint8) {
		k := Kind{Replicas: 2 + int(what)%3, Changes: 1 + int(what>>2)%3, Bare: what&16 > 0, Ticks: what&32 > 0, Calm: what&64 > 0}
		if what&128 > 0 {
			k.Runs, k.Modes = RunKinds, modes
		}
		m, err := k.make(&bytes{data}, k.aim(uint64(what))) // once: bytes that miss the cell are as good
		if err != nil {
			t.Fatal(err)
		}
		s := m.s
		if _, err := scenario.Parse("made.txt", []byte(s.String())); err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
		if again, err := Cells(s); err != nil || !slices.Equal(again, m.t.hit()) {
			t.Fatalf("hits %v, read again %v (%v)\n%s", m.t.hit(), again, err, s)
		}
		small := Shrink(s, 20, func(x *scenario.Scenario) bool {
			_, err := scenario.Parse("less.txt", []byte(x.String()))
			if err != nil {
				t.Fatalf("%v\n%s", err, x)
			}
			return len(x.Steps) > 1
		})
		if len(small.Steps) > len(s.Steps) {
			t.Fatalf("made larger:\n%s\n%s", s, small)
		}
	})
}
