package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"dsync/cmd/internal/tomlfile"
)

// full has a value of each type, from both sources.
func full(t *testing.T) *Set {
	t.Helper()
	var s Set
	text := "mail_location = 'maildir:~/a'\njobs = 0x10\nmax_delete = 7\nspecial_use = ['Sent:\\Sent', 'Old mail:\\Trash']\nuser_databases = 'passwd, static'\n" +
		"passwd.path = '/p # q'\n[namespace.empty]\n[namespace.arch]\nprefix = 'A/'\nlist = false\n[static]\nhome = \"/srv/%d/\\u00fc \\\"%n\"\n"
	if err := s.Read("f", []byte(text)); err != nil {
		t.Fatal(err)
	}
	for _, o := range []string{"lock_wait = 007", "jobs=3", "static.uid=vmail", "policy=x.toml", "ssl=no", "plugin/x= 1", "namespace.late.location=maildir:/l"} {
		if err := s.Put(o); err != nil {
			t.Fatal(err)
		}
	}
	return &s
}

func TestSet(t *testing.T) {
	s := full(t)
	for key, want := range map[string][2]string{
		MailLocation: {"maildir:~/a", "f:1"}, Jobs: {"3", "-o"}, MaxDelete: {"7", "f:3"}, SpecialUse: {`Sent:\Sent,Old mail:\Trash`, "f:4"},
		UserDatabases: {"passwd,static", "f:5"}, PasswdPath: {"/p # q", "f:6"}, StaticHome: {"/srv/%d/ü \"%n", "f:12"},
		NamespaceKey("arch", "prefix"): {"A/", "f:9"}, NamespaceKey("arch", "list"): {"false", "f:10"}, NamespaceKey("empty", "list"): {"true", "default"},
		NamespaceKey("late", "location"): {"maildir:/l", "-o"}, LockWait: {"7", "-o"},
		LogMaxAge: {"90days", "default"}, MailReplica: {"", ""}, StaticUID: {"vmail", "-o"},
	} {
		if got := [2]string{s.Get(key), s.From(key)}; got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if got := strings.Join(s.Named(Namespace), " "); got != "empty arch late" {
		t.Errorf("namespaces: %q", got)
	}
	if s.Number(Jobs) != 3 || s.Number(LockWait) != 7 || s.Number(FirstValidUID) != 1000 || len(s.Words(SpecialUse)) != 2 || len(s.Words(MaxDelete)) != 1 {
		t.Error("numbers or lists are misread")
	}
	if got := strings.Join(s.Ignored, " "); got != "ssl plugin/x" {
		t.Errorf("ignored: %q", got)
	}
	if !s.FromFile(MaxDelete) || s.FromFile(Jobs) || s.Said(LogMaxAge) || !s.Said(LockWait) {
		t.Error("where values come from is lost")
	}
	if err := s.Put("jobs="); err != nil || s.Said(Jobs) {
		t.Errorf("an empty value stays: %v", err)
	}
	if err := s.Put("special_use="); err != nil || !s.Said(SpecialUse) || s.Get(SpecialUse) != "" {
		t.Errorf("an empty list is none: %v", err)
	}
	s.Assume(Jobs, "5")
	s.Assume(LockWait, "5")
	if s.Get(Jobs) != "5" || s.From(Jobs) != "default" || s.Get(LockWait) != "7" {
		t.Error("an assumed value beats one that was said")
	}
}

// What Text writes says the same when it is read.
func TestTextRoundTrip(t *testing.T) {
	for _, s := range []*Set{{}, full(t)} {
		var again Set
		if err := again.Read("g", []byte(s.Text())); err != nil {
			t.Fatalf("%v in\n%s", err, s.Text())
		}
		for _, r := range Settings() {
			if again.Get(r.Key) != s.Get(r.Key) {
				t.Errorf("%s: %q became %q", r.Key, s.Get(r.Key), again.Get(r.Key))
			}
		}
		for _, n := range s.Named(Namespace) {
			for _, k := range []string{"prefix", "location", "list"} {
				if key := NamespaceKey(n, k); again.Get(key) != s.Get(key) {
					t.Errorf("%s: %q became %q", key, s.Get(key), again.Get(key))
				}
			}
		}
	}
}

// The sample, comments taken away, is a file that is taken; every row is in it.
func TestSample(t *testing.T) {
	var lines []string
	for l := range strings.Lines(Sample()) {
		if rest, ok := strings.CutPrefix(l, "#"); ok && !strings.HasPrefix(rest, " ") {
			l = rest
		}
		lines = append(lines, l)
	}
	var s, commented Set
	if err := s.Read("sample", []byte(strings.Join(lines, ""))); err != nil {
		t.Fatal(err)
	}
	if err := commented.Read("sample", []byte(Sample())); err != nil || len(commented.values) > 0 {
		t.Errorf("the sample sets something: %v, %v", commented.values, err)
	}
	for _, r := range Settings() {
		if !s.Said(r.Key) {
			t.Errorf("%s is not in the sample", r.Key)
		}
		if r.Default != "" && s.Get(r.Key) != r.Default {
			t.Errorf("%s: the sample says %q, the default is %q", r.Key, s.Get(r.Key), r.Default)
		}
		if (r.Default == "") == (r.Example == "") || r.Help == "" {
			t.Errorf("%s: want a default or an example, and help", r.Key)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1\n":                               "f:1:1: unknown key a;",
		"mail_locations = 'x'":                  "f:1:1: unknown key mail_locations; is mail_location meant?",
		"\n[nowhere]\n":                         "f:2:2: unknown table [nowhere]; known are [passwd]",
		"[namespace.'a b']\n":                   "unknown table",
		"[namespace.a.b]\n":                     "unknown table",
		"[namespace.a]\ninbox = true":           "unknown key namespace.a.inbox",
		"[namespace.a]\nlist = 1":               "want true or false",
		"[namespace.a]\nseparator = '**'":       "want one character",
		"[static]\nhoem = '/x'":                 "f:2:1: unknown key static.hoem; is static.home meant?",
		"'passwd.path' = '/x'":                  "f:1:1: unknown key",
		"[[static]]\n":                          "f:1:3: lists of tables",
		"static = 1":                            "f:1:1: unknown key static",
		"jobs = 'many'":                         "f:1:8: jobs: want an integer",
		"jobs = 4.5":                            "f:1:8:",
		"jobs = 2000":                           "want a number from 1 to 1024",
		"mail_location = 1":                     "f:1:17: mail_location: want a string",
		"mail_location = ['a']":                 "mail_location: want a string",
		"mail_location = \"a\\nb\"":             "one line",
		"user_databases = ['passwd', 'ldap']":   `user_databases: "ldap": known are passwd, passwd_file, static`,
		"user_databases = ['a,b']":              "want a list of strings",
		"user_databases = [1]":                  "want a list of strings",
		"special_use = 'Sent'":                  "want NAME",
		"log_max_age = 'long'":                  "log_max_age",
		"log_max_bytes = '10 sheep'":            "log_max_bytes",
		"max_delete = true":                     "want a string or an integer",
		"policy = 'coin'":                       "not one of",
		"[passwd]\npath = 'etc'":                "want an absolute path",
		"jobs = 1\n\njobs = 2":                  "f:3:1: the key stands in line 1 already",
		"ssl = no":                              `where text stands in quotes: ssl = "no"`,
		"x = \"":                                "f:1:",
		"mail_location = maildir:~/Maildir # c": `mail_location = "maildir:~/Maildir"`,
	} {
		var s Set
		err := s.Read("f", []byte(text))
		if !errors.As(err, new(*tomlfile.Error)) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
	for _, bad := range []string{"", "x", "=", "a b=c", "change_log=x", "Changelog=x", "specialuse=x", "jobs=0", "jobs=x", "lock_wait=-1", "user_databases=ldap", "passwd.path=x", "passwd.paht=/x"} {
		var s Set
		if err := s.Put(bad); err == nil {
			t.Errorf("Put(%q): want an error", bad)
		}
	}
	for _, good := range []string{"mail_home=/x", "mail_plugins=", "mailbox_list_index=no", "a.b-c/d=="} {
		var s Set
		if err := s.Put(good); err != nil || len(s.Ignored) != 1 {
			t.Errorf("Put(%q): %v, ignored %q", good, err, s.Ignored)
		}
	}
	var s Set
	if err := s.Read("f", []byte("jobs = 2")); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Blame(Jobs, errors.New("why"))); got != "f:1: jobs: why" {
		t.Errorf("%q", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(Sample())
	f.Add((&Set{}).Text())
	f.Add("jobs = 3\n[static]\nuid='1'\n")
	f.Add("a=b")
	f.Fuzz(func(t *testing.T, text string) {
		var s, again Set
		if err := s.Read("f", []byte(text)); err != nil {
			if !errors.As(err, new(*tomlfile.Error)) {
				t.Errorf("%q: %v has no place", text, err)
			}
			return
		}
		if err := again.Read("g", []byte(s.Text())); err != nil {
			t.Errorf("%q: written as %q: %v", text, s.Text(), err)
		}
	})
}
