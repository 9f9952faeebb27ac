package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dsync/store"
)

// complaint is what is wrong with a part of a scenario; word is the one that it is
// about, if any, index its place after the first word of a header.
type complaint struct {
	reason string
	word   string
	index  int
}

func complain(word, format string, args ...any) *complaint {
	return &complaint{reason: fmt.Sprintf(format, args...), word: word}
}

// plainWord reports whether s can stand as a word of a header without quotes.
func plainWord(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-/:()", r)) {
			return false
		}
	}
	return true
}

func badNote(s string) string {
	if s == "" || len(s) > maxWord || !utf8.ValidString(s) || strings.TrimSpace(s) != s || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Sprintf("a note is one line of 1 to %d bytes of UTF-8 without control characters", maxWord)
	}
	return ""
}

// checkHeader looks at one header.
func (s *Scenario) checkHeader(key string) *complaint {
	words := func(ws ...string) *complaint {
		for i, w := range ws {
			if !plainWord(w) {
				return &complaint{reason: fmt.Sprintf("%.40q: only letters, digits and ._+-/:() may stand here", w), index: i}
			}
		}
		return nil
	}
	switch key {
	case "cell":
		c := s.Cells[len(s.Cells)-1]
		return words(c[:]...)
	case "date":
		if _, err := time.Parse(time.DateOnly, s.Date); err != nil {
			return complain("", "%.40q is no date such as 2026-01-31", s.Date)
		}
	case "law":
		return words(s.Laws...)
	case "seed":
		return words(s.Seed)
	case "found":
		return words(s.Found)
	case "breaks":
		b := s.Breaks[len(s.Breaks)-1]
		return words(append([]string{b.Engine}, b.Laws...)...)
	case "replicas":
		return s.checkReplicas()
	case "topology":
		if !slices.Contains([]Topology{Line, Ring, Star, Mesh}, s.Topology) {
			return complain("", "unknown topology %.40q; known are line, ring, star, mesh", string(s.Topology))
		}
	case "mode":
		return checkMode(s.Mode)
	case "policy":
		return words(s.Policy)
	}
	return nil
}

func (s *Scenario) checkReplicas() *complaint {
	if len(s.Replicas) < 2 || len(s.Replicas) > maxReplicas {
		return complain("", "%d replicas; want 2 to %d", len(s.Replicas), maxReplicas)
	}
	for i, r := range s.Replicas {
		if !replicaName(r) || slices.Contains(s.Replicas[:i], r) {
			return &complaint{reason: fmt.Sprintf("%.40q cannot name a replica here: a letter, then letters, digits, _ and -, each name once", r), index: i}
		}
	}
	return nil
}

func checkMode(m Mode) *complaint {
	if !slices.Contains(Modes(), m) {
		return complain(string(m), "unknown mode %.40q; known are fast, full, state, stale, foreign, corrupt", string(m))
	}
	return nil
}

func (s *Scenario) has(replica string) *complaint {
	if !slices.Contains(s.Replicas, replica) {
		return complain(replica, "unknown replica %.40q; known are %s", replica, strings.Join(s.Replicas, ", "))
	}
	return nil
}

// first gives the first complaint there is.
func first(cs ...*complaint) *complaint {
	for _, c := range cs {
		if c != nil {
			return c
		}
	}
	return nil
}

// checkStep looks at one step: that every field the verb uses is there and right,
// and no other.
func (s *Scenario) checkStep(t *Step) *complaint {
	r := ruleOf(t.Verb)
	if r == nil {
		return complain("", "unknown verb %.40q; known are %s", string(t.Verb), known(client, fate, between, all, expect))
	}
	want := Step{Line: t.Line, Verb: t.Verb}
	var bad *complaint
	switch r.kind {
	case client, fate:
		want.At = t.At
		bad = s.has(t.At)
	case between:
		want.At, want.With, want.Run = t.At, t.With, t.Run
		bad = first(s.has(t.At), s.has(t.With), s.checkRun(t.Run))
		if bad == nil && t.At == t.With {
			bad = complain(t.With, "a run needs two replicas")
		}
	case expect:
		want.At, want.Shows, want.Numbers = t.At, t.Shows, t.Numbers
		bad = s.checkExpect(t)
	}
	if bad != nil {
		return bad
	}
	for _, f := range parts(r.form) {
		if bad := s.checkPart(t, f, &want); bad != nil {
			return bad
		}
	}
	if !want.equal(t) {
		return complain("", "%s has a field that it does not use", t.Verb)
	}
	return nil
}

// checkPart looks at one field of a step, and takes it over into want.
func (s *Scenario) checkPart(t *Step, f part, want *Step) *complaint {
	switch f.name {
	case "NAME":
		want.Message = t.Message
		if !content(t.Message) {
			return complain(t.Message, "%.40q cannot name a message: small letters, digits, - and _, at most one / (before it the GUID)", t.Message)
		}
	case "MESSAGE":
		want.Message = t.Message
		if _, ok := position(t.Message); !ok && !content(t.Message) {
			return complain(t.Message, "%.40q is no message: the name of its content, or #1 for the first of the mailbox", t.Message)
		}
	case "MAILBOX", "OTHER":
		n := t.Mailbox
		if f.name == "OTHER" {
			n = t.To
			want.To = n
		} else {
			want.Mailbox = n
		}
		if err := n.Check(); err != nil {
			return complain(string(n), "%v", err)
		}
	case "REPLICA":
		want.With = t.With
		if t.With == t.At {
			return complain(t.With, "%s cannot be a copy of itself", t.At)
		}
		return s.has(t.With)
	case "TEXT":
		want.Value = t.Value
		if len(t.Value) > maxWord || !utf8.ValidString(t.Value) || t.Value == "" {
			return complain(t.Value, "want 1 to %d bytes of UTF-8", maxWord)
		}
	case "TIME":
		want.Received = t.Received
	case "SPAN":
		want.Span = t.Span
		if max(t.Span, -t.Span) > Span(maxSpan) || t.Verb == Tick && t.Span < 0 || t.Verb == Clock && t.Span == 0 {
			return complain("", "the span of %s is out of range", t.Verb)
		}
	case "CHANGE", "FLAG":
		want.Changes = t.Changes
		return checkChanges(t.Changes, f.name == "CHANGE")
	default:
		if len(f.words) > 1 {
			want.Value = t.Value
			if !slices.Contains(f.words, t.Value) && !(f.optional && t.Value == "") {
				return complain(t.Value, "%.40q where %s is wanted", t.Value, strings.Join(f.words, " or "))
			}
		}
	}
	return nil
}

func checkChanges(cs []string, signed bool) *complaint {
	if signed && len(cs) == 0 {
		return complain("", `want changes such as +\Seen or -work`)
	}
	seen := map[string]bool{}
	for _, c := range cs {
		f := c
		if signed {
			if f == "" || f[0] != '+' && f[0] != '-' {
				return complain(c, `%.40q: want + or - before the flag, such as +\Seen or -work`, c)
			}
			f = f[1:]
		}
		if reason := badFlag(f); reason != "" {
			return complain(c, "%s", reason)
		}
		if k := store.FoldKeyword(f); seen[k] {
			return complain(c, "%s stands there twice", f)
		} else {
			seen[k] = true
		}
	}
	return nil
}

// badFlag says why f is neither a system flag nor a keyword.
func badFlag(f string) string {
	if strings.HasPrefix(f, `\`) {
		flag, ok := store.ParseFlag(f)
		if !ok || flag.Names()[0] != f {
			return fmt.Sprintf(`%.40q is no system flag; known are \Answered, \Deleted, \Draft, \Flagged, \Seen`, f)
		}
		return ""
	}
	if err := store.CheckKeyword(f); err != nil {
		return err.Error()
	}
	if strings.ContainsAny(f, `"[]{}|`) || f[0] == '#' || f[0] == '+' || f[0] == '-' {
		return fmt.Sprintf("%.40q: a keyword has none of \"[]{}| here, and does not begin with #, + or -", f)
	}
	return ""
}

func (s *Scenario) checkRun(r *Run) *complaint {
	if r == nil {
		return nil
	}
	if r.Mode != "" {
		if bad := checkMode(r.Mode); bad != nil {
			return bad
		}
	}
	if r.Policy != "" && !plainWord(r.Policy) {
		return complain(r.Policy, "%.40q cannot name a policy", r.Policy)
	}
	for _, n := range r.Only {
		if err := n.Check(); err != nil {
			return complain(string(n), "%v", err)
		}
	}
	for _, m := range r.Except {
		if m == "" || len(m) > maxWord || !utf8.ValidString(m) {
			return complain(m, "%.40q is no mask", m)
		}
	}
	if bad := s.checkFaults(r); bad != nil {
		return bad
	}
	if r.empty() {
		return complain("", "a run without options has none")
	}
	return nil
}

// checkFaults looks at how a run is disturbed.
func (s *Scenario) checkFaults(r *Run) *complaint {
	for _, name := range []string{r.Crash, r.Full} {
		if name != "" && name != AllReplicas {
			if bad := s.has(name); bad != nil {
				return bad
			}
		}
	}
	if r.Full == AllReplicas {
		return complain(r.Full, "the disk of one replica is full at a time")
	}
	if r.Cut < 0 || r.Cut > MaxMoment || (r.Crash != "") != (r.CrashAt > 0) || (r.Full != "") != (r.FullAt > 0) || (r.Full != "") != (r.FullFor > 0) {
		return complain("", "frames and writes are counted from 1")
	}
	if r.Power != "" && r.Crash == "" {
		return complain("power", "power says what a crash loses, and there is no crash")
	}
	for _, seed := range []string{r.Power, r.Fail, r.Delay} {
		if seed != "" && !plainWord(seed) {
			return complain(seed, "%.40q cannot be a seed", seed)
		}
	}
	if len(r.During) > maxDuring {
		return complain("during", "%d steps in the middle of a run, at most %d", len(r.During), maxDuring)
	}
	for i := range r.During {
		m := &r.During[i]
		if m.At < 1 || m.At > MaxMoment {
			return complain("during", "the moments of a run are counted from 1")
		}
		if v := m.Step.Verb; !v.IsClient() && !v.IsRun() && v != Clock || m.Step.Run.Faulty() {
			return complain("during", "%s cannot be in the middle of a run: what a client does, clock, and runs without faults can", v)
		}
		if bad := s.checkStep(&m.Step); bad != nil {
			return complain("during", "%s", bad.reason)
		}
	}
	return nil
}

func (s *Scenario) checkExpect(t *Step) *complaint {
	if t.Verb != Expect {
		if t.Shows != nil || t.At != "" {
			return complain("", "%s is followed by numbers alone", t.Verb)
		}
		if t.Verb == ExpectExit && len(t.Numbers) == 0 {
			return complain("", "want: expect exit STATUS…")
		}
		if slices.ContainsFunc(t.Numbers, func(n int) bool { return n < 0 || n > 1<<20 }) {
			return complain("", "a number is out of range")
		}
		return nil
	}
	if t.Shows == nil || len(t.Numbers) > 0 {
		return complain("", "expect needs a listing")
	}
	if t.At != AllReplicas {
		if bad := s.has(t.At); bad != nil {
			return bad
		}
	}
	for _, b := range t.Shows.Mailboxes {
		if err := b.Name.Check(); err != nil {
			return complain(string(b.Name), "%v", err)
		}
		if b.GUID != "" || b.UIDValidity != 0 || b.UIDNext != 0 || len(b.Attribute) > maxWord || !utf8.ValidString(b.Attribute) {
			return complain("", "an expectation has names, attributes and messages alone")
		}
		for _, m := range b.Messages {
			if again, reason := message(m.String()); reason != "" || !slices.Equal(again.Flags, m.Flags) || m.GUID != "" || m.Received != 0 || m.Size != 0 {
				return complain("", "message %.60q cannot be expected", m.String())
			}
		}
	}
	for _, n := range t.Shows.Subscribed {
		if err := n.Check(); err != nil {
			return complain(string(n), "%v", err)
		}
	}
	return nil
}
