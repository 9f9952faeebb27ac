package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"dsync/merge"
)

// TableOptions are the bounds of the table in DESIGN.md.
var TableOptions = Options{Pairs: 300, Histories: 42, Sessions: 15, Seed: 1}

// Table is policy × law for reports made under one set of options, as Markdown.
func Table(reports []*Report) string {
	var w strings.Builder
	rows := [][]string{{"law"}}
	for _, r := range reports {
		rows[0] = append(rows[0], r.Policy)
	}
	for _, l := range Laws {
		row := []string{l.Name}
		for _, r := range reports {
			row = append(row, r.Of(l.ID).Word())
		}
		rows = append(rows, row)
	}
	// A policy a line: there are more laws than fit side by side, but their names
	// are short.
	rows = turned(rows)
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range rows {
		for j, cell := range row {
			fmt.Fprintf(&w, "| %-*s ", width[j], cell)
		}
		w.WriteString("|\n")
		if i == 0 {
			for _, n := range width {
				w.WriteString("|" + strings.Repeat("-", n+2))
			}
			w.WriteString("|\n")
		}
	}
	if len(reports) > 0 {
		r := reports[0]
		fmt.Fprintf(&w, "\n%d pairs of histories, %d random histories and %d in whole sessions for each policy, seed %d. \"rule N\":\n"+
			"broken as worded, by a rule that the report of the run names, as the law allows.\n", r.Pairs, r.Histories, r.Sessions, r.Seed)
	}
	w.WriteString(examples(reports))
	return w.String()
}

// turned exchanges rows and columns.
func turned(rows [][]string) [][]string {
	out := make([][]string, len(rows[0]))
	for i := range out {
		for _, row := range rows {
			out[i] = append(out[i], row[i])
		}
	}
	return out
}

// examples lists the shortest history for each law that is broken.
func examples(reports []*Report) string {
	var w strings.Builder
	for _, r := range reports {
		for _, v := range r.Broken() {
			fmt.Fprintf(&w, "- %s, %s: `%s` (%s)\n", r.Policy, v.Name, v.History, v.Repeat)
		}
	}
	if w.Len() == 0 {
		return ""
	}
	return "\nThe shortest history found for each that is broken:\n\n" + w.String()
}

// CheckAll checks the built-in policies, two at a time.
func CheckAll(o Options) []*Report {
	ps := merge.Policies()
	out := make([]*Report, len(ps))
	next, done := make(chan int), make(chan bool)
	for range workers {
		go func() {
			for i := range next {
				out[i] = Check(ps[i], o)
			}
			done <- true
		}()
	}
	for i := range ps {
		next <- i
	}
	close(next)
	for range workers {
		<-done
	}
	return out
}

const workers = 2

// Text is a report for people.
func (r *Report) Text() string {
	var w strings.Builder
	fmt.Fprintf(&w, "policy %s: %d pairs of histories, %d random histories, %d in whole sessions, seed %d\n", r.ID, r.Pairs, r.Histories, r.Sessions, r.Seed)
	if r.Control {
		w.WriteString("which side started makes a difference: a negative control, for tests\n")
	}
	for _, v := range r.Verdicts {
		fmt.Fprintf(&w, "%-14s %-8s %s\n", v.Name, v.Word(), v.Says)
		if v.Broken {
			fmt.Fprintf(&w, "    %s\n    found as %s\n", v.History, v.Repeat)
			for _, l := range strings.Split(v.Why, "\n") {
				w.WriteString("      " + l + "\n")
			}
		}
	}
	return w.String()
}
