package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// The text of each mutant is found exactly once, and its package, with the mutant in
// it, has no error of types; no two mutants have one name.
func TestTable(t *testing.T) {
	c := newCompiler(t)
	names := map[string]bool{}
	for _, m := range table() {
		if names[m.name] {
			t.Errorf("two mutants are called %q", m.name)
		}
		names[m.name] = true
		src, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := m.mutated(string(src))
		if err == nil && text == string(src) {
			err = errors.New("it changes nothing")
		}
		if err == nil {
			err = c.check(m.file, text)
		}
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	if len(names) < 25 {
		t.Errorf("%d mutants, want 25 at least", len(names))
	}
	t.Logf("%d mutants", len(names))
}

// compiler type-checks packages by what the build cache has of those they import.
type compiler struct {
	fset *token.FileSet
	imp  types.Importer
}

func newCompiler(t *testing.T) *compiler {
	t.Helper()
	dirs := map[string]bool{}
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	for _, m := range table() {
		if d := "./" + path.Dir(m.file); !dirs[d] {
			dirs[d] = true
			args = append(args, d)
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		pkg, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[pkg] = file
	}
	c := &compiler{fset: token.NewFileSet()}
	c.imp = importer.ForCompiler(c.fset, "gc", func(pkg string) (io.ReadCloser, error) { return os.Open(files[pkg]) })
	return c
}

// check compiles the package of a file that has another text.
func (c *compiler) check(file, text string) error {
	dir := path.Dir(file)
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		return err
	}
	var files []*ast.File
	for _, n := range names {
		if strings.HasSuffix(n, "_test.go") || strings.HasSuffix(n, "_other.go") {
			continue
		}
		var src any
		if filepath.Base(n) == path.Base(file) {
			src = text
		}
		f, err := parser.ParseFile(c.fset, n, src, 0)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	var errs []error
	conf := types.Config{Importer: c.imp, Error: func(err error) { errs = append(errs, err) }}
	if _, err := conf.Check("dsync/"+dir, c.fset, files, nil); err != nil && len(errs) == 0 {
		return err
	}
	return errors.Join(errs...)
}

// What counts as caught: a failing assertion, and nothing else.
func TestJudge(t *testing.T) {
	line := func(action, test, output string) string {
		return fmt.Sprintf("{\"Action\":%q,\"Test\":%q,\"Output\":%q}\n", action, test, output)
	}
	for name, c := range map[string]struct {
		out    string
		passed bool
		want   verdict
	}{
		"passed":        {line("pass", "", ""), true, survived},
		"an assertion":  {line("output", "TestA", "    a_test.go:1: P6: lost\n") + line("fail", "TestA", ""), false, caught},
		"a law's panic": {line("output", "TestA", "    a_test.go:1: panic: a tag of no dot\n") + line("fail", "TestA", ""), false, caught},
		"fell over":     {line("output", "TestA", "    a_test.go:1: panic: runtime error: nil\n") + line("fail", "TestA", ""), false, crashed},
		"died":          {line("output", "TestA", "panic: ouch\n") + line("fail", "TestA", ""), false, crashed},
		"no time":       {line("output", "TestA", "panic: test timed out after 10m0s\n") + line("fail", "TestA", ""), false, crashed},
		"no build":      {`{"Action":"build-output","Output":"x.go:1: y"}` + "\n" + `{"Action":"fail","FailedBuild":"x"}` + "\n", false, broken},
		"no tests":      {line("fail", "", ""), false, broken},
	} {
		if got, _, _ := judge([]byte(c.out), nil, c.passed); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
