package draw

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"dsync/fuzz/scenario"
	"dsync/fuzz/trace"
)

// picture is a history with a place for everything.
type picture struct {
	Name, Engine, Policy, Mode string
	Seed                       uint64
	Notes                      []string
	Failed                     string
	Laws                       []string // broken, each once
	Unmet                      int
	Width, Height, HeadHeight  int
	TotalHeight                int
	Lanes                      []lane
	Rows                       []*row
}

type lane struct {
	Name string
	X    int
	// Left and Wide are of the frame of the name.
	Left, Wide int
}

// row is one event, or several that are drawn as one.
type row struct {
	N      int // from 1: #step=N
	Y, H   int
	Kind   string // op, fate, run, tick, level, expect, end
	Class  string // over, renumbered, broken, unmet, quiet, cut
	X      int    // of the dot
	Middle int    // of the dot and of what is beside it
	Label  string
	LabelX int
	Why    string // rules, beside the label
	Tags   []tag  // laws
	Line   line
	// PlateX and PlateWidth are of what is behind the label of a run.
	PlateX, PlateWidth int
	Caption            string // of the runs of one step, at its first
	Panel              panel
	Squares            []int // x of lanes where an expectation was looked at
}

// line is a run, from its first replica to its second.
type line struct {
	X1, Y1, X2, Y2 int
	Back           bool   // changes go both ways
	Thick          bool   // a mirror
	Cut            bool   // it was disturbed
	Head           string // which arrowhead
	CutX, CutY     int
}

type tag struct {
	X    int
	Text string
}

// panel is what is shown of a row.
type panel struct {
	Title     string
	Time      string
	Line      int // of the scenario's text; 0: none
	Part      string
	Exit      string
	Bytes     string
	Says      string
	Conflicts []conflict
	Fates     []string // how it was overridden
	Broken    []trace.Broken
	Unmet     []string
	States    []state
}

type conflict struct {
	Rule                        int
	Mailbox, Kept, Lost, Reason string
}

// Measures, in pixels.
const (
	gutter    = 58
	charWidth = 7
	headHigh  = 44
	dotSide   = 14 // from a lane to its labels
)

// arranger places a trace row by row.
type arranger struct {
	t      *trace.Trace
	p      *picture
	fates  map[int][]fate
	shown  map[string]*scenario.Listing
	y      int
	widest int // label, in characters
	inStep int // the step whose runs are being placed
}

func arrange(t *trace.Trace) (*picture, error) {
	if len(t.Events) > MaxRows {
		return nil, fmt.Errorf("%w: %d events, at most %d", ErrTooLong, len(t.Events), MaxRows)
	}
	s := t.Scenario
	p := &picture{Name: clean(s.Name), Engine: clean(t.Engine), Policy: clean(t.Policy), Mode: string(t.Mode), Seed: t.Seed, Failed: clean(t.Failed), HeadHeight: headHigh}
	for _, n := range s.Notes {
		p.Notes = append(p.Notes, clean(n))
	}
	a := &arranger{t: t, p: p, fates: overridden(t), shown: map[string]*scenario.Listing{}, y: 8}
	for i := range t.Events {
		if e := &t.Events[i]; e.Do != nil && (e.Do.Verb.IsClient() || e.Do.Verb.IsFate()) {
			label, why := a.opLabel(i)
			a.widest = max(a.widest, utf8.RuneCountInString(label+why)+2)
		}
	}
	gap := max(a.widest, 44-8*min(len(s.Replicas), 3))*charWidth + 2*dotSide + 12
	for i, r := range s.Replicas {
		wide, x := max(28, len(r)*8+18), gutter+20+i*gap
		p.Lanes = append(p.Lanes, lane{r, x, x - wide/2, wide})
	}
	p.Width = gutter + 20 + len(s.Replicas)*gap
	for i := range t.Events {
		a.event(i, &t.Events[i])
	}
	p.Height = a.y + 12
	p.TotalHeight = p.Height + headHigh
	return p, nil
}

// longest is how many characters a label has: fewer, the more lanes there are.
func (a *arranger) longest() int { return max(26, 44-6*len(a.t.Scenario.Replicas)) }

func (a *arranger) opLabel(i int) (label, why string) {
	s := a.t.Events[i].Do
	label = cut(clean(strings.TrimPrefix(s.String(), s.At+": ")), a.longest())
	for _, f := range a.fates[i] {
		why = strings.TrimSpace(fmt.Sprintf("%s rule %d", why, f.rule))
	}
	return label, why
}

func (a *arranger) x(replica string) int {
	return a.p.Lanes[max(0, slices.Index(a.t.Scenario.Replicas, replica))].X
}

// event places one event, or leaves it to another: of level, sweep and converge the
// runs or the step are drawn.
func (a *arranger) event(i int, e *trace.Event) {
	before := map[string]*scenario.Listing{}
	for _, r := range a.t.Scenario.Replicas {
		before[r] = a.shown[r]
	}
	for r, l := range e.Shows { // any order: replicas are there once
		a.shown[r] = l
	}
	for _, b := range e.Broken {
		if !slices.Contains(a.p.Laws, b.Law) {
			a.p.Laws = append(a.p.Laws, b.Law)
		}
	}
	a.p.Unmet += len(e.Unmet)
	single := a.t.Single(e)
	of := scenario.Verb("")
	if e.Do != nil {
		of = a.t.Scenario.Steps[e.Step-1].Verb
	}
	switch {
	case of == scenario.Level && !single:
		return
	case (of == scenario.Sweep || of == scenario.Converge) && single && len(e.Broken) == 0:
		return
	}
	r := &row{N: len(a.p.Rows) + 1, Y: a.y, H: 30, Panel: a.panel(i, e, before)}
	switch {
	case e.Do == nil:
		r.Kind, r.Label = "end", "at the end"
	case e.Report != nil || e.Do.Verb.IsRun():
		a.run(r, e, before, of)
	case e.Do.Verb == scenario.Level:
		r.Kind, r.H, r.Label = "level", 36, "level: what all hold from here on"
	case e.Do.Verb == scenario.Tick:
		r.Kind, r.H, r.Label = "tick", 24, clean(e.Do.String())
	case e.Do.Verb.IsExpectation():
		a.expectation(r, e)
	case e.Do.Verb.IsClient(), e.Do.Verb.IsFate():
		a.op(r, i, e)
	default:
		r.Kind, r.Label = "end", string(e.Do.Verb)
	}
	r.Middle = r.Y + r.H/2
	if r.LabelX == 0 {
		r.LabelX = a.p.Lanes[0].X + dotSide
	}
	for _, b := range e.Broken {
		if !slices.ContainsFunc(r.Tags, func(t tag) bool { return t.Text == b.Law }) {
			r.Tags = append(r.Tags, tag{r.end() + 40*len(r.Tags), clean(b.Law)})
		}
	}
	if len(r.Tags) > 0 {
		r.Class += " broken"
		r.Line.Head = "head-broken"
	}
	a.y += r.H
	a.p.Rows = append(a.p.Rows, r)
}

// end is where the label ends.
func (r *row) end() int {
	if r.Kind == "run" {
		return r.PlateX + r.PlateWidth + 4
	}
	return r.LabelX + (utf8.RuneCountInString(r.Label+r.Why)+3)*charWidth
}

func (a *arranger) op(r *row, i int, e *trace.Event) {
	r.Kind, r.X = "op", a.x(e.Do.At)
	if e.Do.Verb.IsFate() {
		r.Kind = "fate"
	}
	r.Label, r.Why = a.opLabel(i)
	r.LabelX = r.X + dotSide
	for _, f := range a.fates[i] {
		if !f.renumber {
			r.Class = "over"
		} else if r.Class == "" {
			r.Class = "renumbered"
		}
	}
}

func (a *arranger) expectation(r *row, e *trace.Event) {
	r.Kind, r.H, r.Label = "expect", 24, clean(firstLine(e.Do.String()))
	if len(e.Unmet) > 0 {
		r.Class, r.Label = "unmet", r.Label+": not so"
	}
	for _, l := range a.p.Lanes {
		if e.Do.At == l.Name || e.Do.At == "all" {
			r.Squares = append(r.Squares, l.X)
		}
	}
	if len(r.Squares) > 0 {
		r.LabelX = r.Squares[0] + dotSide
	}
}

func (a *arranger) run(r *row, e *trace.Event, before map[string]*scenario.Listing, of scenario.Verb) {
	s := e.Do
	r.Kind, r.H = "run", 52
	mode := a.t.Mode
	text := clean(strings.TrimSpace(strings.TrimPrefix(s.String(), fmt.Sprintf("%s %s %s", s.Verb, s.At, s.With))))
	if s.Run != nil && s.Run.Mode != "" {
		mode = s.Run.Mode
		text = strings.TrimSpace(strings.TrimPrefix(text, "mode "+string(mode)))
	}
	r.Label = strings.TrimSpace(fmt.Sprintf("%s %s %s", s.Verb, mode, text))
	if e.Report != nil {
		var rules []string
		for _, c := range e.Report.Conflicts {
			if n := fmt.Sprint(c.Rule); !slices.Contains(rules, n) {
				rules = append(rules, n)
			}
		}
		if len(rules) > 0 {
			r.Why = "rule " + strings.Join(rules, ", ")
		}
		if e.Report.Exit != 0 {
			r.Label += fmt.Sprintf(" exit %d", e.Report.Exit)
		}
	}
	quiet := r.Why == "" && len(e.Broken) == 0 && !s.Run.Faulty()
	for _, n := range []string{s.At, s.With} {
		quiet = quiet && before[n] != nil && e.Shows[n] != nil && before[n].String() == e.Shows[n].String()
	}
	if quiet {
		r.H, r.Class = 34, "quiet"
	}
	if (of == scenario.Sweep || of == scenario.Converge) && a.inStep != e.Step {
		a.inStep, r.Caption = e.Step, string(of)
		r.Y += 20
		a.y += 20
	}
	x1, x2 := a.x(s.At), a.x(s.With)
	side := 7
	if x2 < x1 {
		side = -7
	}
	r.Line = line{X1: x1 + side, Y1: r.Y + 7, X2: x2 - side, Y2: r.Y + r.H - 7, Back: s.Verb == scenario.Sync, Thick: s.Verb == scenario.Backup, Head: "head"}
	if quiet {
		r.Line.Head = "head-quiet"
	}
	r.LabelX = (x1 + x2) / 2
	if n := len(a.p.Lanes); n > 2 && r.LabelX == a.p.Lanes[n/2].X { // not on a lane
		r.LabelX = (x1 + 3*x2) / 4
	}
	r.Label = cut(r.Label, max(16, max(x1-x2, x2-x1)/charWidth-6))
	r.PlateWidth = (utf8.RuneCountInString(r.Label+r.Why)+2)*charWidth + 4
	r.PlateX = r.LabelX - r.PlateWidth/2
	if s.Run.Faulty() {
		r.Class += " cut"
		l := &r.Line
		l.Cut, l.CutX, l.CutY = true, l.X1+(l.X2-l.X1)*4/5, l.Y1+(l.Y2-l.Y1)*4/5
		if s.Run.Crash == s.At {
			l.CutX, l.CutY = l.X1+(l.X2-l.X1)/5, l.Y1+(l.Y2-l.Y1)/5
		}
	}
}

// panel says all that is known of an event.
func (a *arranger) panel(i int, e *trace.Event, before map[string]*scenario.Listing) panel {
	p := panel{Title: "at the end", Time: time.Duration(e.Time).String()}
	if e.Do != nil {
		p.Title, p.Line = clean(firstLine(e.Do.String())), e.Do.Line
		if !a.t.Single(e) {
			p.Part = fmt.Sprintf("a run of step %d, %s", e.Step, a.t.Scenario.Steps[e.Step-1].Verb)
		}
	}
	for _, b := range e.Broken {
		p.Broken = append(p.Broken, trace.Broken{Law: clean(b.Law), Text: clean(b.Text)})
	}
	for _, u := range e.Unmet {
		p.Unmet = append(p.Unmet, clean(u))
	}
	if r := e.Report; r != nil {
		p.Exit, p.Says = fmt.Sprint(r.Exit), clean(r.Says)
		if r.Bytes >= 0 {
			p.Bytes = fmt.Sprint(r.Bytes)
		}
		for _, c := range r.Conflicts {
			p.Conflicts = append(p.Conflicts, conflict{c.Rule, clean(c.Mailbox), clean(c.Kept), clean(c.Lost), clean(c.Reason)})
		}
	}
	for _, f := range a.fates[i] {
		p.Fates = append(p.Fates, clean(fmt.Sprintf("rule %d, at %s: %s", f.rule, firstLine(a.t.Events[f.run].Do.String()), f.says)))
	}
	for _, r := range a.t.Scenario.Replicas {
		_, touched := e.Shows[r]
		p.States = append(p.States, compare(r, before[r], a.shown[r], touched))
	}
	return p
}

func firstLine(s string) string {
	out, _, _ := strings.Cut(s, "\n")
	return out
}
