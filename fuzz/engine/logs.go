package engine

import (
	"math/rand/v2"

	"dsync/changelog/logdb"
)

// keeping is what a replica's log is kept on.
type keeping interface {
	open(*logdb.Options)
	// copied is a copy of all that was written, as the death of a process leaves it.
	copied() keeping
	// crashed is a copy as a power cut leaves it.
	crashed(*rand.Rand) keeping
	// watch has f called before each write, and before what was written is made
	// durable; an error kills the log. nil: no longer.
	watch(f func(sync bool) error)
}

// newLog is an empty log: on an ordered disk, which repeats to the byte, or in Pebble.
func newLog(pebble bool) keeping {
	if pebble {
		return inPebble{logdb.NewCrashable()}
	}
	return ordered{new(logdb.Disk)}
}

type ordered struct{ disk *logdb.Disk }

func (k ordered) open(o *logdb.Options)          { o.Disk = k.disk }
func (k ordered) copied() keeping                { return ordered{k.disk.Clone()} }
func (k ordered) crashed(rng *rand.Rand) keeping { return ordered{k.disk.Crash(rng)} }

func (k ordered) watch(f func(sync bool) error) {
	if f == nil {
		k.disk.Watch(nil)
		return
	}
	k.disk.Watch(func(s logdb.DiskStep) error { return f(s.Sync) })
}

// inPebble is not told of writes: Pebble makes them in goroutines of its own.
type inPebble struct{ fs *logdb.Crashable }

func (k inPebble) open(o *logdb.Options)          { o.FS = k.fs.FS() }
func (k inPebble) copied() keeping                { return inPebble{k.fs.Clone()} }
func (k inPebble) crashed(rng *rand.Rand) keeping { return inPebble{k.fs.Crash(rng)} }
func (k inPebble) watch(func(bool) error)         {}
