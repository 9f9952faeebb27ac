package progress

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	now := time.Unix(0, 0)
	var w bytes.Buffer
	b := New(&w, 30, func() time.Time { return now })
	for i := range int64(100) {
		b.Draw("copy", i, 100, i*1000)
		now = now.Add(10 * time.Millisecond)
	}
	if n := strings.Count(w.String(), "\r"); n != 10 {
		t.Errorf("drawn %d times in a second, want 10", n)
	}
	for line := range strings.SplitSeq(w.String(), "\r\x1b[K") {
		if len(line) >= 30 {
			t.Errorf("%q is %d wide", line, len(line))
		}
	}
	w.Reset()
	b.Clear()
	b.Clear()
	if w.String() != "\r\x1b[K" {
		t.Errorf("cleared with %q", w.String())
	}
	var none *Bar
	none.Draw("x", 1, 2, 3)
	none.Clear()
}

func TestFormat(t *testing.T) {
	for want, c := range map[string][3]int64{
		"copy     [##########..........]  50%  5/10  1.5 kB": {5, 10, 1500},
		"copy     7": {7, 0, 0},
		"copy     [####################] 100%  20/10": {20, 10, 0},
	} {
		if got := format("copy", c[0], c[1], c[2]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_999: "1.0 MB", 83_000_000: "83.0 MB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestTerminal(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := Terminal(f); ok {
		t.Error("the null device is no terminal")
	}
}
