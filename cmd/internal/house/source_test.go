package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "dsync"

// pkg is one directory of Go files.
type pkg struct {
	dir   string // from the root, "/" between levels
	files []*source
}

type source struct {
	name string // from the root
	text string
	test bool
	ast  *ast.File
}

type house struct {
	root string
	fset *token.FileSet
	pkgs []*pkg
}

// read parses every Go file of the repository.
func read(t *testing.T) *house {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for !isFile(filepath.Join(root, "go.mod")) {
		if root == filepath.Dir(root) {
			t.Fatal("no go.mod above this directory")
		}
		root = filepath.Dir(root)
	}
	h := &house{root: root, fset: token.NewFileSet()}
	byDir := map[string]*pkg{}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		name := e.Name()
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata"):
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(h.fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(rel))
		if byDir[dir] == nil {
			byDir[dir] = &pkg{dir: dir}
			h.pkgs = append(h.pkgs, byDir[dir])
		}
		byDir[dir].files = append(byDir[dir].files, &source{rel, string(text), strings.HasSuffix(name, "_test.go"), file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// at gives file and line of a node.
func (h *house) at(n ast.Node) string { return h.fset.Position(n.Pos()).String() }

// under reports whether the directory is root or below it.
func under(dir, root string) bool { return dir == root || strings.HasPrefix(dir, root+"/") }

// imports lists what a file imports of this module, as directories, and of others.
func imports(f *source) (ours, others []string) {
	for _, i := range f.ast.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		if rest, ok := strings.CutPrefix(path, module+"/"); ok {
			ours = append(ours, rest)
		} else {
			others = append(others, path)
		}
	}
	slices.Sort(ours)
	return ours, others
}
