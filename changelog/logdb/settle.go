package logdb

import (
	"context"
	"time"
)

// Settle brings what was written into its final form, as far as that takes no
// longer than wait: after a run that wrote much, the next open would have to do it,
// and pay for it. It is a matter of speed only.
func (d *DB) Settle(ctx context.Context, wait time.Duration) (err error) {
	defer d.recoverFatal(&err)
	if err := d.kept.flush(); err != nil {
		return err
	}
	end := time.Now().Add(wait)
	for time.Now().Before(end) && ctx.Err() == nil {
		if d.kept.settled() {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}
