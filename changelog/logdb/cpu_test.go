package logdb

import (
	"syscall"
	"time"
)

// cpuTime is what the process has used, all goroutines.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
