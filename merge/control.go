package merge

import (
	"encoding/binary"
	"hash/fnv"

	"dsync/changelog"
	"dsync/store"
)

// The negative controls left-wins, right-wins and random: flags and keywords are
// what one side shows. They break laws on purpose, so that a harness that does not
// notice is known to be broken.

// controls makes the flags and keywords of a group those of one side, where the
// policy says so.
func (m *merger) controls(g *group, out *changelog.Message, gone *changelog.Dots) {
	if !m.control {
		return
	}
	out.Flags = oneSide(g, out.Flags, flagsOf, flagDot, compareFlag, gone, func(w changelog.FlagWrite) int {
		return m.speaker(m.policy.pickFlag(w.Flag), out, w.Flag.String())
	})
	out.Keywords = oneSide(g, out.Keywords, keysOf, keywordDot, compareKeyword, gone, func(w changelog.KeywordWrite) int {
		fold := store.FoldKeyword(w.Name)
		return m.speaker(m.policy.pickKeyword(fold), out, fold)
	})
}

// free is the answer of speaker for registers that are no control's.
const free = -1

// speaker is the side whose writes of a register stand.
func (m *merger) speaker(p Pick, out *changelog.Message, register string) int {
	switch p {
	case LeftSide:
		return m.opt.Left
	case RightSide:
		return 1 - m.opt.Left
	case RandomSide:
		h := fnv.New64a()
		var b [8 + 1 + 8 + 4 + 8]byte
		id := out.ID()
		binary.BigEndian.PutUint64(b[:], m.policy.Seed)
		b[8] = byte(m.opt.Left)
		binary.BigEndian.PutUint64(b[9:], uint64(id.Replica.ID))
		binary.BigEndian.PutUint32(b[17:], id.Replica.Epoch)
		binary.BigEndian.PutUint64(b[21:], id.Seq)
		h.Write(b[:])
		h.Write([]byte(register))
		return int(h.Sum64()>>32) & 1
	}
	return free
}

// oneSide keeps, of each register that side says, the writes of that side alone. A
// side that has no entry has no say.
func oneSide[W any](g *group, merged []W, of func(*changelog.Message) []W, dot func(W) changelog.Dot, compare func(W, W) int,
	gone *changelog.Dots, side func(W) int) []W {
	var out [][]W
	has := func(s int) bool { return s != free && len(g.side[s]) > 0 }
	for _, w := range merged {
		if has(side(w)) {
			gone.Add(dot(w))
		} else {
			out = append(out, []W{w})
		}
	}
	for s := range g.side {
		for _, x := range g.side[s] {
			for _, w := range of(x) {
				if side(w) == s {
					out = append(out, []W{w})
				}
			}
		}
	}
	return union(out, compare)
}
