package live

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"dsync/changelog/logdb"
	"dsync/fuzz/dovecot"
	"dsync/fuzz/pure"
)

// E3: Dovecot makes the changes, and reads the results.
func TestDovecot(t *testing.T) {
	t.Parallel() // it waits for a server much of its time, as Maildirs do for the disk
	d := dovecot.NewT(t)
	for _, k := range []struct {
		name  string
		k     diskKind
		index bool // index files are lost
		n     int
	}{
		{"default", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Fast}, false, 30},
		{"mixed", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Mixed, fs: true}, false, 30},
		{"collide", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Mixed, collide: true}, false, 15},
		{"tree", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14, Tree: true}, mode: Mixed, fs: true}, false, 15},
		{"index", diskKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Mixed}, true, 10},
	} {
		t.Run(k.name, func(t *testing.T) { k.k.dovecot(t, d, k.index, k.n) })
	}
}

func (k diskKind) dovecotWorld(seed uint64, d *dovecot.Dovecot, db *logdb.DB, dir string) (*world, error) {
	w := newWorld(seed, k.mode, db)
	w.real = true
	for i := range k.kind.Replicas {
		a, err := newDovecotAccount(d, filepath.Join(dir, fmt.Sprint("r", i)), k.fs && i == 1)
		if err != nil {
			return nil, err
		}
		w.add(a)
	}
	return w, nil
}

func (k diskKind) dovecot(t *testing.T, d *dovecot.Dovecot, index bool, n int) {
	log := &logs{}
	defer log.close()
	attempt := func(seed uint64) func([]Op) error {
		return func(ops []Op) error {
			dir := tmpRoot(t, seed)
			defer os.RemoveAll(dir)
			db, err := log.get(seed)
			if err != nil {
				t.Fatal(err)
			}
			w, err := k.dovecotWorld(seed, d, db, dir)
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
		rng := rand.New(rand.NewPCG(s, 377))
		ops := k.kind.Generate(rng)
		if !k.collide {
			ops = unique(ops)
		}
		for i := range ops {
			if index && ops[i].Verb == pure.SetAttr {
				ops[i].Verb, ops[i].Arg = NoIndex, ""
			}
		}
		if err := attempt(s)(ops); err != nil {
			log.alone = true
			small := shrink(ops, attempt(s))
			t.Fatalf("repeat with: go test ./fuzz/live -run '%s$' -seed %d\nhistory: %s\n%v\nfirst: %v", t.Name(), s, text(small), attempt(s)(small), err)
		}
	}
}
