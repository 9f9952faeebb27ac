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
// the GUIDs of mailboxes; no UIDVALIDITY is given twice.
func (a *Account) Number(seed string) error {
	d, ok := a.a.(*diskAccount)
	if !ok {
		return nil
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

// firstValidity is where the UIDVALIDITYs of Number begin.
const firstValidity = 1_760_000_000

func (a *diskAccount) number(dir, seed string) error {
	list := filepath.Join(dir, "dovecot-uidlist")
	data, err := os.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) {
		a.boxes++
		guid := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", seed, filepath.Base(a.o.Path), a.boxes))
		data = fmt.Appendf(nil, "3 V%d N1 G%x\n", firstValidity+a.boxes, guid[:16])
	} else if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	known := map[string]bool{}
	for _, l := range lines[1:] {
		_, base, _ := strings.Cut(l, ":")
		known[base] = true
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
		for _, base := range fresh {
			lines = append(lines, strconv.Itoa(n)+" :"+base)
			n++
		}
		return n
	})
	lines[0] = strings.Join(head, " ")
	return replaceFile(list, strings.Join(lines, "\n")+"\n")
}
