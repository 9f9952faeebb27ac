package mutate

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dsync/fuzz/genmail"
	"dsync/fuzz/torture"
)

// mailbox makes a Maildir with a few names that genmail does not make.
func mailbox(t *testing.T, messages int) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "mail")
	if err := genmail.Generate(genmail.Options{Root: root, Messages: messages, Mailboxes: 1, Seed: 11, Average: 500}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"1600000000.M1P1.host,U=5,FMD5=0:2,", "1600000001.M1P1.host", "1600000002.M1P1.host:2,TSSF",
		"1600000003.M1P1.\xff:2,S", "1600000003.M1P1.é:2,S", "1600000003.M1P1.\U0001F600:2,F", "1600000003.M1P1.\uf8ff:2,", ".hidden",
	} {
		if err := os.WriteFile(filepath.Join(root, "cur", name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// files lists cur, new and tmp with modes and hashes; dates are not part of
// it, as new messages have the date of the call.
func files(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	for _, d := range []string{"cur", "new", "tmp"} {
		entries, err := os.ReadDir(filepath.Join(root, d))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(root, d, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprintf("%s/%s %v %x", d, e.Name(), e.Type(), sha256.Sum256(data)))
		}
	}
	return out
}

func TestSameAsPython(t *testing.T) {
	program, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("skipped: python3 is not installed")
	}
	shared, ok := torture.Shared()
	if !ok {
		t.Skip("skipped: no shared directory (" + torture.SharedEnv + ")")
	}
	for _, o := range []Options{
		{Flag: 100, New: 20, Delete: 100, Seed: 1}, // from a pool
		{Flag: 5, New: 3, Delete: 5, Seed: 2},      // from a set
		{Flag: 307, New: 0, Delete: 0, Seed: -3},   // every message
		{Flag: 0, New: 2, Delete: 0, Seed: 4},
	} {
		t.Run(fmt.Sprintf("%d_%d_%d_%d", o.Flag, o.New, o.Delete, o.Seed), func(t *testing.T) {
			o.Maildir = mailbox(t, 300)
			theirs := mailbox(t, 300)
			cmd := exec.Command(program, filepath.Join(shared, "tools", "mutate.py"), theirs,
				fmt.Sprint(o.Flag), fmt.Sprint(o.New), fmt.Sprint(o.Delete), fmt.Sprint(o.Seed))
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("mutate.py: %v\n%s", err, output)
			}
			if err := Mutate(o); err != nil {
				t.Fatal(err)
			}
			if got, want := files(t, o.Maildir), files(t, theirs); !slices.Equal(got, want) {
				t.Errorf("mutate %+v:\ngot\n%s\nwant\n%s", o, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestMutateCounts(t *testing.T) {
	root := mailbox(t, 50)
	before := files(t, root)
	if err := Mutate(Options{Maildir: root, Flag: 10, New: 7, Delete: 5, Seed: 6}); err != nil {
		t.Fatal(err)
	}
	after := files(t, root)
	kept := 0
	for _, f := range after {
		if slices.Contains(before, f) {
			kept++
		}
	}
	if len(after) != len(before)+7-5 || kept != len(before)-10-5 {
		t.Errorf("%d files before, %d after, %d unchanged", len(before), len(after), kept)
	}
}

func TestToggleFlagged(t *testing.T) {
	for in, want := range map[string]string{
		"a:2,": "a:2,F", "a:2,F": "a:2,", "a:2,SR": "a:2,FRS", "a": "a:2,F", "a:2,SFS": "a:2,S", "a:2,FF": "a:2,",
	} {
		if got := toggleFlagged(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestMutateReportsErrors(t *testing.T) {
	root := mailbox(t, 10)
	noNew := mailbox(t, 10)
	if err := os.Remove(filepath.Join(noNew, "new")); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{
		{Maildir: filepath.Join(root, "missing")},
		{Maildir: root, Flag: 10, Delete: 10},
		{Maildir: root, Flag: -1},
		{Maildir: noNew, New: 1},
	} {
		if err := Mutate(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}
