package choose

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"dsync/store"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		mask string
		name store.Name
		want bool
	}{
		{"INBOX", "INBOX", true}, {"INBOX", "INBOX/a", false}, {"*", "a/b/c", true}, {"*", "", true}, {"", "", true}, {"", "a", false},
		{"a*", "a", true}, {"a*", "a/b/c", true}, {"a/*", "a", false}, {"*/c", "a/b/c", true}, {"a?c", "a/c", true}, {"a?c", "aüc", true},
		{"a?c", "ac", false}, {"*a*b*", "xxaxxbxx", true}, {"*a*b*", "xxbxxaxx", false}, {"a*b", "ab", true}, {"**", "x", true}, {"?", "", false},
		{"a.b", "axb", false}, {"[ab]", "a", false}, {"*ab", "aab", true}, {"é*", "ée", true},
	} {
		if got := Match(c.mask, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.mask, c.name, got)
		}
	}
}

// A mask of many stars takes no more than mask times name.
func TestMatchTime(t *testing.T) {
	mask, name := strings.Repeat("a*", 2000)+"b", store.Name(strings.Repeat("a", 4000))
	start := time.Now()
	if Match(mask, name) {
		t.Error("matches")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %s", d)
	}
}

func FuzzMatch(f *testing.F) {
	for _, s := range []string{"*a*b?", "INBOX*", "?", "", "a.b[c]"} {
		f.Add(s, "INBOX/ab")
	}
	f.Fuzz(func(t *testing.T, mask, name string) {
		if !utf8.ValidString(mask) || !utf8.ValidString(name) || len(mask) > 100 || len(name) > 200 {
			t.Skip()
		}
		e := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(mask))
		want := regexp.MustCompile("(?s)^" + e + "$").MatchString(name)
		if got := Match(mask, store.Name(name)); got != want {
			t.Errorf("Match(%q, %q) = %v", mask, name, got)
		}
	})
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		in   string
		dots bool
		want store.Name
	}{{"inbox", false, "INBOX"}, {"Inbox/a", true, "INBOX/a"}, {"inbox.a", true, "INBOX/a"}, {"a.b", false, "a.b"}, {"a.b", true, "a/b"}, {"Inboxes", true, "Inboxes"}} {
		if got, err := Name(c.in, c.dots); err != nil || got != c.want {
			t.Errorf("Name(%q, %v) = %q, %v", c.in, c.dots, got, err)
		}
	}
	for _, bad := range []string{"", "a//b", "../a", "a/..", "a\x00", "\xff", strings.Repeat("x", 5000)} {
		if _, err := Name(bad, false); err == nil {
			t.Errorf("Name(%.40q): want an error", bad)
		}
	}
	if got := Mask("a.*", true); !slices.Equal(got, []string{"a.*", "a/*"}) {
		t.Errorf("Mask: %q", got)
	}
}

func TestUses(t *testing.T) {
	uses, err := Uses(`Gesendet:\sent, Alt/Müll:\Trash,a:b:\Junk`)
	if err != nil || len(uses) != 3 || uses["Gesendet"] != `\Sent` || uses["Alt/Müll"] != `\Trash` || uses["a:b"] != `\Junk` {
		t.Errorf("%q, %v", uses, err)
	}
	if uses, err := Uses(""); err != nil || len(uses) != 0 {
		t.Errorf("none: %q, %v", uses, err)
	}
	for _, bad := range []string{"Sent", `Sent:\Nope`, `:\Sent`, `a:\Sent,,b:\Junk`} {
		if uses, err := Uses(bad); err == nil {
			t.Errorf("Uses(%q) = %q: want an error", bad, uses)
		}
	}
	names, err := Named(`\SENT`, true, Customary())
	if err != nil || !slices.Contains(names, "Sent") || !slices.IsSorted(names) {
		t.Errorf("%q, %v", names, err)
	}
	for name, use := range Customary() {
		if store.Name(name).Check() != nil {
			t.Errorf("%q", name)
		}
		if u, err := Use(use); err != nil || u != use {
			t.Errorf("%q: %q, %v", use, u, err)
		}
	}
}
