package policy

import (
	"testing"

	"dsync/fuzz/pure"
	"dsync/merge"
)

// chose is like safe, but for one choice.
func chose(t *testing.T, key, choice string) *merge.Policy {
	t.Helper()
	p := *merge.Safe
	p.Name = choice
	for _, r := range merge.Rules() {
		if r.Key == key {
			if err := r.Set(&p, choice); err != nil {
				t.Fatal(err)
			}
			return &p
		}
	}
	t.Fatalf("no rule %s", key)
	return nil
}

// What each choice among the writes of a set shows, on both sides.
func TestSetsOfWrites(t *testing.T) {
	const past = "0:cr X,Y,W; 0:ap X m; 0:md Y a; 0=1; tick; "
	for _, c := range []struct{ key, history, first, second string }{
		{"rules.move-move", "0:mv X>Y; tick; 1:mv X>W; 0=1",
			"later-wins: INBOX; W 1:m; X; Y{a}", "earlier-wins: INBOX; W; X; Y{a} 1:m"},
		{"rules.rename-rename", "0:rn X>P; tick; 1:rn X>Q; 0=1",
			"later-wins: INBOX; Q 1:m; W; Y{a}", "earlier-wins: INBOX; P 1:m; W; Y{a}"},
		{"rules.subscription", "0:su X; 0=1; tick; 0:us X; 0:su X; tick; 1:us X; 0=1",
			"later-wins: INBOX; W; X 1:m; Y{a}", "subscribed-wins: INBOX; W; X 1:m; Y{a}; sub X"},
		{"rules.subscription", "0:us none; 1:su none; 0=1; 0:us none; tick; 1:us none; 1:su none; 0=1",
			"later-wins: INBOX; W; X 1:m; Y{a}; sub none", "unsubscribed-wins: INBOX; W; X 1:m; Y{a}"},
		{"rules.attribute", "0:md Y c; tick; 1:md Y b; 0=1",
			"later-wins: INBOX; W; X 1:m; Y{b}", "earlier-wins: INBOX; W; X 1:m; Y{c}"},
		{"rules.attribute", "0:md Y b; tick; 1:md Y c; tick; 1:md Y b2; 0=1",
			"earlier-wins: INBOX; W; X 1:m; Y{b}", "larger-wins: INBOX; W; X 1:m; Y{b2}"},
	} {
		for _, want := range []string{c.first, c.second} {
			choice, shows := cut(want)
			p := chose(t, c.key, choice)
			w := pure.NewWorld(2, p)
			for _, o := range pure.MustParse(past + c.history) {
				if err := w.Run(o); err != nil {
					t.Fatalf("%s = %s: %s: %v", c.key, choice, c.history, err)
				}
			}
			for _, r := range w.R {
				if got := r.Show(p); got != shows {
					t.Errorf("%s = %s: %s: replica %d shows\n%s, want\n%s", c.key, choice, c.history, r.Name, got, shows)
				}
			}
		}
	}
}

func cut(s string) (choice, shows string) {
	for i := range s {
		if s[i] == ':' {
			return s[:i], s[i+2:]
		}
	}
	return s, ""
}

// Who was there first keeps the name, if the policy says so; in a -1 the destination
// keeps it, whatever the policy says (P20).
func TestFirstKeepsTheName(t *testing.T) {
	p := chose(t, "rules.same-name", "earlier-wins")
	for _, c := range []struct {
		policy        *merge.Policy
		history, want string
	}{
		{merge.Safe, "0:cr A; 0:cr B; 0:ap A a; 0:ap B b; 0=1; tick; 0:rn A>Z; tick; 1:rn B>Z; 0=1", "b"},
		{p, "0:cr A; 0:cr B; 0:ap A a; 0:ap B b; 0=1; tick; 0:rn A>Z; tick; 1:rn B>Z; 0=1", "a"},
		{p, "0:cr A; 0:cr B; 0:ap A a; 0:ap B b; 0=1; tick; 0:rn A>Z; tick; 1:rn B>Z; 0=1 oneway", "b"},
	} {
		w := pure.NewWorld(2, c.policy)
		for _, o := range pure.MustParse(c.history) {
			if err := w.Run(o); err != nil {
				t.Fatalf("%s: %v", c.history, err)
			}
		}
		r := w.R[1]
		s := r.Layout().ByPath["Z"]
		if s == nil || s.Holder == nil || len(r.In(s)) != 1 || string(r.In(s)[0].Content.GUID) != c.want {
			t.Errorf("policy %s, %s: replica 1 shows\n%s\nwant %s in Z", c.policy.Name, c.history, r.Show(c.policy), c.want)
		}
	}
}
