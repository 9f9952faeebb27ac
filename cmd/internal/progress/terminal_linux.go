package progress

import (
	"os"

	"golang.org/x/sys/unix"
)

// Terminal reports whether f is a terminal, and how wide it is.
func Terminal(f *os.File) (width int, ok bool) {
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return 80, true
	}
	return int(size.Col), true
}
