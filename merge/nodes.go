package merge

import (
	"cmp"
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// Rules 11, 12, 13, 15 to 21, 23 and 30: the mailbox tree (tree.md).

// class is one mailbox, whatever names and nodes it has at either side.
type class struct {
	side [2][]*changelog.Node
	out  *changelog.Node
	// rescued: one side deleted it, and a rename at the other keeps it (rule 17);
	// deletions are the changes that count no more at the first, the deletion
	// among them.
	rescued   bool
	deletions changelog.Dots
}

// classes is the partition of both sides' nodes into mailboxes.
type classes struct {
	all    []*class
	byGUID map[store.MailboxGUID]*class
}

// unifier is a union-find over the nodes of both sides.
type unifier struct {
	nodes  []*changelog.Node
	side   []int
	up     []int
	byGUID map[store.MailboxGUID]int
}

func (u *unifier) root(i int) int {
	for u.up[i] != i {
		u.up[i] = u.up[u.up[i]]
		i = u.up[i]
	}
	return i
}

func (u *unifier) join(i, j int) bool {
	i, j = u.root(i), u.root(j)
	if i == j {
		return false
	}
	u.up[max(i, j)] = min(i, j)
	return true
}

// unify finds out which nodes are one mailbox: those that share a GUID, all
// INBOXes, those created at one place in one generation, and mailboxes found
// without history at the place of another that the other side does not know.
func (m *merger) unify() *classes {
	u := &unifier{byGUID: map[store.MailboxGUID]int{}}
	inbox := -1
	for s := range m.side {
		for _, n := range m.side[s].Tree.Nodes {
			i := len(u.nodes)
			u.nodes, u.side, u.up = append(u.nodes, n), append(u.side, s), append(u.up, i)
			for _, g := range n.GUIDs {
				if j, ok := u.byGUID[g]; ok {
					u.join(i, j)
				} else {
					u.byGUID[g] = i
				}
			}
			if n.IsInbox() {
				if inbox >= 0 {
					u.join(i, inbox)
				}
				inbox = i
			}
		}
	}
	for {
		u.byCreate()
		if !m.byPlace(u) {
			break
		}
	}
	return u.classes()
}

type createKey struct {
	parent int
	orphan store.MailboxGUID
	name   string
	gen    uint32
}

// byCreate joins nodes created at one place in one generation, until parents that
// became one make no more of them so.
func (u *unifier) byCreate() {
	for changed := true; changed; {
		changed = false
		seen := map[createKey]int{}
		for i, n := range u.nodes {
			for _, c := range n.Creates {
				if c.Gen == 0 {
					continue
				}
				k := createKey{parent: -1, name: c.Name, gen: c.Gen}
				if !c.Parent.IsZero() {
					if p, ok := u.byGUID[c.Parent]; ok {
						k.parent = u.root(p)
					} else {
						k.orphan = c.Parent
					}
				}
				if j, ok := seen[k]; ok {
					changed = u.join(i, j) || changed
				} else {
					seen[k] = i
				}
			}
		}
	}
}

// byPlace joins what was found without history with the mailbox at the same place
// of the other side, if neither side knows the other's.
func (m *merger) byPlace(u *unifier) bool {
	changed := false
	known := map[int][2]bool{}
	for i := range u.nodes {
		k := known[u.root(i)]
		k[u.side[i]] = true
		known[u.root(i)] = k
	}
	for _, sa := range m.before[0].Slots {
		sb := m.before[1].ByPath[sa.Path]
		if sa.Holder == nil || sb == nil || sb.Holder == nil {
			continue
		}
		i, j := u.root(u.byGUID[sa.Holder.GUID()]), u.root(u.byGUID[sb.Holder.GUID()])
		if i == j || known[i][1] || known[j][0] {
			continue
		}
		if foundOnly(sa.Holder) || foundOnly(sb.Holder) {
			changed = u.join(i, j) || changed
		}
	}
	return changed
}

// foundOnly reports whether a mailbox is known only from a look without history.
func foundOnly(n *changelog.Node) bool {
	return !slices.ContainsFunc(n.Creates, func(c changelog.Create) bool { return !c.Found() })
}

func (u *unifier) classes() *classes {
	cs := &classes{byGUID: map[store.MailboxGUID]*class{}}
	byRoot := map[int]*class{}
	for i, n := range u.nodes {
		r := u.root(i)
		c := byRoot[r]
		if c == nil {
			c = &class{}
			byRoot[r] = c
			cs.all = append(cs.all, c)
		}
		c.side[u.side[i]] = append(c.side[u.side[i]], n)
		for _, g := range n.GUIDs {
			cs.byGUID[g] = c
		}
	}
	return cs
}

// node gives the merged node for a GUID or alias; nil if unknown.
func (cs *classes) node(g store.MailboxGUID) *changelog.Node {
	if c := cs.byGUID[g]; c != nil {
		return c.out
	}
	return nil
}

// deleted reports whether the mailbox of this GUID is gone after the merge.
func (cs *classes) deleted(g store.MailboxGUID) bool {
	n := cs.node(g)
	return n != nil && !n.IsInbox() && !n.Created()
}

// mergeTree merges all nodes, bare subscriptions, and UIDVALIDITY lists.
func (m *merger) mergeTree() *changelog.Tree {
	t := &changelog.Tree{UVs: map[store.Name][]changelog.Held{}}
	for _, c := range m.class.all {
		c.out = m.mergeNode(c)
		t.Nodes = append(t.Nodes, c.out)
	}
	t.SortNodes()
	t.Bare = m.mergeBare()
	for s := range m.side {
		for path, hs := range m.side[s].Tree.UVs {
			for _, h := range hs {
				holder := h.Holder
				if n := m.class.node(holder); n != nil {
					holder = n.GUID()
				}
				t.Hold(path, h.UIDValidity, holder)
			}
		}
	}
	return t
}

func byDot[W any](dot func(W) changelog.Dot) func(a, b W) int {
	return func(a, b W) int { return dot(a).Compare(dot(b)) }
}

func createDot(w changelog.Create) changelog.Dot        { return w.Dot }
func placeDot(w changelog.PlaceWrite) changelog.Dot     { return w.Dot }
func presentDot(w changelog.NodePresence) changelog.Dot { return w.Dot }
func boolDot(w changelog.BoolWrite) changelog.Dot       { return w.Dot }
func attrDot(w changelog.AttrWrite) changelog.Dot       { return w.Dot }
func compareAttr(a, b changelog.AttrWrite) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), a.Dot.Compare(b.Dot))
}
func gather[E, W any](es []E, f func(E) []W) (out [][]W) {
	for _, e := range es {
		if ws := f(e); len(ws) > 0 {
			out = append(out, ws)
		}
	}
	return out
}

func (m *merger) mergeNode(c *class) *changelog.Node {
	a, b := c.side[0], c.side[1]
	lack := [2]bool{len(a) == 0, len(b) == 0}
	sa, sb := &m.side[0].Seen, &m.side[1].Seen
	out := &changelog.Node{UIDNext: 1}
	c.out = out
	var gone changelog.Dots
	for _, n := range slices.Concat(a, b) {
		for _, g := range n.GUIDs {
			out.AddGUID(g)
		}
		gone.Union(&n.Past)
		if n.UIDValidity > out.UIDValidity {
			out.UIDValidity, out.UIDNext = n.UIDValidity, 1
		}
		if n.UIDValidity == out.UIDValidity {
			out.UIDNext = max(out.UIDNext, n.UIDNext)
		}
	}
	creates := func(n *changelog.Node) []changelog.Create { return n.Creates }
	out.Creates = union(gather(slices.Concat(a, b), creates), byDot(createDot))
	places := func(n *changelog.Node) []changelog.PlaceWrite { return n.Places }
	out.Places = mergeWrites(union(gather(a, places), byDot(placeDot)), union(gather(b, places), byDot(placeDot)),
		sa, sb, lack[0], lack[1], byDot(placeDot), placeDot, &gone)
	present := func(n *changelog.Node) []changelog.NodePresence { return n.Presence }
	pa, pb := union(gather(a, present), byDot(presentDot)), union(gather(b, present), byDot(presentDot))
	if !m.policy.MailComesBack {
		pa, pb = m.foundYields(a, b, pa, pb, &gone)
	}
	out.Presence = mergeWrites(pa, pb, sa, sb, false, false, byDot(presentDot), presentDot, &gone)
	m.renamedUnseen(c)
	out.Presence = m.keptPresence(c, out.Presence, pa, pb)
	if m.policy.Deletion == DeletionWins && !out.Created() && !out.IsInbox() {
		for _, p := range out.Presence {
			gone.Add(p.Dot)
		}
		out.Presence = nil
	}
	subs := func(n *changelog.Node) []changelog.BoolWrite { return n.Subs }
	out.Subs = mergeWrites(union(gather(a, subs), byDot(boolDot)), union(gather(b, subs), byDot(boolDot)),
		sa, sb, lack[0], lack[1], byDot(boolDot), boolDot, &gone)
	attrs := func(n *changelog.Node) []changelog.AttrWrite { return n.Attrs }
	out.Attrs = mergeWrites(union(gather(a, attrs), compareAttr), union(gather(b, attrs), compareAttr),
		sa, sb, lack[0], lack[1], compareAttr, attrDot, &gone)
	out.Past = dropLive(gone, out.EachLive)
	out.Chosen = m.chosen(out)
	return out
}

// foundYields drops the presence of a mailbox met without history if the other
// side knows that it was deleted: the log that is left decides (rule 28).
func (m *merger) foundYields(a, b []*changelog.Node, pa, pb []changelog.NodePresence, gone *changelog.Dots) (x, y []changelog.NodePresence) {
	deleted := func(ns []*changelog.Node, ps []changelog.NodePresence) bool {
		return len(ns) > 0 && len(ps) == 0 && !slices.ContainsFunc(ns, (*changelog.Node).OnlyParent)
	}
	drop := func(ps []changelog.NodePresence) []changelog.NodePresence {
		var out []changelog.NodePresence
		for _, p := range ps {
			if p.Found() {
				gone.Add(p.Dot)
			} else {
				out = append(out, p)
			}
		}
		return out
	}
	if deleted(a, pa) {
		pb = drop(pb)
	} else if deleted(b, pb) {
		pa = drop(pa)
	}
	return pa, pb
}

// dropLive takes the dots that still stand in live writes out of a Past.
func dropLive(past changelog.Dots, each func(func(changelog.Dot))) changelog.Dots {
	var live changelog.Dots
	hit := false
	each(func(d changelog.Dot) {
		if past.Has(d) {
			live.Add(d)
			hit = true
		}
	})
	if !hit {
		return past
	}
	return past.Minus(&live)
}

func (m *merger) mergeBare() []*changelog.Bare {
	byName := map[store.Name]*[2]*changelog.Bare{}
	var names []store.Name
	for s := range m.side {
		for _, b := range m.side[s].Tree.Bare {
			p := byName[b.Name]
			if p == nil {
				p = &[2]*changelog.Bare{}
				byName[b.Name] = p
				names = append(names, b.Name)
			}
			p[s] = b
		}
	}
	slices.Sort(names)
	var out []*changelog.Bare
	for _, n := range names {
		p := byName[n]
		var ws [2][]changelog.BoolWrite
		var gone changelog.Dots
		for s, b := range p {
			if b != nil {
				ws[s] = b.Subs
				gone.Union(&b.Past)
			}
		}
		x := &changelog.Bare{Name: n}
		x.Subs = mergeWrites(ws[0], ws[1], &m.side[0].Seen, &m.side[1].Seen, p[0] == nil, p[1] == nil, byDot(boolDot), boolDot, &gone)
		if len(x.Subs) > 1 {
			x.Chosen = m.policy.Tree.Subs
		}
		x.Past = dropLive(gone, func(f func(changelog.Dot)) {
			for _, w := range x.Subs {
				f(w.Dot)
			}
		})
		out = append(out, x)
	}
	return out
}
