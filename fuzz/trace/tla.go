package trace

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"dsync/fuzz/scenario"
	"dsync/store"
)

// TLA writes the trace as a TLA+ module of that name; FORMAT.md has its shape.
func (t *Trace) TLA(name string) ([]byte, error) {
	if !ModuleName(name) {
		return nil, fmt.Errorf("%.60q cannot name a TLA+ module: letters, digits and _, at least one letter, none of TLA+'s own words; the file is to have the same name, NAME.tla", name)
	}
	var w strings.Builder
	bar := strings.Repeat("-", max(4, 38-len(name)/2))
	fmt.Fprintf(&w, "%s MODULE %s %s\n", bar, name, bar)
	w.WriteString(`(* A trace of mail accounts, written by "dsync lab export --format tla": what was done,  *)
(* and what each replica showed after it.                                               *)
EXTENDS Integers, Sequences, TLC

`)
	fmt.Fprintf(&w, "Scenario == %s\nEngine == %s\nPolicy == %s\n", tlaString(t.Scenario.Name), tlaString(t.Engine), tlaString(t.Policy))
	var rs []string
	for _, r := range t.Scenario.Replicas {
		rs = append(rs, tlaString(r))
	}
	fmt.Fprintf(&w, "Replicas == {%s}\n\n", strings.Join(rs, ", "))

	// Replicas that an event has not touched show what they showed before; nothing
	// is known before the first look.
	shown := map[string]int{}
	for _, r := range t.Scenario.Replicas {
		shown[r] = 1
	}
	w.WriteString("(* What replicas showed; the first is that of a replica that nobody has looked at. *)\nShown == <<\n  <<>>")
	known := map[string]int{} // places in Shown, by text
	var states []map[string]int
	for i := range t.Events {
		e := &t.Events[i]
		for _, r := range t.Scenario.Replicas {
			if l := e.Shows[r]; l != nil {
				text := tlaListing(l)
				if known[text] == 0 {
					fmt.Fprintf(&w, ",\n  %s", text)
					known[text] = len(known) + 2
				}
				shown[r] = known[text]
			}
		}
		now := map[string]int{}
		for r, k := range shown { // any order: a copy
			now[r] = k
		}
		states = append(states, now)
	}
	w.WriteString("\n>>\n\n(* What was done. *)\nTrace == <<")
	for i := range t.Events {
		if i > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(&w, "\n  %s", t.tlaEvent(&t.Events[i], states[i]))
	}
	w.WriteString(tlaSpec)
	w.WriteString(strings.Repeat("=", 2*len(bar)+len(name)+9) + "\n")
	return []byte(w.String()), nil
}

// tlaSpec steps through the trace.
const tlaSpec = `
>>

VARIABLES pos, mail

vars == <<pos, mail>>

Init == /\ pos = 0
        /\ mail = [r \in Replicas |-> <<>>]

Next == /\ pos < Len(Trace)
        /\ pos' = pos + 1
        /\ mail' = [r \in Replicas |-> Shown[Trace[pos + 1].shown[r]]]

Spec == Init /\ [][Next]_vars

(* The event that led to this state; only where pos > 0. *)
Event == Trace[pos]

`

func (t *Trace) tlaEvent(e *Event, shown map[string]int) string {
	do, at, with, verb, exit, conflicts := "", "", "", "end", "-1", "<<>>"
	if e.Do != nil {
		do, at, with, verb = firstLine(e.Do.String()), e.Do.At, e.Do.With, string(e.Do.Verb)
	}
	if e.Report != nil {
		exit = fmt.Sprint(e.Report.Exit)
		var rules []string
		for _, c := range e.Report.Conflicts {
			rules = append(rules, fmt.Sprint(c.Rule))
		}
		conflicts = "<<" + strings.Join(rules, ", ") + ">>"
	}
	var at3 []string
	for _, r := range t.Scenario.Replicas {
		at3 = append(at3, fmt.Sprintf("%s :> %d", tlaString(r), shown[r]))
	}
	var broken []string
	for _, b := range e.Broken {
		if s := tlaString(b.Law); !slices.Contains(broken, s) {
			broken = append(broken, s)
		}
	}
	return fmt.Sprintf("[step |-> %d, verb |-> %s, at |-> %s, with |-> %s, do |-> %s, ms |-> %s, exit |-> %s, conflicts |-> %s, broken |-> {%s}, shown |-> (%s)]",
		e.Step, tlaString(verb), tlaString(at), tlaString(with), tlaString(do), tlaNumber(int64(e.Time)/1e6), exit, conflicts, strings.Join(broken, ", "), strings.Join(at3, " @@ "))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// tlaListing is a sequence of mailboxes, as a client lists them.
func tlaListing(l *scenario.Listing) string {
	var boxes []string
	for _, b := range l.Mailboxes {
		var ms []string
		for _, m := range b.Messages {
			ms = append(ms, fmt.Sprintf("[uid |-> %s, name |-> %s, flags |-> %s]", tlaNumber(int64(m.UID)), tlaString(m.Name), tlaSet(m.Flags)))
		}
		boxes = append(boxes, fmt.Sprintf("[name |-> %s, noselect |-> %s, subscribed |-> %s, uidvalidity |-> %s, uidnext |-> %s, attribute |-> %s, messages |-> <<%s>>]",
			tlaString(string(b.Name)), tlaBool(b.NoSelect), tlaBool(slices.Contains(l.Subscribed, b.Name)), tlaNumber(int64(b.UIDValidity)), tlaNumber(int64(b.UIDNext)), tlaString(b.Attribute), strings.Join(ms, ", ")))
	}
	for _, n := range l.Subscribed { // names without a mailbox
		if !slices.ContainsFunc(l.Mailboxes, func(b scenario.Mailbox) bool { return b.Name == n }) {
			boxes = append(boxes, fmt.Sprintf("[name |-> %s, noselect |-> TRUE, subscribed |-> TRUE, uidvalidity |-> 0, uidnext |-> 0, attribute |-> \"\", messages |-> <<>>]", tlaString(string(n))))
		}
	}
	return "<<" + strings.Join(boxes, ", ") + ">>"
}

func tlaSet(ss []string) string {
	var out []string
	for _, s := range ss {
		if !strings.HasPrefix(s, `\`) {
			s = store.FoldKeyword(s)
		}
		out = append(out, tlaString(s))
	}
	return "{" + strings.Join(out, ", ") + "}"
}

// tlaNumber writes what TLC can hold as a number, and all above as a string.
func tlaNumber(n int64) string {
	if n > math.MaxInt32 {
		return tlaString(fmt.Sprint(n))
	}
	return fmt.Sprint(n)
}

func tlaBool(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}

// tlaString writes a string of printable ASCII; {U+00E9} stands for any other
// character, and {U+007B} for the brace itself.
func tlaString(s string) string {
	var w strings.Builder
	w.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.WriteByte('\\')
			w.WriteRune(r)
		case r < ' ' || r > '~' || r == '{':
			fmt.Fprintf(&w, "{U+%04X}", r)
		default:
			w.WriteRune(r)
		}
	}
	w.WriteByte('"')
	return w.String()
}

// reserved words of TLA+, and the names that the module and what it extends define.
var reserved = strings.Fields(`ACTION ASSUME ASSUMPTION AXIOM BY CASE CHOOSE CONSTANT CONSTANTS COROLLARY DEF DEFINE DEFS DOMAIN
	ELSE ENABLED EXCEPT EXTENDS HAVE HIDE IF IN INSTANCE LAMBDA LEMMA LET LOCAL MODULE NEW OBVIOUS OMITTED ONLY OTHER PICK PROOF
	PROPOSITION PROVE QED RECURSIVE SF_ STATE SUBSET SUFFICES TAKE TEMPORAL THEN THEOREM UNCHANGED UNION USE VARIABLE VARIABLES WF_
	WITH WITNESS BOOLEAN STRING TRUE FALSE Integers Naturals Int Sequences TLC Nat Seq Len Head Tail Append SubSeq SelectSeq
	Scenario Engine Policy Replicas Shown Trace pos mail vars Init Next Spec Event`)

// ModuleName reports whether s can name a TLA+ module.
func ModuleName(s string) bool {
	letter := false
	for _, r := range s {
		a := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		letter = letter || a
		if !a && r != '_' && !(r >= '0' && r <= '9') {
			return false
		}
	}
	return letter && len(s) <= 64 && !slices.Contains(reserved, s) && !strings.HasPrefix(s, "WF_") && !strings.HasPrefix(s, "SF_")
}

// ModuleOf makes a module's name of any text.
func ModuleOf(s string) string {
	var w strings.Builder
	for _, word := range strings.FieldsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	}) {
		w.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	name := w.String()
	if len(name) > 40 {
		name = name[:40]
	}
	if !ModuleName(name) {
		return "History" + name
	}
	return name
}
