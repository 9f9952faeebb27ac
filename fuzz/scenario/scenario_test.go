package scenario

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// everything has every verb, every option and every header.
const everything = `scenario "all that there is"
  note said of it: "x" # no comment
  note and more
  cell EX F+
  cell AP AP
  date 2026-11-24
  law P6 P8
  seed 42
  found doveadm
  breaks doveadm P1 P3
  breaks outside P6
  replicas A B near_1
  topology ring
  mode full
  policy add-wins
  A: deliver m to INBOX
  A: deliver g/1 to "a b" received 2026-01-31
  A: deliver g/2 to "a, b" received 2026-01-31T10:00:00Z
  level
  A: copy m from INBOX to X
  B: move #2 from INBOX to "subscribed x"
  near_1: expunge m from INBOX
  A: flag m in INBOX +\Seen -work
  A: replace m in INBOX \Seen work
  A: replace m in INBOX
  A: create X
  A: rename X to Y/Z
  A: delete X
  A: subscribe X
  A: unsubscribe X
  A: attribute X "two words"
  A: uidvalidity X up
  A: uidnext X
  A: damage X half-uidlist
  A: save
  A: restore
  A: restore mail
  A: lose-log
  A: clone B
  A: trim
  A: clock -1h30m0s
  tick
  tick 1m0s
  sync A B
  sync A B mode state policy later-wins only X only "a b" except Trash* since 2026-01-31 before 2026-02-01T00:00:01Z cut 3 crash B 2 power x1 full near_1 4 2 fail 7 delay 8 during 5 "A: expunge m from INBOX" during 9 "B: create \"two words\"" during 9 "sync B near_1 mode full"
  oneway A B
  backup B A mode corrupt
  sweep
  converge
  expect conflicts 7 15
  expect conflicts
  expect exit 0 2
  expect all
    | INBOX 1:m[\Seen work] 2:g/1
    | "subscribed" (noselect)
    | "subscribed"/X
  expect near_1
`

func canonical(t *testing.T) string {
	t.Helper()
	// A name is quoted as a whole.
	return strings.Replace(everything, "| \"subscribed\"/X", "| Y {\"c d\"} m\n    | subscribed INBOX \"a b\"", 1)
}

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("f.txt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPrintGivesWhatWasParsed(t *testing.T) {
	text := canonical(t)
	f := parse(t, text)
	if got := string(f.Print()); got != text {
		t.Errorf("printed:\n%s\nwant:\n%s", got, text)
	}
	used := map[Verb]bool{}
	for _, s := range f.Scenarios[0].Steps {
		used[s.Verb] = true
	}
	for _, v := range Verbs() {
		if !used[v] {
			t.Errorf("the test has no %s", v)
		}
	}
	b, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	g, err := ParseJSON("f.json", b)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if got := string(g.Print()); got != text {
		t.Errorf("by JSON:\n%s\nwant:\n%s", got, text)
	}
	for i := range f.Scenarios[0].Steps {
		f.Scenarios[0].Steps[i].Line = 0
	}
	if !reflect.DeepEqual(f.Scenarios[0].Steps, g.Scenarios[0].Steps) {
		t.Error("the steps differ by JSON")
	}
}

func TestFreerFormsAreRead(t *testing.T) {
	f := parse(t, "# a file\n\nscenario x\t# the name\n\tA,B: create \"X\"   # both\r\nsync A B\nexpect all\n|INBOX\n  # a comment\n | X\n")
	want := "scenario x\n  A: create X\n  B: create X\n  sync A B\n  expect all\n    | INBOX\n    | X\n"
	if got := string(f.Print()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestErrorsNamePlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "f.txt:1:1: no scenario"},
		{"\n  A: create X", `f.txt:2:3: "A:" before the first line`},
		{"scenario", "f.txt:1:1: want: scenario NAME"},
		{"scenario a\nscenario a", "f.txt:2:10: a second scenario"},
		{"scenario \"a", "f.txt:1:10: a quote that does not end"},
		{"scenario a\n  A: crate X", "f.txt:2:6: unknown verb \"crate\""},
		{"scenario a\n  C: create X", "f.txt:2:3: unknown replica \"C\""},
		{"scenario a\n  A: create", "f.txt:2:3: want: create MAILBOX"},
		{"scenario a\n  A: create X Y", "f.txt:2:15: \"Y\" is one word too many"},
		{"scenario a\n  create X", "f.txt:2:3: who is to create?"},
		{"scenario a\n  sink A B", "f.txt:2:3: unknown word \"sink\""},
		{"scenario a\n  sync A A", "f.txt:2:8: a run needs two replicas"},
		{"scenario a\n  sync A B often", "f.txt:2:12: unknown option \"often\""},
		{"scenario a\n  sync A B cut x", "f.txt:2:3: frames and writes"},
		{"scenario a\n  sync A B crash C 1", "f.txt:2:18: unknown replica"},
		{"scenario a\n  sync A B power x", "f.txt:2:12: power says what a crash loses"},
		{"scenario a\n  sync A B full A 0 1", "f.txt:2:3: frames and writes"},
		{"scenario a\n  sync A B during 1 \"A: crate X\"", "f.txt:2:21: in the step \"A: crate X\": unknown verb"},
		{"scenario a\n  sync A B during 1 \"\"", "f.txt:2:21: in the step \"\": want a step"},
		{"scenario a\n  sync A B during 0 tick", "f.txt:2:12: the moments of a run"},
		{"scenario a\n  sync A B during 1 tick", "f.txt:2:12: tick cannot be in the middle"},
		{"scenario a\n  sync A B during 1 \"sync A B cut 1\"", "f.txt:2:12: sync cannot be in the middle"},
		{"scenario a\n  sync A B mode slow", "f.txt:2:17: unknown mode"},
		{"scenario a\n  A: flag m in X Seen", "f.txt:2:18: \"Seen\": want + or -"},
		{"scenario a\n  A: flag m in X +\\Recent", "f.txt:2:18: "},
		{"scenario a\n  A: flag m at X +\\Seen", "f.txt:2:13: \"at\" where in is wanted"},
		{"scenario a\n  A: deliver M to X", "f.txt:2:14: \"M\" cannot name a message"},
		{"scenario a\n  A: deliver m to ../X", "f.txt:2:19: "},
		{"scenario a\n  A: deliver m to X received soon", "f.txt:2:30: \"soon\" is no date"},
		{"scenario a\n  A: clone A", "f.txt:2:"},
		{"scenario a\n  expect all\n  | X m[", "f.txt:3:7: no ] at the end"},
		{"scenario a\n  expect all\n  | X 0:m", "f.txt:3:7: \"0\" is no UID"},
		{"scenario a\n  | X", "f.txt:2:3: a row without"},
		{"scenario a\n  tick\n  policy safe", "f.txt:3:3: unknown word \"policy\""},
		{"scenario a\n  replicas A all", "f.txt:2:14: \"all\" cannot name a replica"},
		{"scenario a\n  date yesterday", "f.txt:2:8: \"yesterday\" is no date"},
		{"scenario a\n  mode fast\n  mode fast", "f.txt:3:3: a second line \"mode\""},
		{"scenario a\n  A: create \xff", "f.txt:2:13: not UTF-8"},
	} {
		_, err := Parse("f.txt", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

func TestJSONErrorsNamePlace(t *testing.T) {
	const head = "{\"format\":1,\"scenarios\":[\n {\"name\":\"x\",\"replicas\":[\"A\",\"B\"],\n  \"steps\":[\n   "
	for _, c := range []struct{ text, want string }{
		{"", "f.json:1:1: the text ends"},
		{"[]", "f.json:1:1: want \"{\""},
		{"{\"format\":2,\"scenarios\":[]}", "f.json:1:1: want \"format\": 1"},
		{"{\"format\":1,\n\"scenes\":[]}", "f.json:2:1: unknown member"},
		{head + "{\"do\":\"create\"}]}]}", "f.json:4:4: unknown replica"},
		{head + "{\"do\":\"tick\"},\n {\"do\":\"create\",\"at\":\"A\",\"mailbox\":\"X\",\"to\":\"Y\"}]}]}", "f.json:5:2: create has a field that it does not use"},
		{head + "{\"do\":\"tick\",\"often\":1}]}]}", "f.json:4:4: unknown field"},
		{head + "{\"do\":7}]}]}", "f.json:4:4: "},
		{head + "{\"do\":\"tick\"}]}]} x", "f.json:4:"},
		{head + "{\"do\":\"tick\"", "f.json:4:"},
		{head + "{\"do\":\"tick\"},,]}]}", "f.json:4:19: "},
	} {
		_, err := ParseJSON("f.json", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

func TestEveryVerbStandsInTheManual(t *testing.T) {
	has := func(line, says string) {
		t.Helper()
		for _, l := range strings.Split(Language, "\n") {
			if l = strings.TrimSpace(l); strings.HasPrefix(l, line+" ") && strings.Contains(l, says) {
				return
			}
		}
		t.Errorf("LANGUAGE.md has no line %q with %q", line, says)
	}
	for _, r := range rules {
		form := strings.TrimSpace(string(r.verb) + " " + r.form)
		switch r.verb {
		case Sync, OneWay, Backup:
			form += " REPLICA REPLICA [options]"
		case Expect:
			form += " REPLICA"
			continue
		case ExpectConflicts:
			form += " [RULE…]"
		case ExpectExit:
			form += " STATUS…"
		}
		has(form, r.says)
	}
	for _, h := range headers {
		has(h.word+" "+h.form, h.says)
	}
	for _, o := range runOptions {
		has(o.word+" "+o.form, o.says)
	}
	if n := strings.Count(Language, "\n"); n > 150 {
		t.Errorf("the manual has %d lines", n)
	}
	_, example, _ := strings.Cut(Language, "    scenario ")
	example, _, _ = strings.Cut("scenario "+example, "\n\nA file")
	parse(t, example)
}

func TestRewriteChangesExpectationsAlone(t *testing.T) {
	text := "# keep\nscenario x # this\n  sync A B\n  expect all   # gone\n  | INBOX\n  | X\n  # keep, too\n  expect exit 0\n"
	f := parse(t, text)
	s := f.Scenarios[0].Steps[1]
	s.Shows = &Listing{Mailboxes: []Mailbox{{Name: "INBOX", Messages: []Message{{UID: 1, Name: "m", Flags: []string{`\Seen`}}}}}}
	got := string(Rewrite([]byte(text), []Edit{{s}}))
	want := "# keep\nscenario x # this\n  sync A B\n  expect all\n    | INBOX 1:m[\\Seen]\n  # keep, too\n  expect exit 0\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestListingsMatch(t *testing.T) {
	list := func(rows ...string) *Listing {
		f := parse(t, "scenario x\nexpect all\n| "+strings.Join(rows, "\n| "))
		return f.Scenarios[0].Steps[0].Shows
	}
	shown := list(`X 1:a[\Seen Work] 2:b`, "subscribed X")
	shown.Mailboxes[0].GUID = "0123456789abcdef"
	for _, c := range []struct {
		want *Listing
		is   bool
	}{
		{list(`X 2:b 1:a[work \Seen]`, "subscribed X"), true},
		{list(`X b a[work \Seen]`, "subscribed X"), true},
		{list(`X b a[work \Seen]`), false},
		{list(`X 1:b 2:a[work \Seen]`, "subscribed X"), false},
		{list(`X b a[work]`, "subscribed X"), false},
		{list(`X a[work \Seen]`, "subscribed X"), false},
		{list(`Y a[work \Seen] b`, "subscribed X"), false},
	} {
		if c.want.Matches(shown) != c.is {
			t.Errorf("%v matches: %v, want %v", c.want, !c.is, c.is)
		}
	}
	shown.Mailboxes[0].Name = "X-01234567"
	if !list(`X-guid a[work \Seen] b`, "subscribed X").Matches(shown) {
		t.Error("X-guid does not match")
	}
}

func TestPairs(t *testing.T) {
	for _, c := range []struct {
		t    Topology
		n    int
		want [][2]int
	}{
		{Line, 2, [][2]int{{0, 1}}},
		{"", 3, [][2]int{{0, 1}, {1, 2}, {0, 1}}},
		{Ring, 3, [][2]int{{0, 1}, {1, 2}, {2, 0}, {1, 2}, {0, 1}}},
		{Star, 3, [][2]int{{0, 1}, {0, 2}, {0, 1}}},
	} {
		if got := c.t.Pairs(c.n); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s of %d: %v, want %v", c.t, c.n, got, c.want)
		}
	}
}

// seeds are the shipped files and what the tests above read.
func seeds(f *testing.F, suffix string) {
	files, _ := filepath.Glob("../testdata/*" + suffix)
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil && len(b) < 20_000 {
			f.Add(b)
		}
	}
}

// L6: no text crashes the parser, errors name a place, and what is read is printed
// so that it is read again.
func FuzzParse(f *testing.F) {
	seeds(f, ".txt")
	f.Add([]byte(everything))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("f", text)
		roundTrip(t, file, err)
	})
}

// L6: the same for JSON.
func FuzzParseJSON(f *testing.F) {
	if file, err := Parse("f", []byte(strings.Replace(everything, "| \"subscribed\"/X", "| Y", 1))); err == nil {
		if b, err := file.JSON(); err == nil {
			f.Add(b)
		}
	}
	f.Add([]byte(`{"format":1,"scenarios":[{"name":"x","replicas":["A","B"],"steps":[{"do":"tick"}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := ParseJSON("f", text)
		roundTrip(t, file, err)
	})
}

func roundTrip(t *testing.T, file *File, err error) {
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Reason == "" {
			t.Fatalf("error without a place: %#v", err)
		}
		return
	}
	text := file.Print()
	again, err := Parse("f", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if got := again.Print(); !bytes.Equal(got, text) {
		t.Fatalf("printed\n%s\nread and printed\n%s", text, got)
	}
	j, err := file.JSON()
	if err != nil {
		t.Fatal(err)
	}
	byJSON, err := ParseJSON("f", j)
	if err != nil {
		t.Fatalf("%v\n%s", err, j)
	}
	if got := byJSON.Print(); !bytes.Equal(got, text) {
		t.Fatalf("printed\n%s\nby JSON\n%s", text, got)
	}
}
