// Command bench measures dsync side by side with doveadm sync, mbsync and
// "cp -a; sync", on the same machine, in the same run, on copies of the same
// data, and checks every result before it believes a figure.
//
//	bench [-dsync PATH] [-quick] [-scenarios S1,S2,S3,S4,R2,R3,trace] [-tools dsync,doveadm,mbsync,cp]
//	      [-rounds 5] [-json FILE] [-data DIR] …
//
// The report is Markdown on standard output, and JSON in the file named.
// Exit status: 0 measured; 1 a tool gave a wrong result or the run failed;
// 64 usage. A target missed is reported, not an error. A tool that is not
// installed is skipped, and the report says so.
//
// # Scenarios
//
//	S1     first sync of 20,000 messages in one mailbox into an empty side,
//	       everything durable; also 100,000, fewer rounds, for the growth
//	S2     nothing changed, after a settling run: 20,000; 100,000; 1,000
//	       mailboxes of 100; what counts is CPU
//	S3     100 flags, 100 new, 100 expunged on one side of 100,000
//	S4     peak memory of S1 to S3 and of the full comparison, at 100,000
//	R2     1,000 users of 50 messages in one process: their first sync, and nothing
//	       changed, by "dsync sync -F" and "doveadm sync -A"
//	R3     the same unchanged users, their logs alone in a database and among 100,000
//	trace  fsync, fdatasync, syncfs, rename and link calls of S1 and S3, in
//	       runs of their own under strace
//
// # How it is measured
//
//   - Rounds are interleaved, the tools in another order each round; median
//     and range are given.
//   - Before each measured run the machine's dirty pages are written out.
//   - Wall time is the child's life; CPU and memory are what wait4 says of the
//     child and the children it waited for. Data is generated in child
//     processes, because Linux counts a parent's peak memory to the child it
//     starts; the floor that remains is measured and stated.
//   - After each run both sides must hold the same messages as the changed
//     side before it: number, size, flags and received date of each, per
//     mailbox; mbsync is allowed the header X-TUID that it puts into copies.
//     Otherwise the figure is marked wrong.
//   - For S2 to S4 every tool runs over its pair until two runs in a row end with
//     status 0: only then nothing is left for it to do. doveadm's pair is made equal
//     by dsync, since its own first sync of 100,000 messages takes ten minutes. (A
//     copied tree will not do: Dovecot then fights over the mailboxes' GUIDs in each
//     run, prints no state, and takes twenty times as long.) doveadm is in S1 at
//     100,000 only with -slow.
//   - Data lies under -data; a memory file system there is said in the report.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// options are the command line.
type options struct {
	dsync     string
	tools     []string
	scenarios []string
	rounds    int
	bigRounds int
	small     dataset
	large     dataset
	many      dataset
	users     dataset
	accounts  int // logs in the large database of R3
	changes   int
	slow      bool
	keep      bool
	data      string
	json      string
}

var (
	allTools     = []string{"dsync", "doveadm", "mbsync", "cp"}
	allScenarios = []string{"S1", "S2", "S3", "S4", "R2", "R3", "trace"}
)

func main() {
	if ran, code := runInternal(os.Args[1:]); ran {
		os.Exit(code)
	}
	o, err := parseOptions(os.Args[1:], os.Stderr)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(0)
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(64)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, o, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// execute runs the scenarios and writes the reports.
func execute(ctx context.Context, o options, stdout, stderr io.Writer) int {
	b, err := newBench(ctx, o, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	defer b.close()
	runErr := b.run()
	b.finish()
	io.WriteString(stdout, b.report.markdown())
	if o.json != "" {
		if err := b.report.writeJSON(o.json); err != nil {
			fmt.Fprintln(stderr, "bench:", err)
			return 1
		}
	}
	if runErr != nil {
		fmt.Fprintln(stderr, "bench:", runErr)
		return 1
	}
	if len(b.report.Wrong) > 0 {
		return 1
	}
	return 0
}

// parseOptions reads the command line. -quick sets sizes and rounds only where
// no flag names them.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var tools, scenarios string
	var quick bool
	var small, large, boxes, each, users, seed int
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.dsync, "dsync", "./dsync", "the dsync program")
	f.StringVar(&tools, "tools", strings.Join(allTools, ","), "tools to measure")
	f.StringVar(&scenarios, "scenarios", strings.Join(allScenarios, ","), "scenarios to run")
	f.BoolVar(&quick, "quick", false, "small sizes, one round: shows that everything runs, measures nothing")
	f.IntVar(&o.rounds, "rounds", 5, "interleaved rounds")
	f.IntVar(&o.bigRounds, "big-rounds", 2, "rounds of the large first sync")
	f.IntVar(&small, "small", 20_000, "messages of the small mailbox")
	f.IntVar(&large, "large", 100_000, "messages of the large mailbox")
	f.IntVar(&boxes, "mailboxes", 1_000, "mailboxes of the account with many")
	f.IntVar(&each, "each", 100, "messages in each of them")
	f.IntVar(&users, "users", 1_000, "users of R2 and R3, of 50 messages each")
	f.IntVar(&o.accounts, "accounts", 100_000, "accounts whose logs are in the large database of R3")
	f.IntVar(&o.changes, "changes", 100, "flags, new and expunged messages each in S3")
	f.IntVar(&seed, "seed", 1, "seed of the data")
	f.BoolVar(&o.slow, "slow", false, "doveadm takes part in the large first sync too")
	f.BoolVar(&o.keep, "keep", false, "leave the data where it is")
	f.StringVar(&o.data, "data", "", "directory for the data, on disk (default: a temporary one)")
	f.StringVar(&o.json, "json", "", "file for the report as JSON")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if quick {
		set := map[string]bool{}
		f.Visit(func(f *flag.Flag) { set[f.Name] = true })
		for name, value := range map[string]struct {
			at *int
			to int
		}{
			"rounds": {&o.rounds, 1}, "big-rounds": {&o.bigRounds, 1}, "small": {&small, 200}, "large": {&large, 1000},
			"mailboxes": {&boxes, 10}, "each": {&each, 20}, "changes": {&o.changes, 20},
			"users": {&users, 10}, "accounts": {&o.accounts, 100},
		} {
			if !set[name] {
				*value.at = value.to
			}
		}
	}
	o.small = dataset{Name: "small", Messages: small, Mailboxes: 1, Seed: seed}
	o.large = dataset{Name: "large", Messages: large, Mailboxes: 1, Seed: seed + 1}
	o.many = dataset{Name: "many", Messages: each, Mailboxes: boxes, Seed: seed + 2}
	o.users = dataset{Name: "users", Messages: 50, Mailboxes: 1, Seed: seed + 10_000, Users: users}
	var err error
	if o.tools, err = subset(tools, allTools); err == nil {
		o.scenarios, err = subset(scenarios, allScenarios)
	}
	if err == nil && (o.rounds < 1 || o.bigRounds < 1 || small < 1 || large < 1 || boxes < 1 || each < 1 || users < 1) {
		err = errors.New("sizes and rounds must be positive")
	}
	if err == nil && (o.changes < 0 || 2*o.changes > large) {
		err = errors.New("-changes must be at most half of -large")
	}
	return o, err
}

// subset reads a comma list of known names.
func subset(list string, known []string) ([]string, error) {
	chosen := strings.Split(list, ",")
	for _, name := range chosen {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
