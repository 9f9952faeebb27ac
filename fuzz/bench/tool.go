package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dsync/fuzz/dovecot"
)

// step is what a tool is asked to do with a pair.
type step int

const (
	stepFirst step = iota // the right side does not exist yet
	stepAgain             // an incremental run
	stepFull              // a full comparison of two equal sides
)

// errNotOffered is a step that a tool has no command for.
var errNotOffered = errors.New("not offered by this tool")

// pair is two sides in the hands of one tool, and what it keeps about them.
type pair struct {
	dir   string // holds left, right and aux
	state string // what the last run printed
	data  dataset
	round int // changes made so far, for seeds
}

func (p *pair) left() string  { return filepath.Join(p.dir, "left") }
func (p *pair) right() string { return filepath.Join(p.dir, "right") }
func (p *pair) aux() string   { return filepath.Join(p.dir, "aux") }

// tool is a program that is measured.
type tool interface {
	name() string
	version(ctx context.Context) string
	// command builds the run; errNotOffered if there is none.
	command(ctx context.Context, p *pair, s step) (*exec.Cmd, error)
	// finish learns what the run printed.
	finish(p *pair, stdout string)
	// accepts says whether an exit status is an ordinary one.
	accepts(code int) bool
	// settled is true if pairs are made equal by dsync where it can be, because the
	// tool's own first sync takes too long.
	settled() bool
	// growth is the number of bytes it adds to each message that it copies.
	growth() int64
}

// findTool makes a tool; the error says why it cannot be measured.
func findTool(name string, o options, dir string) (tool, error) {
	switch name {
	case "dsync":
		return findDsync(o.dsync)
	case "doveadm":
		if !dovecot.Available() {
			return nil, errors.New("doveadm is not on PATH")
		}
		sub := filepath.Join(dir, "dovecot")
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return nil, err
		}
		d, err := dovecot.New(sub, "mail_fsync = optimized")
		return doveadmTool{d}, err
	case "mbsync":
		if _, err := exec.LookPath("mbsync"); err != nil {
			return nil, errors.New("mbsync is not on PATH")
		}
		return mbsyncTool{}, nil
	}
	return cpTool{}, nil
}

// findDsync finds the program, and is not taken in by Dovecot's program of the
// same name, which is doveadm under another name.
func findDsync(name string) (tool, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%s is not built", name)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Base(real) == "doveadm" {
		return nil, fmt.Errorf("%s is Dovecot's", path)
	}
	return dsyncTool{path}, nil
}

// firstLine is what a program says of its version.
func firstLine(ctx context.Context, program string, args ...string) string {
	output, err := exec.CommandContext(ctx, program, args...).Output()
	line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
	if err != nil || line == "" {
		return "unknown"
	}
	return line
}

// plainEnv is the environment of tools that need only a home.
func plainEnv(p *pair) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.aux(), "TZ=UTC", "LC_ALL=C"}
}

// dsyncTool is the program of this project.
type dsyncTool struct{ path string }

func (dsyncTool) name() string                         { return "dsync" }
func (t dsyncTool) version(ctx context.Context) string { return firstLine(ctx, t.path, "version") }
func (dsyncTool) accepts(code int) bool                { return code == 0 }
func (dsyncTool) settled() bool                        { return false }
func (dsyncTool) growth() int64                        { return 0 }
func (dsyncTool) finish(p *pair, stdout string)        { p.state = strings.TrimSpace(stdout) }

func (t dsyncTool) command(ctx context.Context, p *pair, s step) (*exec.Cmd, error) {
	var full []string
	if s == stepFull {
		full = []string{"-f"}
	}
	return t.with(ctx, p, full...), nil
}

// with is "dsync … sync EXTRA -s STATE maildir:RIGHT".
func (t dsyncTool) with(ctx context.Context, p *pair, extra ...string) *exec.Cmd {
	args := []string{"-o", "mail_location=maildir:" + p.left(), "-o", "changelog=" + filepath.Join(p.aux(), "log"), "sync"}
	args = append(append(args, extra...), "-s", p.state, "maildir:"+p.right())
	cmd := exec.CommandContext(ctx, t.path, args...)
	cmd.Env = plainEnv(p)
	return cmd
}

// doveadmTool is doveadm sync.
type doveadmTool struct{ d *dovecot.Dovecot }

func (doveadmTool) name() string                       { return "doveadm" }
func (doveadmTool) version(ctx context.Context) string { return firstLine(ctx, "dovecot", "--version") }
func (doveadmTool) accepts(code int) bool              { return code == 0 || code == 2 }
func (doveadmTool) settled() bool                      { return true }
func (doveadmTool) growth() int64                      { return 0 }

func (doveadmTool) finish(p *pair, stdout string) {
	if state := strings.TrimSpace(stdout); state != "" {
		p.state = state
	}
}

func (t doveadmTool) command(ctx context.Context, p *pair, s step) (*exec.Cmd, error) {
	mode := []string{"-s", p.state}
	if s == stepFull {
		mode = []string{"-f"}
	}
	args := append(append([]string{"sync"}, mode...), "maildir:"+p.right())
	return t.d.Store("maildir:"+p.left()).Command(ctx, args...), nil
}

// mbsyncTool is isync's mbsync, Maildir to Maildir.
type mbsyncTool struct{}

func (mbsyncTool) name() string                       { return "mbsync" }
func (mbsyncTool) version(ctx context.Context) string { return firstLine(ctx, "mbsync", "--version") }
func (mbsyncTool) accepts(code int) bool              { return code == 0 }
func (mbsyncTool) settled() bool                      { return false }
func (mbsyncTool) growth() int64                      { return int64(len("X-TUID: 123456789012\n")) }
func (mbsyncTool) finish(*pair, string)               {}

const mbsyncConfig = `FSync yes

MaildirStore left
Inbox %[1]s
SubFolders Maildir++

MaildirStore right
Inbox %[2]s
SubFolders Maildir++

Channel all
Far :left:
Near :right:
Patterns *
Create Both
Expunge Both
CopyArrivalDate yes
SyncState %[3]s/
`

func (mbsyncTool) command(ctx context.Context, p *pair, s step) (*exec.Cmd, error) {
	if s == stepFull {
		return nil, errNotOffered
	}
	config := filepath.Join(p.aux(), "mbsyncrc")
	states := filepath.Join(p.aux(), "states")
	if err := os.MkdirAll(states, 0o700); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(mbsyncConfig, p.left(), p.right(), states)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "mbsync", "-q", "-c", config, "-a")
	cmd.Env = plainEnv(p)
	return cmd, nil
}

// cpTool is the yardstick for a first sync.
type cpTool struct{}

func (cpTool) name() string                       { return "cp" }
func (cpTool) version(ctx context.Context) string { return firstLine(ctx, "cp", "--version") }
func (cpTool) accepts(code int) bool              { return code == 0 }
func (cpTool) settled() bool                      { return false }
func (cpTool) growth() int64                      { return 0 }
func (cpTool) finish(*pair, string)               {}

func (cpTool) command(ctx context.Context, p *pair, s step) (*exec.Cmd, error) {
	if s != stepFirst {
		return nil, errNotOffered
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", `cp -a "$1" "$2" && sync`, "sh", p.left(), p.right())
	cmd.Env = plainEnv(p)
	return cmd, nil
}
