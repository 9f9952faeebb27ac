package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tree is a copy of the sources; beside it stands a directory for what tests write.
type tree struct{ dir string }

const tests = ".tmp"

// copySources copies all that git would keep of a tree of sources: what begins with
// a dot is left out, and what is no file.
func copySources(root, to string) (tree, error) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case rel != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case !d.Type().IsRegular() || rel == "dsync":
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	return tree{to}, errors.Join(err, os.MkdirAll(to+tests, 0o700))
}

// mutated is the text of a file with the mutant in it.
func (m mutant) mutated(src string) (string, error) {
	if n := strings.Count(src, m.old); n != 1 {
		return "", fmt.Errorf("%s holds %d times\n%s", m.file, n, m.old)
	}
	return strings.Replace(src, m.old, m.new, 1), nil
}

func (t tree) apply(m mutant) (undo func(), err error) {
	path := filepath.Join(t.dir, m.file)
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text, err := m.mutated(string(src))
	if err != nil {
		return nil, err
	}
	return func() { os.WriteFile(path, src, 0o600) }, os.WriteFile(path, []byte(text), 0o600)
}

// verdict is what a ring made of a mutant.
type verdict string

const (
	caught   verdict = "caught"
	survived verdict = "survived"
	broken   verdict = "does not build"
	late     verdict = "out of time"
	crashed  verdict = "crashed"
)

// outcome is one ring's.
type outcome struct {
	ring
	verdict
	test string // that failed first
	says string // its first words
	took time.Duration
}

// limit is how long a ring may take for one mutant.
const limit = 10 * time.Minute

// test runs a ring.
func (t tree) test(ctx context.Context, r ring) (o outcome) {
	o.ring = r
	start := time.Now()
	defer func() { o.took = time.Since(start) }()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	args := append([]string{"test", "-json", "-failfast", "-vet=off"}, r.args...)
	cmd := exec.CommandContext(ctx, "go", append(args, r.pkg)...)
	cmd.WaitDelay = time.Second
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), "DSYNC_EXHAUSTIVE=", "DSYNC_HISTORIES=", "DSYNC_SEED=", "DSYNC_CRASH=", "DSYNC_SHARED=/nowhere", "DSYNC_REQUIRE=",
		"TMPDIR="+t.dir+tests, "DSYNC_TEST_TMP="+t.dir+tests)
	out, err := cmd.Output()
	var stopped *exec.ExitError
	switch {
	case ctx.Err() != nil:
		o.verdict = late
		return o
	case err != nil && !errors.As(err, &stopped):
		o.verdict, o.says = broken, err.Error()
		return o
	}
	var errOut []byte
	if stopped != nil {
		errOut = stopped.Stderr
	}
	o.verdict, o.test, o.says = judge(out, errOut, err == nil)
	return o
}

// event is a line of go test -json.
type event struct{ Action, Test, Output, FailedBuild string }

// judge reads the output of go test -json.
func judge(out, errOut []byte, passed bool) (v verdict, test, says string) {
	if passed {
		return survived, "", ""
	}
	said := map[string][]string{}
	var failed []string
	died := false
	var build strings.Builder
	for line := range bytes.Lines(out) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		switch {
		case e.Action == "build-output":
			build.WriteString(e.Output)
		case e.FailedBuild != "":
			return broken, "", build.String()
		case e.Action == "output":
			said[e.Test] = append(said[e.Test], e.Output)
			died = died || strings.HasPrefix(e.Output, "panic: ") || strings.HasPrefix(e.Output, "fatal error: ")
		case e.Action == "fail" && e.Test != "":
			failed = append(failed, e.Test)
		}
	}
	if died {
		return crashed, "", strings.Join(slices.Concat(said[""], nil), "")
	}
	for _, test := range failed {
		text := words(said[test])
		if !strings.Contains(text, "runtime error: ") {
			return caught, test, text
		}
	}
	if len(failed) > 0 {
		return crashed, failed[0], words(said[failed[0]])
	}
	return broken, "", build.String() + string(errOut)
}

// words are what a test said, but for go test's own lines, in short.
func words(lines []string) string {
	text := ""
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "===") && !strings.HasPrefix(l, "--- ") {
			text += l + " "
		}
	}
	return fmt.Sprintf("%.300s", text)
}
