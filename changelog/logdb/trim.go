package logdb

import (
	"encoding/binary"
	"errors"

	"dsync/changelog/pack"
)

// Trimmed says what Trim removed.
type Trimmed struct {
	Events  uint64 // chunks are removed whole
	Reports uint64
	// Vanished is ranges of UIDs out of the lists of what vanished.
	Vanished uint64
	Bytes    uint64 // of values, and of the ranges' keys
}

// Trim removes the oldest events, reports and ranges of vanished UIDs: those written
// before olderThan (µs since 1970; 0: none for their age), and as many more as it
// takes to keep each of the three under maxBytes (0: no limit). It then compacts what
// it emptied. The view, what was seen and all else stay: no result of a sync changes.
func (a *Account) Trim(olderThan int64, maxBytes uint64) (Trimmed, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var t Trimmed
	if err := a.counters(); err != nil {
		return Trimmed{}, err
	}
	fl := a.floor
	cutEvents, n, err := a.trimFamily(famEvents, olderThan, maxBytes, &t.Bytes, func(key, val []byte) (int64, uint64, error) {
		h, err := chunkHead(key, val)
		return h.at, uint64(h.count), err
	})
	if err != nil {
		return Trimmed{}, err
	}
	t.Events = n
	cutReports, n, err := a.trimFamily(famReport, olderThan, maxBytes, &t.Bytes, func(key, val []byte) (int64, uint64, error) {
		p, err := unframe(key, val)
		if err != nil {
			return 0, 0, err
		}
		at, _, err := decodeReport(p)
		return at, 1, within(key, err)
	})
	if err != nil {
		return Trimmed{}, err
	}
	t.Reports = n
	cuts, err := a.cutVanished(olderThan, maxBytes, &t.Bytes)
	if err != nil {
		return Trimmed{}, err
	}
	for _, c := range cuts {
		t.Vanished += c.n
	}
	if t.Events+t.Reports+t.Vanished == 0 {
		return t, nil
	}
	fl.event, fl.report = max(fl.event, orNext(cutEvents, a.nextEvent)), max(fl.report, orNext(cutReports, a.nextReport))
	evs, reps := prefix(nil, a.id, famEvents), prefix(nil, a.id, famReport)
	b := a.db.kept.newBatch() // commit closes it; a second Close could close its next user's
	b.DeleteRange(evs, seqKey(nil, a.id, famEvents, fl.event), nil)
	b.DeleteRange(reps, seqKey(nil, a.id, famReport, fl.report), nil)
	for _, c := range cuts {
		c.apply(b, a.id)
	}
	put(b, prefix(nil, a.id, famFloor), func(dst []byte) []byte {
		return pack.Uint(pack.Uint(pack.Uint(pack.Array(dst, 3), floorFormat), fl.event), fl.report)
	})
	roused := a.rouse(b)
	if err := a.db.commit(b, true); err != nil {
		return Trimmed{}, err
	}
	roused()
	a.floor = fl
	van := prefix(nil, a.id, famVanished)
	return t, errors.Join(a.db.compact(evs, after(evs)), a.db.compact(reps, after(reps)), a.db.compact(van, after(van)))
}

func orNext(cut, next uint64) uint64 {
	if cut == 0 {
		return next
	}
	return cut
}

// trimFamily finds how far a family of numbered values is to be cut: it gives the
// first number to keep (0: keep none) and how many items go.
func (a *Account) trimFamily(fam byte, olderThan int64, maxBytes uint64, bytes *uint64,
	read func(key, val []byte) (at int64, n uint64, err error)) (cut, items uint64, err error) {
	p := prefix(nil, a.id, fam)
	total := uint64(0)
	if err := a.db.scan(p, after(p), func(_, val []byte) error { total += uint64(len(val)); return nil }); err != nil {
		return 0, 0, err
	}
	errStop := errors.New("stop")
	err = a.db.scan(p, after(p), func(key, val []byte) error {
		at, n, err := read(key, val)
		if err != nil {
			return err
		}
		if at >= olderThan && (maxBytes == 0 || total <= maxBytes) {
			cut = binary.BigEndian.Uint64(key[prefixLen:])
			return errStop
		}
		total -= uint64(len(val))
		*bytes += uint64(len(val))
		items += n
		return nil
	})
	if err == errStop {
		err = nil
	}
	return cut, items, err
}

// compact gives back the space of deleted keys of a range.
func (d *DB) compact(lo, hi []byte) (err error) {
	defer d.recoverFatal(&err)
	return d.kept.compact(lo, hi)
}
