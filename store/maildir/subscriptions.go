package maildir

import (
	"bytes"
	"slices"
	"strings"

	"dsync/store"
)

// subscriptions comes in two forms: the old one has one name a line, levels
// joined by the layout's separator; the new one begins "V\t2\n\n" and separates
// levels by tabs. Names are as on disk (modified UTF-7, or UTF-8 with that key).
// The form found is kept; a new file takes the new form, as Dovecot's does.

const (
	subsHeader       = "V\t2\n\n"
	maxSubscriptions = 16 << 20
)

type subscriptions struct {
	v2    bool
	lines []string // as on disk, order kept
}

func parseSubscriptions(data []byte) *subscriptions {
	s := new(subscriptions)
	if bytes.HasPrefix(data, []byte("V\t")) {
		// A later version than 2 would still be lines after an empty line.
		s.v2 = true
		if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
			data = data[i+2:]
		} else {
			data = nil
		}
	}
	for line := range bytes.SplitSeq(data, []byte{'\n'}) {
		if len(line) > 0 {
			s.lines = append(s.lines, string(line))
		}
	}
	return s
}

func (s *subscriptions) encode() []byte {
	var b bytes.Buffer
	if s.v2 {
		b.WriteString(subsHeader)
	}
	for _, l := range s.lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// names decodes the lines; what is no name is skipped and stays in the file.
func (s *subscriptions) names(l *layout) (out []store.Name, skipped []store.Skip) {
	for _, line := range s.lines {
		n, err := l.subscribed(line, s.v2)
		if err != nil {
			skipped = append(skipped, store.Skip{Item: "subscriptions: " + line, Err: err})
			continue
		}
		out = append(out, n)
	}
	slices.SortFunc(out, store.CompareNames)
	return slices.Compact(out), skipped
}

// set subscribes or unsubscribes and reports whether the file changed.
func (s *subscriptions) set(l *layout, n store.Name, on bool) bool {
	have := false
	kept := s.lines[:0:0]
	for _, line := range s.lines {
		m, err := l.subscribed(line, s.v2)
		if err == nil && m == n {
			have = true
			if !on {
				continue
			}
		}
		kept = append(kept, line)
	}
	if have == on {
		return false
	}
	if on {
		kept = append(kept, l.subscription(n, s.v2))
	}
	s.lines = kept
	return true
}

// subscription writes a name as the file's form wants it.
func (l *layout) subscription(n store.Name, v2 bool) string {
	levels := n.Levels()
	for i := range levels {
		levels[i] = l.encode(levels[i])
	}
	if v2 {
		return strings.Join(levels, "\t")
	}
	return strings.Join(levels, l.sep)
}

// subscribed reads a line.
func (l *layout) subscribed(line string, v2 bool) (store.Name, error) {
	sep := l.sep
	if v2 {
		sep = "\t"
	}
	return l.nameOf(strings.Split(line, sep))
}
