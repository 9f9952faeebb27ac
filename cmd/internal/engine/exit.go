package engine

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"dsync/changelog/logdb"
	"dsync/replay/session"
	"dsync/store"
)

// Failure is an error that says with which status the program ends.
type Failure struct {
	Exit int
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the reason.
func (f *Failure) Unwrap() error { return f.Err }

// Fail wraps err so that ExitOf gives exit.
func Fail(exit int, err error) error { return &Failure{exit, err} }

var exitOf = []struct {
	err  error
	exit int
}{
	{context.Canceled, ExitTemp},
	{session.ErrPlans, ExitTemp},
	{session.ErrForged, ExitTemp},
	{session.ErrFrame, ExitTemp},
	{session.ErrOption, ExitTemp},
	{context.DeadlineExceeded, ExitTemp},
	{store.ErrBusy, ExitTemp},
	{store.ErrNoMailbox, ExitNoMailbox},
	{syscall.ENOSPC, ExitNoSpace},
	{syscall.EDQUOT, ExitNoSpace},
	{store.ErrReadOnly, ExitPermission},
	{fs.ErrPermission, ExitPermission},
	{syscall.EROFS, ExitPermission},
	{store.ErrGone, ExitTemp},
	{store.ErrChanged, ExitAgain},
	{store.ErrDamaged, ExitData},
	{store.ErrUnsupported, ExitData},
}

// ExitOf gives the exit status that an error calls for; any other error of the
// system counts as temporary, any other error at all as internal.
func ExitOf(err error) int {
	if err == nil {
		return ExitOK
	}
	if f := (*Failure)(nil); errors.As(err, &f) {
		return f.Exit
	}
	if logdb.IsDamage(err) || errors.Is(err, logdb.ErrFormat) {
		return ExitData
	}
	for _, e := range exitOf {
		if errors.Is(err, e.err) {
			return e.exit
		}
	}
	if e := syscall.Errno(0); errors.As(err, &e) {
		return ExitTemp
	}
	return ExitInternal
}

// exitOrder is the order in which one status speaks for several (cli.md, Exit).
var exitOrder = []int{
	ExitConfig, ExitUsage, ExitPermission, ExitNoSpace, ExitData, ExitNoUser,
	ExitNoMailbox, ExitInternal, ExitTemp, ExitAgain, ExitOK,
}

// Combine gives the one status that stands for all. One that is not in the list
// of cli.md counts as internal. Of none it is ExitOK.
func Combine(all ...int) int {
	best := len(exitOrder) - 1
	for _, e := range all {
		best = min(best, rank(e))
	}
	return exitOrder[best]
}

func rank(exit int) int {
	for i, e := range exitOrder {
		if e == exit {
			return i
		}
	}
	return rank(ExitInternal)
}

// NotBegun is the report of a run that did not begin, or of which nothing is known.
func NotBegun(o Options, err error) *Report {
	r := &run{o: o, rep: &Report{State: o.State}}
	r.rep.Sides = [2]Side{{Location: o.Near}, {Location: o.Far}}
	r.finish(err)
	return r.rep
}

// Add adds a trouble that came after the run was over.
func (r *Report) Add(err error) {
	r.Err = errors.Join(r.Err, err)
	r.Exit = Combine(r.Exit, ExitOf(err))
	r.Equal = false
}
