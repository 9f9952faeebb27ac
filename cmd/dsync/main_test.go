package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dsync/changelog/logdb"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/owner"
	"dsync/cmd/internal/progress"
)

// TestMain runs the program itself if it is told so, whole ("real"), or on an engine
// that waits: signals need a process of their own.
func TestMain(m *testing.M) {
	mode := os.Getenv("DSYNC_TEST_ENGINE")
	if mode == "" {
		os.Exit(m.Run())
	}
	if mode == "real" {
		main()
	}
	p := &program{
		stdout: os.Stdout, env: os.Getenv, now: time.Now, uid: 1000, homeOf: systemHome, msg: messages{w: os.Stderr},
	}
	p.calls.share = shareNone
	p.calls.run = func(ctx context.Context, o engine.Options) *engine.Report {
		o.Notice(engine.Error, "waiting")
		<-ctx.Done()
		if mode == "deaf" {
			o.Notice(engine.Error, "deaf")
			select {}
		}
		return &engine.Report{Exit: engine.ExitTemp, Err: ctx.Err(), State: o.State}
	}
	os.Exit(p.main(p.signals(), os.Args[1:]))
}

func TestSignals(t *testing.T) {
	for _, c := range []struct {
		engine, stdout string
		signals        []os.Signal
		args           []string
	}{
		{"good", "old\n", []os.Signal{syscall.SIGINT}, nil},
		{"good", "old\n", []os.Signal{syscall.SIGTERM}, nil},
		{"deaf", "\n", []os.Signal{syscall.SIGTERM, syscall.SIGINT}, nil},
		{"deaf", `"state":""`, []os.Signal{syscall.SIGINT, syscall.SIGINT}, []string{"--json"}},
	} {
		dir := t.TempDir()
		args := append([]string{"sync", "-s", "old", "-o", "mail_location=maildir:" + dir + "/A"}, c.args...)
		cmd := exec.Command(os.Args[0], append(args, "maildir:"+dir+"/B")...)
		cmd.Env = append(os.Environ(), "DSYNC_TEST_ENGINE="+c.engine, "HOME="+dir)
		var stdout bytes.Buffer
		cmd.Stdout = &stdout
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stderr)
		for _, s := range c.signals {
			lines.Scan()
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
		for lines.Scan() {
		}
		err = cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != engine.ExitTemp {
			t.Errorf("%v: %v, want exit 75", c, err)
		}
		if got := stdout.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, c.stdout) {
			t.Errorf("%v: standard output %q, want one line with %q", c, got, c.stdout)
		}
	}
}

// run makes one call on an engine that answers with rep.
func run(t *testing.T, rep *engine.Report, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{
		stdout: &out, env: func(string) string { return "" }, now: time.Now, uid: 1000,
		homeOf: func(string) (string, error) { return t.TempDir(), nil }, msg: messages{w: &errs},
	}
	p.calls.share = shareNone
	p.calls.run = func(context.Context, engine.Options) *engine.Report { return rep }
	exit = p.main(t.Context(), args)
	return exit, out.String(), errs.String()
}

func TestOutputFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	var errs bytes.Buffer
	p := &program{stdout: full, env: func(string) string { return "" }, now: time.Now, uid: 1000, msg: messages{w: &errs}}
	p.calls.share = shareNone
	p.calls.run = func(context.Context, engine.Options) *engine.Report { return &engine.Report{State: "s"} }
	exit := p.main(t.Context(), []string{"sync", "-o", "mail_location=maildir:/m/A", "-o", "changelog=/l", "maildir:/m/B"})
	if exit != engine.ExitTemp || !strings.Contains(errs.String(), "standard output") {
		t.Errorf("exit %d, %q: want 75 and the reason", exit, errs.String())
	}
}

// Names come from outside: what is printed stays one line and cannot steer a
// terminal.
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü": "plain ü", "a\nb": `a\nb`, "\x1b[31m": `\u001b[31m`, "\xff": `\xff`, "\u202e": `\u202e`, "\u0085": `\u0085`, "\r": `\u000d`,
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestColours(t *testing.T) {
	var w bytes.Buffer
	m := messages{w: &w, user: "ann", colour: true}
	m.print(engine.Error, "x")
	if got := w.String(); got != "dsync(ann): \x1b[31mError\x1b[0m: x\n" {
		t.Errorf("%q", got)
	}
}

// A message first takes the progress line away.
func TestBarAndMessages(t *testing.T) {
	var w bytes.Buffer
	m := messages{w: &w, user: "ann"}
	m.bar = progress.New(&w, 60, time.Now)
	m.progress(engine.Progress{Phase: "copy", Done: 1, Total: 2})
	m.print(engine.Error, "x")
	if !strings.HasSuffix(w.String(), "\r\x1b[Kdsync(ann): Error: x\n") {
		t.Errorf("%q", w.String())
	}
}

// Help, the manual page and completions show every option of the manual that is
// built, and none that is not.
func TestOneSource(t *testing.T) {
	texts := map[string]string{}
	for _, c := range []string{"man", "completion bash", "completion zsh", "completion fish"} {
		exit, out, errs := run(t, nil, strings.Fields(c)...)
		if exit != 0 || errs != "" {
			t.Fatalf("%s: exit %d, %s", c, exit, errs)
		}
		texts[c] = strings.ReplaceAll(out, `\-`, "-")
	}
	_, texts["sync --help"], _ = run(t, nil, "sync", "--help")
	_, all, _ := run(t, nil, "--help")
	for _, o := range options {
		for name, text := range texts {
			there := regexp.MustCompile("(--|-l )" + o.long + `([^a-z-]|$)`).MatchString(text)
			want := o.help != "" && (name != "sync --help" || slices.ContainsFunc(options, func(x *option) bool {
				return x.long == o.long && x.takenBy(findCommand("sync"))
			}))
			if there != want {
				t.Errorf("--%s in %s: %v, want %v", o.long, name, there, want)
			}
		}
	}
	for name := range absent {
		if findCommand(name) != nil || strings.Contains(all, "  "+name+" ") {
			t.Errorf("%s is not built, but shown", name)
		}
	}
	for _, c := range commands() {
		if !strings.Contains(all, "  "+c.name+" ") || !strings.Contains(texts["man"], ".SS "+c.name) {
			t.Errorf("%s is not shown", c.name)
		}
	}
}

// Every option of doveadm-sync(1) is known under its letter, with or without a
// value as there.
func TestManualLetters(t *testing.T) {
	fs := flagSet(&values{}, findCommand("sync"))
	for letter, value := range map[string]bool{
		"1": false, "f": false, "P": false, "R": false, "U": false, "A": false, "N": false, "d": false, "D": false, "v": false,
		"u": true, "F": true, "S": true, "l": true, "r": true, "m": true, "g": true, "n": true, "x": true, "s": true, "T": true,
		"t": true, "e": true, "I": true, "O": true, "o": true, "c": true,
	} {
		f := fs.ShorthandLookup(letter)
		if f == nil || (f.NoOptDefVal == "") != value {
			t.Errorf("-%s: %+v, want a value: %v", letter, f, value)
		}
	}
}

// The scripts are read by the shells themselves, where they are installed.
func TestCompletionSyntax(t *testing.T) {
	for shell, flag := range map[string]string{"bash": "-n", "zsh": "-n", "fish": "-n"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not installed: not tried", shell)
			continue
		}
		_, out, _ := run(t, nil, "completion", shell)
		cmd := exec.Command(path, flag, "/dev/stdin")
		cmd.Stdin = strings.NewReader(out)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, text)
		}
	}
	if _, err := exec.LookPath("bash"); err != nil {
		return
	}
	_, out, _ := run(t, nil, "completion", "bash")
	cmd := exec.Command("bash", "-c", out+"\nCOMP_WORDS=(dsync sync --dr) COMP_CWORD=2; _dsync; echo ${COMPREPLY[*]}\nCOMP_WORDS=(dsync ver) COMP_CWORD=1; _dsync; echo ${COMPREPLY[*]}")
	text, err := cmd.CombinedOutput()
	if string(text) != "--dry-run\nverify version\n" || err != nil {
		t.Errorf("bash completes %q, %v", text, err)
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{"-1fR\nmaildir:B", "-s\n\nx", "-s=\n--\n-x", "--state\n-\n--json", "-l\n30", "--=\n-é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		args := strings.Split(s, "\n")
		for _, c := range commands() {
			v := &values{}
			words, err := scan(flagSet(v, c), slices.Clone(args), c.mixed)
			if err == nil && !c.mixed && len(words) > 0 && !slices.Equal(words, args[len(args)-len(words):]) {
				t.Errorf("%q: words %q are not the end", args, words)
			}
		}
	})
}

// What stands after -s arrives as it is, in every spelling, also if it looks like
// an option.
func FuzzStatePassing(f *testing.F) {
	for _, s := range []string{"", "=", "-", "auto", "AQ==", "--json", "-f", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		spell := [][]string{{"-s", s}, {"-fs", s}, {"--state", s}, {"--state=" + s}}
		if s != "" {
			spell = append(spell, []string{"-s" + s}, []string{"-1fs" + s})
		}
		for _, args := range spell {
			v, _, words, err := parse(append(append([]string{"sync"}, args...), "maildir:B"))
			if err != nil || !v.hasState || v.state != s || len(words) != 1 || words[0] != "maildir:B" {
				t.Errorf("%q: state %q, words %q, %v", args, v.state, words, err)
			}
		}
	})
}

// A result of any length arrives whole, and its file has no name.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, size := range []int{0, 10, maxSpool, 3 * maxSpool} {
		s := &spool{}
		want := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		for chunk := range slices.Chunk(want, 100_000) {
			if _, err := s.Write(chunk); err != nil {
				t.Fatal(err)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%d: left %v, %v", size, left, err)
		}
		var out bytes.Buffer
		p := &program{stdout: &out}
		if err := p.printSpool(s); err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%d bytes: %d came out, %v", len(want), out.Len(), err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// ownLog is a change log that nobody shares, and that is not opened.
type ownLog struct {
	s   owner.Setup
	err error
}

func (l ownLog) Guests() int                                             { return 0 }
func (l ownLog) Owner(context.Context, time.Duration) (*logdb.DB, error) { return nil, l.err }
func (l ownLog) Ready(context.Context, time.Duration) error              { return l.err }
func (l ownLog) Run(ctx context.Context, r *owner.Run) *engine.Report {
	return l.s.Run(ctx, r.Options)
}
func (l ownLog) Far(context.Context, *owner.FarEnd) error { return l.err }
func (l ownLog) Close() error                             { return nil }

func shareNone(_ context.Context, s owner.Setup) changeLog { return ownLog{s, nil} }
