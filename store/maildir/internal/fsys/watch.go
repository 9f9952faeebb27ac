package fsys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrNoWatch: the directory, or the system, cannot be watched.
var ErrNoWatch = errors.New("cannot be watched")

// Event says that a name appeared in a directory or vanished from it. A rename is
// one of each.
type Event struct {
	Dir      int32 // as Add gave it
	Appeared bool
	Name     string
}

// Watcher tells what happens to the names of some directories of this machine's
// file systems (inotify(7)). It is used by one goroutine.
type Watcher struct {
	fd  int
	buf []byte
}

// NewWatcher makes one that watches nothing yet.
func NewWatcher() (*Watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoWatch, err)
	}
	return &Watcher{fd: fd, buf: make([]byte, 64<<10)}, nil
}

const watched = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// Add watches an open directory. ErrNoWatch: it cannot be.
func (w *Watcher) Add(d Dir) (int32, error) {
	o, ok := d.(*osDir)
	if !ok {
		return 0, ErrNoWatch
	}
	id, err := unix.InotifyAddWatch(w.fd, "/proc/self/fd/"+strconv.Itoa(o.fd), watched)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNoWatch, err)
	}
	return int32(id), nil
}

// Remove ends the watch of a directory.
func (w *Watcher) Remove(id int32) { _, _ = unix.InotifyRmWatch(w.fd, uint32(id)) }

// Events gives what happened since the last call, without waiting. What it says
// happened before the call; all that did is said unless lost is true. An event of
// a directory itself (moved, deleted, unmounted) has no name.
func (w *Watcher) Events() (out []Event, lost bool, err error) {
	for {
		n, err := retryFD(func() (int, error) { return unix.Read(w.fd, w.buf) })
		if err == unix.EAGAIN {
			return out, lost, nil
		}
		if err != nil {
			return nil, true, err
		}
		for b := w.buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			mask := binary.NativeEndian.Uint32(b[4:])
			size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
			name, _, _ := strings.Cut(string(b[unix.SizeofInotifyEvent:size]), "\x00")
			id := int32(binary.NativeEndian.Uint32(b))
			b = b[size:]
			switch {
			case mask&unix.IN_Q_OVERFLOW != 0:
				lost = true
			case mask&unix.IN_IGNORED == 0:
				out = append(out, Event{Dir: id, Appeared: mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0, Name: name})
			}
		}
	}
}

// Close ends it.
func (w *Watcher) Close() error { return unix.Close(w.fd) }

// Kernels from 6.13 on give a file a new time with each change after somebody
// looked at its times, on these file systems (multigrain timestamps). On tmpfs too,
// but not always to a directory: unlink, link and rmdir give it the time of the
// file that went or came, which nobody had looked at.
var fineTimes = map[int64]bool{
	unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true,
}

// FineTimes reports whether two changes of a file of d's file system never show
// the same times if the times were asked for between them.
func FineTimes(d Dir) bool {
	o, ok := d.(*osDir)
	if !ok {
		return false
	}
	var fs unix.Statfs_t
	return fineKernel() && unix.Fstatfs(o.fd, &fs) == nil && fineTimes[int64(fs.Type)]
}

// fineKernel reports whether the kernel is new enough.
var fineKernel = sync.OnceValue(func() bool {
	var un unix.Utsname
	var major, minor int
	if unix.Uname(&un) != nil {
		return false
	}
	if _, err := fmt.Sscanf(unix.ByteSliceToString(un.Release[:]), "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 6 || major == 6 && minor >= 13
})
