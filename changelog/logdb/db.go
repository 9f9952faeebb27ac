package logdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/store"
)

// Errors that callers tell apart. A lock held by another process is
// store.ErrBusy, a database that is not there store.ErrGone, damage a
// *changelog.CorruptError.
var (
	ErrNoAccount = errors.New("no such account in the change log")
	ErrExists    = errors.New("account exists already in the change log")
	ErrFormat    = errors.New("the change log was written by a newer program")
	ErrDead      = errors.New("the change log failed to write and must be opened again")
)

// Format is the number of the database's layout: of keys and families. Values
// carry numbers of their own.
const Format = 1

const (
	memTableSize = 4 << 20
	cacheSize    = 4 << 20
	l0Compact    = 32 // Pebble counts a level of overlapping tables twice
	l0Stop       = 64
	lockPoll     = 20 * time.Millisecond
	pidFile      = "dsync.pid"
)

// Options says how a database is opened. The zero value is for ordinary use.
type Options struct {
	FS       vfs.FS        // nil: the disk
	ReadOnly bool          // write nothing; the database must exist
	LockWait time.Duration // how long to wait for another process; 0: not at all
	// Logger takes what the database has to say, one line each; nil: nobody.
	Logger func(line string)
	// Fatal is called, from any goroutine, when the database can go on no longer:
	// a failed write of its log. It should end the process; if it returns, or is
	// nil, the goroutine panics, and a Commit it was in returns ErrDead.
	Fatal func(error)

	// NoSync makes no commit durable, and SplitBatch makes commits in two halves.
	// They are mutants for the tests of the tests.
	NoSync, SplitBatch bool

	memTable uint64 // bytes; 0: memTableSize. Small ones make tests flush and compact
}

// IsDamage reports whether an error comes of a database that cannot be read, as
// against one that cannot be reached or written.
func IsDamage(err error) bool {
	ce := (*changelog.CorruptError)(nil)
	return errors.As(err, &ce) || pebble.IsCorruptionError(err) || errors.Is(err, errDamage)
}

var errDamage = errors.New("damaged")

// DB is an open database. It may be used by several goroutines.
type DB struct {
	p    *pebble.DB
	lock *pebble.Lock
	fs   vfs.FS
	dir  string
	o    Options
	dead atomic.Bool
	// lazy counts commits that asked for no sync, flushed those of them known to
	// be durable all the same.
	lazy, flushed atomic.Int64

	mu       sync.Mutex
	accounts map[changelog.ReplicaID]*Account
}

// Open opens the database in a directory, which is made if need be.
func Open(dir string, o Options) (*DB, error) {
	d := &DB{fs: o.FS, dir: dir, o: o, accounts: map[changelog.ReplicaID]*Account{}}
	if d.fs == nil {
		d.fs = vfs.Default
	}
	if o.ReadOnly {
		if _, err := d.fs.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("open change log %s: %w", dir, store.ErrGone)
		}
	} else if err := d.fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open change log: %w", err)
	}
	if err := d.takeLock(); err != nil {
		return nil, err
	}
	if err := d.open(); err != nil {
		d.lock.Close()
		return nil, fmt.Errorf("open change log %s: %w", dir, err)
	}
	return d, nil
}

func (d *DB) open() (err error) {
	defer d.recoverFatal(&err)
	opts := &pebble.Options{
		FS: orderedFS{d.fs}, Lock: d.lock, ReadOnly: d.o.ReadOnly, ErrorIfNotExists: d.o.ReadOnly,
		CacheSize: cacheSize, MemTableSize: memTableSize, MaxOpenFiles: 200,
		FormatMajorVersion: pebble.FormatNewest, Logger: logger{d},
		// Its goroutine outlives a failed Open and crashes (v2.1.7); Trim compacts
		// what it emptied without its advice.
		DisableTableStats: true,
	}
	if d.o.ReadOnly {
		opts.FormatMajorVersion = 0
	}
	if d.o.memTable > 0 {
		opts.MemTableSize = d.o.memTable
	}
	opts.Experimental.ReadSamplingMultiplier = -1 // reading writes nothing
	// A run writes little, into one small table each; merged at Pebble's usual two
	// of these, every second run would write the account's whole view anew.
	opts.L0CompactionThreshold, opts.L0StopWritesThreshold = l0Compact, l0Stop
	// Whoever reads a damaged table is told; that is not the end of the process.
	opts.EventListener = &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}
	d.p, err = pebble.Open(d.dir, opts)
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		return store.ErrGone
	}
	if err != nil {
		if e := syscall.Errno(0); !errors.As(err, &e) || errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", errDamage, err) // Pebble does not always say so
		}
		return err
	}
	if err = d.checkFormat(); err != nil {
		d.p.Close()
	}
	return err
}

func (d *DB) checkFormat() error {
	key := prefix(nil, 0, famFormat)
	val, err := d.get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		if d.o.ReadOnly {
			return nil
		}
		b := d.p.NewBatch()
		put(b, key, func(dst []byte) []byte { return pack.Uint(dst, uint64(Format)) })
		return d.commit(b, true)
	case err != nil:
		return err
	}
	r := pack.New(val, "format number")
	n := r.Uint64()
	if err := r.End(); err != nil {
		return within(key, err)
	}
	if n != Format {
		return fmt.Errorf("%w: format %d, want %d", ErrFormat, n, Format)
	}
	return nil
}

// takeLock waits for the directory's lock and leaves our process number beside it.
func (d *DB) takeLock() error {
	deadline := time.Now().Add(d.o.LockWait)
	for {
		l, err := pebble.LockDirectory(d.dir, d.fs)
		if err == nil {
			d.lock = l
			d.writePID()
			return nil
		}
		if !lockHeld(err) {
			return fmt.Errorf("lock change log %s: %w", d.dir, err)
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("change log %s: %w%s", d.dir, store.ErrBusy, d.holder())
		}
		time.Sleep(min(lockPoll, time.Until(deadline)))
	}
}

// lockHeld tells a lock held elsewhere from other trouble. Pebble gives the bare
// error of fcntl, or a sentence if the holder is this process.
func lockHeld(err error) bool {
	return isLockErrno(err) || strings.Contains(err.Error(), "held by current process")
}

func (d *DB) pidPath() string { return d.fs.PathJoin(d.dir, pidFile) }

// writePID is for the error message of others only; it need not succeed.
func (d *DB) writePID() {
	f, err := d.fs.Create(d.pidPath(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return
	}
	f.Write([]byte(strconv.Itoa(os.Getpid()) + "\n"))
	f.Close()
}

func (d *DB) holder() string {
	f, err := d.fs.Open(d.pidPath())
	if err != nil {
		return ""
	}
	defer f.Close()
	var b [16]byte
	n, _ := f.Read(b[:])
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n]))); err == nil && pid > 0 {
		return fmt.Sprintf(" (pid %d)", pid)
	}
	return ""
}

// Close ends all use of the database and its accounts.
func (d *DB) Close() (err error) {
	defer func() { err = errors.Join(err, d.lock.Close()) }()
	if d.dead.Load() {
		return ErrDead
	}
	defer d.recoverFatal(&err)
	d.fs.Remove(d.pidPath())
	return d.p.Close()
}

// recoverFatal turns the end of the database, met in this goroutine, into an error.
func (d *DB) recoverFatal(err *error) {
	switch v := recover().(type) {
	case nil:
	case runtime.Error:
		panic(v) // a bug
	case error: // from Fatalf, or of a directory that could not be synced
		d.dead.Store(true)
		*err = fmt.Errorf("%w: %w", ErrDead, v)
	default:
		panic(v)
	}
}

// logger is Pebble's way to speak.
type logger struct{ d *DB }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	if l.d.o.Logger != nil {
		l.d.o.Logger(fmt.Sprintf("change log: "+format, args...))
	}
}

func (l logger) Fatalf(format string, args ...any) {
	l.d.dead.Store(true)
	err := error(fmt.Errorf("change log: "+format, args...))
	for _, a := range args {
		if why, ok := a.(error); ok {
			err = fmt.Errorf("change log: %w", why)
		}
	}
	if l.d.o.Fatal != nil {
		l.d.o.Fatal(err)
	}
	panic(err)
}

// get gives a copy of the checked payload under key, or pebble.ErrNotFound.
func (d *DB) get(key []byte) ([]byte, error) {
	if d.dead.Load() {
		return nil, ErrDead
	}
	val, c, err := d.p.Get(key)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	p, err := unframe(key, val)
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), p...), nil
}

// scan calls f with every key of a range, in order. Key and value are f's until
// it returns.
func (d *DB) scan(lower, upper []byte, f func(key, val []byte) error) error {
	it, err := d.iter(lower, upper)
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		val, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := f(it.Key(), val); err != nil {
			return err
		}
	}
	return it.Error()
}

func (d *DB) iter(lower, upper []byte) (*pebble.Iterator, error) {
	if d.dead.Load() {
		return nil, ErrDead
	}
	return d.p.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
}

// commit writes a batch, which is used up. With sync, all commits before are
// durable too: Pebble would skip an empty batch, so it gets a line for the log if
// there is something to sync.
func (d *DB) commit(b *pebble.Batch, sync bool) (err error) {
	if d.dead.Load() {
		return ErrDead
	}
	if d.o.ReadOnly {
		return store.ErrReadOnly
	}
	defer d.recoverFatal(&err)
	if d.o.SplitBatch && b.Count() > 1 {
		if b, err = d.firstHalf(b, sync); err != nil {
			return err
		}
	}
	lazy := d.lazy.Load()
	if b.Empty() {
		if !sync || lazy == d.flushed.Load() {
			return b.Close()
		}
		if err := b.LogData([]byte("sync"), nil); err != nil {
			return err
		}
	}
	o := pebble.NoSync
	if sync && !d.o.NoSync {
		o = pebble.Sync
	}
	if err := b.Commit(o); err != nil {
		return err
	}
	if sync {
		d.flushed.Store(lazy)
	} else {
		d.lazy.Add(1)
	}
	return b.Close()
}

// firstHalf commits half of a batch, durable where the whole would be, and gives
// the rest: a mutant.
func (d *DB) firstHalf(b *pebble.Batch, sync bool) (*pebble.Batch, error) {
	halves := [2]*pebble.Batch{d.p.NewBatch(), d.p.NewBatch()}
	r := b.Reader()
	for i := uint32(0); ; i++ {
		kind, k, v, ok, err := r.Next()
		if !ok || err != nil {
			break
		}
		h := halves[0]
		if i >= b.Count()/2 {
			h = halves[1]
		}
		switch kind {
		case pebble.InternalKeyKindSet:
			h.Set(k, v, nil)
		case pebble.InternalKeyKindDelete:
			h.Delete(k, nil)
		case pebble.InternalKeyKindRangeDelete:
			h.DeleteRange(k, v, nil)
		}
	}
	return halves[1], halves[0].Commit(&pebble.WriteOptions{Sync: sync})
}

// put adds a framed value to a batch.
func put(b *pebble.Batch, key []byte, enc func([]byte) []byte) {
	val := enc(make([]byte, frameLen, 256))
	seal(key, val)
	b.Set(key, val, nil)
}

// AccountInfo is one line of the list of accounts.
type AccountInfo struct {
	Replica  changelog.Replica
	Location string
	Identity string
	LastLook int64 // µs since 1970
}

// Accounts lists the accounts of the database, by replica.
func (d *DB) Accounts() ([]AccountInfo, error) {
	it, err := d.iter(prefix(nil, 1, 0), nil)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []AccountInfo
	for ok := it.First(); ok; {
		if len(it.Key()) < prefixLen {
			return nil, damaged(it.Key(), "a key of %d bytes", len(it.Key()))
		}
		id := changelog.ReplicaID(binary.BigEndian.Uint64(it.Key()))
		m, err := d.readMeta(id)
		if err != nil {
			return nil, err
		}
		out = append(out, AccountInfo{m.Replica, m.Location, m.Identity, m.LastLook})
		if id == ^changelog.ReplicaID(0) {
			break
		}
		ok = it.SeekGE(prefix(nil, id+1, 0))
	}
	return out, it.Error()
}
