// Package policyfile reads and writes policies as TOML.
//
// # Contract
//
//   - Every file that Parse takes gives a total, deterministic merge: a file chooses
//     among what merge.Rules lists, and says nothing else. An unknown key, a value
//     that is no choice, a key given twice are errors with file, line and column.
//   - What a file leaves out is as in the built-in policy that it names by "like",
//     safe by default.
//   - Text(p), read by Parse, gives p again. What the comments in it say comes from
//     merge.Rules, as all other documentation of choices does.
package policyfile

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"dsync/cmd/internal/tomlfile"
	"dsync/merge"
	"dsync/store"
)

// Format is the number of the format that this package reads and writes.
const Format = 1

// MaxName is how long a policy's name may be, in bytes.
const MaxName = 40

// IsFile reports whether an argument names a file, not a built-in policy: it ends
// in ".toml" or has a slash.
func IsFile(arg string) bool {
	return strings.HasSuffix(arg, ".toml") || strings.ContainsRune(arg, '/')
}

// Load gives the policy of that name, or reads the file.
func Load(arg string) (*merge.Policy, error) {
	if !IsFile(arg) {
		p, err := merge.PolicyByName(arg)
		if err != nil {
			return nil, fmt.Errorf("%w; a policy file is named with a slash or \".toml\"", err)
		}
		return p, nil
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, tomlfile.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("policy: read %s: %w", arg, err)
	}
	return Parse(arg, data)
}

// Parse reads the policy in data, which came from a file of that name. Any error is
// a *tomlfile.Error.
func Parse(name string, data []byte) (*merge.Policy, error) {
	f, err := tomlfile.Read(name, data)
	if err != nil {
		return nil, err
	}
	r := &reader{File: f, rules: map[string]*merge.Rule{}, named: map[string]bool{}}
	for _, x := range merge.Rules() {
		r.rules[x.Key] = x
	}
	return r.policy()
}

type reader struct {
	*tomlfile.File
	rules map[string]*merge.Rule
	named map[string]bool // keys of flags, and folded keywords
	p     merge.Policy
	seed  *tomlfile.Entry
	title *tomlfile.Entry
}

func (r *reader) policy() (*merge.Policy, error) {
	if err := r.like(); err != nil {
		return nil, err
	}
	base := filepath.Base(r.Name)
	r.p.Name, r.p.About = strings.TrimSuffix(base, filepath.Ext(base)), ""
	// What speaks of all comes first, wherever it stands.
	for _, all := range []bool{true, false} {
		for i := range r.Entries {
			e := &r.Entries[i]
			if isAll(e) != all {
				continue
			}
			if err := r.entry(e); err != nil {
				return nil, err
			}
		}
	}
	if r.seed != nil && !r.p.Seeded() {
		return nil, r.Errorf(r.seed.At, "seed means nothing here: nothing is chosen as \"random\"")
	}
	return &r.p, r.checkName()
}

func isAll(e *tomlfile.Entry) bool {
	return len(e.Path) == 2 && e.Path[1] == merge.AllKey
}

// like starts from the policy that the file names.
func (r *reader) like() error {
	r.p = *merge.Safe
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Table || len(e.Path) != 1 || e.Path[0] != "like" {
			continue
		}
		s, err := r.text(e)
		if err != nil {
			return err
		}
		p, err := merge.PolicyByName(s)
		if err != nil || s == "" {
			return r.Errorf(e.Of, "like: %q is no built-in policy; known are %s", s, strings.Join(merge.PolicyNames(), ", "))
		}
		r.p = *p
	}
	return nil
}

func (r *reader) text(e *tomlfile.Entry) (string, error) {
	s, ok := e.Value.(string)
	if !ok {
		return "", r.Errorf(e.Of, "%s: want a string", e.Name())
	}
	return s, nil
}

func (r *reader) entry(e *tomlfile.Entry) error {
	switch {
	case e.Table && len(e.Path) == 1 && isSection(e.Path[0]):
		return nil
	case e.Table:
		return r.Errorf(e.At, "unknown table [%s]; known are [%s]", e.Name(), strings.Join(sections, "], ["))
	case len(e.Path) == 1:
		return r.top(e)
	case len(e.Path) == 2 && isSection(e.Path[0]):
		return r.choice(e)
	}
	return r.Errorf(e.At, "unknown key %s", e.Name())
}

var sections = []string{merge.FlagSection, merge.KeywordSection, merge.RuleSection}

func isSection(s string) bool {
	return s == merge.FlagSection || s == merge.KeywordSection || s == merge.RuleSection
}

func (r *reader) top(e *tomlfile.Entry) error {
	switch e.Path[0] {
	case "like":
		return nil
	case "format":
		if n, ok := e.Value.(int64); !ok || n != Format {
			return r.Errorf(e.Of, "format %v is unknown to this program, which reads format %d", e.Value, Format)
		}
		return nil
	case "name":
		s, err := r.text(e)
		r.p.Name, r.title = s, e
		return err
	case "about":
		s, err := r.text(e)
		if err == nil && strings.ContainsAny(s, "\n\r") {
			return r.Errorf(e.Of, "about: want one line")
		}
		r.p.About = s
		return err
	case "seed":
		n, ok := e.Value.(int64)
		if !ok || n < 0 {
			return r.Errorf(e.Of, "seed: want an integer from 0 up")
		}
		r.p.Seed, r.seed = uint64(n), e
		return nil
	}
	return r.Errorf(e.At, "unknown key %s; known are format, name, about, like, seed and the tables [%s]", e.Name(), strings.Join(sections, "], ["))
}

// choice is one entry of a table.
func (r *reader) choice(e *tomlfile.Entry) error {
	s, err := r.text(e)
	if err != nil {
		return err
	}
	rule := r.rules[e.Path[0]+"."+e.Path[1]]
	switch {
	case e.Path[0] == merge.FlagSection && isAll(e):
		err = r.allFlags(s)
	case rule != nil:
		err = rule.Set(&r.p, s)
	case e.Path[0] == merge.KeywordSection:
		return r.keyword(e, s)
	case merge.Fixed[e.Name()] != "":
		return r.Errorf(e.At, "%s: %s", e.Name(), merge.Fixed[e.Name()])
	default:
		return r.Errorf(e.At, "unknown key %s; known are %s", e.Name(), strings.Join(r.keys(e.Path[0]), ", "))
	}
	if err != nil {
		return r.Errorf(e.Of, "%s: %w", e.Name(), err)
	}
	return nil
}

func (r *reader) allFlags(choice string) error {
	for _, x := range merge.Rules() {
		if strings.HasPrefix(x.Key, merge.FlagSection+".") {
			if err := x.Set(&r.p, choice); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) keyword(e *tomlfile.Entry, choice string) error {
	k := e.Path[1]
	if err := store.CheckKeyword(k); err != nil {
		return r.Errorf(e.At, "%s: %w", e.Name(), err)
	}
	fold := store.FoldKeyword(k)
	if r.named[fold] {
		return r.Errorf(e.At, "%s: the keyword is named already, in another spelling", e.Name())
	}
	r.named[fold] = true
	if err := r.p.Except(k, choice); err != nil {
		return r.Errorf(e.Of, "%s: %w", e.Name(), err)
	}
	return nil
}

// keys lists the keys of a table.
func (r *reader) keys(section string) []string {
	var out []string
	if section == merge.FlagSection {
		out = append(out, merge.AllKey)
	}
	for _, x := range merge.Rules() {
		if in, key, _ := strings.Cut(x.Key, "."); in == section {
			out = append(out, key)
		}
	}
	return out
}

// checkName keeps a file from passing for a built-in policy that it is not.
func (r *reader) checkName() error {
	at := tomlfile.Pos{Line: 1, Column: 1}
	if r.title != nil {
		at = r.title.Of
	}
	n := r.p.Name
	if n == "" || len(n) > MaxName || strings.Trim(n, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.()") != "" {
		return r.Errorf(at, "name %.60q: want 1 to %d letters, digits, or of _ - . ( )", n, MaxName)
	}
	if p, err := merge.PolicyByName(n); err == nil && p.Canonical() != r.p.Canonical() {
		return r.Errorf(at, "name %q is that of a built-in policy, which chooses otherwise; give the policy a name of its own (name = \"…\")", n)
	}
	return nil
}
