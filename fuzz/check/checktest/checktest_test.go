package checktest

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"dsync/fuzz/check"
	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/merge"
	"dsync/store"
	"dsync/store/maildir"
	"dsync/store/memory"
)

// TestMain keeps rapid short, unless it is told otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	for name, value := range map[string]string{"rapid.checks": "20", "rapid.shrinktime": "1s"} {
		given := false
		flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
		if !given {
			flag.Set(name, value)
		}
	}
	os.Exit(m.Run())
}

func TestMemoryStore(t *testing.T) {
	Store(t, func(dir string) (store.Store, error) { return memory.New(memory.Options{Name: dir}), nil }, check.Kind{Changes: 2, Short: true})
}

func TestMaildirStore(t *testing.T) {
	Store(t, func(dir string) (store.Store, error) { return maildir.Create(maildir.Options{Path: dir + "/mail"}) },
		check.Kind{Changes: 2, Short: true, Ops: []string{"AP", "MV", "EX", "KW", "RN", "UV"}})
}

// What rapid draws is a scenario too, and a control is caught by it within 100 of
// them (L2).
func TestRapidCatchesControls(t *testing.T) {
	e := engine.Memory()
	defer e.Close()
	drawn := Scenarios(check.Kind{})
	for _, p := range []*merge.Policy{merge.LeftWins, merge.Random(1)} {
		find := func(string) (*merge.Policy, error) { return p, nil }
		caught := 0
		for i := 1; i <= 100 && caught == 0; i++ {
			if r := lab.Play(e, drawn.Example(i).Scenario, lab.Options{Exchange: true, Policies: find}); len(r.Broken) > 0 {
				caught = i
			}
		}
		if caught == 0 {
			t.Errorf("%s is not caught by 100 drawn scenarios", p.Name)
		}
		t.Logf("%s: caught by drawn scenario %d", p.Name, caught)
	}
}

// What rapid draws is a scenario, to be played on any engine.
func ExampleScenarios() {
	drawn := Scenarios(check.Kind{Changes: 1}).Example(3)
	res := lab.Play(engine.Pure{}, drawn.Scenario, lab.Options{})
	fmt.Println(len(drawn.Steps) > 0, res.Pass)
	// Output: true true
}
