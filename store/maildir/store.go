package maildir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// Store is an account in Maildirs.
type Store struct {
	opts     Options
	layout   *layout
	root     fsys.Dir // the mail root
	inbox    fsys.Dir // where INBOX lives: the root, or INBOX=
	control  fsys.Dir // CONTROL=; nil: beside the mail
	now      func() time.Time
	run      string // recognises what this run made
	seq      atomic.Uint64
	umask    uint32
	readonly bool
	location string // as Location and Identity give them
	rootID   string
	locked   atomic.Bool
	unmarked atomic.Bool // no marker of a UIDVALIDITY was found

	listed, opened, read, wrote atomic.Int64
	uidlist                     uidCache
	watcher                     *fsys.Watcher // nil: nothing was watched yet
	watches                     map[store.Name]*watched
	fine                        uint64 // device whose times tell every change; 0: none

	mu     sync.Mutex
	staged map[string]*stagedInfo
	counts map[store.Name]int // messages at the last listing
	into   *box               // the mailbox last staged into, kept open
	from   *box               // the mailbox last read from, kept open
	moves  bool               // this run has renamed: the journal is settled
}

var _ store.Store = (*Store)(nil)

// Open opens an account. If it is not there, the error wraps store.ErrGone.
func Open(o Options) (*Store, error) { return openOn(fsys.OS{As: o.As}, o) }

// OpenReadOnly opens an account that is to be read alone: whatever would change
// it fails with store.ErrReadOnly.
func OpenReadOnly(o Options) (*Store, error) {
	s, err := Open(o)
	if err == nil {
		s.readonly = true
	}
	return s, err
}

// Create makes an account with an empty INBOX where there is none, and opens it.
func Create(o Options) (*Store, error) { return createOn(fsys.OS{As: o.As}, o) }

func openOn(f fsys.FS, o Options) (*Store, error) {
	s, err := openRoots(f, o)
	if err != nil {
		return nil, err
	}
	there, err := s.exists()
	if err == nil && !there {
		err = fmt.Errorf("open %s: %w: no mailbox in it", o, store.ErrGone)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func openRoots(f fsys.FS, o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	defer o.As.Enter()()
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	s := &Store{
		opts: o, layout: newLayout(o), now: time.Now, run: hex.EncodeToString(id[:]), umask: readUmask(),
		staged: map[string]*stagedInfo{}, counts: map[store.Name]int{},
	}
	var err error
	if s.root, err = f.OpenRoot(o.Path); err != nil {
		return nil, gone(o, err)
	}
	s.location = o.String()
	if in, err := s.root.Self(); err == nil {
		s.rootID = fmt.Sprintf("%d:%d", in.Dev, in.Ino) // of an open directory they are for good
		if fsys.FineTimes(s.root) {
			s.fine = in.Dev
		}
	}
	s.inbox = s.root
	if o.Inbox != "" && !samePlace(o.Inbox, o.Path) {
		if s.inbox, err = f.OpenRoot(o.Inbox); err != nil {
			_ = s.Close()
			return nil, gone(o, err)
		}
	} else {
		s.layout.inbox = false
	}
	if o.Control != "" {
		s.control, err = f.OpenRoot(o.Control)
		if errors.Is(err, fs.ErrNotExist) {
			s.control, err = &lateDir{fs: f, path: o.Control, root: s.root}, nil
		}
		if err != nil {
			s.control = nil
			_ = s.Close()
			return nil, fmt.Errorf("open %s: %w", o, err)
		}
	}
	return s, nil
}

func gone(o Options, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("open %s: %w: %w", o, store.ErrGone, err)
	}
	return fmt.Errorf("open %s: %w", o, err)
}

// exists reports whether there is any mailbox. An empty directory is no account:
// it may be where one is to be mounted.
func (s *Store) exists() (bool, error) {
	b := s.place(store.Inbox)
	if in, err := b.root.Stat(join(b.rel, "cur")); err == nil && in.IsDir() {
		return true, nil
	} else if err != nil && !missing(err) {
		return false, err
	}
	nodes, _, err := s.nodes()
	if err != nil {
		return false, err
	}
	for _, n := range nodes {
		if n.mail {
			return true, nil
		}
	}
	return false, nil
}

func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// readUmask asks the kernel, once, without changing the mask for an instant.
var readUmask = sync.OnceValue(func() uint32 {
	data, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for line := range strings.Lines(string(data)) {
			if v, ok := strings.CutPrefix(line, "Umask:"); ok {
				if m, err := strconv.ParseUint(strings.TrimSpace(v), 8, 32); err == nil {
					return uint32(m)
				}
			}
		}
	}
	return 0o777 // unknown: every mode is set by hand
})

// Capabilities says what the store can do.
func (s *Store) Capabilities() store.Capabilities {
	return store.Capabilities{
		AssignUIDs: true, KeepGUIDs: true, MailboxGUIDs: true, Attributes: true, Subscriptions: true,
		AtomicMove: true, Link: true, Keywords: maxKeywordLetters, MaxMessageSize: 1 << 40,
		ReadOnly: s.readonly || s.unwritable(),
	}
}

// unwritable reports whether the file system or the permissions of the root keep
// us from writing. Nothing is tried out.
func (s *Store) unwritable() bool {
	w, err := s.root.Writable()
	return err == nil && !w
}

// writing refuses what would change a store that is to be read alone.
func (s *Store) writing() error {
	if s.readonly {
		return fmt.Errorf("%s: %w", s.opts, store.ErrReadOnly)
	}
	return nil
}

// Location names the store in the form that opens it.
func (s *Store) Location() string { return s.location }

// Identity is device and inode of the mail root.
func (s *Store) Identity() string { return s.rootID }

// Cost counts work.
func (s *Store) Cost() store.Cost {
	return store.Cost{
		NamesListed: s.listed.Load(), FilesOpened: s.opened.Load(), BytesRead: s.read.Load(), BytesWrote: s.wrote.Load(),
	}
}

// Close lets go of the directories.
func (s *Store) Close() error {
	defer s.opts.As.Enter()()
	var errs []error
	s.evict()
	errs = append(errs, s.uidlist.drop())
	if s.watcher != nil {
		errs = append(errs, s.watcher.Close())
	}
	if s.root != nil {
		errs = append(errs, s.forgetMoves())
	}
	for _, d := range []fsys.Dir{s.control, s.root} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	if s.inbox != nil && s.inbox != s.root {
		errs = append(errs, s.inbox.Close())
	}
	return errors.Join(errs...)
}

// place is where a mailbox is.
type place struct {
	name      store.Name
	root      fsys.Dir // holds rel
	rel       string   // directory with cur, new, tmp
	ctl       fsys.Dir // holds crel
	crel      string   // directory with uidlist and keywords
	separated bool     // ctl is not the mail directory
}

func (s *Store) place(n store.Name) place {
	p := place{name: n, root: s.root, rel: s.layout.mail(n)}
	if n == store.Inbox && s.inbox != s.root {
		p.root, p.rel = s.inbox, "."
	}
	p.ctl, p.crel = p.root, p.rel
	if s.control != nil {
		p.ctl, p.crel, p.separated = s.control, s.layout.control(n), true
	}
	return p
}

// find checks the name and gives its place.
func (s *Store) find(n store.Name) (place, error) {
	if err := s.layout.check(n); err != nil {
		return place{}, err
	}
	return s.place(n), nil
}

// box is a mailbox with its directories open.
type box struct {
	place
	mail, cur, nu, tmp, ctl fsys.Dir
	perms                   perms
	ctlPerms                perms
	users                   int // of a box kept open, under Store.mu
	evicted                 bool
}

// open opens the directories of a mailbox. tmp and the control directory are
// opened (and made, if they are gone) for writing only.
func (s *Store) open(n store.Name, write bool) (_ *box, err error) {
	if write {
		if err := s.writing(); err != nil {
			return nil, err
		}
	}
	p, err := s.find(n)
	if err != nil {
		return nil, err
	}
	b := &box{place: p}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.mail, err = p.root.OpenDir(p.rel); err != nil {
		return nil, s.noMailbox(n, err)
	}
	if b.cur, err = b.mail.OpenDir("cur"); err != nil {
		return nil, s.noMailbox(n, err)
	}
	if write {
		if b.perms, err = s.permsOf(b.mail); err != nil {
			return nil, err
		}
	}
	if b.nu, err = s.subdir(b, "new", write); err != nil {
		return nil, err
	}
	if write {
		if b.tmp, err = s.subdir(b, "tmp", write); err != nil {
			return nil, err
		}
	}
	return b, s.openControl(b, write)
}

// subdir opens new or tmp; for writing it is made if it is gone, for reading nil
// stands for it.
func (s *Store) subdir(b *box, name string, write bool) (fsys.Dir, error) {
	d, err := b.mail.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		if !write {
			return nil, nil
		}
		if err := s.mkdir(b.mail, name, b.perms); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		d, err = b.mail.OpenDir(name)
	}
	if err != nil {
		return nil, fmt.Errorf("mailbox %q: %w", b.name, err)
	}
	return d, nil
}

func (s *Store) openControl(b *box, write bool) (err error) {
	if !b.separated {
		b.ctl, b.ctlPerms = b.mail, b.perms
		return nil
	}
	b.ctl, err = b.place.ctl.OpenDir(b.crel)
	if errors.Is(err, fs.ErrNotExist) {
		b.ctl = nil
		if !write {
			return nil
		}
		if err = s.mkdirs(b.place.ctl, b.crel); err == nil {
			b.ctl, err = b.place.ctl.OpenDir(b.crel)
		}
	}
	if err == nil && write {
		b.ctlPerms, err = s.permsOf(b.ctl)
	}
	return err
}

func (b *box) close() {
	for _, d := range []fsys.Dir{b.cur, b.nu, b.tmp, b.mail} {
		if d != nil {
			_ = d.Close()
		}
	}
	if b.ctl != nil && b.separated {
		_ = b.ctl.Close()
	}
}

func (s *Store) noMailbox(n store.Name, err error) error {
	if missing(err) {
		return fmt.Errorf("mailbox %q: %w", n, store.ErrNoMailbox)
	}
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EXDEV) {
		return fmt.Errorf("mailbox %q: %w: a symbolic link: %w", n, store.ErrUnsupported, err)
	}
	return fmt.Errorf("mailbox %q: %w", n, err)
}
