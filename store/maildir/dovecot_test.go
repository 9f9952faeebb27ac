package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dsync/fuzz/require"
	"dsync/store"
)

// dovecot runs doveadm on a location.
type dovecot struct {
	t    *testing.T
	conf string
	loc  string
	home string
}

// newDovecot gives a Dovecot without a server, or skips the test.
func newDovecot(t *testing.T, dir string, loc string) *dovecot {
	t.Helper()
	require.Program(t, "dovecot", "doveadm")
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		// Dovecot reads no mail as root.
		u, err := user.Lookup("mail")
		must(t, err)
		uid, _ = strconv.Atoi(u.Uid)
		gid, _ = strconv.Atoi(u.Gid)
	}
	d := &dovecot{t: t, conf: dir + "/dovecot.conf", loc: loc, home: dir}
	must(t, os.WriteFile(d.conf, fmt.Appendf(nil, `base_dir = %[1]s/run
log_path = /dev/stderr
ssl = no
mail_uid = %[2]d
mail_gid = %[3]d
first_valid_uid = 1
first_valid_gid = 0
mail_home = %[1]s
mail_location = %[4]s
namespace inbox {
  inbox = yes
  separator = /
}
`, dir, uid, gid, loc), 0o644))
	// The test's directories belong to root and others may not look in.
	for p := dir; p != os.TempDir() && p != "/"; p = filepath.Dir(p) {
		must(t, os.Chmod(p, 0o755))
	}
	must(t, os.Chown(dir, uid, gid))
	return d
}

func (d *dovecot) run(args ...string) string {
	d.t.Helper()
	out, err := d.try("", args...)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func (d *dovecot) try(stdin string, args ...string) (string, error) {
	cmd := exec.Command("doveadm", append([]string{"-c", d.conf}, args...)...)
	cmd.Dir = d.home
	cmd.Env = append(os.Environ(), "USER=root", "TZ=UTC", "HOME="+d.home, "PWD="+d.home)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("doveadm %q: %w\n%s", args, err, errs.String())
	}
	if text := errs.String(); strings.Contains(text, "Error") || strings.Contains(text, "Warning") {
		return "", fmt.Errorf("doveadm %q complains:\n%s", args, text)
	}
	return out.String(), nil
}

// shows lists a mailbox as Dovecot shows it, one line a message.
func (d *dovecot) shows(n store.Name) []string {
	d.t.Helper()
	text := d.run("-f", "tab", "fetch", "uid guid flags date.received size.physical size.virtual", "mailbox", string(n), "ALL")
	var out []string
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Split(line, "\t")
		if i == 0 || len(f) < 6 {
			continue
		}
		flags := slices.DeleteFunc(strings.Fields(f[2]), func(s string) bool { return s == `\Recent` })
		slices.Sort(flags)
		out = append(out, fmt.Sprintf("%s %s %v %s %s", f[0], f[1], flags, f[3], f[4]))
	}
	return out
}

func (d *dovecot) status(n store.Name) string {
	d.t.Helper()
	text := d.run("-f", "tab", "mailbox", "status", "uidvalidity uidnext guid", string(n))
	lines := strings.Split(strings.TrimSpace(text), "\n")
	f := strings.Split(lines[len(lines)-1], "\t")
	return strings.Join(f[1:], " ")
}

// weShow lists it as this package shows it.
func weShow(t *testing.T, s *Store, n store.Name) []string {
	t.Helper()
	msgs, _ := scan(t, s, n)
	slices.SortFunc(msgs, func(a, b store.Message) int { return int(a.UID) - int(b.UID) })
	var out []string
	for _, m := range msgs {
		flags := append(m.Flags.Names(), m.Keywords...)
		slices.Sort(flags)
		out = append(out, fmt.Sprintf("%d %s %v %s %d", m.UID, m.Content.GUID, flags,
			m.Received.Format("2006-01-02 15:04:05"), m.Content.Size))
	}
	return out
}

func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%v\nwant\n%v", what, got, want)
	}
}

// alike compares everything that both show of a mailbox.
func (d *dovecot) alike(s *Store, n store.Name) {
	d.t.Helper()
	same(d.t, "Dovecot's messages of "+string(n), d.shows(n), weShow(d.t, s, n))
	st, err := s.Status(bg, n)
	must(d.t, err)
	same(d.t, "status of "+string(n), []string{d.status(n)}, []string{fmt.Sprintf("%d %d %s", st.UIDNext, st.UIDValidity, st.GUID)})
}

func TestDovecot(t *testing.T) {
	for name, opts := range map[string]Options{
		"maildir++": {}, "fs": {FS: true}, "utf8": {UTF8: true}, "fs-utf8": {FS: true, UTF8: true},
		"control": {Control: "x"}, "inbox": {Inbox: "x"}, "dirname": {FS: true, DirName: "mAil"},
		"fs-control-dirname": {FS: true, DirName: "mAil", Control: "x"}, "subs": {Subscriptions: "subs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withDovecot(t, opts)
		})
	}
}

func withDovecot(t *testing.T, o Options) {
	dir := testDir(t)
	o.Path = dir + "/M"
	if o.Control != "" {
		o.Control = dir + "/control"
	}
	if o.Inbox != "" {
		o.Inbox = dir + "/inbox"
	}
	d := newDovecot(t, dir, o.String())
	s := create(t, o)
	giveTo(t, dir, d)
	boxes := []store.Name{"INBOX", "A", "A/B", "Entwürfe", "a&b", "INBOX/sub"}
	for i, n := range boxes[1:] {
		must(t, s.CreateMailbox(bg, n, store.Status{GUID: store.MailboxGUID{9, byte(i)}, UIDValidity: 1700000000 + store.UIDValidity(i), UIDNext: 7}))
	}
	_, err := s.Apply(bg, "INBOX", &store.Change{GUID: store.MailboxGUID{8}, UIDValidity: 1690000000, UIDNext: 3})
	must(t, err)
	must(t, s.SetSubscribed(bg, "A/B", true))
	must(t, s.SetSubscribed(bg, "Entwürfe", true))
	for i, n := range boxes {
		put(t, s, n, store.NewMessage{UID: 11, Flags: store.Seen | store.Flagged, Keywords: []string{"$Work", "x"},
			Received: time.Unix(1500000000+int64(i), 0)}, "Subject: one\n\nbody\n")
		put(t, s, n, store.NewMessage{Key: "1700000000.M1P1.h,S=14,W=17", UID: 12, Content: store.Content{GUID: "1700000000.M1P1.h,S=14,W=17"}}, "A: b\n\n1234567\n")
		put(t, s, n, store.NewMessage{UID: 15, Content: store.Content{GUID: "0123456789abcdef"}, Keywords: []string{"y"}}, "A: b\r\n\r\nx\r\n")
	}
	for _, n := range boxes {
		d.alike(s, n)
	}
	subs := strings.Fields(d.run("mailbox", "list", "-s"))
	slices.Sort(subs)
	same(t, "subscriptions", subs, []string{"A/B", "Entwürfe"})
	dovecotChanges(t, d, s)
	ourChanges(t, d, s)
}

// giveTo hands what was made to Dovecot's user.
func giveTo(t *testing.T, dir string, _ *dovecot) {
	t.Helper()
	in, err := os.Stat(dir)
	must(t, err)
	uid, gid := owner(in)
	must(t, filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, uid, gid)
	}))
}

// dovecotChanges lets Dovecot change mail, and sees whether we see it.
func dovecotChanges(t *testing.T, d *dovecot, s *Store) {
	d.run("flags", "add", `\Answered $Later`, "mailbox", "A", "uid", "11")
	d.run("flags", "remove", `\Seen $Work`, "mailbox", "A", "uid", "11")
	d.run("expunge", "mailbox", "A", "uid", "12")
	_, err := d.try("Subject: new\n\nfrom dovecot\n", "save", "-m", "A")
	must(t, err)
	d.run("move", "A/B", "mailbox", "A", "uid", "15")
	d.run("copy", "Entwürfe", "mailbox", "a&b", "uid", "12")
	d.run("mailbox", "create", "made/here")
	d.run("mailbox", "subscribe", "made/here")
	for _, n := range []store.Name{"A", "A/B", "Entwürfe", "a&b", "INBOX"} {
		d.alike(s, n)
	}
	tree, _, err := s.Tree(bg)
	must(t, err)
	if !slices.Contains(tree.Subscriptions, "made/here") {
		t.Errorf("subscriptions %q", tree.Subscriptions)
	}
	if !slices.ContainsFunc(tree.Mailboxes, func(m store.MailboxInfo) bool { return m.Name == "made/here" && !m.NoSelect }) {
		t.Errorf("mailboxes %+v", tree.Mailboxes)
	}
	if len(tree.Skipped) > 0 {
		t.Errorf("skipped %v", tree.Skipped)
	}
	d.alike(s, "made/here")
}

// ourChanges changes mail that Dovecot has had in its hands and its indexes.
func ourChanges(t *testing.T, d *dovecot, s *Store) {
	msgs, _ := scan(t, s, "A")
	in, _ := scan(t, s, "A/B")
	st, err := s.Status(bg, "A")
	must(t, err)
	var pick store.Message
	for _, m := range in {
		if m.UID == 11 {
			pick = m
		}
	}
	res, err := s.Apply(bg, "A", &store.Change{
		UIDNextSeen: st.UIDNext,
		In:          []store.MoveIn{{From: "A/B", Handle: pick.Handle, UID: st.UIDNext, GUID: pick.Content.GUID, Flags: store.Deleted, Keywords: []string{"fresh"}}},
		Flags:       []store.FlagChange{{Handle: msgs[0].Handle, Flags: store.Draft, Keywords: []string{"$Later"}}},
		UIDNext:     st.UIDNext + 10,
	})
	must(t, err)
	must(t, res.In[0].Err)
	must(t, res.Flags[0].Err)
	d.alike(s, "A")
	d.alike(s, "A/B")
	must(t, s.RenameMailboxes(bg, []store.Rename{{From: "A", To: "A/B"}, {From: "A/B", To: "A"}}))
	must(t, s.RenameMailboxes(bg, []store.Rename{{From: "Entwürfe", To: "x/y/Müll"}}))
	for _, n := range []store.Name{"A", "A/B", "x/y/Müll"} {
		d.alike(s, n)
	}
	must(t, s.DeleteMailbox(bg, "made/here"))
	list := strings.Fields(d.run("mailbox", "list"))
	if slices.Contains(list, "made/here") || slices.Contains(list, "Entwürfe") || !slices.Contains(list, "x/y/Müll") {
		t.Errorf("Dovecot lists %q", list)
	}
}

// Dovecot with its limits in maildirsize alone has them after we wrote mail, and
// counts what stands.
func TestDovecotQuota(t *testing.T) {
	dir := testDir(t)
	o := Options{Path: dir + "/M"}
	d := newDovecot(t, dir, o.String())
	f, err := os.OpenFile(d.conf, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString("mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n}\n")
	must(t, errors.Join(err, f.Close()))
	s := create(t, o)
	must(t, os.WriteFile(o.Path+"/maildirsize", []byte("1024000S,50C\n7 1\n"), 0o600))
	giveTo(t, dir, d)
	for i := range 3 {
		put(t, s, store.Inbox, store.NewMessage{UID: store.UID(i + 1)}, "Subject: one\n\n"+strings.Repeat("x", 2040)+"\n")
		giveTo(t, dir, d)
		text := d.run("-f", "tab", "quota", "get")
		for _, want := range []string{fmt.Sprintf("STORAGE\t%d\t1000\t", ((i+1)*2055+1023)/1024), fmt.Sprintf("MESSAGE\t%d\t50\t", i+1)} {
			if !strings.Contains(text, want) {
				t.Errorf("after message %d Dovecot says\n%swant %q", i+1, text, want)
			}
		}
	}
}
