// Package peek looks into the header of a message, so that people recognise it.
//
// # Contract
//
//   - What is read is for the eye only: it is never written anywhere and decides
//     nothing. Subject and From are decoded where that can be done; where it
//     cannot, they are as they stand, or empty.
//   - At most MaxHeader bytes are read, and at most MaxText characters of a field
//     given. Mail that makes the parser panic gives an empty Header.
package peek

import (
	"bufio"
	"io"
	"strings"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // RFC 2047 words in other than UTF-8
	"github.com/emersion/go-message/textproto"
)

// Limits on what is read.
const (
	MaxHeader = 64 << 10 // bytes of a message
	MaxText   = 200      // characters of a field
)

// Header is what a message says of itself.
type Header struct{ Subject, From string }

// Read looks into a message.
func Read(r io.Reader) (h Header) {
	defer func() {
		if recover() != nil { // some real mail makes the parser panic
			h = Header{}
		}
	}()
	// A header that does not end within the limit is read as far as it goes.
	in := io.MultiReader(io.LimitReader(r, MaxHeader), strings.NewReader("\r\n\r\n"))
	raw, err := textproto.ReadHeader(bufio.NewReader(in))
	if err != nil {
		return Header{}
	}
	m := message.Header{Header: raw}
	return Header{text(&m, "Subject"), text(&m, "From")}
}

func text(h *message.Header, field string) string {
	s, err := h.Text(field)
	if err != nil {
		s = h.Get(field)
	}
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "\uFFFD")
	if r := []rune(s); len(r) > MaxText {
		s = string(r[:MaxText]) + "…"
	}
	return s
}
