package pure

import (
	"maps"
	"slices"

	"dsync/changelog"
	"dsync/merge"
)

// Entries are the same if all their fields are, which is when they encode to the
// same bytes; comparing them costs less.

func sameMessage(a, b *changelog.Message) bool {
	return a.Content == b.Content && a.Received == b.Received && a.UID == b.UID && a.Was == b.Was && a.Chosen == b.Chosen &&
		slices.Equal(a.Origins, b.Origins) && slices.Equal(a.Presence, b.Presence) &&
		slices.Equal(a.Flags, b.Flags) && slices.Equal(a.Keywords, b.Keywords) && a.Past.Equal(&b.Past)
}

func sameNode(a, b *changelog.Node) bool {
	return a.UIDValidity == b.UIDValidity && a.UIDNext == b.UIDNext && a.Chosen == b.Chosen && slices.Equal(a.GUIDs, b.GUIDs) &&
		slices.Equal(a.Creates, b.Creates) && slices.Equal(a.Places, b.Places) && slices.Equal(a.Presence, b.Presence) &&
		slices.Equal(a.Subs, b.Subs) && slices.Equal(a.Attrs, b.Attrs) && a.Past.Equal(&b.Past)
}

func sameBare(a, b *changelog.Bare) bool {
	return a.Name == b.Name && a.Chosen == b.Chosen && slices.Equal(a.Subs, b.Subs) && a.Past.Equal(&b.Past)
}

func sameTree(a, b *changelog.Tree) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.EqualFunc(a.Nodes, b.Nodes, sameNode) && slices.EqualFunc(a.Bare, b.Bare, sameBare) &&
		maps.EqualFunc(a.UVs, b.UVs, slices.Equal)
}

func sameSide(a, b *merge.Side) bool {
	return sameTree(a.Tree, b.Tree) && slices.EqualFunc(a.Messages, b.Messages, sameMessage) && a.Seen.Equal(&b.Seen)
}

// sameResult compares what two merges gave, of which the other may have had its sides
// exchanged.
func sameResult(a, b *merge.Result, exchanged bool) bool {
	for s := range a.After {
		t := s
		if exchanged {
			t = 1 - s
		}
		x, y := &a.After[s], &b.After[t]
		if !sameTree(x.Tree, y.Tree) || !slices.EqualFunc(x.Messages, y.Messages, sameMessage) || !slices.Equal(x.Drop, y.Drop) {
			return false
		}
		in, out := a.Enter(s, nil), b.Enter(t, nil)
		if !in.Equal(&out) {
			return false
		}
	}
	return slices.Equal(a.Decisions, b.Decisions)
}

// holds reports whether the replica holds just what a merge gives it.
func (r *Replica) holds(after *merge.After) bool {
	return len(after.Drop) == 0 && slices.EqualFunc(r.List(), after.Messages, sameMessage) && sameTree(r.Tree, after.Tree)
}

// deep is what the replica brings into a merge, sharing nothing with it.
func (r *Replica) deep() *merge.Side {
	if r.asWas == nil {
		s := merge.Side{Seen: r.Seen.Clone(), Tree: r.Tree.Clone()}
		for _, m := range r.List() {
			s.Messages = append(s.Messages, m.Clone())
		}
		r.asWas = &s
	}
	return r.asWas
}
