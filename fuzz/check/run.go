package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

// Options bound a search.
type Options struct {
	Kind
	Policy string // of the runs; "": safe
	// Policies finds a policy by name; nil: merge.PolicyByName.
	Policies func(string) (*merge.Policy, error)
	Seed     uint64 // of the first scenario; each has the next number
	Count    int    // scenarios at most; 0: Defaults.Count
	Law      string // only this law counts; "": every law
	Findings int    // ends after so many, each of another law; 0: 1
	Plays    int    // at most so many to make one finding smaller; 0: Defaults.Plays
	Once     bool   // each scenario is played once: P4 is not asked
	// Progress is told after each scenario; may be nil.
	Progress func(*Report)
}

// Defaults are the bounds of a search that names none.
var Defaults = Options{Count: 240, Plays: 300}

// Finding is a law that broke.
type Finding struct {
	Law      string             `json:"law"`  // or "failed": the engine itself did
	Laws     []string           `json:"laws"` // all that the small scenario breaks
	Seed     uint64             `json:"seed"`
	Engine   string             `json:"engine"`
	Text     string             `json:"text"`  // what was seen, of the small scenario
	Plays    int                `json:"plays"` // that made it small
	Unsteady bool               `json:"unsteady,omitempty"`
	Small    *scenario.Scenario `json:"-"`
	Made     *scenario.Scenario `json:"-"` // as it was generated
	Repeat   []string           `json:"repeat"`
	Scenario string             `json:"scenario"` // Small, as text
}

// Report is what a search found.
type Report struct {
	Engine   string     `json:"engine"`
	Policy   string     `json:"policy"`
	Played   int        `json:"played"`
	Skipped  int        `json:"skipped"`
	Why      string     `json:"why_skipped,omitempty"` // of one of them
	Next     uint64     `json:"next_seed"`
	Stopped  bool       `json:"stopped,omitempty"` // by its context, before Count
	Findings []*Finding `json:"findings,omitempty"`
	Coverage Coverage   `json:"-"`
	Missing  []string   `json:"cells_never_hit,omitempty"` // see Run
	Cells    int        `json:"cells_hit"`
}

// Passed reports whether nothing broke, every scenario that could be played was,
// and no cell is missing.
func (r *Report) Passed() bool { return len(r.Findings)+len(r.Missing) == 0 && r.Played > 0 }

// Run searches. It ends early, without an error, when ctx does. The cells that were
// never hit count as Missing if the search had enough scenarios for all: as many as
// there are cells.
func Run(ctx context.Context, e engine.Engine, o Options) (*Report, error) {
	if err := o.Kind.Check(); err != nil {
		return nil, err
	}
	var err error
	if o.Kind, err = o.Kind.For(e); err != nil {
		return nil, err
	}
	if o.Count == 0 {
		o.Count = Defaults.Count
	}
	if o.Plays == 0 {
		o.Plays = Defaults.Plays
	}
	r := &Report{Engine: e.Name(), Policy: o.Policy, Next: o.Seed, Coverage: Coverage{Aimed: o.Kind.Cells()}}
	for i := range o.Count {
		if r.Stopped = ctx.Err() != nil; r.Stopped {
			break
		}
		if err := r.one(ctx, e, &o, o.Seed+uint64(i)); err != nil {
			return r, err
		}
		if o.Progress != nil {
			o.Progress(r)
		}
		if len(r.Findings) >= max(o.Findings, 1) {
			break
		}
	}
	r.Cells = len(r.Coverage.Aimed) - len(r.Coverage.Missing())
	if r.Played >= len(r.Coverage.Aimed) {
		for _, c := range r.Coverage.Missing() {
			r.Missing = append(r.Missing, c[0]+" x "+c[1])
		}
	}
	return r, nil
}

// one makes, plays and judges the scenario of a seed.
func (r *Report) one(ctx context.Context, e engine.Engine, o *Options, seed uint64) error {
	s, hit, err := o.Kind.Case(seed)
	if err != nil {
		return err
	}
	r.Next = seed + 1
	res := o.play(e, s)
	if res.Skipped != "" {
		r.Skipped++
		r.Why = res.Skipped
		return nil
	}
	r.Played++
	r.Coverage.add(hit)
	law := r.news(o, res)
	if law == "" {
		return nil
	}
	r.Findings = append(r.Findings, o.shrink(ctx, e, s, res, law))
	return nil
}

// news gives the first law that broke and is none of those found.
func (r *Report) news(o *Options, res *lab.Result) string {
	for _, law := range broken(res) {
		known := slices.ContainsFunc(r.Findings, func(f *Finding) bool { return f.Law == law })
		if !known && (o.Law == "" || law == o.Law) {
			return law
		}
	}
	return ""
}

// Failed stands for a law where the engine itself failed.
const Failed = "failed"

// broken lists the laws that a play broke, the first seen first.
func broken(res *lab.Result) (out []string) {
	for _, f := range res.Broken {
		if !slices.Contains(out, f.Law) {
			out = append(out, f.Law)
		}
	}
	if res.Failed != "" {
		out = append(out, Failed)
	}
	return out
}

// play judges a scenario. The engine's own draws are the same for all, so that a
// scenario alone repeats what came of it.
func (o *Options) play(e engine.Engine, s *scenario.Scenario) *lab.Result {
	return lab.Play(e, s, lab.Options{Policy: o.Policy, Policies: o.Policies, Exchange: !o.Once})
}

// Smaller makes a finding of a scenario that breaks a law on an engine; Options as
// those of the search.
func Smaller(ctx context.Context, e engine.Engine, o Options, s *scenario.Scenario, law string) *Finding {
	if o.Plays == 0 {
		o.Plays = Defaults.Plays
	}
	return o.shrink(ctx, e, s, o.play(e, s), law)
}

// shrink makes a finding of a scenario that broke a law.
func (o *Options) shrink(ctx context.Context, e engine.Engine, s *scenario.Scenario, res *lab.Result, law string) *Finding {
	f := &Finding{Law: law, Seed: seedOf(s), Engine: e.Name(), Made: s}
	last := res
	breaks := func(less *scenario.Scenario) bool {
		// A mode that was asked for is what the search is about.
		if ctx.Err() != nil || len(o.Kind.Modes) > 0 && less.Mode != s.Mode {
			return false
		}
		var x *lab.Result
		for range sure(e) {
			f.Plays++
			if x = o.play(e, less); !slices.Contains(broken(x), law) {
				return false
			}
		}
		last = x
		return true
	}
	f.Small = Shrink(s, o.Plays, breaks)
	for range 2 {
		f.Unsteady = f.Unsteady || ctx.Err() == nil && !breaks(f.Small)
	}
	f.Laws = last.BrokenLaws()
	for _, b := range last.Broken {
		if b.Law == law {
			f.Text = b.String()
			break
		}
	}
	if law == Failed {
		f.Text = last.Failed
	}
	if cells, err := Cells(f.Small); err == nil {
		f.Small.Cells = cells
	}
	f.Scenario, f.Repeat = f.Small.String(), o.repeat(e, f)
	return f
}

// sure is how often a smaller scenario must break the law to be taken: a command's
// work hangs on the clock.
func sure(e engine.Engine) int {
	if _, outside := e.(*engine.Outside); outside {
		return 2
	}
	return 1
}

// repeat gives the options of "dsync lab test" that find it again.
func (o *Options) repeat(e engine.Engine, f *Finding) []string {
	var out []string
	if x, ok := e.(interface{ Line() string }); ok && x.Line() != "" {
		out = append(out, "--engine-cmd", x.Line())
	} else {
		out = append(out, "--engine", e.Name())
	}
	if o.Policy != "" {
		out = append(out, "--policy", o.Policy)
	}
	out = append(out, o.Kind.flags()...)
	if o.Law != "" {
		out = append(out, "--law", o.Law)
	}
	if o.Once {
		out = append(out, "--once")
	}
	return append(out, "--seed", fmt.Sprint(f.Seed), "--count", "1")
}

// Command is the line for a shell that finds it again.
func (f *Finding) Command() string {
	words := []string{"dsync lab test"}
	for _, w := range f.Repeat {
		if strings.ContainsAny(w, " '\"$%*?\\|&;<>()") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// String tells a finding: the law, the small scenario, the line that repeats it.
func (f *Finding) String() string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s\n%s", f.Text, f.Scenario)
	if f.Unsteady {
		w.WriteString("unsteady: played again, it did not break the law each time\n")
	}
	fmt.Fprintf(&w, "repeat with: %s\n", f.Command())
	return w.String()
}

// Text is the report for people.
func (r *Report) Text() string {
	var w strings.Builder
	for _, f := range r.Findings {
		w.WriteString(f.String() + "\n")
	}
	fmt.Fprintf(&w, "%s: %d scenarios, %d findings", r.Engine, r.Played, len(r.Findings))
	if r.Skipped > 0 {
		fmt.Fprintf(&w, ", %d skipped (%s)", r.Skipped, r.Why)
	}
	w.WriteString("\n" + r.Coverage.Text(r.Played >= len(r.Coverage.Aimed)))
	if r.Stopped {
		fmt.Fprintf(&w, "stopped; go on with --seed %d\n", r.Next)
	}
	return w.String()
}
