package engine

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"dsync/changelog"
	"dsync/fuzz/dovecot"
	"dsync/fuzz/live"
	"dsync/store"
)

// Sessions are whole sessions of dsync over accounts of one kind. Each replica has its
// mail and a change log of its own, in memory. A run happens in one goroutine; over
// accounts in memory, whose clock is the world's, all that happens follows from the
// steps and the seed. Close it when its worlds are closed.
type Sessions struct {
	name string
	kind accountKind
	open func(dir string) (store.Store, error) // of Stores

	mu  sync.Mutex
	dir string // of Maildirs
	d   *dovecot.Dovecot
}

type accountKind int

const (
	inMemory accountKind = iota
	onDisk
	underDovecot
	underTest // the first replica's; the others are in memory
)

// files reports whether the mail is in files, and the clock the system's.
func (k accountKind) files() bool { return k == onDisk || k == underDovecot }

// Memory is the engine over accounts in memory. Its clock is its own.
func Memory() *Sessions { return &Sessions{name: "memory", kind: inMemory} }

// Maildir is the engine over Maildirs that clients change by plain file operations,
// each followed by an IMAP server's look, which gives UIDs.
func Maildir() *Sessions { return &Sessions{name: "maildir", kind: onDisk} }

// Dovecot is the engine over Maildirs that a Dovecot changes and reads.
func Dovecot() *Sessions { return &Sessions{name: "dovecot", kind: underDovecot} }

// Name implements Engine.
func (e *Sessions) Name() string { return e.name }

var worldCount atomic.Uint64

// Start implements Engine.
func (e *Sessions) Start(set Setup) (World, error) {
	if _, err := set.policy(nil); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	id := worldCount.Add(1)
	w := &sessions{set: set, e: e, Source: live.NewSource(set.Seed, e.kind.files()),
		states: map[[2]int][]string{}, trace: fnv.New64a(), kinds: map[changelog.Dot]string{}}
	for i := range set.Replicas {
		w.replicas = append(w.replicas, &replica{w: w})
		if err := e.furnish(w.replicas[i], i, id); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

// furnish makes the mail of a world's replica, and an empty log for it.
func (e *Sessions) furnish(r *replica, i int, id uint64) (err error) {
	if e.kind != inMemory && e.dir == "" {
		if e.dir, err = temporary(); err != nil {
			return err
		}
	}
	if e.kind == underDovecot && e.d == nil {
		if e.d, err = newDovecot(e.dir); err != nil {
			return err
		}
	}
	path := filepath.Join(e.dir, fmt.Sprintf("w%d-%d", id, i))
	switch e.kind {
	case inMemory, underTest:
		if e.kind == underTest && i == 0 {
			r.mail, err = e.account(id)
			break
		}
		r.mail = live.NewMemory(r.w.set.Replicas[i], r.w.set.Seed*64+uint64(i)+1, r.time)
	case onDisk:
		r.mail, err = live.NewMaildir(path, false)
	default:
		r.mail, err = live.NewDovecot(e.d, path, false)
	}
	if err != nil {
		return err
	}
	r.log = newLog(r.w.set.Pebble)
	return nil
}

// temporary makes a directory for Maildirs, in memory if there is such a place.
func temporary() (string, error) {
	base := os.Getenv("DSYNC_TEST_TMP")
	if i, err := os.Stat("/dev/shm"); base == "" && err == nil && i.IsDir() {
		base = "/dev/shm"
	}
	return os.MkdirTemp(base, "dsync-lab-")
}

func newDovecot(dir string) (*dovecot.Dovecot, error) {
	if !dovecot.Available() {
		return nil, fmt.Errorf("%w: Dovecot is not installed (doveadm is not on PATH)", ErrUnsupported)
	}
	at := filepath.Join(dir, "dovecot")
	if err := os.MkdirAll(at, 0o700); err != nil {
		return nil, err
	}
	return dovecot.New(at)
}

// Close ends the engine and removes the directory of its Maildirs.
func (e *Sessions) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	dir := e.dir
	e.dir, e.d = "", nil
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}
