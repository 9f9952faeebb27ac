package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/opener"
	"dsync/fuzz/dovecot"
	"dsync/fuzz/genmail"
)

// dump --json shows what Dovecot shows of the same Maildir, RFC822.SIZE of mail
// with any line ends included, and verify finds two copies equal.
func TestDumpAgainstDovecot(t *testing.T) {
	d := dovecot.NewT(t)
	dir := t.TempDir() + "/A"
	if err := genmail.Generate(genmail.Options{Root: dir, Messages: 20, Mailboxes: 3, Seed: 5, Average: 900}); err != nil {
		t.Fatal(err)
	}
	c := d.Store("maildir:" + dir).SessionT(t)
	when := time.Date(2031, 2, 28, 23, 59, 59, 0, time.UTC)
	for i, body := range []string{"A: b\n\nx\ny", "A: b\r\n\r\nx\r\n\r", "A: b\n\n\r\r\n\n", "no header end"} {
		if _, err := c.Append("M0001", []byte(body), when.Add(time.Duration(i)*time.Hour), `\Flagged`, "work", "Apple"); err != nil {
			t.Fatal(err)
		}
	}
	seen, err := c.Listing()
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, m := range seen.Mailboxes {
		fmt.Fprintf(&want, "%s %s %d %d %v\n", m.Name, m.GUID, m.UIDValidity, m.UIDNext, slices.Contains(seen.Subscriptions, m.Name))
		for _, x := range m.Messages {
			fmt.Fprintf(&want, "  %d %s %q %q %s %d\n", x.UID, x.GUID, x.Flags, x.Keywords, x.Received.Format(time.RFC3339), x.Size)
		}
	}
	if got := dumped(t, dir); got != want.String() {
		t.Errorf("dump --json:\n%s\nDovecot:\n%s", got, want.String())
	}
}

// dumped runs dump --json and writes what it says in the form of the test above.
func dumped(t *testing.T, dir string) string {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{
		stdout: &out, env: func(string) string { return "" }, now: time.Now, uid: 1000,
		homeOf: func(string) (string, error) { return t.TempDir(), nil }, msg: messages{w: &errs},
		calls: calls{look: opener.Look, modSeqs: func(context.Context, engine.LogOptions) (engine.ModSeqs, error) { return nil, nil }},
	}
	if exit := p.main(t.Context(), []string{"dump", "--json", "maildir:" + dir}); exit != 0 || errs.Len() > 0 {
		t.Fatalf("exit %d, %s", exit, errs.String())
	}
	var account struct {
		Mailboxes []struct {
			Name, GUID           string
			UIDValidity, UIDNext uint32
			Subscribed           bool
			Messages             []struct {
				UID             uint32
				GUID, Received  string
				Flags, Keywords []string
				Size            int64
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &account); err != nil {
		t.Fatal(err)
	}
	var w strings.Builder
	for _, m := range account.Mailboxes {
		fmt.Fprintf(&w, "%s %s %d %d %v\n", m.Name, m.GUID, m.UIDValidity, m.UIDNext, m.Subscribed)
		for _, x := range m.Messages {
			fmt.Fprintf(&w, "  %d %s %q %q %s %d\n", x.UID, x.GUID, x.Flags, x.Keywords, x.Received, x.Size)
		}
	}
	return w.String()
}
