package fsys

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// direntHeader is the length of struct linux_dirent64 up to the name: inode,
// offset, record length, type.
const direntHeader = 8 + 8 + 2 + 1

// eachEntry walks the records of one getdents64 call.
func eachEntry(b []byte, fn func(name []byte, kind Kind, ino uint64) error) error {
	for len(b) >= direntHeader {
		n := int(binary.NativeEndian.Uint16(b[16:]))
		if n < direntHeader || n > len(b) {
			return unix.EIO
		}
		ino := binary.NativeEndian.Uint64(b)
		name := b[direntHeader:n]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		kind := kindOf(b[18])
		b = b[n:]
		if ino == 0 || string(name) == "." || string(name) == ".." {
			continue
		}
		if err := fn(name, kind, ino); err != nil {
			return err
		}
	}
	return nil
}

func kindOf(t byte) Kind {
	switch t {
	case unix.DT_REG:
		return Regular
	case unix.DT_DIR:
		return Directory
	case unix.DT_LNK:
		return Symlink
	case unix.DT_UNKNOWN:
		return Unknown
	}
	return Other
}
