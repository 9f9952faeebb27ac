// Command mutants breaks a copy of the sources in one place at a time and asks which
// ring of tests notices: the test of the tests.
//
//	go run ./fuzz/mutants [-all] [-only PART] [-ring NAME] [-j N] [-root DIR]
//
// # Contract
//
//   - A mutant is a text of one file, found exactly once, and what stands in its
//     place. It must compile. TestTable holds the table to the sources.
//   - A mutant counts as caught by a failing assertion of a test alone. A build that
//     fails, a test that runs out of time, and a panic that ends the test program
//     are not: the first ends the program, the others are told as what they are. A
//     panic that the test itself turns into a failure counts, unless it is the Go
//     runtime's (a nil pointer, an index): that is the mutant falling over, not the
//     ring seeing.
//   - Rings are tried from cheap to dear, and the first that catches ends it; with
//     -all every ring is tried. A ring must pass without a mutant before its word
//     counts.
//   - The table goes to standard output, in Markdown; progress to standard error.
//     The exit status is 1 if a mutant is missed, 2 if something else went wrong.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

func main() {
	all := flag.Bool("all", false, "try every ring, also after one that caught")
	only := flag.String("only", "", "mutants whose name or file has this `part` alone")
	name := flag.String("ring", "", "this `ring` alone")
	jobs := flag.Int("j", 2, "mutants at a time")
	root := flag.String("root", ".", "the sources")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	missed, err := run(ctx, *root, chosen(*only), *name, *jobs, *all)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	if missed > 0 {
		os.Exit(1)
	}
}

func chosen(part string) (out []mutant) {
	for _, m := range table() {
		if strings.Contains(m.name, part) || strings.Contains(m.file, part) {
			out = append(out, m)
		}
	}
	return out
}

// run tries the mutants, each in one of a few copies of the sources, prints the
// table, and gives the number of those that were missed.
func run(ctx context.Context, root string, ms []mutant, ring string, jobs int, all bool) (missed int, err error) {
	base := ""
	if i, err := os.Stat("/dev/shm"); err == nil && i.IsDir() {
		base = "/dev/shm" // a disk's syncs are most of the time of some rings
	}
	// Under one name each time, what was built of it is built once.
	tmp := filepath.Join(cmp.Or(base, os.TempDir()), fmt.Sprintf("dsync-mutants-%d", os.Getuid()))
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return 0, fmt.Errorf("%w: another run, or what a dead one left; remove it", err)
	}
	defer os.RemoveAll(tmp)
	trees := make(chan tree, jobs)
	sound := &sound{passed: map[string]error{}}
	for i := range jobs {
		t, err := copySources(root, fmt.Sprintf("%s/%d", tmp, i))
		if err != nil {
			return 0, err
		}
		trees <- t
	}
	rows := make([]row, len(ms))
	errs := make([]error, len(ms))
	var wg sync.WaitGroup
	for i, m := range ms {
		t := <-trees
		wg.Go(func() {
			defer func() { trees <- t }()
			rows[i], errs[i] = try(ctx, t, sound, m, ring, all)
			fmt.Fprintf(os.Stderr, "%d/%d %s: %s\n", i+1, len(ms), m.name, rows[i].short())
			if errs[i] != nil {
				fmt.Fprintln(os.Stderr, errs[i])
			}
		})
	}
	wg.Wait()
	fmt.Print(markdown(rows, all))
	for i, err := range errs {
		if err != nil {
			return 0, fmt.Errorf("%s: %w", ms[i].name, err)
		}
	}
	for _, r := range rows {
		if !r.caught() {
			missed++
		}
	}
	return missed, nil
}

// sound knows which rings pass without a mutant.
type sound struct {
	mu     sync.Mutex
	passed map[string]error
}

// check runs a ring, the first time that it is asked for it, in a tree without a
// mutant.
func (s *sound) check(ctx context.Context, t tree, r ring) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.name + r.pkg
	err, ok := s.passed[key]
	if !ok {
		o := t.test(ctx, r)
		if o.verdict != survived {
			err = fmt.Errorf("without a mutant %s does not pass: %s %s %s", r.pkg, o.verdict, o.test, o.says)
		}
		s.passed[key] = err
	}
	return err
}

// try applies one mutant and runs the rings, or the one that is named.
func try(ctx context.Context, t tree, s *sound, m mutant, only string, all bool) (row, error) {
	r := row{mutant: m}
	for _, g := range m.rings() {
		if only != "" && g.name != only {
			continue
		}
		if err := s.check(ctx, t, g); err != nil {
			return r, err
		}
		undo, err := t.apply(m)
		if err != nil {
			return r, err
		}
		o := t.test(ctx, g)
		undo()
		r.outcomes = append(r.outcomes, o)
		if o.verdict == broken {
			return r, fmt.Errorf("does not build:\n%s", o.says)
		}
		if ctx.Err() != nil || o.verdict == caught && !all {
			break
		}
	}
	return r, ctx.Err()
}

// row is what came of one mutant.
type row struct {
	mutant
	outcomes []outcome
}

func (r *row) caught() bool {
	for _, o := range r.outcomes {
		if o.verdict == caught {
			return true
		}
	}
	return false
}

func (r *row) short() string {
	var out []string
	for _, o := range r.outcomes {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s in %v: %s %s", o.ring.name, o.verdict, o.took.Round(100*time.Millisecond), o.test, o.says)))
	}
	return strings.Join(out, "; ")
}

// markdown is the table for DESIGN.md.
func markdown(rows []row, all bool) string {
	var w strings.Builder
	if all {
		w.WriteString("| mutant | where |")
		for _, r := range rings {
			fmt.Fprintf(&w, " %s |", r.name)
		}
		w.WriteString("\n|---|---|" + strings.Repeat("---|", len(rings)) + "\n")
	} else {
		w.WriteString("| mutant | where | caught by | test | in |\n|---|---|---|---|---|\n")
	}
	for _, r := range rows {
		fmt.Fprintf(&w, "| %s | %s |", r.name, r.file)
		if all {
			for _, g := range rings {
				fmt.Fprintf(&w, " %s |", r.at(g.name))
			}
			w.WriteString("\n")
			continue
		}
		if !r.caught() {
			w.WriteString(" MISSED | | |\n")
			continue
		}
		last := r.outcomes[len(r.outcomes)-1]
		fmt.Fprintf(&w, " %s | %s | %d s |\n", last.ring.name, last.test, int(last.took.Round(time.Second).Seconds()))
	}
	for _, e := range equivalents {
		fmt.Fprintf(&w, "\nEquivalent: %s: %s.\n", e.what, e.why)
	}
	return w.String()
}

// at is the cell of a ring: the test that caught, - if none did.
func (r *row) at(ring string) string {
	for _, o := range r.outcomes {
		switch {
		case o.ring.name != ring:
		case o.verdict == caught:
			return o.test
		case o.verdict == survived:
			return "-"
		default:
			return "(" + string(o.verdict) + ")"
		}
	}
	return ""
}
