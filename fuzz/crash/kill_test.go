package crash

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dsync/changelog/logdb"
	"dsync/fuzz/genmail"
	"dsync/fuzz/mutate"
)

// built is where the binary lies, if it was built.
var built string

// program builds the binary once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dsync-crash-bin")
	if err != nil {
		return "", err
	}
	built = dir
	bin := filepath.Join(dir, "dsync")
	out, err := exec.Command("go", "build", "-o", bin, "dsync/cmd/dsync").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	// A child's peak of memory, which some rings judge, begins with that of its parent:
	// this process must stay small, whatever GOGC says.
	debug.SetGCPercent(100)
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// pair is two Maildirs and a change log on the disk.
type pair struct {
	t            testing.TB
	bin          string
	dir          string
	a, b, log    string
	farLog       string // of a far end in another process
	pid          string // file with that one's process id
	credential   *syscall.Credential
	stdout, text string // of the last run
	rss          int64  // of the last run, kB
}

// tmp is where real Maildirs lie: tmpfs if there is one.
func tmp(t testing.TB) string {
	base := os.Getenv("DSYNC_TEST_TMP")
	if base == "" {
		if in, err := os.Stat("/dev/shm"); err == nil && in.IsDir() {
			base = "/dev/shm"
		}
	}
	dir, err := os.MkdirTemp(base, "dsync-crash")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newPair(t testing.TB, dir string) *pair {
	t.Helper()
	bin, err := program()
	must(t, err)
	return &pair{t: t, bin: bin, dir: dir, a: filepath.Join(dir, "A"), b: filepath.Join(dir, "B"), log: filepath.Join(dir, "log"),
		farLog: filepath.Join(dir, "far-log"), pid: filepath.Join(dir, "pid")}
}

// command makes a command line of the program.
func (p *pair) command(args ...string) *exec.Cmd {
	c := exec.Command(p.bin, append([]string{"-o", "mail_location=maildir:" + p.a, "-o", "changelog=" + p.log}, args...)...)
	c.Env = append(os.Environ(), "HOME="+p.dir, "GOTRACEBACK=single")
	return c
}

// run runs the program and gives its exit status.
func (p *pair) run(args ...string) int {
	p.t.Helper()
	c := p.command(args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if p.credential != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential}
	}
	err := c.Run()
	p.stdout, p.text = out.String(), errs.String()
	if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		p.rss = u.Maxrss
	}
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		p.t.Fatal(err)
	}
	if strings.Contains(p.text, "goroutine ") || strings.Contains(p.text, "internal error") {
		p.t.Errorf("%v crashed:\n%.600s", args, p.text)
	}
	return c.ProcessState.ExitCode()
}

// far is the destination that is another process, which leaves its id.
func (p *pair) far() []string {
	return []string{"sh", "-c", `echo $$ >"$1.new"; mv "$1.new" "$1"; shift; exec "$@"`, "sh", p.pid,
		p.bin, "-o", "mail_location=maildir:" + p.b, "-o", "changelog=" + p.farLog, "server"}
}

// farKilled runs the program and kills the far end after a while; false if that had
// ended before. The near end must see it, and end by itself.
func (p *pair) farKilled(after time.Duration, args ...string) bool {
	p.t.Helper()
	os.Remove(p.pid)
	c := p.command(args...)
	must(p.t, c.Start())
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	time.Sleep(after)
	hit := false
	if text, err := os.ReadFile(p.pid); err == nil {
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		must(p.t, err)
		hit = syscall.Kill(pid, syscall.SIGKILL) == nil
	}
	select {
	case <-done:
	case <-time.After(time.Minute):
		p.t.Fatal("the near end goes on although the far end is gone")
	}
	// Of one that ended well nothing was killed that mattered.
	return hit && c.ProcessState.ExitCode() != 0
}

// killed runs the program for a while; false if it ended before.
func (p *pair) killed(after time.Duration, args ...string) bool {
	p.t.Helper()
	c := p.command(args...)
	must(p.t, c.Start())
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case <-done:
		return false
	case <-time.After(after):
	}
	// It may have ended, and been waited for, in between: then it was not killed.
	if err := c.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		must(p.t, err)
	}
	<-done
	return !c.ProcessState.Exited()
}

// times are when accounts were looked at and met last.
type times struct{ looks, mets map[string]int64 }

// phase is what a dead run was at, as far as it left traces. was is how things
// stood before it.
func (p *pair) phase(was times) (string, times) {
	now := times{map[string]int64{}, map[string]int64{}}
	db, err := logdb.Open(p.log, logdb.Options{ReadOnly: true})
	if err != nil {
		return "open", now
	}
	defer db.Close()
	all, err := db.Accounts()
	if err != nil {
		return "open", now
	}
	kinds := map[uint8]int{}
	looked, met := 0, 0
	for _, info := range all {
		a, err := db.Account(info.Replica.ID)
		if err != nil {
			continue
		}
		in, _ := a.Intents()
		for _, i := range in {
			kinds[i.Kind]++
		}
		m := a.Meta()
		now.looks[m.Location] = m.LastLook
		if m.LastLook > was.looks[m.Location] {
			looked++
		}
		for _, x := range m.Peers {
			now.mets[m.Location] = max(now.mets[m.Location], x.LastMet)
		}
		if now.mets[m.Location] > was.mets[m.Location] {
			met++
		}
	}
	staged := 0
	for _, root := range []string{p.a, p.b} {
		for _, f := range left(root) {
			if strings.Contains(f, "/tmp/") {
				staged++
			}
		}
	}
	switch {
	case kinds[2] > 0:
		return "effect", now // intended on a mailbox (names, flags, removals), made or not
	case kinds[1] > 0 && staged > 0:
		return "copy", now
	case kinds[1] > 0:
		return "intent", now
	case met > 0:
		return "state", now // all is entered but the mark and the line
	case looked > 0:
		return "log", now // what was found is logged, or all is done and not entered
	}
	return "scan", now
}

// left lists files that no run may leave.
func left(root string) (out []string) {
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name := d.Name()
			if strings.HasSuffix(filepath.Dir(path), "/tmp") || strings.HasPrefix(name, "dsync-tmp") || name == "dovecot-uidlist.lock" {
				out = append(out, path)
			}
		}
		return nil
	})
	return out
}

// sum is what a tree holds: files by content, for "nothing lost, nothing twice".
func (p *pair) bodies(root string) map[string]int {
	out := map[string]int{}
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if box := filepath.Base(filepath.Dir(path)); box != "cur" && box != "new" {
			return nil
		}
		data, err := os.ReadFile(path)
		must(p.t, err)
		rel, _ := filepath.Rel(root, filepath.Dir(filepath.Dir(path)))
		out[fmt.Sprintf("%s %x", rel, hash(data))]++
		return nil
	})
	return out
}

func copyTree(t testing.TB, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// killMode is one kind of run that is killed.
type killMode struct {
	name  string
	args  []string
	later bool // both sides were equal once, and changed
	equal bool // afterwards both sides are equal
	// remote: the far end is another process; far: that one is killed.
	remote, far bool
}

// words are the command line.
func (m killMode) words(p *pair) []string {
	if m.remote {
		return append(slices.Clone(m.args), p.far()...)
	}
	return append(slices.Clone(m.args), "maildir:"+p.b)
}

var killModes = []killMode{
	{name: "first", args: []string{"sync"}, equal: true},
	{name: "later", args: []string{"sync"}, later: true, equal: true},
	{name: "auto", args: []string{"sync", "-s", "auto"}, later: true, equal: true},
	{name: "full", args: []string{"sync", "-f"}, later: true, equal: true},
	{name: "backup", args: []string{"backup"}, later: true, equal: true},
	{name: "one-way", args: []string{"sync", "-1"}, later: true},
	{name: "remote near", args: []string{"sync", "-s", "auto"}, later: true, equal: true, remote: true},
	{name: "remote far", args: []string{"sync", "-s", "auto"}, later: true, equal: true, remote: true, far: true},
}

// prepareKill makes the trees a mode starts from.
func prepareKill(t testing.TB, m killMode, messages int) *pair {
	p := newPair(t, tmp(t))
	must(t, genmail.Generate(genmail.Options{Root: p.a, Messages: messages, Mailboxes: 4, Seed: 7, Average: 2000}))
	if !m.later {
		must(t, genmail.Generate(genmail.Options{Root: p.b, Messages: messages / 4, Mailboxes: 2, Seed: 8, Average: 2000}))
		return p
	}
	first := killMode{args: []string{"sync"}, remote: m.remote}
	if code := p.run(first.words(p)...); code != 0 {
		t.Fatalf("first sync: %d\n%s", code, p.text)
	}
	boxes, err := filepath.Glob(filepath.Join(p.a, ".*"))
	must(t, err)
	slices.Sort(boxes)
	n := messages / 4
	must(t, mutate.Mutate(mutate.Options{Maildir: p.a, Flag: n, New: n, Delete: n / 2, Seed: 1}))
	if slices.Contains([]string{"later", "auto", "full"}, m.name) || m.remote {
		must(t, mutate.Mutate(mutate.Options{Maildir: p.b, Flag: n, New: n, Delete: n / 2, Seed: 2}))
	}
	for i, box := range boxes {
		if in, err := os.Stat(filepath.Join(box, "cur")); err != nil || !in.IsDir() {
			continue
		}
		switch i % 3 {
		case 0:
			must(t, os.Rename(box, filepath.Join(p.a, ".Renamed"+strconv.Itoa(i))))
		case 1:
			// Moves to INBOX.
			files, err := filepath.Glob(filepath.Join(box, "cur", "*"))
			must(t, err)
			for _, f := range files[:len(files)/4] {
				must(t, os.Rename(f, filepath.Join(p.a, "cur", filepath.Base(f))))
			}
		}
	}
	return p
}

// killRing kills runs of a mode and judges what the next run makes of it.
func killRing(t *testing.T, m killMode, kills, messages int, seed uint64) {
	base := prepareKill(t, m, messages)
	args := m.words(base)
	kill := base.killed
	if m.far {
		kill = base.farKilled
	}
	// The trees are moved back to one place for each kill: the log knows them by it.
	keep := filepath.Join(base.dir, "keep")
	must(t, os.Mkdir(keep, 0o700))
	parts := []string{base.a, base.b, base.log, base.farLog}
	for _, d := range parts {
		if _, err := os.Stat(d); err == nil {
			copyTree(t, d, keep+"/")
		}
	}
	restore := func() {
		for _, d := range parts {
			must(t, os.RemoveAll(d))
			if from := filepath.Join(keep, filepath.Base(d)); exists(from) {
				copyTree(t, from, d)
			}
		}
	}
	restore()
	_, was := base.phase(times{})
	whole := time.Hour
	for range 3 { // the quickest, lest the kills come too late
		restore()
		start := time.Now()
		if code := base.run(args...); code != 0 {
			t.Fatalf("without a kill: %d\n%s", code, base.text)
		}
		whole = min(whole, time.Since(start))
	}
	want := base.bodies(base.b)
	phases := map[string]int{}
	a := aim{r: rand.New(rand.NewPCG(seed, 1)), whole: whole}
	alive, again, numbers := 0, 0, 0
	tries := 0
	for k := 0; k-alive < kills || long() && k < 4*kills && missed(phases) != ""; k++ {
		if tries++; tries > 5*kills {
			break
		}
		restore()
		after := a.next(phases)
		if !kill(after, args...) {
			alive++
			a.hit(after, "", true)
			continue
		}
		ph, _ := base.phase(was)
		a.hit(after, ph, false)
		phases[ph]++
		id := fmt.Sprintf("mode %s seed %d kill %d after %v of %v, phase %s", m.name, seed, k, after, whole, ph)
		code := base.run(args...)
		if code == 2 {
			again++
			code = base.run(args...)
		}
		if code != 0 {
			t.Errorf("%s: next run: %d\n%s", id, code, base.text)
			keepFailure(t, base)
			return
		}
		if m.equal {
			code := base.run("verify", "maildir:"+base.a, "maildir:"+base.b)
			if m.name == "backup" && onlyNumbers(base.stdout) {
				numbers++
				code = 0
			}
			if code != 0 {
				t.Errorf("%s: verify: %d\n%.2000s", id, code, base.stdout+base.text)
			}
		}
		got := base.bodies(base.b)
		if d := mapDiff(got, want); d != "" {
			t.Errorf("%s: not what a run without kill makes:\n%s", id, d)
		}
		if l := append(left(base.a), left(base.b)...); len(l) > 0 {
			t.Errorf("%s: left over %q", id, l)
		}
		if t.Failed() {
			keepFailure(t, base)
			return
		}
	}
	t.Logf("mode %s seed %d: run time %v; %d kills hit %v, %d runs ended before, %d needed a second run, %d ended under another UIDVALIDITY", m.name, seed, whole, tries-alive, phases, alive, again, numbers)
	if long() {
		if ph := missed(phases); ph != "" {
			t.Errorf("mode %s: no kill hit phase %s", m.name, ph)
		}
	}
}

// missed is a phase that no kill hit.
func missed(phases map[string]int) string {
	for _, ph := range []string{"scan", "intent", "copy", "effect", "log", "state"} {
		if phases[ph] == 0 {
			return ph
		}
	}
	return ""
}

// onlyNumbers: a backup whose destination had used UIDs otherwise takes the source's
// under a UIDVALIDITY above both (P19).
func onlyNumbers(verify string) bool {
	for l := range strings.Lines(verify) {
		if !strings.Contains(l, "all else in it is equal: so a backup leaves") {
			return false
		}
	}
	return verify != ""
}

func keepFailure(t *testing.T, p *pair) {
	if dir := os.Getenv("DSYNC_CRASH_KEEP"); dir != "" {
		os.RemoveAll(dir)
		copyTree(t, p.dir, dir)
		t.Logf("kept in %s", dir)
	}
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

func mapDiff(got, want map[string]int) string {
	var b strings.Builder
	for k, n := range want {
		if got[k] < n {
			fmt.Fprintf(&b, "lost %s (%d of %d)\n", k, got[k], n)
		}
	}
	for k, n := range got {
		if n > want[k] {
			fmt.Fprintf(&b, "too many %s (%d, not %d)\n", k, n, want[k])
		}
	}
	s := b.String()
	return s[:min(len(s), 1500)]
}

// E5, P14: the program is killed at any moment; the next run makes it good.
func TestKill(t *testing.T) {
	kills, messages := 8, 200
	if long() {
		kills, messages = 210, 300
	}
	if n, err := strconv.Atoi(os.Getenv("DSYNC_KILLS")); err == nil {
		kills = n
	}
	seed := uint64(1)
	if n, err := strconv.ParseUint(os.Getenv("DSYNC_SEED"), 10, 64); err == nil {
		seed = n
	}
	for _, m := range killModes {
		if m.name == "auto" && !long() {
			continue // as "later", but for where the state is kept
		}
		t.Run(m.name, func(t *testing.T) { killRing(t, m, kills, messages, seed) })
	}
}
