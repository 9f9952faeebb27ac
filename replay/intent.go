package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/pack"
	"dsync/merge"
	"dsync/store"
)

// Kinds of intent in the log.
const (
	intentStage uint8 = 1 // mailboxes in which a run stages messages
	intentBox   uint8 = 2 // effects on one mailbox
	intentMoves uint8 = 3 // renames of mailboxes, and where others are to be made
)

// What an effect of an intentBox is.
const (
	effectPut    = 1 // a message of this key is to be here, so
	effectRemove = 2 // no message of this key is to be here
)

// maxIntentItems bounds one intent; a large change writes several.
const maxIntentItems = 2000

// intended is one effect as written down before it was made.
type intended struct {
	effect   uint64
	key      string
	uid      store.UID
	flags    store.Flags
	keywords []string
	entry    *changelog.Message
}

// boxIntent is what a run meant to do to one mailbox.
type boxIntent struct {
	path    store.Name
	mailbox store.MailboxGUID
	items   []intended
}

func (b *boxIntent) encode() []byte {
	out := pack.Array(nil, 3)
	out = pack.String(out, b.path)
	out = pack.FixedOrNone(out, b.mailbox[:])
	out = pack.Array(out, len(b.items))
	for _, it := range b.items {
		out = pack.Array(out, 6)
		out = pack.Uint(out, it.effect)
		out = pack.String(out, it.key)
		out = pack.Uint(out, uint64(it.uid))
		out = pack.Uint(out, uint64(it.flags))
		out = pack.Array(out, len(it.keywords))
		for _, k := range it.keywords {
			out = pack.String(out, k)
		}
		out = pack.Bytes(out, changelog.AppendMessage(nil, it.entry))
	}
	return out
}

const maxEntry = 1 << 20 // bytes of one entry in an intent

func decodeBoxIntent(b []byte) (*boxIntent, error) {
	r := pack.New(b, "intent")
	r.Fields(3)
	out := &boxIntent{path: store.Name(r.String(store.MaxName))}
	r.FixedOrNone(out.mailbox[:])
	for range r.Array(maxIntentItems, 6) {
		r.Fields(6)
		it := intended{effect: r.Uint64(), key: r.String(store.MaxGUID * 4)}
		it.uid = store.UID(r.Uint32())
		it.flags = store.Flags(r.Uint(uint64(store.AllFlags)))
		for range r.Array(store.MaxKeywords, 1) {
			it.keywords = append(it.keywords, r.String(store.MaxKeyword))
		}
		raw := r.Bytes(maxEntry)
		if err := r.Err(); err != nil {
			return nil, err
		}
		m, err := changelog.DecodeMessage(raw)
		if err != nil {
			return nil, err
		}
		it.entry = m
		out.items = append(out.items, it)
	}
	return out, r.End()
}

func encodeStage(names []store.Name) []byte {
	out := pack.Array(nil, len(names))
	for _, n := range names {
		out = pack.String(out, n)
	}
	return out
}

func decodeStage(b []byte) ([]store.Name, error) {
	r := pack.New(b, "intent")
	var out []store.Name
	for range r.Array(1<<20, 1) {
		out = append(out, store.Name(r.String(store.MaxName)))
	}
	return out, r.End()
}

// Settle finds out which effects of a dead run stand, and records those, so that
// the next look does not take them for a client's. Staged files that nobody will
// make visible are removed. It is called before every look; without intents it
// does nothing.
func Settle(ctx context.Context, st store.Store, acct *logdb.Account, p *merge.Policy) error {
	in, err := acct.Intents()
	if err != nil || len(in) == 0 {
		return err
	}
	x := &settler{st: st, acct: acct, policy: p, meta: acct.Meta(), boxes: map[store.Name]*listing{},
		rows: map[store.MailboxGUID]*logdb.Mailbox{}, recs: map[changelog.Dot]*logdb.Record{}}
	x.batch = acct.Batch()
	defer x.batch.Discard()
	rows, err := acct.Mailboxes()
	if err != nil {
		return err
	}
	for _, r := range rows {
		x.rows[r.GUID] = r.Clone()
	}
	if x.was, err = acct.LoadTree(); err != nil {
		return err
	}
	x.tree = x.was.Clone()
	for _, i := range in {
		if err := x.intent(ctx, i); err != nil {
			return err
		}
		x.batch.DeleteIntent(i.ID)
	}
	return x.commit()
}

// settler settles the intents of one dead run.
type settler struct {
	st     store.Store
	acct   *logdb.Account
	policy *merge.Policy
	batch  *logdb.Batch
	meta   logdb.Meta
	boxes  map[store.Name]*listing
	rows   map[store.MailboxGUID]*logdb.Mailbox
	recs   map[changelog.Dot]*logdb.Record // settled, by every origin
	was    *changelog.Tree
	tree   *changelog.Tree
	dirty  bool
}

func (s *settler) intent(ctx context.Context, i logdb.Intent) error {
	switch i.Kind {
	case intentStage:
		names, err := decodeStage(i.Payload)
		if err != nil {
			return fmt.Errorf("settle intent %d: %w", i.ID, err)
		}
		if err := s.st.Cleanup(ctx, names); err != nil {
			return fmt.Errorf("remove what a dead run staged: %w", err)
		}
	case intentMoves:
		moves, made, err := decodeMoves(i.Payload)
		if err != nil {
			return fmt.Errorf("settle intent %d: %w", i.ID, err)
		}
		return s.undo(ctx, moves, made)
	case intentBox:
		x, err := decodeBoxIntent(i.Payload)
		if err != nil {
			return fmt.Errorf("settle intent %d: %w", i.ID, err)
		}
		return s.box(ctx, x)
	}
	return nil
}

// box settles the effects on one mailbox.
func (s *settler) box(ctx context.Context, x *boxIntent) error {
	here, ok := s.boxes[x.path]
	if !ok {
		var err error
		if here, err = list(ctx, s.st, x.path); err != nil {
			return fmt.Errorf("settle %s: %w", x.path, err)
		}
		s.boxes[x.path] = here
	}
	var away []string
	for _, it := range x.items {
		if _, ok := here.byKey[it.key]; !ok && it.effect == effectPut {
			away = append(away, it.key)
		}
	}
	elsewhere, err := s.st.Find(ctx, away)
	if err != nil {
		return fmt.Errorf("settle %s: %w", x.path, err)
	}
	for _, it := range x.items {
		m, found := here.byKey[it.key]
		rec := &logdb.Record{Message: *it.entry, Mailbox: x.mailbox, ShownFlags: s.policy.Flags(it.entry)}
		keywords := s.policy.Keywords(it.entry)
		rec.Show(keywords, here.noRoom(keywords))
		var made logdb.Record
		made.Show(it.keywords, here.noRoom(it.keywords))
		switch {
		case it.effect == effectRemove && !found:
			rec.Unhold()
		case it.effect == effectPut && found && m.UID == it.uid && m.Flags == it.flags && m.Received.Unix() == it.entry.Received && slices.Equal(m.Keywords, made.ShownKeywords):
			rec.Handle, rec.Inode, rec.Hash = m.Handle, m.Inode, m.Hash
		case it.effect == effectPut && (found || elsewhere[it.key].Handle != ""):
			// Made visible and not bound to its UID yet, or a client changed it since, or
			// moved it on. A name that was there before proves nothing: the effect was a
			// move or a change, and may not have been made.
			if was, err := s.held(it.entry, it.key); was || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			rec.Handle = store.Handle(it.key)
			if found {
				rec.UID = m.UID
			}
		default:
			continue
		}
		if err := s.stands(rec); err != nil {
			return err
		}
	}
	return nil
}

// records are those that share an origin with an entry.
func (s *settler) records(m *changelog.Message) (out []*logdb.Record, err error) {
	for _, o := range m.Origins {
		r := s.recs[o.Dot]
		if r == nil {
			if r, err = s.acct.Record(o.Dot); err != nil {
				return nil, err
			}
		}
		if r != nil && !slices.ContainsFunc(out, func(x *logdb.Record) bool { return x.ID() == r.ID() }) {
			out = append(out, r)
		}
	}
	return out, nil
}

// held reports whether the log held an entry under the key before the effect.
func (s *settler) held(m *changelog.Message, key string) (bool, error) {
	olds, err := s.records(m)
	return slices.ContainsFunc(olds, func(r *logdb.Record) bool { return !r.Mailbox.IsZero() && s.st.KeyOf(r.Handle) == key }), err
}

// stands records an effect that was found to stand: in the place of all records
// that share an origin with it, with counts and numbers of the mailboxes.
func (s *settler) stands(rec *logdb.Record) error {
	olds, err := s.records(&rec.Message)
	if err != nil {
		return err
	}
	s.meta.HighestMod++
	rec.ModSeq = s.meta.HighestMod
	for _, r := range olds {
		row := s.rows[r.Mailbox]
		if row == nil || r.Mailbox.IsZero() {
			continue
		}
		row.Count--
		row.Digest.Sub(r.Digest())
		if r.UID != 0 && (r.Mailbox != rec.Mailbox || r.UID != rec.UID) {
			s.batch.AddVanished(s.meta.Clock.Last.Time, r.Mailbox, rec.ModSeq, []store.UID{r.UID})
		}
		s.look(row)
	}
	if row := s.rows[rec.Mailbox]; row != nil && !rec.Mailbox.IsZero() {
		row.Count++
		row.Digest.Add(rec.Digest())
		if n := s.tree.Node(row.GUID); n != nil && n.UIDValidity == row.Status.UIDValidity && rec.UID >= n.UIDNext {
			n.UIDNext, s.dirty = rec.UID+1, true
		}
		row.Status.UIDNext = max(row.Status.UIDNext, rec.UID+1)
		s.look(row)
	}
	putRecord(s.batch, olds, rec)
	for _, o := range rec.Origins {
		s.recs[o.Dot] = rec
	}
	return nil
}

// look has the next scan list a mailbox.
func (s *settler) look(row *logdb.Mailbox) {
	row.Look, row.UIDPrint = store.Look{}, nil
	s.batch.PutMailbox(row)
}

func (s *settler) commit() error {
	if s.dirty {
		s.batch.PutTree(s.was, s.tree)
	}
	s.batch.PutMeta(&s.meta)
	return s.batch.Commit(true)
}

// listing is what a mailbox holds.
type listing struct {
	byKey map[string]store.Message
	snap  store.Snapshot // nil: there is no mailbox
}

// noRoom gives those of the keywords that no message here can be made to show.
func (l *listing) noRoom(keywords []string) []string {
	if l.snap == nil {
		return nil
	}
	return l.snap.NoRoom(keywords)
}

// list lists a mailbox; one that is not there is empty.
func list(ctx context.Context, st store.Store, n store.Name) (*listing, error) {
	out := &listing{byKey: map[string]store.Message{}}
	snap, err := st.Scan(ctx, n, nil)
	if errors.Is(err, store.ErrNoMailbox) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.snap = snap
	idx := make([]int, snap.Len())
	for i := range idx {
		idx[i] = i
	}
	ms, _, err := snap.Describe(ctx, idx)
	if err != nil {
		return nil, err
	}
	for _, m := range ms {
		out.byKey[m.Key] = m
	}
	return out, nil
}

// putRecord puts rec in the place of several records that are one now.
func putRecord(b *logdb.Batch, olds []*logdb.Record, rec *logdb.Record) {
	var first *logdb.Record
	for _, r := range olds {
		if r.ID() == rec.ID() {
			first = r
		}
	}
	for _, r := range olds {
		if r != first {
			b.DeleteRecord(r)
		}
	}
	b.PutRecord(first, rec)
}
