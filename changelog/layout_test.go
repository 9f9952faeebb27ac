package changelog

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"dsync/store"
)

// An Edit's layout is kept through creates; it must be the one that the tree gives.
func TestEditKeepsLayout(t *testing.T) {
	for seed := range uint64(400) {
		keepLayout(t, seed)
	}
}

func keepLayout(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	seq, guids := uint64(0), uint64(0)
	mint := func() Write {
		seq++
		return Write{Dot{Replica{ID: ReplicaID(1 + rnd.IntN(3))}, seq}, Stamp{Time: int64(rnd.IntN(4))}}
	}
	newGUID := func() (g store.MailboxGUID) {
		guids++
		binary.BigEndian.PutUint64(g[:], rnd.Uint64()|1)
		binary.BigEndian.PutUint64(g[8:], guids)
		return g
	}
	with := map[store.MailboxGUID]bool{}
	e := &Edit{Tree: &Tree{}, Live: func(g store.MailboxGUID) bool { return with[g] }, NewGUID: newGUID}
	name := func() store.Name {
		n := store.Name([]string{"a", "b", "INBOX", "c-12345678"}[rnd.IntN(4)])
		for range rnd.IntN(3) {
			n = n.Child([]string{"x", "y"}[rnd.IntN(2)])
		}
		return n
	}
	grown := 0
	for step := range 30 {
		n := name()
		what := ""
		switch rnd.IntN(6) {
		case 0:
			_, _, err := e.Delete(n, mint)
			what = fmt.Sprintf("delete %s: %v", n, err)
		case 1:
			to := name()
			what = fmt.Sprintf("rename %s %s: %v", n, to, e.Rename(n, to, mint))
		default:
			g := newGUID()
			with[g] = rnd.IntN(4) == 0
			if rnd.IntN(8) == 0 { // made elsewhere, at a place where another may be shown
				e.Tree.AddNode(&Node{GUIDs: []store.MailboxGUID{g}, Creates: []Create{{Write: mint(), Name: n.Base()}},
					Places: []PlaceWrite{{Write: mint(), Path: n}}, Presence: []NodePresence{{Write: mint()}}})
				e.Dirty()
			}
			had := e.Layout()
			_, err := e.Create(n, newGUID(), mint, rnd.IntN(4) == 0, rnd.IntN(2) == 0)
			what = fmt.Sprintf("create %s: %v", n, err)
			if err == nil && e.Layout() == had {
				grown++
			}
		}
		if got, want := drawLayout(e.Layout()), drawLayout(e.Tree.Layout(e.Live)); got != want {
			t.Fatalf("keepLayout(t, %d), step %d (%s):\ngot  %s\nwant %s", seed, step, what, got, want)
		}
	}
	if grown == 0 {
		t.Errorf("keepLayout(t, %d): no create was taken into the layout that stood", seed)
	}
}

func drawLayout(l *Layout) string {
	out := ""
	for _, s := range l.Slots {
		out += fmt.Sprintf("%s shown=%v loser=%v", s.Path, s.Shown, s.Loser)
		if s.Holder != nil {
			out += " holder " + s.Holder.GUID().String()
		}
		if s.Parent != nil {
			out += " in " + string(s.Parent.Path)
		}
		for _, m := range s.Members {
			out += " " + m.GUID().String()
			if l.In(m.GUID()) != s {
				out += " (elsewhere)"
			}
		}
		out += fmt.Sprintf(" by path %v; ", l.ByPath[s.Path] == s)
	}
	lost := []string{}
	for g := range l.lost {
		lost = append(lost, g.String())
	}
	slices.Sort(lost)
	return out + fmt.Sprint(lost)
}
