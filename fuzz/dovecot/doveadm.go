package dovecot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Store is one mail location as Dovecot sees it.
type Store struct {
	d        *Dovecot
	location string
}

// Store names a mail location such as "maildir:/path:LAYOUT=fs". Nothing is
// made until a command needs it.
func (d *Dovecot) Store(location string) *Store {
	return &Store{d: d, location: location}
}

// Location is the mail location as given.
func (s *Store) Location() string { return s.location }

// Command builds "doveadm -c CONF -o mail_location=LOCATION ARGS…" under the
// right identity and environment, ready to run. The benchmark measures it.
func (s *Store) Command(ctx context.Context, args ...string) *exec.Cmd {
	full := append([]string{"-c", s.d.ConfigPath(), "-o", "mail_location=" + s.location}, args...)
	return s.d.command(ctx, "doveadm", full...)
}

// command is any program in Dovecot's environment and identity.
func (d *Dovecot) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := d.identity.command(ctx, program, args)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + d.dir + "/home", "USER=u", "TZ=UTC",
		"CONFIG_FILE=" + d.ConfigPath(),
	}
	return cmd
}

// CommandError is a doveadm run that ended with a status other than 0.
type CommandError struct {
	Args   []string // of doveadm, without configuration and location
	Code   int      // exit status
	Stderr string   // what it said
}

// Error gives the command, the status and what doveadm said.
func (e *CommandError) Error() string {
	return fmt.Sprintf("dovecot: doveadm %s: exit status %d: %s",
		strings.Join(e.Args, " "), e.Code, strings.TrimSpace(e.Stderr))
}

// Doveadm runs one doveadm command on the location and returns its standard
// output. An exit status other than 0 is a *CommandError.
func (s *Store) Doveadm(args ...string) (string, error) {
	return s.doveadm(nil, args...)
}

func (s *Store) doveadm(stdin io.Reader, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), CommandLimit)
	defer cancel()
	cmd := s.Command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		err = &CommandError{Args: args, Code: exit.ExitCode(), Stderr: stderr.String()}
	}
	return stdout.String(), err
}

// Save stores a message with "doveadm save", which, unlike IMAP's APPEND,
// takes NUL bytes. The received date is now.
func (s *Store) Save(mailbox string, message []byte) error {
	_, err := s.doveadm(bytes.NewReader(message), "save", "-m", mailbox)
	return err
}

// Sync runs "doveadm sync OPTIONS… DESTINATION" and returns the state it
// printed and the exit status. Statuses other than 0 are no error here: 2 and
// 75 are ordinary answers of doveadm sync. err is for a run that could not be
// made; stderr is what was said.
func (s *Store) Sync(destination string, options ...string) (state string, code int, stderr string, err error) {
	return s.pair("sync", destination, options)
}

// Backup is Sync for "doveadm backup".
func (s *Store) Backup(destination string, options ...string) (state string, code int, stderr string, err error) {
	return s.pair("backup", destination, options)
}

func (s *Store) pair(verb, destination string, options []string) (string, int, string, error) {
	args := append(append([]string{verb}, options...), destination)
	out, err := s.Doveadm(args...)
	var failed *CommandError
	if errors.As(err, &failed) {
		return strings.TrimSpace(out), failed.Code, failed.Stderr, nil
	}
	return strings.TrimSpace(out), 0, "", err
}

// Shell is a line for sh in Dovecot's environment and identity, ready to run.
// doveadm finds the configuration of its own accord there.
func (d *Dovecot) Shell(ctx context.Context, line string) *exec.Cmd {
	return d.command(ctx, "sh", "-c", line)
}
