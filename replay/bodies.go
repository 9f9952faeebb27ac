package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// Limits of one batch of new messages: so much is staged, made durable at one go,
// and bound to UIDs under one lock.
const (
	batchMessages = 2000
	batchBytes    = 64 << 20
)

// Bodies makes the new messages. Where a mailbox is renumbered at the same time
// they are staged only, and Rest makes them visible.
func (p *Player) Bodies(ctx context.Context) error {
	if err := p.announce(); err != nil {
		return err
	}
	for _, b := range p.Plan.Boxes {
		if len(b.Adds) == 0 {
			continue
		}
		if p.bad[b] {
			for _, it := range b.Adds {
				p.failItem(it, b, "copy", errors.New("its mailbox could not be made"))
			}
			continue
		}
		for items := b.Adds; len(items) > 0; {
			n, size := 0, int64(0)
			for n < len(items) && n < batchMessages && size < batchBytes {
				size += items[n].Out.Content.Size
				n++
			}
			if err := p.addBatch(ctx, b, items[:n]); err != nil {
				return err
			}
			items = items[n:]
		}
	}
	return nil
}

func (p *Player) addBatch(ctx context.Context, b *Box, items []Item) error {
	staged, err := p.stageAll(ctx, b, items)
	if err != nil {
		return err
	}
	if len(staged) == 0 {
		return nil
	}
	all := make([]*store.Staged, len(staged))
	for i := range staged {
		all[i] = staged[i].st
	}
	if err := p.Store.SyncStaged(ctx, all); err != nil {
		return errors.Join(fmt.Errorf("make copies in %s durable: %w", b.Path, err), p.Store.Unstage(all))
	}
	if b.Numbers {
		p.staged[b] = append(p.staged[b], staged...)
		return nil
	}
	return p.bind(ctx, b, staged)
}

// Abandon removes what waits out of sight, when the plan is not played to its end.
func (p *Player) Abandon() error {
	var all []*store.Staged
	for _, items := range p.staged {
		for _, s := range items {
			all = append(all, s.st)
		}
	}
	clear(p.staged)
	return p.Store.Unstage(all)
}

// stageAll writes the messages out of sight, several at once.
func (p *Player) stageAll(ctx context.Context, b *Box, items []Item) ([]stagedItem, error) {
	type done struct {
		st      *store.Staged
		fetched bool
		err     error
	}
	known, err := p.known(items)
	if err != nil {
		return nil, err
	}
	res := make([]done, len(items))
	one := func(i int) {
		if res[i].err = ctx.Err(); res[i].err == nil {
			res[i].st, res[i].fetched, res[i].err = p.stage(ctx, b, items[i], known[items[i].Out.Content.GUID])
		}
	}
	if p.Workers > 1 && len(items) > 1 {
		p.share(len(items), one)
	} else {
		for i := range items {
			one(i)
		}
	}
	var out []stagedItem
	for i, r := range res {
		if r.err != nil {
			if ctx.Err() != nil {
				continue
			}
			p.failItem(items[i], b, "copy", r.err)
			continue
		}
		out = append(out, stagedItem{items[i], r.st})
		if r.fetched {
			p.Report.Fetched++
			p.Report.Bytes += r.st.Content.Size
		}
	}
	if err := ctx.Err(); err != nil {
		var all []*store.Staged
		for _, s := range out {
			all = append(all, s.st)
		}
		return nil, errors.Join(err, p.Store.Unstage(all))
	}
	if p.Progress != nil {
		p.Progress(p.Report.Copied+int64(len(out)), p.Report.Bytes)
	}
	return out, nil
}

// share has n items done by several goroutines.
func (p *Player) share(n int, one func(int)) {
	var wg sync.WaitGroup
	work := make(chan int)
	for range min(p.Workers, n) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range work {
				one(i)
			}
		}()
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
}

// known gives the GUIDs of the items of which the account has records.
func (p *Player) known(items []Item) (map[store.GUID]bool, error) {
	gs := make([]store.GUID, len(items))
	for i, it := range items {
		gs[i] = it.Out.Content.GUID
	}
	return p.Account.KnownGUIDs(gs)
}

// stage writes one message: from a copy that the account holds, which can be only
// where its GUID is known, else fetched from the peer.
func (p *Player) stage(ctx context.Context, b *Box, it Item, known bool) (st *store.Staged, fetched bool, err error) {
	m := store.NewMessage{UID: it.Out.UID, Content: it.Out.Content, Flags: p.In.Policy.Flags(it.Out), Keywords: p.In.Policy.Keywords(it.Out),
		Received: unixTime(it.Out.Received)}
	var same []changelog.Dot
	if known {
		if same, err = p.Account.ByGUID(it.Out.Content.GUID); err != nil {
			return nil, false, err
		}
	}
	held := false
	for _, d := range same {
		r, err := p.Account.Record(d)
		if err != nil || r == nil || r.Mailbox.IsZero() || r.Handle == "" {
			continue
		}
		held = true
		if !sameContent(r.Content, it.Out.Content) {
			continue
		}
		from := p.PathOf(r)
		if from == "" {
			continue
		}
		m.Key = p.Store.ChooseKey("", false)
		st, err := p.Store.StageLink(ctx, b.Path, m, from, r.Handle)
		if err == nil {
			return st, false, nil
		}
		if !errors.Is(err, store.ErrNoMessage) && !errors.Is(err, store.ErrChanged) {
			return nil, false, err
		}
	}
	body, hint, err := p.open(ctx, it.Out)
	if err != nil {
		return nil, false, err
	}
	defer body.Close()
	if !held && hint != string(m.Content.GUID) {
		if held, err = p.holdsGUID(store.GUID(hint)); err != nil {
			return nil, false, err
		}
	}
	m.Key = p.Store.ChooseKey(hint, !held)
	st, err = p.Store.Stage(ctx, b.Path, m, body)
	return st, true, err
}

func sameContent(a, b store.Content) bool {
	return a.GUID == b.GUID && a.Size == b.Size && (a.Hash == b.Hash || a.Hash == store.HeaderHash{} || b.Hash == store.HeaderHash{})
}

func (p *Player) open(ctx context.Context, m *changelog.Message) (io.ReadCloser, string, error) {
	var last error
	for _, o := range m.Origins {
		rc, key, err := p.Peer.Open(ctx, o.Dot)
		if err == nil {
			return rc, key, nil
		}
		last = err
	}
	return nil, "", last
}

// PathOf is where a record's mailbox is while the plan is played, "" if nowhere.
func (p *Player) PathOf(r *logdb.Record) store.Name {
	s := p.slot(r.Mailbox)
	if s == nil {
		if b := p.made[r.Mailbox]; b != nil {
			return b.Path
		}
		return ""
	}
	if now, ok := p.path[s.Path]; ok {
		return now
	}
	return s.Path
}

// bind gives staged messages their names and UIDs, and records them.
func (p *Player) bind(ctx context.Context, b *Box, staged []stagedItem) error {
	in := &boxIntent{path: b.Path, mailbox: b.Node.GUID()}
	ch := &store.Change{UIDNextSeen: p.uidNext(b)}
	top := ch.UIDNextSeen
	for _, s := range staged {
		in.items = append(in.items, p.intendPut(s.item, s.st.Key))
		ch.Add = append(ch.Add, s.st)
		top = max(top, s.st.UID+1)
	}
	ids, err := p.intend(in)
	if err != nil {
		return err
	}
	res, err := p.Store.Apply(ctx, b.Path, ch)
	if err != nil {
		for _, s := range staged {
			p.failItem(s.item, b, "copy", err)
		}
		return errors.Join(p.Store.Unstage(ch.Add), p.undone(ids, err), stop(ctx, err))
	}
	batch := p.Account.Batch()
	var events []changelog.Event
	for i, s := range staged {
		if res.Add[i].Err != nil {
			p.failItem(s.item, b, "copy", errors.Join(res.Add[i].Err, p.Store.Unstage([]*store.Staged{s.st})))
			continue
		}
		p.Report.Copied++
		events = append(events, p.delivered(s.item.Out, b))
		p.record(batch, b, s.item, res.Add[i], s.st.Content.Hash)
	}
	p.next[b] = top
	return p.finish(ctx, b, batch, events, ids)
}

func (p *Player) uidNext(b *Box) store.UID {
	if n := p.next[b]; n != 0 {
		return n
	}
	if b.Was != nil {
		return max(b.Was.UIDNext, 1)
	}
	return 1
}

func (p *Player) intendPut(it Item, key string) intended {
	return intended{effect: effectPut, key: key, uid: it.Out.UID, flags: p.In.Policy.Flags(it.Out),
		keywords: p.In.Policy.Keywords(it.Out), entry: it.Out}
}

// intend writes down what is about to be done, durably.
func (p *Player) intend(in *boxIntent) ([]uint64, error) {
	if len(in.items) == 0 {
		return nil, nil
	}
	b := p.Account.Batch()
	var ids []uint64
	for part := range slices.Chunk(in.items, maxIntentItems) {
		one := &boxIntent{path: in.path, mailbox: in.mailbox, items: part}
		ids = append(ids, b.PutIntent(logdb.Intent{Kind: intentBox, Payload: one.encode()}))
	}
	return ids, b.Commit(true)
}

func (p *Player) forget(ids []uint64) error {
	if len(ids) == 0 {
		return nil
	}
	b := p.Account.Batch()
	for _, id := range ids {
		b.DeleteIntent(id)
	}
	return b.Commit(false)
}

// undone forgets intents of a change that came to nothing. Where it failed half-way
// part of it may stand: the next run settles those.
func (p *Player) undone(ids []uint64, err error) error {
	for _, e := range []error{store.ErrChanged, store.ErrNoMailbox, store.ErrReadOnly, store.ErrBusy} {
		if errors.Is(err, e) {
			return p.forget(ids)
		}
	}
	return nil
}

// holdsGUID reports whether the store holds a message of this GUID, whose file may have
// it for a name: other bytes under one GUID (conflicts.md 29) have one name.
func (p *Player) holdsGUID(g store.GUID) (bool, error) {
	same, err := p.Account.ByGUID(g)
	if err != nil {
		return false, err
	}
	for _, d := range same {
		r, err := p.Account.Record(d)
		if err != nil {
			return false, err
		}
		if r != nil && !r.Mailbox.IsZero() {
			return true, nil
		}
	}
	return false, nil
}

// stop passes on errors that end the run: cancellation and a dead log. Everything
// else stays with its item.
func stop(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, logdb.ErrDead) {
		return err
	}
	return nil
}

// record puts what stands into the log, and keeps count and digest of the mailbox.
func (p *Player) record(batch *logdb.Batch, b *Box, it Item, done store.Done, hash store.HeaderHash) {
	rec := &logdb.Record{Message: *it.Out.Clone(), Mailbox: b.Node.GUID(), Handle: done.Handle, Hash: done.Hash,
		ShownFlags: p.In.Policy.Flags(it.Out)}
	rec.Show(p.In.Policy.Keywords(it.Out), done.Unshown)
	if len(rec.Unshown) > 0 {
		p.Report.NoteUnshown(b.Path, rec.Unshown, 1)
	}
	if (rec.Content.Hash == store.HeaderHash{}) {
		rec.Content.Hash = hash
	}
	if it.Rec != nil {
		rec.Inode = it.Rec.Inode
	}
	p.meta.HighestMod++
	rec.ModSeq = p.meta.HighestMod
	p.put(batch, b, rec)
}

// put replaces the records that share an origin with rec.
func (p *Player) put(batch *logdb.Batch, b *Box, rec *logdb.Record) {
	var olds []*logdb.Record
	held := 0
	for _, o := range rec.Origins {
		if r := p.In.Records[o.Dot]; r != nil && !slices.Contains(olds, r) {
			olds = append(olds, r)
			if !r.Mailbox.IsZero() {
				held++
			}
		}
	}
	for _, r := range olds {
		p.uncount(r)
	}
	if b != nil {
		p.dirty[b] = true
		row := p.row(b)
		row.Count++
		row.Digest.Add(rec.Digest())
		if row.Count == 1 {
			p.filled(row)
		}
	}
	if held > 1 {
		p.late = append(p.late, lateRecord{rec, p.asStored(olds)})
		return
	}
	putRecord(batch, p.asStored(olds), rec)
}

// uncount takes a record out of the mailbox that held it.
func (p *Player) uncount(r *logdb.Record) {
	if r.Mailbox.IsZero() {
		return
	}
	if s := p.slot(r.Mailbox); s != nil && s.Holder != nil {
		if b := p.was[s.Holder]; b != nil {
			p.dirty[b] = true
			row := p.row(b)
			if row.Count > 0 {
				row.Count--
			}
			row.Digest.Sub(r.Digest())
			if row.Count == 0 {
				p.filled(row)
			}
		}
	}
}

// filled notes that a mailbox has got its first message, or lost its last: one
// without presence comes up by that, or goes.
func (p *Player) filled(row *logdb.Mailbox) {
	if n := p.now[row.GUID]; n == nil || len(n.Presence) == 0 {
		p.listed = false
	}
}

// finish commits what was done to one mailbox, and looks at it: it is to be
// listed again next time, as others may have changed it meanwhile.
func (p *Player) finish(ctx context.Context, b *Box, batch *logdb.Batch, events []changelog.Event, ids []uint64) error {
	row := p.row(b)
	if n := p.next[b]; n > row.Status.UIDNext {
		row.Status.UIDNext = n
	}
	if look, err := p.Store.MailboxLook(ctx, b.Path); err == nil {
		row.UIDPrint = look.Print
	}
	if p.doubt[b] && b.Numbers {
		row.UIDPrint = nil // what should have gone may have got a UID of the store's
	}
	p.dirty[b] = true
	for x := range p.dirty {
		p.putRow(batch, x)
	}
	if b.Node != nil {
		p.raise(b.Node.GUID(), row.Status)
	}
	p.putNodes(batch)
	batch.AppendEvents(p.Now(), events)
	for _, id := range ids {
		batch.DeleteIntent(id)
	}
	p.putMeta(batch)
	return batch.Commit(true)
}

func (p *Player) delivered(m *changelog.Message, b *Box) changelog.Event {
	return changelog.Event{Dot: m.ID(), Stamp: m.Stamp(), Body: changelog.Deliver{Mailbox: b.Node.GUID(), Path: b.Path, UID: m.UID,
		GUID: m.Content.GUID, Flags: p.In.Policy.Flags(m)}}
}
