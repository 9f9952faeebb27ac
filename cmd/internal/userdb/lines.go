package userdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"dsync/cmd/internal/choose"
	"dsync/cmd/internal/location"
	"dsync/store"
)

// lines is a file of lines "name:field:…", kept as it was read; entries are taken
// apart when they are asked for.
type lines struct {
	file  string
	text  string
	names []string       // in the order of the file; of lists, each once
	at    map[string]row // by name
}

type row struct{ from, to, line int }

// readLines reads a file. skip tells which lines say nothing. Lines that are no
// entry at all are given to warn, and left out.
func readLines(file string, skip func(line string) bool, warn func(string)) (*lines, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("user database: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("user database: read %s: %w", file, err)
	}
	if len(text) > MaxFile {
		return nil, fmt.Errorf("user database: %s has more than %d bytes", file, MaxFile)
	}
	l := &lines{file: file, text: string(text), at: map[string]row{}}
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		return nil, fmt.Errorf("user database: %s begins with a byte order mark; save it without", file)
	}
	n := 0
	for from := 0; from < len(text); {
		n++
		to := len(text)
		if i := bytes.IndexByte(text[from:], '\n'); i >= 0 {
			to = from + i
		}
		if err := l.add(row{from, to, n}, skip); err != nil {
			if len(l.names) > MaxUsers {
				return nil, err
			}
			warn(err.Error())
		}
		from = to + 1
	}
	return l, nil
}

func (l *lines) add(r row, skip func(string) bool) error {
	line := l.entry(r)
	if line == "" || skip(line) {
		return nil
	}
	if len(line) > MaxLine {
		return fmt.Errorf("%s: a line of %d bytes, at most %d are read; left out", l.where(r), len(line), MaxLine)
	}
	name, _, _ := strings.Cut(line, ":")
	if err := location.CheckUser(name); err != nil {
		return fmt.Errorf("%s: %w; left out", l.where(r), err)
	}
	if old, ok := l.at[name]; ok {
		return fmt.Errorf("%s: user %s stands in line %d already; left out", l.where(r), name, old.line)
	}
	l.names = append(l.names, name)
	l.at[name] = r
	if len(l.names) > MaxUsers {
		return fmt.Errorf("user database: %s has more than %d users", l.file, MaxUsers)
	}
	return nil
}

func (l *lines) entry(r row) string { return strings.TrimSuffix(l.text[r.from:r.to], "\r") }

func (l *lines) where(r row) string { return l.file + ":" + strconv.Itoa(r.line) }

// lookup gives the fields of an entry as parse reads them.
func (l *lines) lookup(name string, parse func(u *User, fields []string) error) (*User, error) {
	r, ok := l.at[name]
	if !ok {
		return nil, ErrUnknown
	}
	u := &User{Name: name, Extra: map[string]string{}, From: l.file}
	if err := parse(u, strings.Split(l.entry(r), ":")); err != nil {
		if errors.Is(err, ErrUnknown) {
			return nil, err
		}
		return nil, &EntryError{name, l.where(r), err}
	}
	return u, nil
}

// fits gives the names that fit a mask and are kept.
func fits(ctx context.Context, names []string, mask string, keep func(name string) bool) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, n := range names {
			if err := ctx.Err(); err != nil {
				yield("", err)
				return
			}
			if (mask == "" || choose.Match(mask, store.Name(n))) && keep(n) && !yield(n, nil) {
				return
			}
		}
	}
}

// number reads a uid or gid.
func number(what, s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%s %.40q is not a number from 0 to %d", what, s, uint32(1<<32-2))
	}
	return uint32(n), nil
}

// field gives a field of an entry; "" if the entry is shorter.
func field(fields []string, i int) string {
	if i < len(fields) {
		return fields[i]
	}
	return ""
}
