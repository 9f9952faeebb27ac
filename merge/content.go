package merge

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"dsync/store"
)

// Rule 29: one GUID, other bytes.

// Derived is the GUID under which a content is shown that shares its GUID with
// another: a function of its own GUID, size and hash, so that every replica finds
// the same one, whichever other content it met.
func Derived(c store.Content) store.GUID {
	h := sha256.New()
	h.Write([]byte(c.GUID))
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(c.Size))
	h.Write(size[:])
	h.Write(c.Hash[:])
	return store.GUID(hex.EncodeToString(h.Sum(nil)[:16]))
}

// sameBytes reports whether two contents may be the same; a zero hash is unknown.
func sameBytes(a, b store.Content) bool { return a.Size == b.Size && sameHash(a, b) }

// oneContent is the content of an entry that two views know under a and b: a
// derived GUID stands, and a known hash.
func oneContent(a, b store.Content) store.Content {
	switch {
	case a == b:
		return a
	case sameBytes(a, b) && a.GUID != b.GUID && Derived(a) == b.GUID:
		return b
	case sameBytes(a, b) && a.GUID != b.GUID && Derived(b) == a.GUID:
		return a
	case compareContent(b, a) > 0:
		return b
	}
	return a
}

// tellApart gives contents that came under one GUID at the two sides, but are not
// the same bytes, GUIDs of their own; the one with the smallest hash keeps it.
func (m *merger) tellApart() {
	if !m.bothApart() {
		return
	}
	var by [2]map[store.GUID][]*group
	for s := range by {
		by[s] = map[store.GUID][]*group{}
	}
	for _, g := range m.groups {
		for s := range by {
			if m.apart(g, s) {
				by[s][g.out.Content.GUID] = append(by[s][g.out.Content.GUID], g)
			}
		}
	}
	for guid, as := range by[0] {
		bs := by[1][guid]
		if len(bs) > 0 {
			m.deriveAll(slices.Concat(as, bs))
		}
	}
}

func (m *merger) deriveAll(gs []*group) {
	least := gs[0].out.Content
	for _, g := range gs[1:] {
		if c := g.out.Content; compareBytes(c, least) < 0 {
			least = c
		}
	}
	clash := false
	for _, g := range gs {
		if c := g.out.Content; !sameBytes(c, least) {
			g.out.Content.GUID = Derived(c)
			clash = true
		}
	}
	if clash {
		m.clash = append(m.clash, gs)
	}
}

// waitTogether: if a filter keeps one of several contents with one GUID from
// crossing, the others wait too; else they would not be told apart later. What
// crosses is reported.
func (m *merger) waitTogether() {
	for _, gs := range m.clash {
		for i, g := range gs {
			for g.into != nil {
				g = g.into
			}
			gs[i] = g
		}
		waits := slices.ContainsFunc(gs, func(g *group) bool { return g.waits })
		for _, g := range gs {
			if waits && !g.waits {
				g.waits = true
				m.out.Waiting++
			}
			if was := g.side[0]; !waits {
				if len(was) == 0 {
					was = g.side[1]
				}
				if was[0].Content.GUID != g.out.Content.GUID {
					m.decide(g.out, 29, "same-guid", "both messages", "the GUID "+string(was[0].Content.GUID), "two contents had one GUID; the one with the larger hash gets a derived one")
				}
			}
		}
	}
}

func compareBytes(a, b store.Content) int {
	if c := slices.Compare(a.Hash[:], b.Hash[:]); c != 0 {
		return c
	}
	return int(min(max(a.Size-b.Size, -1), 1))
}
