package replay

import "slices"

// order puts every mailbox that takes messages out of one whose numbering changes
// before that one: what is on its way out must not be seen under a new UIDVALIDITY,
// nor raise its UIDNEXT. Where two take from each other the paths decide.
func order(bs []*Box) []*Box {
	first := map[*Box][]*Box{} // what is to come before
	for _, b := range bs {
		for _, it := range b.Moves {
			if it.From.Numbers && it.From != b && !slices.Contains(first[it.From], b) {
				first[it.From] = append(first[it.From], b)
			}
		}
	}
	if len(first) == 0 {
		return bs
	}
	out := make([]*Box, 0, len(bs))
	seen := map[*Box]bool{}
	var visit func(*Box)
	visit = func(b *Box) {
		if seen[b] {
			return
		}
		seen[b] = true
		for _, f := range first[b] {
			visit(f)
		}
		out = append(out, b)
	}
	for _, b := range bs {
		visit(b)
	}
	return out
}
