package owner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"dsync/changelog/logdb"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/remote"
	"dsync/store"
)

// How long is waited, and for how many.
const (
	askTime    = 10 * time.Second       // for an asker to say what it wants
	answerTime = 2 * time.Second        // for an owner to answer a hello
	aliveEvery = 10 * time.Second       // how often an owner shows that it works
	ownerStall = 90 * time.Second       // without a sign of an owner that took work
	askerStall = 60 * time.Second       // without an asker taking what it is told
	tryPause   = 30 * time.Millisecond  // between two tries, on average
	farGrace   = 2 * time.Minute        // how long a closing owner takes far ends
	maxGuests  = 64                     // runs handed over, at once
	maxFarEnds = 256                    // far ends handed over, at once
	maxAsking  = maxGuests + maxFarEnds // connections, those under way included
)

// Setup is what a process brings.
type Setup struct {
	Dir string // of the change log
	// Fatal is engine.Options.Fatal.
	Fatal func(exit int, err error)
	// Notice takes lines about who shares what; may be nil.
	Notice func(engine.Level, string)
	// Run makes a run: engine.Run.
	Run func(context.Context, engine.Options) *engine.Report
	// Call reaches a far end on the network for a run that was handed over.
	Call func(ctx context.Context, c *Call, raw *os.File) (*remote.Link, error)
	// Ended and FarEnded are told of what was done here; nil: nobody is.
	Ended    func(user string, rep *engine.Report)
	FarEnded func(exit int)
}

// Log is a process's way to a change log: as its owner, or through the process that
// is. It may be used by several goroutines.
type Log struct {
	s      Setup
	ctx    context.Context // of what is handed to this process
	cancel context.CancelFunc

	opening sync.Mutex // held while the database is being opened

	mu      sync.Mutex
	db      *logdb.DB // nil: not the owner
	socks   []listening
	guests  [2]int // runs, far ends
	asking  int
	left    *sync.Cond // guests have gone
	closing time.Time  // when Close began; zero: it did not
	closed  bool
	warned  bool
}

// listening is a socket at which work is taken.
type listening struct {
	*net.UnixListener
	path string
}

// New makes the way to a change log; it opens nothing yet. Once ctx ends, so does what
// others handed to this process.
func New(ctx context.Context, s Setup) *Log {
	l := &Log{s: s}
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.left = sync.NewCond(&l.mu)
	return l
}

func (l *Log) path() string { return filepath.Join(l.s.Dir, SocketName) }

func (l *Log) note(level engine.Level, format string, args ...any) {
	if l.s.Notice != nil {
		l.s.Notice(level, fmt.Sprintf(format, args...))
	}
}

// own makes this process the owner, if nobody is. The error wraps store.ErrBusy if
// another process is.
func (l *Log) own(ctx context.Context) (*logdb.DB, error) {
	l.opening.Lock()
	defer l.opening.Unlock()
	l.mu.Lock()
	db, closed := l.db, l.closed
	l.mu.Unlock()
	switch {
	case closed:
		return nil, errors.New("the change log was closed")
	case db != nil:
		return db, nil
	}
	db, err := engine.OpenChangeLog(ctx, l.s.Dir, 0, l.s.Fatal)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.db = db
	l.mu.Unlock()
	if err := l.Listen(l.path()); err != nil {
		l.note(engine.Warning, "other processes must wait until this one ends: listen at %s: %v", l.path(), err)
	}
	return db, nil
}

// Listen takes work at one more socket; this process is the owner.
func (l *Log) Listen(path string) error {
	sock, err := Listen(path)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.socks = append(l.socks, listening{sock, path})
	l.mu.Unlock()
	go l.accept(sock)
	return nil
}

// Unlisten takes no more work at a socket that Listen made.
func (l *Log) Unlisten(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range l.socks {
		if s.path == path {
			os.Remove(path)
			s.Close()
			l.socks = slices.Delete(l.socks, i, i+1)
			return
		}
	}
}

// Health is nil while this process is the owner, takes work, and its change log can be
// read.
func (l *Log) Health() error {
	l.mu.Lock()
	db, ending := l.db, l.closed || !l.closing.IsZero() || l.ctx.Err() != nil
	l.mu.Unlock()
	switch {
	case ending:
		return errors.New("ending")
	case db == nil:
		return errors.New("the change log is not open")
	}
	_, _, _, err := db.Lookup("nowhere")
	return err
}

// Owner waits until this process is the owner.
func (l *Log) Owner(ctx context.Context, wait time.Duration) (db *logdb.DB, err error) {
	err = l.try(ctx, wait, func(d *logdb.DB) { db = d }, func() (bool, error) { return false, nil })
	return db, err
}

// Ready waits until this process is the owner, or another answers.
func (l *Log) Ready(ctx context.Context, wait time.Duration) error {
	return l.try(ctx, wait, func(*logdb.DB) {}, func() (bool, error) {
		c, _, err := l.connect(ctx, l.path())
		if err != nil {
			return false, err
		}
		return true, c.Close()
	})
}

// try does the work here, or has it done by the owner, whichever can be done first.
// hand reports false if nothing was begun. After wait the error wraps store.ErrBusy.
func (l *Log) try(ctx context.Context, wait time.Duration, here func(*logdb.DB), hand func() (done bool, why error)) error {
	deadline := time.Now().Add(wait)
	for {
		db, err := l.own(ctx)
		if err == nil {
			here(db)
			return nil
		}
		if !errors.Is(err, store.ErrBusy) {
			return err
		}
		done, why := hand()
		if done {
			return nil
		}
		l.foreign(why)
		if !time.Now().Before(deadline) {
			return wayOut(err, why)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the change log: %w", ctx.Err())
		case <-time.After(min(tryPause/2+rand.N(tryPause), time.Until(deadline))):
		}
	}
}

// wayOut says why waiting was in vain, as far as is known.
func wayOut(busy, why error) error {
	if why == nil {
		return busy
	}
	return fmt.Errorf("%w; it takes no work: %w", busy, why)
}

// foreign warns, once, of a socket that is not used.
func (l *Log) foreign(why error) {
	l.mu.Lock()
	warn := errors.Is(why, errForeign) && !l.warned
	l.warned = l.warned || warn
	l.mu.Unlock()
	if warn {
		l.note(engine.Warning, "%v", why)
	}
}

// Guests counts what others handed to this process and is under way.
func (l *Log) Guests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.guests[0] + l.guests[1]
}

// Close ends what this process is to others: it waits for what they handed to it, takes
// nothing new meanwhile (see the contract), and closes the change log.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.db == nil || l.closed {
		l.closed = true
		l.mu.Unlock()
		l.cancel()
		return nil
	}
	l.closing = time.Now()
	if n := l.guests[0] + l.guests[1]; n > 0 {
		l.mu.Unlock()
		l.note(engine.Info, "the change log stays open for %d runs of other processes", n)
		l.mu.Lock()
	}
	for l.guests[0]+l.guests[1] > 0 {
		l.left.Wait()
	}
	l.closed = true
	socks := l.socks
	l.mu.Unlock()
	l.cancel()
	for _, s := range socks { // the lock is still ours, so the sockets are
		os.Remove(s.path)
		s.Close()
	}
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("close the change log: %w", err)
	}
	return nil
}
