package main

import (
	"context"
	"fmt"
	"strings"

	"dsync/cmd/internal/engine"
	labengine "dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

// labEngine is an engine that is to be closed.
type labEngine struct{ labengine.Engine }

func (e labEngine) close() { labengine.Close(e.Engine) }

func engineByName(name string) (labEngine, error) {
	e, err := labengine.ByName(name)
	return labEngine{e}, err
}

func engineByCommand(line string) (labEngine, error) {
	e, err := labengine.Command(line)
	return labEngine{e}, err
}

func policyByName(name string) (*merge.Policy, error) { return loadPolicy(name) }

func engineHelp() string {
	var out []string
	for _, k := range labengine.Known {
		out = append(out, k.Name+" ("+k.Says+")")
	}
	return strings.Join(out, ", ")
}

func lawHelp() string {
	var out []string
	for _, l := range lab.Laws {
		out = append(out, l.Law+" ("+l.Says+")")
	}
	return strings.Join(out, ", ")
}

// engines makes those that the options name; the caller closes them.
func (v *labValues) make(defaults ...string) (out []labEngine, err error) {
	names := v.engines
	if len(names)+len(v.commands) == 0 {
		names = defaults
	}
	for _, n := range names {
		e, err := engineByName(n)
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
	for _, c := range v.commands {
		e, err := engineByCommand(c)
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
	return out, nil
}

func closeEngines(es []labEngine) {
	for _, e := range es {
		e.close()
	}
}

func (c *call) labOptions() lab.Options {
	return lab.Options{Mode: c.lab.mode, Seed: c.lab.seed, Policies: policyByName}
}

func runLabRun(ctx context.Context, p *program, c *call) (int, error) {
	files, texts, err := scenarios(c.words)
	if err != nil {
		return 0, err
	}
	if len(c.lab.policies) > 1 {
		return 0, usagef("lab run takes one --policy; lab compare takes several")
	}
	if c.json && c.lab.csv {
		return 0, usagef("--json and --csv exclude each other")
	}
	es, err := c.lab.make("pure", "memory")
	defer closeEngines(es)
	if err != nil {
		return 0, err
	}
	opt := c.labOptions()
	opt.Policy = strings.Join(c.lab.policies, "")
	out, exit := &spool{}, engine.ExitOK
	defer out.Close()
	if c.lab.csv {
		out.Write([]byte(lab.CSV()))
	}
	for i, f := range files {
		var edits []scenario.Edit
		for _, s := range f.Scenarios {
			for n, e := range es {
				if err := ctx.Err(); err != nil {
					return 0, err
				}
				r := lab.Play(e.Engine, s, opt)
				if !r.Pass && r.Skipped == "" {
					exit = engine.ExitAgain
				}
				if n == 0 {
					edits = append(edits, r.Edits...)
				}
				text := f.Name + ": " + r.Text()
				switch {
				case c.json:
					text = jsonLine("scenario", r)
				case c.lab.csv:
					text = r.CSV(strings.ToLower(r.Word()))
				}
				if _, err := out.Write([]byte(text)); err != nil {
					return 0, err
				}
			}
		}
		if c.lab.rewrite && len(edits) > 0 {
			if err := rewrite(f, texts[i], edits); err != nil {
				return 0, err
			}
			if !c.json && !c.lab.csv {
				fmt.Fprintf(out, "%s: %d expectations rewritten\n", f.Name, len(edits))
			}
		}
	}
	return exit, p.printSpool(out)
}

// rewrite puts what came into a file, at one go.
func rewrite(f *scenario.File, text []byte, edits []scenario.Edit) error {
	if strings.HasSuffix(f.Name, ".json") {
		return usagef("%s: --rewrite changes text files only", f.Name)
	}
	after := scenario.Rewrite(text, edits)
	if _, err := scenario.Parse(f.Name, after); err != nil {
		return fmt.Errorf("internal error: the rewritten file cannot be read: %w", err)
	}
	return replaceFile(f.Name, after)
}

func runLabCompare(ctx context.Context, p *program, c *call) (int, error) {
	if c.json && c.lab.csv {
		return 0, usagef("--json and --csv exclude each other")
	}
	files, _, err := scenarios(c.words)
	if err != nil {
		return 0, err
	}
	es, err := c.lab.make("pure", "memory")
	defer closeEngines(es)
	if err != nil {
		return 0, err
	}
	var cs []lab.Candidate
	for _, e := range es {
		_, outside := e.Engine.(*labengine.Outside)
		if outside || len(c.lab.policies) == 0 {
			cs = append(cs, lab.Candidate{Engine: e.Engine})
			continue
		}
		for _, policy := range c.lab.policies {
			cs = append(cs, lab.Candidate{Engine: e.Engine, Policy: policy})
		}
	}
	var all []*lab.Comparison
	out, exit := &spool{}, engine.ExitOK
	defer out.Close()
	for _, f := range files {
		for _, s := range f.Scenarios {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			x := lab.Compare(cs, s, c.labOptions())
			all = append(all, x)
			for _, r := range x.Results {
				if r.Failed != "" {
					exit = engine.ExitAgain
				}
			}
			switch {
			case c.json:
				_, err = out.Write([]byte(jsonLine("comparison", x)))
			case !c.lab.csv:
				_, err = fmt.Fprintf(out, "%s: %s\n", f.Name, x.Text())
			}
			if err != nil {
				return 0, err
			}
		}
	}
	switch {
	case c.lab.csv:
		_, err = out.Write([]byte(lab.CSV(all...)))
	case !c.json:
		_, err = out.Write([]byte(lab.Summary(all)))
	}
	if err != nil {
		return 0, err
	}
	return exit, p.printSpool(out)
}
