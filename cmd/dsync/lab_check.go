package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/progress"
	"dsync/fuzz/check"
	"dsync/fuzz/scenario"
)

// checkValues is what the options of lab test say.
type checkValues struct {
	kind    check.Kind
	count   int
	minutes int
	law     string
	all     bool
	once    bool
	write   string
	known   bool
}

// labCheckCommands are those of the laboratory that test other people's systems.
func labCheckCommands() []*command {
	return []*command{{
		name: "lab test", run: runLabTest,
		summary: "test a synchroniser with generated histories",
		about: []string{
			"Scenarios are made from a seed: a common past, then changes at two replicas or more that collide, then runs. Each aims at one cell of the matrix of conflicts, in turn. They are played on the engine (default memory), and judged by looking, as \"dsync lab run\" does; P4 by playing each again with the sides of its runs exchanged. What breaks a law is made as small as it gets and printed, with the line that finds it again.",
			"--engine-cmd takes the command line of any synchroniser of Maildirs; what stands in it is told by \"dsync lab compare --help\". For example: dsync lab test --engine-cmd 'mbsync -c /etc/pair.rc %A %B'.",
			"With --write findings are kept as scenario files, for \"dsync lab run\". A search that is interrupted says what it found so far, and the seed to go on with. Kinds of changes are " + strings.Join(check.Kinds, " ") + "; kinds of runs beside whole two-way ones are " + strings.Join(check.RunKinds, " ") + ".",
		},
		exits: []exitLine{{"0", "no law was broken, and every cell of the matrix was hit, if there were as many scenarios as cells"}, {"2", "a law was broken, a cell was never hit, or the engine could play nothing"}, {"75", "interrupted; what was found is printed"}},
	}}
}

func words(field func(*values) *[]string) func(*values, string) error {
	return func(v *values, s string) error {
		*field(v) = append(*field(v), strings.Split(s, ",")...)
		return v.lab.check.kind.Check()
	}
}

func number(field func(*values) *int, least, most int) func(*values, string) error {
	return func(v *values, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return fmt.Errorf("want a number from %d to %d", least, most)
		}
		*field(v) = n
		return nil
	}
}

func (v *values) setModes(s string) error {
	for _, m := range strings.Split(s, ",") {
		v.lab.check.kind.Modes = append(v.lab.check.kind.Modes, scenario.Mode(m))
	}
	return v.lab.check.kind.Check()
}

// checkOptions are the options of lab test alone.
var checkOptions = []*option{
	{"", "count", "N", "How many scenarios (default " + fmt.Sprint(check.Defaults.Count) + ").", " lab-test ", number(func(v *values) *int { return &v.lab.check.count }, 1, maxCases)},
	{"", "minutes", "N", "End after so many minutes; without --count there is no other end.", " lab-test ", number(func(v *values) *int { return &v.lab.check.minutes }, 1, 60*24*365)},
	{"", "replicas", "N", "How many replicas, 2 to 5 (default 2).", " lab-test ", number(func(v *values) *int { return &v.lab.check.kind.Replicas }, 2, 5)},
	{"", "changes", "N", "Most changes a side between runs, 1 to 8 (default 3).", " lab-test ", number(func(v *values) *int { return &v.lab.check.kind.Changes }, 1, 8)},
	{"", "ops", "KINDS", "Only these kinds of changes, with commas.", " lab-test ", words(func(v *values) *[]string { return &v.lab.check.kind.Ops })},
	{"", "runs", "KINDS", "These kinds of runs too, with commas.", " lab-test ", words(func(v *values) *[]string { return &v.lab.check.kind.Runs })},
	{"", "modes", "MODES", "How runs are asked for, with commas: one is drawn for each scenario.", " lab-test ", (*values).setModes},
	{"", "bare", "", "No common past: the first run meets mail on both sides.", " lab-test ", on(func(v *values) *bool { return &v.lab.check.kind.Bare })},
	{"", "ticks", "", "A second passes between the changes of the two sides, now and then.", " lab-test ", on(func(v *values) *bool { return &v.lab.check.kind.Ticks })},
	{"", "calm", "", "One replica changes something, then all meet: nothing is concurrent.", " lab-test ", on(func(v *values) *bool { return &v.lab.check.kind.Calm })},
	{"", "short", "", "End with one run of each pair, not with runs until nothing changes.", " lab-test ", on(func(v *values) *bool { return &v.lab.check.kind.Short })},
	{"", "law", "LAW", "Only this law counts.", " lab-test ", func(v *values, s string) error { v.lab.check.law = s; return nil }},
	{"", "all", "", "Go on after a finding, to one for each law.", " lab-test ", on(func(v *values) *bool { return &v.lab.check.all })},
	{"", "once", "", "Play each scenario once: P4 is not asked.", " lab-test ", on(func(v *values) *bool { return &v.lab.check.once })},
	{"", "write", "DIR", "Keep each finding as a scenario file.", " lab-test ", func(v *values, s string) error { v.lab.check.write = s; return nil }},
	{"", "known", "", "With --write: the files say that the engine is known to break these laws, and what the merge alone shows.", " lab-test ", on(func(v *values) *bool { return &v.lab.check.known })},
}

// search gives the options of check.Run.
func (c *call) search() (check.Options, error) {
	v := &c.lab.check
	o := check.Options{Kind: v.kind, Policies: policyByName, Seed: c.lab.seed, Count: v.count, Law: v.law, Once: v.once}
	switch {
	case len(c.lab.policies) > 1:
		return o, usagef("lab test takes one --policy")
	case v.known && v.write == "":
		return o, usagef("--known says how files are written; it needs --write")
	}
	o.Policy = strings.Join(c.lab.policies, "")
	if v.all {
		o.Findings = maxCases
	}
	if v.minutes > 0 && v.count == 0 {
		o.Count = maxCases
	}
	return o, nil
}

func runLabTest(ctx context.Context, p *program, c *call) (int, error) {
	o, err := c.search()
	if err != nil {
		return 0, err
	}
	es, err := c.lab.make("memory")
	defer closeEngines(es)
	if err != nil {
		return 0, err
	}
	if len(es) != 1 {
		return 0, usagef("lab test takes one --engine or --engine-cmd")
	}
	if p.width > 0 {
		p.msg.bar = progress.New(p.msg.w, p.width, p.now)
	}
	total := int64(o.Count)
	if o.Count == 0 {
		total = int64(check.Defaults.Count)
	}
	o.Progress = func(r *check.Report) {
		p.msg.progress(engine.Progress{Phase: "scenarios", Done: int64(r.Played + r.Skipped), Total: total})
	}
	limited := ctx
	if c.lab.check.minutes > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, time.Duration(c.lab.check.minutes)*time.Minute)
		defer cancel()
	}
	rep, err := check.Run(limited, es[0].Engine, o)
	p.msg.clear()
	if err != nil {
		return 0, err
	}
	return p.tested(ctx, c, rep)
}

// tested prints what a search found, and keeps it.
func (p *program) tested(ctx context.Context, c *call, rep *check.Report) (int, error) {
	text := rep.Text()
	if c.json {
		text = jsonLine("test", rep)
	}
	for _, f := range rep.Findings {
		if c.lab.check.write == "" {
			break
		}
		path, err := f.Write(c.lab.check.write, p.now().UTC().Format(time.DateOnly), c.lab.check.known)
		if err != nil {
			return 0, err
		}
		if !c.json {
			text += "written: " + path + "\n"
		}
	}
	exit := engine.ExitOK
	switch {
	case len(rep.Findings)+len(rep.Missing) > 0:
		exit = engine.ExitAgain
	case ctx.Err() != nil:
		exit = engine.ExitTemp
	case !rep.Passed(): // nothing could be played
		exit = engine.ExitAgain
	}
	return exit, p.print(text)
}
