package recorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// Look is what a scan found.
type Look struct {
	Tree   *changelog.Tree   // as the log has it now; the caller's own
	Layout *changelog.Layout // of Tree
	// Mailboxes are their local states, by GUID, and Digest that of what the store
	// holds, as the log has them.
	Mailboxes []*logdb.Mailbox
	Digest    changelog.Digest
	Events    int // logged
	// Doubt names mailboxes in which something is missing that may be elsewhere.
	Doubt []store.Name
	// Braked says why what is missing was not logged as deleted, and how to go on;
	// "" if it was.
	Braked string
	// Absent is what the log holds and the store does not, because of Doubt or
	// Braked: this run must neither touch nor make it again. By dot.
	Absent []changelog.Dot
	// AbsentMailboxes are mailboxes of which that is true.
	AbsentMailboxes []store.Name
	// Missing: the store is not there; nothing was looked at.
	Missing  bool
	Skipped  []store.Skip
	Warnings []string
	Compared int64 // entries compared with the log
	// Restored: the store is older than the log. What is missing is to be fetched
	// again, and what it shows otherwise than the log is to be put right.
	Restored bool
}

// flushRecords is how many records one batch of a large scan holds: few enough to
// fit into half a memtable, which is cheaper. flushSync makes each durable. They
// are variables for tests only.
var (
	flushRecords = 2000
	flushSync    = false
)

// scan is one scan under way.
type scan struct {
	r    *Recorder
	ctx  context.Context
	full bool
	now  int64
	look *Look

	meta  logdb.Meta
	began uint64          // meta.Seq then
	base  changelog.Clock // as it was when the scan began: all stamps follow from it
	first bool            // the account has no history
	bulk  bool            // nor was a first look begun: nothing can match
	zero  bool            // what is found now has no history
	tree  *changelog.Tree
	edit  *changelog.Edit
	boxes map[store.MailboxGUID]*logdb.Mailbox // by the key of their records
	old   stored
	ended map[store.MailboxGUID]bool // nodes that this scan deleted
	held  map[store.MailboxGUID]bool // nodes with live mail that is not held; nil: not read

	lines    map[store.Name]*logdb.Listed // of meta.Tree, by path; the first counts
	rooms    map[string]*logdb.Listed     // its mailboxes by Dir, likewise
	listed   *store.Tree                  // nil: as the log has it
	treeLook store.Look
	obs      []*observed // by name
	vanished []*vanished
	gone     map[changelog.Dot]*origin // in the log, not in the store, not accounted for yet
	back     map[changelog.Dot]bool    // not held before this scan, and held again
	stable   bool                      // nothing changed while the mailboxes were listed

	batch   *logdb.Batch
	records int // in the batch
	events  []changelog.Event
	pending bool // deletions are under way: no batch may end
	lapsed  bool // something is to be looked at again: the tree too
}

// observed is one line of the store's tree.
type observed struct {
	store.MailboxInfo
	look    store.Look
	status  store.Status
	known   bool // status is known
	changed bool // to be listed
	fresh   bool // no local state before this scan
	copied  bool // its GUID is another's, it needs one of its own
	node    *changelog.Node
	box     *logdb.Mailbox
	snap    store.Snapshot
	before  store.Status // of the box, before this scan
	top     store.UID    // the highest UID that this scan found new
	late    changelog.Write
	list
}

// vanished is a mailbox that the log knows and the store no longer shows.
type vanished struct {
	line logdb.Listed
	path store.Name
	node *changelog.Node
	box  *logdb.Mailbox
	keep bool            // no deletion is logged
	by   changelog.Write // what deleted it
	mail uint32
}

// origin is where something that is gone was held.
type origin struct {
	obs *observed // nil: in a mailbox that vanished
	van *vanished
}

// Scan settles what a dead run left, compares the store with the log, and logs
// what others did. full distrusts fingerprints and digests and compares entry by
// entry.
func (r *Recorder) Scan(ctx context.Context, full bool) (*Look, error) {
	if err := r.Settle(ctx); err != nil {
		return nil, err
	}
	s, err := r.beginScan(ctx, full)
	if err != nil {
		return nil, fmt.Errorf("scan %s: %w", r.st.Location(), err)
	}
	defer func() { s.batch.Discard() }()
	err = s.run()
	if errors.Is(err, store.ErrGone) && !s.first {
		return s.missing()
	}
	if err != nil {
		return nil, fmt.Errorf("scan %s: %w", r.st.Location(), err)
	}
	return s.look, nil
}

func (r *Recorder) beginScan(ctx context.Context, full bool) (*scan, error) {
	if err := r.acc.Load(); err != nil {
		return nil, err
	}
	s := &scan{
		r: r, ctx: ctx, full: full, now: r.o.Now(), look: &Look{}, meta: r.acc.Meta(), stable: true,
		boxes: map[store.MailboxGUID]*logdb.Mailbox{}, old: stored{boxes: map[store.MailboxGUID]*logdb.Mailbox{}, fresh: map[*changelog.Node]bool{}},
		ended: map[store.MailboxGUID]bool{}, gone: map[changelog.Dot]*origin{}, back: map[changelog.Dot]bool{}, batch: r.acc.Batch(),
	}
	s.meta.Seq = max(s.meta.Seq, r.seq)
	s.meta.Clock.Observe(r.clock.Last, s.now)
	s.began, s.base = s.meta.Seq, s.meta.Clock
	s.base.Observe(changelog.Stamp{Time: s.meta.LastLook}, s.now)
	s.first = s.meta.LastLook == 0
	var err error
	if s.tree, err = r.acc.LoadTree(); err != nil {
		return nil, err
	}
	boxes, err := r.acc.Mailboxes()
	if err != nil {
		return nil, err
	}
	for _, b := range boxes {
		s.boxes[b.GUID] = b
	}
	s.index()
	s.bulk = s.first && len(boxes) == 0
	if s.meta.Flags&FlagUnheld != 0 {
		if err := s.readUnheld(); err != nil {
			return nil, err
		}
	}
	s.edit = &changelog.Edit{Tree: s.tree, Live: s.live, NewGUID: r.newGUID}
	s.look.Restored = r.restored
	return s, nil
}

// index makes the log's listing easy to look up.
func (s *scan) index() {
	s.lines = make(map[store.Name]*logdb.Listed, len(s.meta.Tree))
	s.rooms = make(map[string]*logdb.Listed, len(s.meta.Tree))
	for i := range s.meta.Tree {
		l := &s.meta.Tree[i]
		if s.lines[l.Path] == nil {
			s.lines[l.Path] = l
		}
		if !l.NoSelect && s.rooms[l.Dir] == nil {
			s.rooms[l.Dir] = l
		}
	}
}

func (s *scan) run() error {
	steps := []func() error{
		s.listTree, s.lookAtAll, s.identify, s.older, s.listAll, s.recheck, s.match, s.brake,
		s.fitTree, s.ownGUIDs, s.writeAll, s.subscriptions, s.accountAttributes, s.finish,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// missing is the look at a store that is not there: unknown, never empty.
func (s *scan) missing() (*Look, error) {
	m, err := s.r.beginScan(s.ctx, false)
	if err != nil {
		return nil, err
	}
	defer m.batch.Discard()
	l := m.look
	l.Missing = true
	l.Braked = fmt.Sprintf("%s is not there (unmounted?); nothing is logged as deleted; if it is to be forgotten, give its place another change log", s.r.st.Location())
	m.show()
	return l, nil
}

// live reports whether a node holds mail.
func (s *scan) live(g store.MailboxGUID) bool {
	if s.ended[g] {
		return false
	}
	b := s.boxes[g]
	return b != nil && b.Count > 0 || s.held[g]
}

// readUnheld finds the mailboxes of live mail that the store does not hold.
func (s *scan) readUnheld() error {
	s.held = map[store.MailboxGUID]bool{}
	return s.r.acc.AllRecords(func(r *logdb.Record) error {
		if at, ok := r.Place(); ok && r.Mailbox != at {
			s.held[at] = true
		}
		return nil
	})
}

// mint gives out the next dot.
func (s *scan) mint(evidence int64) changelog.Write {
	s.meta.Seq++
	w := changelog.Write{Dot: changelog.Dot{Replica: s.meta.Replica, Seq: s.meta.Seq}}
	if !s.first && !s.zero {
		w.Stamp = s.base.After(evidence, s.now)
		s.meta.Clock.Observe(w.Stamp, s.now)
	}
	s.meta.Seen.Dots.Add(w.Dot)
	return w
}

func (s *scan) log(w changelog.Write, cause changelog.Dot, body changelog.Body) {
	s.events = append(s.events, changelog.Event{Dot: w.Dot, Stamp: w.Stamp, Cause: cause, Body: body})
	s.look.Events++
}

func (s *scan) warn(format string, args ...any) {
	s.look.Warnings = append(s.look.Warnings, fmt.Sprintf(format, args...))
}

func (s *scan) doubt(n store.Name) {
	if !slices.Contains(s.look.Doubt, n) {
		s.look.Doubt = append(s.look.Doubt, n)
	}
}

// listTree takes the mailbox tree from the store, or from the log if it did not
// change.
func (s *scan) listTree() error {
	look, err := s.r.st.TreeLook(s.ctx)
	if err != nil {
		return err
	}
	m := &s.meta
	if !s.full && !s.first && !m.TreeLook.Racy && !look.Racy && bytes.Equal(look.Print, m.TreeLook.Print) {
		s.treeLook = look
		for _, l := range m.Tree {
			s.obs = append(s.obs, &observed{MailboxInfo: store.MailboxInfo{Name: l.Path, NoSelect: l.NoSelect, Dir: l.Dir}})
		}
		return nil
	}
	if s.listed, s.treeLook, err = s.r.st.Tree(s.ctx); err != nil {
		return err
	}
	for _, i := range s.listed.Mailboxes {
		s.obs = append(s.obs, &observed{MailboxInfo: i})
	}
	slices.SortFunc(s.obs, func(a, b *observed) int { return store.CompareNames(a.Name, b.Name) })
	s.look.Skipped = append(s.look.Skipped, s.listed.Skipped...)
	s.treeLook.Racy = s.treeLook.Racy || slices.ContainsFunc(s.listed.Skipped, func(k store.Skip) bool { return !errors.Is(k.Err, store.ErrIgnored) })
	return nil
}

// prior is the line of the log's listing at a path.
func (s *scan) prior(n store.Name) *logdb.Listed { return s.lines[n] }

// lookAtAll finds the mailboxes that changed, and reads their status.
func (s *scan) lookAtAll() error {
	kept := s.obs[:0]
	for _, o := range s.obs {
		if o.NoSelect {
			kept = append(kept, o)
			continue
		}
		err := s.lookAt(o, s.prior(o.Name))
		if err == nil {
			kept = append(kept, o)
			continue
		}
		if errors.Is(err, store.ErrGone) || s.ctx.Err() != nil {
			return err
		}
		s.stable = false
		s.doubt(o.Name)
		if !errors.Is(err, store.ErrNoMailbox) {
			s.look.Skipped = append(s.look.Skipped, store.Skip{Mailbox: o.Name, Err: err})
		}
	}
	s.obs = kept
	return nil
}

// lookAt decides whether a mailbox is to be listed. One that holds what could not be
// shown is, as the tree is that holds such a mailbox: each run names it.
func (s *scan) lookAt(o *observed, l *logdb.Listed) (err error) {
	if o.look, err = s.r.st.MailboxLook(s.ctx, o.Name); err != nil {
		return err
	}
	if l != nil && !l.NoSelect && l.Dir == o.Dir {
		n := s.tree.Node(l.Node)
		var b *logdb.Mailbox
		if n != nil {
			b = s.box(n)
		}
		if b != nil && b.Path == o.Name && len(b.Skipped) == 0 && !s.full && !s.first && !b.Look.Racy && !o.look.Racy && bytes.Equal(b.Look.Print, o.look.Print) {
			if o.node, o.box = n, b; s.named(b, n) {
				return nil
			}
		}
	}
	o.node, o.box, o.changed, o.known = nil, nil, true, true
	o.status, err = s.r.st.Status(s.ctx, o.Name)
	return err
}

// named reports whether a mailbox has in the store the GUID that the log has for it. A
// run that died between the two leaves a mailbox unchanged and under its old one.
func (s *scan) named(b *logdb.Mailbox, n *changelog.Node) bool {
	return b.Status.GUID == n.GUID() || b.Status.UIDValidity == 0 || !s.r.st.Capabilities().MailboxGUIDs
}
