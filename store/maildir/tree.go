package maildir

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

const (
	keywordsName   = "dovecot-keywords"
	attributesName = "dsync-attributes"
	// maxNodes bounds what one account may hold; a tree beyond it is an attack or a
	// loop.
	maxNodes = 1 << 20
)

var (
	errNoCur     = fmt.Errorf("%w: no directory cur in it", store.ErrDamaged)
	errSymlink   = fmt.Errorf("%w: a symbolic link", store.ErrUnsupported)
	errHalfMoved = fmt.Errorf("%w: a run that renames or deletes mailboxes is under way or was interrupted", store.ErrBusy)
	errShadow    = fmt.Errorf("%w: INBOX is elsewhere", store.ErrUnsupported)
)

// node is a mailbox, or a directory above one, as found on disk.
type node struct {
	name store.Name
	mail bool // has cur
	cur  fsys.Info
	self fsys.Info
}

// nodes lists the account's directories that are mailboxes or lead to them.
func (s *Store) nodes() ([]node, []store.Skip, error) {
	var out []node
	var skipped []store.Skip
	var err error
	if s.layout.fs {
		out, skipped, err = s.walk(s.root, nil, out, nil)
	} else {
		out, skipped, err = s.flat()
	}
	return out, skipped, err
}

// flat lists Maildir++.
func (s *Store) flat() (out []node, skipped []store.Skip, err error) {
	err = s.root.List(func(raw []byte, kind fsys.Kind, _ uint64) error {
		if raw[0] != '.' || kind == fsys.Regular || kind == fsys.Other {
			return nil
		}
		dir := string(raw)
		if ours(dir) {
			return nil
		}
		if kind != fsys.Directory {
			in, err := s.root.Stat(dir)
			if err != nil || !in.IsDir() {
				if err == nil && in.Mode&fsys.TypeMask == fsys.TypeLink {
					skipped = append(skipped, store.Skip{Item: dir, Err: errSymlink})
				}
				return nil
			}
		}
		n, err := s.layout.nameOf(strings.Split(dir[1:], "."))
		if err == nil && n == store.Inbox {
			err = errShadow
		}
		if err != nil {
			skipped = append(skipped, store.Skip{Item: dir, Err: err})
			return nil
		}
		nd := node{name: n}
		if !s.inspect(&nd, dir) {
			skipped = append(skipped, store.Skip{Mailbox: n, Item: dir, Err: errNoCur})
			return nil
		}
		if len(out) >= maxNodes {
			return fmt.Errorf("%w: more than %d mailboxes", store.ErrUnsupported, maxNodes)
		}
		out = append(out, nd)
		return nil
	})
	return out, skipped, err
}

// inspect fills in what the directory's stat and that of its cur say; false if
// there is no cur.
func (s *Store) inspect(nd *node, dir string) bool {
	var err error
	if nd.cur, err = s.root.StatBirth(join(dir, "cur")); err != nil || !nd.cur.IsDir() {
		return false
	}
	nd.mail = true
	nd.self, _ = s.root.Stat(dir)
	return true
}

// walk lists LAYOUT=fs below d, whose levels are given. sum, if not nil, takes
// in what was found.
func (s *Store) walk(d fsys.Dir, levels []string, out []node, sum hash.Hash) ([]node, []store.Skip, error) {
	var dirs []string
	var skipped []store.Skip
	err := d.List(func(raw []byte, kind fsys.Kind, _ uint64) error {
		if kind == fsys.Regular || kind == fsys.Other || s.layout.reserved(string(raw)) {
			return nil
		}
		name := string(raw)
		if kind != fsys.Directory {
			in, err := d.Stat(name)
			if err != nil || !in.IsDir() {
				if err == nil && in.Mode&fsys.TypeMask == fsys.TypeLink {
					item := strings.Join(append(slices.Clone(levels), name), "/")
					skipped = append(skipped, store.Skip{Item: item, Err: errSymlink})
				}
				return nil
			}
		}
		dirs = append(dirs, name)
		return nil
	})
	if err != nil {
		return out, skipped, err
	}
	slices.Sort(dirs)
	for _, name := range dirs {
		if len(out) >= maxNodes {
			return out, skipped, fmt.Errorf("%w: more than %d mailboxes", store.ErrUnsupported, maxNodes)
		}
		var more []store.Skip
		if out, more, err = s.visit(d, append(slices.Clip(levels), name), out, sum); err != nil {
			return out, skipped, err
		}
		skipped = append(skipped, more...)
	}
	return out, skipped, nil
}

// visit takes in one directory of LAYOUT=fs and those below it.
func (s *Store) visit(d fsys.Dir, levels []string, out []node, sum hash.Hash) ([]node, []store.Skip, error) {
	path := strings.Join(levels, "/")
	n, err := s.layout.nameOf(levels)
	if err != nil {
		return out, []store.Skip{{Item: path, Err: err}}, nil
	}
	sub, err := d.OpenDir(levels[len(levels)-1])
	if err != nil {
		if missing(err) {
			return out, nil, nil
		}
		return out, []store.Skip{{Mailbox: n, Item: path, Err: err}}, nil
	}
	defer sub.Close()
	nd := node{name: n}
	cur := "cur"
	if s.layout.dirname != "" {
		cur = s.layout.dirname + "/cur"
	}
	if in, err := sub.StatBirth(cur); err == nil && in.IsDir() {
		nd.mail, nd.cur = true, in
	}
	if nd.self, err = sub.Self(); err != nil {
		return out, nil, err
	}
	if sum != nil {
		fmt.Fprintf(sum, "%q %d %t %d\n", path, nd.self.Ino, nd.mail, nd.cur.Ino)
	}
	var skipped []store.Skip
	if n == store.Inbox && nd.mail && s.layout.dirname == "" {
		skipped = append(skipped, store.Skip{Item: path, Err: errShadow})
	} else {
		out = append(out, nd)
	}
	out, more, err := s.walk(sub, levels, out, sum)
	return out, append(skipped, more...), err
}

// TreeLook is one look at the directories that hold mailboxes, at the
// subscriptions and at the account's attributes. Maildir++ has one such
// directory; LAYOUT=fs is walked.
func (s *Store) TreeLook(ctx context.Context) (store.Look, error) {
	defer s.opts.As.Enter()()
	if err := ctx.Err(); err != nil {
		return store.Look{}, err
	}
	l := newLooker(s.now(), 160, s.fine)
	if s.layout.fs {
		sum := xxhash.New()
		if _, _, err := s.walk(s.root, nil, nil, sum); err != nil {
			return store.Look{}, err
		}
		l.print = sum.Sum(l.print)
	} else {
		in, err := s.root.Self()
		if err != nil {
			return store.Look{}, err
		}
		l.add(in, false)
	}
	ib := s.place(store.Inbox)
	// Only whether INBOX is there: the time of its cur is the mailbox's affair.
	in, err := ib.root.Stat(join(ib.rel, "cur"))
	if err != nil && !missing(err) {
		return store.Look{}, err
	}
	l.add(fsys.Info{Ino: in.Ino}, false)
	for _, f := range []struct {
		dir  fsys.Dir
		name string
	}{{s.subsDir(), s.layout.subs}, {s.root, accountAttributes}} {
		in, err := f.dir.Stat(f.name)
		if err != nil && !missing(err) {
			return store.Look{}, err
		}
		l.add(in, true)
	}
	return l.look(), nil
}

// subsDir is where the subscriptions are.
func (s *Store) subsDir() fsys.Dir {
	if s.control != nil {
		return s.control
	}
	return s.root
}

// Tree lists the account. The look is taken before the listing, so that what
// changes meanwhile is found by the next.
func (s *Store) Tree(ctx context.Context) (*store.Tree, store.Look, error) {
	defer s.opts.As.Enter()()
	look, err := s.TreeLook(ctx)
	if err != nil {
		return nil, look, err
	}
	nodes, skipped, err := s.nodes()
	if err != nil {
		return nil, look, err
	}
	t := &store.Tree{Skipped: skipped}
	if t.Mailboxes, err = s.mailboxes(nodes); err != nil {
		return nil, look, err
	}
	subs, err := s.readSubscriptions()
	if err != nil {
		// A file that cannot be read must not look like one that is empty.
		return nil, look, err
	}
	var bad []store.Skip
	t.Subscriptions, bad = subs.names(s.layout)
	t.Skipped = append(t.Skipped, bad...)
	if j, err := s.readJournal(); err != nil || j != nil && j.state != stateDone {
		// Mailboxes are out of sight: nobody must take them for deleted.
		t.Skipped = append(t.Skipped, store.Skip{Item: journalName, Err: errHalfMoved})
	}
	if in, err := s.subsDir().Stat(s.layout.subs); err == nil {
		t.SubsChanged = time.Unix(0, in.Mtime).UTC()
	}
	if t.Attributes, err = s.readAttributes(s.root, accountAttributes); err != nil {
		return nil, look, err
	}
	return t, look, nil
}

// mailboxes sorts the nodes, adds INBOX and the parents that exist only by
// implication, and leaves out directories with no mailbox in or below them: what is
// nobody's parent is no \Noselect mailbox, since most stores could not show it.
func (s *Store) mailboxes(nodes []node) ([]store.MailboxInfo, error) {
	byName := make(map[store.Name]store.MailboxInfo, len(nodes)+1)
	dirs := map[store.Name]store.MailboxInfo{}
	for _, nd := range nodes {
		if nd.mail {
			byName[nd.name] = info(nd)
		} else {
			dirs[nd.name] = info(nd)
		}
	}
	if _, ok := byName[store.Inbox]; !ok || s.layout.dirname == "" {
		p := s.place(store.Inbox)
		nd := node{name: store.Inbox}
		if in, err := p.root.StatBirth(join(p.rel, "cur")); err == nil && in.IsDir() {
			nd.mail, nd.cur = true, in
		} else if err != nil && !missing(err) {
			return nil, err
		}
		byName[store.Inbox] = info(nd)
	}
	for _, nd := range nodes {
		if !nd.mail {
			continue
		}
		for up := nd.name.Parent(); up != ""; up = up.Parent() {
			if _, ok := byName[up]; ok {
				break
			}
			in, ok := dirs[up]
			if !ok {
				in = store.MailboxInfo{Name: up, NoSelect: true}
			}
			byName[up] = in
		}
	}
	out := make([]store.MailboxInfo, 0, len(byName))
	for _, in := range byName {
		out = append(out, in)
	}
	slices.SortFunc(out, func(a, b store.MailboxInfo) int { return store.CompareNames(a.Name, b.Name) })
	return out, nil
}

func info(nd node) store.MailboxInfo {
	mi := store.MailboxInfo{Name: nd.name, NoSelect: !nd.mail}
	if nd.mail {
		// cur moves with its mailbox in every layout; so it is what a mailbox is
		// recognised by, with its birth where the system knows that: the numbers of
		// removed directories are used again.
		mi.Dir = fmt.Sprintf("%d:%d:%d", nd.cur.Dev, nd.cur.Ino, nd.cur.Btime)
	}
	if nd.self.Ctime != 0 {
		mi.Changed = time.Unix(0, nd.self.Ctime).UTC()
	}
	return mi
}

func (s *Store) readSubscriptions() (*subscriptions, error) {
	data, err := s.readSmall(s.subsDir(), s.layout.subs, maxSubscriptions)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return &subscriptions{v2: true}, nil
	}
	return parseSubscriptions(data), nil
}

// SetSubscribed subscribes or unsubscribes, under the dotlock that Dovecot uses.
func (s *Store) SetSubscribed(ctx context.Context, n store.Name, on bool) error {
	defer s.opts.As.Enter()()
	if err := s.writing(); err != nil {
		return err
	}
	if err := s.layout.check(n); err != nil {
		return err
	}
	d := s.subsDir()
	p, err := s.permsOf(d)
	if err != nil {
		return err
	}
	lock, err := s.dotlock(ctx, d, s.layout.subs, p)
	if err != nil {
		return err
	}
	defer lock.unlock()
	subs, err := s.readSubscriptions()
	if err != nil {
		return err
	}
	if !subs.set(s.layout, n, on) {
		return nil
	}
	return s.replace(d, s.layout.subs, subs.encode(), p)
}

// The account's attributes stand beside INBOX's in one root on Maildir++, so
// they have a file of their own.
const accountAttributes = "dsync-account"

func (s *Store) readAttributes(d fsys.Dir, name string) (map[string]string, error) {
	data, err := s.readSmall(d, name, maxAttributesFile)
	if err != nil {
		return nil, err
	}
	return decodeAttributes(data)
}

// setAttributes changes some; "" removes. It reports whether it wrote.
func (s *Store) setAttributes(d fsys.Dir, name string, set map[string]string, p perms) error {
	have, err := s.readAttributes(d, name)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	if err != nil {
		return fmt.Errorf("set attributes: %w", err)
	}
	changed := false
	for k, v := range set {
		if have[k] == v {
			continue
		}
		changed = true
		if have == nil {
			have = map[string]string{}
		}
		if v == "" {
			delete(have, k)
		} else {
			have[k] = v
		}
	}
	if !changed {
		return nil
	}
	data := encodeAttributes(have)
	if len(data) > maxAttributesFile {
		return fmt.Errorf("attributes of %d bytes: %w", len(data), store.ErrUnsupported)
	}
	return s.replace(d, name, data, p)
}

// SetAttribute sets an attribute of the account.
func (s *Store) SetAttribute(ctx context.Context, key, value string) error {
	defer s.opts.As.Enter()()
	if err := s.writing(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p, err := s.permsOf(s.root)
	if err != nil {
		return err
	}
	return s.setAttributes(s.root, accountAttributes, map[string]string{key: value}, p)
}
