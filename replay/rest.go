package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/merge"
	"dsync/store"
)

func unixTime(s int64) time.Time { return time.Unix(s, 0).UTC() }

// Rest makes moves, flags and UIDs, and last what removes: it is called when the
// peer needs no more bodies.
func (p *Player) Rest(ctx context.Context) error {
	if p.In.After.Tree == nil {
		return nil
	}
	for _, b := range order(p.Plan.Boxes) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.bad[b] {
			p.failBox(b)
			continue
		}
		if err := p.flags(ctx, b); err != nil {
			return err
		}
		if err := p.change(ctx, b); err != nil {
			return err
		}
	}
	p.remove(ctx)
	p.still(ctx)
	return p.settle()
}

func (p *Player) failBox(b *Box) {
	why := errors.New("its mailbox could not be made or renamed")
	for _, is := range [][]Item{b.Moves, b.Flags, b.UIDs, b.Expunges} {
		for _, it := range is {
			p.failItem(it, b, "change", why)
		}
	}
}

// flags changes flags and keywords. Handles change by it; items that get a new UID
// too go on with the new ones.
func (p *Player) flags(ctx context.Context, b *Box) error {
	if len(b.Flags) == 0 {
		return nil
	}
	in := &boxIntent{path: b.Path, mailbox: p.row(b).GUID}
	ch := &store.Change{}
	uid := map[*logdb.Record]bool{}
	for _, it := range b.UIDs {
		uid[it.Rec] = true
	}
	for _, it := range b.Flags {
		x := p.intendPut(it, p.Store.KeyOf(it.Rec.Handle))
		if uid[it.Rec] {
			x.uid = it.Rec.UID
		}
		in.items = append(in.items, x)
		ch.Flags = append(ch.Flags, store.FlagChange{Handle: it.Rec.Handle, Flags: x.flags, Keywords: x.keywords})
	}
	ids, err := p.intend(in)
	if err != nil {
		return err
	}
	res, err := p.Store.Apply(ctx, b.Path, ch)
	batch := p.Account.Batch()
	var events []changelog.Event
	for i, it := range b.Flags {
		e := err
		if e == nil {
			e = res.Flags[i].Err
		}
		if e != nil {
			p.failItem(it, b, "flags", e)
			continue
		}
		p.Report.Flags++
		events = append(events, p.flagged(it, b))
		if uid[it.Rec] {
			p.rehandle(it.Rec, res.Flags[i])
			continue
		}
		p.record(batch, b, it, res.Flags[i], it.Rec.Content.Hash)
	}
	if s := stop(ctx, err); s != nil {
		batch.Discard()
		return s
	}
	return p.finish(ctx, b, batch, events, ids)
}

// rehandle notes the new handle of a record that is to be changed once more. What
// the log has of it is kept: its place in the index goes by the old hash.
func (p *Player) rehandle(r *logdb.Record, d store.Done) {
	if p.stored == nil {
		p.stored = map[*logdb.Record]*logdb.Record{}
	}
	if p.stored[r] == nil {
		p.stored[r] = r.Clone()
	}
	r.Handle, r.Hash = d.Handle, d.Hash
	if p.lacks == nil {
		p.lacks = map[*logdb.Record][]string{}
	}
	p.lacks[r] = d.Unshown
}

// asStored gives records as the log has them.
func (p *Player) asStored(rs []*logdb.Record) []*logdb.Record {
	if len(p.stored) == 0 {
		return rs
	}
	out := make([]*logdb.Record, len(rs))
	for i, r := range rs {
		if out[i] = p.stored[r]; out[i] == nil {
			out[i] = r
		}
	}
	return out
}

// flagged is the event of a change of flags, under the newest write that made it.
func (p *Player) flagged(it Item, b *Box) changelog.Event {
	now := p.In.Policy.Flags(it.Out)
	e := changelog.Event{Dot: it.Out.ID(), Stamp: it.Out.Stamp()}
	for _, w := range it.Out.Flags {
		if w.Stamp.Compare(e.Stamp) > 0 {
			e.Dot, e.Stamp = w.Dot, w.Stamp
		}
	}
	e.Body = changelog.SetFlags{Message: it.Out.ID(), Path: b.Path, UID: it.Out.UID, Set: now &^ it.Rec.ShownFlags, Clear: it.Rec.ShownFlags &^ now}
	return e
}

// change makes everything else at one go: moves in, UIDs, staged messages where
// the mailbox is renumbered, expunges, and the mailbox's own numbers.
func (p *Player) change(ctx context.Context, b *Box) error {
	in := &boxIntent{path: b.Path, mailbox: p.row(b).GUID}
	if b.Node != nil {
		in.mailbox = b.Node.GUID()
	}
	ch := p.changeOf(b, in)
	if ch == nil {
		return nil
	}
	ids, err := p.intend(in)
	if err != nil {
		return err
	}
	res, err := p.Store.Apply(ctx, b.Path, ch)
	if err != nil {
		for _, is := range [][]Item{b.Moves, b.UIDs, b.Expunges} {
			for _, it := range is {
				p.failItem(it, b, "change", err)
			}
		}
		for _, s := range p.staged[b] {
			p.failItem(s.item, b, "copy", err)
		}
		if b.Numbers || b.Raise || len(b.Attrs) > 0 || len(b.Moves)+len(b.UIDs)+len(b.Expunges)+len(p.staged[b]) == 0 {
			p.fail(merge.TreeID, b, "", "numbers", err)
		}
		return errors.Join(p.Store.Unstage(ch.Add), p.undone(ids, err), stop(ctx, err))
	}
	batch := p.Account.Batch()
	events := p.changed(batch, b, res)
	delete(p.staged, b)
	if b.Node != nil {
		p.renumber(batch, b)
	}
	return p.finish(ctx, b, batch, events, ids)
}

func (p *Player) changeOf(b *Box, in *boxIntent) *store.Change {
	if len(b.Moves)+len(b.UIDs)+len(b.Expunges)+len(p.staged[b])+len(b.Attrs) == 0 && !b.Numbers && !b.Raise && (b.Node == nil || p.uidNext(b) >= b.Node.UIDNext) {
		return nil
	}
	ch := &store.Change{Attributes: b.Attrs, Held: int(p.row(b).Count)}
	for _, s := range p.staged[b] {
		ch.Add = append(ch.Add, s.st)
		in.items = append(in.items, p.intendPut(s.item, s.st.Key))
	}
	for _, it := range b.Moves {
		x := p.intendPut(it, p.Store.KeyOf(it.Rec.Handle))
		in.items = append(in.items, x)
		ch.In = append(ch.In, store.MoveIn{From: it.From.Path, Handle: it.Rec.Handle, UID: x.uid, GUID: it.Out.Content.GUID, Flags: x.flags, Keywords: x.keywords,
			Received: it.redated()})
	}
	for _, it := range b.UIDs {
		in.items = append(in.items, p.intendPut(it, p.Store.KeyOf(it.Rec.Handle)))
		ch.UIDs = append(ch.UIDs, store.UIDChange{Handle: it.Rec.Handle, UID: it.Out.UID, GUID: it.Out.Content.GUID, Received: it.redated()})
	}
	for _, it := range b.Expunges {
		if it.Out != nil {
			in.items = append(in.items, intended{effect: effectRemove, key: p.Store.KeyOf(it.Rec.Handle), entry: it.Out})
		}
		ch.Expunge = append(ch.Expunge, it.Rec.Handle)
	}
	if b.Node != nil {
		ch.UIDNextSeen = p.uidNext(b)
		ch.UIDNext = b.Node.UIDNext
		if b.Numbers {
			ch.UIDValidity, ch.GUID = b.Node.UIDValidity, b.Node.GUID()
		}
	}
	return ch
}

// changed records what became of each item.
func (p *Player) changed(batch *logdb.Batch, b *Box, res *store.Result) []changelog.Event {
	var events []changelog.Event
	for i, s := range p.staged[b] {
		if e := res.Add[i].Err; e != nil {
			p.failItem(s.item, b, "copy", errors.Join(e, p.Store.Unstage([]*store.Staged{s.st})))
			continue
		}
		p.Report.Copied++
		events = append(events, p.delivered(s.item.Out, b))
		p.record(batch, b, s.item, res.Add[i], s.st.Content.Hash)
	}
	for i, it := range b.Moves {
		if e := res.In[i].Err; e != nil {
			p.failItem(it, b, "move", e)
			continue
		}
		p.Report.Moved++
		events = append(events, changelog.Event{Dot: newestPresence(it.Out), Stamp: it.Out.Stamp(), Body: changelog.Move{Message: it.Out.ID(),
			From: it.From.Path, To: b.Path, UID: it.Out.UID, GUID: it.Out.Content.GUID}})
		p.vanish(batch, it.Rec)
		p.record(batch, b, it, res.In[i], it.Rec.Content.Hash)
	}
	for i, it := range b.UIDs {
		if e := res.UIDs[i].Err; e != nil {
			p.failItem(it, b, "renumber", e)
			continue
		}
		p.Report.Renumbered++
		p.vanish(batch, it.Rec)
		done := res.UIDs[i]
		var now bool
		if done.Unshown, now = p.lacks[it.Rec]; !now {
			done.Unshown = it.Rec.Unshown
		}
		p.record(batch, b, it, done, it.Rec.Content.Hash)
	}
	for i, it := range b.Expunges {
		e := res.Expunge[i].Err
		if errors.Is(e, store.ErrNoMessage) {
			e = nil
		}
		if e != nil {
			p.failItem(it, b, "expunge", e)
			continue
		}
		p.Report.Expunged++
		p.vanish(batch, it.Rec)
		if it.Out == nil {
			continue
		}
		events = append(events, changelog.Event{Dot: it.Out.ID(), Stamp: it.Out.Stamp(), Body: changelog.Expunge{Message: it.Out.ID(), Path: b.Path, UID: it.Rec.UID, GUID: it.Rec.Content.GUID}})
		p.meta.HighestMod++
		p.put(batch, nil, &logdb.Record{Message: *it.Out.Clone(), ModSeq: p.meta.HighestMod})
	}
	return events
}

func newestPresence(m *changelog.Message) changelog.Dot {
	d, s := m.ID(), changelog.Stamp{}
	for _, w := range m.Presence {
		if w.Stamp.Compare(s) >= 0 {
			d, s = w.Dot, w.Stamp
		}
	}
	return d
}

// vanish notes that a UID is no longer used.
func (p *Player) vanish(batch *logdb.Batch, r *logdb.Record) {
	if r.UID == 0 || r.Mailbox.IsZero() {
		return
	}
	p.meta.HighestMod++
	batch.AddVanished(p.Now(), r.Mailbox, p.meta.HighestMod, []store.UID{r.UID})
}

// renumber takes over the numbers that the mailbox has now.
func (p *Player) renumber(batch *logdb.Batch, b *Box) {
	row := p.row(b)
	row.GUID, row.Status.GUID = b.Node.GUID(), b.Node.GUID()
	row.Status.UIDValidity, row.Status.UIDNext = b.Node.UIDValidity, b.Node.UIDNext
	row.Status.Attributes = b.Node.Attributes()
	p.next[b] = b.Node.UIDNext
	p.stands[b] = true
	p.adopt(b.Node)
	if b.Numbers {
		for _, it := range p.Plan.Quiet {
			if it.Rec != nil && !it.Rec.Mailbox.IsZero() && it.Out.Live() && b.Was != nil && p.holds(b, it.Rec) {
				p.quiet(batch, it, b)
			}
		}
	}
}

func (p *Player) holds(b *Box, r *logdb.Record) bool {
	s := p.slot(r.Mailbox)
	return s != nil && s.Holder == b.Was
}

// quiet records an entry whose message stays as it is.
func (p *Player) quiet(batch *logdb.Batch, it Item, b *Box) {
	if p.done == nil {
		p.done = map[*changelog.Message]bool{}
	}
	if p.done[it.Out] {
		return
	}
	p.done[it.Out] = true
	rec := &logdb.Record{Message: *it.Out.Clone()}
	if it.Rec != nil {
		rec.ModSeq = it.Rec.ModSeq
	}
	if it.Rec != nil && !it.Rec.Mailbox.IsZero() && it.Out.Live() {
		rec.Mailbox, rec.Handle, rec.Hash, rec.Inode = it.Rec.Mailbox, it.Rec.Handle, it.Rec.Hash, it.Rec.Inode
		rec.ShownFlags, rec.ShownKeywords, rec.Unshown = it.Rec.ShownFlags, it.Rec.ShownKeywords, it.Rec.Unshown
		if b == nil {
			if s := p.slot(rec.Mailbox); s != nil && s.Holder != nil {
				b = p.was[s.Holder]
			}
		}
		if b != nil && b.Node != nil && !p.bad[b] {
			rec.Mailbox = b.Node.GUID()
		}
	}
	if rec.Mailbox.IsZero() {
		b = nil
	}
	p.put(batch, b, rec)
}

// remove deletes the mailboxes that are to go, now that they should be empty.
func (p *Player) remove(ctx context.Context) {
	for i := len(p.Plan.Doomed) - 1; i >= 0; i-- {
		b := p.Plan.Doomed[i]
		if p.bad[b] {
			continue
		}
		if err := p.Store.DeleteMailbox(ctx, b.Path); err != nil && !errors.Is(err, store.ErrNoMailbox) {
			p.bad[b] = true
			p.fail(merge.TreeID, b, "", "delete mailbox", fmt.Errorf("%w", err))
			continue
		}
		p.Report.Deleted++
		for _, n := range p.becomes(b) {
			if p.isNow[n] == nil || !p.bad[p.isNow[n]] {
				p.adopt(n)
			}
		}
	}
}

// settle records what needs no effect, and everything that had to wait.
func (p *Player) settle() error {
	batch := p.Account.Batch()
	for _, it := range p.Plan.Quiet {
		p.quiet(batch, it, nil)
	}
	for _, l := range p.late {
		if !p.failed[messageID(&l.rec.Message)] && !p.anyFailed(l.olds) {
			putRecord(batch, l.olds, l.rec)
		}
	}
	for _, b := range p.Plan.Doomed {
		if !p.bad[b] {
			batch.DeleteMailbox(b.Was.GUID())
		}
	}
	for b := range p.dirty {
		if b.Node != nil || p.bad[b] {
			p.putRow(batch, b)
		}
	}
	p.putNodes(batch)
	if !p.failed[merge.TreeID] {
		was := &changelog.Tree{Bare: p.In.Before.Bare, UVs: p.In.Before.UVs}
		batch.PutTree(was, &changelog.Tree{Bare: p.In.After.Tree.Bare, UVs: p.In.After.Tree.UVs})
		p.bare, p.uvs = p.In.After.Tree.Bare, p.In.After.Tree.UVs
	}
	for _, id := range p.intent {
		batch.DeleteIntent(id)
	}
	p.putMeta(batch)
	return batch.Commit(true)
}

// Digest is that of the account as it stands.
func (p *Player) Digest() (changelog.Digest, error) {
	rows, err := p.Account.Mailboxes()
	if err != nil {
		return changelog.Digest{}, err
	}
	t := p.tree()
	return logdb.AccountDigest(t, t.Layout(p.Held()), rows), nil
}

// Standing is the tree as it stands.
func (p *Player) Standing() *changelog.Tree { return p.tree() }

func (p *Player) anyFailed(rs []*logdb.Record) bool {
	for _, r := range rs {
		if p.failed[messageID(&r.Message)] {
			return true
		}
	}
	return false
}

// Wrote reports whether the store was changed, or may have been.
func (r *Report) Wrote() bool {
	return r.Copied+r.Moved+r.Expunged+r.Flags+r.Renumbered+r.Created+r.Renamed+r.Deleted+r.Subscribed+r.Attributes > 0 ||
		len(r.Failed) > 0
}
