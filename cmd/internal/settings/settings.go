// Package settings reads settings: "-o KEY=VALUE", and a file of "key = value"
// lines ("-c FILE").
//
// # Contract
//
//   - Settings that the program knows are those in Known. Dovecot's other settings
//     are taken and reported as Ignored; a key that differs from one of ours by a
//     slip of the finger is an error, for it would be ignored in silence.
//   - What -o says beats the file; of two equal keys the later one counts.
//   - A line of a file is empty, a comment ("#"), or "key = value"; the value may
//     stand in double or single quotes. Anything else is an error with file and
//     line. Dovecot's sections and includes are not read.
package settings

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The settings that the program knows.
const (
	MailLocation = "mail_location"
	ChangeLog    = "changelog"
	SpecialUse   = "special_use"
	LogMaxAge    = "log_max_age"      // an age like 90days; 0: no limit
	LogMaxBytes  = "log_max_bytes"    // a size like 256M; 0: no limit
	RemoteCmd    = "dsync_remote_cmd" // for remote destinations, which are still to come
)

// Limits on what comes from outside.
const (
	MaxLine  = 64 << 10 // bytes of a line
	MaxLines = 100_000  // lines of a file
)

// Known lists the settings that the program knows.
func Known() []string {
	return []string{MailLocation, ChangeLog, SpecialUse, LogMaxAge, LogMaxBytes, RemoteCmd}
}

// Set is a set of settings.
type Set struct {
	values  map[string]string
	file    map[string]string // key -> file it came from
	Ignored []string          // Dovecot's settings that mean nothing here, as given
}

// Get gives a setting, and whether it was set.
func (s *Set) Get(key string) (string, bool) {
	v, ok := s.values[key]
	return v, ok
}

// File names the file that a setting came from; "" if -o gave it.
func (s *Set) File(key string) string { return s.file[key] }

// Put reads one "KEY=VALUE".
func (s *Set) Put(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("setting %.60q: want KEY=VALUE", text)
	}
	return s.put(strings.TrimSpace(key), strings.TrimSpace(value), "")
}

func (s *Set) put(key, value, file string) error {
	if !isKey(key) {
		return fmt.Errorf("setting %.60q: not a setting's name", key)
	}
	if !slices.Contains(Known(), key) {
		if near := nearest(key); near != "" {
			return fmt.Errorf("setting %q is not known; is %q meant?", key, near)
		}
		s.Ignored = append(s.Ignored, key)
		return nil
	}
	if s.values == nil {
		s.values, s.file = map[string]string{}, map[string]string{}
	}
	s.values[key], s.file[key] = value, file
	return nil
}

func isKey(key string) bool {
	for _, c := range []byte(key) {
		alnum := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alnum && c != '_' && c != '-' && c != '/' && c != '.' {
			return false
		}
	}
	return key != "" && len(key) <= 255
}

// Read reads a file of settings; name is for errors.
func (s *Set) Read(name string, r io.Reader) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, MaxLine)
	line := 0
	for in.Scan() {
		if line++; line > MaxLines {
			return fmt.Errorf("%s:%d: more than %d lines", name, line, MaxLines)
		}
		if err := s.line(in.Text(), name); err != nil {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
	if err := in.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s:%d: a line of more than %d bytes", name, line+1, MaxLine)
	} else if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

func (s *Set) line(text, file string) error {
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '#' {
		return nil
	}
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%.60q: want key = value", text)
	}
	value = strings.TrimSpace(value)
	if value != "" && (value[0] == '"' || value[0] == '\'') {
		end := len(value) - 1
		if end == 0 || value[end] != value[0] {
			return fmt.Errorf("%.60q: the quote is not closed", text)
		}
		value = value[1:end]
	} else if i := strings.Index(value, " #"); i >= 0 {
		value = strings.TrimSpace(value[:i])
	}
	if key = strings.TrimSpace(key); !isKey(key) {
		return fmt.Errorf("%.60q: want key = value", text)
	}
	return s.put(key, value, file)
}

// nearest gives a setting of ours from which key differs by at most two letters.
func nearest(key string) string {
	for _, k := range Known() {
		if distance(k, key) <= 2 {
			return k
		}
	}
	return ""
}

// distance counts the letters to add, remove or replace.
func distance(a, b string) int {
	if d := len(a) - len(b); d > 2 || d < -2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
