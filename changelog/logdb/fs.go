package logdb

import (
	"math/rand/v2"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// orderedFS syncs the directory before a marker file is made in it. Pebble makes a
// MANIFEST, then the marker that names it, and syncs the directory once after both;
// where directory entries may become durable in any order, a crash in between
// leaves a marker without its MANIFEST and a database that does not open. (Found
// by the crash tests.)
type orderedFS struct{ vfs.FS }

// Unwrap is part of vfs.FS.
func (f orderedFS) Unwrap() vfs.FS { return f.FS }

// Create is part of vfs.FS.
func (f orderedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(f.PathBase(name), "marker.") {
		d, err := f.OpenDir(f.PathDir(name))
		if err != nil {
			return nil, err
		}
		err = d.Sync()
		d.Close()
		if err != nil {
			return nil, err
		}
	}
	return f.FS.Create(name, c)
}

// Memory is a file system in memory for Options.FS, for what keeps no log: tests
// and the laboratory.
func Memory() vfs.FS { return vfs.NewMem() }

// Crashable is a file system in memory for Options.FS that crashes.
type Crashable struct{ m *vfs.MemFS }

// NewCrashable makes an empty one.
func NewCrashable() *Crashable { return &Crashable{vfs.NewCrashableMem()} }

// FS is the file system.
func (c *Crashable) FS() vfs.FS { return c.m }

// Clone is a copy with all that was written, as the death of the process leaves it.
func (c *Crashable) Clone() *Crashable { return c.crash(100, rand.New(rand.NewPCG(1, 1))) }

// Crash is a copy as a power cut leaves it: of what was not synced rng draws how much,
// often nothing, is there.
func (c *Crashable) Crash(rng *rand.Rand) *Crashable {
	return c.crash([...]int{0, 0, 50, 100}[rng.IntN(4)], rng)
}

func (c *Crashable) crash(percent int, rng *rand.Rand) *Crashable {
	return &Crashable{c.m.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})}
}
