package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dsync/fuzz/require"
)

// replica is the host of the manual's examples.
const replica = "server-replica.example.com"

// sshHosts are two ends with an sshd between them: keys, configuration and commands
// are in the directory of the test alone.
type sshHosts struct {
	*hosts
	login string
}

// script writes a command that both ends find.
func (h *sshHosts) script(name, text string) {
	h.Helper()
	h.must(os.WriteFile(filepath.Join(h.dir, "bin", name), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
}

// key makes a pair of keys and gives the public one.
func (h *sshHosts) key(name string) string {
	h.Helper()
	file := filepath.Join(h.dir, name)
	if out, err := exec.Command(require.Program(h.T, "sshd", "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", file).CombinedOutput(); err != nil {
		h.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(file + ".pub")
	h.must(err)
	return strings.TrimSpace(string(public))
}

func newSSHHosts(t *testing.T) *sshHosts {
	sshd := "/usr/sbin/sshd"
	if _, err := os.Stat(sshd); err != nil {
		sshd = require.Program(t, "sshd", "sshd")
	}
	ssh := require.Program(t, "sshd", "ssh")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	h := &sshHosts{newHosts(t), me.Username}
	h.must(os.Mkdir(h.dir+"/bin", 0o755))
	self, err := filepath.Abs(os.Args[0])
	h.must(err)
	h.script("dsync", fmt.Sprintf("DSYNC_TEST_ENGINE=real exec %s -c %s/far.toml \"$@\"", self, h.dir))
	h.script("ssh", fmt.Sprintf("exec %s -F %s/ssh_config \"$@\"", ssh, h.dir))
	h.file("far.toml", fmt.Sprintf("mail_location = 'maildir:%s/far/%%u'\nchangelog = '%s/far.log'\n", h.dir, h.dir))
	hostKey, userKey := h.key("host"), h.key("id_dsa.dovecot")
	h.script("forced", fmt.Sprintf("echo asked for: $SSH_ORIGINAL_COMMAND >&2; exec %s/bin/dsync server -u forced@example.com", h.dir))
	h.file("authorized", userKey+"\n"+fmt.Sprintf("command=%q,restrict ", h.dir+"/bin/forced")+h.key("forced")+"\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	h.must(err)
	port := l.Addr().(*net.TCPAddr).Port
	h.must(l.Close())
	h.file("known", replica+" "+hostKey+"\n")
	h.file("ssh_config", fmt.Sprintf("Host *\n HostName 127.0.0.1\n Port %d\n HostKeyAlias %s\n IdentityFile %s/id_dsa.dovecot\n IdentitiesOnly yes\n IdentityAgent none\n"+
		" UserKnownHostsFile %s/known\n GlobalKnownHostsFile /dev/null\n StrictHostKeyChecking yes\n BatchMode yes\n", port, replica, h.dir, h.dir))
	h.file("sshd_config", fmt.Sprintf("ListenAddress 127.0.0.1\nPort %d\nHostKey %s/host\nPidFile none\nAuthorizedKeysFile %s/authorized\nStrictModes no\nUsePAM no\n"+
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nSetEnv PATH=%s/bin:/usr/bin:/bin\n", port, h.dir, h.dir, h.dir))
	if os.Geteuid() == 0 { // where sshd of root shuts itself in; Debian's service makes it, too
		h.must(os.MkdirAll("/run/sshd", 0o755))
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", h.dir+"/sshd_config")
	var said strings.Builder
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	h.must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		<-ended
	})
	for deadline := time.Now().Add(30 * time.Second); ; {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return h
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("sshd ended: %v\n%s", err, said.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("sshd does not listen: %v", err)
		}
	}
}

// run runs the near end in the directory of the test.
func (h *sshHosts) run(args ...string) ended {
	h.Helper()
	return h.do(append([]string{"-c", h.dir + "/near.toml"}, args...)...)
}

// The manual's lines, with dsync for doveadm, over a real sshd: remote:, remoteprefix:
// with a wrapper that reads the user, a whole command line, and a forced command.
func TestSSH(t *testing.T) {
	h := newSSHHosts(t)
	t.Setenv("PATH", h.dir+"/bin:"+os.Getenv("PATH"))
	h.file("near.toml", fmt.Sprintf("mail_location = 'maildir:%s/near/%%u'\nchangelog = '%s/near.log'\n", h.dir, h.dir))
	const user = "username@example.com"
	h.script("wrapper", `read user; test "$user" = "`+user+`" || exit 9; echo the wrapper serves "$user" >&2; exec dsync server -u "$user"`)
	at := h.login + "@" + replica
	deliver := func(side, key string) { h.maildir(side+"/"+user, 0, key+".h") }
	keys := []string{}
	for i, c := range []struct {
		name string
		args []string
		says string
	}{
		{"remote:", []string{"sync", "-u", user, "remote:" + replica}, ""},
		{"remote: with a login", []string{"sync", "-u", user, "remote:" + at}, ""},
		{"a host alone", []string{"backup", "-R", "-u", user, at}, ""},
		{"command line of the manual", []string{"sync", "-u", user, "ssh", "-i", "id_dsa.dovecot", at, "dsync", "dsync-server", "-u", user}, ""},
		{"command line in one word", []string{"sync", "-s", "", "-u", user, "ssh " + at + " dsync server -u " + user}, ""},
		{"a destination from the configuration", []string{"-o", "mail_replica=remote:" + replica, "sync", "-d", "-u", user}, ""},
		{"remoteprefix:", []string{"-o", "dsync_remote_cmd=ssh -l%{login} %{host} wrapper", "sync", "-u", user, "remoteprefix:" + at}, "ssh: the wrapper serves " + user},
	} {
		key := fmt.Sprintf("%d", i+1)
		if strings.Contains(strings.Join(c.args, " "), "-R") {
			deliver("far", key)
		} else {
			deliver("near", key)
		}
		keys = append(keys, key+".h")
		e := h.run(c.args...)
		if e.exit != 0 || !strings.Contains(e.stderr, c.says) {
			t.Errorf("%s: exit %d: %s%s", c.name, e.exit, e.stdout, e.stderr)
		}
		if want := strings.Join(keys, " "); h.keys("near/"+user) != want || h.keys("far/"+user) != want {
			t.Errorf("%s: near %s, far %s", c.name, h.keys("near/"+user), h.keys("far/"+user))
		}
	}
	// Whatever is asked for, a forced command is what runs.
	h.maildir("far/forced@example.com", 0, "9.h")
	e := h.run("sync", "-u", user, "ssh", "-i", "forced", "-o", "IdentityFile=none", at, "rm", "-rf", "/nothing")
	h.want(e, 0, "asked for: rm -rf /nothing")
	if want := strings.Join(keys, " ") + " 9.h"; h.keys("far/forced@example.com") != want || h.keys("near/"+user) != want || h.keys("far/"+user) != strings.Join(keys, " ") {
		t.Errorf("forced: near %s, forced %s, far %s", h.keys("near/"+user), h.keys("far/forced@example.com"), h.keys("far/"+user))
	}
	// What goes wrong there is told here.
	h.want(h.run("sync", "-u", user, "ssh", at, "no-such-dsync"), 75, "not found", "ssh ended with exit status 127")
	h.want(h.run("-o", "dsync_remote_cmd=ssh %{host} wrapper", "sync", "-u", "other", "remoteprefix:"+replica), 75, "ssh ended with exit status 9")
	h.want(h.run("sync", "-u", user, "ssh", at, "dsync -o changelog=/dev/null/x server -u "+user), 75, "/dev/null")
	h.file("known", replica+" "+h.key("another")+"\n")
	h.want(h.run("sync", "-u", user, "remote:"+replica), 75, "Host key verification failed", "ssh ended with exit status 255")
}
