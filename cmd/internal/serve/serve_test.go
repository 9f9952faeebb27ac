package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dsync/cmd/internal/engine"
)

var series = regexp.MustCompile(`^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+$`)

// Whatever runs come to, the number of series has a bound, and every line is one.
func TestSeries(t *testing.T) {
	m := NewMetrics("1 \"x\"", func() int { return 3 })
	for i := range 5000 {
		rep := &engine.Report{Exit: i % 300, Duration: time.Duration(i) * time.Second, Conflicts: []engine.Conflict{{Rule: i % 30, Mailbox: "secret"}},
			Skipped: make([]engine.Item, 1), Again: make([]engine.Item, 2)}
		rep.Sides[1] = engine.Side{Location: "secret", Copied: 2, Bytes: 10}
		m.Run(fmt.Sprintf("secret%d", i%100), rep)
		m.FarEnd(i)
	}
	m.Reload(nil)
	text := m.text()
	lines, help := 0, map[string]bool{}
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if name, ok := strings.CutPrefix(l, "# HELP "); ok {
			name, _, _ = strings.Cut(name, " ")
			if help[name] {
				t.Errorf("%s is described twice", name)
			}
			help[name] = true
			continue
		}
		if strings.HasPrefix(l, "# TYPE ") {
			continue
		}
		if lines++; !series.MatchString(l) && !strings.HasPrefix(l, "dsync_build_info") {
			t.Errorf("not a sample: %q", l)
		}
	}
	if lines > 120 || strings.Contains(text, "secret") {
		t.Errorf("%d series:\n%s", lines, text)
	}
	for _, want := range []string{
		"dsync_users 100\n", "dsync_guests 3\n", `dsync_messages_total{side="far",did="copied"} 10000` + "\n", `dsync_message_bytes_total{side="far"} 50000` + "\n",
		"dsync_run_duration_seconds_count 5000\n", `dsync_run_duration_seconds_bucket{le="+Inf"} 5000` + "\n", `dsync_run_duration_seconds_bucket{le="1"} 2` + "\n",
		`dsync_runs_total{exit="2"} 17` + "\n", `dsync_left_undone_total{mends="again"} 10000` + "\n", `dsync_reloads_total{well="true"} 1` + "\n",
		fmt.Sprintf("dsync_failures_total %d\n", 5000-17-17),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %s", want)
		}
	}
}

func TestLocalAlone(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:80", "example.org:80", "127.0.0.1", ""} {
		if l, err := Listen(address); err == nil {
			l.Close()
			t.Errorf("%q was listened to", address)
		}
	}
	l, err := Listen("localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// Clients that send nothing, too much or nonsense take up no more than their places, and
// those for a while.
func TestHostileClients(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sick := error(nil)
	p := &Page{Metrics: NewMetrics("1", func() int { return 0 }), Health: func() error { return sick }}
	p.Serve(l)
	defer p.Close()
	base := "http://" + l.Addr().String()
	get := func(path string) (int, string) {
		r, err := http.Get(base + path)
		if err != nil {
			return 0, err.Error()
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
	if code, text := get("/metrics"); code != 200 || !strings.Contains(text, "dsync_guests 0") {
		t.Errorf("%d %s", code, text)
	}
	if code, text := get("/healthz"); code != 200 || text != "ok\n" {
		t.Errorf("%d %s", code, text)
	}
	sick = fmt.Errorf("ending")
	if code, text := get("/healthz"); code != 503 || text != "ending\n" {
		t.Errorf("%d %s", code, text)
	}
	if code, _ := get("/debug/pprof"); code != 404 {
		t.Errorf("%d for a page that there is not", code)
	}
	if r, err := http.Post(base+"/metrics", "text/plain", strings.NewReader("x")); err != nil || r.StatusCode != 405 {
		t.Errorf("%v %v, want 405", r, err)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET /metrics HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("y", 1<<20))
	if line, _ := bufio.NewReader(c).ReadString('\n'); line != "" && !strings.Contains(line, "431") {
		t.Errorf("a header of 1 MB: %q", line)
	}
	c.Close()
	var idle []net.Conn
	for range MaxClients { // who was here before may have a place yet
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	over, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	over.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := over.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("one too many is not turned away: %v", err)
	}
	for _, c := range idle {
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, c); os.IsTimeout(err) {
			t.Error("a client that says nothing is not ended")
		}
	}
	if code, _ := get("/metrics"); code != 200 {
		t.Errorf("%d after all that", code)
	}
}

// What systemd is told, on a socket in the file system and on an abstract one.
func TestNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "n"), fmt.Sprintf("@dsync-test-%d", os.Getpid())} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		n := NewNotifier(func(k string) string { return map[string]string{"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"}[k] })
		if n.Every() != 1500*time.Millisecond {
			t.Errorf("every %v", n.Every())
		}
		n.Ready("a\nREADY=0")
		n.Reloading()
		n.Alive()
		n.Stopping()
		for _, want := range []string{`^READY=1\nSTATUS=a READY=0$`, `^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*$`, `^WATCHDOG=1$`, `^STOPPING=1\nSTATUS=.+$`} {
			b := make([]byte, 1000)
			k, err := l.Read(b)
			if err != nil || !regexp.MustCompile(want).Match(b[:k]) {
				t.Errorf("%q %v, want %s", b[:k], err, want)
			}
		}
	}
	NewNotifier(func(string) string { return "" }).Ready("nobody is told")
	NewNotifier(func(string) string { return "/nowhere/at/all" }).Ready("nobody is there")
}

func TestUnits(t *testing.T) {
	text := Units(`/opt/a b/100%/dsync`)
	if n := strings.Count(text, "# /etc/systemd/system/"); n != 3 {
		t.Errorf("%d units", n)
	}
	for _, want := range []string{`ExecStart="/opt/a b/100%%/dsync" serve`, `ExecStart="/opt/a b/100%%/dsync" sync -A -s auto -d`, "Type=notify", "[Timer]"} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("want %s", want)
		}
	}
	if strings.Contains(text, "@") {
		t.Error("a place was not filled in")
	}
}
