// Package memdisk lends tests a disk in memory on which Maildirs can be opened, and
// which crashes and fails: for what is built on store/maildir. What a crash may
// take is said in store/maildir/internal/memfs.
package memdisk

import (
	"fmt"
	"slices"
	"time"

	"dsync/store/maildir"
	"dsync/store/maildir/internal/fsys"
	"dsync/store/maildir/internal/memfs"
)

// ErrCrashed is what everything says between a crash and the reboot.
var ErrCrashed = memfs.ErrCrashed

// Disk is one disk. Several accounts may lie on it.
type Disk struct{ f *memfs.FS }

// New makes an empty disk.
func New() *Disk { return &Disk{memfs.New()} }

// Create makes an account; its path is one of this disk.
func (d *Disk) Create(o maildir.Options) (*maildir.Store, error) { return maildir.CreateOn(d.f, o) }

// Open opens an account.
func (d *Disk) Open(o maildir.Options) (*maildir.Store, error) { return maildir.OpenOn(d.f, o) }

// Now is the disk's clock, by which files are dated.
func (d *Disk) Now() time.Time { return d.f.Now() }

// SetHook has f called before each change of the disk; nil: nothing.
func (d *Disk) SetHook(f func()) { d.f.Hook = f }

// Clone copies the disk with what is not durable yet.
func (d *Disk) Clone() *Disk { return &Disk{d.f.Clone()} }

// Arm makes the n-th change from now fail with err, or stop the machine if err is
// nil.
func (d *Disk) Arm(n int, err error) { d.f.Arm(n, err) }

// Struck reports whether the machine has stopped.
func (d *Disk) Struck() bool { return d.f.Down() }

// Reboot loses what was not durable, by the seed.
func (d *Disk) Reboot(seed uint64) { d.f.Reboot(seed) }

// Sync makes everything durable.
func (d *Disk) Sync() error {
	r, err := d.f.OpenRoot("/")
	if err != nil {
		return err
	}
	return r.SyncFS()
}

// Files lists all files below a directory by path.
func (d *Disk) Files(path string) ([]string, error) {
	r, err := d.f.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	var out []string
	err = walk(r, path, &out)
	slices.Sort(out)
	return out, err
}

func walk(d fsys.Dir, path string, out *[]string) error {
	return d.List(func(name []byte, kind fsys.Kind, _ uint64) error {
		p := fmt.Sprintf("%s/%s", path, name)
		if kind != fsys.Directory {
			*out = append(*out, p)
			return nil
		}
		sub, err := d.OpenDir(string(name))
		if err != nil {
			return err
		}
		return walk(sub, p, out)
	})
}
