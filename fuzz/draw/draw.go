// Package draw makes a picture of a history: a lane for each replica, time going
// down, a dot for each event, a slanted line for each run, what conflicts overrode in
// red, broken laws where they were seen, and what every replica showed after each
// step.
//
// # Contract
//
//   - HTML is one file that refers to nothing outside of itself and says so by its
//     content security policy; all text of the trace is escaped. It can be read
//     without a script; with one, pointing at a row, clicking it or walking with the
//     arrow keys shows the state after it, and #step=N in the address shows row N.
//   - SVG is the picture alone, for papers and mails; the state of a row is its
//     tooltip.
//   - The same trace gives the same bytes.
//   - More than MaxRows rows are ErrTooLong.
package draw

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"strings"
	"unicode"

	"dsync/fuzz/trace"
)

// MaxRows is how long a history can be drawn.
const MaxRows = 5000

// ErrTooLong: a picture of so many rows helps nobody.
var ErrTooLong = errors.New("the history is too long to be drawn")

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

var templates = template.Must(template.New("page").Parse(pageText))

// page is what the templates are given.
type page struct {
	*picture
	Style  template.CSS
	Script template.JS
	// StyleHash and ScriptHash are what the content security policy allows.
	StyleHash, ScriptHash string
}

func newPage(t *trace.Trace) (*page, error) {
	p, err := arrange(t)
	if err != nil {
		return nil, err
	}
	return &page{p, template.CSS(pageStyle), template.JS(pageScript), hash(pageStyle), hash(pageScript)}, nil
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// HTML draws the trace as a page.
func HTML(t *trace.Trace) ([]byte, error) { return execute(t, "html") }

// SVG draws the trace as an image.
func SVG(t *trace.Trace) ([]byte, error) { return execute(t, "svg") }

func execute(t *trace.Trace, name string) ([]byte, error) {
	p, err := newPage(t)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = templates.ExecuteTemplate(&b, name, p)
	return b.Bytes(), err
}

// clean shows control characters, which neither XML nor people can read.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r) || r == '\ufffe' || r == '\uffff' || unicode.Is(unicode.Bidi_Control, r):
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// cut shortens a label to n characters.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
