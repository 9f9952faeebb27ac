package maildir

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
)

// A message's file name is <base>[:2,<letters>[,...]]. The base is what stands
// before the first ':' (with ",S=" and ",W=", as in Dovecot: it is the GUID of a
// message that has no other), the letters end at a ','. Letters that are no
// flag of ours and no keyword are kept wherever they stand.

// maxBase leaves room in a name of 255 bytes for ":2," and every letter.
const (
	maxFileName = 255
	maxBase     = maxFileName - len(":2,") - 6 - maxKeywordLetters - 20
)

// splitName gives base and letters. rest is what follows the letters (from the
// ',' on): nobody writes that today, and it is kept.
func splitName(name string) (base, letters, rest string) {
	i := strings.IndexByte(name, ':')
	if i < 0 {
		return name, "", ""
	}
	base, info := name[:i], name[i:]
	if !strings.HasPrefix(info, ":2,") {
		return base, "", ""
	}
	letters = info[3:]
	if k := strings.IndexByte(letters, ','); k >= 0 {
		letters, rest = letters[:k], letters[k:]
	}
	return base, letters, rest
}

func isKeywordLetter(c byte) bool { return 'a' <= c && c <= 'z' }

// flagLetter maps letters to flags; 0 for every other.
func flagLetter(c byte) store.Flags {
	switch c {
	case 'D':
		return store.Draft
	case 'F':
		return store.Flagged
	case 'R':
		return store.Answered
	case 'S':
		return store.Seen
	case 'T':
		return store.Deleted
	}
	return 0
}

const flagLetters = "DFRST"

// parseFlags gives the flags that the letters stand for.
func parseFlags(letters string) store.Flags {
	var f store.Flags
	for i := 0; i < len(letters); i++ {
		f |= flagLetter(letters[i])
	}
	return f
}

// foreignLetters are those that neither flags nor keywords decide: unknown
// capitals (P of qmail's "passed") and small letters without a keyword.
func foreignLetters(letters string, kw *keywords) string {
	var out []byte
	for i := 0; i < len(letters); i++ {
		c := letters[i]
		if flagLetter(c) != 0 || isKeywordLetter(c) && kw.name(c) != "" {
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// makeLetters joins flags, keyword letters and foreign ones, sorted, each once.
func makeLetters(f store.Flags, kwLetters, foreign string) string {
	b := make([]byte, 0, 32)
	for i := 0; i < len(flagLetters); i++ {
		if f&flagLetter(flagLetters[i]) != 0 {
			b = append(b, flagLetters[i])
		}
	}
	b = append(b, kwLetters...)
	b = append(b, foreign...)
	slices.Sort(b)
	return string(slices.Compact(b))
}

// hasher gives the hash of a message's visible state.
type hasher struct{ letter [256]uint64 }

// newHasher resolves every letter once: a keyword letter counts as its keyword's
// name, so that a mailbox whose letters were dealt anew shows the same hashes.
func newHasher(kw *keywords) *hasher {
	h := new(hasher)
	for c := range h.letter {
		name := "letter:" + string([]byte{byte(c)})
		if isKeywordLetter(byte(c)) && kw.name(byte(c)) != "" {
			name = "keyword:" + store.FoldKeyword(kw.name(byte(c)))
		}
		h.letter[c] = xxhash.Sum64String(name)
	}
	return h
}

// visible mixes the hash of the base name with the letters. The letters are
// added up, so their order is of no account.
func (h *hasher) visible(base uint64, letters []byte) uint64 {
	var seen [4]uint64
	var sum uint64
	for _, c := range letters {
		if seen[c>>6]&(1<<(c&63)) != 0 {
			continue
		}
		seen[c>>6] |= 1 << (c & 63)
		sum += h.letter[c]
	}
	x := base ^ bits.RotateLeft64(sum*0x9e3779b97f4a7c15, 31)
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

// of is visible for a base name and letters as strings.
func (h *hasher) of(base, letters string) uint64 {
	return h.visible(xxhash.Sum64String(base), []byte(letters))
}

// parseHandle splits "cur/NAME" or "new/NAME". It refuses whatever could name
// another file than one in these two.
func parseHandle(h store.Handle) (sub, name string, ok bool) {
	sub, name, ok = strings.Cut(string(h), "/")
	if !ok || sub != "cur" && sub != "new" || !goodFileName(name) {
		return "", "", false
	}
	return sub, name, true
}

// goodFileName tells message files from what is to be left alone: dot files
// (maildir(5): ignore them) and what can be no file name.
func goodFileName(name string) bool {
	return name != "" && name[0] != '.' && len(name) <= maxFileName && strings.IndexByte(name, '/') < 0 &&
		strings.IndexByte(name, 0) < 0
}

// fitKey reports whether key can be the base name of a message made here.
func fitKey(key string) bool {
	if !goodFileName(key) || len(key) > maxBase {
		return false
	}
	for i := 0; i < len(key); i++ {
		if c := key[i]; c < 0x20 || c == 0x7f || c == ':' {
			return false
		}
	}
	return true
}
