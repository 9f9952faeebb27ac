package lab

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
	"dsync/store"
)

// Candidate is one column of a comparison: an engine under a policy.
type Candidate struct {
	Engine engine.Engine
	Policy string // "": the scenario's
}

func (c Candidate) name() string {
	if c.Policy == "" {
		return c.Engine.Name()
	}
	return c.Engine.Name() + "/" + c.Policy
}

// Comparison is one scenario, played by each candidate.
type Comparison struct {
	Name    string    `json:"scenario"`
	Columns []string  `json:"columns"`
	Results []*Result `json:"results"`
}

// Compare plays a scenario on each candidate. What the scenario expects is not
// compared with what comes: the columns are compared with each other.
func Compare(cs []Candidate, s *scenario.Scenario, opt Options) *Comparison {
	out := &Comparison{Name: s.Name}
	for _, c := range cs {
		o := opt
		if c.Policy != "" {
			o.Policy = c.Policy
		}
		out.Columns = append(out.Columns, c.name())
		out.Results = append(out.Results, Play(c.Engine, s, o))
	}
	return out
}

// Text is the comparison for people: final mailboxes, laws broken, metrics, a
// column for each candidate. Metrics that are 0 everywhere are left out.
func (c *Comparison) Text() string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s\n", c.Name)
	w.WriteString(SideBySide(c.Columns, c.finals()))
	rows := [][]string{append([]string{""}, c.Columns...)}
	add := func(name string, cell func(*Result) string) {
		row, blank := []string{name}, true
		for _, r := range c.Results {
			v := cell(r)
			blank = blank && (v == "0" || v == "")
			row = append(row, v)
		}
		if !blank {
			rows = append(rows, row)
		}
	}
	add("laws broken", func(r *Result) string {
		switch {
		case r.Skipped != "":
			return "skipped"
		case r.Failed != "":
			return "failed"
		case len(r.Broken) == 0:
			return "-"
		}
		return strings.Join(r.BrokenLaws(), " ")
	})
	for i, col := range (&Metrics{}).Columns() {
		add(col.Name, func(r *Result) string { return r.metric(i) })
	}
	w.WriteString("\n" + columns(rows, nil))
	for i, r := range c.Results {
		if why := r.Skipped + r.Failed; why != "" {
			fmt.Fprintf(&w, "  %s: %s\n", c.Columns[i], why)
		}
		for _, f := range r.Broken {
			fmt.Fprintf(&w, "  %s: %s\n", c.Columns[i], f)
		}
	}
	return w.String()
}

// metric is one cell; "" where nothing was measured.
func (r *Result) metric(i int) string {
	if r.Skipped != "" || r.Failed != "" {
		return ""
	}
	v := r.Metrics.Columns()[i].Value
	if v < 0 {
		return "?"
	}
	return fmt.Sprint(v)
}

// finals are the last listings: those of the first replica, or of all where they
// differ.
func (c *Comparison) finals() []*scenario.Listing {
	var out []*scenario.Listing
	for _, r := range c.Results {
		out = append(out, r.final())
	}
	return out
}

// final is what all show in the end; where they differ, each mailbox is called by
// its replica too.
func (r *Result) final() *scenario.Listing {
	var first *scenario.Listing
	equal := true
	for _, name := range r.Scenario.Replicas {
		l := r.Final[name]
		switch {
		case l == nil:
			return nil
		case first == nil:
			first = l
		default:
			equal = equal && first.Plain().String() == l.Plain().String()
		}
	}
	if equal {
		return first
	}
	out := &scenario.Listing{}
	for _, name := range r.Scenario.Replicas {
		for _, b := range r.Final[name].Plain().Mailboxes {
			b.Name += store.Name("@" + name)
			out.Mailboxes = append(out.Mailboxes, b)
		}
	}
	return out
}

// Summary adds up comparisons: for each column how many scenarios broke each law,
// and the sums of the metrics.
func Summary(cs []*Comparison) string {
	if len(cs) == 0 {
		return ""
	}
	names := cs[0].Columns
	laws := map[string][]int{}
	sums := make([]Metrics, len(names))
	played, skipped := make([]int, len(names)), make([]int, len(names))
	for _, c := range cs {
		for i, r := range c.Results {
			if r.Skipped != "" || r.Failed != "" {
				skipped[i]++
				continue
			}
			played[i]++
			sums[i].Add(&r.Metrics)
			for _, l := range r.BrokenLaws() {
				if laws[l] == nil {
					laws[l] = make([]int, len(names))
				}
				laws[l][i]++
			}
		}
	}
	rows := [][]string{append([]string{"all scenarios"}, names...), cells("played", played), cells("skipped or failed", skipped)}
	var order []string
	for l := range laws {
		order = append(order, l)
	}
	slices.SortFunc(order, compareLaws)
	for _, l := range order {
		rows = append(rows, cells("broke "+l, laws[l]))
	}
	for i, col := range sums[0].Columns() {
		row := []string{col.Name}
		for j := range sums {
			v := sums[j].Columns()[i].Value
			row = append(row, map[bool]string{true: "?", false: fmt.Sprint(v)}[v < 0])
		}
		rows = append(rows, row)
	}
	return columns(rows, nil)
}

func cells(name string, ns []int) []string {
	out := []string{name}
	for _, n := range ns {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

// CSV writes the head, and one line for each scenario and candidate.
func CSV(cs ...*Comparison) string {
	head := []string{"scenario", "engine", "policy", "result", "laws broken"}
	for _, col := range (&Metrics{}).Columns() {
		head = append(head, col.Name)
	}
	out := csvLine(head)
	for _, x := range cs {
		for _, r := range x.Results {
			out += r.CSV(r.outcome())
		}
	}
	return out
}

// CSV is the line of one scenario on one engine, below the head of the function CSV;
// result is one word for what came of it.
func (r *Result) CSV(result string) string {
	row := []string{r.Name, r.Engine, r.Policy, result, strings.Join(r.BrokenLaws(), " ")}
	for i := range (&Metrics{}).Columns() {
		row = append(row, r.metric(i))
	}
	return csvLine(row)
}

func csvLine(row []string) string {
	var w strings.Builder
	c := csv.NewWriter(&w)
	c.Write(row)
	c.Flush()
	return w.String()
}

// outcome is one word of a comparison's line.
func (r *Result) outcome() string {
	switch {
	case r.Skipped != "":
		return "skipped"
	case r.Failed != "":
		return "failed"
	}
	return "played"
}
