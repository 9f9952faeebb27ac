// Package mutate changes a Maildir mailbox on disk as a mail client and a
// delivery would: it toggles \Flagged on some messages, unlinks others and
// delivers new ones into new/. The result is a function of the mailbox's file
// names and the seed, and the same that tools/mutate.py of the shared
// directory gives.
//
// New messages are made by dsync/fuzz/genmail with mean size 4096 and named
//
//	SECONDS.MnnnnnnP2.genSEED,S=SIZE,W=CRLFSIZE     SECONDS = 1795000000 + SEED
//
// Their modification time is the moment of the call. Everything else in a
// name (",U=", ",FMD5=") is kept. Nothing is synced to disk.
package mutate

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"dsync/fuzz/genmail"
)

const (
	firstDate = 1795000000 // seconds in new names, plus the seed
	average   = 4096       // mean size of new messages
)

// Options are the arguments of mutate.py.
type Options struct {
	Maildir string // the mailbox's directory
	Flag    int    // messages whose \Flagged is toggled
	New     int    // messages delivered
	Delete  int    // messages unlinked, others than the flagged ones
	Seed    int64
}

// Mutate makes the changes.
func Mutate(o Options) error {
	cur := filepath.Join(o.Maildir, "cur")
	names, err := messageNames(cur)
	if err != nil {
		return fmt.Errorf("mutate: list mailbox: %w", err)
	}
	if o.Flag < 0 || o.Delete < 0 || o.Flag+o.Delete > len(names) {
		return fmt.Errorf("mutate: %d flags and %d deletions asked of %d messages", o.Flag, o.Delete, len(names))
	}
	r := genmail.NewRandom(o.Seed)
	for i, index := range r.Sample(len(names), o.Flag+o.Delete) {
		path := filepath.Join(cur, names[index])
		if i < o.Flag {
			err = os.Rename(path, filepath.Join(cur, toggleFlagged(names[index])))
		} else {
			err = os.Remove(path)
		}
		if err != nil {
			return fmt.Errorf("mutate: %w", err)
		}
	}
	for i := range o.New {
		if err := deliver(r, i, o); err != nil {
			return fmt.Errorf("mutate: deliver: %w", err)
		}
	}
	return nil
}

// messageNames lists a directory without dot files, in Python's order.
func messageNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, compareAsPython)
	return names, nil
}

// compareAsPython orders file names as Python's sorted(os.listdir()) does: by
// code point, with a byte that is not UTF-8 counting as U+DC00 plus the byte.
func compareAsPython(a, b string) int {
	for a != "" && b != "" {
		x, n := codePoint(a)
		y, m := codePoint(b)
		if x != y {
			return cmp.Compare(x, y)
		}
		a, b = a[n:], b[m:]
	}
	return cmp.Compare(len(a), len(b))
}

func codePoint(s string) (rune, int) {
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		return 0xDC00 + rune(s[0]), 1
	}
	return r, n
}

// toggleFlagged adds or takes F, and leaves the flags sorted and single. A
// name without ":2," gets one.
func toggleFlagged(name string) string {
	base, letters, _ := strings.Cut(name, ":2,")
	flags := []rune(letters)
	if i := slices.Index(flags, 'F'); i < 0 {
		flags = append(flags, 'F')
	} else {
		flags = slices.DeleteFunc(flags, func(r rune) bool { return r == 'F' })
	}
	slices.Sort(flags)
	return base + ":2," + string(slices.Compact(flags))
}

// deliver writes message i to tmp and renames it into new.
func deliver(r *genmail.Random, i int, o Options) error {
	data := genmail.Draw(r, i, fmt.Sprintf("new%d", o.Seed), average).Append(nil)
	name := fmt.Sprintf("%d.M%06dP2.gen%d,%s", firstDate+o.Seed, i, o.Seed, genmail.Sizes(data))
	tmp := filepath.Join(o.Maildir, "tmp", name)
	if err := os.WriteFile(tmp, data, 0o666); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(o.Maildir, "new", name))
}
