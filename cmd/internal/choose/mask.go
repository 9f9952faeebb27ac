package choose

import (
	"strings"
	"unicode/utf8"

	"dsync/store"
)

// Match reports whether the whole name fits the mask.
func Match(mask string, name store.Name) bool {
	m, n := mask, string(name)
	back, rest := "", "" // after the last "*", and where to try it next
	starred := false
	for n != "" || m != "" {
		switch {
		case strings.HasPrefix(m, "*"):
			m = m[1:]
			starred, back, rest = true, m, n
			continue
		case n != "" && m != "":
			_, size := utf8.DecodeRuneInString(n)
			if m[0] == '?' {
				m, n = m[1:], n[size:]
				continue
			}
			if strings.HasPrefix(m, n[:size]) {
				m, n = m[size:], n[size:]
				continue
			}
		}
		if !starred || rest == "" {
			return false
		}
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
		m, n = back, rest
	}
	return true
}

// Name reads the name of one mailbox as people write it.
func Name(s string, dots bool) (store.Name, error) {
	n := store.Name(fold(s, dots))
	return n, n.Check()
}

// Mask reads a mask as people write it: the masks to try are one or two.
func Mask(s string, dots bool) []string {
	out := []string{fold(s, false)}
	if dots && strings.Contains(s, ".") {
		out = append(out, fold(s, true))
	}
	return out
}

func fold(s string, dots bool) string {
	if dots {
		s = strings.ReplaceAll(s, ".", "/")
	}
	first, rest, more := strings.Cut(s, "/")
	if !strings.EqualFold(first, string(store.Inbox)) {
		return s
	}
	if !more {
		return string(store.Inbox)
	}
	return string(store.Inbox) + "/" + rest
}
