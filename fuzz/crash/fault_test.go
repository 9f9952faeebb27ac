package crash

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"dsync/store"
)

// faultAt makes a run in which the n-th write of account i fails once; false if it
// has fewer. What the run says and what the next one makes of it is judged.
func faultAt(mk func() (world, error), s situation, want string, i, n int, fault syscall.Errno) (struck bool, err error) {
	w, err := mk()
	if err != nil {
		return false, err
	}
	if err := prepare(w, s); err != nil {
		return false, err
	}
	count := atomic.Int64{}
	w.hook(func() { count.Add(1) })
	w.fault(i, n, fault)
	res, err := run(bg, w, s.o)
	w.hook(nil)
	w.fault(i, -1, nil)
	if count.Load() < int64(n) {
		return false, err
	}
	switch {
	case err != nil:
		if !tells(err, fault) {
			return true, fmt.Errorf("the run does not say that it was %v: %w", fault, err)
		}
	case res.Outcome.Equal && len(failures(res)) == 0:
		// A write whose failure does no harm, or that was made up for.
	default:
		for _, f := range failures(res) {
			if !tells(f, fault) && !strings.Contains(f.Error(), "its mailbox could not be made") && !strings.Contains(f.Error(), "made or renamed") {
				return true, fmt.Errorf("item does not say that it was %v: %w", fault, f)
			}
		}
	}
	return true, settled(w, s.o, want)
}

// tells: the error names the reason, from which the program's exit status follows, or
// is a consequence that the next run mends.
func tells(err error, fault syscall.Errno) bool {
	for _, e := range []error{fault, store.ErrChanged, store.ErrNoMailbox, store.ErrNoMessage} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// wanted is what a run without fault makes of a situation.
func wanted(mk func() (world, error), s situation) (string, error) {
	w, err := mk()
	if err != nil {
		return "", err
	}
	if err := prepare(w, s); err != nil {
		return "", err
	}
	if _, err := run(bg, w, s.o); err != nil {
		return "", err
	}
	return plain(w, 1)
}

// A single write of a store fails: it is reported, nothing is lost, and the next run
// makes it good.
func TestErrorAtEveryWrite(t *testing.T) {
	stride := 13
	if long() {
		stride = 1
	}
	for _, k := range worlds {
		for _, s := range []situation{first(), scripted(), apart(scripted())} {
			want, err := wanted(k.make, s)
			must(t, err)
			for e, fault := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EACCES} {
				t.Run(fmt.Sprintf("%s/%s/%v", k.name, s.name, fault), func(t *testing.T) {
					done, bad := 0, 0
					for i := range 2 {
						if _, disk := any(mustWorld(t, k.make)).(*diskWorld); disk && i == 1 {
							break // one disk: all its writes are counted
						}
						for n := 1 + e; ; n += stride {
							struck, err := faultAt(k.make, s, want, i, n, fault)
							if err != nil {
								if bad++; bad < 4 {
									t.Errorf("side %d, write %d: %v", i, n, err)
								}
							}
							if !struck {
								break
							}
							done++
						}
					}
					t.Logf("%d faults, %d bad", done, bad)
				})
			}
		}
	}
}

func mustWorld(t testing.TB, mk func() (world, error)) world {
	w, err := mk()
	must(t, err)
	return w
}

// P14 for SIGINT: a run is cancelled at each write.
func TestCancelAtEveryWrite(t *testing.T) {
	stride := 13
	if long() {
		stride = 1
	}
	for _, k := range worlds {
		for _, s := range []situation{first(), scripted(), apart(scripted())} {
			t.Run(k.name+"/"+s.name, func(t *testing.T) {
				want, err := wanted(k.make, s)
				must(t, err)
				n, done := 1, 0
				for ; ; n += stride {
					w := mustWorld(t, k.make)
					must(t, prepare(w, s))
					ctx, cancel := context.WithCancel(bg)
					var count atomic.Int64
					at := int64(n)
					hit := func() {
						if count.Add(1) == at {
							cancel()
						}
					}
					o := s.o
					o.db.FS = errorfs.Wrap(w.log(), hooked(hit))
					w.hook(hit)
					_, err := run(ctx, w, o)
					w.hook(nil)
					cancel()
					if count.Load() < at {
						must(t, err)
						break
					}
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("cancelled at write %d: %v", n, err)
					}
					if left, err := w.residue(); err != nil || len(left) > 0 {
						t.Errorf("cancelled at write %d: left over %q, %v", n, left, err)
					}
					if err := settled(w, s.o, want); err != nil {
						t.Errorf("cancelled at write %d: %v", n, err)
					}
					if done++; t.Failed() {
						break
					}
				}
				t.Logf("%d cancellations", done)
			})
		}
	}
}

// hooked calls a function before each write of a log.
type hooked func()

func (h hooked) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		h()
	}
	return nil
}

func (h hooked) String() string { return "hooked" }
