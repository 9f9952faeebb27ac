// Package require says which outside programs tests may not do without. It is the
// one place that reads DSYNC_REQUIRE, a list of names with commas: a program that it
// names and that is missing is a failure; any other that is missing skips the test.
package require

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Named reports whether DSYNC_REQUIRE names the given program.
func Named(name string) bool {
	return slices.Contains(strings.Split(os.Getenv("DSYNC_REQUIRE"), ","), name)
}

// Program gives the path of the command of a program. If it is not there the test is
// skipped, or fails if DSYNC_REQUIRE names the program.
func Program(t testing.TB, name, command string) string {
	t.Helper()
	path, err := exec.LookPath(command)
	switch {
	case err == nil:
	case Named(name):
		t.Fatalf("%s is not on PATH, and DSYNC_REQUIRE asks for %s", command, name)
	default:
		t.Skipf("skipped: %s is not installed (%s is not on PATH)", name, command)
	}
	return path
}
