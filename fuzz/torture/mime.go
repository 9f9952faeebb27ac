package torture

import (
	"fmt"
	"strings"
)

// mimeMails have odd MIME structure.
func mimeMails() []Mail {
	multipart := head + "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="
	return []Mail{
		text("40-level-nesting", head+nested(nesting)),
		text("message-in-message", head+"Content-Type: message/rfc822\n\n"+head+"Content-Type: message/rfc822\n\n"+head+"\ninner\n"),
		text("boundary-missing", multipart+"\"b\"\n\nno boundary at all\n"),
		text("boundary-never-closed", multipart+"b\n\n--b\n\npart\n--b\n\nlast"),
		text("boundary-empty", multipart+"\"\"\n\n--\n\npart\n----\n"),
		text("boundary-prefix-of-another", multipart+"b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--bb--\n--b--\n"),
		text("content-type-broken", head+"Content-Type: text/; =;;charset=\"\n\nbody\n"),
	}
}

// nested is a header and body of n multiparts, one in the other.
func nested(n int) string {
	var open, closing strings.Builder
	for i := range n {
		fmt.Fprintf(&open, "Content-Type: multipart/mixed; boundary=\"level%d\"\n\n--level%d\n", i, i)
		fmt.Fprintf(&closing, "\n--level%d--\n", n-1-i)
	}
	return open.String() + "Content-Type: text/plain\n\ninnermost\n" + closing.String()
}

// encodingMails claim an encoding and break it.
func encodingMails() []Mail {
	encoded := func(encoding, body string) string {
		return head + "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: " + encoding + "\n\n" + body
	}
	return []Mail{
		text("broken-base64", encoded("base64", "QUJD*=\n=RA\n@@@\n")),
		text("broken-quoted-printable", encoded("quoted-printable", "=\n=G1=4\n=ZZ soft=\n")),
		text("unknown-encoding", encoded("x-rot13", "obql\n")),
		text("broken-uuencode", encoded("x-uuencode", "begin 644 f\nM(@\nend\n")),
		text("broken-encoded-words", "Subject: =?utf-8?B?////?= =?x?Q?=ZZ?= =?utf-8?Q?open\nFrom: =?unknown?B?w7w=?= <a@example.org>\n\nbody\n"),
		text("wrong-charset", head+"Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B\xff\xfe\n"),
	}
}
