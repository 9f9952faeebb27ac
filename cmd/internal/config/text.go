package config

import (
	"fmt"
	"strings"

	"dsync/cmd/internal/tomlfile"
)

// Sample is a file in which every setting stands, commented out, with what it means
// and its default or an example.
func Sample() string {
	var w strings.Builder
	for _, sec := range Sections() {
		head(&w, sec)
		for _, r := range Settings() {
			in, name := Split(r.Key)
			if in != sec.Head() {
				continue
			}
			text, example := r.Default, ""
			if text == "" {
				text, example = r.Example, " # an example; there is no default"
			}
			w.WriteString("\n")
			tomlfile.Comment(&w, r.Help)
			fmt.Fprintf(&w, "#%s = %s%s\n", name, r.written(r.words(text)), example)
		}
	}
	return w.String()
}

func head(w *strings.Builder, sec Section) {
	if sec.Name != "" {
		w.WriteString("\n")
	}
	tomlfile.Comment(w, sec.Help)
	switch {
	case sec.Named:
		fmt.Fprintf(w, "#[%s]\n", sec.Head())
	case sec.Name != "":
		fmt.Fprintf(w, "[%s]\n", sec.Name)
	}
}

// Text writes what is in force as a file, each value with where it comes from.
// Read takes it back.
func (s *Set) Text() string {
	var w strings.Builder
	for _, sec := range Sections() {
		words := []string{""}
		if sec.Named {
			words = s.Named(sec.Name)
		}
		for _, word := range words {
			s.section(&w, sec, word)
		}
	}
	return w.String()
}

func (s *Set) section(w *strings.Builder, sec Section, word string) {
	if sec.Name != "" {
		fmt.Fprintf(w, "\n[%s]\n", sec.head(word))
	}
	for _, r := range Settings() {
		in, name := Split(r.Key)
		if in != sec.Head() {
			continue
		}
		key := r.Key
		if sec.Named {
			key = sec.head(word) + "." + name
		}
		if from := s.From(key); from == "" {
			fmt.Fprintf(w, "#%s is not set\n", name)
		} else {
			fmt.Fprintf(w, "%s = %s # %s\n", name, r.written(s.Words(key)), oneLine(from))
		}
	}
}

// oneLine keeps a file's name within its comment.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '\ufffd' {
			return '?'
		}
		return r
	}, s)
}

// written writes a value as TOML.
func (r *Setting) written(ws []string) string {
	var quoted []string
	for _, w := range ws {
		quoted = append(quoted, tomlfile.Quote(w))
	}
	switch {
	case r.Type == List:
		return "[" + strings.Join(quoted, ", ") + "]"
	case r.Type == Number || r.Type == Switch:
		return ws[0]
	}
	return quoted[0]
}
