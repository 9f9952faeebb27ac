package logdb

import (
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
