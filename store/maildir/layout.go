package maildir

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"dsync/store"
)

// layout maps mailbox names to directories and back.
//
// Maildir++: "A/B" is the directory ".A.B" of the root. LAYOUT=fs: it is the
// directory "A/B". A name found on disk counts only if it maps back to the very
// directory it was found in; everything else is a Skip, never a path.
type layout struct {
	fs      bool
	utf8    bool
	sep     string // between levels in directory names and old subscriptions
	dirname string
	inbox   bool // INBOX has a path of its own
	subs    string
}

func newLayout(o Options) *layout {
	l := &layout{fs: o.FS, utf8: o.UTF8, sep: ".", dirname: o.DirName, inbox: o.Inbox != "", subs: o.subscriptions()}
	if l.fs {
		l.sep = "/"
	}
	return l
}

// encode writes one level as it stands on disk.
func (l *layout) encode(level string) string {
	if l.utf8 {
		return level
	}
	return encodeMUTF7(level)
}

func (l *layout) decode(level string) (string, error) {
	if !l.utf8 {
		return decodeMUTF7(level)
	}
	if !utf8.ValidString(level) {
		return "", fmt.Errorf("%w: not UTF-8", store.ErrName)
	}
	return level, nil
}

// nameOf makes a name of levels as found on disk.
func (l *layout) nameOf(levels []string) (store.Name, error) {
	out := make([]string, len(levels))
	for i, d := range levels {
		level, err := l.decode(d)
		if err != nil {
			return "", err
		}
		if strings.IndexByte(level, '/') >= 0 {
			return "", fmt.Errorf("%w: %.80q holds a separator", store.ErrName, level)
		}
		out[i] = level
	}
	n := store.Name(strings.Join(out, "/"))
	return n, l.check(n)
}

// check reports why the layout cannot hold the name.
func (l *layout) check(n store.Name) error {
	if err := n.Check(); err != nil {
		return err
	}
	if n[0] == '~' {
		return fmt.Errorf("mailbox %q: %w: a name cannot begin with ~", n, store.ErrUnsupported)
	}
	length := 0
	for _, level := range n.Levels() {
		enc := l.encode(level)
		length += len(enc) + 1
		switch {
		case !l.fs && strings.IndexByte(enc, '.') >= 0:
			return fmt.Errorf("mailbox %q: %w: on Maildir++ a level cannot hold a dot", n, store.ErrUnsupported)
		case l.fs && l.reserved(enc):
			return fmt.Errorf("mailbox %q: %w: %q is a reserved name", n, store.ErrUnsupported, enc)
		case len(enc) > maxFileName:
			return fmt.Errorf("mailbox %q: %w: a level of %d bytes", n, store.ErrUnsupported, len(enc))
		}
	}
	if !l.fs && length > maxFileName {
		return fmt.Errorf("mailbox %.80q: %w: a directory name of %d bytes", n, store.ErrUnsupported, length)
	}
	return nil
}

// reserved reports whether in LAYOUT=fs a directory of this name is never a
// mailbox.
func (l *layout) reserved(dir string) bool {
	switch dir {
	case "cur", "new", "tmp", "maildirfolder", maildirsizeName, l.subs:
		return true
	}
	return dir == l.dirname && dir != "" || ours(dir) || strings.HasPrefix(dir, "dovecot-") ||
		strings.HasPrefix(dir, "dovecot.")
}

// ours reports whether the name is one of our own files or temporary names.
func ours(name string) bool {
	return strings.HasPrefix(name, "dsync-") || strings.HasPrefix(name, "dsync.") || strings.HasPrefix(name, ".dsync-")
}

// parent is the directory, below the root, in which the levels of a name begin;
// dir that of the mailbox as a node, mail that of its mail.
func (l *layout) dir(n store.Name) string {
	if n == store.Inbox && !(l.fs && l.dirname != "") {
		return "."
	}
	return l.node(n)
}

// node is where the levels of the name lead, for INBOX too.
func (l *layout) node(n store.Name) string {
	levels := n.Levels()
	for i := range levels {
		levels[i] = l.encode(levels[i])
	}
	if l.fs {
		return strings.Join(levels, "/")
	}
	return "." + strings.Join(levels, ".")
}

// mail is the directory with cur, new and tmp, below the root.
func (l *layout) mail(n store.Name) string {
	d := l.dir(n)
	if l.fs && l.dirname != "" {
		return d + "/" + l.dirname
	}
	return d
}

// control is the directory of uidlist and keywords below a CONTROL= root, where
// INBOX has a directory too. DIRNAME= has no part in it, as in Dovecot.
func (l *layout) control(n store.Name) string { return l.node(n) }

// join puts an entry behind a directory.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}
