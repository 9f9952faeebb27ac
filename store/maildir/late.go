package maildir

import (
	"errors"
	"io/fs"
	"sync"

	"dsync/store/maildir/internal/fsys"
)

// lateDir is a CONTROL= directory that is not there yet: it shows as empty, and
// is made by the first thing written into it, as Dovecot does. Opening an account
// to look at it makes nothing.
type lateDir struct {
	fs   fsys.FS
	path string
	root fsys.Dir // whose owner and mode it takes

	mu  sync.Mutex
	dir fsys.Dir
}

// there gives the directory, nil if it is not there.
func (l *lateDir) there() (fsys.Dir, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dir != nil {
		return l.dir, nil
	}
	d, err := l.fs.OpenRoot(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		l.dir = d
	}
	return d, err
}

// reading gives the directory, or fs.ErrNotExist.
func (l *lateDir) reading(op, name string) (fsys.Dir, error) {
	d, err := l.there()
	if err == nil && d == nil {
		err = fsys.PathError(op, l.path+"/"+name, fs.ErrNotExist)
	}
	return d, err
}

// writing gives the directory and makes it if need be.
func (l *lateDir) writing() (fsys.Dir, error) {
	if d, err := l.there(); d != nil || err != nil {
		return d, err
	}
	in, err := l.root.Self()
	if err != nil {
		return nil, err
	}
	if err := l.fs.MkdirAll(l.path, in.Mode&0o777); err != nil {
		return nil, err
	}
	return l.reading("open", "")
}

func (l *lateDir) Self() (fsys.Info, error) {
	if d, err := l.there(); d != nil || err != nil {
		return d.Self()
	}
	return l.root.Self()
}

func (l *lateDir) Stat(path string) (fsys.Info, error) {
	d, err := l.reading("stat", path)
	if err != nil {
		return fsys.Info{}, err
	}
	return d.Stat(path)
}

func (l *lateDir) StatBirth(path string) (fsys.Info, error) {
	d, err := l.reading("stat", path)
	if err != nil {
		return fsys.Info{}, err
	}
	return d.StatBirth(path)
}

func (l *lateDir) OpenDir(path string) (fsys.Dir, error) {
	d, err := l.reading("open", path)
	if err != nil {
		return nil, err
	}
	return d.OpenDir(path)
}

func (l *lateDir) Open(name string) (fsys.File, error) {
	d, err := l.reading("open", name)
	if err != nil {
		return nil, err
	}
	return d.Open(name)
}

func (l *lateDir) Append(name string) (fsys.File, error) {
	d, err := l.reading("open", name)
	if err != nil {
		return nil, err
	}
	return d.Append(name)
}

func (l *lateDir) Create(name string, mode uint32) (fsys.File, error) {
	d, err := l.writing()
	if err != nil {
		return nil, err
	}
	return d.Create(name, mode)
}

func (l *lateDir) OpenLock(name string, mode uint32) (fsys.File, error) {
	d, err := l.writing()
	if err != nil {
		return nil, err
	}
	return d.OpenLock(name, mode)
}

func (l *lateDir) List(fn func(name []byte, kind fsys.Kind, ino uint64) error) error {
	d, err := l.there()
	if d == nil || err != nil {
		return err
	}
	return d.List(fn)
}

func (l *lateDir) change(do func(d fsys.Dir) error) error {
	d, err := l.writing()
	if err != nil {
		return err
	}
	return do(d)
}

func (l *lateDir) Mkdir(name string, mode uint32) error {
	return l.change(func(d fsys.Dir) error { return d.Mkdir(name, mode) })
}
func (l *lateDir) Rmdir(name string) error {
	return l.change(func(d fsys.Dir) error { return d.Rmdir(name) })
}
func (l *lateDir) Unlink(name string) error {
	d, err := l.reading("unlink", name)
	if err != nil {
		return err
	}
	return d.Unlink(name)
}

// direct gives what stands behind a lateDir: renames and links need both ends to
// be of one kind.
func direct(d fsys.Dir) (fsys.Dir, error) {
	if l, ok := d.(*lateDir); ok {
		return l.writing()
	}
	return d, nil
}

func (l *lateDir) pair(to fsys.Dir, do func(d, t fsys.Dir) error) error {
	d, err := l.writing()
	if err != nil {
		return err
	}
	t, err := direct(to)
	if err != nil {
		return err
	}
	return do(d, t)
}

func (l *lateDir) Rename(name string, to fsys.Dir, target string) error {
	return l.pair(to, func(d, t fsys.Dir) error { return d.Rename(name, t, target) })
}
func (l *lateDir) RenameNew(name string, to fsys.Dir, target string) error {
	return l.pair(to, func(d, t fsys.Dir) error { return d.RenameNew(name, t, target) })
}
func (l *lateDir) Exchange(name string, to fsys.Dir, target string) error {
	return l.pair(to, func(d, t fsys.Dir) error { return d.Exchange(name, t, target) })
}
func (l *lateDir) Link(name string, to fsys.Dir, target string) error {
	return l.pair(to, func(d, t fsys.Dir) error { return d.Link(name, t, target) })
}
func (l *lateDir) SetTime(name string, ns int64) error {
	return l.change(func(d fsys.Dir) error { return d.SetTime(name, ns) })
}
func (l *lateDir) Chmod(name string, mode uint32) error {
	return l.change(func(d fsys.Dir) error { return d.Chmod(name, mode) })
}
func (l *lateDir) Chown(name string, uid, gid int) error {
	return l.change(func(d fsys.Dir) error { return d.Chown(name, uid, gid) })
}
func (l *lateDir) Writable() (bool, error) { return l.root.Writable() }
func (l *lateDir) Sync() error             { return l.change(fsys.Dir.Sync) }
func (l *lateDir) SyncFS() error           { return l.change(fsys.Dir.SyncFS) }

func (l *lateDir) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dir == nil {
		return nil
	}
	return l.dir.Close()
}
