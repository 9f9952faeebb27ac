package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// maxPerLock bounds the items done in one period under dovecot-uidlist.lock, so
// that it is never held for more than a few seconds. Between two periods others
// may take UIDs; if they do, the rest of the change fails with ErrChanged.
const maxPerLock = 20000

// Apply makes a change. Order of effects, under the lock:
//
//  1. uidlist and keywords are read, UIDNextSeen is checked;
//  2. new keyword letters are written and synced: a letter never stands in a file
//     name before it has a meaning;
//  3. messages appear, move and change by rename, and go by unlink;
//  4. the uidlist is appended to, or replaced, and synced;
//  5. the lock goes, and the directories are synced.
//
// A crash after 3 leaves messages under their keys, without UIDs.
func (s *Store) Apply(ctx context.Context, n store.Name, c *store.Change) (*store.Result, error) {
	defer s.opts.As.Enter()()
	s.evict()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := s.open(n, true)
	if err != nil {
		return nil, readOnlyErr(err)
	}
	defer b.close()
	if err := s.syncUnsynced(ctx, c.Add); err != nil {
		return nil, err
	}
	res := &store.Result{}
	seen := c.UIDNextSeen
	for _, part := range periods(c) {
		next, err := s.applyPart(ctx, b, part, seen, res)
		if err != nil {
			if seen != c.UIDNextSeen && errors.Is(err, store.ErrChanged) {
				refuse(res, part, err)
				continue
			}
			return res, err
		}
		if c.UIDNextSeen != 0 {
			seen = next
		}
	}
	if len(c.Attributes) > 0 {
		if err := s.setAttributes(b.mail, attributesName, c.Attributes, b.perms); err != nil {
			return res, err
		}
	}
	return res, nil
}

// syncUnsynced syncs what a caller forgot to: nothing becomes visible unsynced.
func (s *Store) syncUnsynced(ctx context.Context, add []*store.Staged) error {
	var todo []*store.Staged
	for _, m := range add {
		if !s.recall(m.Temp).synced {
			todo = append(todo, m)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	return s.SyncStaged(ctx, todo)
}

// periods cuts a change that is too large for one period. Header fields go with
// the last part, but for a UIDVALIDITY, under which the UIDs are given.
func periods(c *store.Change) []*store.Change {
	total := len(c.Add) + len(c.In) + len(c.Flags) + len(c.UIDs) + len(c.Expunge)
	if total <= maxPerLock || c.UIDValidity != 0 || len(c.UIDs) > 0 {
		return []*store.Change{c}
	}
	var out []*store.Change
	rest := *c
	for len(rest.Add)+len(rest.In)+len(rest.Flags)+len(rest.Expunge) > 0 {
		room := maxPerLock
		part := new(store.Change)
		part.Add, rest.Add = cut(rest.Add, &room)
		part.In, rest.In = cut(rest.In, &room)
		part.Flags, rest.Flags = cut(rest.Flags, &room)
		part.Expunge, rest.Expunge = cut(rest.Expunge, &room)
		out = append(out, part)
	}
	last := out[len(out)-1]
	last.GUID, last.UIDNext = c.GUID, c.UIDNext
	return out
}

func cut[T any](list []T, room *int) (head, tail []T) {
	n := min(len(list), *room)
	*room -= n
	return list[:n], list[n:]
}

// refuse reports every item of a part as not done.
func refuse(res *store.Result, c *store.Change, err error) {
	fill := func(list *[]store.Done, n int) {
		for range n {
			*list = append(*list, store.Done{Err: err})
		}
	}
	fill(&res.Add, len(c.Add))
	fill(&res.In, len(c.In))
	fill(&res.Flags, len(c.Flags))
	fill(&res.Expunge, len(c.Expunge))
}

// applier is one period at work.
type applier struct {
	s       *Store
	b       *box
	c       *store.Change
	list    *uidList
	edit    *uidEdit
	wishes  []*wish // of Add, In and UIDs, in this order
	top     store.UID
	present map[uint64]struct{} // hashes of cur
	kw      *keywords
	hash    *hasher
	cur     *listing // made only if something was not where it was seen
	still   bool     // nobody renamed files while cur was made
	// dirs to sync: cur always last, so that what came is durable before what went.
	touchedCur, touchedNew bool
	sources                map[store.Name]*box
	gone                   int   // messages expunged
	expunged               []int // their lines
}

func (s *Store) applyPart(ctx context.Context, b *box, c *store.Change, seen store.UID, res *store.Result) (store.UID, error) {
	lock, err := s.dotlock(ctx, b.ctl, uidlistName, b.ctlPerms)
	if err != nil {
		return 0, err
	}
	unlocked := false
	unlock := func() {
		if !unlocked {
			unlocked = true
			lock.unlock()
		}
	}
	defer unlock()
	a := &applier{s: s, b: b, c: c, sources: map[store.Name]*box{}}
	defer a.close()
	s.meets(b)
	if err := a.prepare(seen); err != nil {
		return 0, err
	}
	if err := a.keywords(); err != nil {
		return 0, err
	}
	if err := a.bind(); err != nil {
		return 0, err
	}
	a.uncount()
	wishes := a.wishes
	for i, m := range c.Add {
		res.Add = append(res.Add, a.add(m, wishes[i]))
	}
	wishes = wishes[len(c.Add):]
	for i, m := range c.In {
		res.In = append(res.In, a.moveIn(ctx, m, wishes[i]))
	}
	wishes = wishes[len(c.In):]
	for _, f := range c.Flags {
		res.Flags = append(res.Flags, a.flags(f))
	}
	for i, u := range c.UIDs {
		res.UIDs = append(res.UIDs, a.uid(ctx, u, wishes[i]))
	}
	for _, h := range c.Expunge {
		res.Expunge = append(res.Expunge, a.expunge(h))
	}
	if err := a.writeUIDList(); err != nil {
		// What became visible stands under its key; it has no UID yet.
		return 0, errors.Join(err, a.sync())
	}
	next := a.nextUID()
	s.leaves(b)
	unlock()
	if err := a.sync(); err != nil {
		return 0, err
	}
	a.uncount()
	return next, nil
}

func (a *applier) close() {
	for _, b := range a.sources {
		b.close()
	}
}

// prepare reads the uidlist and checks that the UIDs were planned against it.
func (a *applier) prepare(seen store.UID) (err error) {
	if a.list, err = a.s.readUIDList(a.b.ctl); err != nil {
		return err
	}
	if a.list.lost {
		// Lost means lost: its UIDs cannot be known. It is replaced when written.
		a.list = &uidList{present: true, lost: true, hdr: uidHeader{next: 1}}
	}
	a.edit = newUIDEdit(a.list)
	if a.newValidity() {
		// The dead lines' UIDs mean nothing any more, and would hold UIDNEXT up.
		if ok, err := a.compact(); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("mailbox %q: %w", a.b.name, store.ErrChanged)
		}
	}
	gives := len(a.c.Add)+len(a.c.In)+len(a.c.UIDs) > 0
	if gives && seen != 0 && a.list.next() > seen {
		return fmt.Errorf("mailbox %q: UIDNEXT is %d, planned against %d: %w", a.b.name, a.list.next(), seen, store.ErrChanged)
	}
	return nil
}

// keywords gives letters to all keywords wanted, and writes the table if it grew.
func (a *applier) keywords() (err error) {
	if a.kw, err = a.s.readKeywords(a.b.ctl); err != nil {
		return err
	}
	grew := false
	want := func(names []string) {
		for _, k := range names {
			_, fresh := a.kw.add(k)
			grew = grew || fresh
		}
	}
	for _, m := range a.c.Add {
		want(m.Keywords)
	}
	for _, m := range a.c.In {
		want(m.Keywords)
	}
	for _, f := range a.c.Flags {
		want(f.Keywords)
	}
	a.hash = newHasher(a.kw)
	if !grew {
		return nil
	}
	return a.s.replace(a.b.ctl, keywordsName, a.kw.encode(), a.b.ctlPerms)
}

// letters writes flags and keywords as letters. A keyword that is none is an
// error, and nothing is done; unshown are keywords for which no letter is left,
// which does not keep the rest from being set.
func (a *applier) letters(f store.Flags, kws []string, foreign string) (let string, unshown []string, err error) {
	var kl []byte
	for _, k := range kws {
		if err := store.CheckKeyword(k); err != nil {
			return "", nil, fmt.Errorf("%w: %w", store.ErrUnsupported, err)
		}
		if c := a.kw.letter(k); c != 0 {
			kl = append(kl, c)
		} else {
			unshown = append(unshown, k)
		}
	}
	return makeLetters(f, string(kl), foreign), store.SortKeywords(unshown), nil
}

func (a *applier) done(base, let, rest string, unshown []string) store.Done {
	return store.Done{
		Handle: store.Handle("cur/" + base + ":2," + let + rest),
		Hash:   a.hash.of(base, let), Unshown: unshown,
	}
}

// add makes a staged message visible.
func (a *applier) add(m *store.Staged, w *wish) store.Done {
	if m.Mailbox != a.b.name || !strings.HasPrefix(m.Temp, tempPrefix) {
		return store.Done{Err: fmt.Errorf("message %q is not staged in %q: %w", m.Key, a.b.name, store.ErrNoMessage)}
	}
	if w.err != nil {
		return store.Done{Err: w.err}
	}
	let, unshown, err := a.letters(m.Flags, m.Keywords, "")
	if err != nil {
		return store.Done{Err: err}
	}
	name := m.Key + ":2," + let
	if err := a.b.tmp.RenameNew(m.Temp, a.b.cur, name); err != nil {
		return store.Done{Err: a.failed("add", m.Key, err)}
	}
	a.touchedCur = true
	a.s.did(a.b.name, a.b.cur, a.b, true, name)
	in := a.s.recall(m.Temp)
	a.s.forget(m.Temp)
	a.edit.added = append(a.edit.added, uidLine{w.uid, uidFields(m.Key, m.Content.GUID, m.Content.Size, in.vsize), m.Key})
	return a.done(m.Key, let, "", unshown)
}

// uidFields writes what a line of ours says beside UID and name.
func uidFields(base string, g store.GUID, size, vsize int64) string {
	var f []string
	if vsize >= 0 && !strings.Contains(base, ",W=") {
		f = append(f, "W"+strconv.FormatInt(vsize, 10))
	}
	if size >= 0 && !strings.Contains(base, ",S=") {
		f = append(f, "S"+strconv.FormatInt(size, 10))
	}
	if g != "" && string(g) != base {
		f = append(f, guidField(g))
	}
	return strings.Join(f, " ")
}

// failed turns the system's error about one message into ours.
func (a *applier) failed(op, what string, err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s %q: a file of this name is there: %w", op, what, store.ErrChanged)
	case missing(err):
		return fmt.Errorf("%s %q: %w", op, what, store.ErrNoMessage)
	}
	return fmt.Errorf("%s: %w", op, readOnlyErr(err))
}

// absent tells a message that is gone from one that looks otherwise by now.
func (a *applier) absent(op string, h store.Handle) error {
	l, still, err := a.listing()
	if err != nil {
		return err
	}
	return absent(op, h, l, still)
}

// absent says what a listing makes of a message that is not there under its name:
// it has another, or is gone; where files moved meanwhile, who knows.
func absent(op string, h store.Handle, l *listing, still bool) error {
	_, name, ok := parseHandle(h)
	if !ok {
		return fmt.Errorf("%s %.80q: %w", op, h, store.ErrNoMessage)
	}
	base, _, _ := splitName(name)
	want := xxhash.Sum64String(base)
	for i, x := range l.hashes {
		if x == want && string(l.base(i)) == base {
			return fmt.Errorf("%s %q: its name is %q by now: %w", op, h, l.handle(i), store.ErrChanged)
		}
	}
	if !still {
		return fmt.Errorf("%s %q: its mailbox changes all the time: %w", op, h, store.ErrChanged)
	}
	return fmt.Errorf("%s %q: %w", op, h, store.ErrNoMessage)
}

// sync makes the names durable: first where messages came, then whence they left.
func (a *applier) sync() error {
	var errs []error
	if a.touchedCur {
		errs = append(errs, a.b.cur.Sync())
	}
	if a.touchedNew && a.b.nu != nil {
		errs = append(errs, a.b.nu.Sync())
	}
	for _, src := range a.sources {
		for _, d := range []fsys.Dir{src.cur, src.nu} {
			if d != nil {
				errs = append(errs, d.Sync())
			}
		}
	}
	return errors.Join(errs...)
}

// uncount has the quota counted anew, before and after what changes it, be it by a
// move: into Trash, for some.
func (a *applier) uncount() {
	if len(a.c.Add)+len(a.c.In)+len(a.c.Expunge) > 0 {
		a.s.uncount()
	}
}
