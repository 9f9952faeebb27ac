// Package torture makes the mail, dates and names that break mail programs,
// and reads the shared corpora in place.
//
// Every function gives the same values in the same order on every call. The
// byte slices are the caller's own. What each value is for stands in its name,
// so that a failing test says it all:
//
//	for _, m := range torture.Mails() {
//		t.Run(m.Name, func(t *testing.T) { roundTrip(t, m.Data) })
//	}
//	for m, err := range torture.Corpus(dir) { … }
//
// The law for all of it is E6: bodies come through byte for byte, dates to
// the second, good names unchanged; a bad name is refused or listed as
// skipped, and nothing else suffers.
package torture

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Mail is one message with the name of what is wrong with it.
type Mail struct {
	Name string // lower-case words with hyphens, unique
	Data []byte
}

// Sizes of the large ones.
const (
	longHeader  = 200_000 // bytes of the one header line
	longLine    = 1 << 20 // bytes of the one body line
	largeBody   = 5 << 20 // bytes of the large body
	nesting     = 40      // levels of multipart in multipart
	manyHeaders = 5000    // header lines of the message with many
)

const head = "From: a@example.org\nTo: b@example.net\nSubject: torture\nDate: Tue, 14 Nov 2023 22:13:20 +0000\nMessage-ID: <torture@example.org>\n"

// Mails gives every torture message, about 45, 9 MB together.
func Mails() []Mail {
	var out []Mail
	for _, group := range [][]Mail{bytesMails(), lineMails(), shapeMails(), sizeMails(), mimeMails(), encodingMails()} {
		out = append(out, group...)
	}
	return out
}

// SmallMails gives those of at most 64 KiB, for tests that do much with each.
func SmallMails() []Mail {
	var out []Mail
	for _, m := range Mails() {
		if len(m.Data) <= 64<<10 {
			out = append(out, m)
		}
	}
	return out
}

func text(name, data string) Mail { return Mail{Name: name, Data: []byte(data)} }

// bytesMails hold bytes that text should not hold.
func bytesMails() []Mail {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	return []Mail{
		text("nul-in-body", head+"\na\x00b\x00\x00\nend\n"),
		text("nul-in-header", "Subject: a\x00b\nFrom: x@example.org\n\nbody\n"),
		text("nul-first-byte", "\x00"+head+"\nbody\n"),
		text("nul-last-byte", head+"\nbody\x00"),
		text("only-nul", "\x00"),
		text("8-bit-body", head+"\nGr\xfc\xdfe aus K\xf6ln\n"),
		text("8-bit-header", "Subject: Gr\xfc\xdfe\nFrom: J\xf6rg <j@example.org>\n\nbody\n"),
		text("utf-8-header", "Subject: Grüße 台北 😀\nFrom: Jörg <j@example.org>\n\nbody\n"),
		text("invalid-utf-8-file-name", head+"Content-Type: text/plain; name=\"\xff\xfe\xc3(.txt\"\nContent-Disposition: attachment; filename=\"\xe2\x28\xa1\"\n\nbody\n"),
		text("byte-order-mark", "\xef\xbb\xbf"+head+"\nbody\n"),
		{Name: "every-byte-in-body", Data: append([]byte(head+"\n"), every...)},
		text("escape-sequences", head+"\n\x1b[31mred\x1b]0;title\x07\x1b[2J\n"),
		text("form-feed-and-vertical-tab", head+"\npage\fpage\vline\x85next\n"),
	}
}

// lineMails end their lines in every wrong way.
func lineMails() []Mail {
	crlf := strings.ReplaceAll(head, "\n", "\r\n")
	return []Mail{
		text("lf", head+"\nbody\n"),
		text("crlf", crlf+"\r\nbody\r\n"),
		text("bare-cr", head+"\none\rtwo\r\rthree\r\n"),
		text("bare-cr-header-end", strings.ReplaceAll(head, "\n", "\r")+"\rbody\r"),
		text("mixed-line-ends", crlf+"\nlf\ncrlf\r\nlf again\n\r\ncr cr lf\r\r\n"),
		text("lf-header-crlf-body", head+"\nbody\r\nmore\r\n"),
		text("no-final-newline", head+"\nbody"),
		text("ends-in-cr", head+"\nbody\r"),
		text("only-newlines", "\n\n\n\n"),
		text("only-crlf", "\r\n"),
		text("trailing-spaces", head+"\nbody  \t \n \n\t\n"),
		text("dot-lines", head+"\n.\n..\n.dot\n\r\n.\r\nend\n"),
		text("from-first-line", "From a@example.org Tue Nov 14 22:13:20 2023\n"+head+"\nbody\n"),
		text("from-in-body", head+"\nFrom here on\n>From there\n\nFrom a@example.org Tue Nov 14 22:13:20 2023\nX: y\n\nz\n"),
	}
}

// shapeMails lack a part that mail has.
func shapeMails() []Mail {
	return []Mail{
		text("empty", ""),
		text("one-byte", "x"),
		text("no-header-end", "Subject: x\nFrom: a@example.org"),
		text("header-only", head),
		text("header-and-empty-line-only", head+"\n"),
		text("no-header", "\nbody without a header\n"),
		text("header-without-colon", "Subject x\nFrom: a@example.org\n\nbody\n"),
		text("header-without-name", ": value\n:\n\nbody\n"),
		text("header-begins-with-continuation", " continued\nSubject: x\n\nbody\n"),
		text("same-header-twice", head+head+"\nbody\n"),
		text("no-message-id", "Subject: x\n\nbody\n"),
		text("bad-dates", "Date: Thu, 31 Feb 1899 99:99:99 +9999\nDate: yesterday\nReceived: from x; never\n\nbody\n"),
		text("literal-like-text", head+"\n{3}\r\nabc) OK [X] \"\\\n* 1 EXPUNGE\na1 OK done\n"),
	}
}

// sizeMails are large in one direction.
func sizeMails() []Mail {
	var headers strings.Builder
	for i := range manyHeaders {
		fmt.Fprintf(&headers, "X-Header-%d: value %d\n", i, i)
	}
	return []Mail{
		text("200-kb-header-line", "Subject: "+strings.Repeat("x", longHeader)+"\n"+head+"\nbody\n"),
		text("200-kb-folded-header", "References:"+strings.Repeat("\n <"+strings.Repeat("r", 60)+"@example.org>", longHeader/76)+"\n"+head+"\nbody\n"),
		text("many-headers", headers.String()+head+"\nbody\n"),
		text("1-mb-single-line", head+"\n"+strings.Repeat("y", longLine)),
		{Name: "5-mb-body", Data: randomBody(largeBody)},
	}
}

// randomBody is a header and lines of random bytes, NUL and CR among them.
func randomBody(size int) []byte {
	source := rand.NewChaCha8([32]byte{'t', 'o', 'r', 't', 'u', 'r', 'e'})
	body := make([]byte, size)
	source.Read(body) // never fails
	for i := 75; i < size; i += 76 {
		body[i] = '\n'
	}
	return append([]byte(head+"\n"), body...)
}

// Equal reports whether two messages are the same bytes, and if not, where
// and how they first differ, for test output.
func Equal(got, want []byte) (difference string, equal bool) {
	if bytes.Equal(got, want) {
		return "", true
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	around := func(b []byte) []byte { return b[max(0, min(i-10, len(b))):min(len(b), i+20)] }
	return fmt.Sprintf("%d bytes, want %d; first difference at %d: %q, want %q",
		len(got), len(want), i, around(got), around(want)), false
}
