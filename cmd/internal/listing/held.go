package listing

import (
	"slices"

	"dsync/store"
)

// explain adds to two messages whose keywords differ those that count though their
// stores do not show them, if then there is no difference.
func (c *comparer) explain(n store.Name, a, b *store.Message) error {
	if flags(a) == flags(b) {
		return nil
	}
	both := [2]*store.Message{a, b}
	var all, held [2][]string
	for i, m := range both {
		if c.more[i] == nil {
			return nil
		}
		more, err := c.more[i](n, m)
		if err != nil {
			return err
		}
		all[i] = folded(slices.Concat(more, m.Keywords))
		held[i] = slices.DeleteFunc(folded(more), func(k string) bool { return slices.Contains(folded(m.Keywords), k) })
	}
	if !slices.Equal(all[0], all[1]) || len(held[0])+len(held[1]) == 0 {
		return nil
	}
	for i, m := range both {
		m.Keywords = all[i]
		c.held(i, n, held[i])
	}
	return nil
}

func folded(ks []string) []string {
	out := make([]string, len(ks))
	for i, k := range ks {
		out[i] = store.FoldKeyword(k)
	}
	return store.SortKeywords(out)
}

// held adds one message to what a side holds unshown in a mailbox.
func (c *comparer) held(side int, n store.Name, keywords []string) {
	if len(keywords) == 0 {
		return
	}
	i := slices.IndexFunc(c.res.Held, func(h Held) bool { return h.Side == side && h.Mailbox == n })
	if i < 0 {
		i = len(c.res.Held)
		c.res.Held = append(c.res.Held, Held{Side: side, Mailbox: n})
	}
	h := &c.res.Held[i]
	h.Keywords = store.SortKeywords(append(h.Keywords, keywords...))
	h.Messages++
}
