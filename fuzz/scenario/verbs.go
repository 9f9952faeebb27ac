package scenario

import "strings"

// kind groups the verbs.
type kind int

const (
	client  kind = iota // what a client does at a replica: "A: create X"
	fate                // what befalls a replica: "A: save"
	between             // a run between two replicas: "sync A B"
	all                 // for the whole world: "tick"
	expect              // an expectation
)

// rule is one row of the table of verbs. The form says what follows the verb:
// small letters stand for themselves, up|down for a choice, capitals for a field
// of Step, brackets for what may be left out, "…" for one or more.
type rule struct {
	verb Verb
	kind kind
	form string
	says string
}

var rules = []rule{
	{Deliver, client, "NAME to MAILBOX [received TIME]", "a new message comes in"},
	{Copy, client, "MESSAGE from MAILBOX to OTHER", "a message is copied"},
	{Move, client, "MESSAGE from MAILBOX to OTHER", "a message is moved"},
	{Expunge, client, "MESSAGE from MAILBOX", "a message is removed"},
	{Flag, client, "MESSAGE in MAILBOX CHANGE…", "flags and keywords are set or cleared"},
	{Replace, client, "MESSAGE in MAILBOX [FLAG…]", "all flags and keywords are replaced"},
	{Create, client, "MAILBOX", "a mailbox is made"},
	{Rename, client, "MAILBOX to OTHER", "a mailbox is renamed, with its children"},
	{Delete, client, "MAILBOX", "a mailbox is deleted with its mail; its children stay"},
	{Subscribe, client, "MAILBOX", "a name is subscribed"},
	{Unsubscribe, client, "MAILBOX", "a subscription is taken away"},
	{Attribute, client, "MAILBOX TEXT", "the attribute /shared/comment is set"},
	{UIDValidity, client, "MAILBOX up|down", "a mailbox gets another UIDVALIDITY, and UIDs from 1"},
	{UIDNext, client, "MAILBOX", "UIDNEXT rises by one"},

	{Damage, fate, "MAILBOX uidlist|half-uidlist|index", "a file of Dovecot's in a Maildir is lost, or half of it"},
	{Save, fate, "", "mail and log are backed up"},
	{Restore, fate, "[mail|log]", "what the last save held comes back: mail and log, or one of them"},
	{LoseLog, fate, "", "the change log is lost"},
	{Clone, fate, "REPLICA", "the mail becomes a copy of another replica's"},
	{Trim, fate, "", "the log drops what every replica has seen"},
	{Clock, fate, "SPAN", "the replica's clock is that far ahead from now on"},

	{Sync, between, "", "both ways"},
	{OneWay, between, "", "the first gives, the second gains and loses nothing (-1)"},
	{Backup, between, "", "the second becomes a mirror of the first"},

	{Level, all, "", "end of the common past: the first replica's mail is brought to all others"},
	{Sweep, all, "", "all that the topology lets meet do so, there and back"},
	{Converge, all, "", "sweeps until nothing changes; all replicas must hold the same"},
	{Tick, all, "[SPAN]", "time passes; a second if not said otherwise"},

	{Expect, expect, "", "what a replica shows, or all of them"},
	{ExpectConflicts, expect, "", "the rules by which conflicts were decided since the common past"},
	{ExpectExit, expect, "", "the exit status of the last run"},
}

func ruleOf(v Verb) *rule {
	for i := range rules {
		if rules[i].verb == v {
			return &rules[i]
		}
	}
	return nil
}

func (v Verb) is(k kind) bool {
	r := ruleOf(v)
	return r != nil && r.kind == k
}

// IsClient reports whether the verb is a client's operation at one replica.
func (v Verb) IsClient() bool { return v.is(client) }

// IsFate reports whether the verb is something that befalls one replica.
func (v Verb) IsFate() bool { return v.is(fate) }

// IsRun reports whether the verb is a run between two named replicas.
func (v Verb) IsRun() bool { return v.is(between) }

// IsExpectation reports whether the verb only looks.
func (v Verb) IsExpectation() bool { return v.is(expect) }

// Verbs lists every verb in the order of LANGUAGE.md.
func Verbs() []Verb {
	var out []Verb
	for _, r := range rules {
		out = append(out, r.verb)
	}
	return out
}

// part is one element of a form.
type part struct {
	name     string   // NAME, MESSAGE, …; "" for words
	words    []string // one of these
	optional bool     // the form may end before this
	many     bool
}

func parts(form string) (out []part) {
	for _, f := range strings.Fields(form) {
		var p part
		f, p.optional = strings.CutPrefix(f, "[")
		f = strings.TrimSuffix(f, "]")
		f, p.many = strings.CutSuffix(f, "…")
		if strings.ToUpper(f) == f {
			p.name = f
		} else {
			p.words = strings.Split(f, "|")
		}
		out = append(out, p)
	}
	return out
}

// headers are the lines that may stand between "scenario" and the first step.
var headers = []struct{ word, form, says string }{
	{"note", "TEXT", "a remark, to the end of the line"},
	{"cell", "KIND KIND", "a cell of the matrix of conflicts that the scenario is about"},
	{"date", "DATE", "of a regression: when it was found"},
	{"law", "LAW…", "the laws that it is about"},
	{"seed", "WORD", "the seed that found it"},
	{"found", "ENGINE", "the engine on which it was found"},
	{"breaks", "ENGINE LAW…", "an engine that is known to break these laws here, and must"},
	{"replicas", "REPLICA…", "the replicas, in order; A B if not said"},
	{"topology", "line|ring|star|mesh", "who meets whom in a sweep; line if not said"},
	{"mode", "fast|full|state|stale|foreign|corrupt", "how runs are asked for; fast if not said"},
	{"policy", "NAME", "by which rules runs decide; safe if not said"},
}

// runOptions are what may follow the replicas of a run.
var runOptions = []struct{ word, form, says string }{
	{"mode", "fast|full|state|stale|foreign|corrupt", "as in the header, for this run"},
	{"policy", "NAME", "as in the header, for this run"},
	{"only", "MAILBOX", "this mailbox alone (-m); may be repeated"},
	{"except", "MASK", "without the mailboxes that fit * and ? (-x); may be repeated"},
	{"since", "TIME", "of new messages only those received then or later (-t)"},
	{"before", "TIME", "of new messages only those received earlier (-e)"},
	{"cut", "N", "the connection breaks at the N-th frame"},
	{"crash", "REPLICA N", "that replica's end dies at its N-th write; all: both, at the first N-th write"},
	{"power", "WORD", "and loses part of what was not durable, drawn from this seed"},
	{"full", "REPLICA N M", "from its N-th write on, M writes of that replica find no space"},
	{"fail", "WORD", "one effect in three fails, drawn from this seed"},
	{"delay", "WORD", "steps and frames take a while, drawn from this seed"},
	{"during", "N STEP", "before the N-th moment of the run; may be repeated"},
}
