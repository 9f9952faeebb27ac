package lab

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"dsync/fuzz/scenario"
)

// Text is what came of the scenario, for people: one line if it passed, else what
// was broken and how expectation and result differ, side by side.
func (r *Result) Text() string {
	var w strings.Builder
	fmt.Fprintf(&w, "%-4s %s: %s", r.Word(), r.Engine, r.Name)
	switch {
	case r.Skipped != "":
		fmt.Fprintf(&w, " (%s)", r.Skipped)
	case r.Pass && len(r.Broken) > 0:
		fmt.Fprintf(&w, " (breaks %s, as it says)", strings.Join(r.BrokenLaws(), " "))
	}
	w.WriteByte('\n')
	if r.Pass || r.Skipped != "" {
		return w.String()
	}
	if r.Failed != "" {
		fmt.Fprintf(&w, "     the engine failed: %s\n", r.Failed)
	}
	for _, f := range r.Broken {
		fmt.Fprintf(&w, "     %s\n", f)
	}
	for _, d := range r.Differences {
		w.WriteString(indent(d.text(), "     "))
	}
	return w.String()
}

// Word is pass, FAIL or skip.
func (r *Result) Word() string {
	switch {
	case r.Skipped != "":
		return "skip"
	case r.Pass:
		return "pass"
	}
	return "FAIL"
}

// String says how it differs: expected and shown listing side by side, or a line.
func (d Difference) String() string { return strings.TrimRight(d.text(), "\n") }

func (d Difference) text() string {
	at := ""
	if d.Step.Line > 0 {
		at = fmt.Sprintf("line %d: ", d.Step.Line)
	}
	if d.Want == nil {
		return at + d.Text + "\n"
	}
	return fmt.Sprintf("%sexpect %s\n", at, d.Step.At) + SideBySide([]string{"expected", d.Replica + " shows"}, []*scenario.Listing{d.Want.Plain(), d.Got})
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by) + "\n"
}

// SideBySide prints listings as columns, a line for each mailbox; a line on which
// they differ begins with a bar.
func SideBySide(heads []string, ls []*scenario.Listing) string {
	var keys []string
	cells := make([]map[string]string, len(ls))
	for i, l := range ls {
		cells[i] = map[string]string{}
		if l == nil {
			continue
		}
		for _, row := range l.Plain().Rows() {
			key, _, _ := strings.Cut(row, " ")
			if strings.HasPrefix(row, `"`) {
				key = row[:strings.Index(row[1:], `"`)+2]
			}
			if key == "subscribed" {
				key = "~" // after all mailboxes
			}
			cells[i][key] = row
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, compareKeys)
	rows := [][]string{heads}
	marks := []bool{false}
	for _, k := range keys {
		row, differ := make([]string, len(ls)), false
		for i := range ls {
			row[i] = cells[i][k]
			differ = differ || row[i] != row[0]
		}
		rows, marks = append(rows, row), append(marks, differ)
	}
	return columns(rows, marks)
}

// compareKeys puts INBOX first and the subscriptions last.
func compareKeys(a, b string) int {
	rank := func(k string) int {
		switch k {
		case "INBOX":
			return 0
		case "~":
			return 2
		}
		return 1
	}
	if rank(a) != rank(b) {
		return rank(a) - rank(b)
	}
	return strings.Compare(a, b)
}

// columns lines up rows; the first is the head. Marked ones begin with a bar.
func columns(rows [][]string, marks []bool) string {
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var w strings.Builder
	for n, r := range rows {
		line := "  "
		if marks != nil && marks[n] {
			line = "| "
		}
		for i, c := range r {
			line += c + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2)
		}
		w.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return w.String()
}
