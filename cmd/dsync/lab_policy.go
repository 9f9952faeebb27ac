package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/policyfile"
	"dsync/cmd/internal/tomlfile"
	"dsync/fuzz/policy"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

// labPolicyCommands are those of the laboratory that are about policies.
func labPolicyCommands() []*command {
	return []*command{
		{
			name: "lab policy", words: "check POLICY | show POLICY | list | table", min: 1, max: 2, mixed: true, run: runLabPolicy,
			summary: "list, show and check policies: which laws each keeps",
			about: []string{
				"A policy is the name of a built-in one, or a file (named with a slash or .toml). show prints it as a file, with what every choice means; that is how to begin one's own.",
				"check runs pairs of short histories, then random ones, then some in whole sessions with states, stops and clients in their midst, and says of each law: kept, broken (with the shortest history found, in the notation of fuzz/pure), or the rule that the report names where the law allows for one. table does so for all built-in policies; it stands in DESIGN.md.",
			},
			exits: []exitLine{{"0", "printed; of check: no law was broken"}, {"2", "check: a law was broken"}, {"65", "the policy file cannot be read; file, line and column are named"}},
		},
		{
			name: "lab outcomes", words: "FILE…", min: 1, max: -1, mixed: true, run: runLabOutcomes,
			summary: "list every end that a scenario may have, and which policy picks which",
			about:   []string{"Plays each scenario on the merge alone under the built-in policies, and under every choice that makes a difference to it."},
			exits:   []exitLine{{"0", "printed"}, {"2", "one could not be played"}, {"65", "a file is no scenario file"}},
		},
	}
}

// bounds are the options of lab policy check.
type bounds struct {
	pairs, histories, sessions          int
	hasPairs, hasHistories, hasSessions bool
}

// Limits on bounds: far beyond a day's work.
const maxCases = 100_000_000

func setBound(n *int, has *bool, s string) (err error) {
	*has = true
	if *n, err = strconv.Atoi(s); err != nil || *n < 0 || *n > maxCases {
		return fmt.Errorf("want a number from 0 to %d", maxCases)
	}
	return nil
}

func (v *values) setPairs(s string) error { return setBound(&v.bounds.pairs, &v.bounds.hasPairs, s) }
func (v *values) setHistories(s string) error {
	return setBound(&v.bounds.histories, &v.bounds.hasHistories, s)
}
func (v *values) setSessions(s string) error {
	return setBound(&v.bounds.sessions, &v.bounds.hasSessions, s)
}

// loadPolicy gives a built-in policy, or reads a file.
func loadPolicy(arg string) (*merge.Policy, error) {
	p, err := policyfile.Load(arg)
	var bad *tomlfile.Error
	switch {
	case err == nil:
		return p, nil
	case errors.As(err, &bad):
		return nil, engine.Fail(engine.ExitData, err)
	case errors.Is(err, os.ErrPermission):
		return nil, err
	}
	return nil, usage(err)
}

func runLabPolicy(_ context.Context, p *program, c *call) (int, error) {
	verb, args := c.words[0], c.words[1:]
	if takes := verb == "check" || verb == "show"; takes != (len(args) == 1) {
		return 0, usagef("want %s", c.command.words)
	}
	switch verb {
	case "list":
		return engine.ExitOK, p.print(policyList(c.json))
	case "table":
		return engine.ExitOK, p.print(policy.Table(policy.CheckAll(policy.TableOptions)))
	case "show", "check":
	default:
		return 0, usagef("unknown command \"lab policy %.40s\"; want %s", verb, c.command.words)
	}
	pol, err := loadPolicy(args[0])
	if err != nil {
		return 0, err
	}
	if verb == "show" {
		return engine.ExitOK, p.print(policyfile.Text(pol))
	}
	o := policy.Defaults
	if c.bounds.hasPairs {
		o.Pairs = c.bounds.pairs
	}
	if c.bounds.hasHistories {
		o.Histories = c.bounds.histories
	}
	if c.bounds.hasSessions {
		o.Sessions = c.bounds.sessions
	}
	if c.lab.seed != 0 {
		o.Seed = c.lab.seed
	}
	r := policy.Check(pol, o)
	text := r.Text()
	if c.json {
		text = jsonLine("policy", r)
	}
	exit := engine.ExitOK
	if len(r.Broken()) > 0 {
		exit = engine.ExitAgain
	}
	return exit, p.print(text)
}

// policyList is every built-in policy with what it is for.
func policyList(asJSON bool) string {
	var w strings.Builder
	for _, p := range merge.Policies() {
		if asJSON {
			w.WriteString(jsonLine("policy", map[string]string{"name": p.Name, "id": p.ID(), "about": p.About}))
			continue
		}
		fmt.Fprintf(&w, "%-18s %s\n", p.Name, p.About)
	}
	return w.String()
}

func runLabOutcomes(ctx context.Context, p *program, c *call) (int, error) {
	var files []*scenario.File
	files, _, err := scenarios(c.words)
	if err != nil {
		return 0, err
	}
	var w strings.Builder
	exit := engine.ExitOK
	for _, f := range files {
		for _, s := range f.Scenarios {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			o := policy.OutcomesOf(s)
			if o.Skipped != "" {
				exit = engine.ExitAgain
			}
			if c.json {
				w.WriteString(jsonLine("outcomes", o))
				continue
			}
			w.WriteString(o.Text() + "\n")
		}
	}
	return exit, p.print(w.String())
}
