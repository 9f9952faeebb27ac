package logdb

// TrimDue reports whether the log holds events or reports written before olderThan
// (µs since 1970; 0: age does not count), or takes more than maxBytes of the disk
// (0: size does not count). It costs two reads and writes nothing. What vanished is
// asked for its size alone: for its age it goes with the events of its time. Of an
// account that was at rest when it was opened nothing is read: it has grown no larger
// since the run after the last change, which asked.
func (a *Account) TrimDue(olderThan int64, maxBytes uint64) (bool, error) {
	if r := a.restedAt(); r != nil {
		return r.Oldest != 0 && r.Oldest < olderThan, nil
	}
	for _, fam := range [...]byte{famEvents, famReport} {
		at, ok, err := a.firstAt(fam)
		if err != nil {
			return false, err
		}
		if ok && at < olderThan {
			return true, nil
		}
	}
	if maxBytes == 0 {
		return false, nil
	}
	for _, fam := range [...]byte{famEvents, famReport, famVanished} {
		p := prefix(nil, a.id, fam)
		n, err := a.db.kept.size(p, after(p))
		if err != nil {
			return false, err
		}
		if n > maxBytes {
			return true, nil
		}
	}
	return false, nil
}

// firstAt is when the oldest value of events or reports was written.
func (a *Account) firstAt(fam byte) (at int64, ok bool, err error) {
	p := prefix(nil, a.id, fam)
	it, err := a.db.iter(p, after(p))
	if err != nil {
		return 0, false, err
	}
	defer it.Close()
	if !it.First() {
		return 0, false, it.Error()
	}
	val, err := it.ValueAndErr()
	if err != nil {
		return 0, false, err
	}
	if fam == famEvents {
		h, err := chunkHead(it.Key(), val)
		return h.at, err == nil, err
	}
	payload, err := unframe(it.Key(), val)
	if err != nil {
		return 0, false, err
	}
	at, _, err = decodeReport(payload)
	return at, err == nil, within(it.Key(), err)
}
