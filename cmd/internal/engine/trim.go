package engine

import (
	"time"

	"dsync/changelog/logdb"
)

// Trimming of the log. Only events, reports and lists of what vanished go: what a sync
// needs is the view and what was seen, so no result depends on it (P12).

// What the log keeps unless told otherwise, for each account: of events, of reports
// and of what vanished.
const (
	defaultLogAge   = 90 * 24 * time.Hour
	defaultLogBytes = 256 << 20
)

// trimSlack lets entries grow this much older than the limit before they go, so
// that a log is trimmed at most once a day for its age.
const trimSlack = 24 * time.Hour

// trimLog trims a log that is over the limits. For its size it is cut to three
// quarters, so that this too is not done again by the next run.
func trimLog(acc *logdb.Account, now, age time.Duration, bytes int64) (logdb.Trimmed, error) {
	if age == 0 {
		age = defaultLogAge
	}
	if bytes == 0 {
		bytes = defaultLogBytes
	}
	before := func(age time.Duration) int64 {
		if age < 0 {
			return 0
		}
		return max((now - age).Microseconds(), 0)
	}
	late := age
	if age > 0 {
		late += trimSlack
	}
	most := uint64(max(bytes, 0))
	due, err := acc.TrimDue(before(late), most)
	if err != nil || !due {
		return logdb.Trimmed{}, err
	}
	return acc.Trim(before(age), most/4*3)
}

// trim is called at the end of a run.
func (r *run) trim() {
	if r.o.DryRun || r.res == nil {
		return
	}
	for _, e := range r.res.Ends {
		if e == nil {
			continue
		}
		t, err := trimLog(e.Rec.Account(), time.Duration(nowMicros())*time.Microsecond, r.o.LogAge, r.o.LogBytes)
		if err != nil {
			r.warn("the change log could not be trimmed: %v", err)
			return
		}
		if t.Events+t.Reports+t.Vanished > 0 {
			r.notice(Debug, "the change log was trimmed of old events")
		}
	}
}
