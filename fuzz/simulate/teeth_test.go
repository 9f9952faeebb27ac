package simulate

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"dsync/changelog/logdb"
	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
)

// caught plays worlds until one breaks a law.
func caught(t *testing.T, o Options, n int) *Outcome {
	t.Helper()
	p, err := NewPlayer(o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for seed := uint64(1); seed <= uint64(n); seed++ {
		if w := p.Play(seed); w.Law() != "" {
			return w
		}
	}
	return nil
}

// L2: the negative controls are caught within 100 worlds.
func TestControlsAreCaught(t *testing.T) {
	for _, policy := range []string{"left-wins", "random"} {
		w := caught(t, Options{Policy: policy, Engine: "memory"}, 100)
		if w == nil {
			t.Errorf("L2: 100 worlds under %s broke no law", policy)
			continue
		}
		t.Logf("%s: world %d: %s", policy, w.Seed, w.Says())
	}
}

// E10, L2: a log that syncs nothing, and one whose batches are split, are caught by
// crashes.
func TestLogMutantsAreCaught(t *testing.T) {
	for _, m := range []struct {
		name string
		open func(*logdb.Options)
	}{
		{"no-sync", func(o *logdb.Options) { o.NoSync = true }},
		{"split-batch", func(o *logdb.Options) { o.SplitBatch = true }},
	} {
		o := Options{Faults: []Fault{"crashes", "power"}, Engine: "memory", Log: m.open}
		w := caught(t, o, worlds(400))
		if w == nil {
			t.Errorf("%s: no world broke a law", m.name)
			continue
		}
		o.Log = nil
		if p, err := NewPlayer(o); err != nil || p.Play(w.Seed).Law() != "" {
			t.Errorf("%s: world %d breaks a law without the mutant, too: %v", m.name, w.Seed, err)
		}
		t.Logf("%s: world %d: %s", m.name, w.Seed, w.Says())
	}
}

// A world is a function of its seed: equal traces, whatever runs beside it.
func TestWorldsRepeat(t *testing.T) {
	faults, _ := ParseFaults("all")
	p, err := NewPlayer(Options{Faults: faults, Engine: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var first []uint64
	seen := map[uint64]bool{}
	const n = 12
	for seed := range uint64(n) {
		w := p.Play(seed)
		first = append(first, w.Result.Trace)
		seen[w.Result.Trace] = true
	}
	if len(seen) < n || seen[0] {
		t.Errorf("%d different traces of %d worlds", len(seen), n)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, procs := range []int{1, 4} {
		runtime.GOMAXPROCS(procs)
		for seed, want := range first {
			if got := p.Play(uint64(seed)).Result.Trace; got != want {
				t.Errorf("world %d: trace %x, then %x (GOMAXPROCS %d)", seed, want, got, procs)
			}
		}
	}
}

// A scenario that a world becomes is read back, and plays the same.
func TestWorldsAreScenarios(t *testing.T) {
	faults, _ := ParseFaults("all")
	o := Options{Faults: faults, Engine: "memory"}
	for seed := range uint64(40) {
		s := o.World(seed)
		f, err := scenario.Parse("world", []byte(s.String()))
		if err != nil {
			t.Fatalf("world %d: %v\n%s", seed, err, s)
		}
		if got := f.Scenarios[0].String(); got != s.String() {
			t.Fatalf("world %d is\n%s\nand read back\n%s", seed, s, got)
		}
		if seed > 5 {
			continue
		}
		a, b := lab.Play(engine.Memory(), s, lab.Options{}), lab.Play(engine.Memory(), f.Scenarios[0], lab.Options{})
		if a.Trace != b.Trace {
			t.Errorf("world %d: trace %x, read back %x", seed, a.Trace, b.Trace)
		}
	}
}

// What breaks a law is made small, and breaks it still.
func TestShrink(t *testing.T) {
	o := Options{Policy: "left-wins", Engine: "memory", Replicas: 3}
	w := caught(t, o, 100)
	if w == nil {
		t.Fatal("nothing to make small")
	}
	p, err := NewPlayer(o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	small := p.Shrink(t.Context(), w)
	if small.Law() != w.Law() || len(small.Scenario.Steps) > 8 || len(small.Scenario.Steps) >= len(w.Scenario.Steps) {
		t.Errorf("%s of %d steps became %s of %d\n%s", w.Law(), len(w.Scenario.Steps), small.Law(), len(small.Scenario.Steps), small.Scenario)
	}
}

// L3: every cell of the matrix of conflicts is hit, by 500 worlds at most.
func TestEveryCellIsHit(t *testing.T) {
	p, err := NewPlayer(Options{Replicas: 2, Steps: 30, Engine: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	cells, seed := pure.NewCoverage(), uint64(0)
	for len(cells.Missing()) > 0 && seed < uint64(worlds(500)) {
		seed++
		w := p.Play(seed)
		if w.Law() != "" {
			t.Fatalf("world %d: %s\n%s", seed, w.Says(), p.Shrink(t.Context(), w).Scenario)
		}
		for _, n := range w.News {
			cells.Count(n)
		}
	}
	if m := cells.Missing(); len(m) > 0 {
		t.Errorf("never hit: %v", m)
	}
	t.Logf("%d worlds hit every cell", seed)
}

// L6: bad options are errors that name what is known.
func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{Replicas: 1}, {Replicas: 6}, {Replicas: -1}, {Topology: "tree"}, {Engine: "mbox"}} {
		if _, err := NewPlayer(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	for _, list := range []string{"", "cuts,", "cut", "cuts, full"} {
		if _, err := ParseFaults(list); err == nil {
			t.Errorf("faults %q: no error", list)
		}
	}
}

// What the simulator found stays mended.
func TestRegressions(t *testing.T) {
	files, err := filepath.Glob("../testdata/regressions/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no regressions: %v", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := scenario.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range f.Scenarios {
			if s.Date == "" || len(s.Laws) == 0 || s.Seed == "" {
				t.Errorf("%s: %q has no date, law or seed", name, s.Name)
			}
			if r := lab.Play(engine.Memory(), s, lab.Options{}); !r.Pass && r.Skipped == "" {
				t.Errorf("%s\n%s", name, r.Text())
			}
		}
	}
}
