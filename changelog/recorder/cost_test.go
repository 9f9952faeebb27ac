package recorder_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"dsync/store"
	"dsync/store/memory"
)

func TestUnchangedCostsLooks(t *testing.T) {
	w := known(t, 20, memory.Options{})
	ops := map[string]int{}
	w.mem.SetHook(func(op string) { ops[op]++ })
	before, meta := w.st.Cost(), w.r.Account().Meta()
	l := w.look(false)
	w.mem.SetHook(nil2)
	if now := w.st.Cost(); now != before || l.Compared != 0 || l.Events != 0 {
		t.Fatalf("cost %+v, before %+v, %d compared", now, before, l.Compared)
	}
	if fmt.Sprint(ops) != fmt.Sprint(map[string]int{memory.OpTree: 1, memory.OpLook: 4}) {
		t.Fatalf("steps %v", ops)
	}
	if now := w.r.Account().Meta(); now.LastLook != meta.LastLook {
		t.Fatalf("a look that found nothing was written down")
	}
}

func TestChangedCostsItsMailbox(t *testing.T) {
	w := known(t, 20, memory.Options{})
	w.deliver("a")
	ops := map[string]int{}
	w.mem.SetHook(func(op string) { ops[op]++ })
	before := w.st.Cost()
	l := w.look(false)
	w.mem.SetHook(nil2)
	if now := w.st.Cost(); now.NamesListed-before.NamesListed != 21 || now.FilesOpened != before.FilesOpened || l.Compared != 21 || ops[memory.OpDescribe] != 1 {
		t.Fatalf("cost %+v, before %+v, %d compared, steps %v", now, before, l.Compared, ops)
	}
}

// many delivers n messages into INBOX.
func (w *world) many(n int) {
	body := []byte("Subject: x\r\n\r\nbody\r\n")
	for range n {
		if _, err := w.c.Deliver("INBOX", body, store.Flags(w.n&31), nil, date); err != nil {
			w.t.Fatalf("deliver: %v", err)
		}
		w.n++
	}
}

func TestLargeMailbox(t *testing.T) {
	n := 12_000
	if os.Getenv("DSYNC_LARGE") != "" {
		n = 100_000
	}
	w := newWorld(t, memory.Options{})
	w.db.Close()
	w.fs, w.dir = vfs.Default, t.TempDir()
	w.openDB()
	defer func() { w.db.Close() }()
	w.many(n)
	w.open()
	defer debug.SetGCPercent(debug.SetGCPercent(5)) // what is held counts, not garbage
	top, stop := peak()
	start := cpu()
	l := w.look(false)
	took := cpu() - start
	stop()
	debug.SetGCPercent(100)
	if l.Events != n+1 {
		t.Fatalf("%d events", l.Events)
	}
	t.Logf("first look at %d messages: %v of CPU, %d MB more on the heap at most", n, took, top()>>20)
	if top() > 60<<20 {
		t.Errorf("%d MB", top()>>20)
	}
	for range 300 {
		w.deliver("INBOX")
	}
	start = cpu()
	if l = w.look(false); l.Events != 300 || l.Compared != int64(n+300) {
		t.Fatalf("%d events, %d compared", l.Events, l.Compared)
	}
	t.Logf("300 more: %v of CPU", cpu()-start)
	w.sound(l)
}

// cpu is the time that this process has computed.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak watches the heap; stop ends the watch, top gives the most it grew.
func peak() (top func() uint64, stop func()) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base := m.HeapAlloc
	var most atomic.Uint64
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > base && m.HeapAlloc-base > most.Load() {
				most.Store(m.HeapAlloc - base)
			}
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return most.Load, func() { close(end); <-done }
}
