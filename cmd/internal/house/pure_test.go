package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

var pureDirs = []string{"store", "changelog", "merge"}

// impureImports cannot be used in a pure package at all.
var impureImports = []string{
	"os", "net", "sync", "syscall", "math/rand", "math/rand/v2", "crypto/rand", "io/ioutil", "os/exec", "os/user", "path/filepath",
	"runtime", "unsafe", "log", "log/slog", "testing", "golang.org/x/sys/unix",
}

// impureCalls are functions of packages that are otherwise welcome.
var impureCalls = map[string][]string{
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"},
	"maps": {"Keys", "Values", "All"}, // unless sorted at once
	"fmt":  {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
}

// judged are ranges over maps that were read and found to be the same in any
// order, for a reason that the syntax does not show.
var judged = map[string]string{
	"changelog/layout.go level":  "each slot's path is its own, and its children are laid out by themselves",
	"merge/content.go tellApart": "GUIDs have no group in common; decisions are sorted at the end",
	"merge/nodes.go mergeTree":   "Tree.Hold keeps a sorted set",
	"merge/oneway.go oneWayTree": "Tree.Hold keeps a sorted set",
}

func TestPure(t *testing.T) {
	h := read(t)
	checked := map[string]*types.Package{}
	for _, dir := range pureDirs {
		for _, p := range h.pkgs {
			if p.dir == dir {
				h.pure(t, p, checked)
			}
		}
	}
}

func (h *house) pure(t *testing.T, p *pkg, checked map[string]*types.Package) {
	info := h.types(p, checked)
	for _, f := range p.files {
		if f.test {
			continue
		}
		_, others := imports(f)
		for _, path := range others {
			if slices.Contains(impureImports, path) || strings.HasPrefix(path, "net/") {
				t.Errorf("%s imports %s: %s is pure", f.name, path, p.dir)
			}
		}
		for _, finding := range h.impurities(f, info) {
			t.Error(finding)
		}
	}
}

// types gives the types of a package as far as its own sources and those of pure
// packages tell; what comes from elsewhere is unknown.
func (h *house) types(p *pkg, checked map[string]*types.Package) *types.Info {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{
		Error: func(error) {},
		Importer: importer(func(path string) (*types.Package, error) {
			if q := checked[path]; q != nil {
				return q, nil
			}
			return nil, fmt.Errorf("%s is not looked into", path)
		}),
	}
	var files []*ast.File
	for _, f := range p.files {
		if !f.test {
			files = append(files, f.ast)
		}
	}
	checked[module+"/"+p.dir], _ = conf.Check(module+"/"+p.dir, h.fset, files, info)
	return info
}

type importer func(string) (*types.Package, error)

func (i importer) Import(path string) (*types.Package, error) { return i(path) }

// impurities lists what in a file hangs on more than its input.
func (h *house) impurities(f *source, info *types.Info) (out []string) {
	lines := strings.Split(f.text, "\n")
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		sorts := sortCalls(fn)
		var stack []ast.Node
		ast.Inspect(fn, func(n ast.Node) bool {
			if n == nil {
				stack = stack[:len(stack)-1]
				return true
			}
			why := ""
			switch n := n.(type) {
			case *ast.GoStmt:
				why = "starts a goroutine"
			case *ast.SelectStmt:
				why = "selects: the choice is random"
			case *ast.SelectorExpr:
				if name, bad := impureCall(n); bad && !sortedAtOnce(stack) && !laterSorted(sorts, n) {
					why = "uses " + name
				}
			case *ast.RangeStmt:
				if isMap(info, n.X) && judged[f.name+" "+fn.Name.Name] == "" && !harmless(n) && !laterSorted(sorts, n) && !marked(lines, h.fset.Position(n.Pos()).Line) {
					why = "ranges over a map: sort, or say \"any order\" and why"
				}
			}
			if why != "" {
				out = append(out, h.at(n)+": "+why)
			}
			stack = append(stack, n)
			return true
		})
	}
	return out
}

func impureCall(n *ast.SelectorExpr) (string, bool) {
	x, ok := n.X.(*ast.Ident)
	if !ok || !slices.Contains(impureCalls[x.Name], n.Sel.Name) {
		return "", false
	}
	return x.Name + "." + n.Sel.Name, true
}

func isMap(info *types.Info, x ast.Expr) bool {
	tv, ok := info.Types[x]
	if !ok || tv.Type == nil {
		return false
	}
	_, is := tv.Type.Underlying().(*types.Map)
	return is
}

// sortedAtOnce reports whether an iterator goes straight into slices.Sorted… or a
// function that takes no order from it.
func sortedAtOnce(stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 0 && i >= len(stack)-3; i-- {
		call, ok := stack[i].(*ast.CallExpr)
		if !ok {
			continue
		}
		if s, ok := call.Fun.(*ast.SelectorExpr); ok && (strings.HasPrefix(s.Sel.Name, "Sorted") || s.Sel.Name == "Insert" || s.Sel.Name == "Collect" && isIdent(s.X, "maps")) {
			return true
		}
	}
	return false
}

func isIdent(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}

// sortCalls lists where a function sorts something.
func sortCalls(fn *ast.FuncDecl) (out []token.Pos) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			name := ""
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				name = f.Sel.Name
			case *ast.Ident:
				name = f.Name
			}
			if strings.HasPrefix(strings.ToLower(name), "sort") {
				out = append(out, call.Pos())
			}
		}
		return true
	})
	return out
}

func laterSorted(sorts []token.Pos, n ast.Node) bool {
	return slices.ContainsFunc(sorts, func(p token.Pos) bool { return p > n.End() })
}

func marked(lines []string, line int) bool {
	for l := line - 2; l < line; l++ {
		if l >= 0 && strings.Contains(lines[l], "any order") {
			return true
		}
	}
	return false
}

// harmless reports whether the body's result is the same in any order.
func harmless(n *ast.RangeStmt) bool {
	if n.Key == nil || isIdent(n.Key, "_") && (n.Value == nil || isIdent(n.Value, "_")) {
		return true
	}
	return harmlessBlock(n.Body)
}

func harmlessBlock(b *ast.BlockStmt) bool {
	return !slices.ContainsFunc(b.List, func(s ast.Stmt) bool { return !harmlessStmt(s) })
}

func harmlessStmt(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.AssignStmt:
		return harmlessAssign(s)
	case *ast.IncDecStmt:
		return true
	case *ast.BranchStmt:
		return s.Tok == token.CONTINUE
	case *ast.BlockStmt:
		return harmlessBlock(s)
	case *ast.IfStmt:
		return (s.Init == nil || harmlessStmt(s.Init)) && harmlessBlock(s.Body) && (s.Else == nil || harmlessStmt(s.Else))
	case *ast.RangeStmt:
		return harmlessBlock(s.Body)
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		return ok && isIdent(call.Fun, "delete")
	case *ast.ReturnStmt:
		return !slices.ContainsFunc(s.Results, func(x ast.Expr) bool {
			_, literal := x.(*ast.BasicLit)
			return !literal && !isIdent(x, "true") && !isIdent(x, "false") && !isIdent(x, "nil")
		})
	}
	return false
}

// harmlessAssign: into a map, a new name, a sum, or the larger or smaller of two.
func harmlessAssign(s *ast.AssignStmt) bool {
	switch s.Tok {
	case token.DEFINE, token.ADD_ASSIGN, token.OR_ASSIGN, token.AND_ASSIGN, token.XOR_ASSIGN, token.SUB_ASSIGN:
		return true
	}
	for i, l := range s.Lhs {
		if _, ok := l.(*ast.IndexExpr); ok || isIdent(l, "_") {
			continue
		}
		if i >= len(s.Rhs) {
			return false
		}
		call, ok := s.Rhs[i].(*ast.CallExpr)
		extreme := ok && (isIdent(call.Fun, "max") || isIdent(call.Fun, "min"))
		if !extreme && !isIdent(s.Rhs[i], "true") && !isIdent(s.Rhs[i], "false") {
			return false
		}
	}
	return true
}

// The check has teeth: each of these is found, and the harmless are not.
func TestPureTeeth(t *testing.T) {
	const text = `package p
import ("time"; "maps"; "slices"; "fmt")
type s map[string]int
func bad1() { _ = time.Now() }
func bad2() { go bad1() }
func bad3(m s) (out []string) { for k := range m { out = append(out, k) }; return out }
func bad4(m s) string { for k := range m { return k }; return "" }
func bad5(m s) { for k := range maps.Keys(m) { use(k) } }
func bad6(m struct{ in map[int]s }) { for _, x := range m.in { for k := range x { use(k) } } }
func bad7() { select {} }
func bad8(m s) { fmt.Println(m) }
func bad9(m s) (best string) { for k := range m { best = k }; return best }
func good1(m s) (n int) { for _, v := range m { n += v }; return n }
func good2(m s) (out []string) { for k := range m { out = append(out, k) }; slices.Sort(out); return out }
func good3(m s) bool { for _, v := range m { if v == 0 { return true } }; return false }
func good4(m s) []string { return slices.Sorted(maps.Keys(m)) }
func good5(m, to s) { for k, v := range m { to[k] = v; delete(m, k) } }
func good6(m s) {
	for k := range m { // any order: use is commutative
		use(k)
	}
}
func good7(l []string) { for _, k := range l { use(k) } }
func use(string) {}
`
	h := &house{fset: token.NewFileSet()}
	file, err := parser.ParseFile(h.fset, "p.go", text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	p := &pkg{dir: "p", files: []*source{{"p.go", text, false, file}}}
	found := map[string]bool{}
	for _, f := range h.impurities(p.files[0], h.types(p, map[string]*types.Package{})) {
		line := strings.Split(f, ":")[1]
		for i, l := range strings.Split(text, "\n") {
			if fmt.Sprint(i+1) == line {
				found[strings.TrimPrefix(strings.Split(l, "(")[0], "func ")] = true
			}
		}
	}
	for i := 1; i <= 9; i++ {
		if name := fmt.Sprintf("bad%d", i); !found[name] {
			t.Errorf("%s is not found", name)
		}
		delete(found, fmt.Sprintf("bad%d", i))
	}
	if len(found) > 0 {
		t.Errorf("harmless, but found: %v", found)
	}
}
