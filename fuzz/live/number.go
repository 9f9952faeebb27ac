package live

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Number gives UIDs to what has none in a Maildir, and an identity to new mailboxes,
// as an IMAP server's look does. Other accounts' clients do it themselves. seed makes
// the GUIDs of mailboxes; a UIDVALIDITY given is above all that the account has had,
// as Dovecot's are.
func (a *Account) Number(seed string) error {
	d, ok := a.a.(*diskAccount)
	if !ok {
		return nil
	}
	if err := d.meetValidities(); err != nil {
		return err
	}
	return filepath.WalkDir(d.o.Path, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || e.Name() != "cur" {
			return err
		}
		if err := d.number(filepath.Dir(path), seed); err != nil {
			return err
		}
		return fs.SkipDir
	})
}

// meetValidities takes note of the UIDVALIDITYs that are there.
func (a *diskAccount) meetValidities() error {
	return filepath.WalkDir(a.o.Path, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "dovecot-uidlist" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(data), "\n")
		header(strings.Fields(first), 'V', func(n int) int {
			a.lastValidity = max(a.lastValidity, n)
			return n
		})
		return nil
	})
}

// firstValidity is where the UIDVALIDITYs of Number begin.
const firstValidity = 1_760_000_000

func (a *diskAccount) number(dir, seed string) error {
	list := filepath.Join(dir, "dovecot-uidlist")
	data, err := os.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) {
		a.boxes++
		guid := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", seed, filepath.Base(a.o.Path), a.boxes))
		a.lastValidity = max(a.lastValidity, firstValidity) + 1
		data = fmt.Appendf(nil, "3 V%d N1 G%x\n", a.lastValidity, guid[:16])
	} else if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	known, next := map[string]bool{}, 1 // lines may have been appended without raising the header's N
	for _, l := range lines[1:] {
		head, base, _ := strings.Cut(l, ":")
		known[base] = true
		uid, _, _ := strings.Cut(head, " ")
		n, err := strconv.Atoi(uid)
		if err != nil {
			return fmt.Errorf("%s: line %.60q has no UID", list, l)
		}
		next = max(next, n+1)
	}
	var fresh []string
	for _, sub := range []string{"cur", "new"} {
		es, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			return err
		}
		for _, e := range es {
			if base, _, _ := strings.Cut(e.Name(), ":2,"); !known[base] {
				fresh = append(fresh, base)
			}
		}
	}
	if len(fresh) == 0 && err == nil {
		return nil
	}
	slices.Sort(fresh)
	head := header(strings.Fields(lines[0]), 'N', func(n int) int {
		n = max(n, next)
		for _, base := range fresh {
			lines = append(lines, strconv.Itoa(n)+" :"+base)
			n++
		}
		return n
	})
	lines[0] = strings.Join(head, " ")
	return replaceFile(list, strings.Join(lines, "\n")+"\n")
}
