package engine

import (
	"context"
	"errors"
	"fmt"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// modSeqs answers from one account; the mailbox asked for last stays in memory.
type modSeqs struct {
	db  *logdb.DB
	acc *logdb.Account
	lay *changelog.Layout

	name    store.Name
	ok      bool // the log has the mailbox
	highest store.ModSeq
	of      map[store.UID]numbered
}

type numbered struct {
	guid store.GUID
	mod  store.ModSeq
}

func openModSeqs(ctx context.Context, o LogOptions) (ModSeqs, error) {
	db, err := openLog(ctx, o.ChangeLog, true, 0)
	if errors.Is(err, store.ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := &modSeqs{db: db}
	if m.acc, err = findAccount(db, o.Location, o.As); err == nil && m.acc != nil {
		err = m.layout()
	}
	if err != nil || m.acc == nil {
		if cerr := db.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			err = fmt.Errorf("read the change log of %s: %w", o.Location, err)
		}
		return nil, err
	}
	return m, nil
}

func (m *modSeqs) layout() error {
	t, err := m.acc.LoadTree()
	if err != nil {
		return err
	}
	live, err := liveIn(m.acc)
	if err != nil {
		return err
	}
	m.lay = t.Layout(live)
	return nil
}

// load reads the mailbox of a name. HIGHESTMODSEQ is the highest of what stands
// in it and of what left it, so it never falls; at least 1 (RFC 7162).
func (m *modSeqs) load(n store.Name) {
	if m.of != nil && m.name == n {
		return
	}
	m.name, m.ok, m.highest, m.of = n, false, 1, map[store.UID]numbered{}
	s := m.lay.ByPath[n]
	if s == nil || s.Holder == nil {
		return
	}
	var err error
	if m.highest, err = m.acc.LastVanished(s.Holder.GUIDs); err != nil {
		return
	}
	m.highest = max(m.highest, 1)
	for _, g := range s.Holder.GUIDs {
		row, err := m.acc.Mailbox(g)
		if err != nil || row == nil {
			continue
		}
		m.ok = true
		err = m.acc.MailboxRecords(g, func(r *logdb.Record) error {
			if r.UID == 0 {
				return nil // no client has seen it, nor its modseq
			}
			m.highest = max(m.highest, r.ModSeq)
			m.of[r.UID] = numbered{r.Content.GUID, r.ModSeq}
			return nil
		})
		m.ok = m.ok && err == nil
	}
}

func (m *modSeqs) Replica() string { return m.acc.Meta().Replica.String() }

func (m *modSeqs) Highest(n store.Name) (store.ModSeq, bool) {
	m.load(n)
	return m.highest, m.ok
}

func (m *modSeqs) Of(n store.Name, uid store.UID, guid store.GUID) (store.ModSeq, bool) {
	m.load(n)
	x, ok := m.of[uid]
	if !m.ok || !ok || x.guid != guid || x.mod == 0 {
		return 0, false
	}
	return x.mod, true
}

func (m *modSeqs) Close() error { return m.db.Close() }
