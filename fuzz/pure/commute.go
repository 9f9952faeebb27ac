package pure

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"dsync/store"
)

// P21: independent events commute. Two operations of clients are independent if they
// concern mailboxes of which none is, or is above, one of the other's. One that has
// later come to an earlier time, past operations that it is independent of and past no
// run of its replica, changes nothing but UIDs, dots and stamps.

// mailOnly are operations that make no mailbox: those draw GUIDs in their order.
func mailOnly(v Verb) bool {
	switch v {
	case Append, Copy, Move, Expunge, Flag, Unflag, Keyword, Unkeyword, Subscribe, Unsubscribe, SetAttr:
		return true
	}
	return false
}

func clientOp(v Verb) bool {
	return mailOnly(v) || v == CreateBox || v == RenameBox || v == DeleteBox
}

// independent reports whether two operations commute.
func independent(a, b Op) bool {
	if a.R == b.R && !(mailOnly(a.Verb) && mailOnly(b.Verb)) {
		return false
	}
	for _, p := range []store.Name{a.Path, a.Path2} {
		for _, q := range []store.Name{b.Path, b.Path2} {
			if p != "" && q != "" && (p == q || p.IsUnder(q) || q.IsUnder(p)) {
				return false
			}
		}
	}
	return true
}

// Commuted moves operations of a history to earlier times, as rng draws, past others
// that they are independent of; it reports how many. Operations that name a message
// by its place in a mailbox go past no run.
func Commuted(ops []Op, rng *rand.Rand) (out []Op, moved int) {
	out = append(out, ops...)
	for i := range out {
		o := out[i]
		if !clientOp(o.Verb) || o.Verb == CreateBox || o.Verb == DeleteBox || o.Verb == RenameBox || rng.IntN(2) == 0 {
			continue
		}
		j, past := i, 0
		for j > 0 {
			p := out[j-1]
			if p.Verb != Tick && !(clientOp(p.Verb) && independent(o, p)) {
				break
			}
			if p.Verb != Tick {
				past++
			}
			j--
		}
		if past == 0 {
			continue
		}
		copy(out[j+1:i+1], out[j:i])
		out[j] = o
		moved++
	}
	return out, moved
}

// CheckCommutes is P21 for a history: with operations moved as the seed draws, all
// replicas come to the same, but for UIDs.
func (k Kind) CheckCommutes(ops []Op, seed uint64) (err error) {
	other, moved := Commuted(ops, rand.New(rand.NewPCG(seed, 21)))
	if moved == 0 || slices.ContainsFunc(ops, func(o Op) bool { return o.Verb == Partly }) {
		return nil // what fails there hangs on dots
	}
	a, b := k.world(), k.world()
	for _, run := range []struct {
		w   *World
		ops []Op
	}{{a, ops}, {b, other}} {
		for i, o := range run.ops {
			if err := run.w.Run(o); err != nil {
				return fmt.Errorf("at %d, %v: %w", i, o, err)
			}
		}
		if err := run.w.Converge(); err != nil {
			return err
		}
	}
	if x, y := a.R[0].Dump(a.Policy, false), b.R[0].Dump(b.Policy, false); x != y {
		return a.asked(fmt.Errorf("P21: in the order %s: all show\n%sinstead of\n%s", History(other), y, x))
	}
	return nil
}
