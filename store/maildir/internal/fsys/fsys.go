// Package fsys is the narrow door through which store/maildir reaches a file
// system.
//
// # Contract
//
//   - A Dir is an open directory. Everything that changes something names one
//     entry of a Dir: there is no path in which a symbolic link could lead out of
//     the mail root. Stat and OpenDir take several levels; OpenDir follows no
//     link, Stat not the last.
//   - Errors are those of the system (errors.Is with fs.ErrNotExist, syscall
//     numbers); nothing is logged.
//   - OS is the real thing; internal/memfs is one in memory that can crash.
//   - A Dir may be used by several goroutines. A File may not.
package fsys

import (
	"io"
	"io/fs"
)

// File types, as in st_mode.
const (
	TypeMask = 0o170000
	TypeDir  = 0o040000
	TypeReg  = 0o100000
	TypeLink = 0o120000
)

// Info is what stat(2) says. Times are nanoseconds since 1970.
type Info struct {
	Dev, Ino     uint64
	Mode         uint32
	UID, GID     uint32
	Nlink        uint32
	Size         int64
	Mtime, Ctime int64
	Btime        int64 // birth; 0 if unknown or not asked for
}

// IsDir reports whether it is a directory.
func (i Info) IsDir() bool { return i.Mode&TypeMask == TypeDir }

// IsReg reports whether it is a regular file.
func (i Info) IsReg() bool { return i.Mode&TypeMask == TypeReg }

// Kind is the type of a directory entry, as far as listing tells.
type Kind uint8

// Kinds of directory entries.
const (
	Unknown Kind = iota
	Regular
	Directory
	Symlink
	Other
)

// File is an open regular file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	Stat() (Info, error)
	Chmod(mode uint32) error
	Chown(uid, gid int) error
	Sync() error
	// TryLock takes an exclusive advisory lock on the file, kept until Close; ok
	// is false if another holds it.
	TryLock() (ok bool, err error)
	// Holder is the number of the process that holds such a lock; 0 if that is not
	// known.
	Holder() int
}

// Dir is an open directory.
type Dir interface {
	// Self describes the directory itself.
	Self() (Info, error)
	// Stat describes an entry and follows no link at its end.
	Stat(path string) (Info, error)
	// StatBirth is Stat with the time of birth, where the system knows it.
	StatBirth(path string) (Info, error)
	// OpenDir opens a directory below this one and follows no link at all.
	OpenDir(path string) (Dir, error)
	// Open opens a regular file for reading.
	Open(name string) (File, error)
	// Create makes a file that was not there and opens it for writing.
	Create(name string, mode uint32) (File, error)
	// Append opens an existing file for appending.
	Append(name string) (File, error)
	// OpenLock opens a file for reading and writing, and makes it if need be.
	OpenLock(name string, mode uint32) (File, error)
	// List calls fn with each entry, in the order of the directory. The name is
	// valid during the call only.
	List(fn func(name []byte, kind Kind, ino uint64) error) error

	Mkdir(name string, mode uint32) error
	Rmdir(name string) error
	Unlink(name string) error
	// Rename replaces what is at the target; RenameNew fails with fs.ErrExist.
	Rename(name string, to Dir, target string) error
	RenameNew(name string, to Dir, target string) error
	// Exchange has two names change places at one go; both must be there.
	Exchange(name string, to Dir, target string) error
	Link(name string, to Dir, target string) error
	// SetTime sets the modification time, of a link itself if it is one.
	SetTime(name string, ns int64) error
	Chmod(name string, mode uint32) error
	Chown(name string, uid, gid int) error

	// Writable reports whether the process may make entries here.
	Writable() (bool, error)
	// Sync makes the entries durable, SyncFS the whole file system.
	Sync() error
	SyncFS() error
	Close() error
}

// FS opens the roots.
type FS interface {
	// OpenRoot opens a directory by its path; links in it are followed, for who
	// configures the path means them.
	OpenRoot(path string) (Dir, error)
	// MkdirAll makes a directory and its parents.
	MkdirAll(path string, mode uint32) error
}

// PathError wraps err, if there is one, in the usual words.
func PathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}
