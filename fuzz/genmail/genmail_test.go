package genmail

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dsync/fuzz/torture"
)

// tree describes every file below root: mode, date, size and content; of
// directories the name and mode.
func tree(t testing.TB, root string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			fmt.Fprintf(&out, "%s %v\n", rel, info.Mode())
			return nil
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&out, "%s %v %d %d %x\n", rel, info.Mode(), info.ModTime().UnixNano(), len(data), sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// firstDifference is the first line in which two trees differ.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("got  %s\nwant %s", g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

func TestSameTreeAsPython(t *testing.T) {
	program := python(t)
	shared, ok := torture.Shared()
	if !ok {
		t.Skip("skipped: no shared directory (" + torture.SharedEnv + ")")
	}
	for _, o := range []Options{
		{Messages: 1500, Mailboxes: 1, Seed: 1, Average: 4096},
		{Messages: 40, Mailboxes: 12, Seed: 3, Average: 4096},
		{Messages: 30, Mailboxes: 2, Seed: -77, Average: 200_000},
		{Messages: 60, Mailboxes: 0, Seed: 1 << 40, Average: 1},
		{Messages: 0, Mailboxes: 3, Seed: 0, Average: 50},
	} {
		t.Run(fmt.Sprintf("%d_%d_%d_%d", o.Messages, o.Mailboxes, o.Seed, o.Average), func(t *testing.T) {
			theirs := filepath.Join(t.TempDir(), "python")
			o.Root = filepath.Join(t.TempDir(), "go")
			output, err := exec.Command(program, filepath.Join(shared, "tools", "genmail.py"), theirs,
				fmt.Sprint(o.Messages), fmt.Sprint(o.Mailboxes), fmt.Sprint(o.Seed), fmt.Sprint(o.Average)).CombinedOutput()
			if err != nil {
				t.Fatalf("genmail.py: %v\n%s", err, output)
			}
			if err := Generate(o); err != nil {
				t.Fatal(err)
			}
			if got, want := tree(t, o.Root), tree(t, theirs); got != want {
				t.Errorf("genmail %+v: %s", o, firstDifference(got, want))
			}
		})
	}
}

// Recorded from genmail.py, for machines without Python.
func TestRecordedTree(t *testing.T) {
	root := filepath.Join(t.TempDir(), "mail")
	if err := Generate(Options{Root: root, Messages: 50, Mailboxes: 3, Seed: 42, Average: 4096}); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, line := range strings.Split(tree(t, root), "\n") {
		if !strings.Contains(line, " drwx") {
			files = append(files, line)
		}
	}
	got := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(files, "\n"))))
	if got != recordedTree {
		t.Errorf("tree %s, want %s; umask other than 022?", got, recordedTree)
	}
}

func TestGenerateTwiceGivesTheSame(t *testing.T) {
	o := Options{Root: filepath.Join(t.TempDir(), "mail"), Messages: 200, Mailboxes: 2, Seed: 5, Average: 1000}
	if err := Generate(o); err != nil {
		t.Fatal(err)
	}
	first := tree(t, o.Root)
	if err := Generate(o); err != nil {
		t.Fatal(err)
	}
	if second := tree(t, o.Root); first != second {
		t.Error(firstDifference(second, first))
	}
}

func TestGenerateReportsErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{
		{Root: filepath.Join(file, "x"), Messages: 1, Mailboxes: 1, Average: 100},
		{Root: t.TempDir(), Messages: 1, Mailboxes: 1, Average: 0},
		{Root: t.TempDir(), Messages: -1, Mailboxes: 1, Average: 100},
		{Root: blocked(t), Messages: 3000, Mailboxes: 1, Average: 100},
	} {
		if err := Generate(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// blocked is a root in which the first message's name is a directory.
func blocked(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := Generate(Options{Root: root, Messages: 1, Mailboxes: 1, Average: 100}); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(root, "cur", "*"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	if err := os.Remove(names[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(names[0], 0o700); err != nil {
		t.Fatal(err)
	}
	return root
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		if err := Generate(Options{Root: b.TempDir(), Messages: 5000, Mailboxes: 1, Seed: 1, Average: 4096}); err != nil {
			b.Fatal(err)
		}
	}
}
