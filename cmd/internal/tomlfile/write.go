package tomlfile

import (
	"fmt"
	"strings"
)

// Comment writes a text as comment lines.
func Comment(w *strings.Builder, text string) {
	const width = 78
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width {
			w.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	w.WriteString(line + "\n")
}

// Quote writes a basic string of TOML, which knows \uXXXX but not \x.
func Quote(s string) string {
	var w strings.Builder
	w.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.WriteByte('\\')
			w.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			w.WriteString("\\u" + fmt.Sprintf("%04x", r))
		default:
			w.WriteRune(r)
		}
	}
	w.WriteByte('"')
	return w.String()
}
