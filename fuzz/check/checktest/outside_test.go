package checktest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// outside is a test of another module: a store that is broken (a message that moves
// loses its keywords), in no more than thirty lines.
const outside = `package outside

import (
	"context"
	"testing"

	"dsync/fuzz/check/checktest"
	"dsync/store"
	"dsync/store/memory"
)

// broken is a mail store that forgets keywords when a message moves.
type broken struct{ store.Store }

func (b broken) Apply(ctx context.Context, n store.Name, c *store.Change) (*store.Result, error) {
	for i := range c.In {
		c.In[i].Keywords = nil
	}
	return b.Store.Apply(ctx, n, c)
}

func TestStore(t *testing.T) {
	checktest.Store(t, func(dir string) (store.Store, error) {
		return broken{memory.New(memory.Options{Name: dir})}, nil
	})
}
`

// A second module, outside of the tree, checks a broken store: what is wrong is
// found, made small and printed, and the line that it prints finds it again (L5).
func TestAnotherModule(t *testing.T) {
	if n := strings.Count(outside, "\n"); n > 30 {
		t.Errorf("the test has %d lines, thirty are promised", n)
	}
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(here), "..", "..", "..")
	dir := t.TempDir()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	_, requires, _ := strings.Cut(string(mod), "\n")
	for name, text := range map[string]string{
		"go.mod":     "module outside\n" + requires + "\nrequire dsync v0.0.0\n\nreplace dsync => " + root + "\n",
		"go.sum":     string(sum),
		"my_test.go": outside,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept := filepath.Join(dir, "kept")
	build := exec.Command("go", "test", "-c", "-vet=off", "-o", "my.test", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	first := runTest(t, dir, "DSYNC_CHECK_WRITE="+kept)
	small := scenarioIn.FindString(first)
	for _, want := range []string{"--- FAIL: TestStore", "P0 broken", "A: move a from", "+old"} {
		if !strings.Contains(first, want) {
			t.Fatalf("no %q in:\n%s", want, first)
		}
	}
	if n := strings.Count(small, "\n"); small == "" || n > 12 {
		t.Errorf("the scenario has %d lines:\n%s", n, first)
	}
	seed := regexp.MustCompile(`repeat with: (DSYNC_SEED=\d+) (DSYNC_COUNT=1) `).FindStringSubmatch(first)
	if seed == nil {
		t.Fatalf("no line that repeats it:\n%s", first)
	}
	if again := scenarioIn.FindString(runTest(t, dir, seed[1], seed[2])); again != small {
		t.Errorf("%s found\n%s\nfirst it was\n%s", seed[1], again, small)
	}
	if files, _ := filepath.Glob(filepath.Join(kept, "*.txt")); len(files) != 1 {
		t.Errorf("kept: %v", files)
	}
}

var scenarioIn = regexp.MustCompile(`(?s)scenario "seed.*?\n +repeat`)

// runTest runs the test of the other module; it must fail.
func runTest(t *testing.T, dir string, env ...string) string {
	t.Helper()
	cmd := exec.Command("./my.test")
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "DSYNC_SEED=", "DSYNC_COUNT="), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err == nil {
		t.Fatalf("a broken store passes:\n%s", &out)
	}
	return out.String()
}
