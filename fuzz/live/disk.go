package live

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dsync/fuzz/pure"
	"dsync/store"
	"dsync/store/maildir"
)

// diskAccount is a Maildir that clients change by plain file operations, as mutt,
// a delivery agent or an administrator does.
type diskAccount struct {
	o     maildir.Options
	n     int
	used  map[string]bool // base names ever given
	saved string
	numb  map[string]map[int]bool // UIDVALIDITYs that a client gave, by directory
	boxes int                     // mailboxes that Number gave an identity
	// lastValidity is the highest UIDVALIDITY that Number has seen or given.
	lastValidity int
}

func newDiskAccount(path string, layoutFS bool) (*diskAccount, error) {
	o := maildir.Options{Path: path, FS: layoutFS}
	s, err := maildir.Create(o)
	if err != nil {
		return nil, err
	}
	return &diskAccount{o: o, used: map[string]bool{}, numb: map[string]map[int]bool{}}, s.Close()
}

func (a *diskAccount) open() (store.Store, error) { return maildir.Open(a.o) }
func (a *diskAccount) close() error               { return os.RemoveAll(a.o.Path) }

// dir is the directory of a mailbox.
func (a *diskAccount) dir(n store.Name) string {
	switch {
	case n == store.Inbox:
		return a.o.Path
	case a.o.FS:
		return filepath.Join(a.o.Path, string(n))
	}
	return filepath.Join(a.o.Path, "."+strings.ReplaceAll(string(n), "/", "."))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (a *diskAccount) has(n store.Name) bool { return exists(filepath.Join(a.dir(n), "cur")) }

// traces lists every file and directory with its times, but for dsync's own lock
// and mark, and what Dovecot indexes.
func (a *diskAccount) traces() (string, error) {
	var b strings.Builder
	err := filepath.WalkDir(a.o.Path, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if name == "dsync.lock" || strings.HasPrefix(name, "dovecot.") || strings.HasPrefix(name, "dovecot-uidvalidity") {
			return nil
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(a.o.Path, path)
		when := fmt.Sprint(i.ModTime().UnixNano())
		if d.IsDir() && name != "cur" && name != "new" {
			when = "" // locks come and go there
		}
		fmt.Fprintf(&b, "%s %s %d\n", rel, when, i.Sys().(*syscall.Stat_t).Ino)
		return nil
	})
	return b.String(), err
}

func (a *diskAccount) save() error {
	a.saved = a.o.Path + ".saved"
	if err := os.RemoveAll(a.saved); err != nil {
		return err
	}
	return copyTree(a.o.Path, a.saved)
}

// copyTree copies as "cp -a" does: times stay, inodes do not.
func copyTree(from, to string) error {
	out, err := exec.Command("cp", "-a", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return nil
}

// restore puts the copy into the place of what is there; the root stays the same
// directory.
func (a *diskAccount) restore() error {
	if a.saved == "" {
		return nil
	}
	return a.replace(a.saved)
}

func (a *diskAccount) replace(from string) error {
	es, err := os.ReadDir(a.o.Path)
	if err != nil {
		return err
	}
	for _, e := range es {
		if err := os.RemoveAll(filepath.Join(a.o.Path, e.Name())); err != nil {
			return err
		}
	}
	out, err := exec.Command("cp", "-a", from+"/.", a.o.Path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return nil
}

func (a *diskAccount) become(o account) error { return a.replace(o.(*diskAccount).o.Path) }

// file is one message file.
type file struct {
	path, base, info string
	token            string
}

func (a *diskAccount) files(n store.Name) (out []file, err error) {
	for _, sub := range []string{"cur", "new"} {
		es, err := os.ReadDir(filepath.Join(a.dir(n), sub))
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			f := file{path: filepath.Join(a.dir(n), sub, e.Name())}
			f.base, f.info, _ = strings.Cut(e.Name(), ":2,")
			b, err := os.ReadFile(f.path)
			if err != nil {
				return nil, err
			}
			if f.token = tokenOf(b); f.token == "" {
				return nil, fmt.Errorf("%s is damaged: %q", f.path, b)
			}
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(x, y file) int { return strings.Compare(x.token+x.base, y.token+y.base) })
	return out, nil
}

// fresh is a base name that the account never had: want if it is free.
func (a *diskAccount) fresh(want string) string {
	for want == "" || a.used[want] || a.inUse(want) {
		a.n++
		want = fmt.Sprintf("16%08d.M%dP1.host", a.n, a.n)
	}
	a.used[want] = true
	return want
}

func (a *diskAccount) inUse(base string) bool {
	found := false
	filepath.WalkDir(a.o.Path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, _, _ := strings.Cut(d.Name(), ":2,")
			found = found || b == base
		}
		return nil
	})
	return found
}

func (a *diskAccount) deliver(n store.Name, token string, when time.Time, seen bool) error {
	base := a.fresh(guidOf(token))
	tmp := filepath.Join(a.dir(n), "tmp", base)
	if err := os.WriteFile(tmp, bodyOf(token), 0o600); err != nil {
		return err
	}
	if err := os.Chtimes(tmp, when, when); err != nil {
		return err
	}
	if seen {
		return os.Rename(tmp, filepath.Join(a.dir(n), "cur", base+":2,"))
	}
	return os.Rename(tmp, filepath.Join(a.dir(n), "new", base))
}

func (a *diskAccount) do(o pure.Op) ([]string, error) {
	switch o.Verb {
	case pure.CreateBox:
		return nil, a.create(o.Path)
	case pure.RenameBox:
		return nil, a.rename(o.Path, o.Path2)
	case pure.Subscribe, pure.Unsubscribe:
		return nil, a.subscribe(o.Path, o.Verb == pure.Subscribe)
	}
	if !a.has(o.Path) {
		return nil, nil
	}
	list := filepath.Join(a.dir(o.Path), "dovecot-uidlist")
	switch o.Verb {
	case pure.Append:
		return []string{o.Arg}, a.deliver(o.Path, o.Arg, receivedAt(o), len(o.Arg)%2 == 0)
	case pure.DeleteBox:
		return a.remove(o.Path)
	case pure.ResetUIDs:
		return nil, a.resetUIDs(list, o.Arg == "down")
	case pure.RaiseNext:
		return nil, a.uidlist(list, func(h []string, ls []string) ([]string, []string) {
			return header(h, 'N', func(n int) int { return n + 1 }), ls
		})
	case NoUIDList:
		return nil, ignore(os.Remove(list))
	case CutUIDList:
		b, err := os.ReadFile(list)
		if err != nil {
			return nil, ignore(err)
		}
		head := bytes.IndexByte(b, '\n') + 1
		return nil, os.WriteFile(list, b[:head+(len(b)-head)/2], 0o600)
	case NoIndex:
		m, _ := filepath.Glob(filepath.Join(a.dir(o.Path), "dovecot.index*"))
		for _, p := range m {
			os.Remove(p)
		}
		return nil, nil
	case pure.Copy, pure.Move, pure.Expunge, pure.Flag, pure.Unflag, pure.Keyword, pure.Unkeyword:
		return a.message(o)
	}
	return nil, nil
}

func ignore(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (a *diskAccount) create(n store.Name) error {
	if n == store.Inbox || a.has(n) {
		return nil
	}
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(a.dir(n), sub), 0o700); err != nil {
			return err
		}
	}
	if a.o.FS {
		return nil
	}
	return os.WriteFile(filepath.Join(a.dir(n), "maildirfolder"), nil, 0o600)
}

// rename moves a mailbox with its children, unless something is in the way.
func (a *diskAccount) rename(from, to store.Name) error {
	if from == store.Inbox || to == store.Inbox || from == to || to.IsUnder(from) || from.IsUnder(to) {
		return nil
	}
	if a.o.FS {
		if !exists(a.dir(from)) || exists(a.dir(to)) {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(a.dir(to)), 0o700); err != nil {
			return err
		}
		return os.Rename(a.dir(from), a.dir(to))
	}
	taken, _ := filepath.Glob(a.dir(to) + ".*")
	if exists(a.dir(to)) || len(taken) > 0 {
		return nil
	}
	children, _ := filepath.Glob(a.dir(from) + ".*")
	if exists(a.dir(from)) {
		children = append(children, a.dir(from))
	}
	for _, c := range children {
		if err := os.Rename(c, a.dir(to)+strings.TrimPrefix(c, a.dir(from))); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes a mailbox with its mail; children stay.
func (a *diskAccount) remove(n store.Name) ([]string, error) {
	if n == store.Inbox {
		return nil, nil
	}
	fs, err := a.files(n)
	if err != nil {
		return nil, err
	}
	var tokens []string
	for _, f := range fs {
		tokens = append(tokens, f.token)
	}
	if !a.o.FS {
		return tokens, os.RemoveAll(a.dir(n))
	}
	es, err := os.ReadDir(a.dir(n))
	if err != nil {
		return nil, err
	}
	for _, e := range es {
		if !e.IsDir() || slices.Contains([]string{"cur", "new", "tmp"}, e.Name()) {
			if err := os.RemoveAll(filepath.Join(a.dir(n), e.Name())); err != nil {
				return nil, err
			}
		}
	}
	os.Remove(a.dir(n)) // fails where children are
	return tokens, nil
}

func (a *diskAccount) subscribe(n store.Name, on bool) error {
	path := filepath.Join(a.o.Path, "subscriptions")
	data, err := os.ReadFile(path)
	if ignore(err) != nil {
		return err
	}
	if len(data) == 0 {
		data = []byte("V\t2\n\n")
	}
	sep := "\t"
	head, rest, v2 := bytes.Cut(data, []byte("\n\n"))
	if !v2 {
		rest, sep = data, "."
	}
	line := strings.ReplaceAll(string(n), "/", sep)
	var lines []string
	for _, l := range strings.Split(strings.TrimSuffix(string(rest), "\n"), "\n") {
		if l != "" && l != line {
			lines = append(lines, l)
		}
	}
	if on {
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\n") + "\n"
	if v2 {
		text = string(head) + "\n\n" + strings.TrimPrefix(text, "\n")
	}
	return replaceFile(path, text)
}

func replaceFile(path, text string) error {
	if err := os.WriteFile(path+".tmp~", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp~", path)
}

// uidlist rewrites a dovecot-uidlist, if there is one that can be read.
func (a *diskAccount) uidlist(path string, f func(head, lines []string) ([]string, []string)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return ignore(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if !strings.HasPrefix(lines[0], "3 ") {
		return nil
	}
	head, rest := f(strings.Fields(lines[0]), lines[1:])
	return replaceFile(path, strings.Join(append([]string{strings.Join(head, " ")}, rest...), "\n")+"\n")
}

// header changes one number of a uidlist's first line.
func header(h []string, field byte, f func(int) int) []string {
	h = slices.Clone(h)
	for i, x := range h {
		if x[0] == field {
			if n, err := strconv.Atoi(x[1:]); err == nil {
				h[i] = fmt.Sprintf("%c%d", field, f(n))
			}
		}
	}
	return h
}

// resetUIDs gives another UIDVALIDITY, that the directory never had, and UIDs from
// 1 on.
func (a *diskAccount) resetUIDs(path string, down bool) error {
	return a.uidlist(path, func(h, ls []string) ([]string, []string) {
		was, ok := 0, false
		header(h, 'V', func(n int) int { was = n; return n })
		to := was + 7
		if down {
			to = was - 7
		}
		u := a.numb[path]
		if u == nil {
			u = map[int]bool{}
			a.numb[path] = u
		}
		u[was] = true
		if ok = !u[to] && to > 0; !ok {
			return h, ls
		}
		u[to] = true
		var out []string
		for _, l := range ls {
			if _, rest, cut := strings.Cut(l, " "); cut {
				out = append(out, fmt.Sprintf("%d %s", len(out)+1, rest))
			}
		}
		h = header(h, 'V', func(int) int { return to })
		return header(h, 'N', func(int) int { return len(out) + 1 }), out
	})
}
