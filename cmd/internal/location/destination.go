package location

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// missing says what each known scheme but maildir would need.
var missing = map[string]string{
	"mbox":         "mbox locations are",
	"sdbox":        "locations in Dovecot's own formats (sdbox) are",
	"mdbox":        "locations in Dovecot's own formats (mdbox) are",
	"dbox":         "locations in Dovecot's own formats (dbox) are",
	"imapc":        "IMAP locations (imapc) are",
	"pop3c":        "POP3 locations (pop3c) are",
	"imap":         "IMAP locations are",
	"imaps":        "IMAP locations are",
	"remote":       "remote destinations (remote:) are",
	"remoteprefix": "remote destinations (remoteprefix:) are",
	"tcp":          "remote destinations (tcp:) are",
	"tcps":         "remote destinations (tcps:) are",
}

func knownScheme(s string) bool { return s == "maildir" || missing[s] != "" }

func unbuiltScheme(s string) error {
	if what := missing[s]; what != "" {
		return &Missing{what}
	}
	return nil
}

// scheme gives the known scheme that a word begins with, or "".
func scheme(word string) string {
	if s, _, ok := strings.Cut(word, ":"); ok && knownScheme(s) {
		return s
	}
	return ""
}

// Destination reads the words that follow the options (cli.md, Locations).
func Destination(words []string, v *Vars) (Location, error) {
	if len(words) == 0 {
		return Location{}, fmt.Errorf("no destination; write one, like maildir:PATH")
	}
	word := words[0]
	if len(words) > 1 {
		if scheme(word) != "" {
			return Location{}, fmt.Errorf("destination %q is followed by %q: options stand before the destination", word, words[1])
		}
		return Location{}, fmt.Errorf("destination %q: %w", strings.Join(words, " "), &Missing{"commands as destinations are"})
	}
	return OneWord(word, v)
}

// OneWord reads a location that is one word: with a scheme, or a directory.
func OneWord(word string, v *Vars) (Location, error) {
	switch {
	case word == "":
		return Location{}, fmt.Errorf("a location is empty; write maildir:PATH")
	case scheme(word) != "":
		return Parse(word, v)
	case strings.ContainsAny(word, " \t"):
		if dir, err := expandPath(word, v); err == nil && isDir(dir) {
			return Detect(dir)
		}
		return Location{}, fmt.Errorf("destination %q: %w", word, &Missing{"commands as destinations are"})
	case isHost(word):
		return Location{}, hostError(word)
	}
	path, err := expandPath(word, v)
	if err != nil {
		return Location{}, fmt.Errorf("location %q: %w", word, err)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Location{}, fmt.Errorf("location %q: no such directory; to make a new account there, write maildir:%s", word, word)
	case info.IsDir():
		return Detect(path)
	case info.Mode()&0o111 != 0:
		return Location{}, fmt.Errorf("destination %q: %w", word, &Missing{"commands as destinations are"})
	}
	return Location{}, fmt.Errorf("location %q is a file; %w", word, &Missing{"mbox locations are"})
}

func hostError(word string) error {
	err := fmt.Errorf("destination %q is taken for a host (remote:%s): %w", word, word, &Missing{"remote destinations are"})
	if isDir(word) {
		err = fmt.Errorf("%w; for the directory of that name write ./%s", err, word)
	}
	return err
}

// isHost reports whether the word has the form [LOGIN@]HOST.
func isHost(word string) bool {
	login, host, ok := strings.Cut(word, "@")
	if i := strings.LastIndexByte(word, '@'); ok {
		login, host = word[:i], word[i+1:]
	} else {
		login, host = "x", word
	}
	if login == "" || strings.ContainsAny(login, "/:") {
		return false
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return strings.Contains(host, ":") && !strings.Contains(host, "/")
	}
	for _, c := range []byte(host) {
		alnum := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alnum && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return host != "" && host[0] != '.' && host[0] != '-'
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Detect says what account a directory holds.
func Detect(dir string) (Location, error) {
	plus, fs := false, false
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Location{}, fmt.Errorf("location %q: %w", dir, err)
	}
	plus = isDir(filepath.Join(dir, "cur"))
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || name == "cur" || name == "new" || name == "tmp" || !isDir(filepath.Join(dir, name, "cur")) {
			continue
		}
		if strings.HasPrefix(name, ".") {
			plus = true
		} else {
			fs = true
		}
	}
	text := "maildir:" + escape(dir)
	switch {
	case fs:
		return Location{}, fmt.Errorf("directory %q: mailboxes in plain subdirectories; write %s:LAYOUT=fs, or %s for Maildir++ without them", dir, text, text)
	case plus:
		return Parse(text, nil)
	}
	return Location{}, fmt.Errorf("directory %q holds no Maildir; to make a new account there, write %s", dir, text)
}

// Home looks for an account where Dovecot would: ~/Maildir, ~/mail.
func Home(v *Vars) (Location, error) {
	home, err := v.home()
	if err != nil {
		return Location{}, err
	}
	for _, name := range []string{"Maildir", "mail"} {
		if dir := filepath.Join(home, name); isDir(dir) {
			return Detect(dir)
		}
	}
	return Location{}, fmt.Errorf("no mail in %s/Maildir or %s/mail; say where it is with -o mail_location=maildir:PATH", home, home)
}
