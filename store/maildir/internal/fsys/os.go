package fsys

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// OS is the real file system, as a user reaches it; nil: as the process does.
type OS struct{ As *As }

// OpenRoot opens a directory by its path.
func (o OS) OpenRoot(path string) (Dir, error) {
	fd, err := o.As.open(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, PathError("open", path, err)
	}
	return &osDir{fd: fd, path: path, as: o.As}, nil
}

// MkdirAll makes a directory and its parents, and makes the new entries durable.
func (o OS) MkdirAll(path string, mode uint32) error {
	return o.As.do(func() error { return os.MkdirAll(path, os.FileMode(mode&0o777)) })
}

type osDir struct {
	fd   int
	path string // for error messages
	as   *As
}

// open opens something as the user.
func (a *As) open(f func() (int, error)) (fd int, err error) {
	err = a.do(func() error {
		fd, err = retryFD(f)
		return err
	})
	return fd, err
}

func (d *osDir) err(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return PathError(op, d.path+"/"+name, err)
}

func retryFD(f func() (int, error)) (int, error) {
	for {
		fd, err := f()
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func fromStat(st *unix.Stat_t) Info {
	return Info{
		Dev: uint64(st.Dev), Ino: st.Ino, Mode: st.Mode, UID: st.Uid, GID: st.Gid, Nlink: uint32(st.Nlink),
		Size: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(),
	}
}

func (d *osDir) Self() (Info, error) {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return Info{}, d.err("stat", "", err)
	}
	return fromStat(&st), nil
}

func (d *osDir) Stat(path string) (Info, error) {
	var st unix.Stat_t
	err := d.as.do(func() error {
		return retry(func() error { return unix.Fstatat(d.fd, path, &st, unix.AT_SYMLINK_NOFOLLOW) })
	})
	if err != nil {
		return Info{}, d.err("stat", path, err)
	}
	return fromStat(&st), nil
}

func (d *osDir) StatBirth(path string) (Info, error) {
	var st unix.Statx_t
	const mask = unix.STATX_BASIC_STATS | unix.STATX_BTIME
	err := d.as.do(func() error {
		return retry(func() error { return unix.Statx(d.fd, path, unix.AT_SYMLINK_NOFOLLOW, mask, &st) })
	})
	if err == unix.ENOSYS || err == unix.EPERM {
		return d.Stat(path)
	}
	if err != nil {
		return Info{}, d.err("stat", path, err)
	}
	in := Info{
		Dev: unix.Mkdev(st.Dev_major, st.Dev_minor), Ino: st.Ino, Mode: uint32(st.Mode), UID: st.Uid, GID: st.Gid,
		Nlink: st.Nlink, Size: int64(st.Size), Mtime: ns(st.Mtime), Ctime: ns(st.Ctime),
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		in.Btime = ns(st.Btime)
	}
	return in, nil
}

func ns(t unix.StatxTimestamp) int64 { return t.Sec*1e9 + int64(t.Nsec) }

// noOpenat2 is set once the kernel (or a sandbox) refused openat2.
var noOpenat2 atomic.Bool

func (d *osDir) OpenDir(path string) (Dir, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW
	if !noOpenat2.Load() {
		how := unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
		fd, err := d.as.open(func() (int, error) { return unix.Openat2(d.fd, path, &how) })
		if err == nil {
			return &osDir{fd: fd, path: d.path + "/" + path, as: d.as}, nil
		}
		if err != unix.ENOSYS && err != unix.EPERM && err != unix.EAGAIN {
			return nil, d.err("open", path, err)
		}
		if err != unix.EAGAIN {
			noOpenat2.Store(true)
		}
	}
	return d.walk(path, flags)
}

// walk opens level by level, for kernels without openat2.
func (d *osDir) walk(path string, flags int) (Dir, error) {
	cur := d.fd
	for level := range strings.SplitSeq(path, "/") {
		if level == ".." {
			return nil, d.err("open", path, unix.EXDEV)
		}
		fd, err := d.as.open(func() (int, error) { return unix.Openat(cur, level, flags, 0) })
		if cur != d.fd {
			unix.Close(cur)
		}
		if err != nil {
			return nil, d.err("open", path, err)
		}
		cur = fd
	}
	return &osDir{fd: cur, path: d.path + "/" + path, as: d.as}, nil
}

// one refuses anything but the name of one entry: the last fence before the
// system calls that change something.
func (d *osDir) one(op, name string) error {
	if name == "" || name == "." || name == ".." || strings.IndexByte(name, '/') >= 0 {
		return d.err(op, name, unix.EINVAL)
	}
	return nil
}

func (d *osDir) open(name string, flags int, mode uint32) (File, error) {
	if err := d.one("open", name); err != nil {
		return nil, err
	}
	// O_NONBLOCK keeps a FIFO put there by somebody from hanging us.
	flags |= unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK
	fd, err := d.as.open(func() (int, error) { return unix.Openat(d.fd, name, flags, mode) })
	if err != nil {
		return nil, d.err("open", name, err)
	}
	return &osFile{fd: fd, dir: d, name: name}, nil
}

func (d *osDir) Open(name string) (File, error) { return d.open(name, unix.O_RDONLY, 0) }

func (d *osDir) Create(name string, mode uint32) (File, error) {
	return d.open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, mode)
}

func (d *osDir) Append(name string) (File, error) {
	return d.open(name, unix.O_WRONLY|unix.O_APPEND, 0)
}

func (d *osDir) OpenLock(name string, mode uint32) (File, error) {
	return d.open(name, unix.O_RDWR|unix.O_CREAT, mode)
}

var dirBufs = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

func (d *osDir) List(fn func(name []byte, kind Kind, ino uint64) error) error {
	// A descriptor of its own: the offset belongs to the open file, and two
	// goroutines may list the same Dir.
	fd, err := d.as.open(func() (int, error) {
		return unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return d.err("open", "", err)
	}
	defer unix.Close(fd)
	bp := dirBufs.Get().(*[]byte)
	defer dirBufs.Put(bp)
	buf := *bp
	for {
		n, err := retryFD(func() (int, error) { return unix.ReadDirent(fd, buf) })
		if err != nil {
			return d.err("list", "", err)
		}
		if n <= 0 {
			return nil
		}
		if err := eachEntry(buf[:n], fn); err != nil {
			return err
		}
	}
}

func (d *osDir) Mkdir(name string, mode uint32) error {
	if err := d.one("mkdir", name); err != nil {
		return err
	}
	return d.err("mkdir", name, d.as.do(func() error { return unix.Mkdirat(d.fd, name, mode) }))
}

func (d *osDir) Rmdir(name string) error {
	if err := d.one("rmdir", name); err != nil {
		return err
	}
	return d.err("rmdir", name, d.as.do(func() error { return unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) }))
}

func (d *osDir) Unlink(name string) error {
	if err := d.one("unlink", name); err != nil {
		return err
	}
	return d.err("unlink", name, d.as.do(func() error { return unix.Unlinkat(d.fd, name, 0) }))
}

func (d *osDir) pair(op, name string, to Dir, target string) (*osDir, error) {
	t, ok := to.(*osDir)
	if !ok {
		return nil, d.err(op, name, unix.EXDEV)
	}
	if err := d.one(op, name); err != nil {
		return nil, err
	}
	return t, t.one(op, target)
}

func (d *osDir) Rename(name string, to Dir, target string) error {
	t, err := d.pair("rename", name, to, target)
	if err != nil {
		return err
	}
	return d.err("rename", name, d.as.do(func() error { return unix.Renameat(d.fd, name, t.fd, target) }))
}

func (d *osDir) RenameNew(name string, to Dir, target string) error {
	t, err := d.pair("rename", name, to, target)
	if err != nil {
		return err
	}
	err = d.as.do(func() error { return unix.Renameat2(d.fd, name, t.fd, target, unix.RENAME_NOREPLACE) })
	if err != unix.EINVAL && err != unix.ENOSYS && err != unix.EOPNOTSUPP {
		return d.err("rename", name, err)
	}
	// Without RENAME_NOREPLACE: look first. The window is small, and the names
	// that we rename to are unique by construction.
	var st unix.Stat_t
	if err := d.as.do(func() error { return unix.Fstatat(t.fd, target, &st, unix.AT_SYMLINK_NOFOLLOW) }); err == nil {
		return d.err("rename", name, unix.EEXIST)
	} else if err != unix.ENOENT {
		return d.err("rename", name, err)
	}
	return d.err("rename", name, d.as.do(func() error { return unix.Renameat(d.fd, name, t.fd, target) }))
}

func (d *osDir) Exchange(name string, to Dir, target string) error {
	t, err := d.pair("exchange", name, to, target)
	if err != nil {
		return err
	}
	return d.err("exchange", name, unix.Renameat2(d.fd, name, t.fd, target, unix.RENAME_EXCHANGE))
}

func (d *osDir) Link(name string, to Dir, target string) error {
	t, err := d.pair("link", name, to, target)
	if err != nil {
		return err
	}
	return d.err("link", name, d.as.do(func() error { return unix.Linkat(d.fd, name, t.fd, target, 0) }))
}

func (d *osDir) SetTime(name string, t int64) error {
	if err := d.one("utimens", name); err != nil {
		return err
	}
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(t)}
	return d.err("utimens", name, d.as.do(func() error { return unix.UtimesNanoAt(d.fd, name, ts, unix.AT_SYMLINK_NOFOLLOW) }))
}

func (d *osDir) Chmod(name string, mode uint32) error {
	if err := d.one("chmod", name); err != nil {
		return err
	}
	return d.err("chmod", name, d.as.do(func() error {
		fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Fchmod(fd, mode)
	}))
}

func (d *osDir) Chown(name string, uid, gid int) error {
	if err := d.one("chown", name); err != nil {
		return err
	}
	return d.err("chown", name, d.as.do(func() error { return unix.Fchownat(d.fd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW) }))
}

func (d *osDir) Writable() (bool, error) {
	err := d.as.do(func() error { return unix.Faccessat(d.fd, ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS) })
	if err == unix.EROFS || err == unix.EACCES || err == unix.EPERM {
		return false, nil
	}
	return err == nil, d.err("access", "", err)
}

func (d *osDir) Sync() error {
	return d.err("fsync", "", retry(func() error { return unix.Fsync(d.fd) }))
}
func (d *osDir) SyncFS() error {
	return d.err("syncfs", "", retry(func() error { return unix.Syncfs(d.fd) }))
}
func (d *osDir) Close() error { return d.err("close", "", unix.Close(d.fd)) }

type osFile struct {
	fd   int
	dir  *osDir
	name string
}

func (f *osFile) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := retryFD(func() (int, error) { return unix.Read(f.fd, p) })
	if err != nil {
		return 0, f.dir.err("read", f.name, err)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := retryFD(func() (int, error) { return unix.Pread(f.fd, p[done:], off+int64(done)) })
		if err != nil {
			return done, f.dir.err("read", f.name, err)
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

func (f *osFile) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := retryFD(func() (int, error) { return unix.Write(f.fd, p[done:]) })
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return done, f.dir.err("write", f.name, err)
		}
		done += n
	}
	return done, nil
}

func (f *osFile) Stat() (Info, error) {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return Info{}, f.dir.err("stat", f.name, err)
	}
	return fromStat(&st), nil
}

func (f *osFile) Chmod(mode uint32) error {
	return f.dir.err("chmod", f.name, f.dir.as.do(func() error { return unix.Fchmod(f.fd, mode) }))
}

func (f *osFile) Chown(uid, gid int) error {
	return f.dir.err("chown", f.name, f.dir.as.do(func() error { return unix.Fchown(f.fd, uid, gid) }))
}

func (f *osFile) Sync() error {
	return f.dir.err("fsync", f.name, retry(func() error { return unix.Fsync(f.fd) }))
}

func (f *osFile) Close() error {
	if f.fd < 0 {
		return nil
	}
	fd := f.fd
	f.fd = -1
	return f.dir.err("close", f.name, unix.Close(fd))
}

func (f *osFile) TryLock() (bool, error) {
	err := retry(func() error { return unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, f.dir.err("flock", f.name, err)
}

// Holder asks the system's list of locks, which is for messages only: it leaves out
// other hosts, and names processes of other pid namespaces by 0.
func (f *osFile) Holder() int {
	var st unix.Stat_t
	list, err := os.ReadFile("/proc/locks")
	if err != nil || unix.Fstat(f.fd, &st) != nil {
		return 0
	}
	place := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for line := range strings.Lines(string(list)) {
		// 1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF
		if w := strings.Fields(line); len(w) > 5 && w[1] == "FLOCK" && w[5] == place {
			pid, _ := strconv.Atoi(w[4])
			return max(pid, 0)
		}
	}
	return 0
}
