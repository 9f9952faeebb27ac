package location

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// MaxLength bounds a location, before and after expansion.
const MaxLength = 16 << 10

// Location is one account in Maildirs, every path absolute.
type Location struct {
	Path          string
	FS            bool // LAYOUT=fs; else Maildir++
	UTF8          bool // names on disk are UTF-8, not modified UTF-7
	Control       string
	Inbox         string
	Index         string
	Subscriptions string
	DirName       string
}

// Missing is an error for what the manual knows and this program does not have yet.
type Missing struct{ What string }

func (m *Missing) Error() string { return m.What + " not built into dsync yet" }

// keys are those of cli.md, in the order in which String writes them.
const keys = "LAYOUT, UTF-8, CONTROL, INBOX, INDEX, SUBSCRIPTIONS, DIRNAME"

// Parse reads "maildir:PATH[:KEY=VALUE…]". With v it expands variables; without,
// text stands for itself. Relative paths count from the working directory.
func Parse(s string, v *Vars) (Location, error) {
	if len(s) > MaxLength {
		return Location{}, fmt.Errorf("location of %d bytes: at most %d", len(s), MaxLength)
	}
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !knownScheme(scheme) {
		return Location{}, fmt.Errorf("location %q: want maildir:PATH", s)
	}
	if err := unbuiltScheme(scheme); err != nil {
		return Location{}, fmt.Errorf("location %q: %w", s, err)
	}
	var l Location
	parts := split(rest)
	if err := l.path(&l.Path, parts[0], v); err != nil {
		return Location{}, fmt.Errorf("location %q: %w", s, err)
	}
	seen := map[string]bool{}
	for _, p := range parts[1:] {
		if err := l.key(p, seen, v); err != nil {
			return Location{}, fmt.Errorf("location %q: %w", s, err)
		}
	}
	if l.DirName != "" && !l.FS {
		return Location{}, fmt.Errorf("location %q: DIRNAME= needs LAYOUT=fs", s)
	}
	return l, nil
}

// split cuts at single colons; "::" is one colon of the text, and a colon at the
// end is ignored, as in Dovecot.
func split(s string) []string {
	args := strings.Split(s, ":")
	out := []string{args[0]}
	for i := 1; i < len(args); i++ {
		switch {
		case args[i] != "":
			out = append(out, args[i])
		case i+1 < len(args):
			i++
			out[len(out)-1] += ":" + args[i]
		}
	}
	return out
}

func (l *Location) key(part string, seen map[string]bool, v *Vars) error {
	key, val, hasValue := strings.Cut(part, "=")
	if seen[key] {
		return fmt.Errorf("%s is given twice", key)
	}
	seen[key] = true
	if key == "UTF-8" {
		if hasValue {
			return errors.New("UTF-8 takes no value")
		}
		l.UTF8 = true
		return nil
	}
	switch key {
	case "CONTROL":
		return l.path(&l.Control, val, v)
	case "INBOX":
		return l.path(&l.Inbox, val, v)
	case "INDEX":
		if val == "MEMORY" {
			l.Index = val
			return nil
		}
		return l.path(&l.Index, val, v)
	case "SUBSCRIPTIONS":
		return fileName(&l.Subscriptions, key, val, v)
	case "DIRNAME":
		return fileName(&l.DirName, key, val, v)
	case "LAYOUT":
		l.FS = strings.EqualFold(val, "fs")
		if !l.FS && !strings.EqualFold(val, "maildir++") {
			return fmt.Errorf("LAYOUT=%s: want fs or maildir++", val)
		}
		return nil
	}
	return fmt.Errorf("unknown key %q; known are %s", key, keys)
}

// path sets a directory, absolute and without slashes at its end. It is not made
// shorter otherwise: "a/.." may be another place than it seems.
func (l *Location) path(to *string, s string, v *Vars) error {
	s, err := expandPath(s, v)
	if err != nil {
		return err
	}
	switch {
	case s == "":
		return errors.New("a path is empty")
	case strings.IndexByte(s, 0) >= 0:
		return errors.New("NUL in a path")
	case len(s) > MaxLength:
		return fmt.Errorf("path of %d bytes: at most %d", len(s), MaxLength)
	}
	if s[0] != '/' {
		dir, err := os.Getwd()
		if err != nil {
			return err
		}
		s = strings.TrimRight(dir, "/") + "/" + s
	}
	if s = strings.TrimRight(s, "/"); s == "" {
		s = "/"
	}
	*to = s
	return nil
}

func fileName(to *string, key, s string, v *Vars) error {
	s, err := Expand(s, v)
	if err != nil {
		return err
	}
	if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/\x00") {
		return fmt.Errorf("%s=%q is not a file name", key, s)
	}
	*to = s
	return nil
}

// String writes the location so that Parse without Vars gives it back.
func (l Location) String() string {
	var b strings.Builder
	b.WriteString("maildir:" + escape(l.Path))
	if l.FS {
		b.WriteString(":LAYOUT=fs")
	}
	if l.UTF8 {
		b.WriteString(":UTF-8")
	}
	for _, kv := range [][2]string{
		{"CONTROL", l.Control}, {"INBOX", l.Inbox}, {"INDEX", l.Index},
		{"SUBSCRIPTIONS", l.Subscriptions}, {"DIRNAME", l.DirName},
	} {
		if kv[1] != "" {
			b.WriteString(":" + kv[0] + "=" + escape(kv[1]))
		}
	}
	return b.String()
}

func escape(s string) string { return strings.ReplaceAll(s, ":", "::") }

// Directory expands and completes the path of a directory.
func Directory(s string, v *Vars) (string, error) {
	var l Location
	err := l.path(&l.Path, s, v)
	return l.Path, err
}
