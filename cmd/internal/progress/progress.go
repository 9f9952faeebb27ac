// Package progress draws one line on a terminal that says where a run stands.
//
// # Contract
//
//   - The line is drawn at most ten times a second and never wider than the
//     terminal; Clear takes it away, and must be called before anything else is
//     written to the same terminal.
//   - A Bar may be used by several goroutines. A nil Bar draws nothing.
package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Every is the shortest time between two drawings.
const Every = 100 * time.Millisecond

const barWidth = 20

// Bar is one progress line.
type Bar struct {
	mu    sync.Mutex
	w     io.Writer
	now   func() time.Time
	width int
	last  time.Time
	shown bool
}

// New makes a bar for a terminal that is width columns wide.
func New(w io.Writer, width int, now func() time.Time) *Bar {
	return &Bar{w: w, now: now, width: max(width, 20)}
}

// Draw shows the phase and how much of it is done; total 0 means unknown.
func (b *Bar) Draw(phase string, done, total, bytes int64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.now()
	if b.shown && t.Sub(b.last) < Every {
		return
	}
	b.last, b.shown = t, true
	line := []rune(format(phase, done, total, bytes))
	if len(line) > b.width-1 {
		line = line[:b.width-1]
	}
	_, _ = io.WriteString(b.w, "\r\x1b[K"+string(line))
}

// Clear takes the line away.
func (b *Bar) Clear() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown {
		_, _ = io.WriteString(b.w, "\r\x1b[K")
		b.shown = false
	}
}

func format(phase string, done, total, bytes int64) string {
	out := fmt.Sprintf("%-8s", phase)
	if total > 0 {
		share := min(max(done, 0), total) * 100 / total
		full := int(share) * barWidth / 100
		out += " [" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]" + fmt.Sprintf(" %3d%%  %d/%d", share, done, total)
	} else if done > 0 {
		out += fmt.Sprintf(" %d", done)
	}
	if bytes > 0 {
		out += "  " + Bytes(bytes)
	}
	return out
}

// Bytes writes a size for people: "17 B", "1.5 MB".
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), 0
	for f >= 999.95 && unit < 5 {
		f, unit = f/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", f, "BkMGTP"[unit])
}
