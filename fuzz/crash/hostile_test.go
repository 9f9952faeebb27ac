package crash

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dsync/fuzz/genmail"
	"dsync/fuzz/torture"
)

// maxRSS is what no hostile input may make the program use, in kB.
const maxRSS = 256 << 10

// synced makes a pair that was synced once.
func synced(t testing.TB, messages int) *pair {
	p := newPair(t, tmp(t))
	must(t, genmail.Generate(genmail.Options{Root: p.a, Messages: messages, Mailboxes: 2, Seed: 3, Average: 1500}))
	p.must(0, "sync", "maildir:"+p.b)
	return p
}

// must runs the program and wants an exit status.
func (p *pair) must(want int, args ...string) {
	p.t.Helper()
	if code := p.run(args...); code != want {
		p.t.Fatalf("%v: exit %d, want %d\n%s%s", args, code, want, p.stdout, p.text)
	}
}

// total is how many messages a tree holds.
func (p *pair) total(root string) int {
	n := 0
	for _, k := range p.bodies(root) {
		n += k
	}
	return n
}

// E6: every body and date comes through, both layouts.
func TestBodies(t *testing.T) {
	for _, layout := range []string{"", ":LAYOUT=fs"} {
		t.Run("layout"+layout, func(t *testing.T) {
			p := newPair(t, tmp(t))
			for _, d := range []string{"cur", "new", "tmp"} {
				must(t, os.MkdirAll(filepath.Join(p.a, d), 0o700))
			}
			dates := torture.Dates()
			n := 0
			put := func(m torture.Mail) {
				name := filepath.Join(p.a, "cur", fmt.Sprintf("%d.M%dP1.x:2,%s", 1700000000+n, n, []string{"", "S", "FS"}[n%3]))
				must(t, os.WriteFile(name, m.Data, 0o600))
				must(t, os.Chtimes(name, dates[n%len(dates)], dates[n%len(dates)]))
				n++
			}
			for _, m := range torture.Mails() {
				put(m)
			}
			if dir, ok := torture.CorporaDir(); ok {
				for m, err := range torture.Corpus(dir) {
					must(t, err)
					put(m)
					if n > 1500 && !long() {
						break
					}
				}
			} else {
				t.Log("no corpora: torture mail only")
			}
			p.must(0, "sync", "maildir:"+p.b+layout)
			p.must(0, "verify", "maildir:"+p.a, "maildir:"+p.b+layout)
			root := p.b
			if layout != "" {
				root = p.b + "/INBOX"
				if !exists(root) {
					root = p.b
				}
			}
			far := map[string]string{}
			files, err := filepath.Glob(filepath.Join(root, "cur", "*"))
			must(t, err)
			for _, f := range files {
				key, _, _ := strings.Cut(filepath.Base(f), ":")
				key, _, _ = strings.Cut(key, ",")
				far[key] = f
			}
			near, err := filepath.Glob(filepath.Join(p.a, "cur", "*"))
			must(t, err)
			for _, f := range near {
				key, _, _ := strings.Cut(filepath.Base(f), ":")
				key, _, _ = strings.Cut(key, ",")
				a, err := os.ReadFile(f)
				must(t, err)
				b, err := os.ReadFile(far[key])
				must(t, err)
				if d, ok := torture.Equal(b, a); !ok {
					t.Errorf("%s: %s", f, d)
				}
				x, err := os.Stat(f)
				must(t, err)
				y, err := os.Stat(far[key])
				must(t, err)
				if x.ModTime().Unix() != y.ModTime().Unix() {
					t.Errorf("%s: %v became %v", f, x.ModTime(), y.ModTime())
				}
			}
			t.Logf("%d messages, dates %v to %v, peak %d kB", n, dates[0].Year(), dates[len(dates)-1].Year(), p.rss)
		})
	}
}

// P3, P1: a parent that lost its last mailbox, but whose directory holds what is not
// a mail server's, is no mailbox; sync and verify say the same of it.
func TestParentStays(t *testing.T) {
	p := newPair(t, tmp(t))
	a, b := "maildir:"+p.a, "maildir:"+p.b+":LAYOUT=fs"
	for _, d := range []string{"cur", "new", "tmp", ".p.q/cur", ".p.q/new", ".p.q/tmp"} {
		must(t, os.MkdirAll(filepath.Join(p.a, d), 0o700))
	}
	p.must(0, "sync", b)
	must(t, os.WriteFile(p.b+"/p/notes", []byte("x"), 0o600))
	must(t, os.MkdirAll(p.b+"/empty", 0o700))
	must(t, os.RemoveAll(p.a+"/.p.q"))
	for range 2 {
		p.must(0, "sync", b)
		p.must(0, "verify", a, b)
	}
	if exists(p.b+"/p/q") || !exists(p.b+"/p/notes") || exists(p.a+"/.p") {
		t.Error("p/q stays, or what was in p went, or p came back")
	}
	must(t, os.MkdirAll(p.b+"/p/r/cur", 0o700)) // p is a parent again
	p.must(0, "sync", b)
	p.must(0, "verify", a, b)
	p.must(0, "backup", b)
	p.must(0, "verify", a, b)
}

// E7: state strings.
func TestHostileStates(t *testing.T) {
	p := synced(t, 20)
	p.must(0, "sync", "-s", "", "maildir:"+p.b)
	good := strings.TrimSpace(p.stdout)
	r := rand.New(rand.NewPCG(1, 1))
	states := []string{good[:len(good)/2], good + good, "x", "=", strings.Repeat("A", 70000), "AAAA", "MUAAAAEAAAABAAAAAAAAAA=="}
	for range 12 {
		b := []byte(good)
		b[r.IntN(len(b))] = "abcXYZ019+/="[r.IntN(12)]
		states = append(states, string(b))
	}
	before := p.bodies(p.b)
	for _, s := range states {
		code := p.run("sync", "-s", s, "maildir:"+p.b)
		if code != 0 && code != 64 {
			t.Errorf("state %.60q: exit %d\n%s", s, code, p.text)
		}
		if s != good && code == 0 && !strings.Contains(p.text, "state") && strings.Count(p.stdout, "\n") != 1 {
			t.Errorf("state %.60q: %q %q", s, p.stdout, p.text)
		}
		if d := mapDiff(p.bodies(p.b), before); d != "" {
			t.Errorf("state %.60q: %s", s, d)
		}
		if p.rss > maxRSS {
			t.Errorf("state %.60q: %d kB", s, p.rss)
		}
	}
}

// E7, P13: damaged change logs give a clear error, or a comparison from nothing;
// never loss.
func TestDamagedLog(t *testing.T) {
	n := 24
	if long() {
		n = 400
	}
	base := synced(t, 60)
	// Enough history for tables as well as a log.
	for k := range 3 {
		must(t, os.WriteFile(filepath.Join(base.a, "new", fmt.Sprintf("18000000%d.M1P1.x", k)), fmt.Appendf(nil, "Subject: n%d\n\nx\n", k), 0o600))
		base.must(0, "sync", "maildir:"+base.b)
	}
	keep := filepath.Join(base.dir, "keep")
	must(t, os.Mkdir(keep, 0o700))
	for _, d := range []string{base.a, base.b, base.log} {
		copyTree(t, d, keep+"/")
	}
	restore := func() {
		for _, d := range []string{base.a, base.b, base.log} {
			must(t, os.RemoveAll(d))
			copyTree(t, filepath.Join(keep, filepath.Base(d)), d)
		}
	}
	var files []string
	must(t, filepath.WalkDir(base.log, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(path, "LOCK") && !strings.HasSuffix(path, ".pid") {
			files = append(files, path)
		}
		return err
	}))
	want := base.bodies(base.a)
	exits := map[int]int{}
	r := rand.New(rand.NewPCG(5, 5))
	for k := range n {
		restore()
		// A client's delivery on one side, an expunge on the other.
		must(t, os.WriteFile(filepath.Join(base.a, "new", "1900000000.M9P1.x"), []byte("Subject: late\n\nx\n"), 0o600))
		f := files[k%len(files)]
		data, err := os.ReadFile(f)
		must(t, err)
		what := "flip"
		switch {
		case len(data) == 0:
			continue
		case k/len(files)%3 == 2:
			data, what = data[:r.IntN(len(data))], "cut"
		case k/len(files)%3 == 1:
			at := r.IntN(len(data))
			for i := at; i < min(at+64, len(data)); i++ {
				data[i] = 0
			}
			what = "zero"
		default:
			data[r.IntN(len(data))] ^= 1 << r.IntN(8)
		}
		must(t, os.WriteFile(f, data, 0o600))
		id := fmt.Sprintf("case %d: %s %s", k, what, filepath.Base(f))
		code := base.run("sync", "maildir:"+base.b)
		exits[code]++
		if code == 1 || code > 128 || code < 0 {
			t.Errorf("%s: exit %d\n%.1500s", id, code, base.text)
		}
		if code != 0 && base.text == "" {
			t.Errorf("%s: exit %d and not a word", id, code)
		}
		if base.rss > maxRSS {
			t.Errorf("%s: %d kB", id, base.rss)
		}
		for _, root := range []string{base.a, base.b} {
			got := base.bodies(root)
			for b, c := range want {
				if got[b] < c {
					t.Errorf("%s: exit %d: %s lost %s", id, code, root, b)
				}
			}
			for b, c := range got {
				if c > max(want[b], 1) {
					t.Errorf("%s: exit %d: %s has %d of %s", id, code, root, c, b)
				}
			}
		}
	}
	t.Logf("%d damaged files of %d: exits %v", n, len(files), exits)
}

// E7: what lies in a Maildir that should not.
func TestHostileStore(t *testing.T) {
	p := synced(t, 30)
	secret := filepath.Join(p.dir, "secret")
	must(t, os.MkdirAll(filepath.Join(secret, "cur"), 0o700))
	must(t, os.WriteFile(filepath.Join(secret, "cur", "1.M1P1.s:2,"), []byte("Subject: secret\n\nx\n"), 0o600))
	for _, d := range torture.BadDirectories() {
		os.MkdirAll(filepath.Join(p.a, d, "cur"), 0o700)
	}
	os.Symlink(secret, filepath.Join(p.a, ".Linked"))
	os.Symlink(filepath.Join(secret, "cur", "1.M1P1.s:2,"), filepath.Join(p.a, "cur", "2.M2P2.s:2,"))
	for i, f := range torture.FileNames() {
		os.WriteFile(filepath.Join(p.a, "cur", f), fmt.Appendf(nil, "Subject: f%d\n\nx\n", i), 0o600)
	}
	code := p.run("sync", "maildir:"+p.b)
	if code != 0 && code != 65 && code != 2 {
		t.Errorf("exit %d\n%s", code, p.text)
	}
	for b := range p.bodies(p.b) {
		if strings.Contains(b, fmt.Sprintf("%x", hash([]byte("Subject: secret\n\nx\n")))) {
			t.Error("mail from outside of the mail root was copied")
		}
	}
	for _, garbage := range []string{"\x00\xff\x00", "3 V1 N99999999999\n", strings.Repeat("x", 1<<20), "3 V1 N1 G00\n1 :x\n1 :y\n0 :z\n", ""} {
		for _, f := range []string{"dovecot-uidlist", "dovecot-keywords", "subscriptions", "dovecot-uidvalidity", "dsync-mark"} {
			for _, root := range []string{p.a, p.b} {
				na, nb := p.total(p.a), p.total(p.b)
				path := filepath.Join(root, f)
				old, _ := os.ReadFile(path)
				must(t, os.WriteFile(path, []byte(garbage), 0o600))
				for range 3 {
					if code = p.run("sync", "maildir:"+p.b); code != 2 {
						break
					}
				}
				if code != 0 && code != 65 {
					t.Errorf("%s = %.20q: exit %d\n%s", path, garbage, code, p.text)
				}
				if p.total(p.a) < na || p.total(p.b) < nb {
					t.Errorf("%s = %.20q: %d+%d messages became %d+%d", path, garbage, na, nb, p.total(p.a), p.total(p.b))
				}
				if p.total(p.a) > na || p.total(p.b) > nb {
					t.Errorf("%s = %.20q: doubled: %d+%d messages became %d+%d\n%s", path, garbage, na, nb, p.total(p.a), p.total(p.b), p.text)
				}
				if p.rss > maxRSS {
					t.Errorf("%s: %d kB", path, p.rss)
				}
				if old != nil && f == "dsync-mark" {
					must(t, os.WriteFile(path, old, 0o600))
				}
			}
		}
	}
}

// E7: a store that is not there, or empty, deletes nothing on the other side.
func TestVanished(t *testing.T) {
	for _, what := range []string{"root gone", "root empty", "all mail gone", "mailboxes gone"} {
		for _, side := range []string{"near", "far"} {
			t.Run(what+"/"+side, func(t *testing.T) {
				p := synced(t, 150)
				root, other := p.a, p.b
				if side == "far" {
					root, other = p.b, p.a
				}
				want := p.bodies(other)
				must(t, os.Rename(root, root+".away"))
				switch what {
				case "root empty":
					must(t, os.Mkdir(root, 0o700))
				case "all mail gone", "mailboxes gone":
					copyTree(t, root+".away", root)
					files, _ := filepath.Glob(filepath.Join(root, "cur", "*"))
					for _, f := range files {
						must(t, os.Remove(f))
					}
					boxes, _ := filepath.Glob(filepath.Join(root, ".*", "cur"))
					for _, b := range boxes {
						must(t, os.RemoveAll(filepath.Dir(b)))
					}
				}
				for _, args := range [][]string{{"sync"}, {"sync", "-f"}, {"sync", "-s", "auto"}} {
					code := p.run(append(args, "maildir:"+p.b)...)
					if d := mapDiff(p.bodies(other), want); d != "" {
						t.Fatalf("%v: exit %d: %s\n%s", args, code, d, p.text)
					}
					if code == 0 || p.text == "" {
						t.Errorf("%v: exit %d, %q", args, code, p.text)
					}
					if !strings.Contains(p.text, "max-delete=off") && !strings.Contains(p.text, "not there") {
						t.Errorf("%v: exit %d does not say how to go on: %s", args, code, p.text)
					}
				}
				must(t, os.RemoveAll(root))
				must(t, os.Rename(root+".away", root))
				for range 2 {
					if p.run("sync", "maildir:"+p.b) == 0 {
						break
					}
				}
				p.must(0, "verify", "maildir:"+p.a, "maildir:"+p.b)
				if d := mapDiff(p.bodies(other), want); d != "" {
					t.Errorf("after it came back: %s", d)
				}
			})
		}
	}
}

// E7: a full disk, at several levels of free space; and the log on it or not.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	levels := []int{0, 40, 180, 500, 900, 1500}
	if long() {
		levels = nil
		for k := 0; k < 1400; k += 30 {
			levels = append(levels, k)
		}
	}
	for _, where := range []string{"store", "log", "both"} {
		t.Run(where, func(t *testing.T) {
			exits := map[int]int{}
			for _, free := range levels {
				p := newPair(t, tmp(t))
				must(t, genmail.Generate(genmail.Options{Root: p.a, Messages: 60, Mailboxes: 2, Seed: 3, Average: 2000}))
				small := filepath.Join(p.dir, "small")
				must(t, os.Mkdir(small, 0o700))
				if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=8m"); err != nil {
					t.Skipf("mount: %v", err)
				}
				unmount := func() { syscall.Unmount(small, syscall.MNT_DETACH) }
				t.Cleanup(unmount)
				if where != "log" {
					p.b = filepath.Join(small, "B")
				}
				if where != "store" {
					p.log = filepath.Join(small, "log")
				}
				fill := filepath.Join(small, "fill")
				must(t, os.WriteFile(fill, make([]byte, 8<<20-free<<10), 0o600))
				want := p.bodies(p.a)
				code := p.run("sync", "maildir:"+p.b)
				exits[code]++
				if code != 0 && code != 73 {
					t.Errorf("%d kB free: exit %d\n%.1200s", free, code, p.text)
				}
				if code != 0 && strings.Count(p.stdout, "\n") != 1 {
					t.Errorf("%d kB free: exit %d, state %q", free, code, p.stdout)
				}
				if d := mapDiff(p.bodies(p.a), want); d != "" {
					t.Errorf("%d kB free: the source: %s", free, d)
				}
				must(t, os.Remove(fill))
				for range 2 {
					if code = p.run("sync", "maildir:"+p.b); code == 0 {
						break
					}
				}
				if code != 0 {
					t.Errorf("%d kB free, then enough: exit %d\n%s", free, code, p.text)
				} else {
					p.must(0, "verify", "maildir:"+p.a, "maildir:"+p.b)
					if l := append(left(p.a), left(p.b)...); len(l) > 0 {
						t.Errorf("%d kB free, then enough: left over %q", free, l)
					}
					if d := mapDiff(p.bodies(p.b), want); d != "" {
						t.Errorf("%d kB free, then enough: %s", free, d)
					}
				}
				unmount()
			}
			t.Logf("%d levels: exits %v", len(levels), exits)
		})
	}
}

// E7: no permission, run as nobody; and a read-only source of a backup.
func TestNoPermission(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("becoming another user needs root")
	}
	const nobody = 65534
	dir := tmp(t)
	must(t, os.Chmod(dir, 0o755))
	p := newPair(t, dir)
	must(t, os.Chmod(filepath.Dir(p.bin), 0o755))
	must(t, genmail.Generate(genmail.Options{Root: p.a, Messages: 30, Mailboxes: 2, Seed: 3, Average: 1500}))
	own := func(root string, uid int) {
		must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, uid, uid)
		}))
	}
	must(t, os.Mkdir(p.log, 0o700))
	must(t, os.Mkdir(p.b, 0o755))
	own(p.a, nobody)
	own(p.log, nobody)
	p.credential = &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true}
	want := p.bodies(p.a)
	p.must(77, "sync", "maildir:"+p.b) // B is root's
	own(p.b, nobody)
	p.must(0, "sync", "maildir:"+p.b)
	p.must(0, "verify", "maildir:"+p.a, "maildir:"+p.b)
	// One mailbox may not be written.
	boxes, err := filepath.Glob(filepath.Join(p.b, ".*", "cur"))
	must(t, err)
	box := boxes[0]
	name := filepath.Base(filepath.Dir(box))
	for _, d := range []string{filepath.Dir(box), box, filepath.Dir(box) + "/tmp", filepath.Dir(box) + "/new"} {
		must(t, os.Chmod(d, 0o555))
	}
	for _, d := range []string{filepath.Join(p.a, "cur"), filepath.Join(p.a, name, "cur")} {
		f := filepath.Join(d, "1900000000.M1P1.x:2,")
		must(t, os.WriteFile(f, []byte("Subject: more\n\nx\n"), 0o644))
		must(t, os.Lchown(f, nobody, nobody))
	}
	p.must(77, "sync", "maildir:"+p.b)
	if !exists(filepath.Join(p.b, "cur")) || p.total(p.b) < len(want)+1 {
		t.Errorf("the other mailbox was not synced: %d messages", p.total(p.b))
	}
	for _, d := range []string{filepath.Dir(box), box, filepath.Dir(box) + "/tmp", filepath.Dir(box) + "/new"} {
		must(t, os.Chmod(d, 0o755))
	}
	p.must(0, "sync", "maildir:"+p.b)
	p.must(0, "verify", "maildir:"+p.a, "maildir:"+p.b)
	// A read-only source: a backup of it works, a sync does not.
	own(p.a, 0)
	must(t, exec.Command("chmod", "-R", "a+rX,go-w", p.a).Run())
	c := filepath.Join(p.dir, "C")
	must(t, os.Mkdir(c, 0o755))
	own(c, nobody)
	p.must(0, "backup", "maildir:"+c)
	p.must(0, "backup", "maildir:"+c)
	p.must(77, "sync", "maildir:"+c)
	p.must(0, "verify", "maildir:"+p.a, "maildir:"+c)
}

// P15, E7: several of the program at once, on one pair and from both ends.
func TestAtOnce(t *testing.T) {
	p := synced(t, 200)
	rounds := 3
	if long() {
		rounds = 40
	}
	exits := map[int]int{}
	for k := range rounds {
		for i := range 30 {
			for _, root := range []string{p.a, p.b} {
				must(t, os.WriteFile(filepath.Join(root, "new", fmt.Sprintf("19%04d%04d.M%dP1.%s", k, i, i, filepath.Base(root))),
					fmt.Appendf(nil, "Subject: %d %d %s\n\nx\n", k, i, root), 0o600))
			}
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for j := range 4 {
			wg.Go(func() {
				near, far := p.a, p.b
				if j%2 == 1 {
					near, far = far, near
				}
				log := p.log
				if j == 3 {
					log += "2" // a database of its own
				}
				args := []string{"-o", "mail_location=maildir:" + near, "-o", "changelog=" + log, "sync", "maildir:" + far}
				if j == 2 {
					args = append(args[:5], "-l", "0", "maildir:"+far)
				}
				c := exec.Command(p.bin, args...)
				out, err := c.CombinedOutput()
				code := c.ProcessState.ExitCode()
				mu.Lock()
				defer mu.Unlock()
				exits[code]++
				if code != 0 && code != 2 && code != 75 {
					t.Errorf("run %d: %d %v\n%s", j, code, err, out)
				}
			})
			time.Sleep(3 * time.Millisecond)
		}
		wg.Wait()
	}
	for range 2 {
		if p.run("sync", "maildir:"+p.b) == 0 {
			break
		}
	}
	p.must(0, "verify", "maildir:"+p.a, "maildir:"+p.b)
	for b, n := range p.bodies(p.b) {
		if n != 1 {
			t.Errorf("%d copies of %s", n, b)
		}
	}
	if n := p.total(p.b); n != 400+rounds*60 {
		t.Errorf("%d messages, want %d", n, 400+rounds*60)
	}
	t.Logf("%d rounds of four: exits %v", rounds, exits)
}
