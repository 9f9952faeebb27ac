package logdb

import (
	"bytes"
	"slices"

	"dsync/changelog"
	"dsync/store"
)

func sortedStrings(ss []string) []string {
	slices.Sort(ss)
	return ss
}

// PutTree writes the difference between two trees: old is what the database holds
// (nil: nothing), new what it shall hold.
func (b *Batch) PutTree(old, new *changelog.Tree) {
	if old == nil {
		old = &changelog.Tree{}
	}
	olds := map[store.MailboxGUID]*changelog.Node{}
	for _, n := range old.Nodes {
		olds[n.GUID()] = n
	}
	for _, n := range new.Nodes {
		o := olds[n.GUID()]
		delete(olds, n.GUID())
		if o == nil || !bytes.Equal(changelog.AppendNode(nil, o), changelog.AppendNode(nil, n)) {
			b.PutNode(o, n)
		}
	}
	for _, n := range old.Nodes {
		if olds[n.GUID()] != nil {
			b.DropVanished(n, new.Node(n.GUID()))
			b.PutNode(n, nil)
		}
	}
	bares := map[store.Name]*changelog.Bare{}
	for _, s := range old.Bare {
		bares[s.Name] = s
	}
	for _, s := range new.Bare {
		o := bares[s.Name]
		delete(bares, s.Name)
		if o == nil || !bytes.Equal(changelog.AppendBare(nil, o), changelog.AppendBare(nil, s)) {
			b.PutBare(o, s)
		}
	}
	for _, s := range old.Bare {
		if bares[s.Name] != nil {
			b.PutBare(s, nil)
		}
	}
	for path, hs := range new.UVs {
		if !slices.Equal(hs, old.UVs[path]) {
			b.PutUVs(path, hs)
		}
	}
	for path := range old.UVs {
		if _, ok := new.UVs[path]; !ok {
			b.PutUVs(path, nil)
		}
	}
}
