package merge

import (
	"math/bits"
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// Pick is how the value of a yes/no register follows from its live writes. What
// was found without history yields to any other write.
type Pick uint8

// The ways to pick.
const (
	AnySet      Pick = iota // set if any live write sets it
	AnyClear                // clear if any live write clears it
	Later                   // what the write with the later stamp says
	LaterModSeq             // what the write says that its writer's log has under the higher number
	ThreeWay                // set if a write sets it that its writer did not take back at once
	Grow                    // set if either side shows it: what one side clears the other brings back
	// The negative controls: what one side shows, whatever the other did.
	LeftSide   // the side that started
	RightSide  // the other
	RandomSide // one of them, by a number drawn from Policy.Seed, the starter and the message
)

// control reports whether the outcome hangs on which side is which.
func (p Pick) control() bool { return p >= LeftSide }

// Rescue says what keeps a message that the other side expunged without having
// seen it (rule 7).
type Rescue uint8

// What rescues.
const (
	NoRescue Rescue = iota
	FlaggedRescues
	FlagsRescue // any change of flags or keywords
)

// Deletion says what a deletion of a mailbox does to what it had not seen
// (rule 15).
type Deletion uint8

// The ways.
const (
	DeliveryWins Deletion = iota
	DeletionWins
	MailboxStays // a mailbox is gone when nobody has it any more
)

// flagCount is how many system flags there are.
const flagCount = 5

// Policy is a named set of choices, one for each rule that has any; Rules lists
// them. A policy is a value without code: it is total and deterministic whatever
// the choices. The zero value of each field is the choice of the policy safe, but
// for flags.
type Policy struct {
	Name  string
	About string // for lists of policies

	Flag       [flagCount]Pick // rule 8, by bit of store.Flags
	Keyword    Pick            // rule 9
	Exceptions map[string]Pick // rule 9 for single keywords, by folded name; may be nil

	KeepCopies         bool     // rule 2: copies of one content made apart stay two
	ExpungeFollowsMove bool     // rule 4: an expunge also removes what a concurrent move put elsewhere
	Rescue             Rescue   // rule 7
	ExpungeNever       bool     // rules 3, 4, 7, 28: no expunge is carried
	Deletion           Deletion // rule 15
	RenameRescues      bool     // rule 17: a mailbox renamed unseen outlives its deletion
	MailComesBack      bool     // rule 28: what was found without history stands against an expunge

	// Rule 5: LaterWins or EarlierWins. With ExpungeNever always the later.
	Moves changelog.Choice
	// Rules 12, 13, 21 and 23, as changelog.Chosen has them.
	Tree changelog.Chosen

	Seed uint64 // of RandomSide
}

func (p *Policy) pickFlag(f store.Flags) Pick {
	return p.Flag[bits.TrailingZeros8(uint8(f))]
}

func (p *Policy) pickKeyword(fold string) Pick {
	if len(p.Exceptions) > 0 {
		if x, ok := p.Exceptions[fold]; ok {
			return x
		}
	}
	return p.Keyword
}

// picks reports whether any register is picked in one of these ways.
func (p *Policy) picks(which func(Pick) bool) bool {
	if slices.ContainsFunc(p.Flag[:], which) || which(p.Keyword) {
		return true
	}
	for _, x := range p.Exceptions { // any order: one is enough
		if which(x) {
			return true
		}
	}
	return false
}

// vote is one live write of a yes/no register.
type vote struct {
	changelog.Write
	set, back bool
}

// value is what a register shows.
func value(p Pick, votes []vote) bool {
	if len(votes) == 1 {
		return votes[0].set
	}
	known := slices.ContainsFunc(votes, func(v vote) bool { return !v.Found() })
	counts := func(v vote) bool { return !known || !v.Found() }
	switch p {
	case AnyClear:
		return len(votes) > 0 && !slices.ContainsFunc(votes, func(v vote) bool { return counts(v) && !v.set })
	case Later:
		return latest(votes, counts, func(vote) uint64 { return 0 })
	case LaterModSeq:
		return latest(votes, counts, func(v vote) uint64 { return v.Dot.Seq })
	case ThreeWay:
		if slices.ContainsFunc(votes, func(v vote) bool { return counts(v) && !v.back }) {
			return slices.ContainsFunc(votes, func(v vote) bool { return counts(v) && !v.back && v.set })
		}
	case Grow:
		return slices.ContainsFunc(votes, func(v vote) bool { return v.set })
	}
	return slices.ContainsFunc(votes, func(v vote) bool { return counts(v) && v.set })
}

// latest is the value of the vote with the highest number; of equal ones the later
// write's, of equal stamps yes.
func latest(votes []vote, counts func(vote) bool, number func(vote) uint64) bool {
	var best *vote
	for i := range votes {
		v := &votes[i]
		switch {
		case !counts(*v):
		case best == nil || number(*v) > number(*best):
			best = v
		case number(*v) == number(*best) && v.Later(best.Write, yesFirst(v.set, best.set)) > 0:
			best = v
		}
	}
	return best != nil && best.set
}

func yesFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Flags are the system flags that a message shows under the policy.
func (p *Policy) Flags(m *changelog.Message) store.Flags {
	var out store.Flags
	var room [8]vote
	for ws := m.Flags; len(ws) > 0; {
		f, vs := ws[0].Flag, room[:0]
		for len(ws) > 0 && ws[0].Flag == f {
			vs = append(vs, vote{ws[0].Write, ws[0].Set, ws[0].Back})
			ws = ws[1:]
		}
		if value(p.pickFlag(f), vs) {
			out |= f
		}
	}
	return out
}

// Keywords are the keywords that a message shows under the policy, each in the
// spelling of its setting write with the smallest (stamp, dot), by folded name.
func (p *Policy) Keywords(m *changelog.Message) []string {
	var out []string
	var room [8]vote
	for ws := m.Keywords; len(ws) > 0; {
		fold, vs, n := store.FoldKeyword(ws[0].Name), room[:0], 0
		for n < len(ws) && store.FoldKeyword(ws[n].Name) == fold {
			vs = append(vs, vote{ws[n].Write, ws[n].Set, ws[n].Back})
			n++
		}
		if value(p.pickKeyword(fold), vs) {
			out = append(out, spelling(ws[:n]))
		}
		ws = ws[n:]
	}
	return out
}

// spelling takes the setting write with the smallest (stamp, dot); found ones
// come after the others.
func spelling(ws []changelog.KeywordWrite) string {
	var best *changelog.KeywordWrite
	for i := range ws {
		w := &ws[i]
		if !w.Set {
			continue
		}
		if best == nil || best.Found() && !w.Found() ||
			best.Found() == w.Found() && w.Later(best.Write, 0) < 0 {
			best = w
		}
	}
	if best == nil {
		return ws[0].Name
	}
	return best.Name
}
