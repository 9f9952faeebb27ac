package userdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dsync/cmd/internal/location"
)

func write(t testing.TB, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func silent(t testing.TB) func(string) {
	return func(s string) { t.Errorf("warned: %s", s) }
}

// shown is a user for comparing.
func shown(u *User, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	out := fmt.Sprintf("%s %d:%d %s %s", u.Name, u.UID, u.GID, u.Home, u.Mail)
	for _, k := range slices.Sorted(maps.Keys(u.Extra)) {
		out += " " + k + "=" + u.Extra[k]
	}
	return strings.TrimRight(out, " ")
}

const passwd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/usr/sbin:
+nis::::::
# a comment
ann:x:1000:100:Ann,,,:/home/ann:/bin/bash
bob:x:1001:100:Bob:relative:/bin/sh
carl:x:many:100::/home/carl:/bin/sh
dora:x:1003:100:/home/dora:/bin/sh
vmail:x:5000:5000::/srv/mail:/usr/sbin/nologin
nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin
`

func TestPasswd(t *testing.T) {
	p, err := OpenPasswd(write(t, "passwd", passwd), NewIDs("", ""), 1000, 60000, silent(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	unknown := "error: " + ErrUnknown.Error()
	for name, want := range map[string]string{
		"ann":    "ann 1000:100 /home/ann",
		"vmail":  "vmail 5000:5000 /srv/mail",
		"root":   unknown + ": uid 0 does not count",
		"nobody": unknown + ": uid 65534 does not count",
		"daemon": unknown, "eve": unknown, "+nis": unknown, "# a comment": unknown,
		"bob": "error: passwd:6: user bob: home", "carl": `error: passwd:7: user carl: uid "many"`, "dora": "error: passwd:8: user dora: 6 fields",
	} {
		if got := strings.ReplaceAll(shown(p.Lookup(ctx, name)), p.file, "passwd"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for mask, want := range map[string]string{"": "ann bob carl dora vmail", "*": "ann bob carl dora vmail", "?o*": "bob dora", "x*": "", "ann": "ann"} {
		got, err := List{p}.Names(ctx, mask)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("mask %q: %q, %v; want %q", mask, got, err, want)
		}
	}
	all, err := OpenPasswd(write(t, "passwd", passwd), NewIDs("", ""), 0, 0, silent(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := shown(all.Lookup(ctx, "root")); got != "root 0:0 /root" {
		t.Errorf("root, where it counts: %q", got)
	}
}

const passwdFile = `# Dovecot's
:nobody
ann@a.example:{PLAIN}x:1000:100:Ann:/srv/ann:/bin/sh:userdb_mail=maildir:~/Maildir:LAYOUT=fs  nologin userdb_mail_replica=remote:ann@b.example userdb_quota_rule=*:storage=1G userdb_flag
bare
pass:{PLAIN}y
named:{PLAIN}y:vmail:mail::/srv/%n::
old::1001:1001::/home/old:::maildir:/m/old:INBOX=/i
bare:again:1:1
zero:x:0:0
huge:x:4294967295:1
neg:x:-1:1
rel:x:1:1::home
none:x:nosuch:1
key:x:1:1::::userdb_=1
ids:x:1:1::/h::userdb_uid=7 userdb_gid=8 userdb_home=/other
`

func openFile(t testing.TB, text string, warn func(string)) *PasswdFile {
	ids := NewIDs(write(t, "passwd", passwd), write(t, "group", "root:x:0:\nmail:x:8:ann,bob\n"))
	p, err := OpenPasswdFile(write(t, "users", text), ids, warn)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPasswdFile(t *testing.T) {
	var warned []string
	p := openFile(t, passwdFile, func(s string) { warned = append(warned, s) })
	for name, want := range map[string]string{
		"ann@a.example": "ann@a.example 1000:100 /srv/ann maildir:~/Maildir:LAYOUT=fs flag= mail_replica=remote:ann@b.example quota_rule=*:storage=1G",
		"bare":          "bare 0:0", "pass": "pass 0:0", "named": "named 5000:8 /srv/%n", "old": "old 1001:1001 /home/old maildir:/m/old:INBOX=/i",
		"zero": "error: users:9: user zero: uid 0 is root's; mail belongs to others",
		"huge": `error: users:10: user huge: uid "4294967295" is not a number from 0 to 4294967294`,
		"neg":  `error: users:11: user neg: uid "-1": passwd has no such name`,
		"rel":  `error: users:12: user rel: home "home" is not an absolute path`,
		"none": `error: users:13: user none: uid "nosuch": passwd has no such name`,
		"key":  `error: users:14: user key: an extra field "userdb_" has no name`,
		"ids":  "ids 7:8 /other", "eve": "error: " + ErrUnknown.Error(),
	} {
		got := shown(p.Lookup(t.Context(), name))
		for _, file := range []string{p.file, p.ids.passwd} {
			got = strings.ReplaceAll(got, file, filepath.Base(file))
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "users:8: user bare stands in line 4 already") {
		t.Errorf("warned of %q", warned)
	}
	if e := (*EntryError)(nil); !errors.As(lookupError(p, "zero"), &e) || e.User != "zero" {
		t.Errorf("zero: not an EntryError")
	}
	got, err := List{p}.Names(t.Context(), "*@*")
	if err != nil || !slices.Equal(got, []string{"ann@a.example"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func lookupError(d Database, name string) error {
	_, err := d.Lookup(context.Background(), name)
	return err
}

// A line that is no entry is left out and named; the others count.
func TestHostileLines(t *testing.T) {
	text := "good:x:1:1\n../etc:x:1:1\na/b:x\n" + strings.Repeat("l", MaxLine+1) + ":x:1:1\nctl\x01:x\n\xff\xfe:x:2:2\r\nlast:x:3:3::/h"
	var warned []string
	p := openFile(t, text, func(s string) { warned = append(warned, s) })
	got, err := List{p}.Names(t.Context(), "")
	if want := []string{"good", "\xff\xfe", "last"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if len(warned) != 4 {
		t.Errorf("warned of %q", warned)
	}
	if got := shown(p.Lookup(t.Context(), "\xff\xfe")); got != "\xff\xfe 2:2" {
		t.Errorf("%q", got)
	}
	many := strings.Repeat("userdb_a=b ", MaxExtra+1)
	if err := lookupError(openFile(t, "x:::::::"+many, silent(t)), "x"); err == nil || !strings.Contains(err.Error(), "extra fields") {
		t.Errorf("%d extra fields: %v", MaxExtra+1, err)
	}
	if _, err := OpenPasswd(write(t, "bom", "\ufeffann:x:1:1:::\n"), NewIDs("", ""), 1, 0, silent(t)); err == nil {
		t.Error("a byte order mark became part of a name")
	}
	if _, err := OpenPasswd(t.TempDir(), NewIDs("", ""), 1, 0, silent(t)); err == nil {
		t.Error("a directory was read")
	}
}

func TestList(t *testing.T) {
	ctx := t.Context()
	file := openFile(t, "ann::1:1::/own\nbob\nbad:x:0:0\n", silent(t))
	system, err := OpenPasswd(write(t, "passwd", passwd), NewIDs("", ""), 1000, 60000, silent(t))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := NewTemplate("5000", "5000", "/srv/%d/%n", "maildir:~/M", NewIDs("", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		l          List
		name, want string
	}{
		{List{file, system}, "ann", "ann 1:1 /own"},
		{List{system, file}, "ann", "ann 1000:100 /home/ann"},
		{List{file, system}, "vmail", "vmail 5000:5000 /srv/mail"},
		{List{file, system}, "eve", `error: no user database has the user "eve" (asked: passwd_file, passwd)`},
		{List{file, system, tpl}, "eve", `error: no user database has the user "eve" (asked: passwd_file, passwd)`},
		{List{tpl, file}, "ann", "ann 1:1 /own maildir:~/M"},
		{List{file, tpl}, "bob", "bob 5000:5000 /srv//bob maildir:~/M"},
		{List{tpl}, "eve@x", "eve@x 5000:5000 /srv/x/eve maildir:~/M"},
		{List{tpl}, "../x", `error: no such user: "../x" cannot be a user's name`},
	} {
		if got := shown(c.l.Lookup(ctx, c.name)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	// An entry that is broken is not passed over for the next database.
	if _, err := (List{file, system}).Lookup(ctx, "bad"); !errors.As(err, new(*EntryError)) {
		t.Errorf("bad: %v", err)
	}
	if got, err := (List{file, tpl, system}).Names(ctx, ""); err != nil || strings.Join(got, " ") != "ann bob bad carl dora vmail" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := (List{tpl}).Names(ctx, ""); !errors.Is(err, ErrNoList) || !strings.Contains(err.Error(), "-F FILE") {
		t.Errorf("a template alone lists users: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := (List{system}).Names(gone, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTemplateErrors(t *testing.T) {
	ids := NewIDs(write(t, "passwd", passwd), write(t, "group", ""))
	for _, c := range [][4]string{{"0", "", "", ""}, {"root", "", "", ""}, {"", "nosuch", "", ""}, {"", "", "srv", ""}} {
		if _, err := NewTemplate(c[0], c[1], c[2], c[3], ids); err == nil {
			t.Errorf("%q: want an error", c)
		}
	}
	tpl, err := NewTemplate("vmail", "", "/%z", "", ids)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (List{tpl}).Lookup(t.Context(), "x"); err == nil {
		t.Error("an unknown variable was taken")
	}
}

// Whatever a file holds, what comes out of it is within the contract.
func FuzzPasswdFile(f *testing.F) {
	f.Add(passwdFile)
	f.Add(passwd)
	f.Add("a:::::::\n\n:\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		p := openFile(t, text, func(string) {})
		names, err := List{p}.Names(t.Context(), "")
		if err != nil {
			t.Skip()
		}
		for _, n := range names {
			if location.CheckUser(n) != nil {
				t.Errorf("listed %q", n)
			}
			u, err := p.Lookup(t.Context(), n)
			if err == nil && (u.Name != n || u.Home != "" && u.Home[0] != '/' || len(u.Extra) > MaxExtra) {
				t.Errorf("%+v", u)
			}
			if err != nil && !errors.As(err, new(*EntryError)) {
				t.Errorf("%q: %v", n, err)
			}
		}
	})
}
