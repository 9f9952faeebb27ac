package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// bench is one run of this program.
type bench struct {
	ctx     context.Context
	o       options
	dir     string
	tools   []tool
	masters map[string]string // dataset name → generated tree
	pairs   map[string]*pair  // tool and dataset → equal, settled pair
	failed  map[string]bool   // tool and dataset → cannot be made equal
	made    int               // pairs made so far
	report  *report
	log     io.Writer
}

func newBench(ctx context.Context, o options, log io.Writer) (*bench, error) {
	dir, err := os.MkdirTemp(o.data, "dsync-bench-")
	if err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	b := &bench{ctx: ctx, o: o, dir: dir, masters: map[string]string{}, pairs: map[string]*pair{}, failed: map[string]bool{}, log: log}
	b.report = newReport(ctx, o, dir)
	for _, name := range o.tools {
		t, err := findTool(name, o, dir)
		if err != nil {
			b.report.Skipped = append(b.report.Skipped, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		b.tools = append(b.tools, t)
		b.report.Tools = append(b.report.Tools, toolVersion{t.name(), t.version(ctx)})
	}
	return b, nil
}

func (b *bench) close() {
	if b.o.keep {
		fmt.Fprintln(b.log, "bench: data left in", b.dir)
		return
	}
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(b.log, "bench:", err)
	}
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, "%s bench: %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// run runs the chosen scenarios.
func (b *bench) run() error {
	scenarios := map[string]func() error{
		"S1":    b.firstSyncs,
		"S2":    b.nothingChanged,
		"S3":    b.changed,
		"S4":    b.memory,
		"R2":    b.manyUsers,
		"R3":    b.manyAccounts,
		"trace": b.trace,
	}
	for _, name := range allScenarios {
		for _, chosen := range b.o.scenarios {
			if chosen != name {
				continue
			}
			if err := scenarios[name](); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// finish draws the conclusions.
func (b *bench) finish() {
	b.report.Machine.LoadAfter = loadAverage()
	b.report.Machine.FloorRSS = memoryFloor(context.WithoutCancel(b.ctx)) // at the end, as it only grows
	b.report.Targets = judge(b.report)
}

// master is the generated tree of a dataset.
func (b *bench) master(d dataset) (string, error) {
	if path, ok := b.masters[d.Name]; ok {
		return path, nil
	}
	b.say("generating %s", d.title())
	path := filepath.Join(b.dir, "master-"+d.Name)
	if err := d.generate(b.ctx, path); err != nil {
		return "", err
	}
	b.masters[d.Name] = path
	return path, nil
}

// newPair is a copy of the dataset and no right side.
func (b *bench) newPair(t tool, d dataset) (*pair, error) {
	master, err := b.master(d)
	if err != nil {
		return nil, err
	}
	b.made++
	p := &pair{dir: filepath.Join(b.dir, fmt.Sprintf("pair-%03d-%s-%s", b.made, t.name(), d.Name)), data: d}
	if err := os.MkdirAll(p.aux(), 0o755); err != nil {
		return nil, err
	}
	return p, copyTree(b.ctx, master, p.left())
}

// drop removes a pair that is no longer needed.
func (b *bench) drop(p *pair) {
	if !b.o.keep {
		os.RemoveAll(p.dir)
	}
}

// equalPair is the tool's pair of this dataset, both sides equal, after a
// settling run. It is made once; a tool that cannot make it equal is asked no
// second time.
func (b *bench) equalPair(t tool, d dataset) (*pair, error) {
	key := t.name() + " " + d.Name
	if p, ok := b.pairs[key]; ok {
		return p, nil
	}
	_, err := t.command(b.ctx, &pair{dir: b.dir}, stepAgain)
	if b.failed[key] || errors.Is(err, errNotOffered) {
		return nil, errNotOffered
	}
	b.failed[key] = true // until it is made
	p, err := b.makeEqual(t, d)
	if err != nil {
		return nil, fmt.Errorf("prepare %s with %s: %w", d.title(), t.name(), err)
	}
	b.pairs[key], b.failed[key] = p, false
	return p, nil
}

// settlings is how often a tool may run over an equal pair before it has nothing
// more to do.
const settlings = 6

// makeEqual makes a new pair equal and settles it: the tool runs until two runs
// one after the other end as usual, with nothing left to be done again.
func (b *bench) makeEqual(t tool, d dataset) (*pair, error) {
	b.say("%s: preparing %s", t.name(), d.title())
	p, err := b.newPair(t, d)
	if err != nil {
		return nil, err
	}
	if err := b.equalise(t, p); err != nil {
		return nil, err
	}
	var last sample
	for good, i := 0, 0; i < settlings; i++ {
		if last, err = b.measured(t, p, stepAgain); err != nil {
			return nil, err
		}
		if good++; last.Code != 0 {
			good = 0
		}
		if good == 2 {
			return p, nil
		}
	}
	return nil, &wrongError{fmt.Sprintf("does not come to rest: exit status %d after %d runs over an equal pair", last.Code, settlings)}
}

// equalise makes both sides equal: by the tool, or by dsync where the tool takes
// too long and what dsync leaves is at rest for it.
func (b *bench) equalise(t tool, p *pair) error {
	maker := t
	if t.settled() {
		if d, err := findDsync(b.o.dsync); err == nil {
			maker = d
		}
	}
	_, err := b.measured(maker, p, stepFirst)
	if maker != t {
		p.state = ""
	}
	return err
}

// wrongError is a run that ended, with a result that is not right.
type wrongError struct{ what string }

// Error says what was wrong.
func (e *wrongError) Error() string { return e.what }

// measured runs one step on a pair and checks the result. A *wrongError comes
// with a sample.
func (b *bench) measured(t tool, p *pair, s step) (sample, error) {
	cmd, err := t.command(b.ctx, p, s)
	if err != nil {
		return sample{}, err
	}
	return b.measuredCommand(t, p, cmd)
}

func (b *bench) measuredCommand(t tool, p *pair, cmd *exec.Cmd) (sample, error) {
	want, err := fingerprintOf(p.left(), 0)
	if err != nil {
		return sample{}, err
	}
	got, stdout, stderr, err := measure(cmd)
	if err != nil {
		return sample{}, err
	}
	t.finish(p, stdout)
	if !t.accepts(got.Code) {
		return got, &wrongError{fmt.Sprintf("exit status %d: %.500s", got.Code, stderr)}
	}
	return got, checkPair(p, want, t.growth())
}

// growthOf is 0 for the left side, where nothing was copied to.
func growthOf(side string, p *pair, growth int64) int64 {
	if side == p.left() {
		return 0
	}
	return growth
}

// checkPair holds both sides against what the left side was before the run.
func checkPair(p *pair, want fingerprint, growth int64) error {
	for _, side := range []string{p.left(), p.right()} {
		f, err := fingerprintOf(side, growthOf(side, p, growth))
		if err != nil {
			return &wrongError{err.Error()}
		}
		if f.Messages != want.Messages {
			return &wrongError{fmt.Sprintf("%s holds %d messages, want %d", filepath.Base(side), f.Messages, want.Messages)}
		}
		if f != want {
			return &wrongError{fmt.Sprintf("%s holds the right number of messages, but other sizes, flags or dates", filepath.Base(side))}
		}
	}
	return nil
}
