package lab

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"dsync/fuzz/engine"
	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
)

// unique gives each delivery a name of its own.
func unique(ops []pure.Op) []pure.Op {
	for i := range ops {
		if ops[i].Verb == pure.Append {
			ops[i].Arg = fmt.Sprintf("t%d", i)
		}
	}
	return ops
}

func generated(k pure.Kind, seed uint64) *scenario.Scenario {
	s := &scenario.Scenario{Name: fmt.Sprintf("seed %d", seed)}
	for i := range k.Replicas {
		s.Replicas = append(s.Replicas, string(rune('A'+i)))
	}
	s.Steps = append(engine.Steps(unique(k.Generate(rand.New(rand.NewPCG(seed, 7)))), s.Replicas), scenario.Step{Verb: scenario.Converge})
	return s
}

// The judge blames no engine that keeps the laws.
func TestJudgeIsFair(t *testing.T) {
	for _, k := range []struct {
		name string
		kind pure.Kind
		n    uint64
	}{
		{"two", pure.Kind{Replicas: 2, Ops: 16}, 600},
		{"three", pure.Kind{Replicas: 3, Ops: 24}, 300},
		{"tree", pure.Kind{Replicas: 2, Ops: 16, Tree: true}, 600},
		{"parts", pure.Kind{Replicas: 3, Ops: 20, Parts: true, Direct: true}, 300},
		{"logs", pure.Kind{Replicas: 3, Ops: 20, Logs: 1}, 300},
		{"restored", pure.Kind{Replicas: 3, Ops: 20, Logs: 2}, 300},
	} {
		t.Run(k.name, func(t *testing.T) {
			bad := 0
			for seed := range k.n {
				s := generated(k.kind, seed)
				res := Play(engine.Pure{}, s, Options{})
				if !res.Pass && res.Skipped == "" {
					t.Errorf("%s\n%v %s", s, res.Broken, res.Failed)
					if bad++; bad > 2 {
						t.FailNow()
					}
				}
			}
		})
	}
}

// Whole sessions are judged as the merge alone is.
func TestJudgeIsFairToSessions(t *testing.T) {
	for _, k := range []struct {
		name string
		e    *engine.Sessions
		kind pure.Kind
		n    uint64
	}{
		{"memory", engine.Memory(), pure.Kind{Replicas: 2, Ops: 16}, 100},
		{"memory-parts", engine.Memory(), pure.Kind{Replicas: 3, Ops: 20, Parts: true, Direct: true}, 60},
		{"memory-tree", engine.Memory(), pure.Kind{Replicas: 2, Ops: 16, Tree: true}, 60},
		{"maildir", engine.Maildir(), pure.Kind{Replicas: 2, Ops: 16}, 40},
	} {
		t.Run(k.name, func(t *testing.T) {
			defer k.e.Close()
			skipped := 0
			for seed := range k.n {
				s := generated(k.kind, seed)
				res := Play(k.e, s, Options{Seed: seed})
				if res.Skipped != "" {
					skipped++
				} else if !res.Pass {
					t.Fatalf("%s\n%v %s", s, res.Broken, res.Failed)
				}
			}
			if skipped > int(k.n)*3/4 {
				t.Errorf("%d of %d were skipped", skipped, k.n)
			}
		})
	}
}
