// Package tomlfile reads a TOML file as a list of keys with their values and where
// they stand, for files whose every key is known and checked by name: policies,
// configurations.
//
// # Contract
//
//   - Read takes any bytes. What is no TOML, or defines a key twice, is an *Error
//     with line and column.
//   - Values are strings, integers, booleans, and lists of these; floats, dates and
//     tables inside a list are an *Error, since nothing here has a use for them.
//   - Entries come in the order of the file, a table's header too (Table set), so
//     that an empty table of an unknown name is found.
package tomlfile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// MaxFile is the largest file that is read, in bytes.
const MaxFile = 256 << 10

// Pos is a place in a file; both count from 1, columns in bytes.
type Pos struct{ Line, Column int }

// Error says what is wrong with a file, and where.
type Error struct {
	File string
	Pos
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Entry is one key with its value.
type Entry struct {
	Path  []string // table and key
	Value any      // string, int64, bool or []any of these; nil for a table's header
	Table bool
	At    Pos // of the key
	Of    Pos // of the value
}

// Name is the path as one writes it.
func (e *Entry) Name() string {
	var parts []string
	for _, p := range e.Path {
		if strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" || p == "" {
			p = strconv.Quote(p)
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, ".")
}

// File is what was read.
type File struct {
	Name    string
	Entries []Entry
}

// Errorf is an error at a place of the file.
func (f *File) Errorf(at Pos, format string, args ...any) error {
	return &Error{f.Name, at, fmt.Errorf(format, args...)}
}

// Read reads the file of that name, which holds data.
func Read(name string, data []byte) (*File, error) {
	f := &File{Name: name}
	if len(data) > MaxFile {
		return nil, f.Errorf(Pos{1, 1}, "%d bytes; at most %d are read", len(data), MaxFile)
	}
	r := &reader{f: f, data: data, lines: linesOf(data), seen: map[string]Pos{}, tables: map[string]Pos{}}
	if i := invalid(data); i >= 0 {
		return nil, f.Errorf(r.place(i), "a byte that is no UTF-8")
	}
	r.p.Reset(data)
	for r.p.NextExpression() {
		if err := r.expression(r.p.Expression()); err != nil {
			return nil, err
		}
	}
	if err := r.p.Error(); err != nil {
		return nil, r.broken(err)
	}
	var all map[string]any
	if err := toml.Unmarshal(data, &all); err != nil {
		at, de := Pos{1, 1}, (*toml.DecodeError)(nil)
		if errors.As(err, &de) {
			at.Line, at.Column = de.Position()
		}
		return nil, f.Errorf(at, "%s", strings.TrimPrefix(err.Error(), "toml: "))
	}
	return f, nil
}

func invalid(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// lines are the offsets at which the lines of a file begin.
type lines []int

func linesOf(data []byte) lines {
	out := lines{0}
	for i, c := range data {
		if c == '\n' {
			out = append(out, i+1)
		}
	}
	return out
}

// place gives line and column of an offset.
func (l lines) place(off int) Pos {
	i, ok := slices.BinarySearch(l, off)
	if !ok {
		i--
	}
	return Pos{i + 1, off - l[i] + 1}
}

// reader is one file being read.
type reader struct {
	f    *File
	data []byte
	lines
	p      unstable.Parser
	table  []string
	seen   map[string]Pos // keys
	tables map[string]Pos
}

// broken is an error of the parser.
func (r *reader) broken(err error) error {
	at, pe := Pos{1, 1}, (*unstable.ParserError)(nil)
	if errors.As(err, &pe) {
		at = r.place(len(r.data))
		if len(pe.Highlight) > 0 {
			at = r.place(int(r.p.Range(pe.Highlight).Offset))
		}
	}
	return r.f.Errorf(at, "%s", strings.TrimPrefix(err.Error(), "toml: "))
}

func (r *reader) expression(n *unstable.Node) error {
	switch n.Kind {
	case unstable.Comment:
		return nil
	case unstable.ArrayTable:
		_, at := r.key(n)
		return r.f.Errorf(at, "lists of tables ([[…]]) mean nothing here")
	case unstable.Table:
		path, at := r.key(n)
		r.table = path
		id := strings.Join(path, "\x00")
		if old, ok := r.tables[id]; ok {
			return r.f.Errorf(at, "the table stands in line %d already", old.Line)
		}
		r.tables[id] = at
		r.f.Entries = append(r.f.Entries, Entry{Path: path, Table: true, At: at, Of: at})
		return nil
	}
	return r.keyValue(r.table, n)
}

// key gives the key of a table or of a key with its value.
func (r *reader) key(n *unstable.Node) (path []string, at Pos) {
	at = Pos{1, 1}
	for it := n.Key(); it.Next(); {
		k := it.Node()
		if len(path) == 0 {
			at = r.place(int(k.Raw.Offset))
		}
		path = append(path, string(k.Data))
	}
	return path, at
}

func (r *reader) keyValue(table []string, n *unstable.Node) error {
	key, at := r.key(n)
	path := append(append([]string{}, table...), key...)
	v := n.Value()
	if v.Kind == unstable.InlineTable {
		for it := v.Children(); it.Next(); {
			if err := r.keyValue(path, it.Node()); err != nil {
				return err
			}
		}
		return nil
	}
	id := strings.Join(path, "\x00")
	if old, ok := r.seen[id]; ok {
		return r.f.Errorf(at, "the key stands in line %d already", old.Line)
	}
	r.seen[id] = at
	of := at
	if v.Raw.Length > 0 {
		of = r.place(int(v.Raw.Offset))
	}
	value, err := r.value(v, of)
	if err != nil {
		return err
	}
	r.f.Entries = append(r.f.Entries, Entry{Path: path, Value: value, At: at, Of: of})
	return nil
}

func (r *reader) value(v *unstable.Node, at Pos) (any, error) {
	switch v.Kind {
	case unstable.String:
		return string(v.Data), nil
	case unstable.Bool:
		return string(v.Data) == "true", nil
	case unstable.Integer:
		n, err := strconv.ParseInt(strings.ReplaceAll(string(v.Data), "_", ""), 0, 64)
		if err != nil {
			return nil, r.f.Errorf(at, "%s is out of range", v.Data)
		}
		return n, nil
	case unstable.Array:
		list := []any{}
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.Comment {
				continue
			}
			x, err := r.value(it.Node(), at)
			if err != nil {
				return nil, err
			}
			list = append(list, x)
		}
		return list, nil
	}
	return nil, r.f.Errorf(at, "want a string, an integer, true or false, found %s", strings.ToLower(v.Kind.String()))
}
