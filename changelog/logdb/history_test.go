package logdb

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"dsync/changelog"
	"dsync/store"
)

// history makes random batches against an account and keeps what must be there.
// It is a function of its seed.
type history struct {
	rng     *rand.Rand
	seq     uint64
	records map[changelog.Dot]*Record
	tree    *changelog.Tree
	events  int
	meta    Meta
	intents []uint64
}

var testReplicas = []changelog.Replica{{ID: 7}, {ID: 7, Epoch: 1}, {ID: 99}, {ID: 0xffffffffffffffff, Epoch: 3}}

func testGUID(i int) store.MailboxGUID { return store.MailboxGUID{byte(i + 1), 15: byte(i)} }

func testMeta(id changelog.ReplicaID) Meta {
	return Meta{Replica: changelog.Replica{ID: id}, Location: "maildir:/tmp/x", Identity: "1:2"}
}

func newHistory(seed uint64, id changelog.ReplicaID) *history {
	return &history{rng: rand.New(rand.NewPCG(seed, 1)), records: map[changelog.Dot]*Record{},
		tree: &changelog.Tree{UVs: map[store.Name][]changelog.Held{}}, meta: testMeta(id)}
}

func (h *history) write() changelog.Write {
	h.seq++
	r := testReplicas[h.rng.IntN(len(testReplicas))]
	return changelog.Write{Dot: changelog.Dot{Replica: r, Seq: h.seq}, Stamp: changelog.Stamp{Time: int64(h.seq) * 1000}}
}

// ids are the identities, in order: map order must not count.
func (h *history) ids() []changelog.Dot {
	ids := make([]changelog.Dot, 0, len(h.records))
	for d := range h.records {
		ids = append(ids, d)
	}
	slices.SortFunc(ids, changelog.Dot.Compare)
	return ids
}

// step puts one random change into the batch and the model.
func (h *history) step(b *Batch) {
	ids := h.ids()
	n := h.rng.IntN(10)
	if len(ids) == 0 {
		n = 0
	}
	switch {
	case n < 3:
		w := h.write()
		r := &Record{Message: *changelog.NewMessage(w, testGUID(h.rng.IntN(3)),
			store.Content{GUID: store.GUID(fmt.Sprintf("g%d", h.rng.IntN(8))), Size: 5}, 1, store.Seen, []string{"k"})}
		h.hold(r)
		b.PutRecord(nil, r)
		h.records[r.ID()] = r
	case n < 6:
		old := h.records[ids[h.rng.IntN(len(ids))]]
		r := old.Clone()
		h.change(r)
		b.PutRecord(old, r)
		delete(h.records, old.ID())
		h.records[r.ID()] = r
	case n < 7:
		old := h.records[ids[h.rng.IntN(len(ids))]]
		b.DeleteRecord(old)
		delete(h.records, old.ID())
	case n < 8:
		h.changeTree(b)
	case n < 9:
		w := h.write()
		es := make([]changelog.Event, 1+h.rng.IntN(4)*h.rng.IntN(100))
		for i := range es {
			es[i] = changelog.Event{Dot: w.Dot, Stamp: w.Stamp, Body: changelog.Subscribe{Path: "a", On: i%2 == 0}}
		}
		b.AppendEvents(int64(h.seq), es)
		b.PutReport(int64(h.seq), fmt.Append(nil, "report ", h.seq))
		h.events += len(es)
	default:
		if len(h.intents) > 0 && h.rng.IntN(2) == 0 {
			b.DeleteIntent(h.intents[0])
			h.intents = h.intents[1:]
		} else {
			h.intents = append(h.intents, b.PutIntent(Intent{Kind: 3, Payload: make([]byte, h.rng.IntN(6000))}))
		}
		b.AddVanished(int64(h.seq), testGUID(0), store.ModSeq(h.seq), []store.UID{store.UID(h.seq), store.UID(h.seq + 1), 1})
		b.PutMailbox(&Mailbox{GUID: testGUID(0), Path: "INBOX", Count: h.seq})
	}
}

func (h *history) hold(r *Record) {
	if g, ok := r.Place(); ok {
		r.Mailbox, r.Hash = g, uint64(h.rng.IntN(5))
		r.Handle = store.Handle("cur/" + string(r.Content.GUID) + ":2,S")
		r.Unshown = nil
		if h.seq%3 == 0 {
			r.Unshown = []string{"u"}
		}
	} else {
		r.Unhold()
	}
}

func (h *history) change(r *Record) {
	switch h.rng.IntN(5) {
	case 0:
		r.SetFlag(h.write(), store.Flagged, h.rng.IntN(2) == 0, changelog.AllShared)
	case 1:
		r.SetKeyword(h.write(), "K", false, changelog.AllShared)
	case 2:
		r.Expunge(h.write().Dot, changelog.Was{Mailbox: testGUID(1), UID: 4})
	case 3:
		r.Move(h.write(), testGUID(h.rng.IntN(3)))
	case 4: // linked to another copy: one more origin, perhaps a smaller one
		r.Origins = append(r.Origins, h.write())
		slices.SortFunc(r.Origins, func(a, b changelog.Write) int { return a.Dot.Compare(b.Dot) })
	}
	h.hold(r)
}

func (h *history) newGUID() (g store.MailboxGUID) {
	h.seq++
	g[0], g[1], g[2] = byte(h.rng.IntN(256)), byte(h.seq>>8), byte(h.seq)
	return g
}

func (h *history) changeTree(b *Batch) {
	old := h.tree.Clone()
	mint := func() changelog.Write { return h.write() }
	e := changelog.Edit{Tree: h.tree, NewGUID: h.newGUID}
	name := store.Name(fmt.Sprintf("m%d/x", h.rng.IntN(4)))
	switch h.rng.IntN(4) {
	case 0:
		e.Create(name, h.newGUID(), mint, false, false)
	case 1:
		e.Delete(name, mint)
	case 2:
		e.Subscribe(name, true, mint)
	case 3:
		h.tree.Hold(name, store.UIDValidity(h.seq), testGUID(2))
	}
	b.PutTree(old, h.tree)
}

// commit makes a batch of some steps, the account's meta with it.
func (h *history) commit(t testing.TB, a *Account, steps int, sync bool) error {
	b := a.Batch()
	for range steps {
		h.step(b)
	}
	h.meta.Seq = h.seq
	h.meta.Seen.Dots.AddRange(testReplicas[0], changelog.Range{Lo: 1, Hi: h.seq + 1})
	b.PutMeta(&h.meta)
	return b.Commit(sync)
}

// content is a hash over all keys and values of a database.
func content(t testing.TB, d *DB) [32]byte {
	s := sha256.New()
	err := d.scan(nil, nil, func(k, v []byte) error {
		fmt.Fprintf(s, "%d %d ", len(k), len(v))
		s.Write(k)
		s.Write(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(s.Sum(nil))
}

func mustClean(t testing.TB, a *Account) {
	ps, err := a.Check()
	if err != nil || len(ps) > 0 {
		t.Fatalf("check: %v, %v", ps, err)
	}
}
