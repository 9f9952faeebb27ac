package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/progress"
	"dsync/fuzz/explore"
	"dsync/merge"
)

// exploreValues are the options of lab explore.
type exploreValues struct {
	explore.Options
	policies []string
	resume   string
	write    string
}

func labExploreCommand() *command {
	var families []string
	for _, f := range explore.Families {
		families = append(families, f.Name+" ("+f.Says+")")
	}
	return &command{
		name: "lab explore", run: runLabExplore,
		summary: "try every pair of short histories, and ask all laws of each",
		about: []string{
			"Messages are spread over mailboxes, which both sides hold; then each side makes up to --ops operations of every kind, and they meet. Every pair of histories is tried, but for those that come to the same: what does nothing, another order of what does not touch each other, other names for what is alike, exchanged sides. With three replicas every triple, meeting in every order.",
			"Modes: " + strings.Join(families, ", ") + ". The default is whole; parts are the first seven, all is all.",
			"Printed are how many cases were tried in each mode, which cells of the matrix of conflicts they hit, and for each law that is broken the shortest example, in the notation of fuzz/pure and as a scenario, which --write puts into a directory. The figures are the same on every machine.",
			"--resume FILE keeps the progress in FILE, and goes on from what it holds. A search that is interrupted without it keeps its progress too, and says where.",
		},
		exits: []exitLine{{"0", "no law was broken"}, {"2", "a law was broken, or a cell of the matrix never hit"}, {"65", "a policy or progress file cannot be used"}, {"75", "interrupted; the message says how to go on"}},
	}
}

// exploreOptions are those of lab explore alone.
var exploreOptions = []*option{
	{"", "replicas", "N", "How many replicas: 2 (the default), or 3, which meet in every order.", " lab-explore ", bound(func(o *explore.Options) *int { return &o.Replicas })},
	{"", "messages", "N", "How many messages both hold at first, spread over the mailboxes (default 2).", " lab-explore ", bound(func(o *explore.Options) *int { return &o.Messages })},
	{"", "mailboxes", "N", "How many mailboxes there are beside INBOX (default 2).", " lab-explore ", bound(func(o *explore.Options) *int { return &o.Mailboxes })},
	{"", "flags", "N", "How many flags are changed: \\Flagged, a keyword, \\Deleted, \\Seen, \\Draft, \\Answered (default 1).", " lab-explore ", bound(func(o *explore.Options) *int { return &o.Flags })},
	{"", "ops", "N", "How many operations each side makes at most (default 2; 3 takes long).", " lab-explore ", bound(func(o *explore.Options) *int { return &o.Ops })},
	{"", "modes", "MODES", "How they meet, with commas; see above.", " lab-explore ", (*values).addModes},
	{"", "policy", "POLICY", "The policy, or several with commas, each by itself.", " lab-explore ", (*values).addExplored},
	{"", "resume", "FILE", "Keep the progress in the file, and go on from it.", " lab-explore ", (*values).setResume},
	{"", "write", "DIR", "Write the example for each broken law into a scenario file of this directory.", " lab-explore ", (*values).setWrite},
}

// bound sets one of the bounds of a universe; what is too large is found later, by
// those who know why.
func bound(field func(*explore.Options) *int) func(*values, string) error {
	return func(v *values, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 1000 {
			return errors.New("want a small number")
		}
		*field(&v.explore.Options) = n
		return nil
	}
}

func (v *values) addModes(s string) error {
	for _, m := range strings.Split(s, ",") {
		switch m {
		case "all":
			v.explore.Modes = append(v.explore.Modes, explore.AllModes()...)
		case "parts":
			v.explore.Modes = append(v.explore.Modes, explore.Parts...)
		default:
			if !slices.Contains(explore.AllModes(), m) {
				return fmt.Errorf("unknown mode %.40q; known are all, parts, %s", m, strings.Join(explore.AllModes(), ", "))
			}
			v.explore.Modes = append(v.explore.Modes, m)
		}
	}
	return nil
}

func (v *values) addExplored(s string) error {
	v.explore.policies = append(v.explore.policies, strings.Split(s, ",")...)
	return nil
}

func (v *values) setResume(s string) error { v.explore.resume = s; return notEmpty(s) }
func (v *values) setWrite(s string) error  { v.explore.write = s; return notEmpty(s) }

func notEmpty(s string) error {
	if s == "" {
		return errors.New("it is empty")
	}
	return nil
}

func runLabExplore(ctx context.Context, p *program, c *call) (int, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // much is made and dropped, little kept
	names := c.explore.policies
	if len(names) == 0 {
		names = []string{merge.Safe.Name}
	}
	var policies []*merge.Policy
	for _, n := range names {
		pol, err := loadPolicy(n)
		if err != nil {
			return 0, err
		}
		policies = append(policies, pol)
	}
	if len(policies) > 1 && c.explore.resume != "" {
		return 0, usagef("--resume takes one policy: a progress file is of one search")
	}
	exit := engine.ExitOK
	for _, pol := range policies {
		kept, err := p.explore(ctx, c, pol)
		if err != nil {
			return 0, err
		}
		if !kept {
			exit = engine.ExitAgain
		}
	}
	return exit, nil
}

// explore searches under one policy and prints the report.
func (p *program) explore(ctx context.Context, c *call, pol *merge.Policy) (kept bool, err error) {
	o := c.explore.Options
	o.Policy, o.File = pol, c.explore.resume
	if o.File == "" {
		o.Stopped = filepath.Join(os.TempDir(), fmt.Sprintf("dsync-explore-%d.json", os.Getpid()))
	}
	o.Progress = p.exploring("explore " + pol.Name)
	r, err := explore.Run(ctx, o)
	p.msg.clear()
	switch {
	case errors.Is(err, explore.ErrBounds):
		return false, usage(err)
	case errors.Is(err, explore.ErrProgress):
		return false, engine.Fail(engine.ExitData, err)
	case err != nil:
		return false, err
	case ctx.Err() != nil && r.Cases < r.All:
		file := o.File
		if file == "" {
			file = o.Stopped
		}
		return false, engine.Fail(engine.ExitTemp, fmt.Errorf("interrupted after %d of %d cases, %d laws broken so far; the same command with --resume %s goes on", r.Cases, r.All, len(r.Broken), file))
	}
	text := r.Text()
	if c.json {
		text = jsonLine("explored", r)
	}
	if err := p.print(text); err != nil {
		return false, err
	}
	return r.Kept(), writeExamples(c.explore.write, pol, r)
}

// exploring draws progress: a line on a terminal, else (-v) a message now and then.
func (p *program) exploring(phase string) func(explore.Status) {
	if p.width > 0 {
		p.msg.bar = progress.New(p.msg.w, p.width, p.now)
	}
	start := p.now()
	last := start
	return func(s explore.Status) {
		left := ""
		if s.Left > 0 && s.Done < s.All {
			left = ", " + s.Left.Round(time.Second).String() + " left"
		}
		switch {
		case p.width > 0:
			p.msg.progress(engine.Progress{Phase: phase + left, Done: int64(s.Done), Total: int64(s.All)})
		case p.now().Sub(last) >= exploreEvery:
			last = p.now()
			p.msg.printf(engine.Info, "%s: %d of %d cases, %d laws broken%s", phase, s.Done, s.All, s.Broken, left)
		}
	}
}

// exploreEvery is how often progress is told where there is no terminal.
const exploreEvery = 30 * time.Second

// writeExamples puts the example for each law that was broken into a file of its own.
func writeExamples(dir string, pol *merge.Policy, r *explore.Report) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, b := range r.Broken {
		path := filepath.Join(dir, fmt.Sprintf("explore-%s-%s.scenario", fileWord(pol.Name), fileWord(b.Law)))
		if err := os.WriteFile(path, []byte(b.Scenario), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// fileWord makes a name fit for a part of a file's name.
func fileWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, s)
}
