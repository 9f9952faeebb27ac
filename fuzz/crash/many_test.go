package crash

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dsync/fuzz/genmail"
	"dsync/fuzz/mutate"
	"dsync/store/maildir"
)

// crowd is many users in one change log. Their mail is the test's own, and they are
// named by a file; the passwd-file is for a test whose users own their mail.
type crowd struct {
	*pair
	users []string
	names string // for -F
	list  string // the passwd-file
}

// newCrowd makes n users with a few messages each at the near side.
func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	c := &crowd{pair: newPair(t, tmp(t))}
	c.a, c.b, c.names, c.list = c.dir+"/near/%u", c.dir+"/far/%u", c.dir+"/names", c.dir+"/users"
	var list strings.Builder
	for i := range n {
		u := fmt.Sprintf("u%03d@x", i)
		c.users = append(c.users, u)
		fmt.Fprintf(&list, "%s:x:1000:1000::%s\n", u, c.near(u))
		must(t, genmail.Generate(genmail.Options{Root: c.near(u), Messages: 3, Mailboxes: 2, Seed: int64(i), Average: 700}))
	}
	must(t, os.WriteFile(c.list, []byte(list.String()), 0o600))
	must(t, os.WriteFile(c.names, []byte(strings.Join(c.users, "\n")), 0o600))
	return c
}

// own gives the users of the passwd-file all mail there is, if that takes root: the
// program touches it as they then.
func (c *crowd) own() {
	c.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	must(c.t, os.Chmod(c.dir, 0o711))
	if out, err := exec.Command("chown", "-R", "-h", "1000:1000", c.dir+"/near", c.dir+"/far").CombinedOutput(); err != nil {
		c.t.Fatalf("%v: %s", err, out)
	}
}

func (c *crowd) near(u string) string { return filepath.Join(c.dir, "near", u) }
func (c *crowd) far(u string) string  { return filepath.Join(c.dir, "far", u) }

// args are those of a run over all users.
func (c *crowd) args(more ...string) []string {
	return append(append([]string{"sync", "-s", "auto", "-F", c.names}, more...), "maildir:"+c.b)
}

// listed are those of a run over the users whom the passwd-file lists.
func (c *crowd) listed(more ...string) []string {
	return append(append([]string{"sync", "-s", "auto", "-A", "-o", "user_databases=passwd_file", "-o", "passwd_file.path=" + c.list}, more...), "maildir:"+c.b)
}

// ended is what a JSON line says of one user, or of all.
type ended struct {
	Kind, User, Error string
	Exit, Users       int
	NamesListed       int      `json:"names_listed"`
	NotBegun          []string `json:"not_begun"`
	Failed            []struct {
		User string
		Exit int
	}
}

// results reads the output of --json: users in the order in which they ended, and
// the summary.
func (c *crowd) results() (order []string, of map[string]ended, all ended) {
	c.t.Helper()
	of = map[string]ended{}
	for line := range strings.Lines(c.stdout) {
		var e ended
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			c.t.Fatalf("%v: %s", err, line)
		}
		switch e.Kind {
		case "result":
			if _, twice := of[e.User]; twice {
				c.t.Errorf("%s ended twice", e.User)
			}
			order = append(order, e.User)
			of[e.User] = e
		case "summary":
			all = e
		}
	}
	return order, of, all
}

// same reports whether both sides of a user hold the same mail, each message once.
func (c *crowd) same(u string) string { return mapDiff(c.bodies(c.far(u)), c.bodies(c.near(u))) }

// 200 users, some of whom fail in ways of their own: all others are synced as if
// those were not there, and are not kept waiting (R6).
func TestManyUsers(t *testing.T) {
	c := newCrowd(t, 200)
	want := map[string]int{}
	fail := func(i, exit int) string {
		want[c.users[i]] = exit
		return c.users[i]
	}
	// Somebody holds the account.
	held := fail(3, 75)
	st, err := maildir.Open(maildir.Options{Path: c.near(held)})
	must(t, err)
	defer st.Close()
	unlock, err := st.Lock(t.Context(), 0)
	must(t, err)
	// The far side is a file; a loop of links; one of the messages is a fifo.
	must(t, os.MkdirAll(filepath.Join(c.dir, "far"), 0o700))
	must(t, os.WriteFile(c.far(fail(20, 75)), nil, 0o600))
	loop := c.far(fail(21, 75))
	must(t, os.Symlink(loop, loop))
	must(t, syscall.Mkfifo(filepath.Join(c.near(fail(22, 65)), "cur", "1.fifo"), 0o600))
	must(t, os.WriteFile(filepath.Join(c.near(fail(23, 65)), "dovecot-uidlist"), []byte("9 nonsense\n"), 0o600))
	// The list itself: an entry that cannot be, and lines that are none.
	list, err := os.ReadFile(c.list)
	must(t, err)
	broken := fail(24, 78)
	list = bytes.Replace(list, []byte(broken+":x:1000"), []byte(broken+":x:0"), 1)
	list = append(list, "../../etc/passwd:x:1:1\n"+strings.Repeat("long", 10_000)+"\n\x00\x01:x\n"...)
	must(t, os.WriteFile(c.list, list, 0o600))

	c.own()
	exit := c.run(c.listed("--json", "-j", "8", "-l", "1")...)
	order, of, all := c.results()
	if exit != 78 || all.Exit != 78 || all.Users != 200 || len(of) != 200 {
		t.Errorf("exit %d, summary %+v, %d users ended; want 78, as of the list that cannot be read", exit, all, len(of))
	}
	for _, u := range c.users {
		if of[u].Exit != want[u] {
			t.Errorf("%s ended with %d, want %d: %s", u, of[u].Exit, want[u], of[u].Error)
		}
		if want[u] == 0 {
			if d := c.same(u); d != "" {
				t.Errorf("%s: %s", u, d)
			}
		}
		if named := strings.Contains(c.text, fmt.Sprintf("user %s ended with status %d", u, want[u])); named != (want[u] != 0) {
			t.Errorf("%s, status %d, is named: %v", u, want[u], named)
		}
	}
	if len(all.Failed) != len(want) {
		t.Errorf("failed: %+v, want %v", all.Failed, want)
	}
	// It ended when nobody was left to be begun.
	if after := order[slices.Index(order, held)+1:]; len(after) > 7 {
		t.Errorf("%s, whose account was held, ended before %v", held, after)
	}

	// Nothing changed: no names are read for those who are well.
	must(t, unlock())
	delete(want, held)
	delete(want, c.users[23]) // the uidlist was written anew
	if exit = c.run(c.listed("--json", "-j", "2")...); exit != 78 {
		t.Errorf("second run: exit %d", exit)
	}
	if exit = c.run(c.listed("--json", "-j", "2")...); exit != 78 {
		t.Errorf("third run: exit %d", exit)
	}
	_, of, _ = c.results()
	listed := 0
	for _, u := range c.users {
		if of[u].Exit != want[u] {
			t.Errorf("later run: %s ended with %d, want %d: %s", u, of[u].Exit, want[u], of[u].Error)
		}
		if want[u] == 0 && u != held && of[u].NamesListed > 0 {
			listed++
		}
	}
	if listed > 0 {
		t.Errorf("%d users were listed anew though nothing changed", listed)
	}
}

// The same with far ends in processes of their own, which share a change log there.
func TestManyUsersFar(t *testing.T) {
	c := newCrowd(t, 24)
	far := fmt.Sprintf("dsync_remote_cmd=%s -c %s/none.toml -o mail_location=maildir:%s -o changelog=%s/farlog server -u%%u", c.bin, c.dir, c.b, c.dir)
	must(t, os.WriteFile(c.dir+"/none.toml", fmt.Appendf(nil, "[namespace.archive]\nlocation = 'maildir:%s/fararchive/%%u'\n", c.dir), 0o600))
	c.b = ""
	args := func(more ...string) []string {
		a := c.args(append(more, "-o", far)...)
		return append(a[:len(a)-1], "remote:far")
	}
	if exit := c.run(args("-j", "4")...); exit != 0 {
		t.Fatalf("exit %d: %.2000s", exit, c.text)
	}
	for _, u := range c.users {
		if d := c.same(u); d != "" {
			t.Errorf("%s: %s", u, d)
		}
	}
	// A namespace is an account of its own, at both ends where each has it.
	archive := c.dir + "/archive/" + c.users[1]
	must(t, genmail.Generate(genmail.Options{Root: archive, Messages: 2, Mailboxes: 2, Seed: 99, Average: 500}))
	if exit := c.run(args("-N", "-o", "namespace.archive.location=maildir:"+c.dir+"/archive/%u")...); exit != 0 {
		t.Errorf("-N: exit %d: %.1000s", exit, c.text)
	}
	if got, want := c.bodies(c.dir+"/fararchive/"+c.users[1]), c.bodies(archive); len(want) != 4 || mapDiff(got, want) != "" {
		t.Errorf("the namespace has %v, want %v", got, want)
	}
	// Somebody holds an account at the far end, and one here.
	for _, dir := range []string{c.far(c.users[2]), c.near(c.users[3])} {
		st, err := maildir.Open(maildir.Options{Path: dir})
		must(t, err)
		defer st.Close()
		unlock, err := st.Lock(t.Context(), 0)
		must(t, err)
		defer unlock()
	}
	exit := c.run(args("-j", "2", "-l", "1", "--json")...)
	order, of, _ := c.results()
	for i, u := range c.users {
		want := 0
		if i == 2 || i == 3 {
			want = 75
		}
		if of[u].Exit != want || want != 0 && !strings.Contains(of[u].Error, "locked") {
			t.Errorf("%s ended with %d, want %d: %s", u, of[u].Exit, want, of[u].Error)
		}
		if want != 0 && slices.Index(order, u) < len(order)-3 {
			t.Errorf("%s did not wait behind the others: %v", u, order)
		}
	}
	if exit != 75 {
		t.Errorf("exit %d", exit)
	}
}

// Killed at any moment, or interrupted, the next run goes on: nothing is lost,
// nothing comes twice, and users who were done are not done again.
func TestManyUsersKilled(t *testing.T) {
	c := newCrowd(t, 60)
	seed := rand.Uint64()
	t.Logf("delays are drawn from seed %d; what they hit hangs on the machine", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	want := map[string]map[string]int{}
	for _, u := range c.users {
		want[u] = c.bodies(c.near(u))
	}
	killed := 0
	for range 12 {
		if c.killed(time.Duration(5+rng.IntN(150))*time.Millisecond, c.args("-j", "4")...) {
			killed++
		}
	}
	c.interrupt(time.Duration(20+rng.IntN(60)) * time.Millisecond)
	c.settle()
	for _, u := range c.users {
		if d := mapDiff(c.bodies(c.far(u)), want[u]); d != "" {
			t.Errorf("%s after %d kills: %s", u, killed, d)
		}
		if l := append(left(c.near(u)), left(c.far(u))...); len(l) > 0 {
			t.Errorf("%s: left behind: %v", u, l)
		}
	}
	// Changes on both sides, and kills again.
	for i, u := range c.users {
		for side, root := range []string{c.near(u), c.far(u)} {
			must(t, mutate.Mutate(mutate.Options{Maildir: root, Flag: 1, New: 1, Delete: 1, Seed: int64(2*i + side)}))
		}
	}
	for range 8 {
		c.killed(time.Duration(5+rng.IntN(150))*time.Millisecond, c.args("-j", "4")...)
	}
	c.settle()
	for _, u := range c.users {
		if d := c.same(u); d != "" {
			t.Errorf("%s: %s", u, d)
		}
	}
	if killed == 0 {
		t.Error("no run was killed: the delays are too long")
	}
}

// settle runs until all is equal; status 2 asks for one run more.
func (c *crowd) settle() {
	c.t.Helper()
	for range 4 {
		switch exit := c.run(c.args("-j", "4")...); exit {
		case 0:
			return
		case 2:
		default:
			c.t.Fatalf("exit %d\n%.2000s", exit, c.text)
		}
	}
	c.t.Errorf("does not come to rest: %.2000s", c.text)
}

// interrupt sends SIGINT: the run ends soon, tells of all users, and says who was
// not begun.
func (c *crowd) interrupt(after time.Duration) {
	c.t.Helper()
	cmd := c.command(c.args("--json", "-j", "2")...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	must(c.t, cmd.Start())
	time.Sleep(after)
	must(c.t, cmd.Process.Signal(os.Interrupt))
	err := cmd.Wait()
	c.stdout, c.text = out.String(), errs.String()
	if out.Len() == 0 && errs.Len() == 0 { // it died before it could catch the signal
		return
	}
	_, of, all := c.results()
	if err == nil {
		return // it was done before
	}
	var ee *exec.ExitError
	if !errors.As(err, &ee) || ee.ExitCode() != 75 || len(of) != len(c.users) {
		c.t.Errorf("interrupted: %v, %d users told of\n%.1000s", err, len(of), c.text)
	}
	for _, u := range all.NotBegun {
		if of[u].Exit != 75 || !strings.Contains(of[u].Error, "not begun") {
			c.t.Errorf("%s: %+v", u, of[u])
		}
	}
	if len(all.NotBegun) > 0 && !strings.Contains(c.text, fmt.Sprintf("%d users were not begun", len(all.NotBegun))) {
		c.t.Errorf("those not begun are not named: %.500s", c.text)
	}
}
