package trace

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
)

// histories are the shipped matrix and some random ones of three replicas.
func histories(t testing.TB) (out []*scenario.Scenario) {
	t.Helper()
	f, _, err := scenario.Read("../testdata/matrix.txt")
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, f.Scenarios...)
	for seed := range uint64(30) {
		s := &scenario.Scenario{Name: fmt.Sprintf("seed %d", seed), Replicas: []string{"A", "B", "c-d"}}
		ops := pure.Kind{Replicas: 3, Ops: 30, Parts: true}.Generate(rand.New(rand.NewPCG(seed, 11)))
		s.Steps = append(engine.Steps(ops, s.Replicas), scenario.Step{Verb: scenario.Converge})
		out = append(out, s)
	}
	return out
}

func record(t testing.TB, e engine.Engine, s *scenario.Scenario) *Trace {
	t.Helper()
	tr, res := Record(e, s, lab.Options{Seed: 3})
	if res.Failed != "" {
		t.Fatalf("%s: %s", s.Name, res.Failed)
	}
	return tr
}

// A trace is the same by JSON, and the scenario made of it comes out as it expects,
// on the engine that it was recorded on.
func TestTraces(t *testing.T) {
	for _, s := range histories(t) {
		tr := record(t, engine.Pure{}, s)
		text, err := tr.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("t.json", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if b, err := again.JSON(); err != nil || !bytes.Equal(b, text) {
			t.Fatalf("%s: %v: by JSON it is another:\n%s\n%s", s.Name, err, text, b)
		}
		e := again.Expecting()
		if _, err := scenario.Parse("e.txt", []byte(e.String())); err != nil {
			t.Fatalf("%v\n%s", err, e)
		}
		if r := lab.Play(engine.Pure{}, e, lab.Options{Seed: 3}); len(r.Differences) > 0 || r.Failed != "" {
			t.Fatalf("%s%s", r.Text(), e)
		}
		if !Is(text) {
			t.Fatal("a trace is not known as one")
		}
	}
}

// A run recorded on one engine and played on another is a test of the other: here
// both are right.
func TestTraceOfAnotherEngine(t *testing.T) {
	for i, s := range histories(t) {
		if i%16 != 0 {
			continue
		}
		e := record(t, engine.Pure{}, s).Expecting()
		if r := lab.Play(engine.Memory(), e, lab.Options{}); len(r.Differences) > 0 || r.Failed != "" {
			t.Errorf("%s%s", r.Text(), e)
		}
	}
}

// Events stand for what was done: each step once, in order, runs before the step
// that makes them, time as it passes.
func TestEvents(t *testing.T) {
	f, err := scenario.Parse("x", []byte(`scenario x
  replicas A B C
  A: deliver m to INBOX
  level
  A: flag m in INBOX +\Seen
  tick
  B: flag m in INBOX +\Deleted
  tick 1m
  A: flag m in INBOX +\Deleted
  A: flag m in INBOX -\Deleted
  sync A B
  expect all
    | INBOX
  converge
`))
	if err != nil {
		t.Fatal(err)
	}
	tr := record(t, engine.Pure{}, f.Scenarios[0])
	var got []string
	for i := range tr.Events {
		e := &tr.Events[i]
		line := fmt.Sprintf("%d %s %s", e.Step, e.Time, firstLine(e.Do.String()))
		if e.Report != nil {
			for _, c := range e.Report.Conflicts {
				line += fmt.Sprintf(" rule %d: %s", c.Rule, c.Lost)
			}
		}
		for _, r := range []string{"A", "B", "C"} {
			if l := e.Shows[r]; l != nil {
				line += fmt.Sprintf(" | %s %s", r, l)
			}
		}
		if n := len(e.Unmet); n > 0 {
			line += fmt.Sprintf(" unmet %d", n)
		}
		got = append(got, line)
	}
	want := `1 0s A: deliver m to INBOX | A INBOX 1:m
2 0s sync A B | A INBOX 1:m | B INBOX 1:m
2 0s sync A C | A INBOX 1:m | C INBOX 1:m
2 0s sync A B | A INBOX 1:m | B INBOX 1:m
2 0s sync A C | A INBOX 1:m | C INBOX 1:m
2 1s level
3 1s A: flag m in INBOX +\Seen | A INBOX 1:m[\Seen]
4 2s tick
5 2s B: flag m in INBOX +\Deleted | B INBOX 1:m[\Deleted]
6 1m2s tick 1m0s
7 1m2s A: flag m in INBOX +\Deleted | A INBOX 1:m[\Deleted \Seen]
8 1m2s A: flag m in INBOX -\Deleted | A INBOX 1:m[\Seen]
9 1m2s sync A B rule 8: \Deleted set | A INBOX 1:m[\Seen] | B INBOX 1:m[\Seen]
10 1m2s expect all unmet 3
11 1m2s sync A B | A INBOX 1:m[\Seen] | B INBOX 1:m[\Seen]
11 1m2s sync B C | B INBOX 1:m[\Seen] | C INBOX 1:m[\Seen]
11 1m2s sync A B | A INBOX 1:m[\Seen] | B INBOX 1:m[\Seen]
11 1m2s sync A B | A INBOX 1:m[\Seen] | B INBOX 1:m[\Seen]
11 1m2s sync B C | B INBOX 1:m[\Seen] | C INBOX 1:m[\Seen]
11 1m2s sync A B | A INBOX 1:m[\Seen] | B INBOX 1:m[\Seen]
11 1m2s converge`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
}

const small = `{"format":1,"engine":"x","policy":"safe","mode":"fast","seed":0,"scenario":{"name":"x","replicas":["A","B"],"steps":[{"do":"create","at":"A","mailbox":"X"},{"do":"sweep"}]},"events":[
`

func TestErrorsNamePlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "t.json:1:1: the text ends"},
		{"{}", "t.json:1:1: a trace needs"},
		{`{"format":2}`, "t.json:1:11: format 2"},
		{`{"events":[]}`, "t.json:1:2: events before scenario"},
		{`{"colour":1}`, "t.json:1:2: unknown member \"colour\""},
		{small + `{"step":0,"do":{"do":"sweep"},"time":"0s"}]}`, "t.json:2:1: step 0 after step 1"},
		{small + `{"step":4,"time":"0s"}]}`, "t.json:2:1: step 4 after step 1 of 2"},
		{small + `{"step":2,"time":"0s"}]}`, "t.json:2:1: what was judged at the end"},
		{small + `{"step":1,"do":{"do":"sweep"},"time":"0s"}]}`, "t.json:2:1: \"sweep\" is not done by step 1"},
		{small + `{"step":1,"do":{"do":"create","at":"A","mailbox":"X"},"time":"0s"},` + "\n" + `{"step":2,"do":{"do":"sync","at":"A","with":"C"},"time":"0s"}]}`, "t.json:3:1: unknown replica \"C\""},
		{small + `{"step":2,"do":{"do":"sweep"},"time":"2s"},` + "\n" + `{"step":2,"do":{"do":"sweep"},"time":"1s"}]}`, "t.json:3:1: time 1s after 2s"},
		{small + `{"step":2,"do":{"do":"sweep"},"time":"0s","report":{}}]}`, "t.json:2:1: a report that is of no run"},
		{small + `{"step":2,"do":{"do":"sweep"},"time":"0s","shows":{"C":{"mailboxes":[]}}}]}`, "t.json:2:1: what \"C\" shows: unknown replica"},
		{small + `{"step":2,"do":{"do":"sweep"},"time":"0s","shows":{"A":null}}]}`, "t.json:2:1: nothing is shown"},
		{small + `{"step":2,"do":{"do":"sweep"},"time":"0s","shows":{"A":{"mailboxes":[{"name":"X","messages":[{"name":"A b"}]}]}}}]}`, "t.json:2:1: what \"A\" shows: message"},
		{small + `{"step":2,"do":{"do":"sweep"},"time":"0s","odd":1}]}`, "t.json:2:1: unknown field"},
		{small + `{"step":2,"do":{"do":"sweep"},"time":"0s","broken":[{}]}]}`, "t.json:2:1: a broken law"},
		{small + `]} x`, "t.json:2:"},
		{small, "t.json:2:1: the text ends too early"},
	} {
		_, err := Parse("t.json", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}

// L6: no bytes crash the reader, errors name a place, and what is read is written so
// that it is read again, as a scenario and as a TLA+ module too.
func FuzzParse(f *testing.F) {
	for i, s := range histories(f) {
		if i%40 == 0 {
			if b, err := record(f, engine.Pure{}, s).JSON(); err == nil {
				f.Add(b)
			}
		}
	}
	f.Add([]byte(small + `{"step":3,"time":"0s","broken":[{"law":"P18","text":"x"}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		tr, err := Parse("f", text)
		if err != nil {
			var e *scenario.Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Reason == "" {
				t.Fatalf("error without a place: %#v", err)
			}
			return
		}
		b, err := tr.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("f", b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if c, err := again.JSON(); err != nil || !bytes.Equal(b, c) {
			t.Fatalf("%v: written\n%s\nread and written\n%s", err, b, c)
		}
		_ = tr.Expecting().String()
		module, err := tr.TLA(ModuleOf(tr.Scenario.Name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readModule(string(module)); err != nil {
			t.Fatalf("%v\n%s", err, module)
		}
	})
}
