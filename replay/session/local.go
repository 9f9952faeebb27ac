package session

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/merge"
	"dsync/replay"
	"dsync/store"
)

// End does what a machine asks: it is one replica.
type End interface {
	Range(ctx context.Context, seen *changelog.Dots, whole bool) (*Range, error)
	Load(ctx context.Context, none bool, upto Key) (*Delta, error)
	More(ctx context.Context, ids []changelog.Dot, nodes []store.MailboxGUID) ([]*changelog.Message, error)
	Hashes(ctx context.Context, ids []changelog.Dot) ([]HeaderHash, error)
	Plan(ctx context.Context, r *merge.Result, side int) (needs, still bool, err error)
	Tree(ctx context.Context) error
	Bodies(ctx context.Context) error
	Rest(ctx context.Context) (*Report, func(string) bool, error)
	Commit(ctx context.Context, c *Commit) error
}

// Local is an end over a recorder of this process. The recorder's store is locked
// and scanned before.
type Local struct {
	Rec      *recorder.Recorder
	Look     *recorder.Look
	Policy   *merge.Policy
	Peer     replay.Bodies
	Now      func() int64
	DryRun   bool
	ReadOnly bool // the source of -1 or backup: nothing is written to the store
	Progress func(done, bytes int64)
	Workers  int // parallel copies; 0: the player's default, 1: in the caller's goroutine

	// Player and Result are set once the plan is known.
	Player *replay.Player
	Result *merge.Result
	Side   int

	records map[changelog.Dot]*logdb.Record // by every origin
	absent  map[changelog.Dot]bool
	held    []Held // by mailbox
	behind  bool   // the store shows less than the log has: see behindLog
	due     []due  // what is still to be looked at, by key; nil: not listed yet
	taken   int    // how much of due this part looks at; -1: it is to be listed anew
	// Over all parts of a run:
	enter, hold changelog.Dots
	failed      uint64
	reports     []*replay.Report
}

// Hello introduces the end.
func (l *Local) Hello(ctx context.Context, run string) (*Hello, error) {
	pos, err := l.Rec.HandOut(ctx)
	if err != nil {
		return nil, err
	}
	if l.Look.Tree != nil { // else it is at rest
		if err := l.rows(); err != nil {
			return nil, err
		}
	}
	meta := l.Rec.Account().Last()
	h := &Hello{Version: Version, Replica: meta.Replica, Seq: meta.Seq, Position: pos, Clock: meta.Clock.Last, Now: l.Now(),
		Seen: meta.Seen.Clone(), Run: run}
	h.Seen.SetTag(meta.Replica, pos)
	h.Digest = l.Look.Digest
	h.Whole = l.unsettled()
	l.absent = map[changelog.Dot]bool{}
	for _, d := range l.Look.Absent {
		l.absent[d] = true
	}
	return h, nil
}

// rows notes what the mailboxes hold, and whether the store is behind the log.
func (l *Local) rows() (err error) {
	if l.Look.Mailboxes == nil {
		if l.Look.Mailboxes, err = l.Rec.Account().Mailboxes(); err != nil {
			return err
		}
	}
	l.held, l.behind = nil, l.Look.BehindLog(l.Rec.Account().Last().Tree)
	for _, r := range l.Look.Mailboxes {
		if r.Count > 0 {
			l.held = append(l.held, Held{r.GUID, r.Count, r.Digest})
		}
	}
	return nil
}

// unsettled reports whether the log holds what the store does not, so that equal
// vectors prove nothing.
func (l *Local) unsettled() bool {
	return l.Look.Restored || l.behind || l.Rec.Account().Last().Flags&recorder.FlagUnheld != 0
}

func (l *Local) live(g store.MailboxGUID) bool {
	_, ok := slices.BinarySearchFunc(l.held, g, func(h Held, g store.MailboxGUID) int { return h.Mailbox.Compare(g) })
	return ok
}

// rest says which mailboxes hold mail besides the working set.
func (l *Local) rest() func(store.MailboxGUID) bool {
	n := make(map[store.MailboxGUID]int64, len(l.held))
	for _, h := range l.held {
		n[h.Mailbox] = int64(h.Count)
	}
	for id, r := range l.records {
		if id == r.ID() {
			n[r.Mailbox]--
		}
	}
	return func(g store.MailboxGUID) bool { return n[g] > 0 }
}

func (l *Local) note(r *logdb.Record) *changelog.Message {
	for _, o := range r.Origins {
		l.records[o.Dot] = r
	}
	return &r.Message
}

// part is how many messages one part of a run takes on: it bounds the memory of a
// session whatever the size of the account.
const part = 2048

// due is a message that a run has to look at.
type due struct {
	key Key
	id  changelog.Dot
}

// Range implements End: it lists what is due, once in a run, and says how far the
// next part is to come.
func (l *Local) Range(ctx context.Context, seen *changelog.Dots, whole bool) (*Range, error) {
	if l.Look.Tree == nil { // the other end has something to say
		if err := l.Rec.Fill(ctx, l.Look); err != nil {
			return nil, err
		}
		if err := l.rows(); err != nil {
			return nil, err
		}
	}
	if l.due == nil {
		if err := l.list(seen, whole); err != nil {
			return nil, err
		}
	}
	r := &Range{Many: len(l.due) > part}
	if len(l.due) > part {
		i := part
		for i < len(l.due) && l.due[i].key == l.due[i-1].key {
			i++
		}
		if i < len(l.due) {
			r.Upto = l.due[i-1].key
		}
	}
	return r, nil
}

// list notes the messages that the peer has not seen, or all.
func (l *Local) list(seen *changelog.Dots, whole bool) error {
	l.due = []due{}
	add := func(r *logdb.Record) error {
		k := Key{GUID: r.Content.GUID}
		if at, ok := r.Place(); ok {
			if s := l.Look.Layout.In(at); s != nil {
				k.Path = s.Path
			}
		}
		l.due = append(l.due, due{k, r.ID()})
		return nil
	}
	if whole {
		if err := l.Rec.Account().AllRecords(add); err != nil {
			return err
		}
	} else {
		var ids []changelog.Dot
		err := l.Rec.Account().Unseen(seen, func(e logdb.EntryRef) error {
			if e.Kind == logdb.RefMessage {
				ids = append(ids, e.Message)
			}
			return nil
		})
		if err != nil {
			return err
		}
		slices.SortFunc(ids, changelog.Dot.Compare)
		err = l.Rec.Account().Records(slices.Compact(ids), func(_ changelog.Dot, r *logdb.Record) error {
			if r == nil {
				return nil
			}
			return add(r)
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(l.due, func(a, b due) int { return cmp.Or(a.key.Compare(b.key), a.id.Compare(b.id)) })
	return nil
}

// Load implements End.
func (l *Local) Load(_ context.Context, none bool, upto Key) (*Delta, error) {
	l.records = map[changelog.Dot]*logdb.Record{}
	d := &Delta{Tree: l.Look.Tree.Clone(), Held: l.held}
	if none {
		l.taken = -1 // paths may change
		return d, nil
	}
	n := len(l.due)
	if upto != (Key{}) {
		n, _ = slices.BinarySearchFunc(l.due, upto, func(x due, k Key) int {
			if x.key.Compare(k) <= 0 {
				return -1
			}
			return 1
		})
	}
	ids := make([]changelog.Dot, n)
	for i, x := range l.due[:n] {
		ids[i] = x.id
	}
	l.taken = n
	return d, l.read(ids, func(r *logdb.Record) error {
		d.Messages = append(d.Messages, l.note(r))
		return nil
	})
}

func (l *Local) read(ids []changelog.Dot, add func(*logdb.Record) error) error {
	slices.SortFunc(ids, changelog.Dot.Compare)
	return l.Rec.Account().Records(slices.Compact(ids), func(_ changelog.Dot, r *logdb.Record) error {
		if r == nil || l.records[r.ID()] != nil {
			return nil
		}
		return add(r)
	})
}

// More implements End.
func (l *Local) More(_ context.Context, ids []changelog.Dot, nodes []store.MailboxGUID) ([]*changelog.Message, error) {
	var out []*changelog.Message
	add := func(r *logdb.Record) error {
		if l.records[r.ID()] == nil {
			out = append(out, l.note(r))
		}
		return nil
	}
	if err := l.read(ids, add); err != nil {
		return nil, err
	}
	for _, g := range nodes {
		if err := l.Rec.Account().MailboxRecords(g, add); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Hashes implements End: it reads the headers of the messages.
func (l *Local) Hashes(ctx context.Context, ids []changelog.Dot) ([]HeaderHash, error) {
	var out []HeaderHash
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r := l.records[id]
		if r == nil || r.Mailbox.IsZero() {
			continue
		}
		s := l.Look.Layout.In(r.Mailbox)
		if s == nil {
			continue
		}
		rc, err := l.Rec.Store().Open(ctx, s.Path, r.Handle)
		if err != nil {
			continue
		}
		h, err := store.HashHeader(rc)
		rc.Close()
		if err != nil {
			continue
		}
		out = append(out, HeaderHash{id, h})
	}
	return out, nil
}

// Open implements replay.Bodies for the other end.
func (l *Local) Open(ctx context.Context, id changelog.Dot) (io.ReadCloser, string, error) {
	r := l.records[id]
	if r == nil || r.Mailbox.IsZero() {
		return nil, "", fmt.Errorf("message %v: %w", id, store.ErrNoMessage)
	}
	path := l.Player.PathOf(r)
	rc, err := l.Rec.Store().Open(ctx, path, r.Handle)
	return rc, l.Rec.Store().KeyOf(r.Handle), err
}

// Plan implements End. It writes nothing.
func (l *Local) Plan(ctx context.Context, r *merge.Result, side int) (needs, still bool, err error) {
	l.Result, l.Side = r, side
	in := replay.Input{Before: l.Look.Tree, Layout: l.Look.Layout, After: r.After[side], Records: l.records, Policy: l.Policy,
		Live: l.rest(), Held: l.live, Absent: l.absent}
	if (l.Look.Restored || l.behind) && len(l.reports) == 0 {
		if err := l.restored(ctx, &in); err != nil {
			return false, false, err
		}
	}
	if l.Player, err = replay.NewPlayer(l.Rec.Store(), l.Rec.Account(), in, l.Now, l.Peer); err != nil {
		return false, false, err
	}
	l.Player.Progress = l.Progress
	if l.Workers > 0 {
		l.Player.Workers = l.Workers
	}
	adds := slices.ContainsFunc(l.Player.Plan.Boxes, func(b *replay.Box) bool { return len(b.Adds) > 0 })
	idle := l.DryRun || l.ReadOnly
	return adds && !idle, idle || l.Player.Plan.Empty(), nil
}

// Tree implements End.
func (l *Local) Tree(ctx context.Context) error {
	if l.DryRun || l.ReadOnly {
		return nil
	}
	return l.Player.Tree(ctx)
}

// Bodies implements End.
func (l *Local) Bodies(ctx context.Context) error {
	if l.DryRun || l.ReadOnly {
		return nil
	}
	return l.Player.Bodies(ctx)
}

// Rest implements End.
func (l *Local) Rest(ctx context.Context) (*Report, func(string) bool, error) {
	if !l.DryRun && !l.ReadOnly {
		if err := l.Player.Rest(ctx); err != nil {
			return nil, nil, err
		}
	}
	d, err := l.Player.Digest()
	if err != nil {
		return nil, nil, err
	}
	l.Look.Digest = d
	meta := l.Rec.Account().Meta()
	pos, err := l.Rec.HandOut(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := &Report{Failed: uint64(len(l.Player.Report.Failed)), Digest: d, Position: pos, Seen: meta.Seen.Clone()}
	r.Seen.SetTag(meta.Replica, pos)
	return r, l.Player.Failed, nil
}

// Commit implements End: seen-set, clock and peer, in one synced batch.
func (l *Local) Commit(ctx context.Context, c *Commit) error {
	if l.DryRun {
		return nil
	}
	l.enter.Union(&c.Enter)
	l.hold.Union(&c.Held)
	l.failed += c.Failed
	enter := l.enter.Minus(&l.hold)
	c.Join = c.Join && l.failed == 0
	if c.More {
		enter = changelog.Dots{}
	}
	b := l.Rec.Account().Batch()
	now := l.Now()
	l.Rec.PutMeta(b, func(m *logdb.Meta) {
		m.Seen.Dots.Union(&enter)
		for _, d := range c.Minted {
			if d.Replica == m.Replica {
				m.Seen.Dots.Add(d)
				m.Seq = max(m.Seq, d.Seq)
			}
		}
		if c.Join {
			m.Seen.Dots.Union(&c.PeerSeen.Dots)
			for _, t := range c.PeerSeen.Tags {
				m.Seen.SetTag(t.Replica, t.Position)
			}
		} else if p, ok := c.PeerSeen.Tagged(c.Peer); ok && !c.More {
			m.Seen.SetTag(c.Peer, p)
		}
		for _, s := range c.Stamps {
			m.Clock.Observe(s, max(now, s.Time))
		}
		if c.Join && l.clean() {
			m.Flags &^= recorder.FlagUnheld
		}
		m.Peers = meet(m.Peers, logdb.Peer{Replica: c.Peer, Seen: c.PeerSeen.Dots, LastMet: now})
	})
	for _, d := range c.Decisions {
		b.PutReport(now, EncodeDecision(&d))
	}
	return b.Commit(true)
}

// Advance prepares the end for the next part of a run: what stands now is what the
// next part starts from.
func (l *Local) Advance() {
	r := l.Player.Report // a copy: the player holds all of its part
	l.reports = append(l.reports, &r)
	if !l.ReadOnly && l.Player.In.After.Tree != nil {
		l.Look.Tree = l.Player.Standing()
		l.Look.Layout = l.Look.Tree.Layout(l.Player.Held())
	}
	if l.taken < 0 {
		l.due = nil
	} else {
		l.due = l.due[l.taken:]
	}
	l.Look.Mailboxes = nil // they were changed
	l.records, l.Player, l.Result = nil, nil, nil
}

// Reports are what became of each part of the run.
func (l *Local) Reports() []*replay.Report {
	if l.Player == nil {
		return l.reports
	}
	r := l.Player.Report
	return append(slices.Clone(l.reports), &r)
}

// clean reports whether nothing is left that the log holds and the store does not.
func (l *Local) clean() bool {
	return len(l.absent) == 0 && l.failed == 0 && l.unsettled()
}

// meet puts a peer into the list of those known, by replica.
func meet(ps []logdb.Peer, p logdb.Peer) []logdb.Peer {
	i, ok := slices.BinarySearchFunc(ps, p.Replica, func(x logdb.Peer, r changelog.Replica) int { return x.Replica.Compare(r) })
	ps = slices.Clone(ps)
	if ok {
		ps[i] = p
		return ps
	}
	return slices.Insert(ps, i, p)
}
