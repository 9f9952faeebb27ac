package simulate

import (
	"context"
	"flag"
	"os"
	"strconv"
	"testing"
)

var (
	seedFlag   = flag.Uint64("seed", 0, "play the one world of this seed")
	worldsFlag = flag.Int("worlds", 0, "how many worlds")
	faultsFlag = flag.String("faults", "all", "which faults")
	engineFlag = flag.String("engine", "", "on which engine")
)

// worlds is how many worlds a test plays; DSYNC_HISTORIES multiplies it.
func worlds(n int) int {
	if *worldsFlag > 0 {
		return *worldsFlag
	}
	if s, err := strconv.ParseFloat(os.Getenv("DSYNC_HISTORIES"), 64); err == nil && s > 0 {
		return max(int(float64(n)*s), 1)
	}
	return n
}

func play(t *testing.T, o Options, s Search) *Report {
	t.Helper()
	p, err := NewPlayer(o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	return p.Run(context.Background(), s)
}

// L1: no world breaks a law.
func TestWorlds(t *testing.T) {
	faults, err := ParseFaults(*faultsFlag)
	if err != nil {
		t.Fatal(err)
	}
	s := Search{Seed: 1, Worlds: worlds(100)}
	if *seedFlag != 0 {
		s.Seed, s.Worlds = *seedFlag, 1
	}
	rep := play(t, Options{Faults: faults, Engine: *engineFlag}, s)
	t.Log(rep.Text())
	if f := rep.Failure; f != nil {
		t.Fatalf("repeat with: go test ./fuzz/simulate -run TestWorlds -seed %d\n%s\nmade small:\n%s\n%s", f.Outcome.Seed, f.Outcome.Says(), f.Small.Scenario, f.Small.Says())
	}
}
