package engine

import (
	"context"
	"errors"
	"fmt"

	"dsync/changelog/logdb"
	"dsync/store"
)

// unshownKey names a message in its mailbox.
type unshownKey struct {
	name store.Name
	uid  store.UID
}

type unshownRow struct {
	guid     store.GUID
	keywords []string
}

func readUnshown(ctx context.Context, o LogOptions) (of Unshown, err error) {
	none := func(store.Name, store.UID, store.GUID) []string { return nil }
	db, err := openLog(ctx, o.ChangeLog, true, 0)
	if errors.Is(err, store.ErrGone) {
		return none, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err = errors.Join(err, db.Close()); err != nil {
			of, err = nil, fmt.Errorf("read the change log of %s: %w", o.Location, err)
		}
	}()
	acc, err := findAccount(db, o.Location, o.As)
	if err != nil || acc == nil {
		return none, err
	}
	t, err := acc.LoadTree()
	if err != nil {
		return nil, err
	}
	live, err := liveIn(acc)
	if err != nil {
		return nil, err
	}
	lay := t.Layout(live)
	all := map[unshownKey]unshownRow{}
	err = acc.AllRecords(func(r *logdb.Record) error {
		if s := lay.In(r.Mailbox); len(r.Unshown) > 0 && s != nil && s.Holder != nil {
			all[unshownKey{s.Path, r.UID}] = unshownRow{r.Content.GUID, r.Unshown}
		}
		return ctx.Err()
	})
	return func(n store.Name, uid store.UID, guid store.GUID) []string {
		if x := all[unshownKey{n, uid}]; x.guid == guid {
			return x.keywords
		}
		return nil
	}, err
}
