package changelog

import (
	"slices"

	"dsync/store"
)

// LayoutOf is what a store shows that has these mailboxes at these paths, whatever
// the log's tree says of them: one that was restored.
func LayoutOf(at map[store.Name]*Node) *Layout {
	l := &Layout{ByPath: map[store.Name]*Slot{}, in: map[store.MailboxGUID]*Slot{}}
	for path, n := range at {
		s := &Slot{Path: path, Holder: n, Members: []*Node{n}, Shown: true}
		l.ByPath[path] = s
		l.Slots = append(l.Slots, s)
		for _, g := range n.GUIDs {
			l.in[g] = s
		}
	}
	slices.SortFunc(l.Slots, func(x, y *Slot) int { return store.CompareNames(x.Path, y.Path) })
	return l
}
