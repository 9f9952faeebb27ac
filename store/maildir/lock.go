package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

const (
	lockName = "dsync.lock"
	// Dovecot takes a dotlock for dead when it has not changed for two minutes.
	dotlockStale = 120 * time.Second
	dotlockWait  = 30 * time.Second
	// ourLock begins the content of our dotlocks. It is not the "pid:host" that
	// Dovecot would act upon: in a container the same pid may be another's.
	ourLock = "dsync "
)

// Lock takes the account's lock file. It is never removed: the root directory
// must not change in a run that changes nothing.
func (s *Store) Lock(ctx context.Context, wait time.Duration) (func() error, error) {
	if err := s.writing(); err != nil {
		return nil, err
	}
	f, err := s.lockFileOfAccount()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.opts, readOnlyErr(err))
	}
	deadline := time.Now().Add(wait)
	for {
		ok, err := f.TryLock()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", s.opts, err), f.Close())
		}
		if ok {
			break
		}
		if time.Now().After(deadline) {
			by := f.Holder()
			_ = f.Close()
			if by == 0 {
				return nil, fmt.Errorf("lock %s: %w", s.opts, store.ErrBusy)
			}
			return nil, fmt.Errorf("lock %s: %w (pid %d)", s.opts, store.ErrBusy, by)
		}
		if err := sleep(ctx, min(jitter(50*time.Millisecond), max(time.Until(deadline), time.Millisecond))); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	s.locked.Store(true)
	// Renames that a dead run left half done are completed before anybody looks.
	if err := s.recoverMoves(); err != nil {
		s.locked.Store(false)
		return nil, errors.Join(fmt.Errorf("complete renames in %s: %w", s.opts, err), f.Close())
	}
	return func() error {
		s.locked.Store(false)
		return f.Close()
	}, nil
}

// lockFileOfAccount opens the lock file, and makes it if need be. Nothing is written
// into it: the system knows who holds a lock, and a file written to at each run costs
// more than all the looks of a run that finds nothing changed.
func (s *Store) lockFileOfAccount() (fsys.File, error) {
	f, err := s.root.Append(lockName)
	if !missing(err) {
		return f, err
	}
	p, err := s.permsOf(s.root)
	if err != nil {
		return nil, err
	}
	if f, err = s.root.OpenLock(lockName, p.fileMode); err != nil {
		return nil, err
	}
	if err := s.dress(f, p); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// readOnlyErr adds the store's word for a file system that cannot be written.
func readOnlyErr(err error) error {
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", store.ErrReadOnly, err)
	}
	return err
}

// dotlock is a held lock file as Dovecot makes it.
type dotlock struct {
	dir  fsys.Dir
	name string
}

func (l *dotlock) unlock() { _ = l.dir.Unlink(l.name) }

// dotlock takes <file>.lock. The lock appears with its content in one step (a
// link), so that a lock of ours is known for one whenever we died.
func (s *Store) dotlock(ctx context.Context, d fsys.Dir, file string, p perms) (*dotlock, error) {
	name := file + ".lock"
	tmp := s.temp()
	if err := s.lockFile(d, tmp, p); err != nil {
		return nil, err
	}
	defer func() { _ = d.Unlink(tmp) }()
	deadline := time.Now().Add(dotlockWait)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := d.Link(tmp, d, name)
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EOPNOTSUPP) {
			err = s.lockFile(d, name, p) // a file system without links
		}
		if err == nil {
			return &dotlock{dir: d, name: name}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("lock %s: %w", file, readOnlyErr(err))
		}
		broken, err := s.breakLock(d, name)
		if err != nil {
			return nil, err
		}
		if broken {
			continue
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s is held: %w", name, store.ErrBusy)
		}
		if err := sleep(ctx, jitter(pause)); err != nil {
			return nil, err
		}
	}
}

func (s *Store) lockFile(d fsys.Dir, name string, p perms) error {
	f, err := d.Create(name, p.fileMode)
	if err != nil {
		return readOnlyErr(err)
	}
	err = s.dress(f, p)
	if err == nil {
		_, err = fmt.Fprintf(f, "%s%s pid %d %s\n", ourLock, s.run, os.Getpid(), procSpace())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = d.Unlink(name)
	}
	return err
}

// procSpace tells host and pid namespace, in which a pid means something.
var procSpace = sync.OnceValue(func() string {
	host, _ := os.Hostname()
	ns, _ := os.Readlink("/proc/self/ns/pid")
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return host + " " + ns + " " + strings.TrimSpace(string(boot))
})

// breakLock removes a lock whose holder is dead: one that is two minutes old, or
// one of ours whose process is gone, or that another run of ours left while this
// one holds the account.
func (s *Store) breakLock(d fsys.Dir, name string) (bool, error) {
	in, err := d.Stat(name)
	if missing(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !s.deadLock(d, name, in) {
		return false, nil
	}
	// Take it away under another name and look whether it was the one judged.
	tmp := s.temp()
	if err := d.Rename(name, d, tmp); err != nil {
		if missing(err) {
			return true, nil
		}
		return false, err
	}
	if got, err := d.Stat(tmp); err == nil && got.Ino != in.Ino {
		err := d.Link(tmp, d, name)
		_ = d.Unlink(tmp)
		return false, err
	}
	return true, d.Unlink(tmp)
}

func (s *Store) deadLock(d fsys.Dir, name string, in fsys.Info) bool {
	newest := max(in.Mtime, in.Ctime)
	if s.now().UnixNano()-newest > int64(dotlockStale) {
		return true
	}
	data, err := s.readSmall(d, name, 4096)
	rest, ok := strings.CutPrefix(string(data), ourLock)
	if err != nil || !ok {
		return false
	}
	f := strings.SplitN(strings.TrimSpace(rest), " ", 4)
	if len(f) != 4 || f[1] != "pid" || f[0] == s.run {
		return false
	}
	if s.locked.Load() {
		return true
	}
	pid, err := strconv.Atoi(f[2])
	return err == nil && pid > 0 && f[3] == procSpace() && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
