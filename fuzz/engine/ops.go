package engine

import (
	"slices"
	"strings"

	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
	"dsync/store"
)

// Steps of scenarios as operations of fuzz/pure, which the accounts of fuzz/live
// take, too.

var verbs = map[scenario.Verb]pure.Verb{
	scenario.Deliver: pure.Append, scenario.Copy: pure.Copy, scenario.Move: pure.Move, scenario.Expunge: pure.Expunge,
	scenario.Create: pure.CreateBox, scenario.Rename: pure.RenameBox, scenario.Delete: pure.DeleteBox,
	scenario.Subscribe: pure.Subscribe, scenario.Unsubscribe: pure.Unsubscribe, scenario.Attribute: pure.SetAttr,
	scenario.UIDValidity: pure.ResetUIDs, scenario.UIDNext: pure.RaiseNext, scenario.Tick: pure.Tick,
	scenario.LoseLog: pure.LostLog, scenario.Clone: pure.Clone, scenario.Save: pure.Save, scenario.Restore: pure.Restore, scenario.Trim: pure.Trim,
}

var letters = map[string]string{`\Answered`: "A", `\Deleted`: "T", `\Draft`: "D", `\Flagged`: "F", `\Seen`: "S"}

// operations gives what a step is made of; shown is the mailbox of its message as
// the replica shows it.
func operations(set Setup, s scenario.Step, shown *scenario.Mailbox) []pure.Op {
	o := pure.Op{Verb: verbs[s.Verb], R: set.index(s.At), Path: s.Mailbox, Path2: s.To}
	switch s.Verb {
	case scenario.Deliver:
		o.Arg = s.Message
	case scenario.Attribute, scenario.UIDValidity:
		o.Arg = s.Value
	case scenario.Clone:
		o.Peer = set.index(s.With)
	}
	if s.Message != "" && s.Verb != scenario.Deliver {
		i := find(s, shown)
		if i < 0 {
			return nil
		}
		o.N = i
		if s.Verb == scenario.Flag || s.Verb == scenario.Replace {
			return changes(o, s, shown.Messages[i])
		}
	}
	return []pure.Op{o}
}

// find is the place of a step's message in its mailbox; -1 if it is not there.
func find(s scenario.Step, shown *scenario.Mailbox) int {
	if shown == nil || len(shown.Messages) == 0 {
		return -1
	}
	if n, ok := s.Position(); ok {
		return (n - 1) % len(shown.Messages)
	}
	return slices.IndexFunc(shown.Messages, func(m scenario.Message) bool { return m.Name == s.Message })
}

// changes are the single changes of flags and keywords that Flag and Replace make.
func changes(o pure.Op, s scenario.Step, m scenario.Message) (out []pure.Op) {
	cs := s.Changes
	if s.Verb == scenario.Replace {
		cs = reduce(m.Flags, s.Changes)
	}
	for _, c := range cs {
		o.Arg = c[1:]
		letter, system := letters[c[1:]]
		switch {
		case system && c[0] == '+':
			o.Verb, o.Arg = pure.Flag, letter
		case system:
			o.Verb, o.Arg = pure.Unflag, letter
		case c[0] == '+':
			o.Verb = pure.Keyword
		default:
			o.Verb = pure.Unkeyword
		}
		out = append(out, o)
	}
	return out
}

// reduce gives the changes that replacing one set by another makes.
func reduce(old, to []string) (out []string) {
	has := func(set []string, f string) bool {
		return slices.ContainsFunc(set, func(x string) bool { return store.FoldKeyword(x) == store.FoldKeyword(f) })
	}
	for _, f := range old {
		if !has(to, f) {
			out = append(out, "-"+f)
		}
	}
	for _, f := range to {
		if !has(old, f) {
			out = append(out, "+"+f)
		}
	}
	return out
}

// mailbox finds the mailbox of a step in a listing; nil if it is not there.
func mailbox(l *scenario.Listing, n store.Name) *scenario.Mailbox {
	for i := range l.Mailboxes {
		if l.Mailboxes[i].Name == n && !l.Mailboxes[i].NoSelect {
			return &l.Mailboxes[i]
		}
	}
	return nil
}

// Steps turns operations of fuzz/pure into steps, so that its generators write
// scenarios. Messages are named by their place.
func Steps(ops []pure.Op, replicas []string) []scenario.Step {
	var out []scenario.Step
	for _, o := range ops {
		if o.R < len(replicas) && o.Peer < len(replicas) {
			out = append(out, step(o, replicas)...)
		}
	}
	return out
}

func step(o pure.Op, replicas []string) []scenario.Step {
	s := scenario.Step{At: replicas[o.R], Mailbox: o.Path}
	for v, p := range verbs { // any order: verbs have one operation each
		if p == o.Verb {
			s.Verb = v
		}
	}
	place := func() {
		if s.Message = o.Msg; s.Message == "" {
			s.Message = "#" + decimal(o.N+1)
		}
	}
	switch o.Verb {
	case pure.Append:
		s.Message = o.Arg
	case pure.Copy, pure.Move:
		s.To = o.Path2
		place()
	case pure.RenameBox:
		s.To = o.Path2
	case pure.Expunge:
		place()
	case pure.Flag, pure.Unflag, pure.Keyword, pure.Unkeyword:
		s.Verb = scenario.Flag
		place()
		s.Changes = []string{change(o)}
	case pure.SetAttr, pure.ResetUIDs:
		s.Value = o.Arg
	case pure.Tick:
		return []scenario.Step{{Verb: scenario.Tick}}
	case pure.Clone:
		if o.R == o.Peer {
			return nil
		}
		s.With = replicas[o.Peer]
	case pure.Skew:
		span := scenario.Span(0)
		if span.UnmarshalText([]byte(o.Arg+"s")) != nil || span == 0 {
			return nil
		}
		s.Verb, s.Span = scenario.Clock, span
	case pure.SyncWhole, pure.SyncBox, pure.OneWay, pure.Backup, pure.Half, pure.Partly, pure.SyncSince, pure.Limited:
		return runStep(o, replicas)
	}
	if s.Verb == "" {
		return nil
	}
	if !s.Verb.IsClient() {
		s.Mailbox = ""
	}
	return []scenario.Step{s}
}

func change(o pure.Op) string {
	sign := "+"
	if o.Verb == pure.Unflag || o.Verb == pure.Unkeyword {
		sign = "-"
	}
	if o.Verb == pure.Flag || o.Verb == pure.Unflag {
		for name, letter := range letters { // any order: letters have one name each
			if letter == o.Arg {
				return sign + name
			}
		}
	}
	return sign + o.Arg
}

// runStep turns a run into a step. SyncSince asks for even contents, which the
// language cannot say: it becomes a whole run.
func runStep(o pure.Op, replicas []string) []scenario.Step {
	if o.R == o.Peer {
		return nil
	}
	s := scenario.Step{Verb: scenario.Sync, At: replicas[o.R], With: replicas[o.Peer]}
	switch o.Verb {
	case pure.SyncBox:
		s.Run = &scenario.Run{Only: []store.Name{o.Path}}
	case pure.OneWay:
		s.Verb = scenario.OneWay
	case pure.Backup:
		s.Verb = scenario.Backup
	case pure.Half:
		s.Run = &scenario.Run{Crash: s.At, CrashAt: 1}
	case pure.Partly:
		s.Run = &scenario.Run{Fail: strings.TrimSpace("s" + o.Arg)}
	case pure.Limited:
		s.Run = &scenario.Run{}
		for _, l := range strings.Split(o.Arg, ",") {
			switch what, arg, _ := strings.Cut(l, ":"); {
			case what == "m":
				s.Run.Only = append(s.Run.Only, store.Name(arg))
			case what == "x":
				s.Run.Except = append(s.Run.Except, arg)
			case l == "1":
				s.Verb = scenario.OneWay
			case l == "backup":
				s.Verb = scenario.Backup
			default: // what the language cannot say: the run is left out
				return nil
			}
		}
	}
	return []scenario.Step{s}
}

// limits are the limits of a run as fuzz/pure has them; "" if it has no such.
func limits(s scenario.Step) string {
	r := s.Run
	if r.Faulty() || r.Since != 0 || r.Before != 0 {
		return ""
	}
	var out []string
	for _, n := range r.Only {
		out = append(out, "m:"+string(n))
	}
	for _, mask := range r.Except {
		if strings.ContainsAny(strings.TrimSuffix(mask, "*"), "*?") {
			return ""
		}
		out = append(out, "x:"+mask)
	}
	switch s.Verb {
	case scenario.OneWay:
		out = append(out, "1")
	case scenario.Backup:
		out = append(out, "backup")
	}
	if all := strings.Join(out, ","); strings.Count(all, ",") == len(out)-1 { // no name has one
		return all
	}
	return ""
}
