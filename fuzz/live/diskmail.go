package live

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dsync/fuzz/pure"
	"dsync/store"
)

// What a client of Maildirs does to messages.

var infoLetters = map[string]byte{"A": 'R', "T": 'T', "D": 'D', "F": 'F', "S": 'S'}

func (a *diskAccount) message(o pure.Op) ([]string, error) {
	fs, err := a.files(o.Path)
	if err != nil || len(fs) == 0 {
		return nil, err
	}
	f := fs[o.N%len(fs)]
	if o.Msg != "" {
		i := slices.IndexFunc(fs, func(f file) bool { return f.token == o.Msg })
		if i < 0 {
			return nil, nil
		}
		f = fs[i]
	}
	tokens := []string{f.token}
	cur := func(n store.Name, base, info string) string { return filepath.Join(a.dir(n), "cur", base+":2,"+info) }
	switch o.Verb {
	case pure.Copy:
		if !a.has(o.Path2) {
			return nil, nil
		}
		return tokens, os.Link(f.path, cur(o.Path2, a.fresh(""), system(f.info)))
	case pure.Move:
		if !a.has(o.Path2) || o.Path == o.Path2 {
			return nil, nil
		}
		info, err := a.carry(o.Path, o.Path2, f.info)
		if err != nil {
			return nil, err
		}
		return tokens, os.Rename(f.path, cur(o.Path2, f.base, info))
	case pure.Expunge:
		return tokens, os.Remove(f.path)
	}
	letter := infoLetters[o.Arg]
	if o.Verb == pure.Keyword || o.Verb == pure.Unkeyword {
		if letter, err = a.letter(o.Path, o.Arg, o.Verb == pure.Keyword); err != nil || letter == 0 {
			return nil, err
		}
	}
	info := strings.ReplaceAll(f.info, string(letter), "")
	if o.Verb == pure.Flag || o.Verb == pure.Keyword {
		info += string(letter)
	}
	bs := []byte(info)
	slices.Sort(bs)
	return tokens, os.Rename(f.path, cur(o.Path, f.base, string(bs)))
}

// system keeps the letters that mean the same in every mailbox.
func system(info string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return -1
		}
		return r
	}, info)
}

// keywords reads dovecot-keywords.
func (a *diskAccount) keywords(n store.Name) (map[byte]string, error) {
	data, err := os.ReadFile(filepath.Join(a.dir(n), "dovecot-keywords"))
	out := map[byte]string{}
	for _, l := range strings.Split(string(data), "\n") {
		num, name, ok := strings.Cut(l, " ")
		if i, e := strconv.Atoi(num); ok && e == nil && i < 26 {
			out['a'+byte(i)] = name
		}
	}
	return out, ignore(err)
}

// letter is that of a keyword in a mailbox; 0 if it has none and is not to get one.
func (a *diskAccount) letter(n store.Name, name string, add bool) (byte, error) {
	ks, err := a.keywords(n)
	if err != nil {
		return 0, err
	}
	for c, k := range ks {
		if strings.EqualFold(k, name) {
			return c, nil
		}
	}
	if !add {
		return 0, nil
	}
	var b strings.Builder
	for i := byte('a'); i <= 'z'; i++ {
		if ks[i] == "" {
			ks[i] = name
			for j := byte('a'); j <= 'z'; j++ {
				if ks[j] != "" {
					fmt.Fprintf(&b, "%d %s\n", j-'a', ks[j])
				}
			}
			return i, replaceFile(filepath.Join(a.dir(n), "dovecot-keywords"), b.String())
		}
	}
	return 0, nil
}

// carry writes the letters of a file's keywords as another mailbox has them.
func (a *diskAccount) carry(from, to store.Name, info string) (string, error) {
	ks, err := a.keywords(from)
	if err != nil {
		return "", err
	}
	out := []byte(system(info))
	for i := range len(info) {
		if k := ks[info[i]]; k != "" {
			c, err := a.letter(to, k, true)
			if err != nil {
				return "", err
			}
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return string(out), nil
}
