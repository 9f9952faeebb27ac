package settings

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	var s Set
	err := s.Read("f", strings.NewReader("# c\n\n mail_location = maildir:~/a # tail\r\nchangelog='/x # y'\nssl=no\nplugin/x = 1\nchangelog = \"\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put("special_use=a=b"); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{MailLocation: "maildir:~/a", ChangeLog: "", SpecialUse: "a=b"} {
		if got, ok := s.Get(k); !ok || got != want {
			t.Errorf("%s = %q, %v; want %q", k, got, ok, want)
		}
	}
	if s.File(MailLocation) != "f" || s.File(SpecialUse) != "" {
		t.Error("the origin of a setting is lost")
	}
	if strings.Join(s.Ignored, " ") != "ssl plugin/x" {
		t.Errorf("ignored: %q", s.Ignored)
	}
	if _, ok := s.Get("ssl"); ok {
		t.Error("ssl is kept")
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1\nnamespace inbox {\n":           "f:2:",
		"!include x\n":                         "f:1:",
		"= x":                                  "f:1:",
		"a b = x":                              "f:1:",
		"a = \"x":                              "not closed",
		"a = '":                                "not closed",
		"x = 1\n\nmail_locations = maildir:x":  `f:3: setting "mail_locations" is not known; is "mail_location"`,
		"a=" + strings.Repeat("x", MaxLine+10): "f:1:",
		strings.Repeat("\n", MaxLines+1):       "more than",
	} {
		var s Set
		if err := s.Read("f", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v; want %q", text, err, want)
		}
	}
	for _, bad := range []string{"", "x", "=", "a b=c", "change_log=x", "Changelog=x", "specialuse=x"} {
		var s Set
		if err := s.Put(bad); err == nil {
			t.Errorf("Put(%q): want an error", bad)
		}
	}
	for _, good := range []string{"mail_home=/x", "mail_plugins=", "mailbox_list_index=no", "a.b-c/d=="} {
		var s Set
		if err := s.Put(good); err != nil {
			t.Errorf("Put(%q): %v", good, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"a = b # c\n", "changelog = \"x\"\n", "a='\n", "# x\n\n=\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s Set
		if s.Read("f", strings.NewReader(text)) == nil && len(s.Ignored) > strings.Count(text, "=") {
			t.Errorf("%q: %q", text, s.Ignored)
		}
	})
}
