// Package policy says which laws a policy keeps.
//
// # Contract
//
//   - Check runs a policy through histories on the pure merge: pairs of short
//     histories, one at each side of a run, the shortest first; then random
//     histories of two to four replicas with every kind of run between. Then random
//     histories in whole sessions, with real logs, on accounts in memory (live.Trial).
//     It gives a verdict on each law of Laws.
//   - A law that is broken has a counterexample: a history in the notation of
//     fuzz/pure, shortened until no operation can be left out. The other laws are
//     asked all the same.
//   - A law that says "except by a named rule" (P6, P8) is told apart: excused, with
//     the rule that the report named.
//   - The report depends on the policy's choices and the Options alone. "Kept" means
//     that so many histories broke nothing, not that none can.
package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"dsync/fuzz/live"
	"dsync/fuzz/pure"
	"dsync/merge"
)

// Law is one law that is asked.
type Law struct {
	ID   string `json:"id"`   // as errors of fuzz/pure have it
	Name string `json:"name"` // as tables have it
	Says string `json:"says"`
}

// Laws are those that are asked of policies. The first five are P24; P3, P11, P13 to
// P15 and P23 are asked in whole sessions, the others of the pure merge, P1, P2, P6,
// P10 and P17 of both.
var Laws = []Law{
	{"panic", "total", "every merge ends with a result"},
	{"P5", "deterministic", "the same input gives the same bytes, in whatever order it lies"},
	{"P4", "symmetric", "exchanged sides, or another starter, give the same"},
	{"P24-closed", "closed", "a merge makes no write: the result is made of what the sides held"},
	{"P18", "associative", "three replicas come to the same in whatever order they meet"},
	{"P1", "P1", "after a whole run both sides show the same"},
	{"P2", "P2", "a second run changes nothing"},
	{"P3", "P3", "a run says equal if and only if both sides show the same"},
	{"P6", "P6", "a message that nobody expunged after having seen it is there"},
	{"P8", "P8", "what was expunged does not come back"},
	{"P9", "P9", "no run makes copies"},
	{"P10", "P10", "a UID never names another message, UIDNEXT never falls"},
	{"P11", "P11", "the log's modseqs rise, and what vanished is listed"},
	{"P12", "P12", "trimming the log changes no result"},
	{"P13", "P13", "with any state, stale, foreign or unreadable, all ends as without"},
	{"P14", "P14", "a run that stops at any write and is made again ends as without"},
	{"P15", "P15", "changes in the midst of a run: none is lost or doubled, and the next run makes all level"},
	{"P16", "P16", "the mailbox tree is sound"},
	{"P17", "P17", "once every change had a path to every replica, all show the same"},
	{"P19", "P19", "backup makes the destination equal in one run"},
	{"P20", "P20", "-1 takes nothing from the destination"},
	{"P21", "P21", "independent events commute"},
	{"P22", "P22", "what does not conflict arrives"},
	{"P23", "P23", "no body comes that is there; a run with nothing to do compares nothing"},
	{"P25", "P7, P25", "every change stands, or the report names what overrode it"},
	{"P26", "P26", "what a filter leaves out is untouched"},
}

// Options bound a check.
type Options struct {
	Pairs     int    // pairs of short histories
	Histories int    // random histories on the pure merge
	Sessions  int    // random histories in whole sessions
	Seed      uint64 // of the random ones, and of the order of pairs of one length
	First     bool   // stop at the first law that breaks, with its history as it is
	// Progress is told now and then how far the check has come; may be nil.
	Progress func(done, all int)
}

// Defaults are the bounds of "dsync lab policy check" and of the table.
var Defaults = Options{Pairs: 1000, Histories: 700, Sessions: 150, Seed: 1}

// Verdict is what the check says of one law.
type Verdict struct {
	Law
	// Broken laws have the shortest history found and what went wrong.
	Broken  bool   `json:"broken"`
	History string `json:"history,omitempty"`
	Why     string `json:"why,omitempty"`
	Repeat  string `json:"repeat,omitempty"` // the case, for the same options
	// Excused is the number of the rule that the report named where the law allows
	// for it; 0: none was needed.
	Excused int `json:"excused,omitempty"`
}

// Word is the verdict in one word.
func (v *Verdict) Word() string {
	switch {
	case v.Broken:
		return "broken"
	case v.Excused != 0:
		return fmt.Sprintf("rule %d", v.Excused)
	}
	return "kept"
}

// Report is what became of one policy.
type Report struct {
	Policy    string    `json:"policy"`
	ID        string    `json:"id"`
	Control   bool      `json:"control,omitempty"` // a negative control: laws should break
	Pairs     int       `json:"pairs"`
	Histories int       `json:"histories"`
	Sessions  int       `json:"sessions"`
	Seed      uint64    `json:"seed"`
	Verdicts  []Verdict `json:"laws"`
}

// Broken lists the laws that the policy breaks.
func (r *Report) Broken() (out []Verdict) {
	for _, v := range r.Verdicts {
		if v.Broken {
			out = append(out, v)
		}
	}
	return out
}

// Of gives the verdict on a law.
func (r *Report) Of(id string) *Verdict {
	i := slices.IndexFunc(r.Verdicts, func(v Verdict) bool { return v.ID == id })
	if i < 0 {
		return nil
	}
	return &r.Verdicts[i]
}

// checker is one check under way.
type checker struct {
	p      *merge.Policy
	rep    *Report
	o      Options
	done   int
	broken map[string]bool
}

// Check runs the policy through the histories that the options allow.
func Check(p *merge.Policy, o Options) *Report {
	c := &checker{p: p, o: o, broken: map[string]bool{}, rep: &Report{Policy: p.Name, ID: p.ID(), Control: p.Control(), Seed: o.Seed}}
	for _, l := range Laws {
		c.rep.Verdicts = append(c.rep.Verdicts, Verdict{Law: l})
	}
	stop := func() bool { return o.First && len(c.broken) > 0 }
	for i, h := range pairs(o.Pairs, o.Seed) {
		if stop() {
			return c.rep
		}
		c.try(tried{pair, i}, h)
		c.rep.Pairs++
	}
	for i := 0; i < o.Histories && !stop(); i++ {
		rng := rand.New(rand.NewPCG(o.Seed, uint64(i)))
		c.try(tried{history, i}, kinds[i%len(kinds)].Generate(rng))
		c.rep.Histories++
	}
	for i := 0; i < o.Sessions && !stop(); i++ {
		rng := rand.New(rand.NewPCG(o.Seed, uint64(i)+1<<32))
		c.try(tried{sessions, i}, live.Unique(sessionKinds[i%len(sessionKinds)].Generate(rng)))
		c.rep.Sessions++
	}
	return c.rep
}

// kinds are the histories that take turns.
var kinds = []pure.Kind{
	{Replicas: 2, Ops: 14},               // two
	{Replicas: 3, Ops: 18},               // three
	{Replicas: 3, Ops: 18, Tree: true},   // tree of three
	{Replicas: 4, Ops: 22},               // four
	{Replicas: 3, Ops: 18, Parts: true},  // parts
	{Replicas: 2, Ops: 14, Direct: true}, // one way
	{Replicas: 2, Ops: 16, Logs: 1},      // lost logs
}

// sessionKinds are those of whole sessions.
var sessionKinds = []pure.Kind{
	{Replicas: 2, Ops: 12},             // two
	{Replicas: 2, Ops: 12, Tree: true}, // tree of two
	{Replicas: 3, Ops: 14},             // three
}

// tried names a case of a check: which of pairs, histories or sessions.
type tried struct {
	what string
	n    int
}

const pair, history, sessions = "pair", "history", "sessions"

func (t tried) String() string { return fmt.Sprintf("%s %d", t.what, t.n) }

// ask makes the way in which a case is tried: it asks the laws that mute does not
// name.
func (c *checker) ask(t tried, excused map[string]int, mute func(string) bool) func([]pure.Op) error {
	seed := uint64(t.n)
	if t.what == sessions {
		k := sessionKinds[t.n%len(sessionKinds)]
		return live.Trial{Replicas: k.Replicas, Policy: c.p, Seed: c.o.Seed<<16 + seed, Mute: mute, Excused: excused}.Try
	}
	k := pure.Kind{Replicas: 2}
	if t.what == history {
		k = kinds[t.n%len(kinds)]
	}
	k.Policy, k.Mute, k.Excused = c.p, mute, excused
	if k.Logs > 0 {
		k.Excused = nil // what a lost log costs is no choice
	}
	return func(ops []pure.Op) error {
		err := k.Try(ops)
		if k.Parts || k.Direct || k.Logs > 0 {
			return err
		}
		if err == nil && !mute("P12") {
			err = k.CheckTrimmed(ops)
		}
		if err == nil && !mute("P21") {
			err = k.CheckCommutes(ops, seed)
		}
		return err
	}
}

// try runs one history, again for each law that it breaks.
func (c *checker) try(t tried, ops []pure.Op) {
	excused := map[string]int{}
	run := c.ask(t, excused, func(law string) bool { return c.broken[law] })
	for {
		err := run(ops)
		law := pure.LawOf(err)
		if law == "" || c.broken[law] {
			break
		}
		c.found(t, ops, law)
		if c.o.First {
			break
		}
	}
	for law, rule := range excused { // any order: a law each
		if v := c.rep.Of(law); v.Excused == 0 {
			v.Excused = rule
		}
	}
	c.done++
	if c.o.Progress != nil && c.done%50 == 0 {
		c.o.Progress(c.done, c.o.Pairs+c.o.Histories+c.o.Sessions)
	}
}

// found notes a law that broke, with the history shortened. While it is, no other
// law is asked.
func (c *checker) found(t tried, ops []pure.Op, law string) {
	c.broken[law] = true
	only := c.ask(t, nil, func(l string) bool { return l != law })
	small := ops
	if !c.o.First {
		small = pure.Shrink(ops, only)
	}
	v := c.rep.Of(law)
	if v == nil {
		c.rep.Verdicts = append(c.rep.Verdicts, Verdict{Law: Law{ID: law, Name: law}})
		v = &c.rep.Verdicts[len(c.rep.Verdicts)-1]
	}
	v.Broken, v.History, v.Repeat = true, pure.History(small), t.String()
	if err := only(small); err != nil {
		v.Why = strings.TrimSpace(err.Error())
	}
}
