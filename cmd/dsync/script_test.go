package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/opener"
	"dsync/cmd/internal/owner"
	"dsync/cmd/internal/remote"
	"dsync/store"
)

// A script is a file of testdata: lines that prepare ("dir", "maildir", "file",
// "env", "report"), and commands:
//
//	$ dsync sync -s '' maildir:B
//	> a line of standard output
//	2> a line of standard error
//	engine> a line of what the engine was asked
//	exit 64
//
// "of USER" says what the engine answers for one user, after a "report" for all.
//
// $TMP stands for the directory in which the command runs. Output is compared
// whole; no "exit" means 0. After a usage, user or configuration error, and
// after a command that only looks, the directory must be as it was. UPDATE=1 rewrites the files.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		f, err := filepath.Abs(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { runScript(t, f) })
	}
}

type script struct {
	t      *testing.T
	dir    string
	env    map[string]string
	report engine.Report
	asked  []string
	panics bool
	// What the engine answers for single users, before the report for all, and why the
	// change log cannot be opened.
	of      map[string]engine.Report
	openErr error
	mu      sync.Mutex
	cancel  context.CancelFunc
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, dir: t.TempDir()}
	s.env = map[string]string{"USER": "ann", "HOME": filepath.Join(s.dir, "home")}
	t.Chdir(s.dir)
	var out strings.Builder
	lines := strings.SplitAfter(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		out.WriteString(line)
		words := split(strings.TrimSpace(line))
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if words[0] != "$" {
			s.prepare(file, i+1, words)
			continue
		}
		start := i + 1
		for i+1 < len(lines) && isResult(lines[i+1]) {
			i++
		}
		want := strings.Join(lines[start:i+1], "")
		got := s.command(words[2:])
		out.WriteString(got)
		if got != want && os.Getenv("UPDATE") == "" {
			t.Errorf("%s:%d: %sgot:\n%swant:\n%s(UPDATE=1 go test -run %s ./cmd/dsync)", file, start, line, got, want, t.Name())
		}
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func isResult(line string) bool {
	for _, p := range []string{"> ", ">\n", "2> ", "engine> ", "exit "} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

// split cuts a line into words as a shell does, with single and double quotes.
func split(line string) (words []string) {
	var w strings.Builder
	in, quote := false, byte(0)
	for i := range len(line) {
		c := line[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, in = c, true
		case quote == 0 && c == ' ':
			if in {
				words = append(words, w.String())
				w.Reset()
			}
			in = false
		default:
			w.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, w.String())
	}
	return words
}

func (s *script) prepare(file string, line int, words []string) {
	s.t.Helper()
	var err error
	arg := words[1:]
	switch words[0] {
	case "dir":
		err = os.MkdirAll(arg[0], 0o700)
	case "maildir":
		for _, d := range []string{"cur", "new", "tmp"} {
			err = errors.Join(err, os.MkdirAll(filepath.Join(arg[0], d), 0o700))
		}
	case "file": // name, lines
		body := ""
		for _, l := range arg[1:] {
			body += s.expand(l) + "\n"
		}
		if err = os.WriteFile(arg[0], []byte(body), 0o600); err == nil {
			err = os.Chtimes(arg[0], time.Unix(1700000000, 0), time.Unix(1700000000, 0))
		}
	case "mode":
		var m uint64
		m, err = strconv.ParseUint(arg[1], 8, 32)
		err = errors.Join(err, os.Chmod(arg[0], fs.FileMode(m)))
	case "env":
		k, v, _ := strings.Cut(arg[0], "=")
		s.env[k] = s.expand(v)
	case "report":
		s.makeReport(arg)
		s.of, s.openErr = map[string]engine.Report{}, nil
	case "of": // user, report
		all := s.report
		s.makeReport(arg[1:])
		s.of[arg[0]], s.report = s.report, all
	case "locked": // the database
		s.openErr = fmt.Errorf("change log: %w (pid 7)", store.ErrBusy)
	default:
		err = fmt.Errorf("unknown verb %q", words[0])
	}
	if err != nil {
		s.t.Fatalf("%s:%d: %v", file, line, err)
	}
}

func (s *script) makeReport(arg []string) {
	s.report, s.panics = engine.Report{Duration: 1500 * time.Millisecond}, false
	r := &s.report
	for _, a := range arg {
		k, v, _ := strings.Cut(a, "=")
		switch k {
		case "state":
			r.State = v
		case "exit":
			r.Exit, _ = strconv.Atoi(v)
		case "err":
			r.Err = errors.New(v)
		case "busy":
			r.Err, r.Exit = fmt.Errorf("lock %s: %w (pid 9)", v, store.ErrBusy), engine.ExitTemp
		case "equal":
			r.Equal = true
		case "panic":
			s.panics = true
		case "warning":
			r.Warnings = append(r.Warnings, v)
		case "step":
			r.Plan = append(r.Plan, engine.Step{Side: "far", Do: "flags", Mailbox: "INBOX", UID: 7, What: v, Rule: 3, Reason: "both changed it"})
		case "conflict":
			r.Conflicts = append(r.Conflicts, engine.Conflict{Rule: 3, Name: "flag", Mailbox: "INBOX", UID: 7, Kept: "set", Lost: "cleared", Reason: v})
		case "skipped":
			r.Skipped = append(r.Skipped, engine.Item{Side: "near", Mailbox: "a/b", What: v, Reason: "damaged", Exit: 65})
		case "again":
			r.Again = append(r.Again, engine.Item{Side: "far", Mailbox: "INBOX", GUID: "g1", What: v, Reason: "changed meanwhile", Exit: 2})
		case "copied":
			r.Sides[1] = engine.Side{Location: "maildir:/B", Copied: 5, Bytes: 12345, Flags: 2}
			r.Cost = store.Cost{NamesListed: 10, FilesOpened: 3}
			r.Compared = 20
		default:
			s.t.Fatalf("report: unknown %q", k)
		}
	}
}

func (s *script) expand(text string) string { return strings.ReplaceAll(text, "$TMP", s.dir) }

// command runs one and gives its result in the script's form.
func (s *script) command(args []string) string {
	for i, a := range args {
		args[i] = s.expand(a)
	}
	before := tree(s.t, s.dir)
	var stdout, stderr bytes.Buffer
	s.asked = nil
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.cancel = cancel
	p := &program{
		stdout: &stdout, env: func(k string) string { return s.env[k] }, uid: 1000, etc: filepath.Join(s.dir, "etc"),
		now:    func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
		homeOf: s.homeOf, msg: messages{w: &stderr}, calls: s.calls(), stream: noStream,
	}
	exit := p.main(ctx, args)
	looks := len(args) > 0 && slices.Contains([]string{"verify", "dump", "log", "check", "plan"}, args[0])
	if looks || exit == engine.ExitUsage || exit == engine.ExitNoUser || exit == engine.ExitConfig {
		if after := tree(s.t, s.dir); !slices.Equal(before, after) {
			s.t.Errorf("%q left something behind:\n%v\nbefore:\n%v", args, after, before)
		}
	}
	var out strings.Builder
	result(&out, ">", s.unexpand(stdout.String()))
	result(&out, "2>", s.unexpand(stderr.String()))
	slices.Sort(s.asked) // with -j in no certain order
	for _, a := range s.asked {
		result(&out, "engine>", s.unexpand(a)+"\n")
	}
	if exit != 0 {
		fmt.Fprintf(&out, "exit %d\n", exit)
	}
	return out.String()
}

func (s *script) unexpand(text string) string { return strings.ReplaceAll(text, s.dir, "$TMP") }

func result(w *strings.Builder, prefix, text string) {
	if text == "" {
		return
	}
	for l := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		w.WriteString(strings.TrimRight(prefix+" "+l, " ") + "\n")
	}
}

func (s *script) homeOf(name string) (string, error) {
	if name == "bob" {
		return filepath.Join(s.dir, "bob"), nil
	}
	return "", fmt.Errorf("user: unknown user %s", name)
}

func (s *script) calls() calls {
	return calls{
		look:  opener.Look,
		share: func(_ context.Context, o owner.Setup) changeLog { return ownLog{o, s.openErr} },
		run: func(ctx context.Context, o engine.Options) *engine.Report {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.asked = append(s.asked, describe(o))
			if s.panics {
				panic("the fake engine panics")
			}
			o.Notice(engine.Debug, "a debug line\nwith a second line")
			rep, ok := s.of[o.User]
			if !ok {
				rep = s.report
			}
			switch {
			case rep.State == "panic":
				panic("the fake engine panics")
			case rep.State == "interrupt":
				s.cancel()
				<-ctx.Done()
				rep.Err, rep.Exit, rep.State = ctx.Err(), engine.ExitTemp, ""
			}
			return &rep
		},
		log: func(_ context.Context, o engine.LogOptions, each func(engine.LogLine) error) error {
			s.asked = append(s.asked, fmt.Sprintf("log %s mailboxes=%v since=%s", o.Location, o.Mailboxes, stamp(o.Since)))
			if slices.Contains(o.Mailboxes, "nowhere") {
				return fmt.Errorf("log: %w", store.ErrNoMailbox)
			}
			err := each(engine.LogLine{Time: time.Unix(1700000000, 0), Dot: "r1.1.7", Origin: "here", Event: "deliver", Mailbox: "INBOX", UID: 3, GUID: "g3"})
			return errors.Join(err, each(engine.LogLine{
				Time: time.Unix(1700000060, 0), Dot: "r2.1.9", Origin: "r2", Event: "flags", Mailbox: "INBOX", UID: 3, What: `[] -> [\Seen]`,
				Overrode: &engine.Conflict{Rule: 3, Name: "flag", Mailbox: "INBOX", UID: 3, Kept: "set", Lost: "cleared", Reason: "set wins"},
			}))
		},
		check: func(_ context.Context, o engine.CheckOptions) *engine.CheckReport {
			s.asked = append(s.asked, fmt.Sprintf("check %s repair=%v wait=%s", o.Location, o.Repair, o.LockWait))
			if s.report.Err != nil {
				return &engine.CheckReport{Exit: s.report.Exit, Err: s.report.Err}
			}
			return &engine.CheckReport{Exit: s.report.Exit, Findings: []engine.Finding{{Mailbox: "INBOX", GUID: "g1", What: "view and store differ", Repaired: o.Repair}}}
		},
		modSeqs: func(context.Context, engine.LogOptions) (engine.ModSeqs, error) { return nil, nil },
		unshown: func(context.Context, engine.LogOptions) (engine.Unshown, error) {
			return func(store.Name, store.UID, store.GUID) []string { return nil }, nil
		},
	}
}

// describe writes what was asked, defaults left out.
func describe(o engine.Options) string {
	mode := []string{"sync", "one-way", "backup"}[o.Mode]
	algorithm := []string{"fast", "full", "stateful", "auto"}[o.Algorithm]
	out := fmt.Sprintf("%s %s %s -> %s user=%s log=%s", mode, algorithm, o.Near, o.Far, o.User, o.ChangeLog)
	for _, f := range []struct {
		name string
		show bool
		is   any
	}{
		{"reverse", o.Reverse, true}, {"state", o.Algorithm == engine.Stateful || o.State != "", strconv.Quote(o.State)},
		{"keep", o.KeepState, true}, {"dry", o.DryRun, true},
		{"mailboxes", o.Filter.Mailboxes != nil, fmt.Sprintf("%q", o.Filter.Mailboxes)}, {"guids", o.Filter.GUIDs != nil, o.Filter.GUIDs},
		{"tree", o.Filter.TreeOnly, true}, {"exclude", o.Filter.Exclude != nil, fmt.Sprintf("%q", o.Filter.Exclude)},
		{"since", !o.Filter.Since.IsZero(), stamp(o.Filter.Since)}, {"before", !o.Filter.Before.IsZero(), stamp(o.Filter.Before)},
		{"size", o.Filter.MaxSize != 0, o.Filter.MaxSize}, {"flag", o.Filter.Flag != "", o.Filter.Flag}, {"flagnot", o.Filter.FlagNot, true},
		{"wait", o.LockWait != 30*time.Second, o.LockWait}, {"brake", o.MaxDelete.Set, fmt.Sprintf("%+v", o.MaxDelete)},
		{"policy", o.Policy != "", o.Policy}, {"uses", len(o.SpecialUse) < 5, o.SpecialUse},
	} {
		if f.show {
			out += fmt.Sprintf(" %s=%v", f.name, f.is)
		}
	}
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// tree lists a directory: names, sizes and times.
func tree(t *testing.T, dir string) (out []string) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		out = append(out, fmt.Sprintf("%s %s %d %s", path, info.Mode(), info.Size(), info.ModTime()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// noStream is that of a server which nobody talks to.
func noStream() (*remote.Stream, error) { return nil, usagef("nobody is there to talk to") }
