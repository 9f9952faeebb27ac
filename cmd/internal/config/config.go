package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dsync/cmd/internal/tomlfile"
)

// MaxValue bounds a value, in bytes.
const MaxValue = 64 << 10

// Set is what is in force. The zero value has the defaults.
type Set struct {
	values  map[string]value
	named   []string // "SECTION.WORD" of Named sections, in the order in which they came
	Ignored []string // Dovecot's settings that mean nothing here, as -o gave them
}

type value struct {
	words []string // one, but for a list
	from  string   // "FILE:LINE", or "-o"
	file  bool
}

// Get gives a setting, a list with commas; its default, or "", if nobody said it.
func (s *Set) Get(key string) string {
	if v, ok := s.values[key]; ok {
		return strings.Join(v.words, ",")
	}
	return row(key).Default
}

// Said reports whether a file or -o gave the setting a value.
func (s *Set) Said(key string) bool {
	_, ok := s.values[key]
	return ok
}

// Words gives a list; of another type, its one value.
func (s *Set) Words(key string) []string {
	if v, ok := s.values[key]; ok {
		return slices.Clone(v.words)
	}
	r := row(key)
	return r.words(r.Default)
}

// Number gives a number; 0 if nobody said it and there is no default.
func (s *Set) Number(key string) uint64 {
	n, _ := strconv.ParseUint(s.Get(key), 10, 64)
	return n
}

// From says where a setting comes from: "FILE:LINE", "-o", "default", or "" if it
// has no value.
func (s *Set) From(key string) string {
	switch v, ok := s.values[key]; {
	case ok:
		return v.from
	case row(key).Default != "":
		return "default"
	}
	return ""
}

// Assume gives a setting that nobody said the value that the program takes then.
func (s *Set) Assume(key, text string) {
	if s.Said(key) {
		return
	}
	if s.values == nil {
		s.values = map[string]value{}
	}
	s.values[key] = value{words: row(key).words(text), from: "default"}
}

// FromFile reports whether the value came from a file.
func (s *Set) FromFile(key string) bool { return s.values[key].file }

// Blame names the setting, and where it was set, in an error about its value.
func (s *Set) Blame(key string, err error) error {
	if err == nil {
		return nil
	}
	if from := s.From(key); s.FromFile(key) {
		return fmt.Errorf("%s: %s: %w", from, key, err)
	}
	return fmt.Errorf("%s: %w", key, err)
}

// Named gives the user's words of a Named section, in the order in which they came.
func (s *Set) Named(section string) (out []string) {
	for _, n := range s.named {
		if word, ok := strings.CutPrefix(n, section+"."); ok {
			out = append(out, word)
		}
	}
	return out
}

// name notes the user's word of a Named section.
func (s *Set) name(section, word string) {
	if n := section + "." + word; !slices.Contains(s.named, n) {
		s.named = append(s.named, n)
	}
}

func row(key string) *Setting {
	r := Find(key)
	if r == nil {
		panic("no setting " + key)
	}
	return r
}

// Put reads one "KEY=VALUE" of -o.
func (s *Set) Put(text string) error {
	key, text, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("setting %.60q: want KEY=VALUE", key)
	}
	key, text = strings.TrimSpace(key), strings.TrimSpace(text)
	if len(key) > 255 || !isKey.MatchString(key) {
		return fmt.Errorf("setting %.60q: not a setting's name", key)
	}
	r := Find(key)
	if r == nil {
		if near := nearest(key); near != "" {
			return fmt.Errorf("setting %q is not known; is %q meant?", key, near)
		}
		s.Ignored = append(s.Ignored, key)
		return nil
	}
	v := value{words: r.words(text), from: "-o"}
	if err := s.put(r, v); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

var isKey = regexp.MustCompile(`^[0-9A-Za-z_./-]+$`)

// words gives the values that a text stands for: a list is cut at its commas.
func (r *Setting) words(text string) []string {
	if r.Type != List {
		return []string{text}
	}
	out := []string{}
	for w := range strings.SplitSeq(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// put takes a value. An empty text is as if nothing was said; an empty list is empty.
func (s *Set) put(r *Setting, v value) error {
	if s.values == nil {
		s.values = map[string]value{}
	}
	if r.Type != List && v.words[0] == "" {
		delete(s.values, r.Key)
		return nil
	}
	for i, w := range v.words {
		if len(w) > MaxValue || strings.ContainsAny(w, "\x00\n\r") {
			return fmt.Errorf("want one line of at most %d bytes", MaxValue)
		}
		if r.Check != nil {
			if err := r.Check(w); err != nil {
				return err
			}
		}
		switch r.Type {
		case Switch:
			on, ok := switches[strings.ToLower(w)]
			if !ok {
				return fmt.Errorf("%.40q: want true or false", w)
			}
			v.words[i] = on
		case Number:
			n, err := strconv.ParseUint(w, 10, 64)
			if err != nil {
				return fmt.Errorf("%.40q: want a number", w)
			}
			v.words[i] = strconv.FormatUint(n, 10)
		}
	}
	s.values[r.Key] = v
	if section, word, _ := splitNamed(r.Key); section != "" {
		s.name(section, word)
	}
	return nil
}

var switches = map[string]string{"true": "true", "yes": "true", "false": "false", "no": "false"}

// Read reads a file that holds data; what it says, it says for good: read files
// before -o. Every error is a *tomlfile.Error.
func (s *Set) Read(name string, data []byte) error {
	f, err := tomlfile.Read(name, data)
	if err != nil {
		return unquoted(err, data)
	}
	for i := range f.Entries {
		e := &f.Entries[i]
		if err := s.entry(f, e); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) entry(f *tomlfile.File, e *tomlfile.Entry) error {
	key := strings.Join(e.Path, ".")
	if e.Table {
		section, word, _ := splitNamed(key + ".")
		if section == "" && !slices.ContainsFunc(Sections(), func(x Section) bool { return x.Name == key }) {
			return f.Errorf(e.At, "unknown table [%s]; known are %s", e.Name(), strings.Join(tables(), ", "))
		}
		if section != "" {
			s.name(section, word)
		}
		return nil
	}
	r := Find(key)
	if r == nil || strings.Contains(strings.Join(e.Path, ""), ".") {
		hint := `; "dsync config --sample" prints all that are`
		if near := nearest(key); near != "" {
			hint = fmt.Sprintf("; is %s meant?", near)
		}
		return f.Errorf(e.At, "unknown key %s%s", e.Name(), hint)
	}
	v := value{from: fmt.Sprintf("%s:%d", f.Name, e.At.Line), file: true}
	var ok bool
	if v.words, ok = r.texts(e.Value); !ok {
		return f.Errorf(e.Of, "%s: want %s", e.Name(), typeNames[r.Type])
	}
	if err := s.put(r, v); err != nil {
		return f.Errorf(e.Of, "%s: %v", e.Name(), err)
	}
	return nil
}

var typeNames = map[Type]string{
	Text: "a string", Number: "an integer", Amount: "a string or an integer", Switch: "true or false", List: "a list of strings",
}

// texts gives a value of a file as text, if it is of the setting's type.
func (r *Setting) texts(v any) ([]string, bool) {
	t := r.Type
	switch v := v.(type) {
	case string:
		return r.words(v), t == Text || t == Amount || t == List || v == ""
	case int64:
		return []string{strconv.FormatInt(v, 10)}, t == Number || t == Amount
	case bool:
		return []string{strconv.FormatBool(v)}, t == Switch
	case []any:
		out := []string{}
		for _, x := range v {
			w, ok := x.(string)
			if !ok || w == "" || strings.Contains(w, ",") {
				return nil, false
			}
			out = append(out, w)
		}
		return out, t == List
	}
	return nil, false
}

// Head is what stands between the brackets, with Any for the user's word.
func (x *Section) Head() string { return x.head(Any) }

func (x *Section) head(word string) string {
	if x.Named {
		return x.Name + "." + word
	}
	return x.Name
}

func tables() (out []string) {
	for _, x := range Sections() {
		if x.Name != "" {
			out = append(out, "["+x.Head()+"]")
		}
	}
	return out
}

// bare is a line as Dovecot's files have them: it names a setting, and its value
// has no quotes.
var bare = regexp.MustCompile(`^\s*([0-9A-Za-z_./-]+)\s*=\s*([^"'\[\s].*?)\s*(\s#.*)?$`)

var isTOML = regexp.MustCompile(`^([+-]?[0-9]+|true|false)$`)

// unquoted says how a value is written, where that is what is wrong with a file.
func unquoted(err error, data []byte) error {
	bad := (*tomlfile.Error)(nil)
	if !errors.As(err, &bad) {
		return err
	}
	lines := strings.Split(string(data), "\n")
	if bad.Line > len(lines) {
		return err
	}
	m := bare.FindStringSubmatch(strings.TrimSuffix(lines[bad.Line-1], "\r"))
	if m == nil || len(m[2]) > 200 || isTOML.MatchString(m[2]) {
		return err
	}
	bad.Err = fmt.Errorf("the file is TOML, where text stands in quotes: %s = %s (%w)", m[1], tomlfile.Quote(m[2]), bad.Err)
	return bad
}

// nearest gives a setting of ours from which key differs by at most two letters.
func nearest(key string) string {
	for _, r := range Settings() {
		if distance(r.Key, key) <= 2 {
			return r.Key
		}
	}
	return ""
}

// distance counts the letters to add, remove or replace; 3 stands for more than 2.
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
	return min(row[len(b)], 3)
}
