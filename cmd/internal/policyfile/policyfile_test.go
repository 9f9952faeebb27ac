package policyfile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dsync/cmd/internal/tomlfile"
	"dsync/merge"
)

// What show prints is read again as the same policy, of whatever choices.
func TestRoundTrip(t *testing.T) {
	ps := merge.Policies()
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		p := &merge.Policy{Name: fmt.Sprintf("p%d", i), About: "a \"quoted\" \\ line", Seed: rng.Uint64() >> 1}
		for _, r := range merge.Rules() {
			if err := r.Set(p, r.Choices[rng.IntN(len(r.Choices))].Name); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range []string{"$Junk", "w+rk", "a.b=c", "ALL"}[:rng.IntN(5)] {
			p.Except(k, merge.Rules()[0].Choices[rng.IntN(9)].Name)
		}
		if !p.Seeded() {
			p.Seed = 0
		}
		ps = append(ps, p)
	}
	for _, p := range ps {
		text := Text(p)
		q, err := Parse("x.toml", []byte(text))
		if err != nil {
			t.Fatalf("%s: %v\n%s", p.Name, err, text)
		}
		if q.ID() != p.ID() || q.Canonical() != p.Canonical() || q.About != p.About || Text(q) != text {
			t.Errorf("%s became\n%s\nfrom\n%s", p.Name, Text(q), text)
		}
	}
}

func TestParse(t *testing.T) {
	p, err := Parse("dir/mine.toml", []byte("like = \"later-wins\"\n[flags]\nseen = \"add-wins\"\nall = \"remove-wins\"\n[keywords]\n\"$Junk\" = \"remove-wins\"\n[rules]\nexpunge-flags = \"flagged-rescues\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := *merge.LaterWins
	for i := range want.Flag {
		want.Flag[i] = merge.AnyClear
	}
	want.Flag[4] = merge.AnySet
	want.Exceptions, want.Rescue = map[string]merge.Pick{"$junk": merge.AnyClear}, merge.FlaggedRescues
	if p.Canonical() != want.Canonical() || p.Name != "mine" {
		t.Errorf("got %s\n%swant\n%s", p.Name, p.Canonical(), want.Canonical())
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"[flags]\nflaged = \"add-wins\"", "f.toml:2:1: unknown key flags.flaged; known are all, answered, deleted, draft, flagged, seen"},
		{"[flags]\n  flagged = \"add\"", `f.toml:2:13: flags.flagged: "add" is not a choice; want add-wins, remove-wins, later-wins,`},
		{"[flag]\n", "f.toml:1:2: unknown table [flag]; known are [flags], [keywords], [rules]"},
		{"a.b.c = 1", "f.toml:1:1: unknown key a.b.c"},
		{"colour = 1", "f.toml:1:1: unknown key colour; known are format, name"},
		{"format = 2", "f.toml:1:10: format 2 is unknown"},
		{"like = \"saf\"", `f.toml:1:8: like: "saf" is no built-in policy`},
		{"like = 1", "f.toml:1:8: like: want a string"},
		{"seed = 3", "f.toml:1:1: seed means nothing here"},
		{"seed = -3", "f.toml:1:8: seed: want an integer from 0 up"},
		{"[flags]\nall = 3", "f.toml:2:7: flags.all: want a string"},
		{"[flags]\nseen = \"union\"\nseen = \"union\"", "f.toml:3:1: the key stands in line 2 already"},
		{"[flags]\n[keywords]\n[flags]\n", "f.toml:3:2: the table stands in line 1 already"},
		{"[flags\nseen = \"union\"", "f.toml:1:7:"},
		{"name = \"safe\"\n[flags]\nseen = \"remove-wins\"", `f.toml:1:8: name "safe" is that of a built-in policy, which chooses otherwise`},
		{"name = \"a b\"", `f.toml:1:8: name "a b": want`},
		{"[keywords]\nWork = \"add-wins\"\nwork = \"add-wins\"", "f.toml:3:1: keywords.work: the keyword is named already"},
		{"[keywords]\nWork = \"add\"", "f.toml:2:8: keywords.Work: \"add\" is not a choice"},
		{"[rules]\ncycle = \"later-wins\"", "f.toml:2:1: rules.cycle: rule 14 (renames that put two mailboxes into each other) has no choice: it goes"},
		{"[rules]\nattribute = \"earlier\"", "f.toml:2:13: rules.attribute: \"earlier\" is not a choice; want later-wins, earlier-wins, larger-wins"},
		{"[rules]\nexpunge = { never = true }", "f.toml:2:13: unknown key rules.expunge.never"},
		{"[rules]\nexpunge = 2020-01-01", "f.toml:2:11: want a string, an integer, true or false"},
		{"[[rules]]\n", "f.toml:1:3: lists of tables"},
		{"name = \"\xff\"", "f.toml:1:9: a byte that is no UTF-8"},
		{strings.Repeat("#", tomlfile.MaxFile+1), "f.toml:1:1: 262145 bytes; at most 262144"},
	} {
		_, err := Parse("f.toml", []byte(c.in))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.60q:\ngot  %v\nwant %s", c.in, err, c.want)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.toml")
	if err := os.WriteFile(path, []byte("[flags]\nall = \"later-wins\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := Load(path); err != nil || p.Name != "mine" {
		t.Errorf("got %v, %v", p, err)
	}
	if p, err := Load("random(7)"); err != nil || p.Seed != 7 {
		t.Errorf("got %v, %v", p, err)
	}
	for _, bad := range []string{"saf", "random(x)", "./none.toml"} {
		if _, err := Load(bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

// Whatever the bytes: a policy or an error with a place; and a policy that was read
// is written and read again as the same.
func FuzzParse(f *testing.F) {
	for _, p := range merge.Policies() {
		f.Add([]byte(Text(p)))
	}
	f.Add([]byte("[flags]\nall = \"x\"\n[[a]]\nb = {c = [1, 'x', 2.5]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("f.toml", data)
		if err != nil {
			var e *tomlfile.Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 {
				t.Fatalf("no place: %v", err)
			}
			return
		}
		q, err := Parse("f.toml", []byte(Text(p)))
		if err != nil || q.ID() != p.ID() {
			t.Fatalf("%v\n%s", err, Text(p))
		}
	})
}
