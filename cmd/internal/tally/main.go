// Command tally runs "go test" with the arguments given to it, shows what go test
// shows, and ends with one line that counts what passed, failed and was skipped,
// with the reasons, so that a ring that did not run is not taken for one that
// passed. Its exit status is go test's.
//
//	tally -p 2 -timeout 280s ./...
//
// The lines of packages without test files are left out; what tests print is
// shown of those that fail.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	c := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	c.Stderr = stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		fmt.Fprintln(stderr, "tally:", err)
		return 1
	}
	t := newTally(stdout)
	readErr := t.read(out)
	err = c.Wait()
	fmt.Fprintln(stdout, t.last())
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	case err != nil || readErr != nil:
		fmt.Fprintln(stderr, "tally:", errors.Join(err, readErr))
		return 1
	case t.failed > 0:
		return 1
	}
	return 0
}

// event is one line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

type tally struct {
	w                       io.Writer
	passed, failed, skipped int
	said                    map[string][]string // package and test -> what it printed
	why                     map[string]int      // reason of a skip -> tests
}

func newTally(w io.Writer) *tally {
	return &tally{w: w, said: map[string][]string{}, why: map[string]int{}}
}

// maxSaid bounds what is kept of one test.
const maxSaid = 2000

func (t *tally) read(r io.Reader) error {
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				t.w.Write(line)
			} else {
				t.take(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		if e.Test == "" {
			t.line(e.Output)
		} else if len(t.said[key]) < maxSaid {
			t.said[key] = append(t.said[key], e.Output)
		}
		return
	case "skip":
		if e.Test != "" {
			t.skipped++
			t.why[reason(t.said[key])]++
		}
	case "fail":
		if e.Test != "" {
			t.failed++
			io.WriteString(t.w, strings.Join(t.said[key], ""))
		}
	case "pass":
		if e.Test != "" {
			t.passed++
		}
	default:
		return
	}
	delete(t.said, key)
}

// line shows a line of a package, but for those that say nothing.
func (t *tally) line(s string) {
	if s == "PASS\n" || strings.Contains(s, "[no test files]") {
		return
	}
	io.WriteString(t.w, s)
}

// reason is what a skipped test said last, without file and line.
func reason(said []string) string {
	for _, s := range slices.Backward(said) {
		s = strings.TrimSpace(s)
		if s == "" || strings.HasPrefix(s, "---") || strings.HasPrefix(s, "===") {
			continue
		}
		if _, rest, ok := strings.Cut(s, ".go:"); ok {
			_, s, _ = strings.Cut(rest, ": ")
		}
		return strings.TrimPrefix(s, "skipped: ")
	}
	return "no reason given"
}

// last is the closing line.
func (t *tally) last() string {
	out := fmt.Sprintf("%d tests passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
	var whys []string
	for why, n := range t.why {
		whys = append(whys, fmt.Sprintf("%d × %s", n, why))
	}
	slices.Sort(whys)
	if len(whys) > 0 {
		out += ": " + strings.Join(whys, "; ")
	}
	return out
}
