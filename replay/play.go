package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/merge"
	"dsync/store"
)

// Bodies gives the bytes of messages that the peer holds, by any origin, and the
// key (file name) under which the peer holds them.
type Bodies interface {
	Open(ctx context.Context, id changelog.Dot) (body io.ReadCloser, key string, err error)
}

// Wanter is what Bodies may be besides, where the peer is far away: it is told which
// bodies will be opened, in that order, before any is. A body that it was not told of
// may be opened all the same, and one that it was told of need not be.
type Wanter interface {
	Want(ids []changelog.Dot) error
}

// Failure is one effect that was not made.
type Failure struct {
	ID      string // merge.TreeID or merge.MessageID
	Mailbox store.Name
	GUID    store.GUID
	What    string
	Err     error
}

// Report counts what was done and names what was not. Of the messages Copied, Fetched
// are those whose bodies came from the peer, of so many Bytes; the others were made of
// copies that the account had.
type Report struct {
	Copied, Fetched, Bytes, Moved, Expunged, Flags, Renumbered int64
	Created, Renamed, Deleted, Subscribed, Attributes          int64
	Failed                                                     []Failure
	Unshown                                                    map[store.Name]*Unshown // by mailbox
}

// Unshown is what messages of a mailbox were to show, and the mailbox had no room for.
type Unshown struct {
	Keywords []string // by store.FoldKeyword
	Messages int64
}

// NoteUnshown adds keywords of some messages to a mailbox's.
func (r *Report) NoteUnshown(n store.Name, keywords []string, messages int64) {
	if r.Unshown == nil {
		r.Unshown = map[store.Name]*Unshown{}
	}
	if r.Unshown[n] == nil {
		r.Unshown[n] = &Unshown{}
	}
	u := r.Unshown[n]
	u.Keywords = store.SortKeywords(slices.Concat(u.Keywords, keywords))
	u.Messages += messages
}

// Player carries one plan out. It is used by one goroutine.
type Player struct {
	Store    store.Store
	Account  *logdb.Account
	In       Input
	Plan     *Plan
	Peer     Bodies
	Now      func() int64 // µs since 1970
	Workers  int          // parallel copies; 1: in the caller's goroutine
	Progress func(done, bytes int64)

	Report Report
	meta   logdb.Meta
	failed map[string]bool
	standing
	was    map[*changelog.Node]*Box
	isNow  map[*changelog.Node]*Box
	before map[store.MailboxGUID]*changelog.Node   // of In.Before, once asked for
	after  map[store.MailboxGUID]*changelog.Node   // of In.After.Tree, likewise
	made   map[store.MailboxGUID]*Box              // mailboxes of Plan.Creates
	path   map[store.Name]store.Name               // mailboxes' paths before -> now
	dirs   map[store.Name]string                   // Listed.Dir by paths now
	listed bool                                    // meta.Tree is what the tree shows
	dirty  map[*Box]bool                           // rows to be committed
	alias  map[store.MailboxGUID]store.MailboxGUID // GUIDs of mailboxes now -> before
	rows   map[*Box]*logdb.Mailbox
	next   map[*Box]store.UID // UIDNEXT as it stands
	staged map[*Box][]stagedItem
	late   []lateRecord // linked messages, recorded once superfluous copies are gone
	intent []uint64
	moving uint64 // intent of the renames
	bad    map[*Box]bool
	unsub  map[store.Name]bool // paths whose subscription could not be written
	unset  bool                // attributes of the account could not be
	stands map[*Box]bool       // numbers and attributes are as they are to be
	done   map[*changelog.Message]bool
	stored map[*logdb.Record]*logdb.Record // records as the log has them, where In.Records went on
	lacks  map[*logdb.Record][]string      // keywords not shown, of those in stored
	doubt  map[*Box]bool                   // something in it was not done as planned
	eyed   map[*Box]bool                   // under watch
	stills map[*Box]store.Look             // only we have changed it; how it looks now
}

type stagedItem struct {
	item Item
	st   *store.Staged
}

type lateRecord struct {
	rec  *logdb.Record
	olds []*logdb.Record
}

// NewPlayer prepares a player.
func NewPlayer(st store.Store, acct *logdb.Account, in Input, now func() int64, peer Bodies) (*Player, error) {
	p := &Player{Store: st, Account: acct, In: in, Plan: Make(in), Peer: peer, Now: now, Workers: 4,
		meta: acct.Meta(), failed: map[string]bool{}, rows: map[*Box]*logdb.Mailbox{}, next: map[*Box]store.UID{},
		staged: map[*Box][]stagedItem{}, bad: map[*Box]bool{}, standing: stand(in.Before),
		was: map[*changelog.Node]*Box{}, isNow: map[*changelog.Node]*Box{}, made: map[store.MailboxGUID]*Box{},
		path: map[store.Name]store.Name{}, dirty: map[*Box]bool{}, alias: map[store.MailboxGUID]store.MailboxGUID{},
		unsub: map[store.Name]bool{}, stands: map[*Box]bool{},
		doubt: map[*Box]bool{}, eyed: map[*Box]bool{}, stills: map[*Box]store.Look{}}
	for _, b := range p.Plan.Creates {
		p.made[b.Node.GUID()] = b
	}
	for _, b := range p.Plan.all() {
		if b.Was != nil {
			p.was[b.Was] = b
		}
		if b.Node != nil {
			p.isNow[b.Node] = b
		}
	}
	for _, it := range p.Plan.Left {
		err := errAbsent
		if it.From != nil {
			err = errNoUID
		}
		p.failItem(it, it.From, "leave", err)
	}
	return p, nil
}

// Failed reports whether an entry was not made to stand; for merge.Result.Enter.
func (p *Player) Failed(id string) bool { return p.failed[id] }

func (p *Player) fail(id string, b *Box, guid store.GUID, what string, err error) {
	p.failed[id] = true
	f := Failure{ID: id, GUID: guid, What: what, Err: err}
	if b != nil {
		p.doubt[b] = true
		f.Mailbox = b.Path
	}
	p.Report.Failed = append(p.Report.Failed, f)
}

func (p *Player) failItem(it Item, b *Box, what string, err error) {
	id := ""
	var guid store.GUID
	switch {
	case it.Out != nil:
		id, guid = merge.MessageID(it.Out), it.Out.Content.GUID
	case it.Rec != nil:
		id, guid = merge.MessageID(&it.Rec.Message), it.Rec.Content.GUID
	}
	p.fail(id, b, guid, what, err)
}

// Tree makes renames and new mailboxes, subscriptions and attributes.
func (p *Player) Tree(ctx context.Context) error {
	if p.In.After.Tree == nil {
		return nil
	}
	if err := p.intendStaging(); err != nil {
		return err
	}
	p.watch(ctx)
	p.rename(ctx)
	for _, b := range p.Plan.Creates {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.create(ctx, b)
	}
	p.subscribe(ctx)
	for _, b := range p.Plan.all() {
		if b.Was != nil {
			p.path[b.From] = b.Path
		}
	}
	p.adoptTree()
	return p.commitTree(true)
}

// intendStaging notes in which mailboxes files will be made, temporary ones too, so
// that the next run removes them if this one dies.
func (p *Player) intendStaging() error {
	if p.Plan.Empty() {
		return nil
	}
	var names []store.Name
	for _, b := range p.Plan.Boxes {
		names = append(names, b.Path)
	}
	b := p.Account.Batch()
	p.intent = append(p.intent, b.PutIntent(logdb.Intent{Kind: intentStage, Payload: encodeStage(names)}))
	if len(p.Plan.Renames) > 0 {
		p.moving = b.PutIntent(logdb.Intent{Kind: intentMoves, Payload: encodeMoves(p.Plan)})
	}
	return b.Commit(true)
}

func (p *Player) rename(ctx context.Context) {
	if len(p.Plan.Renames) == 0 {
		return
	}
	err := p.Store.RenameMailboxes(ctx, p.Plan.Renames)
	if err == nil {
		p.Report.Renamed += int64(len(p.Plan.Renames))
		return
	}
	for _, r := range p.Plan.Renames {
		one := p.Store.RenameMailboxes(ctx, []store.Rename{r})
		if one == nil {
			p.Report.Renamed++
			continue
		}
		for _, b := range p.Plan.all() {
			if b.Was != nil && b.From == r.From {
				p.bad[b] = true
				b.Path = b.From
				p.fail(merge.TreeID, b, "", fmt.Sprintf("rename to %q", string(r.To)), one)
			}
		}
	}
}

// all lists every mailbox of the plan.
func (p *Plan) all() []*Box { return p.every }

func (p *Player) create(ctx context.Context, b *Box) {
	n := b.Node
	next := store.UID(1)
	for _, was := range p.wasOf(n) {
		if was.UIDValidity == n.UIDValidity { // it comes back, and its UIDs are used (P10)
			next = max(next, was.UIDNext)
		}
	}
	err := p.Store.CreateMailbox(ctx, b.Path, store.Status{GUID: n.GUID(), UIDValidity: n.UIDValidity, UIDNext: next, Attributes: n.Attributes()})
	if errors.Is(err, store.ErrExists) {
		err = fmt.Errorf("%w: %w", store.ErrChanged, err)
	}
	if err != nil {
		p.bad[b] = true
		p.fail(merge.TreeID, b, "", "create mailbox", err)
		return
	}
	p.next[b] = next
	p.Report.Created++
}

func (p *Player) subscribe(ctx context.Context) {
	set := func(n store.Name, on bool, what string) {
		if err := p.Store.SetSubscribed(ctx, n, on); err != nil {
			p.failed[merge.TreeID] = true
			p.unsub[n] = true
			p.Report.Failed = append(p.Report.Failed, Failure{ID: merge.TreeID, Mailbox: n, What: what, Err: err})
			return
		}
		p.Report.Subscribed++
	}
	for _, n := range p.Plan.Unsubscribe {
		set(n, false, "unsubscribe")
	}
	for _, n := range p.Plan.Subscribe {
		set(n, true, "subscribe")
	}
	for k, v := range p.Plan.Attrs {
		if err := p.Store.SetAttribute(ctx, k, v); err != nil {
			p.fail(merge.TreeID, nil, "", "set attribute "+k, err)
			p.unset = true
			continue
		}
		p.Report.Attributes++
	}
}

func (p *Player) commitTree(sync bool) error {
	b := p.Account.Batch()
	p.putNodes(b)
	if err := p.rekey(b); err != nil {
		b.Discard()
		return err
	}
	for _, x := range p.Plan.all() {
		fresh := x.Was == nil && !p.bad[x]
		moved := x.Was != nil && x.From != x.Path && !p.bad[x] && x.Node != nil && x.Was.GUID() == x.Node.GUID()
		if fresh || moved {
			p.putRow(b, x)
		}
	}
	if len(p.Plan.Renames) > 0 && p.moving != 0 {
		b.DeleteIntent(p.moving)
	}
	p.putMeta(b)
	return b.Commit(sync)
}

// putMeta writes the meta data, with a look at the tree that is to be taken again.
func (p *Player) putMeta(b *logdb.Batch) {
	if p.Plan.treeChanges() {
		p.meta.TreeLook = store.Look{Racy: true}
		if !p.listed {
			p.meta.Tree, p.listed = p.listing(), true
		}
	}
	b.PutMeta(&p.meta)
}

func (p *Plan) treeChanges() bool {
	return len(p.Renames)+len(p.Creates)+len(p.Doomed)+len(p.Subscribe)+len(p.Unsubscribe)+len(p.Attrs) > 0
}

// places notes where the file system has the mailboxes that the log knows, by the
// paths that the plan's renames give them.
func (p *Player) places() {
	p.dirs = make(map[store.Name]string, len(p.meta.Tree))
	was := make(map[store.Name]string, len(p.meta.Tree))
	for _, l := range p.meta.Tree {
		p.dirs[l.Path], was[l.Path] = l.Dir, l.Dir
	}
	for _, r := range p.Plan.Renames {
		p.dirs[r.To] = was[r.From]
	}
}

func (p *Player) listing() []logdb.Listed {
	if p.dirs == nil {
		p.places()
	}
	var out []logdb.Listed
	for _, s := range p.tree().Layout(p.Held()).Slots {
		if !s.Shown {
			continue
		}
		l := logdb.Listed{Path: s.Path, NoSelect: s.Holder == nil, Dir: p.dirs[s.Path]}
		if s.Holder != nil {
			l.Node = s.Holder.GUID()
		} else {
			l.Node = s.Members[0].GUID()
		}
		out = append(out, l)
	}
	return out
}

// Held says which mailboxes hold mail at this moment.
func (p *Player) Held() func(store.MailboxGUID) bool {
	now := make(map[store.MailboxGUID]bool, len(p.rows))
	for _, r := range p.rows {
		now[r.GUID] = r.Count > 0
	}
	return func(g store.MailboxGUID) bool {
		if has, ok := now[g]; ok {
			return has
		}
		return p.In.Held != nil && p.In.Held(g)
	}
}

// row is the local state of a mailbox, read once.
func (p *Player) row(b *Box) *logdb.Mailbox {
	if r := p.rows[b]; r != nil {
		return r
	}
	r := &logdb.Mailbox{}
	if b.Was != nil {
		if old, err := p.Account.Mailbox(b.Was.GUID()); err == nil && old != nil {
			r = old.Clone()
		}
		r.GUID, r.Status.GUID = b.Was.GUID(), b.Was.GUID()
		r.Status.UIDValidity, r.Status.UIDNext = b.Was.UIDValidity, b.Was.UIDNext
	} else {
		r.GUID, r.Status.GUID = b.Node.GUID(), b.Node.GUID()
		r.Status.UIDValidity, r.Status.UIDNext = b.Node.UIDValidity, p.uidNext(b)
		r.Status.Attributes = b.Node.Attributes()
	}
	p.rows[b] = r
	return r
}

func (p *Player) putRow(b *logdb.Batch, x *Box) {
	r := p.row(x)
	r.Path = x.Path
	if r.Status.UIDNext == 0 {
		r.Status.UIDNext = 1
	}
	r.Look.Racy = true
	if look, ok := p.stills[x]; ok {
		r.Look, r.UIDPrint = look, look.Print
	}
	b.PutMailbox(r)
	delete(p.dirty, x)
}

// errAbsent: the store does not show the message, and it is not known why.
var errAbsent = fmt.Errorf("%w: in doubt, or kept by the safety brake", store.ErrChanged)

// errNoUID: UIDs end at 2^32-1, and so do UIDVALIDITYs.
var errNoUID = fmt.Errorf("%w: its mailbox has neither UIDs nor a UIDVALIDITY left; move its mail into a new mailbox", store.ErrUnsupported)

func messageID(m *changelog.Message) string { return merge.MessageID(m) }
