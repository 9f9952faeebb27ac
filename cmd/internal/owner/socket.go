package owner

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"dsync/store"
)

// SocketName is the owner's socket in the directory of the change log.
const SocketName = "dsync.sock"

// maxPath is what the system takes as the path of a socket, in bytes.
const maxPath = 100

// reach gives a path for a socket that is short enough, and what is to be called when
// it was used.
func reach(path string) (string, func(), error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	fd, err := syscall.Open(filepath.Dir(path), syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	return "/proc/self/fd/" + strconv.Itoa(fd) + "/" + filepath.Base(path), func() { syscall.Close(fd) }, nil
}

// Listen makes a socket that only this user may use. What stood at its path, if that
// was a socket of this user, is replaced: the caller knows that nobody listens there.
func Listen(path string) (*net.UnixListener, error) {
	if in, err := os.Lstat(path); err == nil {
		if err := ours(in); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// It appears under its name with its mode, in one step.
	tmp := path + "." + strconv.Itoa(os.Getpid())
	short, done, err := reach(tmp)
	if err != nil {
		return nil, err
	}
	defer done()
	os.Remove(tmp)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(tmp, 0o600); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		l.Close()
		os.Remove(tmp)
		return nil, err
	}
	return l, nil
}

// errForeign: a socket, or who is behind it, is not this user's.
var errForeign = errors.New("it is not used")

// ours refuses what is not a socket that this user made for itself.
func ours(in fs.FileInfo) error {
	st, ok := in.Sys().(*syscall.Stat_t)
	switch {
	case in.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("not a socket: %w", errForeign)
	case !ok || int(st.Uid) != os.Geteuid():
		return fmt.Errorf("the socket belongs to another user: %w", errForeign)
	case in.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("the socket has mode %04o, others may use it: %w", in.Mode().Perm(), errForeign)
	}
	return nil
}

// Dial connects to a socket of this user.
func Dial(path string) (*net.UnixConn, error) {
	in, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err := ours(in); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	short, done, err := reach(path)
	if err != nil {
		return nil, err
	}
	defer done()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := sameUser(c); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// sameUser asks the system who is at the other end.
func sameUser(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var who *syscall.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		who, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); cerr != nil {
		return cerr
	}
	if err != nil {
		return err
	}
	if int(who.Uid) != os.Geteuid() {
		return fmt.Errorf("uid %d is at the other end: %w", who.Uid, errForeign)
	}
	return nil
}

// space names what this process sees of the file system: two processes that differ in
// it may mean different files by one name.
func space() string {
	mounts, _ := os.Readlink("/proc/self/ns/mnt")
	root := ""
	if in, err := os.Stat("/"); err == nil {
		if st, ok := in.Sys().(*syscall.Stat_t); ok {
			root = fmt.Sprintf("%d:%d", st.Dev, st.Ino)
		}
	}
	return mounts + " " + root
}

// holder reads a pid out of an error of the lock; "" if it names none.
func holder(err error) string {
	if !errors.Is(err, store.ErrBusy) {
		return ""
	}
	_, text, ok := strings.Cut(err.Error(), "(pid ")
	text, _, end := strings.Cut(text, ")")
	if !ok || !end {
		return ""
	}
	return text
}
