package recorder

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// Levels of a Notice.
const (
	LevelInfo    = 1
	LevelWarning = 2
)

// FlagUnheld is the bit of Meta.Flags that says: there may be live records that
// the store does not hold.
const FlagUnheld uint64 = 1 << 0

// flagMarking says that the mark in the store may already have the next counter.
const flagMarking uint64 = 1 << 1

// flagWriting says that a scan may have written to the store.
const flagWriting uint64 = 1 << 2

// flagOlder says that a look found the store older than the log, and that no run
// has brought it up since: the numbers that showed it are compared no more.
const flagOlder uint64 = 1 << 3

// Brake is the safety brake: what a scan may find deleted.
type Brake struct {
	Off     bool
	Count   int // trips above both; 0: the default of 100 messages
	Percent int // 0: the default of 50
}

// The default brake.
const (
	brakeCount   = 100
	brakePercent = 50
)

// Options says how a store is recorded.
type Options struct {
	Now   func() int64  // µs since 1970
	NewID func() uint64 // random
	// Notice takes what people should know, one line each; may be nil.
	Notice func(level int, line string)
	// ReadOnly: nothing is written to the store, no mark and no GUID.
	ReadOnly  bool
	MaxDelete Brake
	// Settler settles the intents of a dead run, before the first look. It deletes
	// them from the log when they are settled. nil: intents are left alone.
	Settler func(ctx context.Context, r *Recorder, in []logdb.Intent) error
}

// Recorder is a store with its change log.
type Recorder struct {
	db  *logdb.DB
	st  store.Store
	o   Options
	acc *logdb.Account

	restored bool   // the mark is older than the log
	lostMark bool   // there was a mark, and now there is none
	settled  bool   // no intent is left
	seq      uint64 // highest given out by Mint and not in Meta yet
	clock    changelog.Clock
}

// Store gives the store.
func (r *Recorder) Store() store.Store { return r.st }

// Account gives the log. Meta is written through PutMeta.
func (r *Recorder) Account() *logdb.Account { return r.acc }

// Replica gives the identity under which changes are logged.
func (r *Recorder) Replica() changelog.Replica { return r.acc.Last().Replica }

func (r *Recorder) notice(level int, format string, args ...any) {
	if r.o.Notice != nil {
		r.o.Notice(level, fmt.Sprintf(format, args...))
	}
}

// newGUID draws a mailbox GUID.
func (r *Recorder) newGUID() (g store.MailboxGUID) {
	binary.BigEndian.PutUint64(g[:8], r.o.NewID())
	binary.BigEndian.PutUint64(g[8:], r.o.NewID()|1)
	return g
}

// Pending gives the intents that a dead run left.
func (r *Recorder) Pending() ([]logdb.Intent, error) { return r.acc.Intents() }

// Settle hands the intents of a dead run to Options.Settler.
func (r *Recorder) Settle(ctx context.Context) error {
	if err := r.sweep(ctx); err != nil && !errors.Is(err, store.ErrGone) {
		return fmt.Errorf("remove what a dead run left: %w", err)
	}
	if r.o.Settler == nil {
		return nil
	}
	in, err := r.Pending()
	if err != nil || len(in) == 0 {
		r.settled = err == nil
		return err
	}
	if err := r.o.Settler(ctx, r, in); err != nil {
		return fmt.Errorf("settle what a dead run left: %w", err)
	}
	return nil
}

// sweep removes temporary files of a run that died while it wrote the mark, or in a
// scan that wrote to the store.
func (r *Recorder) sweep(ctx context.Context) error {
	flags := r.acc.Last().Flags
	if flags&(flagMarking|flagWriting) == 0 || r.o.ReadOnly {
		return nil
	}
	var names []store.Name
	if flags&flagWriting != 0 {
		t, _, err := r.st.Tree(ctx)
		if err != nil {
			return err
		}
		for _, m := range t.Mailboxes {
			if !m.NoSelect {
				names = append(names, m.Name)
			}
		}
	}
	return r.st.Cleanup(ctx, names)
}

// writing notes, durably, that the scan is about to write to the store. The scan's
// last batch takes it back.
func (s *scan) writing() error {
	if s.r.acc.Meta().Flags&flagWriting != 0 {
		return nil
	}
	b := s.r.acc.Batch()
	s.r.PutMeta(b, func(m *logdb.Meta) { m.Flags |= flagWriting })
	s.meta.Flags |= flagWriting
	return b.Commit(true)
}

// Mint gives the next dot and stamp of this replica, for a change that a run makes
// itself (backup). They are in the log with the next PutMeta; the dot is entered
// into Meta.Seen by the caller, when its effects stand. evidence is in µs; 0: none.
func (r *Recorder) Mint(evidence int64) changelog.Write {
	m := r.acc.Meta()
	r.seq = max(r.seq, m.Seq) + 1
	if r.clock.Last.Compare(m.Clock.Last) < 0 {
		r.clock = m.Clock
	}
	now := r.o.Now()
	w := changelog.Write{Dot: changelog.Dot{Replica: m.Replica, Seq: r.seq}, Stamp: r.clock.After(evidence, now)}
	r.clock.Observe(w.Stamp, now)
	return w
}

// PutMeta puts the account's Meta into a batch: as it stands, with what Mint gave
// out, changed by change (which may be nil).
func (r *Recorder) PutMeta(b *logdb.Batch, change func(*logdb.Meta)) {
	m := r.acc.Meta()
	if r.seq > m.Seq {
		m.Seq = r.seq
	}
	m.Clock.Observe(r.clock.Last, r.o.Now())
	if change != nil {
		change(&m)
	}
	b.PutMeta(&m)
}

// HandOut gives this replica's position with its tag, which is drawn anew, durably,
// if the position rose since the last time.
func (r *Recorder) HandOut(context.Context) (changelog.Position, error) {
	m := r.acc.Last()
	if n := len(m.Tags); n > 0 && m.Tags[n-1].Seq == m.Seq {
		return m.Tags[n-1], nil
	}
	if m.Seq == 0 {
		return changelog.Position{}, nil
	}
	p := changelog.Position{Seq: m.Seq, Tag: changelog.Tag(r.o.NewID())}
	b := r.acc.Batch()
	r.PutMeta(b, func(m *logdb.Meta) {
		if len(m.Tags) >= logdb.MaxTags {
			m.Tags = m.Tags[len(m.Tags)/2:]
		}
		m.Tags = append(m.Tags, p)
		m.Seen.SetTag(m.Replica, p)
	})
	if err := b.Commit(true); err != nil {
		return changelog.Position{}, fmt.Errorf("hand out position: %w", err)
	}
	return p, nil
}

// Distrust has the next scan list a mailbox and compare every handle and UID: for a
// run whose effect found a message otherwise than the log has it.
func Distrust(b *logdb.Batch, m *logdb.Mailbox) {
	m.Look, m.UIDPrint = store.Look{}, nil
	b.PutMailbox(m)
}
