package maildir

import (
	"fmt"
	"path"
	"strings"

	"dsync/store/maildir/internal/fsys"
)

// Options say where an account is and how it is laid out.
type Options struct {
	Path          string // the mail root
	FS            bool   // LAYOUT=fs; else Maildir++
	UTF8          bool   // names on disk are UTF-8, not modified UTF-7
	Control       string // directory of uidlists, keywords and subscriptions
	Inbox         string // directory of INBOX, if not the root
	Index         string // Dovecot's indexes; of no account here, kept for Location
	Subscriptions string // name of the subscriptions file
	DirName       string // LAYOUT=fs: directory within a mailbox that holds its mail
	As            *As    // in whose name files are reached; nil: the process's
}

// As is a user in whose name files are reached, where the process is root's.
type As = fsys.As

// ParseLocation reads a location as Dovecot writes it, "maildir:PATH[:KEY=VALUE
// ...]". Variables and "~/" are expanded before. An unknown key is an error that
// names it.
func ParseLocation(s string) (Options, error) {
	var o Options
	rest, ok := strings.CutPrefix(s, "maildir:")
	if !ok {
		return o, fmt.Errorf("location %q: want maildir:PATH", s)
	}
	parts := strings.Split(rest, ":")
	o.Path = parts[0]
	for _, p := range parts[1:] {
		key, val, _ := strings.Cut(p, "=")
		switch key {
		case "LAYOUT":
			switch strings.ToLower(val) {
			case "fs":
				o.FS = true
			case "maildir++":
				o.FS = false
			default:
				return o, fmt.Errorf("location %q: LAYOUT=%s: want fs or maildir++", s, val)
			}
		case "UTF-8":
			o.UTF8 = true
		case "CONTROL":
			o.Control = val
		case "INBOX":
			o.Inbox = val
		case "INDEX":
			o.Index = val
		case "SUBSCRIPTIONS":
			o.Subscriptions = val
		case "DIRNAME":
			o.DirName = val
		default:
			return o, fmt.Errorf("location %q: unknown key %q", s, key)
		}
	}
	return o, o.check()
}

// check reports what cannot work.
func (o Options) check() error {
	if o.Path == "" {
		return fmt.Errorf("location %q: no path", o.String())
	}
	for _, p := range []string{o.Path, o.Control, o.Inbox} {
		if strings.IndexByte(p, 0) >= 0 {
			return fmt.Errorf("location %q: NUL in path", o.String())
		}
	}
	for _, n := range []string{o.Subscriptions, o.DirName} {
		if n != "" && (n == "." || n == ".." || strings.ContainsAny(n, "/\x00")) {
			return fmt.Errorf("location %q: %q is not a file name", o.String(), n)
		}
	}
	if o.DirName != "" && !o.FS {
		return fmt.Errorf("location %q: DIRNAME= needs LAYOUT=fs", o.String())
	}
	return nil
}

// String gives the location in the form that ParseLocation reads.
func (o Options) String() string {
	var b strings.Builder
	b.WriteString("maildir:" + o.Path)
	if o.FS {
		b.WriteString(":LAYOUT=fs")
	}
	if o.UTF8 {
		b.WriteString(":UTF-8")
	}
	for _, kv := range [][2]string{
		{"CONTROL", o.Control}, {"INBOX", o.Inbox}, {"INDEX", o.Index},
		{"SUBSCRIPTIONS", o.Subscriptions}, {"DIRNAME", o.DirName},
	} {
		if kv[1] != "" {
			b.WriteString(":" + kv[0] + "=" + kv[1])
		}
	}
	return b.String()
}

// subscriptions is the name of the subscriptions file.
func (o Options) subscriptions() string {
	if o.Subscriptions != "" {
		return o.Subscriptions
	}
	return "subscriptions"
}

// samePlace reports whether two paths are spelt alike but for slashes.
func samePlace(a, b string) bool { return path.Clean(a) == path.Clean(b) }
