package recorder

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// Open finds the account of a store in the log, by the mark in the store or by its
// location and place, or starts a new replica, and says so. It settles nothing and
// looks at no mail. A store that is not there, and that no log knows, is an error
// that wraps store.ErrGone.
func Open(_ context.Context, db *logdb.DB, st store.Store, o Options) (*Recorder, error) {
	r := &Recorder{db: db, st: st, o: o}
	mark, marked, err := st.Mark()
	gone := errors.Is(err, store.ErrGone)
	if err != nil && !gone {
		return nil, fmt.Errorf("open change log of %s: %w", st.Location(), err)
	}
	why := ""
	if marked {
		why, err = r.byMark(mark)
	} else {
		why, err = r.byLocation(gone)
	}
	if err == nil && r.acc == nil {
		if gone {
			return nil, fmt.Errorf("open %s: %w", st.Location(), store.ErrGone)
		}
		err = r.begin(why)
	}
	if err == nil && !gone {
		err = r.bind()
	}
	if err != nil {
		return nil, fmt.Errorf("open change log of %s: %w", st.Location(), err)
	}
	return r, nil
}

// account opens an account; one that is not there, or cannot be read, is nil with
// the reason.
func (r *Recorder) account(id changelog.ReplicaID) (*logdb.Account, string, error) {
	acc, err := r.db.AccountAtRest(id)
	var ce *changelog.CorruptError
	switch {
	case errors.Is(err, logdb.ErrNoAccount):
		return nil, "the change log does not know it", nil
	case errors.As(err, &ce):
		return nil, "its change log is damaged: " + err.Error(), nil
	}
	return acc, "", err
}

// byMark judges a store that carries a mark. why says why it gets a new replica.
func (r *Recorder) byMark(mark store.Mark) (why string, err error) {
	rep, err := parseMark(mark.Replica)
	if err != nil {
		return "its mark cannot be read: " + err.Error(), nil
	}
	acc, why, err := r.account(rep.ID)
	if acc == nil || err != nil {
		return why, err
	}
	m := acc.Last()
	top := m.MarkCounter
	if m.Flags&flagMarking != 0 {
		top++
	}
	switch {
	case m.Location != r.st.Location() && m.Identity != r.st.Identity():
		return "it is a copy of " + m.Location, nil
	case mark.Counter > top || mark.Counter == top && rep.Epoch > m.Replica.Epoch:
		return "its change log is older than it", nil
	}
	r.acc, r.restored = acc, mark.Counter < m.MarkCounter || m.Flags&flagOlder != 0
	return "", nil
}

// byLocation judges a store without a mark.
func (r *Recorder) byLocation(gone bool) (why string, err error) {
	id, identity, ok, err := r.db.Lookup(r.st.Location())
	if !ok || err != nil {
		return "", err
	}
	acc, why, err := r.account(id)
	if acc == nil || err != nil {
		return why, err
	}
	m := acc.Last()
	if m.MarkCounter == 0 && !gone && identity != r.st.Identity() {
		return "another store than the one the change log knows is at its place", nil
	}
	r.acc, r.lostMark, r.restored = acc, m.MarkCounter > 0 && !gone, m.Flags&flagOlder != 0
	return "", nil
}

// begin starts a new replica.
func (r *Recorder) begin(why string) error {
	id := changelog.ReplicaID(r.o.NewID())
	for id == 0 {
		id = changelog.ReplicaID(r.o.NewID())
	}
	acc, err := r.db.NewAccount(logdb.Meta{
		Replica: changelog.Replica{ID: id}, Location: r.st.Location(), Identity: r.st.Identity(),
	})
	if err != nil {
		return err
	}
	r.acc = acc
	if why != "" {
		r.notice(LevelWarning, "%s starts a new change log: %s; nothing is lost, but what was deleted meanwhile may come back", r.st.Location(), why)
	} else {
		r.notice(LevelInfo, "%s starts a change log", r.st.Location())
	}
	return nil
}

// bind notes where the account's store is, if the log has it otherwise.
func (r *Recorder) bind() error {
	loc, ident := r.st.Location(), r.st.Identity()
	if m := r.acc.Last(); m.Rest != nil && m.Location == loc && m.Identity == ident {
		return nil // bound when it came to rest; who binds the place to another ends that
	}
	id, at, ok, err := r.db.Lookup(loc)
	if err != nil {
		return err
	}
	if !ok || id != r.acc.ID() || at != ident {
		if err := r.db.Bind(loc, ident, r.acc.ID()); err != nil {
			return err
		}
	}
	m := r.acc.Last()
	if m.Location == loc && m.Identity == ident {
		return nil
	}
	b := r.acc.Batch()
	r.PutMeta(b, func(m *logdb.Meta) { m.Location, m.Identity = loc, ident })
	return b.Commit(true)
}

// PutMark rewrites the mark in the store after a run that changed something. A
// counter that is older than the log's tells a restored store.
func (r *Recorder) PutMark(context.Context) error {
	if r.o.ReadOnly || r.st.Capabilities().ReadOnly {
		return nil
	}
	m := r.acc.Meta()
	if m.Flags&flagMarking == 0 {
		b := r.acc.Batch()
		r.PutMeta(b, func(m *logdb.Meta) { m.Flags |= flagMarking })
		if err := b.Commit(true); err != nil {
			return fmt.Errorf("write mark: %w", err)
		}
	}
	if err := r.st.SetMark(store.Mark{Replica: formatMark(m.Replica), Counter: m.MarkCounter + 1}); err != nil {
		return fmt.Errorf("write mark: %w", err)
	}
	b := r.acc.Batch()
	r.PutMeta(b, func(m *logdb.Meta) { m.Flags, m.MarkCounter = m.Flags&^(flagMarking|flagOlder), m.MarkCounter+1 })
	if err := b.Commit(true); err != nil {
		return fmt.Errorf("write mark: %w", err)
	}
	r.restored, r.lostMark = false, false
	return nil
}

// ForgetMark ends the wait for a mark that a store which is only read has lost, once
// a look at it was believed: from then on the store is known by its place.
func (r *Recorder) ForgetMark() error {
	if !r.lostMark {
		return nil
	}
	b := r.acc.Batch()
	r.PutMeta(b, func(m *logdb.Meta) { m.MarkCounter = 0 })
	if err := b.Commit(true); err != nil {
		return fmt.Errorf("forget the mark: %w", err)
	}
	r.lostMark = false
	return nil
}

func formatMark(r changelog.Replica) string { return fmt.Sprintf("%016x.%d", uint64(r.ID), r.Epoch) }

func parseMark(s string) (changelog.Replica, error) {
	a, b, ok := strings.Cut(s, ".")
	id, err := strconv.ParseUint(a, 16, 64)
	if err != nil || !ok || id == 0 {
		return changelog.Replica{}, fmt.Errorf("mark %.60q", s)
	}
	epoch, err := strconv.ParseUint(b, 10, 32)
	if err != nil {
		return changelog.Replica{}, fmt.Errorf("mark %.60q", s)
	}
	return changelog.Replica{ID: changelog.ReplicaID(id), Epoch: uint32(epoch)}, nil
}
