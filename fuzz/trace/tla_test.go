package trace

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
)

// A strict reader of the part of TLA+ that modules of traces are written in: what it
// reads are definitions of constants; the rest must be tlaSpec, word for word.

// set and fields are values; tuples are []any, functions of strings are records too,
// as they are in TLA+.
type (
	set    []any
	fields = map[string]any
)

type tlaReader struct {
	text string
	pos  int
}

type tlaError string

func (r *tlaReader) fail(format string, args ...any) {
	panic(tlaError(fmt.Sprintf("at %d: ", r.pos) + fmt.Sprintf(format, args...)))
}

func (r *tlaReader) blanks() {
	for r.pos < len(r.text) {
		switch {
		case strings.ContainsRune(" \n", rune(r.text[r.pos])):
			r.pos++
		case strings.HasPrefix(r.text[r.pos:], "(*"):
			end := strings.Index(r.text[r.pos:], "*)")
			if end < 0 {
				r.fail("a comment does not end")
			}
			r.pos += end + 2
		default:
			return
		}
	}
}

func (r *tlaReader) has(s string) bool {
	r.blanks()
	if strings.HasPrefix(r.text[r.pos:], s) {
		r.pos += len(s)
		return true
	}
	return false
}

func (r *tlaReader) want(s string) {
	if !r.has(s) {
		r.fail("want %q, have %.30q", s, r.text[r.pos:])
	}
}

func (r *tlaReader) word() string {
	r.blanks()
	i := r.pos
	for r.pos < len(r.text) && (r.text[r.pos] == '_' || r.text[r.pos] >= '0' && r.text[r.pos] <= '9' || r.text[r.pos]|0x20 >= 'a' && r.text[r.pos]|0x20 <= 'z') {
		r.pos++
	}
	if !ModuleName(r.text[i:r.pos]) && !slices.Contains(reserved, r.text[i:r.pos]) {
		r.fail("%q is no identifier", r.text[i:r.pos])
	}
	return r.text[i:r.pos]
}

func (r *tlaReader) list(end string, item func()) {
	if r.has(end) {
		return
	}
	for item(); !r.has(end); item() {
		r.want(",")
	}
}

func (r *tlaReader) expression() any {
	r.blanks()
	switch {
	case r.has("<<"):
		out := []any{}
		r.list(">>", func() { out = append(out, r.expression()) })
		return out
	case r.has("{"):
		out := set{}
		r.list("}", func() { out = append(out, r.expression()) })
		return out
	case r.has("["):
		out := fields{}
		r.list("]", func() {
			key := r.word()
			r.want("|->")
			if _, twice := out[key]; twice || slices.Contains(reserved, key) {
				r.fail("field %s", key)
			}
			out[key] = r.expression()
		})
		return out
	case r.has("("):
		out := fields{}
		for {
			key, ok := r.expression().(string)
			if !ok {
				r.fail("want a string")
			}
			r.want(":>")
			out[key] = r.expression()
			if r.has(")") {
				return out
			}
			r.want("@@")
		}
	case r.has(`"`):
		return r.quoted()
	case r.has("TRUE"):
		return true
	case r.has("FALSE"):
		return false
	}
	i := r.pos
	r.has("-")
	for r.pos < len(r.text) && r.text[r.pos] >= '0' && r.text[r.pos] <= '9' {
		r.pos++
	}
	n, err := strconv.ParseInt(r.text[i:r.pos], 10, 32)
	if err != nil {
		r.fail("no expression: %.30q", r.text[i:])
	}
	return int(n)
}

// quoted reads a string and what {U+XXXX} stands for in it.
func (r *tlaReader) quoted() string {
	var w strings.Builder
	for ; r.pos < len(r.text); r.pos++ {
		switch c := r.text[r.pos]; {
		case c == '"':
			r.pos++
			return w.String()
		case c == '\\':
			r.pos++
			if !strings.ContainsRune(`"\`, rune(r.text[r.pos])) {
				r.fail("escape")
			}
			w.WriteByte(r.text[r.pos])
		case c == '{':
			code, _, ok := strings.Cut(r.text[r.pos+1:], "}")
			n, err := strconv.ParseUint(strings.TrimPrefix(code, "U+"), 16, 32)
			if !ok || err != nil {
				r.fail("code %q", code)
			}
			w.WriteRune(rune(n))
			r.pos += len(code) + 1
		case c < ' ' || c > '~':
			r.fail("byte %x in a string", c)
		default:
			w.WriteByte(c)
		}
	}
	r.fail("a string does not end")
	return ""
}

// readModule gives the constants that a module defines.
func readModule(text string) (defs fields, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("%v", e)
			if _, own := e.(tlaError); !own {
				panic(e)
			}
		}
	}()
	head, rest, _ := strings.Cut(text, "\n")
	words := strings.Fields(head)
	if len(words) != 4 || strings.Trim(words[0], "-") != "" || len(words[0]) < 4 || words[1] != "MODULE" || !ModuleName(words[2]) || words[3] != words[0] {
		return nil, fmt.Errorf("head %q", head)
	}
	body, tail, ok := strings.Cut(rest, strings.TrimPrefix(tlaSpec, "\n>>"))
	if end := strings.TrimRight(tail, "\n"); !ok || strings.Trim(end, "=") != "" || len(end) < 4 {
		return nil, fmt.Errorf("the end is not as it should be")
	}
	r := &tlaReader{text: body}
	r.want("EXTENDS Integers, Sequences, TLC")
	defs = fields{}
	for {
		if r.blanks(); r.pos == len(r.text) {
			return defs, nil
		}
		name := r.word()
		r.want("==")
		if _, twice := defs[name]; twice {
			r.fail("%s is defined twice", name)
		}
		defs[name] = r.expression()
	}
}

// What the module says is what the trace says: stepping through it as its Next does
// shows every replica's mailboxes as the events do.
func TestTLA(t *testing.T) {
	for _, s := range histories(t) {
		tr := record(t, engine.Pure{}, s)
		text, err := tr.TLA("Some_Trace1")
		if err != nil {
			t.Fatal(err)
		}
		defs, err := readModule(string(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if defs["Scenario"] != s.Name || defs["Engine"] != "pure" || len(defs["Replicas"].(set)) != len(s.Replicas) {
			t.Fatalf("%s", text)
		}
		shown, trace := defs["Shown"].([]any), defs["Trace"].([]any)
		if len(trace) != len(tr.Events) {
			t.Fatalf("%d events, want %d", len(trace), len(tr.Events))
		}
		now := map[string][]string{}
		for i := range tr.Events {
			e, x := &tr.Events[i], trace[i].(fields)
			if x["step"] != e.Step || x["ms"] != int(e.Time/1e6) || e.Do != nil && (x["do"] != firstLine(e.Do.String()) || x["verb"] != string(e.Do.Verb)) {
				t.Fatalf("event %d: %v", i, x)
			}
			for _, r := range s.Replicas {
				if l := e.Shows[r]; l != nil {
					now[r] = nil
					for _, b := range l.Mailboxes {
						row := string(b.Name)
						for _, m := range b.Messages {
							row += fmt.Sprintf(" %d:%s%d", m.UID, m.Name, len(m.Flags))
						}
						now[r] = append(now[r], row)
					}
					for _, n := range l.Subscribed {
						if !slices.ContainsFunc(l.Mailboxes, func(b scenario.Mailbox) bool { return b.Name == n }) {
							now[r] = append(now[r], string(n))
						}
					}
					slices.Sort(now[r])
				}
				var got []string
				for _, b := range shown[x["shown"].(fields)[r].(int)-1].([]any) {
					b := b.(fields)
					row := b["name"].(string)
					for _, m := range b["messages"].([]any) {
						m := m.(fields)
						row += fmt.Sprintf(" %d:%s%d", m["uid"], m["name"], len(m["flags"].(set)))
					}
					got = append(got, row)
				}
				slices.Sort(got)
				if !reflect.DeepEqual(got, now[r]) {
					t.Fatalf("event %d at %s: module %q, trace %q", i, r, got, now[r])
				}
			}
		}
	}
}

func TestModuleNames(t *testing.T) {
	for name, ok := range map[string]bool{"A": true, "A_1": true, "1a": true, "12": false, "": false, "LET": false, "A-b": false, "WF_x": false, "Trace": false} {
		if ModuleName(name) != ok {
			t.Errorf("%q can name a module: %v", name, !ok)
		}
	}
	for _, s := range []string{"", "12", "let", "AP x AP: rule 1", "é", strings.Repeat("long ", 40)} {
		if n := ModuleOf(s); !ModuleName(n) {
			t.Errorf("%q becomes %q", s, n)
		}
	}
	if got := tlaString("a\"b\\ {é\x01"); got != `"a\"b\\ {U+007B}{U+00E9}{U+0001}"` {
		t.Error(got)
	}
}
