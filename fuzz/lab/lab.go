// Package lab plays scenarios on engines and judges what comes of it.
//
// # Contract
//
//   - Play runs one scenario on one engine, and gives a Result: the laws that were
//     broken, the expectations that were not met, what all replicas show in the
//     end, and Metrics.
//   - The judge sees what a client sees, before and after each run, and nothing
//     else; so every engine is judged alike. It keeps, for each register (a flag of
//     a message, its place, a subscription, …), the writes that count, by the two
//     sentences of conflicts.md: a write that one side has and the other lacks is
//     new if the other has not seen it, else it was removed there.
//   - What cannot be told by looking is not judged: messages that share a name are
//     counted, no more.
//   - Everything is repeated by the scenario's text, the engine's name, the policy
//     and the seed.
package lab

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dsync/changelog/logdb"
	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

// Laws that are judged by looking, with what they say.
var Laws = []struct{ Law, Says string }{
	{"P1", "after a whole run both sides show the same"},
	{"P2", "a run with nothing to do changes nothing"},
	{"P3", "exit status 0 only if both sides show the same"},
	{"P4", "with the sides of the runs exchanged all show the same in the end; asked where the header names P4, and by lab test"},
	{"P6", "a message that nobody removed after having seen it is there"},
	{"P7", "a change of a flag stands, unless another change of it was concurrent"},
	{"P8", "what was removed does not come back"},
	{"P9", "no run makes copies"},
	{"P10", "under one UIDVALIDITY a UID never names another message, and UIDNEXT never falls"},
	{"P16", "INBOX exists, and no two mailboxes are one"},
	{"P17", "once every change had a path to every replica, all show the same"},
	{"P19", "after a backup the destination is as the source, which is untouched"},
	{"P20", "-1 takes nothing from the destination, and leaves the source alone"},
	{"P22", "a move, a mailbox, a name, a subscription, an attribute that nobody else changed arrives"},
	{"P26", "what a filter leaves out is untouched"},
}

// Options say how scenarios are played.
type Options struct {
	Policy string        // instead of the scenario's; "": the scenario's
	Mode   scenario.Mode // the same
	Seed   uint64        // 0: the scenario's, if that is a number
	// Exchange asks P4 of every scenario, not only of those whose header names it.
	Exchange bool
	// Policies finds a policy by name; nil: merge.PolicyByName.
	Policies func(string) (*merge.Policy, error)
	// Watch is told everything that happens, in order; nil: nobody is. It costs a
	// look at the replica after each step.
	Watch func(*Event)
	// Told, if not nil, takes the report of each run that is judged.
	Told func(scenario.Step, engine.Report)
	// Pebble and Log are those of engine.Setup.
	Pebble bool
	Log    func(*logdb.Options)
}

// Finding is a law that was broken.
type Finding struct {
	Law  string `json:"law"`
	Step string `json:"step"` // after which it was seen
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

func (f Finding) String() string {
	at := f.Step
	if f.Line > 0 {
		at = fmt.Sprintf("line %d, %s", f.Line, f.Step)
	}
	return fmt.Sprintf("%s broken at %s: %s", f.Law, at, f.Text)
}

// Difference is an expectation that was not met.
type Difference struct {
	Step    scenario.Step     `json:"step"`
	Replica string            `json:"replica,omitempty"`
	Want    *scenario.Listing `json:"want,omitempty"`
	Got     *scenario.Listing `json:"got,omitempty"`
	Text    string            `json:"text,omitempty"` // of conflicts and exit statuses
}

// Result is what came of one scenario on one engine.
type Result struct {
	Scenario    *scenario.Scenario           `json:"-"`
	Name        string                       `json:"scenario"`
	Engine      string                       `json:"engine"`
	Policy      string                       `json:"policy"`
	Skipped     string                       `json:"skipped,omitempty"` // why
	Failed      string                       `json:"failed,omitempty"`  // of the engine itself
	Broken      []Finding                    `json:"broken,omitempty"`
	Differences []Difference                 `json:"differences,omitempty"`
	Final       map[string]*scenario.Listing `json:"final,omitempty"`
	Metrics     Metrics                      `json:"metrics"`
	// Trace is a hash of all that happened, where the engine has one.
	Trace uint64 `json:"-"`
	Pass  bool   `json:"pass"`
	// Edits make the scenario expect what came.
	Edits []scenario.Edit `json:"-"`
}

// BrokenLaws lists the broken laws, each once, in order.
func (r *Result) BrokenLaws() []string {
	var out []string
	for _, f := range r.Broken {
		if !slices.Contains(out, f.Law) {
			out = append(out, f.Law)
		}
	}
	slices.SortFunc(out, compareLaws)
	return out
}

// compareLaws orders P2 before P10.
func compareLaws(a, b string) int {
	if len(a) != len(b) && strings.HasPrefix(a, "P") && strings.HasPrefix(b, "P") {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// player is one scenario under way.
type player struct {
	s       *scenario.Scenario
	e       engine.Engine
	w       engine.World
	j       *judge
	res     *Result
	opt     Options
	mode    scenario.Mode // of runs that name none
	rules   []int         // of conflicts, since the common past
	mute    bool          // the engine reports no conflicts
	exit    int
	runs    int
	skewed  bool
	breaks  []string                    // laws that the engine must break; nil: none
	at      int                         // the step under way
	told    struct{ broken, unmet int } // how many of each Watch was told
	touched map[string]map[string]bool  // registers that clients wrote since the last look, by replica
}

// Play plays one scenario on one engine.
func Play(e engine.Engine, s *scenario.Scenario, opt Options) *Result {
	res := &Result{Scenario: s, Name: s.Name, Engine: e.Name(), Final: map[string]*scenario.Listing{}}
	p := &player{s: s, e: e, res: res, opt: opt, mode: s.Mode, exit: -1}
	if opt.Mode != "" {
		p.mode = opt.Mode
	}
	if n, err := strconv.ParseUint(s.Seed, 10, 64); err == nil && opt.Seed == 0 {
		p.opt.Seed = n
	}
	res.Policy = s.Policy
	if opt.Policy != "" {
		res.Policy = opt.Policy
	}
	if res.Policy == "" {
		res.Policy = merge.Safe.Name
	}
	for _, b := range s.Breaks {
		if b.Engine == e.Name() {
			p.breaks = b.Laws
		}
	}
	switch err := p.play(); {
	case errors.Is(err, engine.ErrUnsupported):
		res.Skipped = err.Error()
	case err != nil:
		res.Failed = err.Error()
	}
	if opt.Exchange || slices.Contains(s.Laws, "P4") {
		p.exchange()
	}
	p.verdict()
	return res
}

// verdict says whether the scenario passed. On an engine that is known to break
// laws here it passes if it breaks those.
func (p *player) verdict() {
	r := p.res
	laws := r.BrokenLaws()
	switch {
	case r.Failed != "" || r.Skipped != "":
	case p.breaks != nil:
		want := slices.Clone(p.breaks)
		slices.SortFunc(want, compareLaws)
		r.Pass = slices.Equal(laws, want)
		if !r.Pass {
			r.Differences = append(r.Differences, Difference{Text: fmt.Sprintf("the scenario says that %s breaks %s; it broke %s", r.Engine, list(want), list(laws))})
		}
	default:
		r.Pass = len(laws) == 0 && len(r.Differences) == 0
	}
}

func list(words []string) string {
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, " ")
}

func (p *player) play() error {
	find := p.opt.Policies
	if find == nil {
		find = merge.PolicyByName
	}
	policy, err := find(p.res.Policy)
	if err != nil {
		return err
	}
	p.w, err = p.e.Start(engine.Setup{Replicas: p.s.Replicas, Policy: policy, Mode: p.mode, Seed: p.opt.Seed, Policies: find, Pebble: p.opt.Pebble, Log: p.opt.Log})
	if err != nil {
		return err
	}
	p.j = newJudge(p.s.Replicas, &p.res.Metrics)
	defer func() { err = errors.Join(err, p.w.Close()) }()
	for i, s := range p.s.Steps {
		p.at = i
		if err = p.step(s); err != nil {
			return err
		}
		if !s.Verb.IsRun() && !s.Verb.IsClient() && !s.Verb.IsFate() {
			p.tell(s, nil, nil)
		}
	}
	p.at = len(p.s.Steps)
	if err = p.end(); err != nil {
		return err
	}
	if len(p.res.Broken) > p.told.broken {
		p.tell(scenario.Step{Verb: scenario.Converge}, nil, nil)
	}
	return nil
}

// end takes what all show, and the laws that an engine judges at the end.
func (p *player) end() error {
	if f, ok := p.w.(interface{ Final() []string }); ok {
		p.broken(scenario.Step{Verb: scenario.Converge}, f.Final())
	}
	if f, ok := p.w.(interface{ Trace() uint64 }); ok {
		p.res.Trace = f.Trace()
	}
	for _, r := range p.s.Replicas {
		l, err := p.w.List(r)
		if err != nil {
			return err
		}
		p.res.Final[r] = l
	}
	return nil
}

// broken takes findings written as "P6: text".
func (p *player) broken(s scenario.Step, texts []string) {
	for _, t := range texts {
		law, text := lawOf(t)
		p.res.Broken = append(p.res.Broken, Finding{Law: law, Step: s.String(), Line: s.Line, Text: text})
	}
}

// lawOf parts the law from a finding; fuzz/pure says P19/P20 where either may be
// meant.
func lawOf(text string) (law, rest string) {
	law, rest, ok := strings.Cut(text, ": ")
	law, _, _ = strings.Cut(law, "/")
	if !ok || len(law) > 3 || !strings.HasPrefix(law, "P") {
		return "P0", text
	}
	return law, rest
}

func (p *player) step(s scenario.Step) error {
	switch s.Verb {
	case scenario.Sync, scenario.OneWay, scenario.Backup:
		return p.sync(s)
	case scenario.Level:
		return p.level(s)
	case scenario.Sweep:
		_, err := p.sweep(s)
		return err
	case scenario.Converge:
		return p.converge(s)
	case scenario.Expect, scenario.ExpectConflicts, scenario.ExpectExit:
		return p.expect(s)
	}
	switch s.Verb {
	case scenario.Damage, scenario.Restore, scenario.LoseLog, scenario.Clone:
		return p.befall(s)
	}
	if err := p.hidden(s); err != nil {
		return err
	}
	return p.do(s)
}

func (p *player) do(s scenario.Step) error {
	if err := p.w.Do(s); err != nil {
		return fmt.Errorf("line %d, %s: %w", s.Line, s, err)
	}
	if p.opt.Watch == nil || s.Verb == scenario.Tick {
		return nil
	}
	l, err := p.w.List(s.At)
	if err != nil {
		return fmt.Errorf("line %d, list %s: %w", s.Line, s.At, err)
	}
	p.tell(s, nil, map[string]*scenario.Listing{s.At: l})
	return nil
}

// befall takes what is there before and after a replica lost something.
func (p *player) befall(s scenario.Step) error {
	r := p.index(s.At)
	for _, act := range []func() error{
		func() error { return nil },
		func() error {
			p.j.befall(r)
			p.j.older[r] = p.j.older[r] || s.Verb == scenario.Restore && s.Value == "mail"
			return p.do(s)
		},
	} {
		if err := act(); err != nil {
			return err
		}
		l, err := p.w.List(s.At)
		if err != nil {
			return fmt.Errorf("line %d, list %s: %w", s.Line, s.At, err)
		}
		p.j.look(r, l)
	}
	return nil
}

func (p *player) index(replica string) int { return slices.Index(p.s.Replicas, replica) }

// sync makes a run and judges it.
func (p *player) sync(s scenario.Step) error {
	a, b := p.index(s.At), p.index(s.With)
	var before, after [2]*scenario.Listing
	var err error
	for i, r := range []string{s.At, s.With} {
		if before[i], err = p.w.List(r); err != nil {
			return fmt.Errorf("list %s before line %d, %s: %w", r, s.Line, s, err)
		}
	}
	rep, err := p.w.Sync(s)
	if err != nil {
		return fmt.Errorf("line %d, %s: %w", s.Line, s, err)
	}
	for i, r := range []string{s.At, s.With} {
		if after[i], err = p.w.List(r); err != nil {
			return fmt.Errorf("list %s after line %d, %s: %w", r, s.Line, s, err)
		}
	}
	delete(p.touched, s.At)
	delete(p.touched, s.With)
	if p.opt.Told != nil {
		p.opt.Told(s, rep)
	}
	p.exit = rep.Exit
	p.runs++
	p.mute = p.mute || !rep.Known
	for _, c := range rep.Conflicts {
		p.rules = append(p.rules, c.Rule)
	}
	p.broken(s, rep.Broken)
	p.broken(s, p.j.run(s, [2]int{a, b}, before, after, rep))
	p.tell(s, &rep, map[string]*scenario.Listing{s.At: after[0], s.With: after[1]})
	return nil
}

// level brings the first replica's mail to all others: the common past. What the
// runs do on the way is not judged, but they must do it.
func (p *player) level(s scenario.Step) error {
	first := p.s.Replicas[0]
	var want *scenario.Listing
	for round := range 2 {
		for _, r := range p.s.Replicas[1:] {
			run := scenario.Step{Line: s.Line, Verb: scenario.Sync, At: first, With: r}
			rep, err := p.w.Sync(run)
			if err == nil {
				err = p.tellRun(run, rep)
			}
			if err != nil {
				return fmt.Errorf("line %d, level %s and %s: %w", s.Line, first, r, err)
			}
		}
		for i, r := range p.s.Replicas {
			l, err := p.w.List(r)
			if err != nil {
				return fmt.Errorf("line %d, level: list %s: %w", s.Line, r, err)
			}
			if i == 0 {
				want = l
			}
			if d := same(want, l); d != "" && round == 1 {
				p.broken(s, []string{fmt.Sprintf("P1: the common past is not common: %s and %s differ: %s", first, r, d)})
			}
		}
	}
	p.rules, p.res.Metrics = nil, Metrics{}
	p.j, p.touched = newJudge(p.s.Replicas, &p.res.Metrics), nil
	for i, r := range p.s.Replicas {
		l, err := p.w.List(r)
		if err != nil {
			return err
		}
		p.j.common(i, l)
	}
	// A later second than the past's: what stamps are made of.
	return p.w.Do(scenario.Step{Verb: scenario.Tick})
}
