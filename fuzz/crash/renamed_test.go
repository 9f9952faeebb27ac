package crash

import (
	"errors"
	"testing"

	"dsync/store"
)

// renamedOn has the client who renamed a mailbox before the run that died rename it
// once more, and makes the next run: the later name stands, and the earlier is free.
func renamedOn(w world, o runOptions) error {
	n := 0
	if err := (client{w, 0, &n}).rename("fresh", "fresher"); err != nil {
		return err
	}
	if err := again(w, o); err != nil {
		return err
	}
	for i := range 2 {
		err := client{w, i, &n}.with(func(s store.Store) error {
			ms, err := list(s, "fresher")
			if err == nil && len(ms) != 2 {
				err = errors.New("P22: the mailbox that was renamed on has lost its mail")
			}
			if _, e := list(s, "fresh"); err == nil && !errors.Is(e, store.ErrNoMailbox) {
				err = errors.New("P22: the mailbox has its earlier name, too")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// P14, P22: a rename that a run has made before it died is not taken for a client's,
// which would be later than what its author did since.
func TestCrashAndRenamed(t *testing.T) {
	for _, k := range worlds {
		t.Run(k.name, func(t *testing.T) {
			goOnFromEach(t, k.make, 3, func(w world, s situation) error { return renamedOn(w, s.o) })
		})
	}
}
