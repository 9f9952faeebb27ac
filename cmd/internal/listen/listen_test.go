package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dsync/cmd/internal/listen/listentest"
	"dsync/cmd/internal/remote"
	"dsync/replay/wire"
)

func write(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// running is a server under test. It answers an order with the user's name if the
// guest may touch that account.
type running struct {
	address string
	stop    context.CancelFunc
	done    chan struct{}
	mu      sync.Mutex
	lines   []string
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

func run(t *testing.T, p *Policy, plain bool, change func(*Server)) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{address: l.Addr().String(), stop: stop, done: make(chan struct{})}
	s := &Server{Policy: func() *Policy { return p }, Notice: func(_ bool, line string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, line)
	}}
	s.Serve = func(ctx context.Context, l *remote.Link, g *Guest) error {
		for {
			var user string
			if err := l.Take(ctx, remote.KindOrder, &user); err != nil {
				if remote.Closed(err) {
					return nil
				}
				return err
			}
			if user == "panic" {
				panic("as asked")
			}
			if !g.May(user) {
				return errors.New("may not")
			}
			if err := l.Put(ctx, remote.KindAccount, user); err != nil {
				return err
			}
		}
	}
	if change != nil {
		change(s)
	}
	go func() {
		defer close(r.done)
		s.Run(ctx, Listener{l, plain})
	}()
	t.Cleanup(func() {
		stop()
		<-r.done
	})
	return r
}

// ask makes one connection and asks for a user.
func ask(c *Caller, r *running, secure bool, user string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	l, err := c.Call(ctx, r.address, secure)
	if err != nil {
		return err
	}
	defer l.Close(ctx)
	return order(ctx, l, user)
}

func order(ctx context.Context, l *remote.Link, user string) error {
	if err := l.Put(ctx, remote.KindOrder, user); err != nil {
		return err
	}
	var got string
	if err := l.Take(ctx, remote.KindAccount, &got); err != nil {
		return err
	}
	if got != user {
		return fmt.Errorf("the server answered %q", got)
	}
	return nil
}

func secret(name, key string) remote.Secret { return remote.Secret{Name: name, Key: []byte(key)} }

const (
	keyA = "aaaaaaaaaaaaaaaaaaaa"
	keyB = "bbbbbbbbbbbbbbbbbbbb"
)

func rules(words ...string) (out []Rule) {
	for _, w := range words {
		r, err := ParseRule(w)
		if err != nil {
			panic(err)
		}
		out = append(out, r)
	}
	return out
}

// must gives a configuration of TLS.
func must(t *testing.T) func(*tls.Config, error) *tls.Config {
	return func(c *tls.Config, err error) *tls.Config {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// Who is let in, and who is not, by certificate, secret and both.
func TestWhoIsLetIn(t *testing.T) {
	ours, theirs := listentest.NewAuthority(t, "ours"), listentest.NewAuthority(t, "theirs")
	farCert, farKey := ours.Pair("far", nil)
	tlsOf := must(t)
	near := func(a *listentest.Authority, name string, change func(*x509.Certificate)) *tls.Config {
		cert, key := a.Pair(name, change)
		return tlsOf(NearTLS(cert, key, ours.File))
	}
	bare := tlsOf(NearTLS("", "", ours.File))
	expired := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	early := func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }
	forServers := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	elsewhere := func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 7)} }
	far := func(change func(*x509.Certificate)) *tls.Config {
		cert, key := ours.Pair("far", change)
		return tlsOf(FarTLS(cert, key, ours.File))
	}
	asks, open := tlsOf(FarTLS(farCert, farKey, ours.File)), tlsOf(FarTLS(farCert, farKey, ""))
	old := tlsOf(NearTLS("", "", ours.File))
	old.MaxVersion, old.MinVersion = tls.VersionTLS11, tls.VersionTLS10
	twelve := tlsOf(NearTLS("", "", ours.File))
	twelve.MaxVersion = tls.VersionTLS12
	secrets := Secrets{"mx1": secret("mx1", keyA), "mx2": secret("mx2", keyB)}
	who := rules("mx1=a*", "mx2=b?b", "near=*")

	for _, c := range []struct {
		name   string
		tls    *tls.Config
		secret Secrets
		near   *tls.Config
		login  remote.Secret
		user   string
		want   string // part of the error; "" none
	}{
		{"certificate", asks, nil, near(ours, "near", nil), remote.Secret{}, "bob", ""},
		{"certificate, by its CN", asks, nil, near(ours, "near", func(c *x509.Certificate) { c.DNSNames = nil }), remote.Secret{}, "bob", ""},
		{"certificate, another name", asks, nil, near(ours, "nearer", nil), remote.Secret{}, "bob", "may not"},
		{"certificate of another authority", asks, nil, near(theirs, "near", nil), remote.Secret{}, "bob", "tls: "},
		{"expired certificate", asks, nil, near(ours, "near", expired), remote.Secret{}, "bob", "expired certificate"},
		{"certificate that is not valid yet", asks, nil, near(ours, "near", early), remote.Secret{}, "bob", "expired certificate"},
		{"certificate of a server", asks, nil, near(ours, "near", forServers), remote.Secret{}, "bob", "tls: "},
		{"no certificate", asks, nil, bare, remote.Secret{}, "bob", "tls: "},
		{"no certificate, but a secret that is not asked for", asks, nil, bare, secret("mx2", keyB), "bob", "tls: "},
		{"far end of another authority", asks, nil, tlsOf(NearTLS("", "", theirs.File)), remote.Secret{}, "bob", "certificate signed by unknown authority"},
		{"far end with an expired certificate", far(expired), nil, near(ours, "near", nil), remote.Secret{}, "bob", "expired"},
		{"far end of another host", far(elsewhere), nil, near(ours, "near", nil), remote.Secret{}, "bob", "192.0.2.7"},
		{"far end that only the system's authorities could know", asks, nil, tlsOf(NearTLS("", "", "")), remote.Secret{}, "bob", "unknown authority"},
		{"TLS 1.1", open, secrets, old, secret("mx2", keyB), "bob", "protocol version"},
		{"secret", open, secrets, bare, secret("mx2", keyB), "bob", ""},
		{"secret over TLS 1.2", open, secrets, twelve, secret("mx2", keyB), "bob", ""},
		{"secret, another user", open, secrets, bare, secret("mx2", keyB), "bobby", "may not"},
		{"wrong secret", open, secrets, bare, secret("mx2", keyA), "bob", "the login is not good"},
		{"unknown name", open, secrets, bare, secret("mx3", keyA), "bob", "the login is not good"},
		{"no secret", open, secrets, bare, remote.Secret{}, "bob", "a login is due"},
		{"both", asks, secrets, near(ours, "near", nil), secret("mx2", keyB), "bob", ""},
		{"both, where the secret may not", asks, secrets, near(ours, "near", nil), secret("mx1", keyA), "bob", "may not"},
		{"both, the secret alone", asks, secrets, bare, secret("mx2", keyB), "bob", "tls: "},
		{"both, the certificate alone", asks, secrets, near(ours, "near", nil), remote.Secret{}, "bob", "a login is due"},
		{"plain: secret", nil, secrets, nil, secret("mx1", keyA), "alice", ""},
		{"plain: secret, another user", nil, secrets, nil, secret("mx1", keyA), "bob", "may not"},
		{"plain: no user", nil, secrets, nil, secret("mx1", keyA), "", "may not"},
		{"plain: wrong secret", nil, secrets, nil, secret("mx1", keyB), "alice", "the login is not good"},
		{"plain: unknown name", nil, secrets, nil, secret("", ""), "alice", "asks for a secret"},
		{"plain: nobody is asked", nil, nil, nil, secret("mx1", keyA), "alice", "cut"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, &Policy{TLS: c.tls, Secrets: c.secret, Rules: who}, c.tls == nil, nil)
			err := ask(&Caller{TLS: c.near, Secret: c.login}, r, c.tls != nil, c.user)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q; the server said:\n%s", err, c.want, r.said())
			}
			if strings.Contains(r.said(), keyA) || strings.Contains(r.said(), keyB) {
				t.Errorf("a secret is told: %s", r.said())
			}
		})
	}
}

// What was listened to opens no other connection: not again, and not at another
// place; and no secret is in it.
func TestReplay(t *testing.T) {
	secrets := Secrets{"mx1": secret("mx1", keyA)}
	r := run(t, &Policy{Secrets: secrets, Rules: rules("*")}, true, nil)
	relay, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	heard := make(chan []byte, 1)
	go func() {
		near, err := relay.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.address)
		if err != nil {
			return
		}
		go func() {
			io.Copy(near, far)
			near.Close()
		}()
		var all strings.Builder
		io.Copy(io.MultiWriter(far, &all), near)
		far.(*net.TCPConn).CloseWrite()
		heard <- []byte(all.String())
	}()
	if err := ask(&Caller{Secret: secrets["mx1"]}, &running{address: relay.Addr().String()}, false, "alice"); err != nil {
		t.Fatal(err)
	}
	conversation := <-heard
	if strings.Contains(string(conversation), keyA) || !strings.Contains(string(conversation), "mx1") {
		t.Error("the secret went over, or the login was not heard")
	}
	c, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(conversation); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(c)
	if !strings.Contains(string(answer), "not let in") || strings.Contains(string(answer), "alice") {
		t.Errorf("the server answered %q", answer)
	}
	if n := strings.Count(r.said(), ": let in"); n != 1 {
		t.Errorf("let in %d times: %s", n, r.said())
	}
}

// A far end that does not know the secret is believed nothing.
func TestFarEndWithoutSecret(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	lie := func(c net.Conn, how int) {
		ctx := context.Background()
		far := remote.New(c, "near", wire.Options{})
		far.Put(ctx, remote.KindChallenge, map[string][]byte{"nonce": make([]byte, 32)})
		var in struct{ Name string }
		if far.Take(ctx, remote.KindLogin, &in) != nil {
			return
		}
		if how == 0 {
			far.Put(ctx, remote.KindGreet, map[string][]byte{"proof": make([]byte, 32)})
		}
		far.Put(ctx, remote.KindAccount, "alice")
		far.Take(ctx, remote.KindLogin, &in)
		far.Fail(0, "")
	}
	go func() {
		for how := 0; ; how++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go lie(c, how)
		}
	}()
	for _, want := range []string{"the far end does not know the secret", "want its greeting"} {
		err = ask(&Caller{Secret: secret("mx1", keyA)}, &running{address: l.Addr().String()}, false, "alice")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Strangers keep nobody out, are shown out in time, and cost little; a panic and a
// connection's trouble are its own.
func TestStrangers(t *testing.T) {
	secrets := Secrets{"mx1": secret("mx1", keyA)}
	r := run(t, &Policy{Secrets: secrets, Rules: rules("*")}, true, func(s *Server) { s.Admission = 3 * time.Second })
	near := &Caller{Secret: secrets["mx1"]}
	ctx := context.Background()
	before, err := near.Call(ctx, r.address, false)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Fail(0, "")
	if err := order(ctx, before, "alice"); err != nil {
		t.Fatal(err)
	}
	var idle []net.Conn
	for i := range 2 * MaxStrangers {
		c, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 {
			c.Write([]byte("GET / HTTP/1.0\r\n\r\n")[:1+i%17])
		}
		idle = append(idle, c)
	}
	if err := ask(near, r, false, "bob"); err != nil {
		t.Errorf("among strangers: %v", err)
	}
	if err := ask(near, r, false, "panic"); err == nil {
		t.Error("a panic is an answer")
	}
	if err := order(ctx, before, "carol"); err != nil {
		t.Errorf("who was in: %v", err)
	}
	for _, c := range idle { // all end without a word of theirs
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a stranger was not shown out")
		}
	}
	if !strings.Contains(r.said(), "internal error: as asked") {
		t.Error("the panic is not told")
	}
}

// At the end of its context a server tells its guests and waits for them.
func TestStop(t *testing.T) {
	secrets := Secrets{"mx1": secret("mx1", keyA)}
	r := run(t, &Policy{Secrets: secrets, Rules: rules("*")}, true, nil)
	ctx := context.Background()
	l, err := (&Caller{Secret: secrets["mx1"]}).Call(ctx, r.address, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := order(ctx, l, "alice"); err != nil {
		t.Fatal(err)
	}
	idle, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	r.stop()
	<-r.done
	var told *wire.Error
	if err := order(ctx, l, "bob"); !errors.As(err, &told) || told.Code != codeTemp || !strings.Contains(told.Text, "being stopped") {
		t.Errorf("a guest learns %v", err)
	}
	if c, err := net.Dial("tcp", r.address); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

func TestHall(t *testing.T) {
	h := &hall{}
	conn := func(host string) *address {
		return &address{at: &net.TCPAddr{IP: net.ParseIP(host), Port: 1}}
	}
	lone := conn("2001:db8:1::1")
	first := h.enter(lone)
	var many []*address
	for i := range 3 * MaxStrangers {
		c := conn(fmt.Sprintf("2001:db8:2::%x", i))
		h.enter(c)
		many = append(many, c)
	}
	if lone.closed || !many[0].closed || many[len(many)-1].closed || len(h.strangers) != MaxStrangers {
		t.Errorf("one host of many addresses crowds another out (%d strangers)", len(h.strangers))
	}
	if !h.known(first) || h.known(first) || h.guests != 1 {
		t.Error("a stranger becomes a guest once")
	}
	h.leave(first)
	if h.guests != 0 {
		t.Error("a guest who left is counted")
	}
	for range MaxGuests {
		if !h.known(h.enter(conn("192.0.2.1"))) {
			t.Fatal("no room for a guest")
		}
	}
	if h.known(h.enter(conn("192.0.2.1"))) {
		t.Error("more guests than there is room for")
	}
	h.close()
	late := conn("192.0.2.9")
	if h.known(h.enter(late)) || !late.closed {
		t.Error("a closed hall takes somebody")
	}
}

// address is a connection that has nothing but an address.
type address struct {
	net.Conn
	at     net.Addr
	closed bool
}

func (a *address) RemoteAddr() net.Addr { return a.at }
func (a *address) Close() error         { a.closed = true; return nil }

func TestRules(t *testing.T) {
	g := &Guest{rules: rules("mx*=*@example.org", "backup=a?", "carol")}
	for _, c := range []struct {
		shown string
		user  string
		want  bool
	}{
		{"mx1", "bob@example.org", true}, {"mx1", "bob@example.com", false}, {"mx1", "bob@example.org.evil", false}, {"backup", "ab", true}, {"backup", "abc", false},
		{"backup", "bob@example.org", false}, {"anybody", "carol", true}, {"anybody", "Carol", false}, {"mx1", "", false},
		{"mx1 backup", "bob@example.org", true}, {"mx1|backup", "bob@example.org", false}, {"mx1|mx2", "bob@example.org", true}, {"mx1|", "carol", false},
	} {
		g.Shown = nil
		for means := range strings.SplitSeq(c.shown, "|") {
			g.Shown = append(g.Shown, strings.Fields(means))
		}
		if got := g.May(c.user); got != c.want {
			t.Errorf("%q and %q: %v", c.shown, c.user, got)
		}
	}
	if g.Shown = nil; g.May("carol") {
		t.Error("who showed nothing may touch something")
	}
	for _, bad := range []string{"", "=", "a=", "=b"} {
		if _, err := ParseRule(bad); err == nil {
			t.Errorf("%q is a rule", bad)
		}
	}
	for ip, want := range map[string]bool{"127.0.0.1": true, "127.8.0.1": true, "::1": true, "0.0.0.0": false, "::": false, "192.0.2.1": false} {
		if Loopback(&net.TCPAddr{IP: net.ParseIP(ip)}) != want {
			t.Errorf("%s: loopback or not", ip)
		}
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "s")
	all, err := ReadSecrets(write(t, file, "# mine\n\nmx1:"+keyA+":x \r\nmx2:"+keyB+"\n"))
	if err != nil || len(all) != 2 || string(all["mx1"].Key) != keyA+":x " || all.Of("mx3").Known() {
		t.Errorf("%v, %d secrets", err, len(all))
	}
	if _, err := ReadSecret(file); err == nil || !strings.Contains(err.Error(), "2 secrets") {
		t.Errorf("two secrets for one end: %v", err)
	}
	for text, want := range map[string]string{
		"": "no secret", "#\n": "no secret", "mx1 " + keyA: "s:1: want NAME:SECRET", ":" + keyA: "want NAME", "\nmx1:short": "s:2: a secret has at least 16",
		"a:" + keyA + "\na:" + keyB: "two secrets", strings.Repeat("n", 256) + ":" + keyA: "want NAME", "a:" + strings.Repeat("k", 70<<10): "too long",
	} {
		_, err := ReadSecrets(write(t, file, text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), keyA) || strings.Contains(err.Error(), "short") {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o610} {
		write(t, file, "mx1:"+keyA)
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSecrets(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := ReadSecrets(dir); err == nil {
		t.Error("a directory is a file of secrets")
	}
	ours := listentest.NewAuthority(t, "ours")
	cert, key := ours.Pair("far", nil)
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := FarTLS(cert, key, ""); err == nil || !strings.Contains(err.Error(), "may be read") {
		t.Errorf("a key that all may read: %v", err)
	}
	for _, c := range [][3]string{{cert, "", ""}, {cert, cert, ""}, {dir, key, ""}, {"/nowhere", key, ""}} {
		if _, err := FarTLS(c[0], c[1], c[2]); err == nil {
			t.Errorf("%q is a pair", c)
		}
	}
	if _, err := NearTLS("", "", key); err == nil {
		t.Error("a key is an authority")
	}
}
