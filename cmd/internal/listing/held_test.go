package listing

import (
	"slices"
	"testing"

	"dsync/store"
	"dsync/store/memory"
)

// What a log holds besides what its store shows explains a difference of keywords, and
// no other.
func TestCompareHeld(t *testing.T) {
	a, c := sample(t, memory.Options{})
	m, err := c.ByUID("INBOX", 1)
	must(t, err)
	must(t, c.SetKeywords("INBOX", m.Key, "one"))
	b := a.Clone()
	must(t, b.Client().SetKeywords("INBOX", m.Key, "one", "More"))
	says := func(keywords ...string) More {
		return func(n store.Name, x *store.Message) ([]string, error) {
			if n == store.Inbox && x.UID == 1 {
				return keywords, nil
			}
			return nil, nil
		}
	}
	for _, x := range []struct {
		name      string
		more      [2]More
		different int
		held      []string
	}{
		{"no log", [2]More{}, 1, nil},
		{"no keywords in the logs", [2]More{says(), says()}, 1, nil},
		{"the one", [2]More{says("more"), says()}, 0, []string{"more"}},
		{"another", [2]More{says("other"), says()}, 1, nil},
		{"at the wrong side", [2]More{says(), says("more")}, 1, nil},
		{"not at both", [2]More{says("more", "third"), says()}, 1, nil},
	} {
		res, err := Compare(t.Context(), a, b, false, x.more, func(Difference) error { return nil })
		must(t, err)
		var held []string
		for _, h := range res.Held {
			if h.Side != 0 || h.Mailbox != store.Inbox || h.Messages != 1 {
				t.Errorf("%s: %+v", x.name, h)
			}
			held = append(held, h.Keywords...)
		}
		if res.Different != x.different || !slices.Equal(held, x.held) {
			t.Errorf("%s: %d differences, held %q; want %d, %q", x.name, res.Different, held, x.different, x.held)
		}
	}
	must(t, b.Client().SetFlags("INBOX", m.Key, store.Draft))
	res, err := Compare(t.Context(), a, b, false, [2]More{says("more"), says()}, func(Difference) error { return nil })
	must(t, err)
	if res.Different != 1 {
		t.Errorf("other flags beside such a keyword: %d differences", res.Different)
	}
}
