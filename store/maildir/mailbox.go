package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// createOn makes the roots and INBOX.
func createOn(f fsys.FS, o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	for _, dir := range []string{o.Path, o.Inbox, o.Control} {
		if dir == "" {
			continue
		}
		if err := f.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("create %s: %w", o, readOnlyErr(err))
		}
	}
	s, err := openRoots(f, o)
	if err != nil {
		return nil, err
	}
	err = s.CreateMailbox(context.Background(), store.Inbox, store.Status{})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return nil, errors.Join(fmt.Errorf("create %s: %w", o, err), s.Close())
	}
	return s, nil
}

// CreateMailbox makes a mailbox. It is built out of sight and appears complete;
// only in a directory that is there already (INBOX, or a parent in LAYOUT=fs) it
// is filled in place, cur last, for it is cur that makes a mailbox of it.
func (s *Store) CreateMailbox(ctx context.Context, n store.Name, st store.Status) error {
	defer s.opts.As.Enter()()
	if err := s.writing(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p, err := s.find(n)
	if err != nil {
		return err
	}
	if _, err := p.root.Stat(join(p.rel, "cur")); err == nil {
		return fmt.Errorf("mailbox %q: %w", n, store.ErrExists)
	} else if !missing(err) {
		return err
	}
	if err := s.create(p, st); err != nil {
		return fmt.Errorf("create mailbox %q: %w", n, readOnlyErr(err))
	}
	return nil
}

func (s *Store) create(p place, st store.Status) error {
	hdr, err := s.identity(st)
	if err != nil {
		return err
	}
	if p.separated {
		if err := s.writeControl(p, hdr); err != nil {
			return err
		}
		hdr = nil
	}
	parent, name := path.Split(p.rel)
	parent = path.Clean(parent)
	if err := s.mkdirs(p.root, parent); err != nil {
		return err
	}
	if in, err := p.root.Stat(p.rel); err == nil && in.IsDir() {
		d, err := p.root.OpenDir(p.rel)
		if err != nil {
			return err
		}
		defer d.Close()
		return s.fill(d, p, hdr, st.Attributes)
	}
	return s.build(p, parent, name, hdr, st.Attributes)
}

// build makes the mailbox under a temporary name and renames it into place.
func (s *Store) build(p place, parent, name string, hdr *uidHeader, attrs map[string]string) error {
	up, err := p.root.OpenDir(parent)
	if err != nil {
		return err
	}
	defer up.Close()
	pr, err := s.permsOf(up)
	if err != nil {
		return err
	}
	tmp := s.temp()
	if err := s.mkdir(p.root, tmp, pr); err != nil {
		return err
	}
	d, err := p.root.OpenDir(tmp)
	if err != nil {
		return err
	}
	err = s.fill(d, p, hdr, attrs)
	err = errors.Join(err, d.Close())
	if err == nil {
		err = p.root.RenameNew(tmp, up, name)
	}
	if err != nil {
		_ = s.scrap(p.root, tmp)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w: %w", store.ErrExists, err)
		}
		return err
	}
	return errors.Join(up.Sync(), p.root.Sync())
}

// fill puts into a directory what makes it a mailbox.
func (s *Store) fill(d fsys.Dir, p place, hdr *uidHeader, attrs map[string]string) error {
	pr, err := s.permsOf(d)
	if err != nil {
		return err
	}
	if hdr != nil {
		if err := s.replace(d, uidlistName, []byte(hdr.encode()), pr); err != nil {
			return err
		}
	}
	if len(attrs) > 0 {
		if err := s.setAttributes(d, attributesName, attrs, pr); err != nil {
			return err
		}
	}
	if !s.layout.fs && p.name != store.Inbox {
		f, err := d.Create("maildirfolder", pr.fileMode)
		if err == nil {
			err = errors.Join(s.dress(f, pr), f.Close())
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := s.mkdir(d, sub, pr); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return d.Sync()
}

// identity makes the uidlist's first line; nil if there is nothing to write.
func (s *Store) identity(st store.Status) (*uidHeader, error) {
	if st.GUID.IsZero() && st.UIDValidity == 0 && st.UIDNext <= 1 {
		return nil, nil
	}
	h := &uidHeader{valid: st.UIDValidity, next: max(st.UIDNext, 1), guid: st.GUID}
	if h.valid == 0 {
		v, err := s.nextUIDValidity()
		h.valid = v
		return h, err
	}
	return h, s.raiseUIDValidity(h.valid)
}

// writeControl writes a new mailbox's uidlist under CONTROL=, where one of an
// earlier mailbox of this name may lie; so may keywords, which go.
func (s *Store) writeControl(p place, hdr *uidHeader) error {
	if err := s.mkdirs(p.ctl, p.crel); err != nil {
		return err
	}
	d, err := p.ctl.OpenDir(p.crel)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, f := range []string{uidlistName, keywordsName} {
		if err := d.Unlink(f); err != nil && !missing(err) {
			return err
		}
	}
	if hdr == nil {
		return d.Sync()
	}
	pr, err := s.permsOf(d)
	if err != nil {
		return err
	}
	return s.replace(d, uidlistName, []byte(hdr.encode()), pr)
}

// scrap removes a directory of ours that never was, or no longer is, a mailbox.
// It removes files of known names only and fails on anything else; cur and new
// must be empty.
func (s *Store) scrap(root fsys.Dir, name string) error {
	d, err := root.OpenDir(name)
	if err != nil {
		if missing(err) {
			return nil
		}
		return err
	}
	err = s.scrapIn(d)
	if err = errors.Join(err, d.Close()); err != nil {
		return err
	}
	return root.Rmdir(name)
}

func (s *Store) scrapIn(d fsys.Dir) error {
	names, err := entries(d)
	if err != nil {
		return err
	}
	// The directories that may hold mail first: if they do, all stays.
	for _, sub := range []string{"new", "cur"} {
		if err := d.Rmdir(sub); err != nil && !missing(err) {
			return err
		}
	}
	for _, e := range names {
		switch {
		case e == "cur" || e == "new":
			continue
		case e == "tmp":
			err = s.emptyTmp(d)
		case removable(e):
			err = d.Unlink(e)
		default:
			err = fmt.Errorf("%q: %w", e, store.ErrChanged)
		}
		if err != nil && !missing(err) {
			return err
		}
	}
	return nil
}

func (s *Store) emptyTmp(d fsys.Dir) error {
	tmp, err := d.OpenDir("tmp")
	if err != nil {
		return err
	}
	names, err := entries(tmp)
	for _, e := range names {
		if uerr := tmp.Unlink(e); uerr != nil && !missing(uerr) {
			err = errors.Join(err, uerr)
		}
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return d.Rmdir("tmp")
}

// removable reports whether a file in a mailbox holds nothing that could not be
// made anew: Dovecot's, Courier's and ours.
func removable(name string) bool {
	return strings.HasPrefix(name, "dovecot.") || strings.HasPrefix(name, "dovecot-") ||
		name == "maildirfolder" || name == maildirsizeName || ours(name)
}

func entries(d fsys.Dir) ([]string, error) {
	var out []string
	err := d.List(func(name []byte, _ fsys.Kind, _ uint64) error {
		out = append(out, string(name))
		return nil
	})
	return out, err
}

// Find looks for keys in every mailbox.
func (s *Store) Find(ctx context.Context, keys []string) (map[string]store.Found, error) {
	defer s.opts.As.Enter()()
	want := make(map[uint64]string, len(keys))
	for _, k := range keys {
		want[xxhash.Sum64String(k)] = k
	}
	out := map[string]store.Found{}
	nodes, _, err := s.nodes()
	if err != nil {
		return nil, err
	}
	infos, err := s.mailboxes(nodes)
	if err != nil {
		return nil, err
	}
	for _, in := range infos {
		if in.NoSelect {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.findIn(in.Name, want, out); err != nil && !errors.Is(err, store.ErrNoMailbox) {
			return nil, err
		}
	}
	return out, nil
}

func (s *Store) findIn(n store.Name, want map[uint64]string, out map[string]store.Found) error {
	b, err := s.open(n, false)
	if err != nil {
		return err
	}
	defer b.close()
	l, err := s.list(b)
	if err != nil {
		return err
	}
	var uids *uidList
	for i, h := range l.hashes {
		k, ok := want[h]
		if !ok || string(l.base(i)) != k {
			continue
		}
		if uids == nil {
			if uids, err = s.readUIDList(b.ctl); err != nil {
				return err
			}
		}
		f := store.Found{Mailbox: n, Handle: l.handle(i)}
		if r := uids.find(h, k); r >= 0 {
			f.UID = uids.recs[r].uid
		}
		out[k] = f
	}
	return nil
}

// Cleanup completes renames that a dead run left half done, and removes what it
// staged or was about to put into place.
func (s *Store) Cleanup(ctx context.Context, in []store.Name) error {
	defer s.opts.As.Enter()()
	if err := s.writing(); err != nil {
		return err
	}
	errs := []error{s.recoverMoves()}
	for _, root := range s.roots() {
		errs = append(errs, s.cleanDir(root, true))
	}
	for _, n := range in {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := s.open(n, true)
		if err != nil {
			if errors.Is(err, store.ErrNoMailbox) {
				err = s.cleanParent(n)
			}
			errs = append(errs, err)
			continue
		}
		errs = append(errs, s.cleanDir(b.tmp, false), s.cleanDir(b.mail, false))
		if b.separated {
			errs = append(errs, s.cleanDir(b.ctl, false))
		}
		b.close()
	}
	return errors.Join(errs...)
}

// cleanParent cleans a directory that is no mailbox (yet): a run may have died while
// it filled it.
func (s *Store) cleanParent(n store.Name) error {
	p, err := s.find(n)
	if err != nil {
		return nil
	}
	d, err := p.root.OpenDir(p.rel)
	if err != nil {
		return nil
	}
	defer d.Close()
	return s.cleanDir(d, false)
}

// roots lists the directories that the account consists of, each once.
func (s *Store) roots() []fsys.Dir {
	out := []fsys.Dir{s.root}
	if s.inbox != s.root {
		out = append(out, s.inbox)
	}
	if s.control != nil {
		out = append(out, s.control)
	}
	return out
}

// cleanDir removes the temporary files of dead runs, and directories if asked,
// and a dotlock of theirs.
func (s *Store) cleanDir(d fsys.Dir, dirs bool) error {
	names, err := entries(d)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range names {
		if e == uidlistName+".lock" || e == s.layout.subs+".lock" {
			if in, err := d.Stat(e); err == nil && s.deadLock(d, e, in) {
				_, err := s.breakLock(d, e)
				errs = append(errs, err)
			}
			continue
		}
		if !s.deadTemp(e) {
			continue
		}
		in, err := d.Stat(e)
		if err == nil && in.IsDir() && dirs {
			err = s.scrap(d, e)
		} else if err == nil && !in.IsDir() {
			err = d.Unlink(e)
		}
		if err != nil && !missing(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
