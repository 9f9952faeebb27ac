package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"dsync/fuzz/dovecot"
)

// R2 and R3: many small users in one process.

// crowdTool goes over all users of a crowd in one process.
type crowdTool struct {
	name    string
	root    string // the crowd, of this tool alone
	command func(ctx context.Context) *exec.Cmd
	rest    bool // two runs in a row found nothing to do
}

// manyUsers is R2: 1,000 users, first synced, then unchanged.
func (b *bench) manyUsers() error {
	d := b.o.users
	tools, err := b.crowdTools(d)
	if err != nil {
		return err
	}
	first := b.report.section("R2", kindFirst, d)
	for _, t := range tools {
		if err := b.recordCrowd(first, t); err != nil {
			return err
		}
		good := 0
		for i := 0; i < settlings && good < 2; i++ {
			got, err := b.runCrowd(t, d)
			if err != nil {
				return err
			}
			if good++; got.Code != 0 {
				good = 0
			}
		}
		if t.rest = good == 2; !t.rest {
			b.report.wrong("R2: %s does not come to rest over %s", t.name, d.title())
		}
	}
	s := b.report.section("R2", kindUnchanged, d)
	for round := range b.o.rounds {
		for i := range tools {
			t := tools[(i+round)%len(tools)]
			if !t.rest {
				continue
			}
			if err := b.recordCrowd(s, t); err != nil {
				return fmt.Errorf("round %d: %s: %w", round+1, t.name, err)
			}
		}
	}
	return nil
}

// crowdTools makes a crowd for each tool that is there.
func (b *bench) crowdTools(d dataset) (out []*crowdTool, err error) {
	for _, t := range b.tools {
		name := t.name()
		if name != "dsync" && name != "doveadm" {
			continue
		}
		c := &crowdTool{name: name, root: filepath.Join(b.dir, "crowd-"+name)}
		b.say("generating %s for %s", d.title(), name)
		if err := callSelf(b.ctx, "users", c.root, strconv.Itoa(d.Users), strconv.Itoa(d.Messages), strconv.Itoa(d.Seed)); err != nil {
			return nil, err
		}
		if name == "dsync" {
			err = c.asDsync(t.(dsyncTool), d)
		} else {
			err = b.asDoveadm(c, d)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func userNames(d dataset) []string {
	names := make([]string, d.Users)
	for i := range names {
		names[i] = userName(i)
	}
	return names
}

func (c *crowdTool) asDsync(t dsyncTool, d dataset) error {
	list := filepath.Join(c.root, "users")
	if err := os.WriteFile(list, []byte(strings.Join(userNames(d), "\n")+"\n"), 0o600); err != nil {
		return err
	}
	c.command = func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, t.path, "-o", "mail_location=maildir:"+filepath.Join(c.root, "%u", "left"),
			"-o", "changelog="+filepath.Join(c.root, "log"), "sync", "-s", "auto", "-F", list, "maildir:"+filepath.Join(c.root, "%u", "right"))
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.root, "TZ=UTC", "LC_ALL=C"}
		return cmd
	}
	return nil
}

func (b *bench) asDoveadm(c *crowdTool, d dataset) error {
	dir, err := os.MkdirTemp("", "dsync-users-") // a socket's path must be short
	if err != nil {
		return err
	}
	context.AfterFunc(b.ctx, func() { os.RemoveAll(dir) })
	if c.root, err = filepath.Abs(c.root); err != nil {
		return err
	}
	socket := filepath.Join(dir, "s")
	dv, err := dovecot.New(dir, "mail_fsync = optimized", "auth_socket_path = "+socket)
	if err != nil {
		return err
	}
	var l net.Listener
	if l, err = serveUsers(socket, c.root, userNames(d), 1000); err != nil {
		return err
	}
	context.AfterFunc(b.ctx, func() { l.Close() })
	c.command = func(ctx context.Context) *exec.Cmd {
		return dv.Store("maildir:~/left").Command(ctx, "sync", "-A", "maildir:~/right")
	}
	return nil
}

// runCrowd makes a run over all users, and looks whether both sides of each are equal.
func (b *bench) runCrowd(t *crowdTool, d dataset) (sample, error) {
	got, _, stderr, err := measure(t.command(b.ctx))
	if err != nil {
		return got, err
	}
	if got.Code != 0 && got.Code != 2 {
		return got, &wrongError{fmt.Sprintf("exit status %d: %.500s", got.Code, stderr)}
	}
	for i := range d.Users {
		want, err := fingerprintOf(userDir(t.root, "left", i), 0)
		if err != nil {
			return got, err
		}
		is, err := fingerprintOf(userDir(t.root, "right", i), 0)
		if err != nil || is != want || want.Messages != d.Messages {
			return got, &wrongError{fmt.Sprintf("%s: the right side holds %d messages, the left one %d of %d: %v", userName(i), is.Messages, want.Messages, d.Messages, err)}
		}
	}
	return got, nil
}

func (b *bench) recordCrowd(s *section, t *crowdTool) error {
	got, err := b.runCrowd(t, s.Data)
	var wrong *wrongError
	if errors.As(err, &wrong) {
		b.report.wrong("%s, %s, %s: %s: %s", s.Scenario, s.Kind, s.Data.title(), t.name, wrong.what)
		s.row(t.name).Wrong = true
		err = nil
	}
	if err != nil {
		return err
	}
	row := s.row(t.name)
	row.Samples = append(row.Samples, got)
	b.say("%s %s, %s: %s: wall %.2f s, CPU %.2f s, %.0f MB", s.Scenario, s.Kind, s.Data.title(), t.name, wallSeconds(got), cpuSeconds(got), megabytes(got))
	return nil
}

// The two databases of R3, as rows of its table.
const (
	fewLogs  = "few accounts"
	manyLogs = "many accounts"
)

// manyAccounts is R3: runs over the same unchanged users, whose logs are in a database
// of their own, and in one with many others. Those others' logs are written by a
// recorder that looks at accounts in memory: 100,000 × 50 files on each side would be
// the disk's affair. The databases are used as a process with many users uses them.
func (b *bench) manyAccounts() error {
	d := b.o.users
	root := filepath.Join(b.dir, "accounts")
	count, others := strconv.Itoa(d.Users), max(b.o.accounts-2*d.Users, 0)
	b.say("R3: %s users, and the logs of %s other accounts", thousands(d.Users), thousands(others))
	if err := callSelf(b.ctx, "users", root, count, strconv.Itoa(d.Messages), strconv.Itoa(d.Seed)); err != nil {
		return err
	}
	if _, err := b.pass(root, "few", count, 1, false); err != nil {
		return err
	}
	if err := copyTree(b.ctx, filepath.Join(root, "few"), filepath.Join(root, "many")); err != nil {
		return err
	}
	if err := callSelf(b.ctx, "fill", root, "many", strconv.Itoa(others), strconv.Itoa(d.Messages), strconv.Itoa(d.Seed+d.Users)); err != nil {
		return err
	}
	s := b.report.section("R3", kindUnchanged, d)
	logs := map[string]string{fewLogs: "few", manyLogs: "many"}
	for _, name := range []string{fewLogs, manyLogs} {
		if _, err := b.pass(root, logs[name], count, 2, false); err != nil { // until they are at rest
			return err
		}
	}
	for range b.o.rounds {
		for _, name := range []string{fewLogs, manyLogs} {
			p, err := b.pass(root, logs[name], count, 1, true)
			if err != nil {
				return err
			}
			if p.Quiet != p.Users {
				b.report.wrong("R3, %s: %d of %d runs had something to do", name, p.Users-p.Quiet, p.Users)
			}
			row := s.row(name)
			row.Samples = append(row.Samples, sample{Wall: p.Wall, User: p.CPU, RSS: p.RSS})
			s.Note = fmt.Sprintf("%s\n%s: %d logs, opened in %d ms; %.1f values and %.1f ranges read of the database a user.", s.Note, name, p.Logs,
				p.Open.Milliseconds(), float64(p.Gets)/float64(p.Users), float64(p.Walks)/float64(p.Users))
			s.Opened = append(s.Opened, p.Open)
		}
	}
	return nil
}

// pass calls the internal command of that name.
func (b *bench) pass(root, log, count string, rounds int, all bool) (p pass, err error) {
	self, err := os.Executable()
	if err != nil {
		return p, err
	}
	whole := "0"
	if all {
		whole = "1"
	}
	cmd := exec.CommandContext(b.ctx, self, internal, "pass", root, log, count, "2", strconv.Itoa(rounds), whole)
	got, stdout, stderr, err := measure(cmd)
	if err != nil {
		return p, err
	}
	if got.Code != 0 {
		return p, fmt.Errorf("%s: %s", strings.Join(cmd.Args, " "), stderr)
	}
	return p, json.Unmarshal([]byte(stdout), &p)
}
