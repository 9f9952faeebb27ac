package merge

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/store"
)

// Rule is one rule that a policy has a choice for. The list of them, Rules, is what
// policy files, their documentation and help are made from.
type Rule struct {
	Key     string // in a policy file
	Number  int    // in conflicts.md
	About   string // what is decided
	Choices []Choice
	field   func(*Policy) field
}

// Choice is one way to decide.
type Choice struct{ Name, About string }

// field reads and writes a choice by its place in Rule.Choices.
type field struct {
	get func() int
	set func(int)
}

// ofChoice makes a field of a choice among some.
func ofChoice(v *changelog.Choice, some ...changelog.Choice) field {
	return field{func() int { return slices.Index(some, *v) }, func(i int) { *v = some[i] }}
}

// of makes a field of a variable.
func of[T ~uint8](v *T) field {
	return field{func() int { return int(*v) }, func(i int) { *v = T(i) }}
}

func ofBool(v *bool) field {
	return field{func() int {
		if *v {
			return 1
		}
		return 0
	}, func(i int) { *v = i == 1 }}
}

var pickChoices = []Choice{
	AnySet:      {"add-wins", "set if any of the changes sets it"},
	AnyClear:    {"remove-wins", "cleared if any of the changes clears it"},
	Later:       {"later-wins", "what the later change says, by the writers' clocks"},
	LaterModSeq: {"later-modseq-wins", "what the change with the higher number in its writer's log says"},
	ThreeWay:    {"three-way-state", "set if a change sets it that its writer did not take back before telling anybody"},
	Grow:        {"union", "set if either side shows it, also where only one side changed it"},
	LeftSide:    {"left-wins", "what the side that started shows (for tests: breaks laws)"},
	RightSide:   {"right-wins", "what the other side shows (for tests: breaks laws)"},
	RandomSide:  {"random", "what a side drawn by the seed shows (for tests: breaks laws)"},
}

// FlagKeys and so on are the sections of a policy file; a rule's key is "section.key".
const (
	FlagSection    = "flags"
	KeywordSection = "keywords"
	RuleSection    = "rules"
	AllKey         = "all" // of flags and keywords: what is not named itself
)

var rules = append(flagRules(), []*Rule{
	{KeywordSection + "." + AllKey, 9, "one side set a keyword, the other cleared it", pickChoices,
		func(p *Policy) field { return of(&p.Keyword) }},
	{RuleSection + ".copies", 2, "copies of one content in one mailbox, made apart", []Choice{
		{"link", "they become one message"},
		{"keep-both", "they stay two; what was met without history is linked all the same"},
	}, func(p *Policy) field { return ofBool(&p.KeepCopies) }},
	{RuleSection + ".expunge", 3, "one side expunged a message", []Choice{
		{"carried", "it goes, as the rules below have it"},
		{"never", "it comes back from any replica that has it; the rules on expunges below mean nothing then"},
	}, func(p *Policy) field { return ofBool(&p.ExpungeNever) }},
	{RuleSection + ".expunge-move", 4, "one side expunged a message, the other moved it", []Choice{
		{"move-wins", "the message stays where it was moved to"},
		{"expunge-wins", "the message goes"},
	}, func(p *Policy) field { return ofBool(&p.ExpungeFollowsMove) }},
	{RuleSection + ".move-move", 5, "both sides moved a message, to different mailboxes", []Choice{
		{"later-wins", "it is where the later move put it, by the writers' clocks"},
		{"earlier-wins", "it is where the earlier move put it; with expunge = never the later"},
	}, func(p *Policy) field { return ofChoice(&p.Moves, changelog.LaterWins, changelog.EarlierWins) }},
	{RuleSection + ".expunge-flags", 7, "one side expunged a message, the other changed its flags or keywords", []Choice{
		{"expunge-wins", "the message goes"},
		{"flagged-rescues", "the message stays if the other side set \\Flagged"},
		{"flags-rescue", "the message stays, whatever flag or keyword was changed"},
	}, func(p *Policy) field { return of(&p.Rescue) }},
	{RuleSection + ".rename-rename", 12, "both sides renamed a mailbox", []Choice{
		{"later-wins", "it has the name that the later rename gave it"},
		{"earlier-wins", "it has the name that the earlier rename gave it"},
	}, func(p *Policy) field { return ofChoice(&p.Tree.Place, changelog.LaterWins, changelog.EarlierWins) }},
	{RuleSection + ".same-name", 13, "two mailboxes have one name, by renames or creations on both sides", []Choice{
		{"later-wins", "that which came there later has the name; the other gets a longer one"},
		{"earlier-wins", "that which came there earlier has the name; the other gets a longer one"},
	}, func(p *Policy) field { return ofChoice(&p.Tree.Name, changelog.LaterWins, changelog.EarlierWins) }},
	{RuleSection + ".delete-deliver", 15, "one side deleted a mailbox, the other delivered, copied or moved mail into it", []Choice{
		{"delivery-wins", "the mailbox stays, with the mail that the deletion had not seen"},
		{"deletion-wins", "the mailbox goes, and that mail with it"},
		{"mailbox-stays", "a mailbox stays as long as any replica has it, delivery or not"},
	}, func(p *Policy) field { return of(&p.Deletion) }},
	{RuleSection + ".delete-rename", 17, "one side deleted a mailbox, the other renamed it", []Choice{
		{"deletion-wins", "the mailbox goes, but for mail that the deletion had not seen"},
		{"rename-rescues", "the mailbox stays under its new name, with its mail (breaks laws: with several replicas the order of runs may show)"},
	}, func(p *Policy) field { return ofBool(&p.RenameRescues) }},
	{RuleSection + ".subscription", 21, "one side subscribed a mailbox, the other unsubscribed it", []Choice{
		{"later-wins", "what the later change says"},
		{"subscribed-wins", "it is subscribed"},
		{"unsubscribed-wins", "it is not subscribed"},
	}, func(p *Policy) field {
		return ofChoice(&p.Tree.Subs, changelog.LaterWins, changelog.OnWins, changelog.OffWins)
	}},
	{RuleSection + ".attribute", 23, "both sides set an attribute (METADATA) of a mailbox or of the account", []Choice{
		{"later-wins", "what the later change says"},
		{"earlier-wins", "what the earlier change says"},
		{"larger-wins", "the larger value, in the order of bytes; none is the smallest"},
	}, func(p *Policy) field {
		return ofChoice(&p.Tree.Attrs, changelog.LaterWins, changelog.EarlierWins, changelog.LargerWins)
	}},
	{RuleSection + ".lost-log", 28, "one side expunged a message, the other met it without history (its log was lost)", []Choice{
		{"expunge-stands", "the message goes"},
		{"message-stays", "the message stays"},
	}, func(p *Policy) field { return ofBool(&p.MailComesBack) }},
}...)

// Fixed are rules of the section [rules] that a reader might look for and that have
// no choice, with why.
var Fixed = map[string]string{
	RuleSection + ".cycle": "rule 14 (renames that put two mailboxes into each other) has no choice: it goes through all mailboxes of the account in one order, " +
		"and a run with -m could not change that order without moving mailboxes that it must not touch",
	RuleSection + ".same-uid":     "rule 1 (one UID, other mail) has no choice: both messages stay, and a UID names one message for good",
	RuleSection + ".same-guid":    "rule 29 (one GUID, other bytes) has no choice: both contents stay",
	RuleSection + ".uidvalidity":  "rule 22 (UIDVALIDITY) has no choice: it never falls",
	RuleSection + ".create":       "rule 11 (one mailbox made on both sides) has no choice: mail of both is shown in one mailbox",
	RuleSection + ".delete-child": "rule 18 (a parent deleted, a child created) has no choice: a child is never nowhere",
}

// flagNames are the keys of flags, in the order of their bits.
var flagNames = [flagCount]string{"answered", "deleted", "draft", "flagged", "seen"}

func flagIndex(f store.Flags) int { return bits.TrailingZeros8(uint8(f)) }

func flagRules() (out []*Rule) {
	for f := range store.AllFlags.Each {
		i := flagIndex(f)
		out = append(out, &Rule{FlagSection + "." + flagNames[i], 8, "one side set " + f.String() + ", the other cleared it", pickChoices,
			func(p *Policy) field { return of(&p.Flag[i]) }})
	}
	return out
}

// Rules lists the rules that have a choice, in the order of a policy file.
func Rules() []*Rule { return slices.Clone(rules) }

// Of names what the policy chose.
func (r *Rule) Of(p *Policy) string { return r.Choices[r.field(p).get()].Name }

// Set makes the policy choose.
func (r *Rule) Set(p *Policy, choice string) error {
	i := slices.IndexFunc(r.Choices, func(c Choice) bool { return c.Name == choice })
	if i < 0 {
		return fmt.Errorf("%q is not a choice; want %s", choice, r.names())
	}
	r.field(p).set(i)
	return nil
}

func (r *Rule) names() string {
	var names []string
	for _, c := range r.Choices {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// Except makes the policy choose for one keyword, in any spelling.
func (p *Policy) Except(keyword, choice string) error {
	i := slices.IndexFunc(pickChoices, func(c Choice) bool { return c.Name == choice })
	if i < 0 {
		return rules[flagCount].Set(&Policy{}, choice)
	}
	ex := maps.Clone(p.Exceptions)
	if ex == nil {
		ex = map[string]Pick{}
	}
	ex[store.FoldKeyword(keyword)] = Pick(i)
	p.Exceptions = ex
	return nil
}

// Excepted lists the keywords with a choice of their own, and the choices.
func (p *Policy) Excepted() (keywords, choices []string) {
	keywords = slices.Sorted(maps.Keys(p.Exceptions))
	for _, k := range keywords {
		choices = append(choices, pickChoices[p.Exceptions[k]].Name)
	}
	return keywords, choices
}

// Seeded reports whether the seed means anything.
func (p *Policy) Seeded() bool { return p.picks(func(x Pick) bool { return x == RandomSide }) }

// Control reports whether the policy is a negative control: which side started
// makes a difference.
func (p *Policy) Control() bool { return p.picks(Pick.control) }

// Canonical is all that the policy chose, one choice a line, without its name: two
// policies merge alike if and only if these texts are equal.
func (p *Policy) Canonical() string {
	var w strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&w, "%s=%s\n", r.Key, r.Of(p))
	}
	keys, choices := p.Excepted()
	for i, k := range keys {
		fmt.Fprintf(&w, "%s.%q=%s\n", KeywordSection, k, choices[i])
	}
	if p.Seeded() {
		fmt.Fprintf(&w, "seed=%d\n", p.Seed)
	}
	return w.String()
}

// ID is the policy's name and a hash of what it chose: what both ends of a run
// compare.
func (p *Policy) ID() string {
	h := sha256.Sum256([]byte(p.Canonical()))
	return p.Name + "/" + hex.EncodeToString(h[:8])
}
