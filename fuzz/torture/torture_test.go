package torture

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dsync/fuzz/dovecot"
	"dsync/store"
)

func TestMailsAreUniqueAndTheSameEachTime(t *testing.T) {
	first, second := Mails(), Mails()
	seen := map[string]bool{}
	for i, m := range first {
		if seen[m.Name] || strings.Trim(m.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("bad or double name %q", m.Name)
		}
		seen[m.Name] = true
		if difference, equal := Equal(second[i].Data, m.Data); !equal || second[i].Name != m.Name {
			t.Errorf("%s: second call: %s", m.Name, difference)
		}
	}
	for i, m := range first {
		for _, o := range first[:i] {
			if bytes.Equal(m.Data, o.Data) {
				t.Errorf("%s and %s hold the same bytes", m.Name, o.Name)
			}
		}
	}
}

// What each of the promised kinds must have, so that no edit takes it away.
func TestMailsAreWhatTheirNamesSay(t *testing.T) {
	byName := map[string][]byte{}
	for _, m := range Mails() {
		byName[m.Name] = m.Data
	}
	for name, holds := range map[string]func([]byte) bool{
		"nul-in-body":        func(b []byte) bool { return bytes.Contains(body(b), []byte{0}) },
		"8-bit-header":       func(b []byte) bool { return bytes.IndexFunc(header(b), func(r rune) bool { return r > 126 }) >= 0 },
		"bare-cr":            func(b []byte) bool { return bytes.Contains(b, []byte("one\rtwo")) },
		"crlf":               func(b []byte) bool { return bytes.Count(b, []byte("\n")) == bytes.Count(b, []byte("\r\n")) },
		"empty":              func(b []byte) bool { return len(b) == 0 },
		"no-header-end":      func(b []byte) bool { return !bytes.Contains(b, []byte("\n\n")) },
		"200-kb-header-line": func(b []byte) bool { return bytes.IndexByte(b, '\n') > 200_000 },
		"from-first-line":    func(b []byte) bool { return bytes.HasPrefix(b, []byte("From ")) },
		"dot-lines":          func(b []byte) bool { return bytes.Contains(b, []byte("\n.\n")) },
		"1-mb-single-line":   func(b []byte) bool { return len(body(b)) == 1<<20 && bytes.IndexByte(body(b), '\n') < 0 },
		"40-level-nesting":   func(b []byte) bool { return bytes.Count(b, []byte("boundary=")) == 40 },
		"5-mb-body":          func(b []byte) bool { return len(body(b)) == 5<<20 },
		"every-byte-in-body": func(b []byte) bool { return len(body(b)) == 256 },
	} {
		if data, ok := byName[name]; !ok || !holds(data) {
			t.Errorf("%s: missing or not what it says (%d bytes)", name, len(data))
		}
	}
}

func header(b []byte) []byte { h, _, _ := bytes.Cut(b, []byte("\n\n")); return h }
func body(b []byte) []byte   { _, r, _ := bytes.Cut(b, []byte("\n\n")); return r }

func TestDates(t *testing.T) {
	dates := Dates()
	if !slices.IsSortedFunc(dates, time.Time.Compare) {
		t.Error("dates are not in order")
	}
	for _, want := range []time.Time{
		time.Unix(0, 0), time.Date(2000, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(2096, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		if !slices.ContainsFunc(dates, want.Equal) {
			t.Errorf("%v is missing", want)
		}
	}
}

// The lists and the product must agree on what a mailbox name is.
func TestNamesAgreeWithStore(t *testing.T) {
	for _, n := range slices.Concat(GoodNames(), DottedNames(), ReservedNames()) {
		if err := store.Name(n).Check(); err != nil {
			t.Errorf("good name refused: %v", err)
		}
	}
	for _, n := range BadNames() {
		if err := store.Name(n).Check(); err == nil {
			t.Errorf("bad name %.80q accepted", n)
		}
	}
	for _, k := range Keywords() {
		if err := store.CheckKeyword(k); err != nil {
			t.Errorf("keyword refused: %v", err)
		}
	}
}

// What Dovecot makes of the good names: most it takes and lists unchanged.
func TestDovecotHoldsGoodNames(t *testing.T) {
	c := dovecot.NewT(t).Store("maildir:" + t.TempDir() + "/mail").SessionT(t)
	var refused, made []string
	for _, n := range GoodNames() {
		if err := c.Create(n); err != nil {
			refused = append(refused, n)
		} else {
			made = append(made, n)
		}
	}
	boxes, err := c.Mailboxes()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range made {
		if !slices.ContainsFunc(boxes, func(b dovecot.Mailbox) bool { return b.Name == n }) {
			t.Errorf("%q was made and is not listed", n)
		}
	}
	if !slices.Equal(refused, []string{"~"}) {
		t.Errorf("Dovecot refused %q; the documentation of GoodNames says otherwise", refused)
	}
}

func TestFileAndDirectoryNamesCanExist(t *testing.T) {
	dir := t.TempDir()
	for _, n := range slices.Concat(FileNames(), BadDirectories()) {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
			t.Errorf("%q: %v", n, err)
		}
	}
}

func TestSplitMbox(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"junk\n", nil},
		{"From a\n", []string{""}},
		{"From a\nX: y\n\nbody\n\nFrom b\nX: z\n\n", []string{"X: y\n\nbody\n", "X: z\n"}},
		{"From a\r\nX: y\r\n\r\nb\r\n\r\nFrom b\r\nq", []string{"X: y\r\n\r\nb\r\n", "q"}},
		{"From a\nX: y\n\nbody\nFrom here\n", []string{"X: y\n\nbody\nFrom here\n"}},
		{"From a\n\n\n\nFrom b\n\n", []string{"\n\n", ""}},
	} {
		var got []string
		for _, m := range SplitMbox([]byte(c.in)) {
			got = append(got, string(m))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestCorpus(t *testing.T) {
	dir, ok := CorporaDir()
	if !ok {
		t.Skip("skipped: no shared corpora (" + SharedEnv + ")")
	}
	count, total := 0, 0
	seen := map[string]bool{}
	for m, err := range Corpus(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[m.Name] {
			t.Errorf("%s given twice", m.Name)
		}
		seen[m.Name] = true
		count++
		total += len(m.Data)
	}
	if count < 1100 || total < 5<<20 {
		t.Errorf("%d messages, %d bytes: the README says about 1,160 and 10 MB", count, total)
	}
	t.Logf("%d messages, %d bytes", count, total)
	for range Corpus(dir) { // stopping early must not panic
		break
	}
}

func TestCorpusErrors(t *testing.T) {
	n := 0
	for _, err := range Corpus(filepath.Join(t.TempDir(), "missing")) {
		if n++; !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d items, want the error alone", n)
	}
}

func TestSharedIsNamedByEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(SharedEnv, dir)
	if got, ok := Shared(); got != dir || !ok {
		t.Errorf("got %q, %t", got, ok)
	}
	t.Setenv(SharedEnv, filepath.Join(dir, "missing"))
	if _, ok := CorporaDir(); ok {
		t.Error("a missing directory was found")
	}
}

func TestEqualSaysWhere(t *testing.T) {
	if s, ok := Equal([]byte("abcx"), []byte("abcy")); ok || !strings.Contains(s, "difference at 3") {
		t.Errorf("got %q, %t", s, ok)
	}
	if s, ok := Equal(nil, nil); !ok || s != "" {
		t.Errorf("got %q, %t", s, ok)
	}
	if _, ok := Equal([]byte(strings.Repeat("a", 50)), []byte("a")); ok {
		t.Error("a prefix is not equal")
	}
}
