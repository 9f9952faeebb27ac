package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"dsync/changelog/logdb"
	"dsync/store"
)

// OpenChangeLog opens the database in a directory for runs that share it
// (Options.DB), and makes it where there is none. While another process has it, it
// waits; after wait the error wraps store.ErrBusy and names that process. fatal is
// Options.Fatal, and holds for all runs. The caller closes it, after the last run.
func OpenChangeLog(ctx context.Context, dir string, wait time.Duration, fatal func(exit int, err error)) (*logdb.DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("change log: %w", err)
	}
	var o logdb.Options
	if fatal != nil {
		o.Fatal = func(err error) { fatal(ExitOf(err), damage(dir, err)) }
	}
	db, err := openWaiting(ctx, dir, o, wait)
	if err != nil {
		return nil, damage(dir, fmt.Errorf("change log: %w", err))
	}
	return db, nil
}

// openWaiting tries until wait is over or ctx is.
func openWaiting(ctx context.Context, dir string, o logdb.Options, wait time.Duration) (*logdb.DB, error) {
	deadline := time.Now().Add(wait)
	for {
		db, err := logdb.Open(dir, o)
		if !errors.Is(err, store.ErrBusy) || !time.Now().Before(deadline) {
			return db, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the change log: %w", ctx.Err())
		case <-time.After(lookPoll):
		}
	}
}

// damage says how to go on when the change log cannot be read.
func damage(dir string, err error) error {
	if said := (*Failure)(nil); errors.As(err, &said) || !logdb.IsDamage(err) {
		return err
	}
	return Fail(ExitData, fmt.Errorf("%w; the change log is damaged: nothing is lost by it, but move %s away, so that the next run compares everything anew "+
		"(mail deleted on one side only since the last run comes back then)", err, dir))
}
