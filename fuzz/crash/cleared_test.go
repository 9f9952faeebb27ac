package crash

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"dsync/merge"
	"dsync/replay/session"
	"dsync/store"
)

// mailOf gives the message with a number of a mailbox.
func mailOf(s store.Store, n store.Name, number int) (m store.Message, ok bool, err error) {
	ms, err := list(s, n)
	if errors.Is(err, store.ErrNoMailbox) {
		return m, false, nil
	}
	for _, x := range ms {
		if x.Received.Equal(time.Unix(1600000000+int64(number), 0)) {
			return x, true, err
		}
	}
	return m, false, err
}

// brought is mail of the scripted situation that the run which crashes brings to the
// side, with flags.
var brought = []struct {
	side, number int
	mailbox      store.Name
	flags        store.Flags
}{{0, 24, "INBOX", store.Seen}, {0, 25, "INBOX", store.Seen}, {1, 22, "made", store.Draft}, {1, 23, "made", store.Draft}}

// overrode reports whether a run names rule 8 for a message: the dots of what a dead run
// brought are not seen yet, so that a change made then is concurrent with them.
func overrode(res *session.PairResult, g store.GUID) bool {
	return slices.ContainsFunc(res.Outcome.Decisions, func(d merge.Decision) bool { return d.Rule == 8 && d.GUID == g })
}

// cleared has clients take the flags from what a dead run has brought to them, and
// makes the next run: what was cleared is, on both sides, or the report names what
// overrode it, and nothing else is.
func cleared(w world, o runOptions) (done int, err error) {
	acted := make([]bool, len(brought))
	for k, b := range brought {
		n := 0
		err := client{w, b.side, &n}.with(func(s store.Store) error {
			m, ok, err := mailOf(s, b.mailbox, b.number)
			if err != nil || !ok || m.Flags != b.flags {
				return err
			}
			acted[k] = true
			done++
			return firstOf(s.Apply(bg, b.mailbox, &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Keywords: m.Keywords}}}))
		})
		if err != nil {
			return done, fmt.Errorf("clear %d: %w", b.number, err)
		}
	}
	res, err := run(bg, w, o)
	if err == nil {
		err = again(w, o)
	}
	if err != nil {
		return done, err
	}
	for i := range 2 {
		n := 0
		err := client{w, i, &n}.with(func(s store.Store) error {
			for k, b := range brought {
				want := b.flags
				if acted[k] {
					want = 0
				}
				m, ok, err := mailOf(s, b.mailbox, b.number)
				if ok && m.Flags == b.flags && overrode(res, m.Content.GUID) {
					continue
				}
				if err != nil || !ok || m.Flags != want {
					return fmt.Errorf("P7: message %d, cleared %v, shows %v at side %d (there: %v, %v)", b.number, acted[k], m.Flags, i, ok, err)
				}
			}
			return nil
		})
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// P14, P7: what a client clears of mail that a run brought before it died is its own
// change, though the run could not record what it had done: it stands, or is reported.
func TestCrashAndCleared(t *testing.T) {
	for _, k := range worlds {
		t.Run(k.name, func(t *testing.T) {
			some := 0
			images := goOnFromEach(t, k.make, 4, func(w world, s situation) error {
				n, err := cleared(w, s.o)
				if 0 < n && n < len(brought) {
					some++
				}
				return err
			})
			if some == 0 {
				t.Errorf("none of %d images has a part of the mail", images)
			}
			t.Logf("%d images with a part of the mail", some)
		})
	}
}
