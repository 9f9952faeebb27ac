package location

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// missing says what each known scheme but maildir would need.
var missing = map[string]string{
	"mbox":  "mbox locations are",
	"sdbox": "locations in Dovecot's own formats (sdbox) are",
	"mdbox": "locations in Dovecot's own formats (mdbox) are",
	"dbox":  "locations in Dovecot's own formats (dbox) are",
	"imapc": "IMAP locations (imapc) are",
	"pop3c": "POP3 locations (pop3c) are",
	"imap":  "IMAP locations are",
	"imaps": "IMAP locations are",
}

func knownScheme(s string) bool { return s == "maildir" || missing[s] != "" || isRemote(s) }

func isRemote(s string) bool {
	return s == "remote" || s == "remoteprefix" || s == "tcp" || s == "tcps"
}

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

// Target is a destination: an account here, or another dsync that is to be asked.
type Target struct {
	Location          // where Argv and Address are empty
	Argv     []string // a command whose standard input and output lead there
	Prefix   string   // a first line to be written to it (remoteprefix:)
	Address  string   // host:port of a server on the network
	TLS      bool     // tcps:
	Text     string   // as people know it
}

// Remote reports whether the target is another process.
func (t *Target) Remote() bool { return len(t.Argv) > 0 || t.Address != "" }

// String is how messages and the table of states name the target.
func (t *Target) String() string {
	if t.Remote() {
		return t.Text
	}
	return t.Location.String()
}

// Destination reads the words that follow the options (cli.md, Locations). remoteCmd
// is the command for remote: and remoteprefix:, with %{login} and %{host} besides what
// expands anywhere; port the one of tcp: and tcps: where none is said.
func Destination(words []string, v *Vars, remoteCmd, port string) (Target, error) {
	if len(words) == 0 {
		return Target{}, fmt.Errorf("no destination; write one, like maildir:PATH")
	}
	word := words[0]
	if len(words) > 1 {
		if scheme(word) != "" {
			return Target{}, fmt.Errorf("destination %q is followed by %q: options stand before the destination", word, words[1])
		}
		return commandTarget(words, v)
	}
	sch, rest, _ := strings.Cut(word, ":")
	switch {
	case scheme(word) == "remote" || scheme(word) == "remoteprefix":
		return remoteTarget(sch == "remoteprefix", rest, v, remoteCmd)
	case scheme(word) == "tcp" || scheme(word) == "tcps":
		return tcpTarget(sch == "tcps", rest, port)
	case scheme(word) != "" || word == "":
	case strings.ContainsAny(word, " \t"):
		if dir, err := expandPath(word, v); err != nil || !isDir(dir) {
			return commandTarget(strings.Fields(word), v)
		}
	case isHost(word):
		if isDir(word) {
			return Target{}, fmt.Errorf("destination %q may be a host or a directory: write remote:%s or ./%s", word, word, word)
		}
		return remoteTarget(false, word, v, remoteCmd)
	default:
		if path, err := expandPath(word, v); err == nil {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return Target{Argv: []string{path}, Text: word}, nil
			}
		}
	}
	l, err := OneWord(word, v)
	return Target{Location: l}, err
}

// remoteTarget is [LOGIN@]HOST, reached by the remote command. A word of the command
// with %{login} in it falls away where no login is said, as with Dovecot.
func remoteTarget(prefix bool, where string, v *Vars, command string) (Target, error) {
	if !isHost(where) {
		return Target{}, fmt.Errorf("destination %q: want [LOGIN@]HOST", where)
	}
	login, host := "", where
	if i := strings.LastIndexByte(where, '@'); i >= 0 {
		login, host = where[:i], where[i+1:]
	}
	if strings.HasPrefix(login, "-") {
		return Target{}, fmt.Errorf("destination %q: a login does not begin with -", where)
	}
	t := Target{Text: "remote:" + where}
	if prefix {
		t.Text, t.Prefix = "remoteprefix:"+where, v.User
	}
	for _, word := range strings.Fields(command) {
		if login == "" && strings.Contains(word, "%{login}") {
			continue
		}
		if err := shellSafe(word, v); err != nil {
			return Target{}, fmt.Errorf("the remote command %q: %w", command, err)
		}
		word = strings.NewReplacer("%{login}", escapePercent(login), "%{host}", escapePercent(strings.Trim(host, "[]"))).Replace(word)
		word, err := Expand(word, v)
		if err != nil {
			return Target{}, fmt.Errorf("the remote command %q: %w", command, err)
		}
		t.Argv = append(t.Argv, word)
	}
	if len(t.Argv) == 0 {
		return Target{}, fmt.Errorf("the remote command is empty")
	}
	return t, nil
}

// commandTarget is a command line: %u, %n, %d and %h stand in it for the user, and
// nothing else is changed.
func commandTarget(words []string, v *Vars) (Target, error) {
	t := Target{Text: strings.Join(words, " ")}
	for _, word := range words {
		if err := shellSafe(word, v); err != nil {
			return Target{}, fmt.Errorf("the command %q: %w", t.Text, err)
		}
		for _, name := range []string{"%u", "%n", "%d", "%h"} {
			if !strings.Contains(word, name) {
				continue
			}
			value, err := Expand(name, v)
			if err != nil {
				return Target{}, fmt.Errorf("the command %q: %w", t.Text, err)
			}
			word = strings.ReplaceAll(word, name, value)
		}
		t.Argv = append(t.Argv, word)
	}
	return t, nil
}

// shellSafe refuses a user's name in a word that a shell may come to read: ssh gives
// its words to one at the far end.
func shellSafe(word string, v *Vars) error {
	if v == nil || !strings.Contains(strings.ReplaceAll(strings.ReplaceAll(word, "%{login}", ""), "%{host}", ""), "%") {
		return nil
	}
	for _, c := range v.User {
		switch {
		case c >= 0x80, 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.ContainsRune("@._+=,:-", c):
		default:
			return fmt.Errorf("%w: %q holds %q, which a shell at the far end might take for a command; use tcps: or remoteprefix: for this user", ErrNoUser, v.User, c)
		}
	}
	if strings.HasPrefix(v.User, "-") {
		return fmt.Errorf("%w: %q begins like an option", ErrNoUser, v.User)
	}
	return nil
}

func escapePercent(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// tcpTarget is HOST[:PORT]; an IPv6 address stands in brackets.
func tcpTarget(secure bool, where, port string) (Target, error) {
	t := Target{TLS: secure, Text: "tcp:" + where}
	if secure {
		t.Text = "tcps:" + where
	}
	var err error
	if t.Address, err = hostPort(where, port, 1); err != nil || where == "" || strings.HasPrefix(where, ":") {
		return Target{}, fmt.Errorf("destination %q: want HOST:PORT, with an IPv6 address in brackets", t.Text)
	}
	return t, nil
}

// Listen reads an address to listen to, HOST[:PORT]; no HOST is every address, and
// port 0 one that is free.
func Listen(where, port string) (string, error) { return hostPort(where, port, 0) }

func hostPort(where, port string, least int) (string, error) {
	host := where
	if i := strings.LastIndexByte(where, ':'); i >= 0 && !strings.HasSuffix(where, "]") {
		host, port = where[:i], where[i+1:]
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < least || n > 65535 || host != "" && !isHost(host) || strings.Contains(host, "@") {
		return "", fmt.Errorf("want HOST:PORT, with an IPv6 address in brackets")
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(n)), nil
}

// OneWord reads a location that is one word: with a scheme, or a directory.
func OneWord(word string, v *Vars) (Location, error) {
	switch {
	case word == "":
		return Location{}, fmt.Errorf("a location is empty; write maildir:PATH")
	case isRemote(scheme(word)):
		return Location{}, hostError(word)
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
	err := fmt.Errorf("location %q is taken for a host, which only the destination of sync, backup and plan can be: run dsync there", word)
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
