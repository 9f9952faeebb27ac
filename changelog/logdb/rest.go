package logdb

import (
	"github.com/cockroachdb/pebble/v2"

	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/store"
)

// Rest says that a look at the whole account found it just as the log has it, with
// nothing to do, to tell or to be looked at again: who finds it looking the same need
// read nothing else of the log. It stands until the next batch of the account,
// whatever that holds, unless that batch puts it again: no batch need think of it.
type Rest struct {
	Looks  [32]byte     // of the store, in the caller's way of summing them up
	Paths  []store.Name // of the mailboxes that were looked at, in the caller's order
	Oldest int64        // when the oldest event or report was written, µs since 1970; 0: there is none
}

func appendRest(dst []byte, r *Rest) []byte {
	dst = pack.Int(pack.Bytes(pack.Array(dst, 3), r.Looks[:]), r.Oldest)
	dst = pack.Array(dst, len(r.Paths))
	for _, p := range r.Paths {
		dst = pack.String(dst, p)
	}
	return dst
}

func readRest(p *pack.Reader) *Rest {
	r := &Rest{}
	p.Fields(3)
	if sum := p.Bytes(len(r.Looks)); copy(r.Looks[:], sum) != len(r.Looks) && p.OK() {
		p.Fail("a sum of %d bytes", len(sum))
	}
	r.Oldest = p.Int()
	for range p.Array(MaxListed, 1) {
		if !p.OK() {
			break
		}
		r.Paths = append(r.Paths, store.Name(p.String(changelog.MaxPath)))
	}
	return r
}

// Oldest is when the oldest event or report that the log holds was written, in µs
// since 1970; 0: it holds none.
func (a *Account) Oldest() (oldest int64, err error) {
	for _, fam := range [...]byte{famEvents, famReport} {
		at, ok, err := a.firstAt(fam)
		if err != nil {
			return 0, err
		}
		if ok && (oldest == 0 || at < oldest) {
			oldest = at
		}
	}
	return oldest, nil
}

// restedAt is the rest at which the account was opened, if it is still so.
func (a *Account) restedAt() *Rest {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.rested {
		return nil
	}
	return a.meta.Rest
}

// rouse puts Meta without its rest into a batch that goes past Batch, and gives what
// is to be called when the batch stands. a.mu is held.
func (a *Account) rouse(b *pebble.Batch) (done func()) {
	if a.meta.Rest == nil {
		return func() {}
	}
	m := *a.meta
	m.Rest = nil
	enc := appendMeta(nil, &m)
	put(b, prefix(nil, a.id, famMeta), func(dst []byte) []byte { return append(dst, enc...) })
	return func() { a.meta, a.encoded[0], a.rested = &m, enc, false }
}
