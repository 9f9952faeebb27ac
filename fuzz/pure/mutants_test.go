package pure

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The harness has teeth (E10): each mutant is a fault in a copy of the sources that
// these tests must catch, by a failing assertion.
var mutants = []struct {
	name, file, old, new string
}{
	{"the earlier stamp wins", "changelog/message.go", "	if c := w.Stamp.Compare(o.Stamp); c != 0 {\n		return c\n	}", "	if c := w.Stamp.Compare(o.Stamp); c != 0 {\n		return -c\n	}"},
	{"no tie-break", "changelog/message.go", "	return w.Dot.Compare(o.Dot)\n}\n\n// Presence", "	return 0\n}\n\n// Presence"},
	{"no tie-break by value", "changelog/message.go", "	if byValue != 0 {\n		return byValue\n	}\n", ""},
	{"dots are forgotten", "merge/after.go", "	return enter.Minus(&r.seen[s]), hold", "	return changelog.Dots{}, hold"},
	{"a dot enters before its effect", "merge/after.go", "			if failed(id) {", "			if false && failed(id) {"},
	{"held back dots enter", "merge/after.go", "	return in.Minus(&held)\n", "	_ = held\n	return in\n"},
	{"dots enter that the other side has not seen", "merge/after.go", "	enter = enter.Minus(&beyond)\n", "	_ = beyond\n"},
	{"a lost tombstone", "merge/merge.go", "				after.add(g.out, g.side[s])\n", "				if g.out.Live() {\n					after.add(g.out, g.side[s])\n				}\n"},
	{"union instead of keep", "merge/writes.go", "		if lacks || !seen.Has(dot(w)) {", "		if true || lacks || !seen.Has(dot(w)) {"},
	{"what was seen is kept by nobody", "merge/writes.go", "		case c == 0:\n			out, a, b = append(out, a[0]), a[1:], b[1:]", "		case c == 0 && !seenA.Has(dot(a[0])):\n			out, a, b = append(out, a[0]), a[1:], b[1:]\n		case c == 0:\n			a, b = a[1:], b[1:]"},
	{"< for <=", "merge/uids.go", "at[s] != u && u < st.next[s]", "at[s] != u && u+1 < st.next[s]"},
	{"UIDNEXT of one side", "merge/uids.go", "	next := max(st.next[0], st.next[1])\n", "	next := st.next[0]\n"},
	{"a UIDVALIDITY used again", "merge/uids.go", "	if m.shownForAnother(slot.Path, st.uv, n) ||", "	if false && m.shownForAnother(slot.Path, st.uv, n) ||"},
	{"no links", "merge/link.go", "	if !m.bothApart() {\n		return\n	}\n	sides", "	if true {\n		return\n	}\n	sides"},
	{"no generations", "changelog/tree.go", "	return top + 1\n", "	return 1\n"},
	{"a delivery replaces the creation", "changelog/node.go", "return p.Delivery })\n	n.Presence = append", "return true })\n	n.Presence = append"},
	{"cycles are not looked for", "changelog/layout.go", "			if q == n {\n				b.out", "			if q == n {\n				panic(\"cycle\")\n				b.out"},
	{"the other side's place does not count", "merge/filter.go", "	for s := range g.side {\n		for _, x := range g.side[s] {\n			if !check(x) {", "	for s := range g.side {\n		for _, x := range g.side[s] {\n			if s == 0 && !check(x) {"},
	{"any clear wins", "merge/policy.go", "	return p.Flag[bits.TrailingZeros8(uint8(f))]\n", "	if x := p.Flag[bits.TrailingZeros8(uint8(f))]; x == AnySet {\n		return AnyClear\n	} else {\n		return x\n	}\n"},
	{"left wins", "merge/policies.go", "flagPicks(AnySet, AnyClear, store.Deleted|store.Draft)}\n	Dovecot", "flagPicks(LeftSide, 0, 0)}\n	Dovecot"},
	{"one-way carries moves", "merge/oneway.go", "		one.out = x.Clone()\n", "		one.out = x.Clone()\n		if len(g.side[src]) > 0 && x.Live() && g.side[src][0].Live() {\n			one.out.Presence = g.side[src][0].Presence\n		}\n"},
	{"backup leaves extra mail", "merge/mirror.go", "		if g.out.Live() {\n			g.out.Expunge", "		if false && g.out.Live() {\n			g.out.Expunge"},
	{"an overridden flag is not reported", "merge/decide.go", "		if now := shown&f != 0; changed[0] && was[0] != now", "		if now := shown&f != 0; f == store.Seen {\n		} else if changed[0] && was[0] != now"},
	{"one GUID for two contents", "merge/content.go", "			g.out.Content.GUID = Derived(c)\n", ""},
}

func TestMutants(t *testing.T) {
	if os.Getenv("DSYNC_MUTANTS") == "" {
		t.Skip("set DSYNC_MUTANTS=1: it builds and runs a copy of the sources for each mutant")
	}
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(here), "..", "..")
	tmp := t.TempDir()
	for _, d := range []string{"changelog", "changelog/pack", "merge", "store", "fuzz/pure"} {
		copyGo(t, filepath.Join(root, d), filepath.Join(tmp, d))
	}
	for _, f := range []string{"go.mod", "go.sum"} {
		copyFile(t, filepath.Join(root, f), filepath.Join(tmp, f))
	}
	if out, err := tryMutant(tmp); err != nil {
		t.Fatalf("without a mutant the tests fail: %v\n%s", err, out)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			path := filepath.Join(tmp, m.file)
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(src), m.old); n != 1 {
				t.Fatalf("%s holds %d times\n%s", m.file, n, m.old)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(src), m.old, m.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			defer os.WriteFile(path, src, 0o600)
			start := time.Now()
			out, err := tryMutant(tmp)
			switch {
			case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
				t.Fatalf("does not build:\n%s", out)
			case err == nil:
				t.Errorf("not caught in %v", time.Since(start).Round(time.Millisecond))
			default:
				t.Logf("caught in %v: %s", time.Since(start).Round(time.Millisecond), firstFailure(out))
			}
		})
	}
}

// tryMutant runs the tests of the copy with a small budget.
func tryMutant(dir string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-short", "-failfast", "-vet=off", "./fuzz/pure")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DSYNC_MUTANTS=", "DSYNC_HISTORIES=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func firstFailure(out string) string {
	for _, l := range strings.Split(out, "\n") {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "--- FAIL") || strings.HasPrefix(l, "panic:") {
			return l
		}
	}
	return fmt.Sprintf("%.200s", out)
}

func copyGo(t *testing.T, from, to string) {
	t.Helper()
	es, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		name := e.Name()
		if e.IsDir() || !strings.HasSuffix(name, ".go") || name == "mutants_test.go" ||
			strings.HasSuffix(name, "_test.go") && !strings.HasSuffix(from, "pure") {
			continue
		}
		copyFile(t, filepath.Join(from, name), filepath.Join(to, name))
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
