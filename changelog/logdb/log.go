package logdb

import (
	"encoding/binary"
	"errors"
	"math"

	"dsync/changelog"
	"dsync/changelog/pack"
)

// chunkEvents is how many events one value holds at most.
const chunkEvents = 256

const (
	chunkFormat  = 1
	reportFormat = 1
	intentFormat = 1
	floorFormat  = 1
)

// Intent says what is about to be done to the store, so that a later run can
// settle what became of it.
type Intent struct {
	ID      uint64 // from 1; drawn by PutIntent if 0
	Kind    uint8  // of the recorder's choice
	Payload []byte
}

// floor is below which sequence numbers all was trimmed.
type floor struct{ event, report uint64 }

// appendLog encodes events and reports under the next numbers and gives those
// that follow. a.mu is held.
func (b *Batch) appendLog() (event, report uint64) {
	if len(b.events)+len(b.reports) > 0 {
		b.fail("number what is logged", b.a.counters())
	}
	event, report = b.a.nextEvent, b.a.nextReport
	for _, l := range b.events {
		for es := l.es; len(es) > 0 && b.err == nil; {
			n := min(len(es), chunkEvents)
			b.key = seqKey(b.key[:0], b.a.id, famEvents, event)
			b.put(b.key, func(dst []byte) []byte {
				dst = pack.Uint(pack.Array(dst, 3), chunkFormat)
				dst = pack.Uint(pack.Int(dst, l.at), n)
				return changelog.AppendEvents(dst, es[:n])
			}, func(p []byte) error { _, _, err := decodeChunk(p); return err })
			event += uint64(n)
			es = es[n:]
		}
	}
	for _, r := range b.reports {
		b.key = seqKey(b.key[:0], b.a.id, famReport, report)
		b.put(b.key, func(dst []byte) []byte {
			return pack.Bytes(pack.Int(pack.Uint(pack.Array(dst, 3), reportFormat), r.at), r.payload)
		}, func(p []byte) error { _, _, err := decodeReport(p); return err })
		report++
	}
	return event, report
}

type head struct {
	first uint64
	at    int64
	count int
}

// chunkHead reads the head of a chunk of events under its key.
func chunkHead(key, val []byte) (head, error) {
	payload, err := unframe(key, val)
	if err != nil {
		return head{}, err
	}
	if len(key) != prefixLen+8 {
		return head{}, damaged(key, "a key of %d bytes", len(key))
	}
	r := pack.New(payload, "chunk of events")
	h := readHead(&r)
	h.first = binary.BigEndian.Uint64(key[prefixLen:])
	return h, within(key, r.Err())
}

func readHead(r *pack.Reader) head {
	r.Fields(3)
	r.Version(chunkFormat)
	h := head{at: r.Int(), count: int(r.Uint(chunkEvents))}
	if r.OK() && h.count == 0 {
		r.Fail("an empty chunk")
	}
	return h
}

func decodeChunk(p []byte) (head, []changelog.Event, error) {
	r := pack.New(p, "chunk of events")
	h := readHead(&r)
	body := r.Rest()
	if err := r.End(); err != nil {
		return h, nil, err
	}
	es, err := changelog.DecodeEvents(body)
	if err == nil && len(es) != h.count {
		err = &changelog.CorruptError{What: "chunk of events", Offset: -1, Reason: "wrong number of events"}
	}
	return h, es, err
}

// Events calls f with the events from a sequence number on (from 1), in the order
// in which they were logged. What was trimmed is left out.
func (a *Account) Events(from uint64, f func(seq uint64, at int64, e *changelog.Event) error) error {
	p := prefix(nil, a.id, famEvents)
	it, err := a.db.iter(p, after(p))
	if err != nil {
		return err
	}
	defer it.Close()
	ok := it.SeekLT(seqKey(nil, a.id, famEvents, max(from, 1)+1))
	if !ok && it.Error() == nil {
		ok = it.First()
	}
	for ; ok; ok = it.Next() {
		val, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		h, err := chunkHead(it.Key(), val)
		if err != nil {
			return err
		}
		if h.first+uint64(h.count) <= from {
			continue
		}
		_, es, err := decodeChunk(val[frameLen:])
		if err != nil {
			return within(it.Key(), err)
		}
		for i := range es {
			if seq := h.first + uint64(i); seq >= from {
				if err := f(seq, h.at, &es[i]); err != nil {
					return err
				}
			}
		}
	}
	return it.Error()
}

func decodeReport(p []byte) (at int64, payload []byte, err error) {
	r := pack.New(p, "report")
	r.Fields(3)
	r.Version(reportFormat)
	at, payload = r.Int(), r.Bytes(MaxValue)
	return at, payload, r.End()
}

// Reports calls f with the reports from a sequence number on (from 1), in order.
// The payload is f's until it returns.
func (a *Account) Reports(from uint64, f func(seq uint64, at int64, payload []byte) error) error {
	p := prefix(nil, a.id, famReport)
	return a.db.scan(seqKey(nil, a.id, famReport, from), after(p), func(key, val []byte) error {
		payload, err := unframe(key, val)
		if err != nil {
			return err
		}
		if len(key) != prefixLen+8 {
			return damaged(key, "a key of %d bytes", len(key))
		}
		at, b, err := decodeReport(payload)
		if err != nil {
			return within(key, err)
		}
		return f(binary.BigEndian.Uint64(key[prefixLen:]), at, b)
	})
}

func decodeIntent(p []byte) (Intent, error) {
	r := pack.New(p, "intent")
	r.Fields(3)
	r.Version(intentFormat)
	i := Intent{Kind: uint8(r.Uint(math.MaxUint8))}
	i.Payload = append([]byte(nil), r.Bytes(MaxValue)...)
	return i, r.End()
}

// Intents gives all intents that stand, by identity.
func (a *Account) Intents() ([]Intent, error) {
	var out []Intent
	err := a.family(famIntent, func(rest, payload []byte) error {
		i, err := decodeIntent(payload)
		if err != nil {
			return err
		}
		if len(rest) != 8 {
			return damaged(rest, "a key of %d bytes", len(rest))
		}
		i.ID = binary.BigEndian.Uint64(rest)
		out = append(out, i)
		return nil
	})
	return out, err
}

func (a *Account) readFloor() error {
	a.floor = floor{1, 1}
	key := prefix(nil, a.id, famFloor)
	val, err := a.db.get(key)
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	r := pack.New(val, "floor of the log")
	r.Fields(3)
	r.Version(floorFormat)
	a.floor = floor{r.Uint64(), r.Uint64()}
	return within(key, r.End())
}
