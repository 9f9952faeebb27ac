package memfs

import (
	"io"
	"maps"
	"os"
	"slices"
	"syscall"

	"dsync/store/maildir/internal/fsys"
)

type dir struct {
	f    *FS
	id   uint64
	boot int
}

func (f *FS) infoOf(id uint64) fsys.Info {
	n := f.nodes[id]
	in := fsys.Info{Dev: 1, Ino: id, Mode: n.mode | fsys.TypeReg, Nlink: 1, Size: int64(len(n.data)), Mtime: n.mtime, Ctime: n.ctime, Btime: int64(id)}
	if n.dir {
		in.Mode, in.Size = n.mode|fsys.TypeDir, 0
	}
	return in
}

func (d *dir) Self() (fsys.Info, error) { return d.Stat(".") }

func (d *dir) Stat(path string) (fsys.Info, error) {
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	id, err := d.f.walk(d.id, path)
	if err != nil {
		return fsys.Info{}, fsys.PathError("stat", path, err)
	}
	return d.f.infoOf(id), nil
}

func (d *dir) StatBirth(path string) (fsys.Info, error) { return d.Stat(path) }

func (d *dir) OpenDir(path string) (fsys.Dir, error) {
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	id, err := d.f.walk(d.id, path)
	if err == nil && !d.f.nodes[id].dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, fsys.PathError("open", path, err)
	}
	return &dir{f: d.f, id: id}, nil
}

func (d *dir) file(name string) (fsys.File, error) {
	id, err := d.f.walk(d.id, name)
	if err == nil && d.f.nodes[id].dir {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, fsys.PathError("open", name, err)
	}
	return &file{f: d.f, id: id, boot: d.f.boots}, nil
}

func (d *dir) Open(name string) (fsys.File, error) {
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	return d.file(name)
}

func (d *dir) Append(name string) (fsys.File, error) { return d.Open(name) }

// change runs one change of this directory under the lock.
func (d *dir) change(what, name string, do func(live map[string]uint64) (op, error)) error {
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	if err := d.f.step(); err != nil {
		return fsys.PathError(what, name, err)
	}
	o, err := do(d.f.nodes[d.id].live)
	if err != nil {
		return fsys.PathError(what, name, err)
	}
	d.f.apply(o)
	return nil
}

func (d *dir) Create(name string, mode uint32) (out fsys.File, err error) {
	err = d.change("create", name, func(live map[string]uint64) (op, error) {
		if live[name] != 0 {
			return nil, syscall.EEXIST
		}
		id := d.f.newNode(false, mode)
		out = &file{f: d.f, id: id, boot: d.f.boots}
		return op{{d.id, name, id}}, nil
	})
	return out, err
}

func (d *dir) OpenLock(name string, mode uint32) (fsys.File, error) {
	d.f.mu.Lock()
	f, err := d.file(name)
	d.f.mu.Unlock()
	if err == nil {
		return f, nil
	}
	return d.Create(name, mode)
}

func (d *dir) List(fn func(name []byte, kind fsys.Kind, ino uint64) error) error {
	d.f.mu.Lock()
	if d.f.down {
		d.f.mu.Unlock()
		return ErrCrashed
	}
	live := maps.Clone(d.f.nodes[d.id].live)
	dirs := map[string]bool{}
	for name, id := range live {
		dirs[name] = d.f.nodes[id].dir
	}
	d.f.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(live)) {
		kind := fsys.Regular
		if dirs[name] {
			kind = fsys.Directory
		}
		if err := fn([]byte(name), kind, live[name]); err != nil {
			return err
		}
	}
	return nil
}

func (d *dir) Mkdir(name string, mode uint32) error {
	return d.change("mkdir", name, func(live map[string]uint64) (op, error) {
		if live[name] != 0 {
			return nil, syscall.EEXIST
		}
		return op{{d.id, name, d.f.newNode(true, mode)}}, nil
	})
}

func (d *dir) remove(what, name string, wantDir bool) error {
	return d.change(what, name, func(live map[string]uint64) (op, error) {
		id := live[name]
		switch {
		case id == 0:
			return nil, syscall.ENOENT
		case wantDir && !d.f.nodes[id].dir:
			return nil, syscall.ENOTDIR
		case !wantDir && d.f.nodes[id].dir:
			return nil, syscall.EISDIR
		case wantDir && len(d.f.nodes[id].live) > 0:
			return nil, syscall.ENOTEMPTY
		}
		return op{{d.id, name, 0}}, nil
	})
}

func (d *dir) Rmdir(name string) error  { return d.remove("rmdir", name, true) }
func (d *dir) Unlink(name string) error { return d.remove("unlink", name, false) }

func (d *dir) Rename(name string, to fsys.Dir, target string) error {
	return d.rename(name, to, target, false)
}

func (d *dir) RenameNew(name string, to fsys.Dir, target string) error {
	return d.rename(name, to, target, true)
}

func (d *dir) rename(name string, to fsys.Dir, target string, fresh bool) error {
	t := to.(*dir)
	return d.change("rename", name, func(live map[string]uint64) (op, error) {
		id := live[name]
		if id == 0 {
			return nil, syscall.ENOENT
		}
		if fresh && d.f.nodes[t.id].live[target] != 0 {
			return nil, syscall.EEXIST
		}
		if d.id == t.id && name == target {
			return nil, nil
		}
		return op{{d.id, name, 0}, {t.id, target, id}}, nil
	})
}

func (d *dir) Exchange(name string, to fsys.Dir, target string) error {
	t := to.(*dir)
	return d.change("exchange", name, func(live map[string]uint64) (op, error) {
		a, b := live[name], d.f.nodes[t.id].live[target]
		if a == 0 || b == 0 {
			return nil, syscall.ENOENT
		}
		return op{{d.id, name, b}, {t.id, target, a}}, nil
	})
}

func (d *dir) Link(name string, to fsys.Dir, target string) error {
	t := to.(*dir)
	return d.change("link", name, func(live map[string]uint64) (op, error) {
		id := live[name]
		if id == 0 {
			return nil, syscall.ENOENT
		}
		if d.f.nodes[t.id].live[target] != 0 {
			return nil, syscall.EEXIST
		}
		return op{{t.id, target, id}}, nil
	})
}

func (d *dir) SetTime(name string, ns int64) error {
	return d.change("utimens", name, func(live map[string]uint64) (op, error) {
		if live[name] == 0 {
			return nil, syscall.ENOENT
		}
		d.f.nodes[live[name]].mtime = ns
		return nil, nil
	})
}

func (d *dir) Chmod(string, uint32) error   { return nil }
func (d *dir) Chown(string, int, int) error { return nil }
func (d *dir) Writable() (bool, error)      { return true, nil }
func (d *dir) Close() error                 { return nil }

func (d *dir) Sync() error {
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	if err := d.f.step(); err != nil {
		return err
	}
	d.f.syncDir(d.id)
	return nil
}

func (d *dir) SyncFS() error {
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	if err := d.f.step(); err != nil {
		return err
	}
	for _, o := range d.f.ops {
		for _, s := range o {
			d.f.commit(s)
		}
	}
	d.f.ops = nil
	for _, n := range d.f.nodes {
		n.synced, n.smtime = slices.Clone(n.data), n.mtime
	}
	return nil
}

type file struct {
	f    *FS
	id   uint64
	pos  int
	boot int
	held bool
}

func (x *file) node() (*node, error) {
	if x.f.down || x.boot != x.f.boots {
		return nil, ErrCrashed
	}
	return x.f.nodes[x.id], nil
}

func (x *file) Read(p []byte) (int, error) {
	n, err := x.ReadAt(p, int64(x.pos))
	x.pos += n
	if n > 0 {
		err = nil
	}
	return n, err
}

func (x *file) ReadAt(p []byte, off int64) (int, error) {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	n, err := x.node()
	if err != nil {
		return 0, err
	}
	if off >= int64(len(n.data)) {
		return 0, io.EOF
	}
	k := copy(p, n.data[off:])
	if k < len(p) {
		return k, io.EOF
	}
	return k, nil
}

func (x *file) change(do func(n *node)) error {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	n, err := x.node()
	if err != nil {
		return err
	}
	if err := x.f.step(); err != nil {
		return err
	}
	do(n)
	return nil
}

func (x *file) Write(p []byte) (int, error) {
	err := x.change(func(n *node) {
		n.data = append(n.data, p...)
		n.mtime = x.f.now()
		n.ctime = n.mtime
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (x *file) Sync() error {
	return x.change(func(n *node) { n.synced, n.smtime = slices.Clone(n.data), n.mtime })
}
func (x *file) Chmod(uint32) error   { return nil }
func (x *file) Chown(int, int) error { return nil }

func (x *file) Stat() (fsys.Info, error) {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	if _, err := x.node(); err != nil {
		return fsys.Info{}, err
	}
	return x.f.infoOf(x.id), nil
}

func (x *file) TryLock() (bool, error) {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	if x.f.locks[x.id] > 0 {
		return false, nil
	}
	x.f.locks[x.id]++
	x.held = true
	return true, nil
}

// Holder is this process: there is no other.
func (x *file) Holder() int { return os.Getpid() }

func (x *file) Close() error {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	if x.held {
		x.held = false
		delete(x.f.locks, x.id)
	}
	return nil
}
