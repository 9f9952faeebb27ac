package engine

import (
	"context"
	"errors"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/cmd/internal/opener"
	"dsync/store"
)

// The change log of a location, opened to be looked at.

// lookWait is how long a look waits for a run that has the database open.
const lookWait = 30 * time.Second

// lookPoll is how often it, and a run, tries.
const lookPoll = 50 * time.Millisecond

// openLog opens a database that is there; it waits, and may be cancelled.
func openLog(ctx context.Context, dir string, readOnly bool, wait time.Duration) (*logdb.DB, error) {
	if !readOnly {
		// Opening for writing would make a database where there is none.
		db, err := openLog(ctx, dir, true, wait)
		if err != nil {
			return nil, err
		}
		if err := db.Close(); err != nil {
			return nil, err
		}
	}
	return openWaiting(ctx, dir, logdb.Options{ReadOnly: readOnly}, wait)
}

// findAccount finds the account of a location: by the name that it was synced
// under, else by its place (a store that was renamed since). nil: no log knows it.
func findAccount(db *logdb.DB, loc string, as *opener.As) (*logdb.Account, error) {
	name, err := opener.Name(loc)
	if err != nil {
		return nil, Fail(ExitUsage, err)
	}
	id, _, ok, err := db.Lookup(name)
	if err != nil {
		return nil, err
	}
	if !ok {
		if id, ok, err = byPlace(db, loc, as); err != nil || !ok {
			return nil, err
		}
	}
	acc, err := db.Account(id)
	if errors.Is(err, logdb.ErrNoAccount) {
		return nil, nil
	}
	return acc, err
}

func byPlace(db *logdb.DB, loc string, as *opener.As) (changelog.ReplicaID, bool, error) {
	st, err := opener.Look(loc, as)
	if errors.Is(err, store.ErrGone) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer st.Close()
	all, err := db.Accounts()
	if err != nil {
		return 0, false, err
	}
	for _, a := range all {
		if a.Identity == st.Identity() {
			return a.Replica.ID, true, nil
		}
	}
	return 0, false, nil
}

// liveIn tells which mailboxes hold mail, as a layout asks.
func liveIn(acc *logdb.Account) (func(store.MailboxGUID) bool, error) {
	rows, err := acc.Mailboxes()
	if err != nil {
		return nil, err
	}
	live := map[store.MailboxGUID]bool{}
	for _, r := range rows {
		if r.Count > 0 {
			live[r.GUID] = true
		}
	}
	return func(g store.MailboxGUID) bool { return live[g] }, nil
}
