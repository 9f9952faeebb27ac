package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// hosts is a directory in which near and far ends have their files, and the program
// itself, run as processes.
type hosts struct {
	*testing.T
	dir string
}

func newHosts(t *testing.T) *hosts {
	h := &hosts{t, t.TempDir()}
	for d := h.dir; d != "/" && d != filepath.Clean(os.TempDir()); d = filepath.Dir(d) { // other users come here
		h.must(os.Chmod(d, 0o711))
	}
	return h
}

func (h *hosts) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// file writes a file that only its owner can read.
func (h *hosts) file(name, text string) string {
	h.Helper()
	path := filepath.Join(h.dir, name)
	h.must(os.WriteFile(path, []byte(text), 0o600))
	return path
}

// maildir makes an account with messages, which are a user's; uid 0: root's.
func (h *hosts) maildir(name string, uid int, keys ...string) string {
	h.Helper()
	path := filepath.Join(h.dir, name)
	for _, d := range []string{"cur", "new", "tmp"} {
		h.must(os.MkdirAll(filepath.Join(path, d), 0o700))
	}
	for _, k := range keys {
		h.must(os.WriteFile(filepath.Join(path, "cur", k+":2,"), fmt.Appendf(nil, "Subject: %s\n\n%s\n", k, k), 0o600))
	}
	if uid != 0 {
		h.must(filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error { return errors.Join(err, os.Lchown(p, uid, uid)) }))
	}
	return path
}

// keys lists the messages of an account's INBOX.
func (h *hosts) keys(name string) string {
	h.Helper()
	all, err := os.ReadDir(filepath.Join(h.dir, name, "cur"))
	h.must(err)
	var out []string
	for _, e := range all {
		key, _, _ := strings.Cut(e.Name(), ":")
		out = append(out, key)
	}
	return strings.Join(out, " ")
}

// program is a call of the program that is not begun yet.
func (h *hosts) program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "DSYNC_TEST_ENGINE=real", "HOME="+h.dir, "XDG_CONFIG_HOME=", "USER=")
	cmd.Dir = h.dir
	return cmd
}

// ended is what a call of the program left.
type ended struct {
	exit           int
	stdout, stderr string
}

// do runs the program.
func (h *hosts) do(args ...string) (e ended) {
	h.Helper()
	var stdout, stderr bytes.Buffer
	cmd := h.program(args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.Fatal(err)
	}
	return ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// want complains of another exit status.
func (h *hosts) want(e ended, exit int, says ...string) {
	h.Helper()
	for _, s := range says {
		if !strings.Contains(e.stderr, s) {
			h.Errorf("standard error has no %q", s)
		}
	}
	if e.exit != exit || h.Failed() {
		h.Errorf("exit %d, want %d: %s%s", e.exit, exit, e.stdout, e.stderr)
	}
}

// listening is "dsync server --listen", running.
type listening struct {
	address string
	cmd     *exec.Cmd
	mu      sync.Mutex
	said    []string
	done    chan struct{}
}

// listen starts a server on tcp of loopback; args are its settings.
func (h *hosts) listen(args ...string) *listening {
	h.Helper()
	l := &listening{cmd: h.program(append([]string{"-v", "server"}, args...)...), done: make(chan struct{})}
	stderr, err := l.cmd.StderrPipe()
	h.must(err)
	h.must(l.cmd.Start())
	found := make(chan string, 1)
	go func() {
		defer close(l.done)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			l.mu.Lock()
			l.said = append(l.said, lines.Text())
			l.mu.Unlock()
			if _, rest, ok := strings.Cut(lines.Text(), "listening on "); ok {
				found <- strings.Fields(rest)[0]
			}
		}
	}()
	h.Cleanup(func() { l.stop() })
	select {
	case l.address = <-found:
	case <-l.done:
		h.Fatalf("the server does not listen: %s", l.all())
	}
	return l
}

func (l *listening) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.said, "\n")
}

// stop ends the server, once, and gives its exit status.
func (l *listening) stop() int {
	l.cmd.Process.Signal(syscall.SIGTERM)
	<-l.done
	l.cmd.Wait()
	return l.cmd.ProcessState.ExitCode()
}

// owned finds what is in an account and is not the user's.
func (h *hosts) owned(name string, uid int) {
	h.Helper()
	h.must(filepath.WalkDir(filepath.Join(h.dir, name), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		in, err := e.Info()
		if err != nil {
			return err
		}
		if st := in.Sys().(*syscall.Stat_t); int(st.Uid) != uid || int(st.Gid) != uid {
			h.Errorf("%s is uid %d's, gid %d's, want %d", path, st.Uid, st.Gid, uid)
		}
		return nil
	}))
}

const (
	mine  = "this secret is nobody else's"
	other = "this one is somebody else's"
)

// Root syncs the mail of many users over tcp: at both ends each user's files are
// reached in that user's name, and one who cannot be, or may not, delays nobody.
func TestNetworkAsUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can reach files as another user")
	}
	h := newHosts(t)
	for i, u := range []string{"ann", "bob", "eve", "kim"} {
		h.maildir("near/"+u, 54401+i, "1."+u+".h")
		h.maildir("far/"+u, 54501+i, "2."+u+".h")
	}
	h.maildir("near/zoe", 54409)
	h.must(os.Chown(h.dir+"/far/eve/cur", 0, 0)) // her far end is broken
	h.must(os.Chmod(h.dir+"/far/eve/cur", 0o700))
	h.must(errors.Join(os.Chmod(h.dir+"/near", 0o711), os.Chmod(h.dir+"/far", 0o711)))
	near := h.file("near.users", "ann::54401:54401\nbob::54402:54402\neve::54403:54403\nkim::54404:54404\nroot::::\nzoe::54409:54409\n")
	far := h.file("far.users", "ann::54501:54501\nbob::54502:54502\neve::54503:54503\nkim::54504:54504\n")
	secrets := h.file("secrets", "mx1:"+mine+"\nmx2:"+other+"\n")
	secret := h.file("secret", "mx1:"+mine+"\n")
	l := h.listen("-c", "", "-o", "user_databases=passwd_file", "-o", "passwd_file.path="+far, "-o", "mail_location=maildir:"+h.dir+"/far/%u",
		"-o", "changelog="+h.dir+"/far.log", "-o", "listen.secret_file="+secrets, "-o", "listen.users=mx1=???,mx2=bob", "--listen", "tcp:127.0.0.1:0")
	sync := func(more ...string) ended {
		args := []string{"-c", "", "sync", "-j", "3", "-s", "auto", "-o", "user_databases=passwd_file", "-o", "passwd_file.path=" + near, "-o", "mail_location=maildir:" + h.dir + "/near/%u",
			"-o", "changelog=" + h.dir + "/near.log", "-o", "connect.secret_file=" + secret}
		return h.do(append(append(args, more...), "tcp:"+l.address)...)
	}
	for i := range 2 {
		e := sync("-A")
		h.want(e, 78, "user eve ended with status 77", "user root ended with status 78", "user zoe ended with status 67", "no uid, or root's")
		for _, u := range []string{"ann", "bob", "kim"} {
			uid := map[string]int{"ann": 1, "bob": 2, "kim": 4}[u]
			h.owned("near/"+u, 54400+uid)
			h.owned("far/"+u, 54500+uid)
			if want := "1." + u + ".h 2." + u + ".h"; h.keys("near/"+u) != want || h.keys("far/"+u) != want {
				t.Errorf("run %d, %s: near %s, far %s", i, u, h.keys("near/"+u), h.keys("far/"+u))
			}
		}
		if h.keys("near/eve") != "1.eve.h" || h.keys("far/eve") != "2.eve.h" {
			t.Errorf("run %d: eve's mail changed", i)
		}
	}
	if n := strings.Count(l.all(), ": let in"); n > 2*(3+3) {
		t.Errorf("%d connections for two runs of six users: they are not used again", n)
	}
	h.must(os.WriteFile(secret, []byte("mx2:"+other+"\n"), 0o600))
	h.want(sync("-u", "bob"), 0)
	h.want(sync("-u", "ann"), 77, "does not let you touch the mail of that user")
	h.must(os.WriteFile(secret, []byte("mx2:"+mine+"\n"), 0o600))
	h.want(sync("-u", "bob"), 77, "the login is not good")
	h.must(os.Chmod(secret, 0o640))
	h.want(sync("-u", "bob"), 78, "chmod 600")
	if exit := l.stop(); exit != 0 || strings.Contains(l.all(), mine) || strings.Contains(l.all(), "internal error") {
		t.Errorf("the server ended with %d: %s", exit, l.all())
	}
}
