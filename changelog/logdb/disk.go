package logdb

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"dsync/store"
)

// Disk is a disk in memory that holds one database, for Options.Disk: of tests and
// the laboratory, which open thousands a second. A database on it keeps the
// contract of one on Pebble, and is a function of what is done to it: it has no
// goroutine, clock, chance, or order of a map. The zero value is an empty disk.
//
// What a database wrote stays when it is closed, and is there for the next to open.
// One at a time has the disk; others get store.ErrBusy at once, whatever they say of
// waiting. A Disk may be used by several goroutines.
type Disk struct {
	mu      sync.Mutex
	held    bool
	written *sorted   // by all batches
	synced  *sorted   // by those that a power cut leaves
	tail    []*sorted // after each batch behind synced; the last is written
	edits   uint64
	steps   uint64
	watch   func(DiskStep) error
}

// DiskStep is one step of a database towards its disk. A batch that is to be
// durable takes two: it is written, then all is synced.
type DiskStep struct {
	N     uint64 // counts the steps towards this disk, from 1
	Sync  bool   // everything written becomes durable; else one batch is written
	Bytes int    // of the batch
}

// Watch has f called before each step, by the goroutine that makes it; nil: no
// longer. f may use the disk. If it gives an error the step is not made, and the
// database has ended as after a failed write: Options.Fatal, then ErrDead. So a
// process is stopped at any of its steps, and what the disk holds then is there for
// Crash, Clone, or the next Open once the dead database is closed. The batch of a sync that
// failed may survive; one that was not written does not.
func (k *Disk) Watch(f func(DiskStep) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.watch = f
}

// Clone is a copy of the disk with all that was written, as the death of the
// process alone leaves it. The disk stays as it is, and so does a database on it.
func (k *Disk) Clone() *Disk {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.image(k.written)
}

// Crash is a copy of the disk as a power cut leaves it: all that was synced, and of
// the batches after that as many as rng draws, in order and whole, as a log drops
// a torn record and what comes after it. nil: none of them.
func (k *Disk) Crash(rng *rand.Rand) *Disk {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	if rng != nil {
		n = rng.IntN(len(k.tail) + 1)
	}
	if n == 0 {
		return k.image(k.synced)
	}
	return k.image(k.tail[n-1])
}

// image is a disk that holds a map that this one held.
func (k *Disk) image(s *sorted) *Disk { return &Disk{written: s, synced: s, edits: k.edits} }

// Unsynced is how many batches a power cut would put at risk.
func (k *Disk) Unsynced() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.tail)
}

func (k *Disk) open(d *DB) (backing, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held {
		return nil, store.ErrBusy
	}
	if d.o.ReadOnly && k.written == nil {
		return nil, store.ErrGone
	}
	k.held = true
	return &onDisk{k, d}, nil
}

// onDisk is a database on a Disk.
type onDisk struct {
	k *Disk
	d *DB
}

func (b *onDisk) now() *sorted {
	b.k.mu.Lock()
	defer b.k.mu.Unlock()
	return b.k.written
}

// kept is the closer of a value that needs none.
type kept struct{}

func (kept) Close() error { return nil }

func (b *onDisk) get(key []byte) ([]byte, io.Closer, error) {
	val, ok := b.now().get(key)
	if !ok {
		return nil, nil, errAbsent
	}
	return val, kept{}, nil
}

func (b *onDisk) iter(lower, upper []byte) (cursor, error) {
	return &walk{root: b.now(), lower: lower, upper: upper}, nil
}

// newBatch gives a batch that Pebble does not use again: its bytes are kept.
func (b *onDisk) newBatch() *pebble.Batch { return new(pebble.Batch) }

// step asks the watcher, and ends the database if he says so.
func (b *onDisk) step(s DiskStep) {
	b.k.mu.Lock()
	b.k.steps++
	s.N = b.k.steps
	watch := b.k.watch
	b.k.mu.Unlock()
	if watch == nil {
		return
	}
	if err := watch(s); err != nil {
		b.d.die(err)
	}
}

func (b *onDisk) apply(w *pebble.Batch, sync bool) error {
	if !w.Empty() {
		b.step(DiskStep{Bytes: w.Len()})
		if err := b.write(w); err != nil {
			return err
		}
	}
	if sync {
		b.sync()
	}
	return nil
}

func (b *onDisk) write(w *pebble.Batch) error {
	b.k.mu.Lock()
	defer b.k.mu.Unlock()
	b.k.edits++
	e := edit{b.k.edits, b.k.written}
	for r := w.Reader(); ; {
		kind, key, val, ok, err := r.Next()
		switch {
		case err != nil:
			return err
		case !ok:
			b.k.written = e.root
			b.k.tail = append(b.k.tail, e.root)
			return nil
		case kind == pebble.InternalKeyKindSet:
			e.set(key, val)
		case kind == pebble.InternalKeyKindDelete:
			e.remove(key)
		case kind == pebble.InternalKeyKindRangeDelete:
			e.removeRange(key, val)
		default:
			return errors.New("a batch with what this disk does not know")
		}
	}
}

func (b *onDisk) sync() {
	b.step(DiskStep{Sync: true})
	b.k.mu.Lock()
	defer b.k.mu.Unlock()
	b.k.synced, b.k.tail = b.k.written, nil
}

func (b *onDisk) flush() error {
	b.sync()
	return nil
}

func (b *onDisk) settled() bool { return true }

func (b *onDisk) compact(lo, hi []byte) error { return nil }

func (b *onDisk) size(lo, hi []byte) (n uint64, err error) {
	w := walk{root: b.now(), lower: lo, upper: hi}
	for ok := w.First(); ok; ok = w.Next() {
		val, _ := w.ValueAndErr()
		n += uint64(len(w.Key()) + len(val))
	}
	return n, nil
}

func (b *onDisk) close(dead bool) error {
	defer func() {
		b.k.mu.Lock()
		defer b.k.mu.Unlock()
		b.k.held = false
	}()
	if !dead && b.k.Unsynced() > 0 {
		b.sync()
	}
	return nil
}
