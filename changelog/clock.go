package changelog

// Day is a day in the units of Stamp.Time: how far ahead a stamp may lie before
// it stops moving our clock (architecture.md §3).
const Day int64 = 24 * 3600 * 1e6

// Clock is a hybrid logical clock: the highest stamp given out or seen.
type Clock struct{ Last Stamp }

// Observe notes a stamp that was seen. One more than a day ahead of now is not
// taken over; it reports false, so that the caller can warn.
func (c *Clock) Observe(s Stamp, now int64) bool {
	if s.Time > now+Day {
		return false
	}
	if s.Compare(c.Last) > 0 {
		c.Last = s
	}
	return true
}

// After is the stamp of a change that was found now and shows evidence of when
// it happened (microseconds since 1970; 0: none): the evidence, but not before
// anything seen at the last look and not after now. All changes found in one look
// are stamped against the same last look, so that the order in which a scan finds
// them does not count; Observe the stamps when the look is over.
func (c Clock) After(evidence, now int64) Stamp {
	t := min(evidence, now)
	if t > c.Last.Time {
		return Stamp{t, 0}
	}
	return Stamp{c.Last.Time, c.Last.Count + 1}
}
