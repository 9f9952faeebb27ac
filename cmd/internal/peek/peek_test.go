package peek

import (
	"strings"
	"testing"
	"unicode/utf8"

	"dsync/fuzz/torture"
)

func TestRead(t *testing.T) {
	for in, want := range map[string]Header{
		"Subject: hello\nFrom: Ann <ann@example.org>\n\nbody": {"hello", "Ann <ann@example.org>"},
		"subject: =?UTF-8?Q?gr=C3=BC=C3=9Fe?=\r\n\r\n":        {Subject: "grüße"},
		"Subject: =?iso-8859-1?Q?gr=FC=DFe?=\n folded\n\n":    {Subject: "grüße folded"},
		"Subject: =?no-such-charset?Q?x?=\n\n":                {Subject: "=?no-such-charset?Q?x?="},
		"":                                                    {},
		"\n\nSubject: in the body":                            {},
		"Subject: no end of the header":                       {Subject: "no end of the header"},
		"Subject: " + strings.Repeat("a", 300) + "\n\n":       {Subject: strings.Repeat("a", MaxText) + "…"},
		"From: x@y\nX: " + strings.Repeat("b", 2*MaxHeader) + "\nSubject: s\n\n": {From: "x@y"},
	} {
		if got := Read(strings.NewReader(in)); got != want {
			t.Errorf("%.60q: %q, want %q", in, got, want)
		}
	}
}

// Whatever the mail is like, peeking neither panics nor gives more than it may
// (E7).
func TestTorture(t *testing.T) {
	n := 0
	for _, m := range torture.Mails() {
		n++
		h := Read(strings.NewReader(string(m.Data)))
		for _, s := range []string{h.Subject, h.From} {
			if utf8.RuneCountInString(s) > MaxText+1 || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n") {
				t.Errorf("%s: %q", m.Name, s)
			}
		}
	}
	if n == 0 {
		t.Fatal("no mail")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("Subject: =?UTF-8?B?Zm9v?=\nFrom: a@b\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := Read(strings.NewReader(string(b)))
		if utf8.RuneCountInString(h.Subject) > MaxText+1 {
			t.Errorf("%d characters", utf8.RuneCountInString(h.Subject))
		}
	})
}
