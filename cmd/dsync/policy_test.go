package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dsync/cmd/internal/engine"
)

// real runs the program with the real engine.
func real(t *testing.T, dir string, args ...string) (exit int, stdout string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{
		stdout: &out, env: func(k string) string { return map[string]string{"HOME": dir, "USER": "ann"}[k] }, now: time.Now, uid: 1000,
		homeOf: systemHome, msg: messages{w: &errs}, calls: ofEngine,
	}
	exit = p.main(context.Background(), args)
	if errs.Len() > 0 {
		t.Logf("dsync %v: %s", args, errs.String())
	}
	return exit, out.String()
}

// A policy file that decides otherwise than safe: both ends agree, the log names the
// rule and the policy, and runs of another policy afterwards, and all that only looks,
// leave it as it was decided.
func TestSyncWithPolicyFile(t *testing.T) {
	dir := t.TempDir()
	path := func(p ...string) string { return filepath.Join(append([]string{dir}, p...)...) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	subscribed := func(side string) string {
		b, err := os.ReadFile(path(side, "subscriptions"))
		must(err)
		return string(b)
	}
	put := func(side, text string) {
		t.Helper()
		must(os.WriteFile(path(side, "subscriptions"), []byte(text), 0o600))
		time.Sleep(30 * time.Millisecond) // so that a look tells one state from the next
	}
	sync := func(to string, more ...string) {
		t.Helper()
		args := append([]string{"-o", "mail_location=maildir:" + path("A"), "-o", "changelog=" + path("log"), "sync", "-s", "auto"}, more...)
		if exit, _ := real(t, dir, append(args, "maildir:"+path(to))...); exit != 0 {
			t.Fatalf("sync with %s %v: exit %d", to, more, exit)
		}
	}
	for _, d := range []string{"cur", "new", "tmp", ".Work/cur", ".Work/new", ".Work/tmp"} {
		must(os.MkdirAll(path("A", d), 0o700))
	}
	must(os.WriteFile(path("mine.toml"), []byte("[rules]\nsubscription = \"unsubscribed-wins\"\n"), 0o600))
	put("A", "Work\n")
	sync("B")
	both := subscribed("A")
	none := strings.TrimSuffix(strings.Replace(both, "Work\n", "", 1), "\n\n")
	put("A", none)
	sync("C")
	put("B", none) // unsubscribed there, and then subscribed again here: safe goes by the later
	put("A", both)
	sync("B", "--policy", path("mine.toml"))
	for _, side := range []string{"A", "B"} {
		if s := subscribed(side); strings.Contains(s, "Work") {
			t.Errorf("%s has %q", side, s)
		}
		_, log := real(t, dir, "-o", "changelog="+path("log"), "log", "maildir:"+path(side))
		if !strings.Contains(log, `rule 21 (subscription) "Work": kept unsubscribed, overrode subscribed: policy mine: unsubscribed wins`) {
			t.Errorf("the log of %s does not name rule and policy:\n%s", side, log)
		}
		if exit, out := real(t, dir, "-o", "changelog="+path("log"), "check", "maildir:"+path(side)); exit != 0 {
			t.Errorf("check %s: exit %d, %s", side, exit, out)
		}
	}
	if exit, out := real(t, dir, "-o", "mail_location=maildir:"+path("A"), "-o", "changelog="+path("log"), "plan", "maildir:"+path("B")); exit != engine.ExitOK || out != "" {
		t.Errorf("plan of another policy: exit %d, %s", exit, out)
	}
	sync("B")
	if exit, out := real(t, dir, "verify", "maildir:"+path("A"), "maildir:"+path("B")); exit != 0 {
		t.Errorf("verify: exit %d, %s", exit, out)
	}
	if s := subscribed("A") + subscribed("B"); strings.Contains(s, "Work") {
		t.Errorf("after a run of safe: %q", s)
	}
}
