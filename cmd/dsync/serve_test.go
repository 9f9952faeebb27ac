package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dsync/cmd/internal/engine"
)

// freePort gives a port of this machine that nobody has.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// told waits for what systemd is told.
func told(t *testing.T, l *net.UnixConn, want string) {
	t.Helper()
	l.SetReadDeadline(time.Now().Add(time.Minute))
	for b := make([]byte, 1000); ; {
		n, err := l.Read(b)
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if strings.HasPrefix(string(b[:n]), want) {
			return
		}
	}
}

func page(address, path string) string {
	r, err := http.Get("http://" + address + path)
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

// A serve, as systemd starts it: it takes the work of others from both its sockets, is
// reloaded, and ends with what is under way.
func TestServe(t *testing.T) {
	h := newHost(t, t.TempDir(), "h")
	for _, user := range []string{"ann", "bob"} {
		h.deliver(user, 0, 3)
	}
	sock, conf, notify := filepath.Join(h.dir, "extra"), filepath.Join(h.dir, "conf"), filepath.Join(h.dir, "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	write := func(text string) {
		if err := os.WriteFile(conf, []byte("changelog = \""+h.log()+"\"\n[serve]\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := freePort(t)
	write("socket = \"" + sock + "\"\nmetrics = \"" + address + "\"\n")
	t.Setenv("NOTIFY_SOCKET", notify)
	p := start(t, "-v", "-c", conf, "serve")
	told(t, systemd, "READY=1")

	start(t, h.pair("ann", "-l", "0")...).wants(engine.ExitOK, 1)
	sent := start(t, "-o", "changelog="+h.log()+".other", "-o", "mail_location=maildir:"+h.mail("bob"), "sync", "-S", sock, "maildir:"+h.mail("bob")+".copy")
	sent.wants(engine.ExitOK, 1)
	if h.messages("bob.copy") != 3 {
		t.Error("-S: no mail was copied")
	}
	if _, err := os.Stat(h.log() + ".other"); err == nil {
		t.Error("-S: another change log was opened")
	}
	second := start(t, "-c", conf, "-o", "lock_wait=0", "serve")
	second.wants(engine.ExitTemp, 0)
	remote := newHost(t, h.dir, "remote")
	start(t, remote.at("ann", append([]string{"sync"}, h.server("ann")...)...)...).wants(engine.ExitOK, 1)
	wait(t, "the far end to be counted", func() bool { return strings.Contains(page(address, "/metrics"), "dsync_far_ends_total{") })
	text := page(address, "/metrics")
	for _, want := range []string{`dsync_runs_total{exit="0"} 2`, `dsync_far_ends_total{exit="0"} 1`, "dsync_users 1", `{side="far",did="copied"} 6`} {
		if !strings.Contains(text, want) {
			t.Errorf("want %s in\n%s", want, text)
		}
	}
	if got := page(address, "/healthz"); got != "ok\n" {
		t.Errorf("health: %s", got)
	}

	// What is no good changes nothing; what is good closes the socket, and moves the page.
	write("metrics = \"0.0.0.0:1\"\n")
	p.Process.Signal(syscall.SIGHUP)
	told(t, systemd, "RELOADING=1\nMONOTONIC_USEC=")
	told(t, systemd, "READY=1")
	if _, err := os.Stat(sock); err != nil || page(address, "/healthz") != "ok\n" {
		t.Errorf("a configuration that is no good: %v, %s", err, page(address, "/healthz"))
	}
	other := freePort(t)
	write("metrics = \"" + other + "\"\n")
	p.Process.Signal(syscall.SIGHUP)
	told(t, systemd, "RELOADING=1")
	told(t, systemd, "READY=1")
	if _, err := os.Stat(sock); err == nil || page(other, "/healthz") != "ok\n" || page(address, "/healthz") == "ok\n" {
		t.Errorf("after a reload: %v, %s", err, page(other, "/healthz"))
	}
	if text := page(other, "/metrics"); !strings.Contains(text, `dsync_reloads_total{well="true"} 1`) || !strings.Contains(text, `dsync_reloads_total{well="false"} 1`) {
		t.Error(text)
	}

	// Its end ends what is under way.
	held := h.hold("ann")
	defer held()
	q := start(t, h.pair("ann", "-l", "100")...)
	wait(t, "the run to be handed over", func() bool { return strings.Contains(page(other, "/metrics"), "dsync_guests 1") })
	p.Process.Signal(syscall.SIGTERM)
	q.wants(engine.ExitTemp, 1)
	if !strings.Contains(q.err.String(), "was told to end") {
		t.Error(q.err.String())
	}
	told(t, systemd, "STOPPING=1")
	p.wants(engine.ExitOK, 0)
	if h.listens() {
		t.Error("something still listens")
	}
}

func TestServeRefuses(t *testing.T) {
	h := newHost(t, t.TempDir(), "h")
	for _, c := range []struct {
		exit int
		args []string
		says string
	}{
		{engine.ExitUsage, []string{"-o", "changelog=" + h.dir + "/%u", "serve"}, "%u"},
		{engine.ExitUsage, []string{"-o", "changelog=" + h.log(), "-o", "serve.metrics=0.0.0.0:9999", "serve"}, "of this machine alone"},
		{engine.ExitUsage, []string{"-o", "changelog=" + h.log(), "-o", "serve.socket=" + h.dir + "/no/such", "serve"}, "no such file"},
		{engine.ExitUsage, h.at("ann", "sync", "-S", "mx.example.org:4711", "maildir:"+h.mail("b")), "of this machine"},
		{engine.ExitTemp, h.at("ann", "sync", "-S", h.dir+"/nobody", "maildir:"+h.mail("b")), "nobody takes work"},
	} {
		p := start(t, c.args...)
		if got := p.status(); got != c.exit || !strings.Contains(p.err.String(), c.says) {
			t.Errorf("%v: exit %d, want %d: %s", c.args, got, c.exit, p.err.String())
		}
	}
	p := start(t, "serve", "--units")
	if p.status() != 0 || !strings.Contains(p.out.String(), os.Args[0]+" serve\n") {
		t.Errorf("%s%s", p.out.String(), p.err.String())
	}
}
