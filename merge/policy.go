package merge

import (
	"fmt"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/store"
)

// Pick is how the value of a yes/no register follows from its live writes.
type Pick int

// The ways to pick.
const (
	AnySet   Pick = iota // set if any live write sets it
	AnyClear             // clear if any live write clears it
	Later                // what the write with the later stamp says
	LeftSide             // what the side that started shows: a negative control
)

// Policy is a named set of choices. The zero value of each field is the choice of
// the policy safe.
type Policy struct {
	Name     string
	Flag     Pick
	ClearOff store.Flags // flags for which clear wins whatever Flag says (safe: \Deleted, \Draft)
	Keyword  Pick
	// ExpungeFollowsMove: an expunge also removes the copy that a concurrent move
	// made (rule 4).
	ExpungeFollowsMove bool
	// DeleteBeatsDelivery: mail delivered into a mailbox that the other side
	// deleted is lost (rule 15), as with dsync 2.3.
	DeleteBeatsDelivery bool
}

// The built-in policies.
var (
	Safe       = &Policy{Name: "safe", ClearOff: store.Deleted | store.Draft}
	Dovecot    = &Policy{Name: "dovecot", Flag: Later, Keyword: Later, DeleteBeatsDelivery: true}
	AddWins    = &Policy{Name: "add-wins"}
	RemoveWins = &Policy{Name: "remove-wins", Flag: AnyClear, Keyword: AnyClear}
	LaterWins  = &Policy{Name: "later-wins", Flag: Later, Keyword: Later}
	LeftWins   = &Policy{Name: "left-wins", Flag: LeftSide, Keyword: LeftSide}
)

var policies = []*Policy{Safe, Dovecot, AddWins, RemoveWins, LaterWins, LeftWins}

// PolicyNames lists the built-in policies.
func PolicyNames() []string {
	var out []string
	for _, p := range policies {
		out = append(out, p.Name)
	}
	return out
}

// PolicyByName finds a built-in policy; "" is safe.
func PolicyByName(name string) (*Policy, error) {
	if name == "" {
		return Safe, nil
	}
	for _, p := range policies {
		if p.Name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("policy %q: not one of %s", name, strings.Join(PolicyNames(), ", "))
}

func (p *Policy) pickFlag(f store.Flags) Pick {
	if p.ClearOff&f != 0 {
		return AnyClear
	}
	return p.Flag
}

// vote is one live write of a yes/no register.
type vote struct {
	changelog.Write
	set bool
}

// value is what a register shows. What was found without history yields to any
// other write.
func value(p Pick, votes []vote) bool {
	if slices.ContainsFunc(votes, func(v vote) bool { return !v.Found() }) {
		votes = slices.DeleteFunc(slices.Clone(votes), func(v vote) bool { return v.Found() })
	}
	if len(votes) == 0 {
		return false
	}
	switch p {
	case AnyClear:
		return !slices.ContainsFunc(votes, func(v vote) bool { return !v.set })
	case Later:
		best := votes[0]
		for _, v := range votes[1:] {
			by := 0
			if v.set != best.set {
				by = -1
				if v.set {
					by = 1
				}
			}
			if v.Later(best.Write, by) > 0 {
				best = v
			}
		}
		return best.set
	default:
		return slices.ContainsFunc(votes, func(v vote) bool { return v.set })
	}
}

// Flags are the system flags that a message shows under the policy.
func (p *Policy) Flags(m *changelog.Message) store.Flags {
	var out store.Flags
	for f := range store.AllFlags.Each {
		if value(p.pickFlag(f), flagVotes(m, f)) {
			out |= f
		}
	}
	return out
}

func flagVotes(m *changelog.Message, f store.Flags) []vote {
	var vs []vote
	for _, w := range m.Flags {
		if w.Flag == f {
			vs = append(vs, vote{w.Write, w.Set})
		}
	}
	return vs
}

// Keywords are those that a message shows under the policy, each in the spelling
// of its setting write with the smallest (stamp, dot), by folded name.
func (p *Policy) Keywords(m *changelog.Message) []string {
	var out []string
	ws := m.Keywords
	for len(ws) > 0 {
		fold := store.FoldKeyword(ws[0].Name)
		n := 1
		for n < len(ws) && store.FoldKeyword(ws[n].Name) == fold {
			n++
		}
		if value(p.Keyword, keywordVotes(ws[:n])) {
			out = append(out, spelling(ws[:n]))
		}
		ws = ws[n:]
	}
	return out
}

func keywordVotes(ws []changelog.KeywordWrite) []vote {
	vs := make([]vote, len(ws))
	for i, w := range ws {
		vs[i] = vote{w.Write, w.Set}
	}
	return vs
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
