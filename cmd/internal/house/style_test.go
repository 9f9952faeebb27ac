package house

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

const (
	maxFile     = 500
	maxFunction = 90
)

func TestPackageComments(t *testing.T) {
	for _, p := range read(t).pkgs {
		documented, onlyTests := false, true
		for _, f := range p.files {
			if !f.test {
				onlyTests = false
				documented = documented || f.ast.Doc != nil
			}
		}
		if !onlyTests && !documented {
			t.Errorf("%s has no package comment", p.dir)
		}
	}
}

// unfinished is spelt so that it does not find itself.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

func TestNothingUnfinished(t *testing.T) {
	h := read(t)
	for _, p := range h.pkgs {
		for _, f := range p.files {
			for _, c := range f.ast.Comments {
				if m := unfinished.FindString(c.Text()); m != "" {
					t.Errorf("%s: %s", h.at(c), m)
				}
			}
		}
	}
}

func TestLengths(t *testing.T) {
	h := read(t)
	for _, p := range h.pkgs {
		for _, f := range p.files {
			if f.test || ast.IsGenerated(f.ast) {
				continue
			}
			if n := strings.Count(f.text, "\n"); n > maxFile {
				t.Errorf("%s has %d lines, at most %d", f.name, n, maxFile)
			}
			for _, d := range f.ast.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil || tabular(fn) {
					continue
				}
				n := h.fset.Position(fn.End()).Line - h.fset.Position(fn.Pos()).Line + 1
				if n > maxFunction {
					t.Errorf("%s: %s has %d lines, at most %d", h.at(fn), fn.Name.Name, n, maxFunction)
				}
			}
		}
	}
}

// tabular reports whether a function only returns one literal: a table.
func tabular(fn *ast.FuncDecl) bool {
	if len(fn.Body.List) != 1 {
		return false
	}
	ret, ok := fn.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return false
	}
	_, ok = ret.Results[0].(*ast.CompositeLit)
	return ok
}

func TestExportedComments(t *testing.T) {
	h := read(t)
	promised := h.promised()
	for _, p := range h.pkgs {
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, d := range f.ast.Decls {
				for _, n := range undocumented(d, promised) {
					t.Errorf("%s: %s has no comment", h.at(n), n.Name)
				}
			}
		}
	}
}

// obvious methods are those of well-known interfaces.
var obvious = regexp.MustCompile(`^(String|Error|Unwrap|Is|As|Read|Write|Close|Len|Less|Swap|GoString|Format|MarshalText|UnmarshalText|MarshalJSON|UnmarshalJSON|EncodeMsgpack|DecodeMsgpack)$`)

func undocumented(d ast.Decl, promised map[string]bool) (out []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		own := d.Recv == nil || receiverExported(d)
		if d.Name.IsExported() && own && d.Doc == nil && (d.Recv == nil || !obvious.MatchString(d.Name.Name) && !promised[d.Name.Name]) {
			out = append(out, d.Name)
		}
	case *ast.GenDecl:
		if d.Tok == token.IMPORT || d.Doc != nil && d.Lparen.IsValid() {
			return nil
		}
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					out = append(out, s.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						out = append(out, n)
					}
				}
			}
		}
	}
	return out
}

// promised lists the methods of interfaces: what they do stands there.
func (h *house) promised() map[string]bool {
	out := map[string]bool{}
	for _, p := range h.pkgs {
		for _, f := range p.files {
			if f.test {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if i, ok := n.(*ast.InterfaceType); ok {
					for _, m := range i.Methods.List {
						for _, name := range m.Names {
							out[name.Name] = true
						}
					}
				}
				return true
			})
		}
	}
	return out
}

func receiverExported(d *ast.FuncDecl) bool {
	x := d.Recv.List[0].Type
	for {
		switch y := x.(type) {
		case *ast.StarExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.IndexListExpr:
			x = y.X
		case *ast.Ident:
			return y.IsExported()
		default:
			return false
		}
	}
}
