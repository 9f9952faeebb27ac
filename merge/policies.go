package merge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dsync/store"
)

// The built-in policies. What each is for stands in its About.
var (
	Safe = &Policy{Name: "safe", About: "no mail is lost, an added flag stays, but for \\Deleted and \\Draft; the default",
		Flag: flagPicks(AnySet, AnyClear, store.Deleted|store.Draft)}
	Dovecot = &Policy{Name: "dovecot", About: "as dsync 2.3 decides, its losses included; for comparison",
		Flag: flagPicks(Later, 0, 0), Keyword: Later, Deletion: DeletionWins}
	AddWins    = &Policy{Name: "add-wins", About: "a flag or keyword that somebody set stays set"}
	RemoveWins = &Policy{Name: "remove-wins", About: "a flag or keyword that somebody cleared stays cleared",
		Flag: flagPicks(AnyClear, 0, 0), Keyword: AnyClear}
	LaterWins = &Policy{Name: "later-wins", About: "the later change of a flag or keyword wins, by the writers' clocks",
		Flag: flagPicks(Later, 0, 0), Keyword: Later}
	LaterModSeqWins = &Policy{Name: "later-modseq-wins", About: "the change with the higher number in its writer's log wins, so the busier side",
		Flag: flagPicks(LaterModSeq, 0, 0), Keyword: LaterModSeq}
	Union = &Policy{Name: "union", About: "nothing is ever taken away: flags, mail and mailboxes that one side dropped come back from the other",
		Flag: flagPicks(Grow, 0, 0), Keyword: Grow, ExpungeNever: true, Deletion: MailboxStays, MailComesBack: true}
	ExpungeNever = &Policy{Name: "expunge-never", About: "an archive: mail that one side expunged comes back from the other; all else as safe",
		Flag: flagPicks(AnySet, AnyClear, store.Deleted|store.Draft), ExpungeNever: true, MailComesBack: true}
	ThreeWayState = &Policy{Name: "three-way-state", About: "as tools that compare states: who set a flag and took it back before a run changed nothing",
		Flag: flagPicks(ThreeWay, 0, 0), Keyword: ThreeWay}
	CRDTPluto = &Policy{Name: "crdt-pluto", About: "as an IMAP server of observed-remove sets: who stores flags keeps the message, copies stay two",
		KeepCopies: true, Rescue: FlagsRescue, MailComesBack: true}
	LeftWins = &Policy{Name: "left-wins", About: "flags are what the side that started the run shows; breaks laws, for tests",
		Flag: flagPicks(LeftSide, 0, 0), Keyword: LeftSide}
	RightWins = &Policy{Name: "right-wins", About: "flags are what the other side shows; breaks laws, for tests",
		Flag: flagPicks(RightSide, 0, 0), Keyword: RightSide}
	random = &Policy{Name: "random", About: "flags are what a side drawn by a seed shows, as random(SEED); breaks laws, for tests",
		Flag: flagPicks(RandomSide, 0, 0), Keyword: RandomSide, Seed: 1}
)

// Random is the policy random with a seed.
func Random(seed uint64) *Policy {
	p := *random
	p.Name, p.Seed = fmt.Sprintf("random(%d)", seed), seed
	return &p
}

var policies = []*Policy{Safe, Dovecot, AddWins, RemoveWins, LaterWins, LaterModSeqWins, Union, ExpungeNever, ThreeWayState, CRDTPluto,
	LeftWins, RightWins, random}

// flagPicks gives all flags one pick, but for some.
func flagPicks(all, other Pick, but store.Flags) (out [flagCount]Pick) {
	for f := range store.AllFlags.Each {
		out[flagIndex(f)] = all
		if but&f != 0 {
			out[flagIndex(f)] = other
		}
	}
	return out
}

// Policies lists the built-in policies, the default first.
func Policies() []*Policy { return slices.Clone(policies) }

// PolicyNames names the built-in policies, the default first.
func PolicyNames() []string {
	var out []string
	for _, p := range policies {
		out = append(out, p.Name)
	}
	return out
}

// PolicyByName finds a built-in policy; "" is safe, "random(7)" is random with
// seed 7.
func PolicyByName(name string) (*Policy, error) {
	if name == "" {
		return Safe, nil
	}
	for _, p := range policies {
		if p.Name == name {
			return p, nil
		}
	}
	if in, ok := strings.CutPrefix(name, random.Name+"("); ok && strings.HasSuffix(in, ")") {
		seed, err := strconv.ParseUint(strings.TrimSuffix(in, ")"), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("policy %q: the seed is not a number from 0 to 2^63-1", name)
		}
		return Random(seed), nil
	}
	return nil, fmt.Errorf("policy %q: not one of %s", name, strings.Join(PolicyNames(), ", "))
}
