//go:build !linux

package progress

import "os"

// Terminal reports whether f is a terminal, and how wide it is (here: a guess).
func Terminal(f *os.File) (width int, ok bool) {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || f.Name() == os.DevNull {
		return 0, false
	}
	return 80, true
}
