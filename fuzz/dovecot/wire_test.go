package dovecot

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func parse(text string) (response, error) {
	return (&wireReader{r: bufio.NewReader(strings.NewReader(text))}).next()
}

func TestResponses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"* 1 FETCH (UID 3 FLAGS (\\Seen work))\r\n", `[* 1 FETCH [UID 3 FLAGS [\Seen work]]]`},
		{"* LIST (\\HasNoChildren) \"/\" \"a \\\"b\\\\\"\r\n", `[* LIST [\HasNoChildren] / a "b\]`},
		{"* LIST () \"/\" {3}\r\na\"b\r\n", `[* LIST [] / a"b]`},
		{"* 2 FETCH (BODY[HEADER.FIELDS (TO)] {4}\r\n\r\n)( UID 1)\r\n", "[* 2 FETCH [BODY[HEADER.FIELDS (TO)] \r\n)( UID 1]]"},
		{"* OK [X \"open] text (\r\n", "[]"},
		{"+ go (\r\n", "[]"},
		{"* SEARCH\n", "[* SEARCH]"},
	} {
		r, err := parse(c.in)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
		}
		if got := show(r.values); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func show(values []value) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.text
		if v.isList {
			words[i] = show(v.list)
		}
	}
	return "[" + strings.Join(words, " ") + "]"
}

func TestBadResponses(t *testing.T) {
	for _, in := range []string{
		"", "* 1 FETCH (UID", "* 1 FETCH (UID 3\r\n", "* LIST \"x\r\n", "* X {9}\r\nabc", "* X {-1}\r\n",
		"* X {99999999999}\r\n", "* X {z}\r\n", "* " + strings.Repeat("(", 100) + "\r\n",
	} {
		if r, err := parse(in); err == nil {
			t.Errorf("%q: no error, got %s", in, show(r.values))
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ name, wire string }{
		{"INBOX", "INBOX"}, {"a & b", "a &- b"}, {"Entwürfe", "Entw&APw-rfe"},
		{"台北/日本語", "&U,BTFw-/&ZeVnLIqe-"}, {"😀", "&2D3eAA-"}, {"é&", "&AOk-&-"}, {"tab\t", "tab&AAk-"},
	} {
		if got := EncodeName(c.name); got != c.wire {
			t.Errorf("encode %q: %q, want %q", c.name, got, c.wire)
		}
		if got, err := DecodeName(c.wire); err != nil || got != c.name {
			t.Errorf("decode %q: %q, %v, want %q", c.wire, got, err, c.name)
		}
	}
	for _, bad := range []string{"&", "&AOk", "&A-", "&!!-", "&2D0-"} {
		if got, err := DecodeName(bad); err == nil {
			t.Errorf("decode %q: no error, got %q", bad, got)
		}
	}
}

func FuzzResponse(f *testing.F) {
	f.Add("* 1 FETCH (UID 3 FLAGS (\\Seen) BODY[] {3}\r\nabc)\r\n")
	f.Add("* LIST (\\Noselect) \"/\" \"a\\\"\"\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		r, err := parse(in)
		if err == nil && len(fmt.Sprint(r.values)) > 1000+20*len(in) {
			t.Errorf("%q: answer much longer than the input", in)
		}
	})
}

func FuzzName(f *testing.F) {
	f.Add("a & b/Entwürfe")
	f.Fuzz(func(t *testing.T, name string) {
		if !utf8.ValidString(name) || strings.ContainsRune(name, utf8.RuneError) {
			return
		}
		if got, err := DecodeName(EncodeName(name)); err != nil || got != name {
			t.Errorf("%q came back as %q, %v", name, got, err)
		}
	})
}
