package logdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
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

// Options says how a database is opened. The zero value is for ordinary use.
type Options struct {
	FS       vfs.FS        // nil: the disk
	Disk     *Disk         // if not nil, what the log is kept in, instead of files
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
	kept backing
	o    Options
	dead atomic.Bool
	// lazy counts commits that asked for no sync, flushed those of them known to
	// be durable all the same.
	lazy, flushed atomic.Int64
	gets, walks   atomic.Int64 // reads so far, for whoever measures

	held [16]held // accounts that somebody holds, by their identity's last bits
}

// Open opens the database in a directory, which is made if need be. With
// Options.Disk the directory is but a name for messages.
func Open(dir string, o Options) (*DB, error) {
	d := &DB{o: o}
	if err := d.open(dir); err != nil {
		return nil, fmt.Errorf("open change log %s: %w", dir, err)
	}
	return d, nil
}

func (d *DB) open(dir string) (err error) {
	defer d.recoverFatal(&err)
	if d.o.Disk != nil {
		d.kept, err = d.o.Disk.open(d)
	} else {
		d.kept, err = openPebble(dir, d.o, logger{d})
	}
	if err != nil {
		return err
	}
	if err = d.checkFormat(); err != nil {
		d.kept.close(d.dead.Load())
	}
	return err
}

func (d *DB) checkFormat() error {
	key := prefix(nil, 0, famFormat)
	val, err := d.get(key)
	switch {
	case errors.Is(err, errAbsent):
		if d.o.ReadOnly {
			return nil
		}
		b := d.kept.newBatch()
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

// Close ends all use of the database and its accounts.
func (d *DB) Close() (err error) {
	defer d.recoverFatal(&err)
	dead := d.dead.Load()
	if err = d.kept.close(dead); dead {
		err = errors.Join(ErrDead, err)
	}
	return err
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
	err := error(fmt.Errorf("change log: "+format, args...))
	for _, a := range args {
		if why, ok := a.(error); ok {
			err = fmt.Errorf("change log: %w", why)
		}
	}
	l.d.die(err)
}

// die ends the database.
func (d *DB) die(err error) {
	d.dead.Store(true)
	if d.o.Fatal != nil {
		d.o.Fatal(err)
	}
	panic(err)
}

// get gives a copy of the checked payload under key, or errAbsent.
func (d *DB) get(key []byte) ([]byte, error) {
	if d.dead.Load() {
		return nil, ErrDead
	}
	d.gets.Add(1)
	val, c, err := d.kept.get(key)
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

func (d *DB) iter(lower, upper []byte) (cursor, error) {
	if d.dead.Load() {
		return nil, ErrDead
	}
	d.walks.Add(1)
	return d.kept.iter(lower, upper)
}

// Reads is how often the database was read since it was opened: values under one
// key, and ranges of keys.
func (d *DB) Reads() (gets, walks int64) { return d.gets.Load(), d.walks.Load() }

// commit writes a batch, which is used up. With sync, all commits before are
// durable too.
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
	if b.Empty() && (!sync || lazy == d.flushed.Load()) {
		return b.Close()
	}
	if err := d.kept.apply(b, sync && !d.o.NoSync); err != nil {
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
	halves := [2]*pebble.Batch{d.kept.newBatch(), d.kept.newBatch()}
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
	return halves[1], d.kept.apply(halves[0], sync)
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
