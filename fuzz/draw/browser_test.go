package draw

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dsync/fuzz/require"
)

// browser is a Chromium without a window that is spoken to through a pipe: JSON
// messages that end with a zero byte.
type browser struct {
	t       *testing.T
	cmd     *exec.Cmd
	to      io.WriteCloser
	from    chan message
	last    int
	session string
	console []string // what pages said, errors of the page and of its policy
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// limit ends a browser that does not answer.
const limit = 2 * time.Minute

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := require.Program(t, "chromium", "chromium")
	dir := t.TempDir()
	b := &browser{t: t, from: make(chan message, 1000)}
	b.cmd = exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1300,900", "--remote-debugging-pipe",
		"--user-data-dir="+filepath.Join(dir, "profile"), "about:blank")
	b.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir)
	in, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b.cmd.ExtraFiles = []*os.File{in, out} // 3 and 4
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b.to = to
	go func() {
		defer close(b.from)
		r := bufio.NewReader(from)
		for {
			text, err := r.ReadBytes(0)
			if err != nil {
				return
			}
			var m message
			if json.Unmarshal(text[:len(text)-1], &m) == nil {
				b.from <- m
			}
		}
	}()
	t.Cleanup(func() {
		b.send("Browser.close", nil)
		done := make(chan error, 1)
		go func() { done <- b.cmd.Wait() }()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			b.cmd.Process.Kill()
			<-done
		}
		to.Close()
		from.Close()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func (b *browser) send(method string, params any) error {
	b.last++
	m := map[string]any{"id": b.last, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" && !strings.HasPrefix(method, "Browser.") {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	return err
}

// call makes one call and waits for its answer.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	if err := b.send(method, params); err != nil {
		b.t.Fatal(err)
	}
	id := b.last
	m, err := b.wait(func(m message) bool { return m.ID == id })
	if err == nil && m.Error != nil {
		err = errors.New(m.Error.Message)
	}
	if err == nil && result != nil {
		err = json.Unmarshal(m.Result, result)
	}
	if err != nil {
		b.t.Fatalf("chromium, %s: %v", method, err)
	}
}

// wait takes messages until one is wanted; what pages say is kept.
func (b *browser) wait(is func(message) bool) (message, error) {
	timeout := time.After(limit)
	for {
		select {
		case m, ok := <-b.from:
			if !ok {
				return m, errors.New("it has ended")
			}
			switch m.Method {
			case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Network.loadingFailed":
				b.console = append(b.console, m.Method+" "+string(m.Params))
			case "Network.requestWillBeSent":
				var p struct{ Request struct{ URL string } }
				if json.Unmarshal(m.Params, &p) == nil && !strings.HasPrefix(p.Request.URL, "file:") {
					b.console = append(b.console, "asks for "+p.Request.URL)
				}
			}
			if is(m) {
				return m, nil
			}
		case <-timeout:
			return message{}, fmt.Errorf("no answer within %s", limit)
		}
	}
}

// open shows a page and waits until it is loaded.
func (b *browser) open(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": "about:blank"}, nil) // else a fragment alone would change
	if _, err := b.wait(func(m message) bool { return m.Method == "Page.loadEventFired" }); err != nil {
		b.t.Fatal(err)
	}
	b.console = nil
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	if _, err := b.wait(func(m message) bool { return m.Method == "Page.loadEventFired" }); err != nil {
		b.t.Fatal(err)
	}
}

// eval gives the value of an expression on the page.
func eval[T any](b *browser, expression string) (out T) {
	b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Text string }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &r)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails.Text)
	}
	if len(r.Result.Value) == 0 || json.Unmarshal(r.Result.Value, &out) != nil {
		b.t.Fatalf("%s: %s", expression, r.Result.Value)
	}
	return out
}

// mouse does something with the mouse at a place.
func (b *browser) mouse(x, y float64, kinds ...string) {
	for _, kind := range kinds {
		b.call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}, nil)
	}
}

func (b *browser) key(name string) {
	for _, kind := range []string{"rawKeyDown", "keyUp"} {
		b.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": name, "code": name}, nil)
	}
}

// screenshot gives a PNG of the window.
func (b *browser) screenshot() []byte {
	var r struct{ Data []byte }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &r)
	return r.Data
}
