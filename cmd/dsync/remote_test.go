package main

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dsync/cmd/internal/listen/listentest"
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

// TLS with certificates at both ends, a secret besides, and SIGHUP that has them read
// anew: a certificate that has expired is replaced while the server goes on.
func TestNetworkTLS(t *testing.T) {
	h := newHosts(t)
	ca := listentest.NewAuthority(t, "ours")
	expired := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	farCert, farKey := ca.Pair("far", expired)
	nearCert, nearKey := ca.Pair("near", nil)
	conf := func(cert, key string) string {
		return fmt.Sprintf("mail_location = 'maildir:%[1]s/far-%%u'\nchangelog = '%[1]s/far.log'\n[listen]\naddress = '127.0.0.1:0'\ncert = '%[2]s'\nkey = '%[3]s'\nca = '%[4]s'\n"+
			"secret_file = '%[1]s/secrets'\nusers = ['near=*', 'mx1=b*']\n", h.dir, cert, key, ca.File)
	}
	file := h.file("far.toml", conf(farCert, farKey))
	h.file("secrets", "mx1:"+mine+"\n")
	h.file("near.toml", fmt.Sprintf("mail_location = 'maildir:%[1]s/near-%%u'\nchangelog = '%[1]s/near.log'\n[connect]\ncert = '%[2]s'\nkey = '%[3]s'\nca = '%[4]s'\nsecret_file = '%[1]s/secrets'\n",
		h.dir, nearCert, nearKey, ca.File))
	h.maildir("near-bob", 0, "1.h")
	h.maildir("far-bob", 0, "2.h")
	l := h.listen("-c", file, "--listen", "")
	sync := func(user string, more ...string) ended {
		return h.do(append(append([]string{"-c", h.dir + "/near.toml", "sync", "-s", "auto", "-u", user}, more...), "tcps:"+l.address)...)
	}
	h.want(sync("bob"), 77, "expired")
	h.file("far.toml", "listen = 1\n") // a mistake changes nothing
	h.must(l.cmd.Process.Signal(syscall.SIGHUP))
	l.wait(h, "the configuration stays as it was")
	h.want(sync("bob"), 77, "expired")
	h.file("far.toml", conf(ca.Pair("far", nil)))
	h.must(l.cmd.Process.Signal(syscall.SIGHUP))
	l.wait(h, "the configuration was read anew")
	h.want(sync("bob"), 0)
	if h.keys("near-bob") != "1.h 2.h" || h.keys("far-bob") != "1.h 2.h" {
		t.Errorf("near %s, far %s", h.keys("near-bob"), h.keys("far-bob"))
	}
	h.want(sync("ann"), 77, "does not let you touch")
	h.want(sync("bob", "-o", "connect.cert=", "-o", "connect.key="), 77, "tls: ")
	h.want(sync("bob", "-o", "connect.secret_file="), 77, "a login is due")
	h.want(sync("bob", "-o", "connect.ca="), 77, "unknown authority")
	if exit := l.stop(); exit != 0 {
		t.Errorf("the server ended with %d: %s", exit, l.all())
	}
}

// What cannot be safe is not listened to.
func TestListenRefuses(t *testing.T) {
	h := newHosts(t)
	ca := listentest.NewAuthority(t, "ours")
	cert, key := ca.Pair("far", nil)
	secrets := h.file("secrets", "mx1:"+mine+"\n")
	open := h.file("open", "mx1:"+mine+"\n")
	h.must(os.Chmod(open, 0o644))
	tls := []string{"-o", "listen.cert=" + cert, "-o", "listen.key=" + key}
	secret, users := []string{"-o", "listen.secret_file=" + secrets}, []string{"-o", "listen.users=*"}
	for _, c := range []struct {
		exit int
		says string
		args [][]string
	}{
		{78, "listen.users says who", [][]string{secret, {"--listen", "tcp:127.0.0.1:0"}}},
		{78, "nobody could show who he is", [][]string{users, tls, {"--listen", "127.0.0.1:0"}}},
		{78, "TLS needs", [][]string{users, secret, {"--listen", "127.0.0.1:0"}}},
		{78, "it is for loopback", [][]string{users, secret, {"--listen", "tcp:0.0.0.0:0"}}},
		{78, "it is for loopback", [][]string{users, secret, {"--listen", "tcp::0"}}},
		{78, "only a secret shows who is there", [][]string{users, tls, {"-o", "listen.ca=" + ca.File, "--listen", "tcp:127.0.0.1:0"}}},
		{78, "belong together", [][]string{users, secret, tls[:2], {"--listen", "127.0.0.1:0"}}},
		{78, "chmod 600", [][]string{users, {"-o", "listen.secret_file=" + open, "--listen", "tcp:127.0.0.1:0"}}},
		{78, "listen.address says no address", [][]string{users, secret, {"--listen", ""}}},
		{64, "want HOST:PORT", [][]string{users, secret, {"--listen", "tcp:127.0.0.1:x"}}},
		{64, "exclude each other", [][]string{users, secret, {"-u", "bob", "--listen", "tcp:127.0.0.1:0"}}},
		{78, "want NAME=MASK", [][]string{secret, {"-o", "listen.users==*", "--listen", "tcp:127.0.0.1:0"}}},
	} {
		h.want(h.do(append([]string{"-c", "", "server", "-o", "mail_location=maildir:" + h.dir + "/%u"}, slices.Concat(c.args...)...)...), c.exit, c.says)
	}
	h.want(h.do(append([]string{"-c", "", "server", "-o", "mail_location=maildir:" + h.dir, "--listen", "tcp:127.0.0.1:0"}, slices.Concat(users, secret)...)...), 78, "whose mail is where")
	// Nor is plain tcp spoken to another host; nothing is said to it.
	other := ""
	addrs, err := net.InterfaceAddrs()
	h.must(err)
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			other = n.IP.String()
		}
	}
	if other == "" {
		t.Skip("skipped in part: this host has no address but loopback's")
	}
	l, err := net.Listen("tcp", other+":0")
	h.must(err)
	defer l.Close()
	heard := make(chan int, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			heard <- -1
			return
		}
		n, _ := io.Copy(io.Discard, c)
		heard <- int(n)
	}()
	h.maildir("near", 0)
	h.want(h.do("-c", "", "-o", "mail_location=maildir:"+h.dir+"/near", "-o", "changelog="+h.dir+"/log", "-o", "connect.secret_file="+secrets, "sync", "tcp:"+l.Addr().String()), 78, "connect.plain")
	if n := <-heard; n != 0 {
		t.Errorf("%d bytes were said", n)
	}
}

// wait waits until the server has said something.
func (l *listening) wait(h *hosts, what string) {
	h.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(l.all(), what); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.Fatalf("the server does not say %q: %s", what, l.all())
		}
	}
}
