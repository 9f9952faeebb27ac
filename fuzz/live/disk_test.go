package live

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"dsync/changelog/logdb"
	"dsync/fuzz/pure"
)

// tmpRoot is where Maildirs are made: in memory if there is such a place, every
// tenth on disk.
func tmpRoot(t *testing.T, n uint64) string {
	t.Helper()
	base := os.Getenv("DSYNC_TEST_TMP")
	if base == "" {
		if i, err := os.Stat("/dev/shm"); err == nil && i.IsDir() {
			base = "/dev/shm"
		}
	}
	if n%10 == 9 || base == "" {
		base = os.TempDir()
	}
	dir, err := os.MkdirTemp(base, "dsync-live-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// diskKind is a kind of worlds of Maildirs.
type diskKind struct {
	kind    pure.Kind
	mode    Mode
	fs      bool // the second replica has LAYOUT=fs
	collide bool
	damage  bool
}

func (k diskKind) world(seed uint64, db *logdb.DB, dir string) (*world, error) {
	w := newWorld(seed, k.mode, db)
	w.real = true
	for i := range k.kind.Replicas {
		a, err := newDiskAccount(filepath.Join(dir, fmt.Sprint("r", i)), k.fs && i == 1)
		if err != nil {
			return nil, err
		}
		w.add(a)
	}
	return w, nil
}

func (k diskKind) generate(seed uint64) []Op {
	rng := rand.New(rand.NewPCG(seed, 277))
	ops := k.kind.Generate(rng)
	if !k.collide {
		ops = unique(ops)
	}
	if k.damage {
		ops = damage(ops, rng)
	}
	return ops
}

func (k diskKind) run(t *testing.T, n int) {
	t.Helper()
	log := &logs{}
	defer log.close()
	count := uint64(0)
	attempt := func(seed uint64) func([]Op) error {
		return func(ops []Op) error {
			count++
			dir := tmpRoot(t, count)
			defer os.RemoveAll(dir)
			db, err := log.get(seed)
			if err != nil {
				t.Fatal(err)
			}
			w, err := k.world(seed, db, dir)
			if err != nil {
				t.Fatal(err)
			}
			return try(w, ops)
		}
	}
	if *histFlag != "" {
		if err := attempt(uint64(*seedFlag))(mustParse(*histFlag)); err != nil {
			t.Fatal(err)
		}
		return
	}
	from, to := uint64(1), uint64(histories(n))
	if *seedFlag != 0 {
		from, to = uint64(*seedFlag), uint64(*seedFlag)
	}
	for s := from; s <= to; s++ {
		ops := k.generate(s)
		if err := attempt(s)(ops); err != nil {
			log.alone = true
			small := shrink(ops, attempt(s))
			t.Fatalf("repeat with: go test ./fuzz/live -run '%s$' -seed %d\nhistory: %s\n%v\nfirst: %v", t.Name(), s, text(small), attempt(s)(small), err)
		}
	}
}

// E2: the laws hold on Maildirs that are changed by plain file operations, in all
// modes of a run.
func TestMaildir(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		name string
		k    diskKind
		n    int
	}{
		{"default", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Fast}, 40},
		{"full", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Full}, 24},
		{"state", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: State}, 24},
		{"state-alt", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Turns}, 24},
		{"auto", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Auto}, 24},
		{"collide", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Mixed, collide: true}, 24},
		{"fs", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Mixed, fs: true}, 24},
		{"damage", diskKind{kind: pure.Kind{Replicas: 2, Ops: 16}, mode: Mixed, damage: true}, 24},
		{"tree", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14, Tree: true}, mode: Mixed, fs: true}, 24},
		{"three", diskKind{kind: pure.Kind{Replicas: 3, Ops: 18}, mode: Mixed, fs: true}, 16},
		{"direct", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14, Direct: true}, mode: Mixed}, 16},
		{"parts", diskKind{kind: pure.Kind{Replicas: 3, Ops: 18, Parts: true, Direct: true}, mode: Mixed}, 16},
		{"restored", diskKind{kind: pure.Kind{Replicas: 3, Ops: 18, Logs: 2}, mode: Mixed}, 16},
		{"logs", diskKind{kind: pure.Kind{Replicas: 3, Ops: 18, Logs: 1}, mode: Mixed}, 16},
	} {
		t.Run(k.name, func(t *testing.T) { k.k.run(t, k.n) })
	}
}
