package pure

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// Dovecot's own test cases for mailbox trees (shared/reference/dsync.md §7). A tree
// is "path:guid@seconds …"; a path without a GUID is a \Noselect parent. Mailboxes
// of both trees are of one origin and hold one message, named after the GUID; each
// was put in its place at the time given.
//
// want is our result. Where it is not Dovecot's, tree.md says why: each mailbox's
// own later stamp wins, children follow the GUID, no -temp- names.
var renameCases = []struct {
	name, left, right, want string
}{
	{"creates", "foo:1 foo/bar:2 bar:3 foo/baz:4", "foo:1 foo/bar:2 foo/xyz:5 foo/bar/3:6", "INBOX; bar b3; foo b1; foo/bar b2; foo/bar/3 b6; foo/baz b4; foo/xyz b5"},
	{"renames1", "a:1@1000 2:2 2/s1:4 2/s2:5 x/y:6 3:3 z:7@1000", "1:1 b:2@1000 b/s1:4 b/s2:5 x/y:6 3:3 3/s3:7", "INBOX; 3 b3; a b1; b b2; b/s1 b4; b/s2 b5; x/; x/y b6; z b7"},
	{"renames2", "0/1:1@1 0/1/2:2@3", "0:1 0/1/2:2", "INBOX; 0/; 0/1 b1; 0/1/2 b2"},
	{"renames3", "0/2:1@1 0/3:2@1", "0/4/5:1 1:2", "INBOX; 0/; 0/2 b1; 0/3 b2"},
	{"renames4", "0/b:1 c:2@2", "0/a:2", "INBOX; 0/; 0/b b1; c b2"},
	{"renames5", "b:1 c:2@2", "0/a:2", "INBOX; b b1; c b2"},
	{"renames6", "0/1:1 0/2:2@1", "0:1@1 0/3:2", "INBOX; 0 b1; 0/2 b2"},
	{"renames7", "0/2:1", "1/2:1", "INBOX; 0/; 0/2 b1"},
	{"renames8", "0/1:1 0/2:2@1", "0:1@1", "INBOX; 0 b1; 0/2 b2"},
	{"renames9", "0/1/2:1 0/3:2@1", "0:1@1", "INBOX; 0 b1; 0/3 b2"},
	{"renames10", "0/1:1 0/2/3:3", "0:1@1", "INBOX; 0 b1; 0/2/; 0/2/3 b3"},
	{"renames11", "0/1:1@2 0/1/2", "0:1@1 0/1/2", "INBOX; 0/; 0/1 b1"},
	{"renames12", "0/2:1 1:2 1/4:3 1/4/5:4@1", "1:1@2 1/4:2@3 1/4/6:3@4 1/3:4", "INBOX; 1 b1; 1/4 b2; 1/4/6 b3; 1/4/6/5 b4"},
	{"renames13", "0.0/1.0/2.1:4 0.1:5@2 0.1/1.0:6@2 0.1/1.0/2.0:7@8", "0.1/1.0:5@5 0.1/1.0/2.0:6@8 0.1/1.1:7@1", "INBOX; 0.0/; 0.0/1.0/; 0.0/1.0/2.1 b4; 0.1/; 0.1/1.0 b5; 0.1/1.0/2.0 b6; 0.1/1.0/2.0/2.0 b7"},
	{"renames14", "1:1 1/2:2 1/2/4:3@1", "1/2:1@3 1/2/5:2@4 1/2/4:3", "INBOX; 1/; 1/2 b1; 1/2/5 b2; 1/2/5/4 b3"},
	{"renames15", "1:1", "1:2@1", "INBOX; 1 b1 b2"},
	{"renames16", "1/2:1@4 1:2@2", "2:1@1 1/2:2@3 1:3@5", "INBOX; 1 b3; 1/2 b2; 1/2/2 b1"},
	{"renames17", "1:1@1", "1/2:1 1:2@2", "INBOX; 1 b2; 1-01000000 b1"},
	{"renames18", "a:2@5 a/c:4@2 b:5@6", "a:1@7 b:2@3 b/c:3@4 d:4@1", "INBOX; a b1; a-02000000 b2; a-02000000/c b3; a-02000000/c-04000000 b4; b b5"},
	{"renames19", "0/2/1:1@1 0/4:2@3 0/2:3@2", "1:1 1/3:2@4", "INBOX; 0/; 0/2 b3; 0/2/1 b1; 0/2/1/3 b2"},
	{"renames20", "1:1 0:2 0/2:3", "1:1 1/0:2@1 1/0/2:3", "INBOX; 1 b1; 1/0 b2; 1/0/2 b3"},
	{"renames22", "p/a:3 p/2 p/2/h:5", "p/1/z:4 p/2:1 p/2/a:2 p/2/y:5 p/3:3", "INBOX; p/; p/1/; p/1/z b4; p/2 b1; p/2/a b2; p/2/h b5; p/3 b3"},
	{"renames23", "p1/a/c:2 p2/a/c:3", "p2/b/d:4 p1:2", "INBOX; p1 b2; p2/; p2/a/; p2/a/c b3; p2/b/; p2/b/d b4"},
	{"renames24", "p1/a:1 p1/a/c:2 p2/a/c:3", "p2/b/d:4 p1:2", "INBOX; p1 b2; p1/a b1; p2/; p2/a/; p2/a/c b3; p2/b/; p2/b/d b4"},
}

type treeNode struct {
	path store.Name
	guid byte
	at   int64
}

func parseTree(s string) (ns []treeNode) {
	for _, f := range strings.Fields(s) {
		f, at, _ := strings.Cut(f, "@")
		path, guid, _ := strings.Cut(f, ":")
		n := treeNode{path: store.Name(path)}
		g, _ := strconv.Atoi(guid)
		n.guid = byte(g)
		n.at, _ = strconv.ParseInt(cmp.Or(at, "0"), 10, 64)
		ns = append(ns, n)
	}
	slices.SortStableFunc(ns, func(a, b treeNode) int { return cmp.Compare(len(a.path.Levels()), len(b.path.Levels())) })
	return ns
}

// plant makes the tree at the replica; old are the nodes and messages of the past
// that both trees stem from.
func (r *Replica) plant(t *testing.T, ns []treeNode, past map[byte]*changelog.Node) {
	t.Helper()
	e := r.edit()
	clock := int64(0)
	mint := func() changelog.Write {
		w := r.mint()
		w.Stamp = changelog.Stamp{Time: (100 + clock) * 1e6}
		return w
	}
	for _, n := range ns {
		clock = n.at
		if n.guid == 0 {
			if _, err := e.Create(n.path, r.NewGUID(), mint, true, false); err != nil {
				t.Fatal(err)
			}
			continue
		}
		g := store.MailboxGUID{n.guid}
		if old := past[n.guid]; old != nil {
			from := e.Layout().In(old.GUID()).Path
			if from != n.path {
				if err := e.Rename(from, n.path, mint); err != nil {
					t.Fatalf("%s to %s: %v", from, n.path, err)
				}
			}
			continue
		}
		node, err := e.Create(n.path, g, mint, false, false)
		if err != nil {
			t.Fatal(err)
		}
		r.changed()
		r.hold(node, n.path)
		r.put(node, n.guid)
	}
	r.changed()
	r.noteHolds()
}

func (r *Replica) put(n *changelog.Node, guid byte) {
	m := changelog.NewMessage(r.mint(), n.GUID(), contentOf(fmt.Sprintf("b%d", guid)), 1, 0, nil)
	m.UID = n.UIDNext
	n.UIDNext++
	r.Messages[m.ID()] = m
}

func TestRenames(t *testing.T) {
	for _, c := range renameCases {
		t.Run(c.name, func(t *testing.T) {
			var shows [2]string
			for turn := range 2 {
				left, right := parseTree(c.left), parseTree(c.right)
				w := NewWorld(2, merge.Safe)
				a, b := w.R[0], w.R[1]
				past := map[byte]*changelog.Node{}
				e := a.edit()
				e.NewGUID = a.NewGUID
				for _, n := range left {
					if n.guid == 0 || !slices.ContainsFunc(right, func(o treeNode) bool { return o.guid == n.guid }) {
						continue
					}
					mint := func() changelog.Write { x := a.mint(); x.Stamp = changelog.Stamp{Time: 1}; return x }
					node, err := e.Create(store.Name(fmt.Sprintf("old%d", n.guid)), store.MailboxGUID{n.guid}, mint, false, false)
					if err != nil {
						t.Fatal(err)
					}
					past[n.guid] = node
				}
				a.changed()
				a.noteHolds()
				for g, n := range past {
					a.put(n, g)
				}
				a.changed()
				if err := w.Run(Op{Verb: SyncWhole, R: 0, Peer: 1}); err != nil {
					t.Fatal(err)
				}
				if turn == 1 {
					left, right = right, left
				}
				a.plant(t, left, past)
				b.plant(t, right, past)
				if err := w.Run(Op{Verb: SyncWhole, R: 0, Peer: 1}); err != nil {
					t.Fatal(err)
				}
				if err := w.Converge(); err != nil {
					t.Fatal(err)
				}
				shows[turn] = withoutUIDs(a.Show(merge.Safe))
				for _, n := range append(left, right...) {
					if n.guid != 0 && !strings.Contains(shows[turn], fmt.Sprintf("b%d", n.guid)) {
						t.Errorf("the mail of %d is lost: %s", n.guid, shows[turn])
					}
				}
			}
			if shows[0] != shows[1] {
				t.Errorf("trees exchanged: %s\n        instead of %s", shows[1], shows[0])
			}
			if shows[0] != c.want {
				t.Errorf("shows %s\n want %s", shows[0], c.want)
			}
		})
	}
}

// renames21, which crashes Dovecot: INBOX and foo have each other's GUIDs. All
// INBOXes are one mailbox, so both GUIDs are names of it, and all mail is there (of each
// content one: the copies were made apart, and link).
func TestRenamesInboxSwapped(t *testing.T) {
	w := NewWorld(2, merge.Safe)
	for i, r := range w.R {
		e := r.edit()
		inbox := r.Layout().ByPath[store.Inbox].Holder
		inbox.AddGUID(store.MailboxGUID{byte(1 + i)})
		r.Tree.SortNodes()
		foo, err := e.Create("foo", store.MailboxGUID{byte(2 - i)}, r.mint, false, false)
		if err != nil {
			t.Fatal(err)
		}
		r.changed()
		r.hold(foo, "foo")
		r.put(inbox, byte(1+i))
		r.put(foo, byte(2-i))
		r.changed()
	}
	if err := w.Run(Op{Verb: SyncWhole, R: 0, Peer: 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.Converge(); err != nil {
		t.Fatal(err)
	}
	got := w.R[0].Show(merge.Safe)
	if want := "INBOX 2:b1 3:b2"; got != want {
		t.Errorf("shows %s, want %s", got, want)
	}
}
