package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// old makes two equal accounts, keeps B as it is then, goes on, and puts the old B
// back.
func old(t *testing.T) *pair {
	p := newPair(t)
	p.deliver("A", "", "1700000001.M1.h", "")
	p.sync(nil)
	p.copy("B", "kept")
	p.deliver("A", "", "1700000002.M2.h", "")
	p.deliver("A", ".work", "1700000003.M3.h", "")
	p.sync(nil)
	p.copy("kept", "B")
	return p
}

// copy puts a copy of one directory into the place of another.
func (p *pair) copy(from, to string) {
	p.t.Helper()
	p.must(os.RemoveAll(filepath.Join(p.dir, to)))
	out, err := exec.Command("cp", "-a", filepath.Join(p.dir, from), filepath.Join(p.dir, to)).CombinedOutput()
	if err != nil {
		p.t.Fatalf("cp: %v: %s", err, out)
	}
}

// any is a run that may end otherwise than well.
func (p *pair) any(change func(*Options)) *Report {
	o := Options{Near: p.loc("A"), Far: p.loc("B"), ChangeLog: p.log(), LockWait: 10 * time.Second} // a child being started holds our locks for a moment
	if change != nil {
		change(&o)
	}
	return Run(p.t.Context(), o)
}

func (p *pair) has(side, box, key string) bool {
	names, err := filepath.Glob(filepath.Join(p.dir, side, box, "cur", key+"*"))
	p.must(err)
	return len(names) > 0
}

// whole wants all of the account on both sides.
func (p *pair) whole() {
	p.t.Helper()
	for _, side := range []string{"A", "B"} {
		for key, box := range map[string]string{"1700000001.M1.h": "", "1700000002.M2.h": "", "1700000003.M3.h": ".work"} {
			if !p.has(side, box, key) {
				p.t.Errorf("%s lacks %s", side, key)
			}
		}
	}
}

// A plan, and a run over one mailbox, look at a restored store and log what they saw:
// the next whole run must still know that it was restored (P1, P6).
func TestRestoredAfterOtherLooks(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*Options){
		"plan":    func(o *Options) { o.DryRun = true },
		"one box": func(o *Options) { o.Filter.Mailboxes = []string{"INBOX"} },
	} {
		p := old(t)
		p.any(before)
		p.any(nil)
		p.whole()
		if r := p.sync(nil); !r.Equal {
			t.Errorf("%s: not equal: %v %v", name, r.Skipped, r.Again)
		}
	}
}

// The same where the numbers alone show it, as of a mailbox that was restored by
// itself; and what is deleted there after the repair stays deleted (P8).
func TestRestoredMailbox(t *testing.T) {
	t.Parallel()
	p := old(t)
	mark, err := os.ReadFile(filepath.Join(p.dir, "B", "dsync-mark"))
	p.must(err)
	p.any(nil)
	p.whole()
	p.must(os.WriteFile(filepath.Join(p.dir, "mark"), mark, 0o600))
	p.copy("B/.work", "work")
	p.deliver("B", ".work", "1700000004.M4.h", "")
	p.sync(nil)
	p.copy("work", "B/.work")
	if r := p.any(func(o *Options) { o.DryRun = true }); !strings.Contains(strings.Join(r.Warnings, " "), "older than its change log") {
		t.Fatalf("the plan does not see it: %v", r.Warnings)
	}
	p.sync(nil)
	if !p.has("B", ".work", "1700000004.M4.h") || !p.has("A", ".work", "1700000004.M4.h") {
		t.Error("what the restore took is lost")
	}
	p.remove("B", ".work", "1700000004.M4.h")
	p.sync(nil)
	if p.has("A", ".work", "1700000004.M4.h") {
		t.Error("what was deleted after the repair came back")
	}
}

// A restored store that lacks nothing is not taken for restored for ever: what is
// deleted there later stays deleted (P8).
func TestRestoredAlike(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.deliver("A", "", "1700000001.M1.h", "")
	p.deliver("A", "", "1700000002.M2.h", "")
	p.sync(nil)
	mark := filepath.Join(p.dir, "B", "dsync-mark")
	older, err := os.ReadFile(mark)
	p.must(err)
	p.flag("A", "", "1700000001.M1.h", "S")
	p.sync(nil)
	p.must(os.WriteFile(mark, older, 0o600))
	p.sync(nil)
	p.remove("B", "", "1700000002.M2.h")
	p.sync(nil)
	if p.has("A", "", "1700000002.M2.h") || p.has("B", "", "1700000002.M2.h") {
		t.Error("what was deleted came back")
	}
}

// A lost mark trips the brake at any size, whatever the command: a plan says what a
// run would do, and a backup from a disk that is not mounted empties nothing.
func TestLostMark(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"sync":   nil,
		"plan":   func(o *Options) { o.DryRun = true },
		"backup": func(o *Options) { o.Mode = Backup },
	} {
		p := newPair(t)
		p.deliver("A", "", "1700000001.M1.h", "")
		p.deliver("A", "", "1700000002.M2.h", "")
		p.sync(nil)
		p.must(os.RemoveAll(filepath.Join(p.dir, "A")))
		for _, d := range []string{"cur", "new", "tmp"} {
			p.must(os.MkdirAll(filepath.Join(p.dir, "A", d), 0o700))
		}
		r := p.any(change)
		if r.Exit != ExitData || len(r.Skipped) == 0 || r.Skipped[0].What != "safety brake" {
			t.Errorf("%s: exit %d, %v, %v", name, r.Exit, r.Err, r.Skipped)
		}
		if !p.has("B", "", "1700000001.M1.h") || !p.has("B", "", "1700000002.M2.h") {
			t.Errorf("%s: the mail of the other side is gone", name)
		}
		if name != "backup" {
			continue
		}
		// Confirmed once, the source is known by its place; no brake for small losses.
		p.deliver("A", "", "1700000005.M5.h", "")
		p.deliver("A", "", "1700000006.M6.h", "")
		p.sync(func(o *Options) { o.Mode, o.MaxDelete = Backup, MaxDelete{Set: true, Off: true} })
		p.remove("A", "", "1700000005.M5.h")
		p.sync(func(o *Options) { o.Mode = Backup })
		if p.has("B", "", "1700000005.M5.h") || !p.has("B", "", "1700000006.M6.h") || p.has("B", "", "1700000001.M1.h") {
			t.Error("the backup is not what its source is")
		}
	}
}

// A backup from a restored source cannot be equal to it, for what the source lacks
// was not deleted: it says so (P3, P19).
func TestBackupFromRestored(t *testing.T) {
	t.Parallel()
	p := old(t)
	r := p.any(func(o *Options) { o.Mode, o.Reverse = Backup, true })
	if r.Exit != ExitData || r.Equal || len(r.Skipped) != 1 || !strings.Contains(r.Skipped[0].Reason, "older than its change log") {
		t.Errorf("exit %d, %v, %v", r.Exit, r.Err, r.Skipped)
	}
	p.sync(nil)
	p.whole()
}
