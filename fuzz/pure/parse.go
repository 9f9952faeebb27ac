package pure

import (
	"fmt"
	"strconv"
	"strings"

	"dsync/store"
)

// Parse reads a history as History prints it, and the shorthand of
// shared/design/tree.md:
//
//	0:cr A,B     several mailboxes at once
//	0:ap A       a content that nobody else delivers (x1, x2, … by position)
//	0:ex A       the first message of A; A#1 the second, A#g1 the one of content g1
//	0=1 -m A     0=1 -t     0=1 -1     0=1 backup     0=1 half
//	0,1:f+F A#g0 at several replicas
//
// Operations are parted by semicolons or line ends.
func Parse(s string) ([]Op, error) {
	var out []Op
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == '\n' }) {
		f = strings.TrimSpace(f)
		if f == "" {
			continue
		}
		ops, err := parseOne(f, len(out))
		if err != nil {
			return nil, fmt.Errorf("operation %q: %w", f, err)
		}
		out = append(out, ops...)
	}
	return out, nil
}

func parseOne(f string, at int) ([]Op, error) {
	if f == string(Tick) {
		return []Op{{Verb: Tick}}, nil
	}
	i := strings.IndexAny(f, ":=")
	if i < 0 {
		return nil, fmt.Errorf("want R:verb or R=R")
	}
	rest := strings.Fields(f[i+1:])
	if len(rest) == 0 {
		return nil, fmt.Errorf("nothing after %q", f[:i+1])
	}
	if f[i] == '=' {
		o, err := parseRun(f[:i], rest)
		return []Op{o}, err
	}
	var out []Op
	for _, r := range strings.Split(f[:i], ",") {
		n, err := strconv.Atoi(r)
		if err != nil {
			return nil, err
		}
		ops, err := parseClient(Op{R: n}, rest, at)
		if err != nil {
			return nil, err
		}
		out = append(out, ops...)
	}
	return out, nil
}

var runVerbs = map[string]Verb{"": SyncWhole, "-m": SyncBox, "-t": SyncSince, "-1": OneWay, "syncm": SyncBox, "synct": SyncSince,
	"oneway": OneWay, "backup": Backup, "half": Half, "partly": Partly, "limit": Limited}

func parseRun(left string, rest []string) (o Op, err error) {
	if o.R, err = strconv.Atoi(left); err != nil {
		return o, err
	}
	if o.Peer, err = strconv.Atoi(rest[0]); err != nil {
		return o, err
	}
	word, arg := "", ""
	if len(rest) > 1 {
		word = rest[1]
	}
	if len(rest) > 2 {
		arg = rest[2]
	}
	v, ok := runVerbs[word]
	if !ok || len(rest) > 3 {
		return o, fmt.Errorf("unknown kind of run %q", strings.Join(rest[1:], " "))
	}
	o.Verb = v
	if v == Partly || v == Limited {
		o.Arg = arg
	} else {
		o.Path = store.Name(arg)
	}
	return o, nil
}

func parseClient(o Op, rest []string, at int) ([]Op, error) {
	verb, arg := rest[0], ""
	if len(verb) > 2 && strings.Contains("f+ f- k+ k-", verb[:2]) {
		verb, arg = verb[:2], verb[2:]
	}
	o.Verb, o.Arg = Verb(verb), arg
	target := ""
	if len(rest) > 1 {
		target = rest[1]
	}
	switch o.Verb {
	case Copy, Move, RenameBox:
		from, to, ok := strings.Cut(target, ">")
		if !ok {
			return nil, fmt.Errorf("want FROM>TO")
		}
		target, o.Path2 = from, store.Name(to)
	case Expunge, Flag, Unflag, Keyword, Unkeyword, CreateBox, DeleteBox, Subscribe, Unsubscribe, RaiseNext:
	case Append, SetAttr, ResetUIDs, Skew:
		if len(rest) > 2 {
			o.Arg = rest[2]
		}
		if o.Verb == Skew {
			o.Arg, target = target, ""
		}
	case Clone, Twin:
		n, err := strconv.Atoi(target)
		o.Peer = n
		return []Op{o}, err
	case LostLog, Save, Restore, Again, Trim:
		return []Op{o}, nil
	default:
		return nil, fmt.Errorf("unknown verb %q", verb)
	}
	var out []Op
	for i, p := range strings.Split(target, ",") {
		x := o
		if x.Verb == Append && x.Arg == "" {
			x.Arg = fmt.Sprintf("x%d", at+i)
		}
		if j := strings.IndexByte(p, '#'); j >= 0 {
			if n, err := strconv.Atoi(p[j+1:]); err == nil {
				x.N = n
			} else {
				x.Msg = p[j+1:]
			}
			p = p[:j]
		}
		x.Path = store.Name(p)
		out = append(out, x)
	}
	return out, nil
}

// MustParse is Parse for histories that stand in a test.
func MustParse(s string) []Op {
	ops, err := Parse(s)
	if err != nil {
		panic(fmt.Sprintf("history %q: %v", s, err))
	}
	return ops
}
