package house

import (
	"os"
	"slices"
	"strings"
	"testing"
)

var topLevel = []string{
	"cmd", "changelog", "replay", "merge", "store", "fuzz", "go.mod", "go.sum", "Makefile", "README.md", "DESIGN.md",
}

// made is what make and the bench put there; .gitignore has the same.
func made(name string) bool {
	return name == "dsync" || strings.HasPrefix(name, "bench-") && strings.HasSuffix(name, ".json")
}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(read(t).root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !made(e.Name()) && !slices.Contains(topLevel, e.Name()) {
			t.Errorf("%s does not belong to the top level", e.Name())
		}
	}
}

// layer says what a package may import of this module, besides what is below
// itself: the first entry that holds its directory counts.
type layer struct {
	dir  string
	may  []string // directories
	tree bool     // may import what is under these, too
}

var layers = []layer{
	{"store/storetest", []string{"store", "store/memory"}, false},
	{"store/memory", []string{"store"}, false},
	{"store/maildir", []string{"store"}, false},
	{"store/mbox", []string{"store"}, false},
	{"store/imap", []string{"store"}, false},
	{"store", nil, false},
	{"changelog/pack", nil, false},
	{"changelog/logdb", []string{"store", "changelog", "changelog/pack"}, false},
	{"changelog/recorder", []string{"store", "changelog", "changelog/logdb"}, false},
	{"changelog", []string{"store"}, false},
	{"merge", []string{"store", "changelog"}, false},
	{"replay/session", []string{"store", "changelog", "merge", "replay"}, true},
	{"replay/wire", []string{"store", "changelog/pack"}, false},
	{"replay", []string{"store", "changelog", "merge"}, true},
	{"fuzz", []string{"store", "changelog", "merge", "replay", "cmd"}, true},
	{"cmd", []string{"store", "changelog", "merge", "replay", "fuzz"}, true},
}

func (l *layer) allows(dir string) bool {
	if under(dir, l.dir) {
		return true
	}
	for _, m := range l.may {
		if dir == m || l.tree && under(dir, m) {
			return true
		}
	}
	return false
}

// A package without layer is an error, too: the table is the house.
func TestImports(t *testing.T) {
	for _, p := range read(t).pkgs {
		i := slices.IndexFunc(layers, func(l layer) bool { return under(p.dir, l.dir) })
		if i < 0 {
			t.Errorf("%s has no place in the house", p.dir)
			continue
		}
		for _, f := range p.files {
			ours, others := imports(f)
			for _, dir := range ours {
				if !layers[i].allows(dir) && !f.test {
					t.Errorf("%s imports %s: %s may import %s only", f.name, dir, layers[i].dir, strings.Join(layers[i].may, ", "))
				}
				if under(dir, "fuzz") && !f.test && !under(p.dir, "cmd") && !under(p.dir, "fuzz") {
					t.Errorf("%s imports %s: only tests and cmd may", f.name, dir)
				}
			}
			for _, path := range others {
				if strings.Contains(path, "cockroachdb/pebble") && !under(p.dir, "changelog/logdb") && !f.test {
					t.Errorf("%s imports %s: logdb is its one importer", f.name, path)
				}
			}
		}
	}
}
