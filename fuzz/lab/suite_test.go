package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"dsync/fuzz/dovecot"
	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
)

// suite reads all scenario files that are shipped.
func suite(t *testing.T) (out []*scenario.File) {
	t.Helper()
	names, err := filepath.Glob("../testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no scenario files: %v", err)
	}
	for _, name := range names {
		f, _, err := scenario.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// sampled says which scenarios a slow engine plays in an ordinary run: every n-th.
// DSYNC_SUITE=all plays all (make interop).
func sampled(i, n int) bool { return os.Getenv("DSYNC_SUITE") == "all" || i%n == n/2 }

// The shipped scenarios come out as they expect, on each engine, and none is skipped
// by all. What an engine cannot do skips there; the merge alone and sessions in
// memory play the whole matrix.
func TestShippedScenarios(t *testing.T) {
	files := suite(t)
	played := make(map[string]bool)
	for _, s := range []struct {
		e     engine.Engine
		every int // one scenario in so many
		need  bool
	}{
		{engine.Pure{}, 1, false}, {engine.Memory(), 1, false}, {engine.Maildir(), 1, false}, {engine.Dovecot(), 9, true},
	} {
		t.Run(s.e.Name(), func(t *testing.T) {
			defer engine.Close(s.e)
			if s.need {
				dovecot.NewT(t)
			}
			inMemory := s.e.Name() == "pure" || s.e.Name() == "memory"
			n := 0
			for _, f := range files {
				for i, sc := range f.Scenarios {
					if !sampled(i, s.every) {
						continue
					}
					r := Play(s.e, sc, Options{})
					switch {
					case r.Skipped == "" && !r.Pass, r.Skipped != "" && inMemory && filepath.Base(f.Name) == "matrix.txt":
						t.Errorf("%s:%d: %s\nagain: dsync lab run --engine %s %s", f.Name, sc.Line, r.Text(), r.Engine, f.Name)
					case r.Skipped == "":
						n++
						played[f.Name+"\x00"+sc.Name] = true
					}
				}
			}
			t.Logf("%d played", n)
			if n == 0 {
				t.Error("all were skipped")
			}
		})
	}
	for _, f := range files {
		for _, sc := range f.Scenarios {
			if !played[f.Name+"\x00"+sc.Name] && len(sc.Breaks) == 0 {
				t.Errorf("%s:%d: %q was played on no engine", f.Name, sc.Line, sc.Name)
			}
		}
	}
}

// kinds are the rows of the matrix of conflicts.md, in its order.
var kinds = []string{"AP", "CP", "MV", "EX", "F+", "F-", "KW", "RP", "CR", "RN", "DL", "SU", "US", "UV", "MD"}

// L3: every cell of the matrix has a stanza that names it.
func TestMatrixIsWhole(t *testing.T) {
	cells := map[scenario.Cell]bool{}
	for _, f := range suite(t) {
		if filepath.Base(f.Name) != "matrix.txt" {
			continue
		}
		for _, s := range f.Scenarios {
			if len(s.Cells) == 0 {
				t.Errorf("%s:%d: %q names no cell", f.Name, s.Line, s.Name)
			}
			for _, c := range s.Cells {
				if !slices.Contains(kinds, c[0]) || !slices.Contains(kinds, c[1]) {
					t.Errorf("%s:%d: no cell %v", f.Name, s.Line, c)
				}
				if slices.Index(kinds, c[0]) > slices.Index(kinds, c[1]) {
					c[0], c[1] = c[1], c[0]
				}
				cells[c] = true
			}
		}
	}
	for i, x := range kinds {
		for _, y := range kinds[i:] {
			if !cells[scenario.Cell{x, y}] {
				t.Errorf("no stanza for %s x %s", x, y)
			}
		}
	}
	if want := len(kinds) * (len(kinds) + 1) / 2; len(cells) != want {
		t.Errorf("%d cells, want %d", len(cells), want)
	}
}

// The shipped files are the same by text, JSON and text again.
func TestShippedFilesRoundTrip(t *testing.T) {
	for _, f := range suite(t) {
		text := f.Print()
		j, err := f.JSON()
		if err != nil {
			t.Fatal(err)
		}
		byJSON, err := scenario.ParseJSON(f.Name, j)
		if err != nil {
			t.Fatal(err)
		}
		again, err := scenario.Parse(f.Name, text)
		if err != nil {
			t.Fatal(err)
		}
		for by, g := range map[string]*scenario.File{"JSON": byJSON, "text": again} {
			if got := g.Print(); string(got) != string(text) {
				t.Errorf("%s: by %s it is another: %s", f.Name, by, firstDifference(string(text), string(got)))
			}
		}
	}
}

func firstDifference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-40)
	return fmt.Sprintf("%q, %q", a[from:min(len(a), i+40)], b[from:min(len(b), i+40)])
}
