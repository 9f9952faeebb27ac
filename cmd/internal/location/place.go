package location

import (
	"fmt"
	"strings"
)

// Place gives the directory that a location names, from its text alone: the disk is
// not asked. What names no directory, as a host or a command, is an error.
func Place(text string, v *Vars) (string, error) {
	if scheme(text) != "" {
		l, err := Parse(text, v)
		return l.Path, err
	}
	if strings.ContainsAny(text, " \t") || isHost(text) {
		return "", fmt.Errorf("location %q names no directory", text)
	}
	return Directory(text, v)
}
