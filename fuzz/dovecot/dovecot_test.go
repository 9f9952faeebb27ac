package dovecot

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var when = time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)

const letter = "From: a@example.org\r\nSubject: x\r\n\r\nbody\r\n"

// open makes a store in a fresh directory and a session on it.
func open(t *testing.T, options string) (*Store, *Session, string) {
	t.Helper()
	d := NewT(t)
	dir := filepath.Join(t.TempDir(), "mail")
	s := d.Store("maildir:" + dir + options)
	return s, s.SessionT(t), dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestChangesAreListed(t *testing.T) {
	for _, layout := range []string{"", ":LAYOUT=fs"} {
		t.Run("layout"+layout, func(t *testing.T) {
			_, c, _ := open(t, layout)
			fill(t, c)
			l, err := c.Listing()
			must(t, err)
			checkFilled(t, l)
		})
	}
}

func fill(t *testing.T, c *Session) {
	t.Helper()
	must(t, c.Create("Work/Ünï & co"))
	must(t, c.Subscribe("Work/Ünï & co"))
	for i := range 4 {
		uid, err := c.Append("INBOX", []byte(letter), when.Add(time.Duration(i)*time.Hour), `\Seen`, "work")
		must(t, err)
		if uid != uint32(i+1) {
			t.Fatalf("append %d got UID %d", i, uid)
		}
	}
	must(t, c.AddFlags("INBOX", []uint32{1}, `\Flagged`, "urgent"))
	must(t, c.RemoveFlags("INBOX", []uint32{1}, `\Seen`))
	must(t, c.SetFlags("INBOX", []uint32{2}, `\Draft`))
	must(t, c.Expunge("INBOX", 3))
	must(t, c.Copy("INBOX", "Work/Ünï & co", 1))
	must(t, c.Move("INBOX", "Work/Ünï & co", 4))
	must(t, c.Create("gone"))
	must(t, c.Delete("gone"))
	must(t, c.Create("old"))
	must(t, c.Subscribe("old"))
	must(t, c.Rename("old", "renamed"))
	must(t, c.Unsubscribe("old"))
}

func checkFilled(t *testing.T, l Listing) {
	t.Helper()
	var names []string
	for _, m := range l.Mailboxes {
		names = append(names, m.Name)
		if !m.NoSelect && (len(m.GUID) != 32 || m.UIDValidity == 0) {
			t.Errorf("mailbox %q: guid %q, uidvalidity %d", m.Name, m.GUID, m.UIDValidity)
		}
	}
	want := []string{"INBOX", "Work", "Work/Ünï & co", "renamed"}
	if !reflect.DeepEqual(names, want) {
		t.Fatalf("mailboxes %q, want %q", names, want)
	}
	if !l.Mailbox("Work").NoSelect {
		t.Error("Work should be a place only")
	}
	if want := []string{"Work/Ünï & co"}; !reflect.DeepEqual(l.Subscriptions, want) {
		t.Errorf("subscriptions %q, want %q", l.Subscriptions, want)
	}
	inbox := l.Mailbox("INBOX")
	if len(inbox.Messages) != 2 || inbox.UIDNext != 5 || inbox.HighestModSeq == 0 {
		t.Fatalf("INBOX: %+v", inbox)
	}
	m := inbox.Messages[0]
	want1 := Message{1, m.GUID, []string{`\Flagged`}, []string{"urgent", "work"}, when, int64(len(letter)), m.ModSeq}
	if !reflect.DeepEqual(m, want1) || m.GUID == "" || m.ModSeq == 0 {
		t.Errorf("message 1: %+v, want %+v", m, want1)
	}
	if m := inbox.Messages[1]; fmt.Sprint(m.UID, m.Flags, m.Keywords) != `2 [\Draft] []` {
		t.Errorf("message 2: %v", m)
	}
	if n := len(l.Mailbox("Work/Ünï & co").Messages); n != 2 {
		t.Errorf("%d messages copied and moved, want 2", n)
	}
}

// doveadm is the second witness of what the IMAP listing says.
func TestListingAgreesWithDoveadm(t *testing.T) {
	s, c, _ := open(t, "")
	fill(t, c)
	out, err := s.Doveadm("-f", "tab", "fetch", "uid guid flags date.received size.virtual", "mailbox", "INBOX")
	must(t, err)
	rows := strings.Split(strings.TrimSpace(out), "\n")[1:]
	box, err := c.Examine("INBOX")
	must(t, err)
	for i, m := range box.Messages {
		f := strings.Split(rows[i], "\t")
		date, err := time.Parse("2006-01-02 15:04:05", f[3])
		must(t, err)
		if f[0] != fmt.Sprint(m.UID) || f[1] != m.GUID || !date.Equal(m.Received) || f[4] != fmt.Sprint(m.Size) {
			t.Errorf("doveadm says %q, IMAP says %v", rows[i], m)
		}
		flags := strings.Fields(f[2])
		slices.Sort(flags)
		if !slices.Equal(flags, append(slices.Clone(m.Flags), m.Keywords...)) {
			t.Errorf("doveadm's flags %q, IMAP's %q %q", f[2], m.Flags, m.Keywords)
		}
	}
	status, err := s.Doveadm("-f", "tab", "mailbox", "status", "guid uidvalidity uidnext", "INBOX")
	must(t, err)
	want := fmt.Sprintf("INBOX\t%d\t%d\t%s", box.UIDNext, box.UIDValidity, box.GUID)
	if got := strings.Split(strings.TrimSpace(status), "\n")[1]; got != want {
		t.Errorf("doveadm status %q, want %q", got, want)
	}
}

func TestRefusalLeavesSessionUsable(t *testing.T) {
	_, c, _ := open(t, "")
	err := c.Delete("missing")
	var refused *Refused
	if !errors.As(err, &refused) || refused.Status != "NO" {
		t.Fatalf("delete of a missing mailbox: %v", err)
	}
	if _, err := c.Listing(); err != nil {
		t.Fatal(err)
	}
	must(t, c.Close())
	must(t, c.Close())
}

func TestDoveadmErrorNamesCommand(t *testing.T) {
	s, _, _ := open(t, "")
	_, err := s.Doveadm("mailbox", "delete", "missing")
	var failed *CommandError
	if !errors.As(err, &failed) || failed.Code == 0 || !strings.Contains(err.Error(), "mailbox delete missing") {
		t.Fatalf("got %v", err)
	}
}

func TestSaveTakesNUL(t *testing.T) {
	s, c, dir := open(t, "")
	body := []byte("Subject: nul\n\na\x00b\n")
	must(t, s.Save("INBOX", body))
	box, err := c.Examine("INBOX")
	must(t, err)
	if len(box.Messages) != 1 {
		t.Fatalf("%d messages", len(box.Messages))
	}
	files, err := filepath.Glob(dir + "/*/*,S=*")
	must(t, err)
	got, err := os.ReadFile(files[0])
	must(t, err)
	if string(got) != string(body) {
		t.Errorf("file holds %q, want %q", got, body)
	}
}

func TestTextAndForeignDelivery(t *testing.T) {
	_, c, dir := open(t, "")
	if _, err := c.Listing(); err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "new", "1600000000.M1P1.host"), []byte("Subject: d\n\nhi\n"), 0o600))
	box, err := c.Examine("INBOX")
	must(t, err)
	if len(box.Messages) != 1 || box.Messages[0].GUID != "1600000000.M1P1.host" {
		t.Fatalf("delivered mail is not listed: %+v", box)
	}
	if _, err := os.Stat(filepath.Join(dir, "new", "1600000000.M1P1.host")); err != nil {
		t.Errorf("a listing moved new mail: %v", err)
	}
	text, err := c.Text("INBOX", box.Messages[0].UID)
	must(t, err)
	if string(text) != "Subject: d\r\n\r\nhi\r\n" {
		t.Errorf("text %q", text)
	}
	if _, err := c.Text("INBOX", 99); err == nil {
		t.Error("no error for a missing UID")
	}
}

func TestSyncMakesStoresEqual(t *testing.T) {
	s, c, dir := open(t, "")
	fill(t, c)
	right := s.d.Store("maildir:" + dir + ".right")
	state, code, stderr, err := s.Sync(right.Location(), "-s", "")
	must(t, err)
	if code != 0 || state == "" || stderr != "" {
		t.Fatalf("state %q, status %d, stderr %q", state, code, stderr)
	}
	a, err := s.Listing()
	must(t, err)
	b, err := right.Listing()
	must(t, err)
	if a.String() != b.String() {
		t.Errorf("left:\n%sright:\n%s", a, b)
	}
	if _, code, _, err := s.Sync("nonsense:", "-s", ""); err != nil || code == 0 {
		t.Errorf("bad destination: status %d, error %v", code, err)
	}
}

func TestBothIdentitiesOfRoot(t *testing.T) {
	Require(t)
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root needs another identity")
	}
	for _, identity := range []Identity{AsNamespace, AsNobody} {
		t.Run(identity.String(), func(t *testing.T) {
			if identity == AsNamespace && pickIdentity() != AsNamespace {
				t.Skip("skipped: user namespaces are forbidden here")
			}
			d, err := New(t.TempDir())
			must(t, err)
			d.identity = identity
			dir := filepath.Join(t.TempDir(), "mail")
			must(t, os.MkdirAll(dir+"/cur", 0o700))
			must(t, os.WriteFile(dir+"/cur/1600000000.M1P1.host:2,S", []byte("A: b\n\nc\n"), 0o600))
			c := d.Store("maildir:" + dir).SessionT(t)
			must(t, c.AddFlags("INBOX", []uint32{1}, `\Flagged`))
			if _, err := os.Stat(dir + "/cur/1600000000.M1P1.host:2,FS"); err != nil {
				out, _ := exec.Command("ls", "-laR", dir).CombinedOutput()
				t.Errorf("root's message was not changed: %v\n%s%s", err, out, c.stderr.String())
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	Require(b)
	d, err := New(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	c := d.Store("maildir:" + b.TempDir() + "/mail").SessionT(b)
	for b.Loop() {
		if _, err := c.Append("INBOX", []byte(letter), when); err != nil {
			b.Fatal(err)
		}
	}
}
