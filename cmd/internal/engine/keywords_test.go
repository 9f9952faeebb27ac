package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dsync/store"
)

const lettersAll = "abcdefghijklmnopqrstuvwxyz"

// named writes a mailbox's keyword table: as many keywords as given, in its letters.
func (p *pair) named(side, box string, keywords ...string) {
	p.t.Helper()
	var b strings.Builder
	for i, k := range keywords {
		fmt.Fprintf(&b, "%d %s\n", i, k)
	}
	p.must(os.WriteFile(filepath.Join(p.dir, side, box, "dovecot-keywords"), []byte(b.String()), 0o600))
}

func many(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("k%02d", i))
	}
	return out
}

// counted gives the keywords of a message as the log has them, and those that its
// store shows, each sorted.
func (p *pair) counted(side string, guid store.GUID) (counted, unshown []string) {
	p.t.Helper()
	db, err := openLog(p.t.Context(), p.log(), false, 0)
	p.must(err)
	defer db.Close()
	acc, err := findAccount(db, p.loc(side), nil)
	p.must(err)
	ids, err := acc.ByGUID(guid)
	p.must(err)
	if len(ids) != 1 {
		p.t.Fatalf("%s: %d messages %q", side, len(ids), guid)
	}
	r, err := acc.Record(ids[0])
	p.must(err)
	return r.Counted(), r.Unshown
}

// letters gives the letters of a message in its file's name.
func (p *pair) letters(side, box, key string) string {
	_, l, _ := strings.Cut(filepath.Base(p.find(side, box, key)), ":2,")
	return l
}

// still wants a run that does nothing (P2) and is equal (P1).
func (p *pair) still(change func(*Options)) {
	p.t.Helper()
	r := p.sync(change)
	for i, s := range r.Sides {
		s.Location = ""
		if s != (Side{}) {
			p.t.Errorf("%s: a second run did %+v", sideNames[i], s)
		}
	}
	if len(r.Warnings) > 0 || !r.Equal {
		p.t.Errorf("a second run: equal %v, warnings %q", r.Equal, r.Warnings)
	}
}

// toC makes a run between A or B and a third account.
func toC(p *pair, near string) func(*Options) {
	return func(o *Options) { o.Near, o.Far = p.loc(near), p.loc("C") }
}

const m1, m2 = "1700000001.M1.h", "1700000002.M2.h"

// beyond makes two accounts with two messages; A's mailbox names 26 keywords, all of
// them set on the first message, B's one more, on both.
func beyond(t *testing.T) *pair {
	p := newPair(t)
	p.deliver("A", "", m1, "")
	p.deliver("A", "", m2, "")
	p.sync(nil)
	p.named("A", "", many(26)...)
	p.flag("A", "", m1, lettersAll)
	p.named("B", "", "more")
	p.flag("B", "", m1, "a")
	p.flag("B", "", m2, "Sa")
	return p
}

// Rule 9: a 27th keyword counts as held: the log has it on both sides, the run ends with
// 0 and one warning a mailbox, and the next does nothing.
func TestKeyword27(t *testing.T) {
	t.Parallel()
	p := beyond(t)
	r := p.sync(nil)
	if len(r.Warnings) != 2 || !strings.Contains(r.Warnings[0], `near: "INBOX" keeps no more keywords: more`) ||
		!strings.Contains(r.Warnings[1], `far: "INBOX" keeps no more keywords: k25`) || !r.Equal {
		t.Errorf("equal %v, warnings %q", r.Equal, r.Warnings)
	}
	all := append(many(26), "more")
	for side, lacks := range map[string][]string{"A": {"more"}, "B": {"k25"}} {
		counted, unshown := p.counted(side, m1)
		if !slices.Equal(counted, all) || !slices.Equal(unshown, lacks) {
			t.Errorf("%s: the log has %q, not shown %q", side, counted, unshown)
		}
	}
	if l := p.letters("A", "", m2); l != "S" {
		t.Errorf("flags beside a keyword without room: %q", l)
	}
	p.still(nil)
	p.still(func(o *Options) { o.Algorithm = Full })
	p.quiet()
	p.sound("A")
	p.sound("B")

	// A third account with room for it shows what A, whence it comes, does not.
	p.deliver("C", "", "1700000009.M9.h", "a")
	p.named("C", "", "more")
	p.sync(toC(p, "A"))
	if l := p.letters("C", "", m2); l != "Sa" {
		t.Errorf("C shows %q", l)
	}
	p.still(toC(p, "A"))
	p.sync(nil)
	p.still(nil)

	// A client clears one of the 26, and one is cleared that the other side lacks.
	p.flag("A", "", m1, lettersAll[1:])
	p.flag("B", "", m2, "S")
	p.sync(nil)
	for _, side := range []string{"A", "B"} {
		if counted, _ := p.counted(side, m1); !slices.Equal(counted, all[1:]) {
			t.Errorf("%s: after a client cleared k00 the log has %q", side, counted)
		}
		if counted, _ := p.counted(side, m2); len(counted) > 0 {
			t.Errorf("%s: after a client cleared the only keyword the log has %q", side, counted)
		}
	}
	p.still(nil)
	p.sound("A")
	p.sound("B")
}

// New mail, a mirror, a -1 and a first sync end well too.
func TestKeyword27Modes(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]Mode{"sync": Sync, "-1": OneWay, "backup": Backup} {
		p := newPair(t)
		p.deliver("A", "", m1, "a")
		p.named("A", "", "more")
		p.deliver("B", "", m2, lettersAll)
		p.named("B", "", many(26)...)
		if mode == Backup {
			p.remove("B", "", m2)
		}
		with := func(o *Options) { o.Mode = mode }
		r := p.sync(with)
		if n := len(r.Warnings); n == 0 || !strings.Contains(r.Warnings[n-1], `far: "INBOX" keeps no more keywords: more (messages: 1)`) {
			t.Errorf("%s: warnings %q", name, r.Warnings)
		}
		if counted, unshown := p.counted("B", m1); !slices.Equal(counted, []string{"more"}) || !slices.Equal(unshown, counted) {
			t.Errorf("%s: the log has %q, not shown %q", name, counted, unshown)
		}
		if r := p.sync(with); r.Sides[1].Flags+r.Sides[1].Copied+r.Sides[0].Flags > 0 || len(r.Warnings) > 0 {
			t.Errorf("%s: a second run: %+v, %q", name, r.Sides, r.Warnings)
		}
		p.sound("A")
		p.sound("B")
	}
}

// A move into a mailbox that is full keeps the keyword, whoever moves: at the other side
// it is shown throughout.
func TestKeyword27Moves(t *testing.T) {
	t.Parallel()
	for _, mover := range []string{"A", "B"} {
		p := newPair(t)
		for _, side := range []string{"A", "B"} {
			p.deliver(side, ".full", "170000000"+map[string]string{"A": "3", "B": "4"}[side]+".M.h", "")
		}
		p.named("A", ".full", many(26)...)
		p.deliver("A", "", m1, "Fa")
		p.named("A", "", "more")
		p.sync(nil)
		p.must(os.Rename(p.find(mover, "", m1), filepath.Join(p.dir, mover, ".full", "cur", m1+":2,F")))
		if mover == "B" { // whose mailbox has room: the client takes the keyword with it
			p.named("B", ".full", "more")
			p.flag("B", ".full", m1, "Fa")
		}
		p.sync(nil)
		for side, want := range map[string]string{"A": "F", "B": "Fa"} {
			if l := p.letters(side, ".full", m1); l != want {
				t.Errorf("moved at %s: %s shows %q, want %q", mover, side, l, want)
			}
			if counted, _ := p.counted(side, m1); !slices.Equal(counted, []string{"more"}) {
				t.Errorf("moved at %s: %s has %q", mover, side, counted)
			}
		}
		p.still(nil)
		p.sound("A")
		p.sound("B")
	}
}

// Keywords that a store has no room for are told to verify by the log.
func TestReadUnshown(t *testing.T) {
	t.Parallel()
	p := beyond(t)
	p.sync(nil)
	for side, want := range map[string]string{"A": "more", "B": "k25"} {
		of, err := ReadUnshown(t.Context(), LogOptions{Location: p.loc(side), ChangeLog: p.log()})
		p.must(err)
		if got := of("INBOX", 1, m1); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q", side, got)
		}
		if got := of("INBOX", 1, m2); got != nil {
			t.Errorf("%s: under another GUID: %q", side, got)
		}
	}
	of, err := ReadUnshown(t.Context(), LogOptions{Location: p.loc("C"), ChangeLog: p.log()})
	if err != nil || of("INBOX", 1, m1) != nil {
		t.Errorf("an account without a log: %v", err)
	}
}

// A line of dovecot-keywords that nobody can read is told once a look, and no more.
func TestKeywordLines(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.deliver("A", "", m1, "Sab")
	p.must(os.WriteFile(filepath.Join(p.dir, "A", "dovecot-keywords"), []byte("0 good\n1 two words\n"), 0o600))
	r := p.sync(nil)
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], `near: INBOX: "dovecot-keywords": line 2, "1 two words"`) {
		t.Errorf("warnings %q", r.Warnings)
	}
	if l := p.letters("B", "", m1); l != "Sa" {
		t.Errorf("B shows %q", l)
	}
	p.still(nil)
	if c := p.check("A", false); c.Exit != ExitOK {
		t.Errorf("check: %d %v", c.Exit, c.Findings)
	}
}
