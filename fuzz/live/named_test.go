package live

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/fuzz/pure"
	"dsync/merge"
	"dsync/store"
)

// named is a history with its exact result on both kinds of stores.
type named struct {
	name    string
	n       int    // replicas; 0: two
	past    string // made at 0 and brought to all
	history string
	want    string // what all show at the end of the history (show)
	rules   string // of the decisions of the history's last run, sorted; "-": not looked at
	only    string // "mem" or "disk"; "": both
	other   string // what replica 1 shows, if not the same
}

// show is what a store shows in one line: mailboxes with uid:token[flags].
func show(l *listing) string {
	var parts []string
	for _, n := range slices.SortedFunc(mapKeys(l.boxes), store.CompareNames) {
		line := string(n)
		for _, m := range l.msgs {
			if m.box != n {
				continue
			}
			line += fmt.Sprintf(" %d:%s", m.UID, m.token)
			var fs []string
			for _, f := range []string{"A", "T", "D", "F", "S"} {
				if m.Flags&flagLetters[f] != 0 {
					fs = append(fs, f)
				}
			}
			if fs = append(fs, m.Keywords...); len(fs) > 0 {
				line += "[" + strings.Join(fs, " ") + "]"
			}
		}
		parts = append(parts, line)
	}
	return strings.Join(parts, "; ")
}

func mapKeys(m map[store.Name]store.Status) func(func(store.Name) bool) {
	return func(yield func(store.Name) bool) {
		for n := range m {
			if !yield(n) {
				return
			}
		}
	}
}

func (c named) run(t *testing.T, w *world) {
	t.Helper()
	defer w.close()
	do := func(s string) {
		for i, o := range mustParse(s) {
			if err := w.run(o); err != nil {
				t.Fatalf("history: %s; %s\nat %d, %v: %v", c.past, c.history, i, o, err)
			}
		}
	}
	if c.past != "" {
		do(c.past)
		for range 2 {
			if err := w.sweep(); err != nil {
				t.Fatal(err)
			}
		}
		do("tick")
	}
	do(c.history)
	var rules []string
	if w.last != nil && w.last.Outcome != nil {
		for _, d := range w.last.Outcome.Decisions {
			rules = append(rules, fmt.Sprint(d.Rule))
		}
		slices.Sort(rules)
	}
	if got := strings.Join(rules, " "); c.rules != "-" && !w.Real() && got != c.rules {
		t.Errorf("history: %s; %s\nrules %q, want %q: %v", c.past, c.history, got, c.rules, w.last.Outcome.Decisions)
	}
	for r, a := range w.acc {
		l, err := list(a)
		if err != nil {
			t.Fatal(err)
		}
		want := c.want
		if r == 1 && c.other != "" {
			want = c.other
		}
		got := show(l)
		if _, disk := a.(*diskAccount); disk { // clients give no UIDs there
			got, want = withoutUIDs(got), withoutUIDs(want)
		}
		if got != want {
			t.Errorf("history: %s; %s\nreplica %d shows %s\n          want %s", c.past, c.history, r, got, want)
		}
	}
	if err := w.converge(); err != nil {
		t.Errorf("history: %s; %s\n%v", c.past, c.history, err)
	}
}

// withoutUIDs leaves the messages of each mailbox, sorted.
func withoutUIDs(s string) string {
	boxes := strings.Split(s, "; ")
	for i, b := range boxes {
		fs := regexp.MustCompile(` \d+:`).Split(strings.ToLower(b), -1)
		slices.Sort(fs[1:])
		boxes[i] = strings.Join(fs, " ")
	}
	return strings.Join(boxes, "; ")
}

func ownLog(t *testing.T, o logdb.Options) *logdb.DB {
	t.Helper()
	db, err := logdb.Open("log", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func runNamed(t *testing.T, cs []named) {
	for i, c := range cs {
		if c.n == 0 {
			c.n = 2
		}
		kind := pure.Kind{Replicas: c.n}
		if c.only != "disk" {
			t.Run(c.name+"/memory", func(t *testing.T) {
				c.run(t, memKind{kind: kind, mode: Fast}.world(uint64(i+1), ownLog(t, logdb.Options{Disk: new(logdb.Disk)})))
			})
		}
		if c.only != "mem" {
			t.Run(c.name+"/maildir", func(t *testing.T) {
				dir := tmpRoot(t, uint64(i))
				defer os.RemoveAll(dir)
				w, err := diskKind{kind: kind, mode: Fast}.world(uint64(i+1), ownLog(t, logdb.Options{FS: logdb.Memory()}), dir)
				if err != nil {
					t.Fatal(err)
				}
				c.run(t, w)
			})
		}
	}
}

// E4: the rows of shared/reference/observed.md §A, and what conflicts.md wants to be
// tested first. Histories that broke the engine stand here too.
func TestObserved(t *testing.T) {
	const mail = "0:cr X; 0:cr Y; 0:ap X m"
	runNamed(t, []named{
		{name: "1 new mail on both", past: mail, history: "0:ap X a; 1:ap X b; 0=1", want: "INBOX; X 1:m 3:a 4:b; Y", rules: "1 1"},
		{name: "1 flags on both", past: mail + "; 0:ap X n", history: "0:f+S X#m; 1:f+S X#n; 0=1", want: "INBOX; X 1:m[S] 2:n[S]; Y"},
		{name: "1 expunges on both", past: mail + "; 0:ap X n; 0:ap X o", history: "0:ex X#m; 1:ex X#n; 0=1", want: "INBOX; X 3:o; Y"},
		{name: "1 flag removed, other added", past: mail + "; 0:f+S X#m", history: "0:f-S X#m; 1:f+F X#m; 0=1", want: "INBOX; X 1:m[F]; Y"},
		{name: "1 keywords on both", past: mail + "; 0:ap X n", history: "0:k+a X#m; 1:k+b X#n; 0=1", want: "INBOX; X 1:m[a] 2:n[b]; Y"},
		{name: "1 backup of the same count", past: mail, history: "0:ap X a; 1:ap X b; 0=1 backup", want: "INBOX; X 1:m 2:a; Y"},
		{name: "2 backup onto an INBOX that lost mail", past: "0:ap INBOX a; 0:ap INBOX b", history: "1:ex INBOX#a; 0=1 backup", want: "INBOX 1:a 2:b"},
		{name: "2 backup onto an INBOX with more", past: "0:ap INBOX a", history: "1:ap INBOX z; 1:ap INBOX y; 0=1 backup", want: "INBOX 1:a"},
		{name: "2 backup onto an INBOX with higher UIDNEXT", past: "0:ap INBOX a", history: "1:un INBOX; 1:un INBOX; 0:ap INBOX b; 0=1 backup", want: "INBOX 1:a 2:b", only: "mem"},
		{name: "2 backup onto an INBOX of other UIDVALIDITY", past: "0:ap INBOX a", history: "1:uv INBOX up; 0=1 backup", want: "INBOX 1:a"},
		{name: "2 backup, then whole", past: "0:ap INBOX a; 0:ap INBOX b; 0:ap INBOX c", history: "1:ex INBOX#a; 1:f+F INBOX#b; 1:ap INBOX z; 1:cr N; 1:ap N n; 0=1 backup; 0=1", want: "INBOX 1:a 2:b 3:c", rules: "-"},
		{name: "3 made on both", history: "0:cr A; 0:ap A a; tick; 1:cr A; 1:ap A b; 0=1", want: "INBOX; A 2:a 3:b", rules: "-", only: "mem"},
		{name: "3 both full at first", history: "0:ap INBOX a; 0:cr A; 0:ap A c; 1:ap INBOX b; 1:cr A; 1:ap A d; 0=1", want: "INBOX 2:a 3:b; A 2:c 3:d", rules: "-", only: "mem"},
		{name: "3 a copied tree", history: "0:ap INBOX a; 0:ap INBOX b; 0:f+F INBOX#a; 0:cr A; 0:ap A c; 0=2; 1:clone 0; 0=1; 1=2", n: 3, want: "INBOX 1:a[F] 2:b; A 1:c"},
		{name: "3 delete and recreate, new mail", past: "0:cr A; 0:ap A a", history: "0:dl A; 0:cr A; 1:ap A n; 0=1", want: "INBOX; A 1:n", rules: "-", only: "mem"},
		{name: "3 lost uidlist", past: "0:ap INBOX a; 0:ap INBOX b; 0:f+F INBOX#b", history: "1:nouidlist INBOX; 0=1", want: "INBOX 1:a 2:b[F]", rules: "-", only: "disk"},
		{name: "3 cut uidlist", past: "0:ap INBOX a; 0:ap INBOX b; 0:f+F INBOX#b", history: "1:cutuidlist INBOX; 0=1", want: "INBOX 3:a 4:b[F]", rules: "-", only: "disk"},
		{name: "4 UIDVALIDITY raised", past: "0:ap INBOX a; 0:ap INBOX b; 0:ap INBOX c; 0:ap INBOX d", history: "0:uv INBOX up; 0=1", want: "INBOX 1:a 2:b 3:c 4:d"},
		{name: "5 UIDVALIDITY lowered, new mail on both", past: "0:ap INBOX a; 0:ap INBOX b", history: "1:uv INBOX down; 1:ap INBOX c; 0:ap INBOX d; 0=1", want: "INBOX 1:a 2:b 3:d 4:c", rules: "22", only: "mem"},
		{name: "5 UIDVALIDITY raised on both", past: "0:ap INBOX a; 0:ap INBOX b; 0:ap INBOX c", history: "0:uv INBOX up; 1:uv INBOX up; 1:ex INBOX#b; 0=1", want: "INBOX 1:a 3:c", rules: "-"},
		{name: "7 lost log", past: "0:ap INBOX a; 0:ap INBOX b", history: "1:ex INBOX#a; 1:f+F INBOX#b; 0:lost; 0=1", want: "INBOX 2:b[F]", rules: "28"},
		{name: "8 -m of a mailbox renamed there", past: "0:cr A; 0:ap A a", history: "1:rn A>A9; 0=1 -m A; 0=1", want: "INBOX; A9 1:a"},
		{name: "9 deleted against new mail", past: mail, history: "0:dl X; 1:ap X a; 0=1", want: "INBOX; X 2:a; Y", rules: "15"},
		{name: "9 deleted against a move into it", past: mail, history: "0:mv X#m>Y; 1:dl Y; 0=1", want: "INBOX; X; Y 1:m", rules: "15"},
		{name: "9 rename and delivery after the delete", past: "0:cr A; 0:ap A a", history: "1:dl A; tick; 0:rn A>B; 0:ap B n; 0=1", want: "INBOX; B 2:n", rules: "15"},
		{name: "10 restored mail", past: "0:ap INBOX a; 0:ap INBOX b", history: "0:save; 0:ex INBOX#a; 0:ap INBOX c; 0=1; 0:restore; 0=1", want: "INBOX 2:b 3:c", rules: "-"},
		{name: "10 restored mail, worked on", past: "0:ap INBOX a; 0:ap INBOX b", history: "0:save; 0:ex INBOX#a; 0:ap INBOX c; 0=1; 0:restore; 0:f+F INBOX#b; 0=1", want: "INBOX 2:b 3:c", rules: "-"},
		{name: "11 keyword of other case", past: "0:ap INBOX a", history: "0:k+KW INBOX#a; tick; 1:k+kw INBOX#a; 0=1", want: "INBOX 1:a[KW]"},
		{name: "12 one GUID, other bytes", history: "0:ap INBOX g/1; tick; 1:ap INBOX g/2; 0=1", want: "INBOX 2:g/1 3:g/2", rules: "-"},
		{name: "swap of two names", past: "0:cr A; 0:cr B; 0:ap A a; 0:ap B b", history: "0:rn A>T; 0:rn B>A; 0:rn T>B; 0=1", want: "INBOX; A 1:b; B 1:a"},
		{name: "move, flag", past: mail, history: "0:mv X#m>Y; 1:f+F X#m; 0=1", want: "INBOX; X; Y 1:m[F]"},
		{name: "move, expunge", past: mail, history: "0:mv X#m>Y; 1:ex X#m; 1=0", want: "INBOX; X; Y 1:m", rules: "4"},
		{name: "-1 of the manual", past: "0:ap INBOX a; 0:ap INBOX b; 0:ap INBOX c; 0:ap INBOX d; 0:ap INBOX e", history: "0:ex INBOX#d; 0:ap INBOX f; 1:ex INBOX#e; 1:ap INBOX g; 0=1 -1", want: "INBOX 1:a 2:b 3:c 5:e 6:f", other: "INBOX 1:a 2:b 3:c 4:d 7:f 8:g", rules: "1 1"},
		{name: "a flag relayed", n: 3, past: mail, history: "0:f+F X#m; 0=1; 1=2", want: "INBOX; X 1:m[F]; Y"},
		// What broke the engine.
		{name: "GUID of a created parent", history: "0:cr A; 0=1; 1:rn A>B/C; 0=1; 1:cr B; 0=1", want: "INBOX; B; B/C"},
		{name: "UID given anew at a third", n: 3, past: "0:cr A", history: "2:un A; 1:ap A t; 0=1; 1=2; 0=1", want: "INBOX; A 2:t", rules: "-", only: "mem"},
		{name: "left before a new UIDVALIDITY", n: 3, history: "0:ap INBOX t; 2=0; 0:rn INBOX>INBOX/D; 0:uv INBOX up; 0=1; 1=2", want: "INBOX; INBOX/D 1:t", only: "mem"},
		{name: "expunge after a flag to and fro", history: "0:cr A; 0:ap A t; 0:f+F A#t; 0=1; 0:f-F A#t; 1:ex A#t; 0:f+F A#t; 0=1", want: "INBOX; A"},
		{name: "restored tree", n: 3, history: "2=1; 2:save; 2:cr A; 2:su A; 1=2; 2:restore; 1=2; 0=1", want: "INBOX; A", rules: "-"},
		{name: "stopped between file and UID", n: 3, history: "0:ap INBOX t1; 0=1; 1=2; 0:su A; 1:ex INBOX#t1; 2=1 -t; 0:rn INBOX>A/C; 1=0 half; 0=1; 1=2", want: "INBOX; A/C 1:t1", rules: "-", only: "mem"},
	})
}

// A torn first line of a uidlist: the run says so, gives a new UIDVALIDITY, loses
// nothing, and the next is quiet.
func TestTornUIDList(t *testing.T) {
	dir := tmpRoot(t, 0)
	defer os.RemoveAll(dir)
	w, err := diskKind{kind: pure.Kind{Replicas: 2}, mode: Fast}.world(1, ownLog(t, logdb.Options{FS: logdb.Memory()}), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range mustParse("0:ap INBOX a; 0:ap INBOX b; 0:f+F INBOX#a; 0=1") {
		if err := w.run(o); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "r1", "dovecot-uidlist"), []byte("3 V12"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := w.pair(0, 1, w.pairOptions(0, 1)); err != nil {
			t.Fatal(err)
		}
	}
	both, err := w.both(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if both[0].text != both[1].text || both[0].count()["a"] != 1 || both[0].count()["b"] != 1 {
		t.Errorf("after two runs:\n%s\n%s", both[0].text, both[1].text)
	}
	if err := w.quiet(0, 1); err != nil {
		t.Error(err)
	}
}

// The safety brake: an account emptied at once is not believed.
func TestBrake(t *testing.T) {
	w := memKind{kind: pure.Kind{Replicas: 2}, mode: Fast}.world(1, ownLog(t, logdb.Options{Disk: new(logdb.Disk)}))
	defer w.close()
	for _, o := range mustParse("0:cr A; 0:cr B; 0:ap A a; 0:ap B b; 0:ap INBOX c; 0=1; 1:ex INBOX#c; 1:dl A; 1:dl B; 0:ap INBOX d") {
		if err := w.run(o); err != nil {
			t.Fatal(err)
		}
	}
	o := w.pairOptions(0, 1)
	o.Brake = recorder.Brake{}
	res, err := w.pair(0, 1, o)
	if err != nil {
		t.Fatal(err)
	}
	both, err := w.both(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if res.Looks[0].Braked+res.Looks[1].Braked == "" {
		t.Errorf("no brake: %v, equal %v", trouble(res), res.Outcome.Equal)
	}
	n0, n1 := both[0].count(), both[1].count()
	if n0["a"]+n0["b"]+n0["c"]+n0["d"] != 4 || n1["d"] != 1 {
		t.Errorf("under the brake:\n%s\n%s", both[0].text, both[1].text)
	}
	if err := w.whole(0, 1); err != nil { // confirmed
		t.Fatal(err)
	}
}

// E10, L2: the negative controls are caught within 100 histories.
func TestControlsAreCaught(t *testing.T) {
	log := &logs{}
	defer log.close()
	k := memKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Fast}
	for _, p := range []*merge.Policy{merge.LeftWins, merge.Random(1), merge.Random(2)} {
		caught := uint64(0)
		for s := uint64(1); s <= 100 && caught == 0; s++ {
			db, err := log.get(s)
			if err != nil {
				t.Fatal(err)
			}
			w := k.world(s, db)
			w.policy = p
			if try(w, k.generate(s)) != nil {
				caught = s
			}
		}
		if caught == 0 {
			t.Errorf("100 histories under %s broke no law: the harness has no teeth", p.Name)
		}
		t.Logf("%s: caught by history %d", p.Name, caught)
	}
}
