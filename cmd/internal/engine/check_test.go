package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

func (p *pair) check(side string, repair bool) *CheckReport {
	p.t.Helper()
	return Check(p.t.Context(), CheckOptions{Location: p.loc(side), ChangeLog: p.log(), Repair: repair})
}

// sound wants a check without findings.
func (p *pair) sound(side string) {
	p.t.Helper()
	if r := p.check(side, false); r.Exit != ExitOK || r.Err != nil || len(r.Findings) > 0 {
		p.t.Fatalf("check %s: exit %d, %v, %v", side, r.Exit, r.Err, r.Findings)
	}
}

// quiet lets the clock's grain pass and looks again, so that no look is racy.
func (p *pair) quiet() {
	p.t.Helper()
	time.Sleep(50 * time.Millisecond)
	p.sync(nil)
	time.Sleep(50 * time.Millisecond)
	p.sync(nil)
}

// bodies counts the messages of INBOX whose text is that of a key.
func (p *pair) bodies(side, key string) (n int) {
	p.t.Helper()
	all, err := filepath.Glob(filepath.Join(p.dir, side, "cur", "*"))
	p.must(err)
	for _, f := range all {
		b, err := os.ReadFile(f)
		p.must(err)
		if strings.HasSuffix(string(b), "body "+key+"\n") {
			n++
		}
	}
	return n
}

// checked is a pair that a check finds sound, with settled looks.
func checked(t *testing.T) *pair {
	p := newPair(t)
	p.deliver("A", "", "1700000001.M1.h", "F")
	p.deliver("A", "", "1700000002.M2.h", "")
	p.deliver("B", "", "1700000003.M3.h", "S")
	p.deliver("A", ".work", "1700000004.M4.h", "")
	p.sync(nil)
	p.quiet()
	p.account("A", func(_ *logdb.DB, acc *logdb.Account) {
		rows, err := acc.Mailboxes()
		p.must(err)
		for _, r := range rows {
			if r.Look.Racy {
				t.Fatalf("%s is still racy", r.Path)
			}
		}
	})
	p.sound("A")
	p.sound("B")
	return p
}

func TestCheckSound(t *testing.T) {
	t.Parallel()
	p := conflicted(t)
	for _, side := range []string{"A", "B", "C", "D"} {
		p.sound(side)
	}
	if r := p.check("none", false); r.Exit != ExitTemp || r.Err == nil {
		t.Errorf("no store: exit %d, %v", r.Exit, r.Err)
	}
	p.deliver("E", "", "1700000001.M1.h", "")
	if r := p.check("E", true); r.Exit != ExitTemp || r.Err == nil {
		t.Errorf("no log: exit %d, %v", r.Exit, r.Err)
	}
	r := Check(t.Context(), CheckOptions{Location: p.loc("A"), ChangeLog: filepath.Join(p.dir, "no-log"), Repair: true})
	if _, err := os.Stat(filepath.Join(p.dir, "no-log")); err == nil || r.Exit != ExitTemp {
		t.Errorf("no database: exit %d, %v; made: %v", r.Exit, r.Err, err == nil)
	}
}

// What a mail program did since the last run is no damage.
func TestCheckAfterClient(t *testing.T) {
	t.Parallel()
	p := checked(t)
	p.flag("A", "", "1700000001.M1.h", "S")
	p.remove("A", "", "1700000002.M2.h")
	p.deliver("A", ".new", "1700000009.M9.h", "")
	var told []string
	r := Check(t.Context(), CheckOptions{Location: p.loc("A"), ChangeLog: p.log(), Notice: func(_ Level, s string) { told = append(told, s) }})
	if r.Exit != ExitOK || len(r.Findings) > 0 || len(told) == 0 {
		t.Errorf("exit %d, %v %v, told %q", r.Exit, r.Err, r.Findings, told)
	}
	p.sync(nil)
	p.sound("A")
}

// Each damage is found, repaired so that nothing is lost, and gone after a run.
func TestCheckRepairs(t *testing.T) {
	t.Parallel()
	record := func(p *pair, acc *logdb.Account, guid store.GUID) *logdb.Record {
		ids, err := acc.ByGUID(guid)
		p.must(err)
		r, err := acc.Record(ids[0])
		p.must(err)
		return r
	}
	change := func(f func(*logdb.Record)) func(*pair, *logdb.DB, *logdb.Account) {
		return func(p *pair, _ *logdb.DB, acc *logdb.Account) {
			old := record(p, acc, "1700000001.M1.h")
			r := old.Clone()
			f(r)
			b := acc.Batch()
			b.PutRecord(old, r)
			p.must(b.Commit(true))
		}
	}
	for name, c := range map[string]struct {
		damage func(*pair, *logdb.DB, *logdb.Account)
		what   string
	}{
		"uid":   {change(func(r *logdb.Record) { r.UID = 77 }), "uid is 1 in the store, 77 in the change log"},
		"flags": {change(func(r *logdb.Record) { r.ShownFlags = store.Seen }), "flags"},
		"digest": {func(p *pair, _ *logdb.DB, acc *logdb.Account) {
			rows, err := acc.Mailboxes()
			p.must(err)
			rows[0].Digest.Add(changelog.Digest{1})
			b := acc.Batch()
			b.PutMailbox(rows[0])
			p.must(b.Commit(true))
		}, "digest"},
		"a file that the log does not have": {func(p *pair, _ *logdb.DB, acc *logdb.Account) {
			b := acc.Batch()
			b.DeleteRecord(record(p, acc, "1700000001.M1.h"))
			p.must(b.Commit(true))
		}, "the store has it, the change log does not"},
		"a mailbox that the log does not have": {func(p *pair, _ *logdb.DB, acc *logdb.Account) {
			tree, err := acc.LoadTree()
			p.must(err)
			after := tree.Clone()
			after.Nodes = slices.DeleteFunc(after.Nodes, func(n *changelog.Node) bool {
				place, ok := n.Place()
				return ok && place.Path == "work"
			})
			b := acc.Batch()
			b.PutTree(tree, after)
			p.must(b.Commit(true))
		}, "work"},
		"an intent": {func(p *pair, _ *logdb.DB, acc *logdb.Account) {
			b := acc.Batch()
			b.PutIntent(logdb.Intent{Kind: 1, Payload: []byte{0x90}})
			p.must(b.Commit(true))
		}, "did not end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := checked(t)
			p.account("A", func(db *logdb.DB, acc *logdb.Account) { c.damage(p, db, acc) })
			r := p.check("A", false)
			if r.Exit != ExitData || r.Err != nil || len(r.Findings) == 0 {
				t.Fatalf("exit %d, %v, %v", r.Exit, r.Err, r.Findings)
			}
			if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
				return strings.Contains(f.What, c.what) || string(f.Mailbox) == c.what
			}) {
				t.Errorf("findings %v, want one with %q", r.Findings, c.what)
			}
			if again := p.check("A", false); !slices.Equal(again.Findings, r.Findings) {
				t.Errorf("a check without repair changed something: %v", again.Findings)
			}
			r = p.check("A", true)
			t.Logf("%v", r.Findings)
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			if name == "a mailbox that the log does not have" {
				return // what the records of a lost node were is unknown
			}
			if r.Exit != ExitAgain {
				t.Errorf("repair: exit %d", r.Exit)
			}
			p.sync(nil)
			p.quiet()
			p.sound("A")
			for _, side := range []string{"A", "B"} {
				for _, key := range []string{"1700000001.M1.h", "1700000002.M2.h", "1700000003.M3.h"} {
					if n := p.bodies(side, key); n != 1 {
						t.Errorf("%s holds %d messages with the body of %s", side, n, key)
					}
				}
			}
		})
	}
}

// Mail that the log holds and the store lacks, though nobody changed the mailbox,
// comes back from the other side; it is not deleted there (P6).
func TestCheckFetchesAgain(t *testing.T) {
	t.Parallel()
	p := checked(t)
	p.account("A", func(_ *logdb.DB, acc *logdb.Account) {
		ids, err := acc.ByGUID("1700000001.M1.h")
		p.must(err)
		old, err := acc.Record(ids[0])
		p.must(err)
		r := old.Clone()
		r.Handle = "cur/1700000099.M99.h:2,"
		b := acc.Batch()
		b.PutRecord(old, r)
		p.must(b.Commit(true))
	})
	if r := p.check("A", true); r.Exit != ExitAgain || len(r.Findings) != 2 {
		t.Fatalf("exit %d, %v, %v", r.Exit, r.Err, r.Findings)
	}
	p.sync(nil)
	p.find("B", "", "1700000001.M1.h")
	p.find("A", "", "1700000001.M1.h")
	p.quiet()
	p.sound("A")
	p.sound("B")
}

// An intent that cannot be read is left for a person, and nothing else is done.
func TestCheckUnreadableIntent(t *testing.T) {
	t.Parallel()
	p := checked(t)
	p.account("A", func(_ *logdb.DB, acc *logdb.Account) {
		b := acc.Batch()
		b.PutIntent(logdb.Intent{Kind: 1, Payload: []byte{0x91}}) // cut short
		p.must(b.Commit(true))
	})
	if r := p.check("A", true); r.Exit != ExitData || r.Err == nil {
		t.Fatalf("exit %d, %v, %v", r.Exit, r.Err, r.Findings)
	}
}
