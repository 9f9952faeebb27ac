package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"dsync/cmd/internal/engine"
	"dsync/fuzz/draw"
	"dsync/fuzz/scenario"
	"dsync/fuzz/trace"
)

// labTraceCommands are those of the laboratory that take down a history, event by
// event, and make something of it.
func labTraceCommands() []*command {
	return []*command{
		{
			name: "lab export", words: "FILE", min: 1, max: 1, mixed: true, run: runLabExport,
			summary: "play a scenario, and write all that happened as JSON or as a TLA+ module",
			about: []string{
				"The trace has each step and run, what every replica showed afterwards, what runs reported, and laws that were seen broken. The scenario is played on the engine pure unless --engine names another. A FILE that is a trace already is not played again.",
				"--format json is read by dsync lab import and lab draw, and may be written by any program. --format tla gives a module for TLC, to check the history against a specification of one's own; the module is called as the file of -o. Both forms are described by \"dsync lab language --traces\".",
			},
			exits: []exitLine{{"0", "written"}, {"2", "the engine cannot play the scenario, or failed"}, {"65", "the file is neither a scenario file nor a trace; file, line and column are named"}},
		},
		{
			name: "lab import", words: "TRACE", min: 1, max: 1, mixed: true, run: runLabImport,
			summary: "make a scenario of a trace, which expects what was recorded",
			about:   []string{"Steps stay, expectations are those of the trace: after each run what the replicas showed, at the end the rules of conflicts. dsync lab run then says where another engine, or a later program, comes to something else."},
			exits:   []exitLine{{"0", "written"}, {"65", "the file is no trace; file, line and column are named"}},
		},
		{
			name: "lab draw", words: "FILE", min: 1, max: 1, mixed: true, run: runLabDraw,
			summary: "play a scenario, or read a trace, and draw it as a page or an image",
			about: []string{
				"A lane for each replica, time going down; dots are events, slanted lines are runs, what a rule overrode is red, broken laws stand where they were seen. On the page the state of every replica after each step is shown on hover, click, or with the arrow keys; FILE.html#step=3 opens at the third row.",
				"The page is one file that loads nothing from elsewhere. A name of -o that ends in .svg gives the image alone, with the states as tooltips.",
			},
			exits: []exitLine{{"0", "drawn"}, {"2", "the engine cannot play the scenario, or failed"}, {"65", "the file is neither a scenario file nor a trace; file, line and column are named"}},
		},
	}
}

func (v *values) setFormat(s string) error {
	if s != "json" && s != "tla" {
		return errors.New("known are json, tla")
	}
	v.lab.format = s
	return nil
}

// pick finds the scenario that --scenario names: by its name, or by a part of it that
// no other name has.
func (v *labValues) pick(f *scenario.File) (*scenario.Scenario, error) {
	var parts []*scenario.Scenario
	for _, s := range f.Scenarios {
		switch {
		case s.Name == v.scenario, v.scenario == "" && len(f.Scenarios) == 1:
			return s, nil
		case v.scenario != "" && strings.Contains(s.Name, v.scenario):
			parts = append(parts, s)
		}
	}
	switch {
	case len(parts) == 1:
		return parts[0], nil
	case v.scenario == "":
		return nil, usagef("%s holds %d scenarios; say which with --scenario: the first is %q", f.Name, len(f.Scenarios), f.Scenarios[0].Name)
	case len(parts) > 1:
		return nil, usagef("%s holds %d scenarios with %q in their names, such as %q and %q", f.Name, len(parts), v.scenario, parts[0].Name, parts[1].Name)
	}
	return nil, usagef("%s holds no scenario with %q in its name", f.Name, v.scenario)
}

// history reads a trace, or plays the scenario that the options name.
func (c *call) history(path string) (*trace.Trace, error) {
	if text, err := os.ReadFile(path); err == nil && trace.Is(text) {
		if len(c.lab.engines)+len(c.lab.commands)+len(c.lab.policies) > 0 || c.lab.scenario != "" {
			return nil, usagef("%s is a trace: it is not played again, so --engine, --policy and --scenario say nothing", path)
		}
		return readTrace(path)
	}
	files, _, err := scenarios([]string{path})
	if err != nil {
		return nil, err
	}
	s, err := c.lab.pick(files[0])
	if err != nil {
		return nil, err
	}
	if len(c.lab.policies) > 1 {
		return nil, usagef("one --policy is played; lab compare takes several")
	}
	es, err := c.lab.make("pure")
	defer closeEngines(es)
	if err != nil {
		return nil, err
	}
	if len(es) > 1 {
		return nil, usagef("one --engine is played; lab compare takes several")
	}
	opt := c.labOptions()
	opt.Policy = strings.Join(c.lab.policies, "")
	t, r := trace.Record(es[0].Engine, s, opt)
	if r.Skipped != "" {
		return nil, engine.Fail(engine.ExitAgain, fmt.Errorf("%s: the engine %s cannot play %q: %s; try another --engine", path, r.Engine, s.Name, r.Skipped))
	}
	return t, nil
}

func readTrace(path string) (*trace.Trace, error) {
	t, err := trace.Read(path)
	var bad *scenario.Error
	switch {
	case errors.As(err, &bad):
		return nil, engine.Fail(engine.ExitData, err)
	case errors.Is(err, os.ErrNotExist):
		return nil, usage(err)
	}
	return t, err
}

// give writes a result to the file of -o, at one go, or prints it.
func (c *call) give(p *program, text []byte) error {
	if c.lab.output == "" {
		return p.print(string(text))
	}
	err := replaceFile(c.lab.output, text)
	if errors.Is(err, os.ErrNotExist) {
		return usagef("-o %.200q: its directory is not there", c.lab.output)
	}
	return err
}

// replaceFile puts a file into the place of what is there, at one go.
func replaceFile(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".dsync-lab-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if e := tmp.Close(); err == nil {
		err = e
	}
	mode := os.FileMode(0o644)
	if i, e := os.Stat(path); e == nil {
		mode = i.Mode().Perm()
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), mode)
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func runLabExport(_ context.Context, p *program, c *call) (int, error) {
	name := ""
	if c.lab.output != "" && c.lab.format == "tla" {
		base := filepath.Base(c.lab.output)
		name = strings.TrimSuffix(base, ".tla")
		if name == base || !trace.ModuleName(name) {
			return 0, usagef("-o %.80q: a TLA+ module is called as its file: NAME.tla, of letters, digits and _, and none of TLA+'s own words", c.lab.output)
		}
	}
	t, err := c.history(c.words[0])
	if err != nil {
		return 0, err
	}
	var text []byte
	if c.lab.format == "tla" {
		if name == "" {
			name = trace.ModuleOf(t.Scenario.Name)
		}
		text, err = t.TLA(name)
	} else {
		text, err = t.JSON()
	}
	if err == nil {
		err = c.give(p, text)
	}
	return traceExit(t), err
}

// traceExit is the exit status of a command that a trace came of.
func traceExit(t *trace.Trace) int {
	if t.Failed != "" {
		return engine.ExitAgain
	}
	return engine.ExitOK
}

func runLabImport(_ context.Context, p *program, c *call) (int, error) {
	t, err := readTrace(c.words[0])
	if err != nil {
		return 0, err
	}
	text := []byte(t.Expecting().String())
	if _, err := scenario.Parse(c.words[0], text); err != nil {
		return 0, engine.Fail(engine.ExitData, fmt.Errorf("%s cannot be written as a scenario: %w", c.words[0], err))
	}
	return engine.ExitOK, c.give(p, text)
}

func runLabDraw(_ context.Context, p *program, c *call) (int, error) {
	t, err := c.history(c.words[0])
	if err != nil {
		return 0, err
	}
	paint := draw.HTML
	if strings.HasSuffix(c.lab.output, ".svg") {
		paint = draw.SVG
	}
	text, err := paint(t)
	if errors.Is(err, draw.ErrTooLong) {
		return 0, engine.Fail(engine.ExitData, err)
	}
	if err == nil {
		err = c.give(p, text)
	}
	return traceExit(t), err
}
