package logdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"dsync/store"
)

const (
	memTableSize = 4 << 20
	cacheSize    = 4 << 20
	l0Compact    = 32 // Pebble counts a level of overlapping tables twice
	l0Stop       = 64
	filterBits   = 10 // a key: one in a hundred passes a filter in vain
	lockPoll     = 20 * time.Millisecond
	pidFile      = "dsync.pid"
)

// onPebble is the usual backing: a Pebble database in a directory.
type onPebble struct {
	p    *pebble.DB
	lock *pebble.Lock
	fs   vfs.FS
	dir  string
}

// openPebble opens a directory's database, which is made if need be. It panics, as
// Pebble does, where a write fails: see DB.recoverFatal.
func openPebble(dir string, o Options, l pebble.Logger) (_ *onPebble, err error) {
	b := &onPebble{fs: o.FS, dir: dir}
	if b.fs == nil {
		b.fs = vfs.Default
	}
	if o.ReadOnly {
		if _, err := b.fs.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, store.ErrGone
		}
	} else if err := b.fs.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := b.takeLock(o.LockWait); err != nil {
		return nil, err
	}
	defer func() {
		if b.p == nil {
			b.lock.Close()
		}
	}()
	b.p, err = pebble.Open(dir, b.options(o, l))
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		return nil, store.ErrGone
	}
	if err != nil {
		if e := syscall.Errno(0); !errors.As(err, &e) || errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", errDamage, err) // Pebble does not always say so
		}
		return nil, err
	}
	return b, nil
}

func (b *onPebble) options(o Options, l pebble.Logger) *pebble.Options {
	opts := &pebble.Options{
		FS: orderedFS{b.fs}, Lock: b.lock, ReadOnly: o.ReadOnly, ErrorIfNotExists: o.ReadOnly,
		CacheSize: cacheSize, MemTableSize: memTableSize, MaxOpenFiles: 200,
		FormatMajorVersion: pebble.FormatNewest, Logger: l,
		// Its goroutine outlives a failed Open and crashes (v2.1.7); Trim compacts
		// what it emptied without its advice.
		DisableTableStats: true,
	}
	if o.ReadOnly {
		opts.FormatMajorVersion = 0
	}
	if o.memTable > 0 {
		opts.MemTableSize = o.memTable
	}
	opts.Experimental.ReadSamplingMultiplier = -1 // reading writes nothing
	// A run writes little, into one small table each; merged at Pebble's usual two
	// of these, every second run would write the account's whole view anew.
	opts.L0CompactionThreshold, opts.L0StopWritesThreshold = l0Compact, l0Stop
	// So there may be many such tables, each with keys of all accounts: a value is not
	// looked for in those that a filter says it is not in.
	opts.Levels[0].FilterPolicy = bloom.FilterPolicy(filterBits)
	// Whoever reads a damaged table is told; that is not the end of the process.
	opts.EventListener = &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}
	return opts
}

// takeLock waits for the directory's lock and leaves our process number beside it.
func (b *onPebble) takeLock(wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for {
		l, err := pebble.LockDirectory(b.dir, b.fs)
		if err == nil {
			b.lock = l
			b.writePID()
			return nil
		}
		if !lockHeld(err) {
			return fmt.Errorf("lock: %w", err)
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("%w%s", store.ErrBusy, b.holder())
		}
		time.Sleep(min(lockPoll, time.Until(deadline)))
	}
}

// lockHeld tells a lock held elsewhere from other trouble. Pebble gives the bare
// error of fcntl, or a sentence if the holder is this process.
func lockHeld(err error) bool {
	return isLockErrno(err) || strings.Contains(err.Error(), "held by current process")
}

func (b *onPebble) pidPath() string { return b.fs.PathJoin(b.dir, pidFile) }

// writePID is for the error message of others only; it need not succeed.
func (b *onPebble) writePID() {
	f, err := b.fs.Create(b.pidPath(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return
	}
	f.Write([]byte(strconv.Itoa(os.Getpid()) + "\n"))
	f.Close()
}

func (b *onPebble) holder() string {
	f, err := b.fs.Open(b.pidPath())
	if err != nil {
		return ""
	}
	defer f.Close()
	var text [16]byte
	n, _ := f.Read(text[:])
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n]))); err == nil && pid > 0 {
		return fmt.Sprintf(" (pid %d)", pid)
	}
	return ""
}

func (b *onPebble) get(key []byte) ([]byte, io.Closer, error) { return b.p.Get(key) }

func (b *onPebble) iter(lower, upper []byte) (cursor, error) {
	it, err := b.p.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, err // not a cursor that is a nil *pebble.Iterator
	}
	return it, nil
}

func (b *onPebble) newBatch() *pebble.Batch { return b.p.NewBatch() }

// apply: Pebble would skip an empty batch, so it gets a line for the log.
func (b *onPebble) apply(w *pebble.Batch, sync bool) error {
	if w.Empty() && sync {
		if err := w.LogData([]byte("sync"), nil); err != nil {
			return err
		}
	}
	if sync {
		return w.Commit(pebble.Sync)
	}
	return w.Commit(pebble.NoSync)
}

func (b *onPebble) flush() error { return b.p.Flush() }

func (b *onPebble) settled() bool {
	m := b.p.Metrics()
	return m.Compact.NumInProgress == 0 && m.Flush.NumInProgress == 0 && m.Compact.EstimatedDebt == 0
}

func (b *onPebble) compact(lo, hi []byte) error {
	return b.p.Compact(context.Background(), lo, hi, false)
}

func (b *onPebble) size(lo, hi []byte) (uint64, error) { return b.p.EstimateDiskUsage(lo, hi) }

func (b *onPebble) close(dead bool) (err error) {
	defer func() { err = errors.Join(err, b.lock.Close()) }()
	if dead {
		return nil
	}
	b.fs.Remove(b.pidPath())
	return b.p.Close()
}
