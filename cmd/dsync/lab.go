package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"dsync/cmd/internal/engine"
	"dsync/fuzz/scenario"
	"dsync/fuzz/trace"
)

// labValues is what the options of the laboratory say.
type labValues struct {
	engines  []string
	commands []string
	policies []string
	mode     scenario.Mode
	seed     uint64
	rewrite  bool
	csv      bool
	traces   bool
	scenario string
	format   string
	output   string
	check    checkValues
}

// labCommands are the commands after "lab".
func labCommands() []*command {
	return append([]*command{
		{
			name: "lab run", words: "FILE…", min: 1, max: -1, mixed: true, run: runLabRun,
			summary: "play scenarios, and say whether they come out as they expect",
			about: []string{
				"Each scenario is played on each engine (by default pure and memory). One line says pass, FAIL or skip (the engine cannot make a step); a failure shows the laws that were broken, and expected and final mailboxes side by side, differing lines with a bar.",
				"With --rewrite the expectations of the files are made what came of them, on the first engine; all else in the files stays.",
				"The language is shown by \"dsync lab language\". Engines: " + engineHelp() + ". The laws that are judged by looking: " + lawHelp() + ".",
			},
			exits: []exitLine{{"0", "all passed"}, {"2", "one failed, or a file was rewritten"}, {"65", "a file is no scenario file; file, line and column are named"}},
		},
		{
			name: "lab compare", words: "FILE…", min: 1, max: -1, mixed: true, run: runLabCompare,
			summary: "play scenarios under policies and on engines, side by side",
			about: []string{
				"A column for each engine, under each policy: the final mailboxes, the laws broken, and what was lost, doubled, renumbered and moved; then the sums. What the scenarios expect does not count here.",
				"--engine-cmd takes the command line of any synchroniser of Maildirs. %a and %b stand for the two accounts as maildir:/path (%A and %B: the paths), %v for sync or backup, %o for the options of the run as doveadm-sync(1) has them. Dovecot makes the changes and reads the results. For example: --engine-cmd 'doveadm -o mail_location=%a %v %o %b'.",
				"A metric that an engine does not count is shown as ?.",
			},
			exits: []exitLine{{"0", "compared"}, {"2", "an engine failed"}, {"65", "a file is no scenario file"}},
		},
		labSimulateCommand(),
		{
			name: "lab language", run: runLabLanguage, summary: "print the manual of the scenario language",
			about: []string{"With --traces: what a trace is, as JSON and as a TLA+ module."},
			exits: []exitLine{{"0", "printed"}},
		},
		labExploreCommand(),
	}, slices.Concat(labPolicyCommands(), labTraceCommands(), labCheckCommands())...)
}

// labGroup is "lab" itself.
func labGroup() *command {
	about := []string{"How conflicts are settled, tried out: scenarios are histories of accounts and runs, written as text; they are played on the merge, on whole sessions over memory or Maildirs, on Dovecot, or on any synchroniser."}
	var names []string
	for _, c := range labCommands() {
		names = append(names, strings.TrimPrefix(c.name, "lab ")+" ("+c.summary+")")
	}
	about = append(about, "Commands: "+strings.Join(names, "; ")+`. "dsync lab COMMAND --help" says more.`)
	return &command{
		name: "lab", words: "COMMAND …", min: 1, max: -1, run: runLabGroup, summary: "the conflict laboratory: play and compare scenarios", about: about,
		exits: []exitLine{{"0", "done"}, {"2", "see the command"}},
	}
}

func runLabGroup(_ context.Context, _ *program, c *call) (int, error) {
	var names []string
	for _, l := range labCommands() {
		names = append(names, strings.TrimPrefix(l.name, "lab "))
	}
	slices.Sort(names)
	return 0, usagef("unknown command \"lab %.60s\"; known are %s", c.words[0], strings.Join(names, ", "))
}

func runLabLanguage(_ context.Context, p *program, c *call) (int, error) {
	if c.lab.traces {
		return engine.ExitOK, p.print(trace.Format)
	}
	return engine.ExitOK, p.print(scenario.Language)
}

func (v *values) addEngine(s string) error {
	for _, name := range strings.Split(s, ",") {
		e, err := engineByName(name)
		if err != nil {
			return err
		}
		e.close()
		v.lab.engines = append(v.lab.engines, name)
	}
	return nil
}

func (v *values) addEngineCommand(s string) error {
	e, err := engineByCommand(s)
	if err == nil {
		e.close()
		v.lab.commands = append(v.lab.commands, s)
	}
	return err
}

func (v *values) addPolicy(s string) error {
	v.lab.policies = append(v.lab.policies, strings.Split(s, ",")...)
	for _, name := range v.lab.policies {
		if _, err := policyByName(name); err != nil {
			return err
		}
	}
	return nil
}

func (v *values) setMode(s string) error {
	if slices.Contains(scenario.Modes(), scenario.Mode(s)) {
		v.lab.mode = scenario.Mode(s)
		return nil
	}
	return errors.New("known are fast, full, state, stale, foreign, corrupt")
}

func (v *values) setSeed(s string) error {
	if _, err := fmt.Sscanf(s, "%d", &v.lab.seed); err != nil || fmt.Sprint(v.lab.seed) != s {
		return errors.New("want a number from 0 to 2^64-1")
	}
	return nil
}

// scenarios reads files; what is no scenario file ends the command.
func scenarios(paths []string) (files []*scenario.File, texts [][]byte, err error) {
	for _, path := range paths {
		f, text, err := scenario.Read(path)
		var bad *scenario.Error
		switch {
		case errors.As(err, &bad):
			return nil, nil, engine.Fail(engine.ExitData, err)
		case errors.Is(err, os.ErrNotExist):
			return nil, nil, usage(err)
		case err != nil:
			return nil, nil, err
		}
		files, texts = append(files, f), append(texts, text)
	}
	return files, texts, nil
}
