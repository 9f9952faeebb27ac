package maildir

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"dsync/store"
)

// dovecot-keywords: one "<index> <name>" a line; index 0 to 25 stands for the
// letters a to z in file names.

const (
	maxKeywordLetters = 26
	maxKeywordsFile   = 64 << 10
)

// keywords is the table of one mailbox. The zero value has none.
type keywords struct {
	names [maxKeywordLetters]string
	other []string // lines that are not ours to read: kept
	line  int      // number of the first of them, from 1
}

// parseKeywords reads the file. A line that cannot be read is kept as it is and
// stands for no letter; of two lines for one index or one name the first counts. The
// end of a line may have a CR, which Dovecot passes over too.
func parseKeywords(data []byte) *keywords {
	kw := new(keywords)
	no := 0
	for line := range bytes.SplitSeq(data, []byte{'\n'}) {
		if no++; len(line) == 0 {
			continue
		}
		num, name, _ := strings.Cut(string(bytes.TrimSuffix(line, []byte{'\r'})), " ")
		i, err := strconv.Atoi(num)
		bad := err != nil || i < 0 || i >= maxKeywordLetters || strconv.Itoa(i) != num
		if bad || store.CheckKeyword(name) != nil || kw.names[i] != "" || kw.letter(name) != 0 {
			if kw.other = append(kw.other, string(line)); kw.line == 0 {
				kw.line = no
			}
			continue
		}
		kw.names[i] = name
	}
	return kw
}

func (kw *keywords) encode() []byte {
	var b bytes.Buffer
	for i, name := range kw.names {
		if name != "" {
			fmt.Fprintf(&b, "%d %s\n", i, name)
		}
	}
	for _, line := range kw.other {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// name gives the keyword of a letter, "" if there is none.
func (kw *keywords) name(c byte) string {
	if kw == nil || !isKeywordLetter(c) {
		return ""
	}
	return kw.names[c-'a']
}

// letter gives the letter of a keyword, 0 if there is none.
func (kw *keywords) letter(name string) byte {
	for i, n := range kw.names {
		if n != "" && len(n) == len(name) && strings.EqualFold(n, name) {
			return byte('a' + i)
		}
	}
	return 0
}

// taken reports whether an unreadable line claims the index: such a letter is
// never given to a new keyword.
func (kw *keywords) taken(i int) bool {
	if kw.names[i] != "" {
		return true
	}
	want := strconv.Itoa(i)
	for _, line := range kw.other {
		if num, _, _ := strings.Cut(line, " "); num == want {
			return true
		}
	}
	return false
}

// add gives the keyword a letter; 0 if all are taken or it is no keyword. fresh
// says that the table changed.
func (kw *keywords) add(name string) (c byte, fresh bool) {
	if store.CheckKeyword(name) != nil {
		return 0, false
	}
	if c := kw.letter(name); c != 0 {
		return c, false
	}
	for i := range kw.names {
		if !kw.taken(i) {
			kw.names[i] = name
			return byte('a' + i), true
		}
	}
	return 0, false
}

// noRoom gives the keywords for which no letter is left, if all were to get one.
func (kw *keywords) noRoom(names []string) []string {
	var out []string
	all := *kw
	for _, k := range names {
		if c, _ := all.add(k); c == 0 && store.CheckKeyword(k) == nil {
			out = append(out, k)
		}
	}
	return store.SortKeywords(out)
}

// unread is a Skip for lines that stand for no letter; nil if there are none.
func (kw *keywords) unread(n store.Name) *store.Skip {
	if kw.line == 0 {
		return nil
	}
	more := ""
	if k := len(kw.other) - 1; k > 0 {
		more = fmt.Sprintf(" (nor do %d more)", k)
	}
	return &store.Skip{Mailbox: n, Item: keywordsName, Err: fmt.Errorf("line %d, %.80q, gives no letter a keyword%s: %w, and kept as it is",
		kw.line, kw.other[0], more, store.ErrIgnored)}
}

// of lists the keywords that the letters stand for, sorted by FoldKeyword.
func (kw *keywords) of(letters string) []string {
	var out []string
	for i := 0; i < len(letters); i++ {
		if n := kw.name(letters[i]); n != "" {
			out = append(out, n)
		}
	}
	return store.SortKeywords(out)
}
