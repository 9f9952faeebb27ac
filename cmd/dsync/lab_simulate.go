package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/progress"
	"dsync/fuzz/scenario"
	"dsync/fuzz/simulate"
)

// simulateValues are the options of lab simulate.
type simulateValues struct {
	simulate.Options
	search  simulate.Search
	minutes string
	faults  string
	seeded  bool
	write   string
}

// simulatedWorlds is how many worlds are played if nothing is said.
const simulatedWorlds = 1000

func labSimulateCommand() *command {
	var faults []string
	for _, f := range simulate.Faults {
		faults = append(faults, fmt.Sprintf("%s (%s)", f.Name, f.Says))
	}
	return &command{
		name: "lab simulate", run: runLabSimulate,
		summary: "let faults loose on simulated worlds, and ask the laws at every step",
		about: []string{
			"A world is two to five replicas, a history of changes and runs, and faults; all of it is drawn from its seed, and time is virtual. It runs with real sessions, frames and logs, over stores in memory; every 20th world over Maildirs, every 50th with its logs in Pebble on a disk that crashes. When the faults of a phase have stopped all replicas must come to the same.",
			"Faults: " + strings.Join(faults, ", ") + ".",
			"Worlds are played until one breaks a law. That one is made small (operations, replicas, messages, faults) and written as a scenario that \"dsync lab run\" plays, and the command that repeats it is printed. Printed, too, is how often each cell of the matrix of conflicts was hit.",
		},
		exits: []exitLine{{"0", "no law was broken"}, {"2", "a law was broken, or a cell of the matrix never hit in " + fmt.Sprint(simulate.EnoughWorlds) + " worlds or more"}, {"75", "interrupted; what was played broke no law"}},
	}
}

func (v *values) setReplicas(s string) (err error) {
	if v.simulate.Replicas, err = strconv.Atoi(s); err != nil || v.simulate.Replicas == 0 {
		return fmt.Errorf("want 2 to %d", simulate.MaxReplicas)
	}
	return v.simulate.Check()
}

func (v *values) setTopology(s string) error {
	v.simulate.Topology = scenario.Topology(s)
	if s == "" {
		return errors.New("want line, ring, star, mesh or random")
	}
	return v.simulate.Check()
}

func (v *values) setFaults(s string) (err error) {
	v.simulate.faults = s
	v.simulate.Faults, err = simulate.ParseFaults(s)
	return err
}

func (v *values) setWorlds(s string) (err error) {
	if v.simulate.search.Worlds, err = strconv.Atoi(s); err != nil || v.simulate.search.Worlds < 1 {
		return errors.New("want a number from 1 on")
	}
	return nil
}

func (v *values) setMinutes(s string) error {
	m, err := strconv.ParseFloat(s, 64)
	if err != nil || !(m > 0 && m <= 100_000) {
		return errors.New("want a number of minutes above 0")
	}
	v.simulate.search.For = time.Duration(m * float64(time.Minute))
	return nil
}

// maxJobs is far above what any machine can use.
const maxJobs = 1024

func (v *values) setJobs(s string) (err error) {
	if v.simulate.search.Jobs, err = strconv.Atoi(s); err != nil || v.simulate.search.Jobs < 1 || v.simulate.search.Jobs > maxJobs {
		return fmt.Errorf("want 1 to %d", maxJobs)
	}
	return nil
}

func (v *values) setSimulatedEngine(s string) error {
	v.simulate.Engine = s
	if s == "" {
		return errors.New("want memory, pebble or maildir")
	}
	return v.simulate.Check()
}

func (v *values) setSimulatedPolicy(s string) error {
	v.simulate.Policy = s
	_, err := policyByName(s)
	return err
}

func (v *values) setSimulatedSeed(s string) error {
	v.simulate.seeded = true
	err := v.setSeed(s)
	v.simulate.search.Seed = v.lab.seed
	return err
}

func (v *values) setScenarioDirectory(s string) error {
	v.simulate.write = s
	if s == "" {
		return errors.New("it is empty")
	}
	return nil
}

func runLabSimulate(ctx context.Context, p *program, c *call) (int, error) {
	v := &c.simulate
	if v.faults == "" {
		v.faults = "all"
		v.Faults, _ = simulate.ParseFaults(v.faults)
	}
	s := v.search
	switch {
	case s.Worlds > 0 || s.For > 0:
	case v.seeded:
		s.Worlds = 1
	default:
		s.Worlds = simulatedWorlds
	}
	if !v.seeded {
		s.Seed = uint64(rand.Uint32()) + 1
	}
	if s.Jobs == 0 {
		s.Jobs = runtime.GOMAXPROCS(0)
	}
	v.Policies = policyByName
	player, err := simulate.NewPlayer(v.Options)
	if err != nil {
		return 0, usage(err)
	}
	defer player.Close()
	p.msg.printf(engine.Info, "worlds from seed %d on; this repeats one: %s", s.Seed, v.repeat(s.Seed))
	s.Progress = p.simulating(s)
	rep := player.Run(ctx, s)
	p.msg.clear()
	p.msg.printf(engine.Info, "%d syncs in %s, %.0f a second", rep.Syncs, rep.Elapsed.Round(time.Second), rep.Speed())
	if err := p.printSimulated(c, rep); err != nil {
		return 0, err
	}
	switch {
	case rep.Failure != nil:
		return engine.ExitAgain, nil
	case rep.Stopped:
		return 0, engine.Fail(engine.ExitTemp, fmt.Errorf("interrupted after %d worlds, of which none broke a law; --seed %d goes on", rep.Worlds, s.Seed+uint64(rep.Worlds)))
	}
	if cells := rep.Unhit(); len(cells) > 0 {
		p.msg.printf(engine.Warning, "%d worlds never hit %d cells of the matrix of conflicts; other options may", rep.Worlds, len(cells))
		return engine.ExitAgain, nil
	}
	return engine.ExitOK, nil
}

// repeat is the command that plays the world of a seed.
func (v *simulateValues) repeat(seed uint64) string {
	out := fmt.Sprintf("dsync lab simulate --seed %d --faults %s", seed, v.faults)
	if v.Replicas != 0 {
		out += fmt.Sprintf(" --replicas %d", v.Replicas)
	}
	if v.Topology != "" {
		out += " --topology " + string(v.Topology)
	}
	if v.Policy != "" {
		out += " --policy " + v.Policy
	}
	if v.Engine != "" {
		out += " --engine " + v.Engine
	}
	return out
}

// simulated is the report in JSON.
type simulated struct {
	Worlds   int            `json:"worlds"`
	Steps    int            `json:"steps"`
	Syncs    int            `json:"syncs"`
	Faulty   int            `json:"faulty_syncs"`
	Seconds  float64        `json:"seconds"`
	Engines  map[string]int `json:"engines"`
	Excused  map[string]int `json:"excused,omitempty"`
	Skipped  int            `json:"skipped"`
	Missing  []string       `json:"cells_not_hit"`
	Broken   string         `json:"broken,omitempty"`
	Seed     string         `json:"seed,omitempty"`
	Says     string         `json:"says,omitempty"`
	Repeat   string         `json:"repeat,omitempty"`
	Scenario string         `json:"scenario,omitempty"`
	File     string         `json:"file,omitempty"`
}

func (p *program) printSimulated(c *call, rep *simulate.Report) error {
	out := simulated{Worlds: rep.Worlds, Steps: rep.Steps, Syncs: rep.Syncs, Faulty: rep.Faulty, Seconds: rep.Elapsed.Seconds(), Engines: rep.Engines,
		Excused: rep.Excused, Skipped: rep.Skipped, Missing: rep.Cells.Missing()}
	text := rep.Text()
	var unwritten error
	if f := rep.Failure; f != nil {
		seed := f.Outcome.Seed
		s := f.Small.Scenario.Clone()
		s.Date, s.Found = p.now().Format(time.DateOnly), f.Small.Engine
		if law := f.Small.Law(); strings.HasPrefix(law, "P") {
			s.Laws = []string{law}
		}
		file := filepath.Join(c.simulate.write, fmt.Sprintf("simulate-%d.txt", seed))
		kept := fmt.Sprintf("written to %s; dsync lab run --engine %s %s plays it", file, f.Small.Engine, file)
		if unwritten = os.WriteFile(file, []byte(s.String()), 0o666); unwritten != nil {
			file, kept = "", "not written to a file"
		}
		out.Broken, out.Seed, out.Says, out.Scenario, out.File, out.Repeat = f.Small.Law(), fmt.Sprint(seed), f.Small.Says(), s.String(), file, c.simulate.repeat(seed)
		text += fmt.Sprintf("world %d: %s\nmade small: %s\n\n%s\n%s\nrepeat with: %s\n", seed, f.Outcome.Says(), f.Small.Says(), s, kept, out.Repeat)
	}
	if c.json {
		text = jsonLine("simulated", out)
	}
	return errors.Join(p.print(text), unwritten)
}

// simulating draws progress: a line on a terminal, else (-v) a message now and then.
func (p *program) simulating(s simulate.Search) func(simulate.Progress) {
	if p.width > 0 {
		p.msg.bar = progress.New(p.msg.w, p.width, p.now)
	}
	last := p.now()
	return func(g simulate.Progress) {
		phase := fmt.Sprintf("simulate, %d syncs, %s left", g.Syncs, g.Left.Round(time.Second))
		switch {
		case p.width > 0:
			p.msg.progress(engine.Progress{Phase: phase, Done: int64(g.Worlds), Total: int64(s.Worlds)})
		case p.now().Sub(last) >= simulateEvery:
			last = p.now()
			p.msg.printf(engine.Info, "%s: %d worlds", phase, g.Worlds)
		}
	}
}

// simulateEvery is how often progress is told where there is no terminal.
const simulateEvery = 30 * time.Second
