package logdb

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"dsync/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A sorted is a map in order, whatever was set and removed, and one that was edited
// stays as it was.
func TestSorted(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 3))
		want, e := map[string]string{}, edit{}
		universe := 1 + rng.IntN(4000)
		key := func() []byte { return fmt.Appendf(nil, "%05d", rng.IntN(universe)) }
		for range 20 {
			old, before := e.root, maps.Clone(want)
			e.made++
			for range rng.IntN(400) {
				switch k := key(); rng.IntN(40) {
				case 0:
					hi := fmt.Appendf(nil, "%05d", rng.IntN(universe))
					e.removeRange(k, hi)
					maps.DeleteFunc(want, func(w, _ string) bool { return w >= string(k) && w < string(hi) })
				case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12:
					e.remove(k)
					delete(want, string(k))
				default:
					v := fmt.Appendf(nil, "%d", rng.Uint32())
					e.set(k, v)
					want[string(k)] = string(v)
				}
			}
			if err := errors.Join(sameSorted(old, before, key), sameSorted(e.root, want, key)); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

// sameSorted compares a sorted with a map: whole, and by seeks within bounds.
func sameSorted(s *sorted, want map[string]string, key func() []byte) error {
	keys := slices.Sorted(maps.Keys(want))
	w := walk{root: s}
	i := 0
	for ok := w.First(); ok; ok = w.Next() {
		v, _ := w.ValueAndErr()
		if i == len(keys) || string(w.Key()) != keys[i] || string(v) != want[keys[i]] {
			return fmt.Errorf("key %d is %s", i, w.Key())
		}
		i++
	}
	if i != len(keys) {
		return fmt.Errorf("%d keys, want %d", i, len(keys))
	}
	for range 20 {
		lo, hi, k := key(), key(), key()
		if bytes.Compare(lo, hi) > 0 {
			lo, hi = hi, lo
		}
		v, ok := s.get(k)
		if text, has := want[string(k)]; has != ok || text != string(v) {
			return fmt.Errorf("%s is %q, %v", k, v, ok)
		}
		w := walk{root: s, lower: lo, upper: hi}
		in := keys[lowest(keys, lo):lowest(keys, hi)]
		at := lowest(in, k)
		for what, got := range map[string]struct {
			ok bool
			i  int
		}{"first": {w.First(), 0}, "last": {w.Last(), len(in) - 1}, "ge": {w.SeekGE(k), at}, "lt": {w.SeekLT(k), at - 1}} {
			if has := got.i >= 0 && got.i < len(in); has != got.ok {
				return fmt.Errorf("%s of %s in %s-%s: %v", what, k, lo, hi, got.ok)
			}
		}
		if w.SeekLT(k); at > 0 && (string(w.Key()) != in[at-1] || w.Next() != (at < len(in))) {
			return fmt.Errorf("below %s in %s-%s, and on", k, lo, hi)
		}
		if w.SeekGE(k) && string(w.Key()) != in[at] || w.First() && string(w.Key()) != in[0] || w.Last() && string(w.Key()) != in[len(in)-1] {
			return fmt.Errorf("seeks to %s in %s-%s", k, lo, hi)
		}
	}
	return nil
}

func lowest(keys []string, k []byte) int {
	i, _ := slices.BinarySearch(keys, string(k))
	return i
}

// A Disk has one database at a time, keeps what was closed, and is not there for a
// reader before somebody wrote.
func TestDiskOpen(t *testing.T) {
	k := new(Disk)
	if _, err := Open("log", Options{Disk: k, ReadOnly: true}); !errors.Is(err, store.ErrGone) {
		t.Errorf("an empty disk: %v, want ErrGone", err)
	}
	d := openMem(t, Options{Disk: k})
	if _, err := Open("log", Options{Disk: k}); !errors.Is(err, store.ErrBusy) {
		t.Errorf("a second open: %v, want ErrBusy", err)
	}
	fill(t, newAccount(t, d, 7), 0, 50, 50)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openMem(t, Options{Disk: k, ReadOnly: true})
	a, err := d.Account(7)
	if err != nil {
		t.Fatal(err)
	}
	mustClean(t, a)
	b := a.Batch()
	b.PutIntent(Intent{Kind: 1})
	if err := b.Commit(true); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("commit: %v, want ErrReadOnly", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// A step that the watcher fails ends the database; what was written before is
// there, a batch whose sync failed may be, and one not written is not. Clone, Crash
// and the disk itself agree.
func TestDiskFailsAtEveryStep(t *testing.T) {
	steps := scripted()[:12]
	states := unharmedStates(t, steps)
	struck := 0
	for at := uint64(1); ; at++ {
		c := newCrasher(at)
		c.disk = new(Disk)
		failed := false
		c.disk.Watch(func(s DiskStep) error {
			if s.N == at {
				failed = true
				return errDisk
			}
			return nil
		})
		err := c.run(t, Options{Disk: c.disk}, 5, steps)
		if !failed {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		struck++
		if !errors.Is(err, ErrDead) || !errors.Is(err, errDisk) {
			t.Fatalf("step %d: %v, want ErrDead and why", at, err)
		}
		c.states = states
		for _, d := range []*Disk{c.disk.Clone(), c.disk.Crash(nil), c.disk.Crash(c.rng), c.disk.Crash(c.rng)} {
			i := image{op: fmt.Sprint("step ", at), on: Options{Disk: d}, synced: c.synced.Load(), started: c.started.Load()}
			if err := c.judge(t, i); err != nil {
				t.Error(err)
			}
		}
	}
	if struck < 2*len(steps) {
		t.Errorf("only %d steps failed", struck)
	}
}

// The database on a Disk is dead after a failed step, and gives the disk back.
func TestDeadDiskRefuses(t *testing.T) {
	k := new(Disk)
	told := error(nil)
	d := openMem(t, Options{Disk: k, Fatal: func(err error) { told = err }})
	a := newAccount(t, d, 7)
	k.Watch(func(DiskStep) error { return errDisk })
	b := a.Batch()
	b.PutIntent(Intent{Kind: 1})
	if err := b.Commit(true); !errors.Is(err, ErrDead) || !errors.Is(told, errDisk) {
		t.Fatalf("commit: %v; Fatal was told %v", err, told)
	}
	b = a.Batch()
	b.PutIntent(Intent{Kind: 1})
	_, err := a.Intents()
	for _, err := range []error{b.Commit(false), err, d.Close()} {
		if !errors.Is(err, ErrDead) {
			t.Errorf("%v, want ErrDead", err)
		}
	}
	k.Watch(nil)
	if err := openMem(t, Options{Disk: k}).Close(); err != nil {
		t.Error(err)
	}
}

// BenchmarkWorld is a world's log: opened, one account made, ten batches, closed.
func BenchmarkWorld(b *testing.B) {
	for name, fresh := range map[string]func() Options{
		"disk": func() Options { return Options{Disk: new(Disk)} }, "pebble": func() Options { return Options{FS: vfs.NewMem()} },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			start := cpuTime()
			for b.Loop() {
				d := openMem(b, fresh())
				fill(b, newAccount(b, d, 7), 0, 20, 2)
				d.Close()
			}
			b.ReportMetric(1e6*(cpuTime()-start).Seconds()/float64(b.N), "cpu-us/op")
		})
	}
}

// BenchmarkDiskAppend is BenchmarkAppend's smaller case on a Disk.
func BenchmarkDiskAppend(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		d := openMem(b, Options{Disk: new(Disk)})
		fill(b, newAccount(b, d, 7), 0, 20000, 500)
		d.Close()
	}
	b.ReportMetric(20000*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// A durable commit of nothing makes what was committed before it durable.
func TestEmptyCommitSyncs(t *testing.T) {
	k := new(Disk)
	d := openMem(t, Options{Disk: k})
	defer d.Close()
	a := newAccount(t, d, 7)
	for range 2 {
		b := a.Batch()
		b.PutIntent(Intent{Kind: 1})
		if err := errors.Join(b.Commit(false), a.Batch().Commit(true)); err != nil {
			t.Fatal(err)
		}
		if n := k.Unsynced(); n != 0 {
			t.Errorf("%d batches are at risk", n)
		}
	}
}

// P2: a state that is kept already is not written again.
func TestSameStateIsNotWritten(t *testing.T) {
	var k Disk
	d, err := Open("states", Options{Disk: &k})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	steps := 0
	k.Watch(func(DiskStep) error { steps++; return nil })
	for _, c := range []struct {
		state  string
		writes bool
	}{{"", false}, {"one", true}, {"one", false}, {"two", true}, {"", true}, {"", false}} {
		before := steps
		if err := d.PutPairState(1, 2, c.state); err != nil {
			t.Fatal(err)
		}
		if got, err := d.PairState(2, 1); err != nil || got != c.state {
			t.Errorf("%q, %v; want %q", got, err, c.state)
		}
		if wrote := steps > before; wrote != c.writes {
			t.Errorf("state %q: written %v, want %v", c.state, wrote, c.writes)
		}
	}
}
