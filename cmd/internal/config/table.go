package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/choose"
	"dsync/cmd/internal/policyfile"
)

// The settings that the program knows.
const (
	MailLocation  = "mail_location"
	MailReplica   = "mail_replica"
	ChangeLog     = "changelog"
	SpecialUse    = "special_use"
	LogMaxAge     = "log_max_age"
	LogMaxBytes   = "log_max_bytes"
	RemoteCmd     = "dsync_remote_cmd"
	Port          = "doveadm_port"
	Jobs          = "jobs"
	LockWait      = "lock_wait"
	MaxDelete     = "max_delete"
	Policy        = "policy"
	UserDatabases = "user_databases"
	FirstValidUID = "first_valid_uid"
	LastValidUID  = "last_valid_uid"
	PasswdPath    = "passwd.path"
	GroupPath     = "passwd.group"
	UsersPath     = "passwd_file.path"
	StaticUID     = "static.uid"
	StaticGID     = "static.gid"
	StaticHome    = "static.home"
	StaticMail    = "static.mail"
	Namespace     = "namespace"
	ServeSocket   = "serve.socket"
	ServeMetrics  = "serve.metrics"
	ListenAddress = "listen.address"
	ListenCert    = "listen.cert"
	ListenKey     = "listen.key"
	ListenCA      = "listen.ca"
	ListenSecrets = "listen.secret_file"
	ListenUsers   = "listen.users"
	ListenPlain   = "listen.plain"
	ConnectCA     = "connect.ca"
	ConnectCert   = "connect.cert"
	ConnectKey    = "connect.key"
	ConnectSecret = "connect.secret_file"
	ConnectPlain  = "connect.plain"
)

// MaxJobs bounds how many users are worked on at once.
const MaxJobs = 1024

// Type is what TOML calls a value, and how it is written.
type Type int

// The types.
const (
	Text   Type = iota // "…"
	Number             // an integer; also as a string
	Amount             // a string, or an integer
	Switch             // true or false; with -o also yes and no
	List               // a list of strings, or one string with commas
)

// Setting is one row of the table.
type Setting struct {
	Key     string
	Type    Type
	Default string // as -o would give it; "": none
	Example string // for the sample, where there is no default
	Help    string
	Check   func(string) error // of a value, or of each of a list; nil: whatever is text
}

// Section is one table of the file: [Name], or, if it is Named, any number of
// [Name.WORD], whose rows are written with Any for the word.
type Section struct {
	Name  string
	Named bool
	Help  string
}

// Any stands for the word that the user chose in the keys of a Named section.
const Any = "NAME"

// Sections are the tables of the file, in order; "" is what stands before them.
func Sections() []Section {
	return []Section{
		{"", false, "Settings of dsync. What is commented out shows its default, or an example. " +
			"In locations and directories %u %n %d stand for a user's name and its two parts, %h and ~/ for the home directory."},
		{"passwd", false, `The user database "passwd", the system's.`},
		{"passwd_file", false, `The user database "passwd_file": name:password:uid:gid:gecos:home:shell:extra fields, where all after the name may be empty. userdb_mail= and userdb_mail_replica= among the extra fields are mail_location and mail_replica of that user.`},
		{"static", false, `The user database "static": what the others leave open. Alone it takes every name, and cannot list any.`},
		{Namespace, true, "One namespace of each user; NAME is for -n. One with a location is an account of its own, which -N and -n NAME sync with its replica; one without is a way to write the names of mail_location's mailboxes."},
		{"serve", false, `"dsync serve", which holds the change log and does the work of the other dsync processes of the same user.`},
		{"listen", false, `"dsync server --listen": whom it lets in, and what they may touch. At least one of ca and secret_file is needed; SIGHUP reads all of it anew.`},
		{"connect", false, "How tcp: and tcps: destinations are reached."},
	}
}

// Settings is the table. Nobody changes it.
func Settings() []Setting { return table() }

var table = sync.OnceValue(rows)

func rows() []Setting {
	return []Setting{
		{MailLocation, Text, "", "maildir:~/Maildir", "Where a user's mail is at this end; without it ~/Maildir or ~/mail is taken. A user database that says mail beats it.", nil},
		{MailReplica, Text, "", "maildir:/backup/%u", "The destination of -d. A user database that says mail_replica beats it.", nil},
		{ChangeLog, Text, "", "/var/lib/dsync", "The directory of the change log, which serves all accounts. Without it $XDG_STATE_HOME/dsync or ~/.local/state/dsync, for root /var/lib/dsync.", nil},
		{LogMaxAge, Amount, "90days", "", "How long the change log tells what happened to an account; 0: for good. What a sync needs is kept anyway.", zeroOr(func(s string) error { _, err := argument.Age(s); return err })},
		{LogMaxBytes, Amount, "256M", "", "How much of the disk that may take for each account; 0: any.", func(s string) error { _, err := argument.Size(s); return err }},
		{SpecialUse, List, "", `Sent:\Sent`, `Which mailboxes have which special use, as NAME:\Use; without it the customary names.`, func(s string) error { _, err := choose.Uses(s); return err }},
		{RemoteCmd, Text, "ssh -l%{login} %{host} dsync server -u%u", "", "How remote:LOGIN@HOST is reached: words, no shell. A word with %{login} falls away where no login is said.", nil},
		{Port, Number, "4711", "", "The port of tcp: and tcps: where none is said.", within(1, 65535)},
		{Jobs, Number, "", "4", "How many users are worked on at once (-j); without it one for each core, two at least.", within(1, MaxJobs)},
		{LockWait, Number, "30", "", "How many seconds another run on the account is waited for (-l); 0: not at all.", within(0, 1_000_000)},
		{MaxDelete, Amount, "100,50%", "", "The safety brake (--max-delete): off, N messages, P%, or N,P%.", func(s string) error { _, err := argument.MaxDelete(s); return err }},
		{Policy, Text, "safe", "", "How conflicts are settled (--policy): a name, or the path of a file.", known},
		{UserDatabases, List, "", "passwd_file", "Who the users are: the databases asked, in this order; passwd, passwd_file, static. -A and masks in -u need one that lists its users.", oneOf("passwd", "passwd_file", "static")},
		{FirstValidUID, Number, "1000", "", "Users of the system below this uid have no mail.", within(1, 1<<32-2)},
		{LastValidUID, Number, "60000", "", "Users of the system above this uid have no mail; 0: no limit.", within(0, 1<<32-2)},
		{PasswdPath, Text, "/etc/passwd", "", "The file, in the form of passwd(5). What NIS or LDAP add to it is not seen.", absolute},
		{GroupPath, Text, "/etc/group", "", "Where gids that are names are looked up.", absolute},
		{UsersPath, Text, "", "/etc/dovecot/users", "The file.", absolute},
		{StaticUID, Text, "", "vmail", "A number, or a name of the system's.", nil},
		{StaticGID, Text, "", "vmail", "A number, or a name of the system's.", nil},
		{StaticHome, Text, "", "/srv/mail/%d/%n", "The home directory.", absolute},
		{StaticMail, Text, "", "maildir:~/Maildir", "The location of the mail.", nil},
		{NamespaceKey(Any, "prefix"), Text, "", "Archive/", "What names of its mailboxes begin with; taken off in -m and -x.", nil},
		{NamespaceKey(Any, "separator"), Text, "/", "", "What stands between the levels of a name in -m and -x: one character.", separator},
		{NamespaceKey(Any, "location"), Text, "", "maildir:/srv/archive/%u", "Where its mail is at this end. One that is the same for all users is synced once.", nil},
		{NamespaceKey(Any, "replica"), Text, "", "maildir:/backup/%u/archive", "Its destination. Without it that of the command line, if that is another host, where the namespace of the same name is taken.", nil},
		{NamespaceKey(Any, "list"), Switch, "true", "", "Whether -N takes it.", nil},
		{ServeSocket, Text, "", "/run/dsync/dsync.sock", "One more socket at which commands are taken (-S); that in the directory of the change log is found without.", absolute},
		{ServeMetrics, Text, "", "127.0.0.1:9471", "Where /metrics (in Prometheus' form) and /healthz are answered: an address of this machine alone, with its port.", nil},
		{ListenAddress, List, "", "tcps:0.0.0.0:4711", "What --listen '' listens to: HOST:PORT with TLS, or tcp:HOST:PORT without; without PORT it is doveadm_port's.", nil},
		{ListenCert, Text, "", "/etc/dsync/cert.pem", "This end's certificate and what leads from it to its authority, in PEM form.", absolute},
		{ListenKey, Text, "", "/etc/dsync/key.pem", "Its key.", absolute},
		{ListenCA, Text, "", "/etc/dsync/ca.pem", "The authorities that sign near ends' certificates. With it a certificate is asked for, and known by its DNS names and its CN.", absolute},
		{ListenSecrets, Text, "", "/etc/dsync/secrets", "A file of lines NAME:SECRET that only its owner can read. With it a secret is asked for; with ca as well, both are.", absolute},
		{ListenUsers, List, "", "mx2.example.org=*", "Whose accounts may be touched by whom: NAME=MASK, where NAME is a certificate's or a secret's, or MASK for all who are let in.", nil},
		{ListenPlain, Switch, "false", "", "Whether plain tcp, which neither hides nor protects mail, is listened to outside of loopback.", nil},
		{ConnectCA, Text, "", "/etc/dsync/ca.pem", "The authorities that sign far ends' certificates; without it the system's.", absolute},
		{ConnectCert, Text, "", "/etc/dsync/cert.pem", "The certificate that this end shows.", absolute},
		{ConnectKey, Text, "", "/etc/dsync/key.pem", "Its key.", absolute},
		{ConnectSecret, Text, "", "/etc/dsync/secret", "A file with one line NAME:SECRET that only its owner can read: who this end is.", absolute},
		{ConnectPlain, Switch, "false", "", "Whether plain tcp, which neither hides nor protects mail, is spoken outside of loopback.", nil},
	}
}

// NamespaceKey is the key of a setting of one namespace.
func NamespaceKey(name, setting string) string { return Namespace + "." + name + "." + setting }

// Find gives the row of a key; nil if there is none. The row of a Named section has
// the key asked for.
func Find(key string) *Setting {
	section, word, name := splitNamed(key)
	if section == "" || word == Any {
		return byKey()[key]
	}
	r := byKey()[section+"."+Any+"."+name]
	if r == nil {
		return nil
	}
	own := *r
	own.Key = key
	return &own
}

var isWord = regexp.MustCompile(`^[0-9A-Za-z_-]{1,40}$`)

// splitNamed cuts a key of a Named section into section, the user's word and the
// rest; section is "" if it is none.
func splitNamed(key string) (section, word, name string) {
	parts := strings.Split(key, ".")
	if len(parts) != 3 || !isWord.MatchString(parts[1]) {
		return "", "", ""
	}
	for _, s := range Sections() {
		if s.Named && s.Name == parts[0] {
			return parts[0], parts[1], parts[2]
		}
	}
	return "", "", ""
}

var byKey = sync.OnceValue(func() map[string]*Setting {
	out := map[string]*Setting{}
	for i := range table() {
		out[table()[i].Key] = &table()[i]
	}
	return out
})

// Split cuts a key into its table, "" for none, and the rest.
func Split(key string) (section, name string) {
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		return key[:i], key[i+1:]
	}
	return "", key
}

func separator(s string) error {
	if len(s) != 1 || s[0] <= ' ' || s[0] >= 0x7f || strings.ContainsAny(s, "*?%") {
		return fmt.Errorf("%.40q: want one character", s)
	}
	return nil
}

func zeroOr(check func(string) error) func(string) error {
	return func(s string) error {
		if s == "0" {
			return nil
		}
		return check(s)
	}
}

func within(low, high uint64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%.40q: want a number from %d to %d", s, low, high)
		}
		return nil
	}
}

// known refuses a name that is no policy's; a file is read when it is used.
func known(policy string) error {
	if policyfile.IsFile(policy) {
		return nil
	}
	_, err := policyfile.Load(policy)
	return err
}

func oneOf(words ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("%.40q: known are %s", s, strings.Join(words, ", "))
		}
		return nil
	}
}

func absolute(s string) error {
	if s == "" || s[0] != '/' {
		return fmt.Errorf("%.80q: want an absolute path", s)
	}
	return nil
}
