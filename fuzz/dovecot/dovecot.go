// Package dovecot lets tests and the benchmark use a real Dovecot as a
// second opinion on a mail store, without any running server.
//
// # Use
//
//	d := dovecot.NewT(t)                      // skips, or fails under DSYNC_REQUIRE
//	s := d.Store("maildir:" + dir)            // a mail location
//	c := s.SessionT(t)                        // one IMAP process on a pipe
//	uid, err := c.Append("INBOX", msg, when, `\Seen`)
//	listing, err := c.Listing()               // what a client sees
//	state, code, err := s.Sync("maildir:"+other, "-s", "")
//
// # How Dovecot runs here
//
// doveadm and imap work as plain child processes. They are given a
// configuration of their own (base_dir, state_dir and mail_home inside the
// directory handed to [New]), the mail location by "-o mail_location=", and
// the user by HOME and USER in an otherwise empty environment, so neither a
// user database nor a socket of a running server is asked for. The same
// holds for "doveadm sync" between two local locations.
//
// Dovecot refuses to touch mail as root. When the caller is root the child
// therefore runs in a user namespace in which the caller's uid is called
// 1000: Dovecot believes it is an ordinary user, while on disk everything it
// makes belongs to root and everything root made is its own. Files of other
// owners are closed to it there. Where user namespaces are forbidden (some
// containers), the child runs as nobody with the capabilities that override
// file permissions, and the whole store is given to nobody before each process
// starts, because Dovecot will not write into mailboxes of others. See
// [Identity].
//
// # What is promised
//
//   - Available never runs anything. New runs one short probe when root.
//   - Nothing outside the directory given to New and the mail locations is
//     written.
//   - Times are UTC, names are UTF-8 with "/" between levels, UIDs and
//     UIDVALIDITY are unsigned 32 bit, modseqs unsigned 64 bit.
//   - Every command has a time limit ([CommandLimit]); a process that hangs is
//     killed and the call returns an error.
//
// The package knows nothing of dsync's own types, so that it stays an
// independent witness.
package dovecot

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dsync/fuzz/require"
)

// CommandLimit bounds one IMAP command and one doveadm helper process.
const CommandLimit = 2 * time.Minute

// Available reports whether doveadm is on PATH.
func Available() bool {
	_, err := exec.LookPath("doveadm")
	return err == nil
}

// Require skips the test with a clear line when Dovecot is missing, and fails
// it when DSYNC_REQUIRE contains "dovecot".
func Require(t testing.TB) {
	t.Helper()
	require.Program(t, "dovecot", "doveadm")
}

// Dovecot is a configuration on disk and the identity its programs run under.
// It is safe for concurrent use.
type Dovecot struct {
	dir      string
	identity Identity
}

// New writes a configuration into dir, which must exist and may be removed
// once nothing of it runs. Each setting is a "key = value" line put after the
// defaults, for example "mail_fsync = optimized" (the default is never).
func New(dir string, settings ...string) (*Dovecot, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("dovecot: resolve directory: %w", err)
	}
	for _, sub := range []string{"run", "state", "home"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("dovecot: make directory: %w", err)
		}
	}
	d := &Dovecot{dir: dir, identity: pickIdentity()}
	if err := os.WriteFile(d.ConfigPath(), []byte(d.config(settings)), 0o644); err != nil {
		return nil, fmt.Errorf("dovecot: write configuration: %w", err)
	}
	return d, nil
}

// NewT is Require and New in a temporary directory of the test.
func NewT(t testing.TB, settings ...string) *Dovecot {
	t.Helper()
	Require(t)
	d, err := New(t.TempDir(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// ConfigPath is the configuration file, for "-c".
func (d *Dovecot) ConfigPath() string { return filepath.Join(d.dir, "dovecot.conf") }

// Identity says how the programs run.
func (d *Dovecot) Identity() Identity { return d.identity }

// config is the smallest configuration with which doveadm and imap work
// alone. The separator is "/" for every layout.
func (d *Dovecot) config(settings []string) string {
	at := func(name string) string { return filepath.Join(d.dir, name) }
	lines := []string{
		"base_dir = " + at("run"),
		"state_dir = " + at("state"),
		"mail_home = " + at("home"),
		"mail_location = maildir:~/Maildir",
		"log_path = /dev/stderr",
		"stats_writer_socket_path =",
		"ssl = no",
		"protocols = imap",
		"mail_fsync = never",
		"namespace inbox {",
		"  inbox = yes",
		"  separator = /",
		"}",
	}
	return strings.Join(append(lines, settings...), "\n") + "\n"
}
