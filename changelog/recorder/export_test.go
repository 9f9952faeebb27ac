package recorder

// SetFlush sets how many records one batch holds, makes every batch durable, and
// gives the way back.
func SetFlush(n int) (restore func()) {
	old := flushRecords
	flushRecords, flushSync = n, true
	return func() { flushRecords, flushSync = old, false }
}
