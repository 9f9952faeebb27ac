//go:build unix

package logdb

import (
	"errors"
	"syscall"
)

// isLockErrno reports whether fcntl found the lock held. EACCES from fcntl means
// the same, but cannot be told from that of open; Linux gives EAGAIN.
func isLockErrno(err error) bool { return errors.Is(err, syscall.EAGAIN) }
