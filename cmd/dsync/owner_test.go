package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/owner"
)

// host is a machine: a change log and some accounts.
type host struct {
	t   *testing.T
	dir string
}

func newHost(t *testing.T, base, name string) *host {
	h := &host{t, filepath.Join(base, name)}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *host) mail(user string) string { return filepath.Join(h.dir, user) }
func (h *host) log() string             { return filepath.Join(h.dir, "log") }

// deliver puts messages into an account's INBOX.
func (h *host) deliver(user string, from, to int) {
	h.t.Helper()
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(h.mail(user), d), 0o700); err != nil {
			h.t.Fatal(err)
		}
	}
	for i := from; i < to; i++ {
		name := fmt.Sprintf("%d.M%d.%s", 1700000000+i, i, filepath.Base(h.dir))
		text := fmt.Sprintf("Subject: %d\n\n%s\n", i, strings.Repeat("x", i%100))
		if err := os.WriteFile(filepath.Join(h.mail(user), "new", name), []byte(text), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *host) messages(user string) int {
	n := 0
	for _, d := range []string{"cur", "new"} {
		all, _ := os.ReadDir(filepath.Join(h.mail(user), d))
		n += len(all)
	}
	return n
}

// at gives a command line of this host's.
func (h *host) at(user string, args ...string) []string {
	return append([]string{args[0], "-o", "changelog=" + h.log(), "-o", "mail_location=maildir:" + h.mail(user)}, args[1:]...)
}

// server is a destination that leads to an account of this host.
func (h *host) server(user string) []string {
	return append([]string{os.Args[0]}, h.at(user, "server")...)
}

// process is a dsync under way.
type process struct {
	*exec.Cmd
	t        *testing.T
	out, err bytes.Buffer
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), t: t}
	p.Env = append(os.Environ(), "DSYNC_TEST_ENGINE=real")
	p.Stdout, p.Stderr = &p.out, &p.err
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

// status waits for the end.
func (p *process) status() int {
	var exit *exec.ExitError
	if err := p.Wait(); errors.As(err, &exit) {
		return exit.ExitCode()
	} else if err != nil {
		p.t.Fatal(err)
	}
	return 0
}

// wants checks status and the number of lines on standard output.
func (p *process) wants(status, lines int) {
	p.t.Helper()
	if got := p.status(); got != status || strings.Count(p.out.String(), "\n") != lines {
		p.t.Errorf("%v: exit %d, want %d with %d lines of output\nstdout: %s\nstderr: %s", p.Args[1:], got, status, lines, p.out.String(), p.err.String())
	}
}

// wait waits until what holds.
func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// listens reports whether an owner has the change log of the host.
func (h *host) listens() bool {
	c, err := owner.Dial(filepath.Join(h.log(), owner.SocketName))
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// Two hosts whose commands sync with each other at once: each holds its own change log
// and is asked for it by the other's far end.
func TestHostsAtEachOther(t *testing.T) {
	base := t.TempDir()
	a, b := newHost(t, base, "a"), newHost(t, base, "b")
	a.deliver("ann", 0, 20)
	b.deliver("ann", 20, 40)
	for round := range 10 {
		a.deliver("ann", 100+round, 101+round)
		b.deliver("ann", 200+round, 201+round)
		var all []*process
		for range 2 {
			all = append(all, start(t, a.at("ann", append([]string{"sync", "-l", "20"}, b.server("ann")...)...)...),
				start(t, b.at("ann", append([]string{"sync", "-l", "20"}, a.server("ann")...)...)...))
		}
		for _, p := range all {
			if got := p.status(); got != engine.ExitOK && got != engine.ExitAgain || strings.Count(p.out.String(), "\n") != 1 {
				t.Fatalf("round %d: %v: exit %d\nstdout: %s\nstderr: %s", round, p.Args[1:3], got, p.out.String(), p.err.String())
			}
		}
	}
	if got := [2]int{a.messages("ann"), b.messages("ann")}; got != [2]int{60, 60} {
		t.Errorf("%v messages, want 60 at both hosts", got)
	}
}

// A run that is over waits for its child, and the child for a run on the same account:
// as a far end does that is the owner of its change log and has such a run in its hands.
// (Two hosts at each other came to rest so, until -l was over, in 2 of 400 runs.)
func TestChildWantsTheAccount(t *testing.T) {
	base := t.TempDir()
	a, b := newHost(t, base, "a"), newHost(t, base, "b")
	a.deliver("ann", 0, 3)
	inner := strings.Join(append([]string{os.Args[0]}, a.pair("ann", "-l", "10", "-s", "auto")...), " ")
	child := strings.Join(b.server("ann"), " ") + "; " + inner
	start(t, a.at("ann", "sync", "sh", "-c", child)...).wants(engine.ExitOK, 1)
	if n := a.messages("ann.copy"); n != 3 {
		t.Errorf("the child's own run copied %d messages, want 3", n)
	}
}

// hold locks an account's store, as another run would, until the function is called.
func (h *host) hold(user string) (release func()) {
	h.t.Helper()
	f, err := os.OpenFile(filepath.Join(h.mail(user), "dsync.lock"), os.O_RDWR, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		h.t.Fatal(err)
	}
	return sync.OnceFunc(func() { f.Close() })
}

// pair syncs an account with its copy on the same host.
func (h *host) pair(user string, args ...string) []string {
	return append(h.at(user, append([]string{"sync"}, args...)...), "maildir:"+h.mail(user)+".copy")
}

// busyHost has accounts that were synced once, and an owner whose own run waits until
// release is called.
func busyHost(t *testing.T, users ...string) (h *host, p *process, release func()) {
	h = newHost(t, t.TempDir(), "h")
	for _, user := range append(users, "own") {
		h.deliver(user, 0, 3)
		start(t, h.pair(user)...).wants(engine.ExitOK, 1)
		h.deliver(user, 3, 4)
	}
	release = h.hold("own")
	p = start(t, h.pair("own", "-l", "120")...)
	wait(t, "an owner", h.listens)
	return h, p, release
}

func TestHandOver(t *testing.T) {
	h, p, release := busyHost(t, "ann", "bob")
	for _, args := range [][]string{h.pair("ann", "-v"), h.pair("bob", "--json", "-s", "auto")} {
		q := start(t, args...)
		q.wants(engine.ExitOK, 1)
		if out := q.out.String() + q.err.String(); !strings.Contains(out, "1 messages copied") && !strings.Contains(out, `"copied":1`) {
			t.Errorf("%v: %s", args, out)
		}
	}
	q := start(t, h.at("ann", "plan", "-l", "0", "maildir:"+h.mail("new"))...)
	if got, n := q.status(), strings.Count(q.out.String(), "far: copy"); got != engine.ExitAgain || n != 4 {
		t.Errorf("plan: exit %d, %d messages to copy, want 2 and 4: %s", got, n, q.err.String())
	}
	release()
	p.wants(engine.ExitOK, 1)
	if h.listens() || h.messages("ann.copy") != 4 {
		t.Error("the owner has ended, and yet something listens, or mail is missing")
	}
}

// Who asks is interrupted: the run ends in the owner as it would have here.
func TestAskerInterrupted(t *testing.T) {
	h, p, release := busyHost(t, "ann")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		held := h.hold("ann")
		q := start(t, h.pair("ann", "-l", "100", "-D")...)
		time.Sleep(300 * time.Millisecond) // for the run to begin; sooner is as good
		q.Process.Signal(sig)
		if sig == syscall.SIGKILL {
			q.Wait()
		} else {
			q.wants(engine.ExitTemp, 1)
			if !strings.Contains(q.err.String(), "interrupted") {
				t.Errorf("%v: %s", sig, q.err.String())
			}
		}
		held()
		start(t, h.pair("ann", "-l", "10")...).wants(engine.ExitOK, 1)
	}
	release()
	p.wants(engine.ExitOK, 1)
}

// The owner dies: who had handed something to it says so, the next takes its place.
func TestOwnerKilled(t *testing.T) {
	h, p, _ := busyHost(t, "ann")
	held := h.hold("ann")
	q := start(t, h.pair("ann", "-l", "100")...)
	time.Sleep(300 * time.Millisecond)
	p.Process.Kill()
	p.Wait()
	if got := q.status(); got == engine.ExitTemp {
		if !strings.Contains(q.err.String(), "in the middle") || strings.Count(q.out.String(), "\n") != 1 {
			t.Errorf("%s%s", q.out.String(), q.err.String())
		}
	} else {
		t.Errorf("exit %d: %s", got, q.err.String())
	}
	held()
	start(t, h.pair("ann", "-l", "10")...).wants(engine.ExitOK, 1) // over a socket that nobody listens at
}

// An owner whose own work is done finishes what it was handed, and takes nothing new.
func TestOwnerEnds(t *testing.T) {
	h, p, release := busyHost(t, "ann", "bob")
	held := h.hold("ann")
	q := start(t, h.pair("ann", "-l", "100")...)
	time.Sleep(300 * time.Millisecond)
	release()
	time.Sleep(300 * time.Millisecond)
	late := start(t, h.pair("bob", "-l", "1")...)
	late.wants(engine.ExitTemp, 1)
	if !strings.Contains(late.err.String(), fmt.Sprintf("pid %d", p.Process.Pid)) {
		t.Errorf("who holds the change log is not named: %s", late.err.String())
	}
	late = start(t, h.pair("bob", "-l", "100")...)
	held()
	for _, x := range []*process{q, p, late} {
		x.wants(engine.ExitOK, 1)
	}
}

// A socket that others may use, or that does not answer, is not used.
func TestForeignSocket(t *testing.T) {
	h, p, release := busyHost(t, "ann")
	sock := filepath.Join(h.log(), owner.SocketName)
	if err := os.Chmod(sock, 0o666); err != nil {
		t.Fatal(err)
	}
	q := start(t, h.pair("ann", "-l", "1")...)
	q.wants(engine.ExitTemp, 1)
	if !strings.Contains(q.err.String(), "mode 0666") || !strings.Contains(q.err.String(), fmt.Sprintf("pid %d", p.Process.Pid)) {
		t.Error(q.err.String())
	}
	if err := os.Chmod(sock, 0o600); err != nil {
		t.Fatal(err)
	}
	p.Process.Signal(syscall.SIGSTOP)
	q = start(t, h.pair("ann", "-l", "1")...)
	q.wants(engine.ExitTemp, 1)
	if !strings.Contains(q.err.String(), "does not answer") {
		t.Error(q.err.String())
	}
	p.Process.Signal(syscall.SIGCONT)
	release()
	p.wants(engine.ExitOK, 1)
}
