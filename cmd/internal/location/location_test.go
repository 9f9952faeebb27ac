package location

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func ann(home string) *Vars {
	return &Vars{User: "Ann@Example.org", Home: func() (string, error) { return home, nil }}
}

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"maildir:/m":                             "maildir:/m",
		"maildir:/m/":                            "maildir:/m",
		"maildir:///":                            "maildir:/",
		"maildir:~/Maildir":                      "maildir:/home/ann/Maildir",
		"maildir:~":                              "maildir:/home/ann",
		"maildir:%h/Maildir":                     "maildir:/home/ann/Maildir",
		"maildir:/m/%d/%n":                       "maildir:/m/Example.org/Ann",
		"maildir:/m/%Ld/%Un/%{user}":             "maildir:/m/example.org/ANN/Ann@Example.org",
		"maildir:/m/100%%":                       "maildir:/m/100%",
		"maildir:/m:LAYOUT=fs:DIRNAME=.box":      "maildir:/m:LAYOUT=fs:DIRNAME=.box",
		"maildir:/m:LAYOUT=Maildir++":            "maildir:/m",
		"maildir:/m:UTF-8:CONTROL=~/c:INBOX=/i/": "maildir:/m:UTF-8:CONTROL=/home/ann/c:INBOX=/i",
		"maildir:/m:INDEX=MEMORY":                "maildir:/m:INDEX=MEMORY",
		"maildir:/m:SUBSCRIPTIONS=%u.subs":       "maildir:/m:SUBSCRIPTIONS=Ann@Example.org.subs",
		"maildir:/a::b:INDEX=/i::j":              "maildir:/a::b:INDEX=/i::j",
		"maildir:/m:":                            "maildir:/m",
	} {
		l, err := Parse(in, ann("/home/ann"))
		if err != nil || l.String() != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", in, l, err, want)
		}
	}
	for _, in := range []string{
		"", "maildir", "maildir:", "/m", "maildir:/m:X=1", "maildir:/m:layout=fs", "maildir:/m:LAYOUT=index", "maildir:/m:UTF-8=1",
		"maildir:/m:DIRNAME=x", "maildir:/m:LAYOUT=fs:DIRNAME=a/b", "maildir:/m:SUBSCRIPTIONS=..", "maildir:/m:CONTROL=",
		"maildir:/m:INDEX=/a:INDEX=/b", "maildir:/m\x00", "maildir:/m/%z", "maildir:/m/%", "maildir:/m/%{user",
		"maildir:/" + strings.Repeat("x", MaxLength), "maildir:/" + strings.Repeat("%u", MaxLength/2-10),
	} {
		if l, err := Parse(in, ann("/home/ann")); err == nil {
			t.Errorf("Parse(%.80q) = %+v: want an error", in, l)
		}
	}
}

// A user's name never brings in a key or leaves its directory.
func TestHostileUser(t *testing.T) {
	for _, u := range []string{"..", "a/../../etc", "..@x", "a@..", "a\nb", "", "/", "a\x00"} {
		if l, err := Parse("maildir:/m/%u", &Vars{User: u}); !errors.Is(err, ErrNoUser) {
			t.Errorf("user %q: %v, %v; want ErrNoUser", u, l, err)
		}
	}
	l, err := Parse("maildir:/m/%u", &Vars{User: "a:UTF-8:LAYOUT=fs"})
	if err != nil || l.UTF8 || l.FS || l.Path != "/m/a:UTF-8:LAYOUT=fs" {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := Parse("maildir:~/m", &Vars{User: "x"}); !errors.Is(err, ErrNoUser) {
		t.Errorf("no home: %v", err)
	}
}

func TestVaries(t *testing.T) {
	for s, want := range map[string]bool{
		"maildir:/m": false, "maildir:/m/%u": true, "maildir:/m/%%u": false, "maildir:~/m": true, "~/m": true, "~": true,
		"maildir:/m:INBOX=~/x": true, "maildir:/m/%%%n": true, "maildir:/a~/b": false, "%": false,
	} {
		if Varies(s) != want {
			t.Errorf("Varies(%q) = %v", s, !want)
		}
	}
}

func TestHost(t *testing.T) {
	for s, want := range map[string]bool{
		"host": true, "ann@host": true, "ann@x.org@host.org": true, "[::1]": true, "ann@[::1]": true, "1.2.3.4": true,
		".": false, "..": false, "./x": false, "a/b": false, "@host": false, "ann@": false, "ann@a b": false, "-x": false, "h:1": false, "": false,
	} {
		if isHost(s) != want {
			t.Errorf("isHost(%q) = %v", s, !want)
		}
	}
}

func mkdirs(t *testing.T, dirs ...string) {
	t.Helper()
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDetect(t *testing.T) {
	home := t.TempDir()
	t.Chdir(home)
	mkdirs(t, "plus/cur", "sub/.a/cur", "fs/cur", "fs/a/cur", "mail", "with space/cur")
	v := ann(home)
	for word, want := range map[string]string{
		"./plus": "maildir:" + home + "/plus", "~/plus": "maildir:" + home + "/plus", "./sub": "maildir:" + home + "/sub",
		"./with space": "maildir:" + home + "/with space", "maildir:~/new": "maildir:" + home + "/new",
	} {
		got, err := OneWord(word, v)
		if err == nil && strings.HasPrefix(got.Path, home+"/./") {
			got.Path = filepath.Clean(got.Path)
		}
		if err != nil || got.String() != want {
			t.Errorf("%q = %q, %v; want %q", word, got, err, want)
		}
	}
	for word, why := range map[string]string{
		"./fs": "LAYOUT=fs", "./mail": "holds no Maildir", "./none": "no such directory", "": "empty", "plus": "write ./plus",
	} {
		if _, err := OneWord(word, v); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v; want %q", word, err, why)
		}
	}
	if _, err := Home(v); err == nil || !strings.Contains(err.Error(), "holds no Maildir") {
		t.Errorf("Home: %v", err)
	}
	mkdirs(t, "Maildir/cur")
	if l, err := Home(v); err != nil || l.Path != home+"/Maildir" {
		t.Errorf("Home: %v, %v", l, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"maildir:/m:LAYOUT=fs:DIRNAME=.x:UTF-8", "maildir:/a::b::::c:", "maildir:~/%u:INBOX=%h", "mbox:x", "maildir::::", "maildir:%Lu%%%{domain}", "a@b",
	} {
		f.Add(s, "ann@x")
	}
	f.Fuzz(func(t *testing.T, s, user string) {
		v := &Vars{User: user, Home: func() (string, error) { return "/home/ann", nil }}
		l, err := Parse(s, v)
		if err != nil {
			return
		}
		again, err := Parse(l.String(), nil)
		if err != nil && len(l.String()) <= MaxLength || err == nil && again != l {
			t.Errorf("Parse(%q, %q) = %+v, written %q, read %+v, %v", s, user, l, l, again, err)
		}
		for _, p := range []string{l.Path, l.Control, l.Inbox} {
			if p != "" && p[0] != '/' || strings.Contains(p, "\x00") {
				t.Errorf("Parse(%q, %q): path %q", s, user, p)
			}
		}
	})
}

// A user's name never becomes a command of a shell at the far end, nor an option.
func TestRemoteNames(t *testing.T) {
	const command = "ssh -l%{login} %{host} dsync server -u%u"
	target := func(user string, words ...string) (Target, error) {
		return Destination(words, &Vars{User: user}, command, "4711")
	}
	for _, user := range []string{"x;reboot", "$(id)", "a b", "`id`", "a|b", "a&b", "a'b", `a"b`, "a>b", "a\\b", "*", "-oProxyCommand=x"} {
		for _, words := range [][]string{{"remote:host"}, {"ssh", "host", "dsync", "server", "-u", "%u"}, {"ssh host dsync server -u %u"}} {
			if got, err := target(user, words...); !errors.Is(err, ErrNoUser) {
				t.Errorf("%q, %q: %+v, %v; want ErrNoUser", user, words, got, err)
			}
		}
		if _, err := target(user, "tcps:host"); err != nil {
			t.Errorf("%q by tcps: %v", user, err)
		}
	}
	for want, words := range map[string][]string{
		"ssh -lann host dsync server -uAnn@Example.org":      {"remote:ann@host"},
		"ssh host dsync server -uAnn@Example.org":            {"host"},
		"ssh host dsync server -u Ann@Example.org 100%":      {"ssh", "host", "dsync", "server", "-u", "%u", "100%"},
		"ssh host dsync server -u Ann of Example.org":        {"ssh host dsync server -u %n of %d"},
		"ssh -i id_dsa.dovecot h doveadm dsync-server -uann": {"ssh", "-i", "id_dsa.dovecot", "h", "doveadm", "dsync-server", "-uann"},
	} {
		got, err := target("Ann@Example.org", words...)
		if err != nil || strings.Join(got.Argv, " ") != want {
			t.Errorf("%q: %q, %v; want %q", words, got.Argv, err, want)
		}
	}
	for text, want := range map[string]string{"tcp:h": "h:4711", "tcps:h:99": "h:99", "tcps:[::1]:99": "[::1]:99", "tcp:[::1]": "[::1]:4711"} {
		if got, err := target("ann", text); err != nil || got.Address != want || got.TLS != strings.HasPrefix(text, "tcps") {
			t.Errorf("%s: %+v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"remote:", "remote:-x", "remote:-l@h", "remote:a/b", "tcp:", "tcp:h:0", "tcp:h:x", "tcp:::1", "tcps:a@h", "remote:h:22"} {
		if got, err := target("ann", text); err == nil {
			t.Errorf("%s: %+v; want an error", text, got)
		}
	}
}
