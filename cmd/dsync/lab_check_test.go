package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dsync/cmd/internal/engine"
)

// labTest runs "dsync lab test" and gives what it prints and its exit status.
func labTest(ctx context.Context, args ...string) (stdout, stderr string, exit int) {
	var out, errs bytes.Buffer
	p := &program{stdout: &out, env: func(string) string { return "" }, uid: 1000, homeOf: systemHome, msg: messages{w: &errs},
		now: func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }}
	exit = p.main(ctx, append([]string{"lab", "test"}, args...))
	return out.String(), errs.String(), exit
}

// A policy under which the left side always wins breaks P7; the line at the end finds
// it again.
func Example_labTest() {
	out, _, exit := labTest(context.Background(), "--policy", "left-wins", "--law", "P7", "--seed", "2")
	fmt.Print(out, "exit ", exit)
	// Output:
	// P7 broken at sync B A: old of a was cleared, and is not any more
	// scenario "seed 2"
	//   seed 2
	//   A: deliver a to INBOX
	//   A: flag a in INBOX +old
	//   level
	//   A: flag a in INBOX -old
	//   sync B A
	// repeat with: dsync lab test --engine memory --policy left-wins --law P7 --seed 2 --count 1
	//
	// memory: 1 scenarios, 1 findings
	// cells of the matrix hit: 3 of 120; there were too few scenarios for all
	// exit 2
}

// What --write keeps is played by lab run: it fails under the policy that it was found
// with, and passes with another.
func TestLabTestWrites(t *testing.T) {
	dir := t.TempDir()
	out, _, exit := labTest(context.Background(), "--policy", "left-wins", "--law", "P7", "--seed", "2", "--write", dir+"/new")
	path := filepath.Join(dir, "new", "memory-p7-2.txt")
	if exit != engine.ExitAgain || !strings.HasSuffix(out, "written: "+path+"\n") {
		t.Fatalf("exit %d\n%s", exit, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  date 2026-11-25\n", "  law P7\n", "  seed 2\n", "  found memory\n", "  note repeat with: dsync lab test "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for policy, want := range map[string]int{"left-wins": engine.ExitAgain, "safe": engine.ExitOK} {
		var stdout, stderr bytes.Buffer
		p := &program{stdout: &stdout, env: func(string) string { return "" }, uid: 1000, homeOf: systemHome, msg: messages{w: &stderr}, now: time.Now}
		if exit := p.main(context.Background(), []string{"lab", "run", "--engine", "memory", "--policy", policy, path}); exit != want {
			t.Errorf("%s: exit %d, want %d\n%s%s", policy, exit, want, &stdout, &stderr)
		}
	}
}

func TestLabTestUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--replicas 9", "want a number from 2 to 5"},
		{"--changes x", "want a number from 1 to 8"},
		{"--ops AP,XX", `unknown kind of change "XX"; known are AP, CP`},
		{"--runs both", `unknown kind of run "both"; known are oneway, backup`},
		{"--modes slow", `unknown mode "slow"`},
		{"--engine none", `unknown engine "none"`},
		{"--engine memory,pure", "lab test takes one --engine"},
		{"--engine-cmd true", "%a and %b (or %A and %B)"},
		{"--policy safe,union", "lab test takes one --policy"},
		{"--known", "it needs --write"},
		{"--seed -1", "want a number from 0"},
		{"--count 0", "want a number from 1"},
		{"file.txt", "one word too many"},
	} {
		out, errs, exit := labTest(context.Background(), strings.Fields(c.args)...)
		if exit != engine.ExitUsage || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit %d\n%s%s", c.args, exit, out, errs)
		}
	}
}

// An interrupted search prints what it found, and the seed to go on with.
func TestLabTestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out, _, exit := labTest(ctx, "--engine", "pure", "--seed", "7")
	if exit != engine.ExitTemp || !strings.Contains(out, "stopped; go on with --seed 7\n") {
		t.Errorf("exit %d\n%s", exit, out)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "lab", "test", "--engine", "pure", "--minutes", "5", "--json")
	cmd.Env = append(os.Environ(), "DSYNC_TEST_ENGINE=good")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if exit := cmd.ProcessState.ExitCode(); exit != engine.ExitTemp || !strings.Contains(stdout.String(), `"stopped":true`) {
		t.Errorf("exit %d\n%s", exit, &stdout)
	}
}
