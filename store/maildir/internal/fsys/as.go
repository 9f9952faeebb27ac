package fsys

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// As is in whose name files are reached: a user of the system who is not root, the
// process being root's. nil is the process itself.
//
// The kernel keeps for each thread as whom it reaches files (setfsuid(2), setfsgid(2),
// supplementary groups), and a thread that has no longer the uid 0 there loses the
// capabilities that let root pass by permissions. Goroutines wander between threads,
// and those that reach a store are many: a run's own, replay's workers, wire's servers
// of bodies. So none of them is relied upon to be someone: each operation here that
// depends on it binds its goroutine to a thread, becomes the user, and root again
// before it lets the thread go (do). What works with an open file or directory alone
// (read, write, fsync, stat of itself) needs nobody.
//
// Becoming somebody costs about ten system calls; Enter does it once for several
// operations of one goroutine, which must not meanwhile do anything that root has to
// do: open the change log's files, look into the configuration.
//
// A thread that is a user's is always bound to the goroutine that made it so: so a
// goroutine that finds itself on one may go on there. Threads that the runtime starts
// meanwhile come from a thread of its own, which is root's.
type As struct {
	UID, GID uint32
	Groups   []uint32 // besides GID
}

// Check refuses who may not be become.
func (a *As) Check() error {
	switch {
	case os.Geteuid() != 0:
		return errors.New("only root can reach files as another user")
	case a.UID == 0:
		return errors.New("no uid, or root's, is said for the user")
	case a.GID == 0:
		return errors.New("no gid, or root's, is said for the user")
	}
	return nil
}

// nobody is what the kernel takes for no uid: it changes nothing and gives what is.
const nobody = -1

// on reports whether the thread is the user's already.
func (a *As) on() bool {
	uid, _ := unix.SetfsuidRetUid(nobody)
	return uid == int(a.UID)
}

// do does an operation as the user.
func (a *As) do(f func() error) error {
	if a == nil || a.on() {
		return f()
	}
	if err := a.become(); err != nil {
		return err
	}
	defer back()
	return f()
}

// Enter makes the goroutine the user's until leave is called, by the same goroutine.
// Where that fails it does nothing, and each operation says why.
func (a *As) Enter() (leave func()) {
	if a == nil || a.on() || a.become() != nil {
		return func() {}
	}
	return back
}

// become binds the goroutine to its thread and makes that the user's, or does neither.
func (a *As) become() error {
	root := rootsOwn()
	runtime.LockOSThread()
	groups := make([]int, 0, len(a.Groups)+1)
	for _, g := range append([]uint32{a.GID}, a.Groups...) {
		groups = append(groups, int(g))
	}
	err := unix.Setgroups(groups)
	if err == nil {
		unix.Setfsgid(int(a.GID))
		unix.Setfsuid(int(a.UID))
		uid, _ := unix.SetfsuidRetUid(nobody)
		gid, _ := unix.SetfsgidRetGid(nobody)
		if uid == int(a.UID) && gid == int(a.GID) {
			return nil
		}
		err = unix.EPERM
	}
	root.restore()
	return fmt.Errorf("reach files as uid %d, gid %d: %w", a.UID, a.GID, err)
}

func back() { rootsOwn().restore() }

// roots is what threads of the process have when they are nobody's.
type roots struct {
	uid, gid int
	groups   []int
	err      error
}

var rootsOwn = sync.OnceValue(func() *roots {
	r := &roots{uid: os.Geteuid(), gid: os.Getegid()}
	r.groups, r.err = unix.Getgroups()
	return r
})

// restore makes the thread root's again and lets it go. A thread that stays a user's
// would do root's work with a user's rights, or another user's: the process ends.
func (r *roots) restore() {
	unix.Setfsuid(r.uid)
	unix.Setfsgid(r.gid)
	err := r.err
	if err == nil {
		err = unix.Setgroups(r.groups)
	}
	uid, _ := unix.SetfsuidRetUid(nobody)
	gid, _ := unix.SetfsgidRetGid(nobody)
	if err != nil || uid != r.uid || gid != r.gid {
		panic(fmt.Sprintf("a thread cannot be made root's again: uid %d, gid %d, %v", uid, gid, err))
	}
	runtime.UnlockOSThread()
}

// Owner gives uid and gid of new files.
func (a *As) Owner() (uid, gid int) {
	if a == nil {
		return os.Geteuid(), os.Getegid()
	}
	return int(a.UID), int(a.GID)
}
