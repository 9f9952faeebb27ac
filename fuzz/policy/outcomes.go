package policy

import (
	"fmt"
	"slices"
	"strings"

	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

// MaxOutcomes bounds how many combinations of choices are played for one scenario.
const MaxOutcomes = 4096

// End is one end that a scenario may have, and who comes to it.
type End struct {
	Final    map[string]*scenario.Listing `json:"final"`
	Policies []string                     `json:"policies,omitempty"` // built-in ones
	// Choices are those that lead here, besides safe's, where no built-in policy
	// does: the fewest found.
	Choices []string `json:"choices,omitempty"`
	// By are all combinations of the choices that matter which lead here, each of
	// safe's other choices: "rule = choice | choice; rule = …".
	By []string `json:"by,omitempty"`
	// Breaks are the laws that the judge of fuzz/lab, who knows no policy, sees broken.
	Breaks []string `json:"breaks,omitempty"`
	key    string
	combos [][]string // of the choices that matter, a column each
}

// Outcomes are all ends that the choices of Rules admit for a scenario, without the
// negative controls.
type Outcomes struct {
	Scenario string `json:"scenario"`
	// Rules are the choices that matter here; the others change nothing.
	Rules  []string `json:"rules"`
	Played int      `json:"played"`
	// Cut says that there were more combinations than MaxOutcomes.
	Cut     bool   `json:"cut,omitempty"`
	Ends    []*End `json:"ends"`
	Skipped string `json:"skipped,omitempty"` // why the pure merge cannot play it
}

// outcomes is the search under way.
type outcomes struct {
	s    *scenario.Scenario
	out  *Outcomes
	seen map[string]*End // by canonical policy
}

// OutcomesOf plays a scenario on the pure merge under every choice that matters to
// it. The scenario's own policies, of the whole and of single runs, count as well as
// none: the one that is tried takes the place of all.
func OutcomesOf(s *scenario.Scenario) *Outcomes {
	x := &outcomes{s: s, out: &Outcomes{Scenario: s.Name}, seen: map[string]*End{}}
	var lawful []*merge.Policy
	for _, p := range merge.Policies() {
		end := x.play(p)
		if end == nil {
			return x.out
		}
		end.Policies = append(end.Policies, p.Name)
		if !p.Control() {
			lawful = append(lawful, p)
		}
	}
	rules := x.relevant(lawful)
	x.product(rules, *merge.Safe, nil, nil)
	for _, e := range x.out.Ends {
		e.By = waysTo(rules, e.combos)
	}
	slices.SortStableFunc(x.out.Ends, func(a, b *End) int { return len(b.Policies) - len(a.Policies) })
	return x.out
}

// play gives the end under a policy; nil if the scenario cannot be played.
func (x *outcomes) play(p *merge.Policy) *End {
	id := p.Canonical()
	if e := x.seen[id]; e != nil {
		return e
	}
	find := func(string) (*merge.Policy, error) { return p, nil }
	r := lab.Play(engine.Pure{}, x.s, lab.Options{Policy: p.Name, Policies: find})
	if why := r.Skipped + r.Failed; why != "" {
		x.out.Skipped = why
		return nil
	}
	x.out.Played++
	var key strings.Builder
	for _, name := range x.s.Replicas {
		fmt.Fprintf(&key, "%s\n%v\n", name, r.Final[name])
	}
	i := slices.IndexFunc(x.out.Ends, func(e *End) bool { return e.key == key.String() })
	if i < 0 {
		i = len(x.out.Ends)
		x.out.Ends = append(x.out.Ends, &End{Final: r.Final, key: key.String(), Breaks: r.BrokenLaws()})
	}
	x.seen[id] = x.out.Ends[i]
	return x.out.Ends[i]
}

// matters is a rule with the choices that may make a difference.
type matters struct {
	*merge.Rule
	choices []string
}

// relevant finds the rules of which some choice changes the end under some policy.
// A choice that ends as another one does under all of them is left out.
func (x *outcomes) relevant(bases []*merge.Policy) (out []matters) {
	for _, r := range merge.Rules() {
		m := matters{Rule: r}
		var ends [][]*End
		for _, c := range r.Choices {
			var es []*End
			for _, base := range bases {
				p := *base
				if r.Set(&p, c.Name); p.Control() {
					break
				}
				es = append(es, x.play(&p))
			}
			if len(es) < len(bases) || slices.ContainsFunc(ends, func(o []*End) bool { return slices.Equal(o, es) }) {
				continue
			}
			ends = append(ends, es)
			m.choices = append(m.choices, c.Name)
		}
		if len(m.choices) > 1 {
			out = append(out, m)
			x.out.Rules = append(x.out.Rules, r.Key)
		}
	}
	return out
}

// product plays every combination of the choices that matter, and notes the fewest
// that lead to each end.
func (x *outcomes) product(rules []matters, p merge.Policy, chosen, combo []string) {
	if len(rules) == 0 {
		end := x.play(&p)
		if end != nil && len(end.Policies) == 0 && (end.Choices == nil || len(chosen) < len(end.Choices)) {
			end.Choices = slices.Clone(chosen)
		}
		if end != nil && len(combo) > 0 {
			end.combos = append(end.combos, combo)
		}
		return
	}
	r := rules[0]
	for _, c := range r.choices {
		if x.out.Played >= MaxOutcomes {
			x.out.Cut = true
			return
		}
		q, more := p, chosen
		if r.Of(&q) != c {
			r.Set(&q, c)
			more = append(slices.Clone(chosen), r.Key+" = "+c)
		}
		x.product(rules[1:], q, more, append(slices.Clone(combo), c))
	}
}

// waysTo writes combinations of choices: as one line if they are all that can be made
// of some choices of each rule, else a line for each.
func waysTo(rules []matters, combos [][]string) (out []string) {
	if len(combos) == 0 {
		return nil
	}
	some := make([][]string, len(rules))
	all := 1
	for i := range rules {
		for _, c := range combos {
			if !slices.Contains(some[i], c[i]) {
				some[i] = append(some[i], c[i])
			}
		}
		all *= len(some[i])
	}
	line := func(choices func(i int) string) string {
		var parts []string
		for i, r := range rules {
			if c := choices(i); c != "" {
				parts = append(parts, r.Key+" = "+c)
			}
		}
		return strings.Join(parts, "; ")
	}
	if all == len(combos) {
		return []string{line(func(i int) string {
			if len(some[i]) == len(rules[i].choices) {
				return "" // any
			}
			return strings.Join(some[i], " | ")
		})}
	}
	for _, c := range combos {
		out = append(out, line(func(i int) string { return c[i] }))
	}
	return out
}

// Text is what came, for people.
func (o *Outcomes) Text() string {
	var w strings.Builder
	if o.Skipped != "" {
		fmt.Fprintf(&w, "%s: cannot be played on the pure merge: %s\n", o.Scenario, o.Skipped)
		return w.String()
	}
	matter := "no choice matters"
	if len(o.Rules) > 0 {
		matter = "what matters: " + strings.Join(o.Rules, ", ")
	}
	fmt.Fprintf(&w, "%s: %d ends under %d policies; %s\n", o.Scenario, len(o.Ends), o.Played, matter)
	if o.Cut {
		fmt.Fprintf(&w, "there are more combinations of choices than the %d that were tried\n", MaxOutcomes)
	}
	for i, e := range o.Ends {
		by := strings.Join(e.Policies, ", ")
		if by == "" {
			by = "like safe, but " + strings.Join(e.Choices, ", ")
		}
		fmt.Fprintf(&w, "\n%d. %s\n", i+1, by)
		for i, way := range e.By {
			if i == maxWays {
				fmt.Fprintf(&w, "   … and %d combinations more\n", len(e.By)-i)
				break
			}
			w.WriteString("   by " + way + "\n")
		}
		if len(e.Breaks) > 0 {
			fmt.Fprintf(&w, "   breaks %s\n", strings.Join(e.Breaks, " "))
		}
		w.WriteString(e.text())
	}
	return w.String()
}

// maxWays is how many combinations of choices are printed for an end.
const maxWays = 6

// text lists the mailboxes once for all replicas that show the same.
func (e *End) text() string {
	var w strings.Builder
	var shown []string
	names := map[string][]string{}
	var keys []string
	for n := range e.Final {
		keys = append(keys, n)
	}
	slices.Sort(keys)
	for _, n := range keys {
		text := e.Final[n].String()
		if !slices.Contains(shown, text) {
			shown = append(shown, text)
		}
		names[text] = append(names[text], n)
	}
	for _, text := range shown {
		fmt.Fprintf(&w, "   %s:\n", strings.Join(names[text], ", "))
		for _, l := range strings.Split(text, "\n") {
			w.WriteString("     " + l + "\n")
		}
	}
	return w.String()
}
