package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/progress"
)

// format is the version of every JSON line but dump's.
const format = 1

// jsonLine is one object on one line, beginning with format and kind.
func jsonLine(kind string, v any) string { return jsonLineOf(kind, "", v) }

// jsonLineOf is a line that says whose it is, unless user is "".
func jsonLineOf(kind, user string, v any) string {
	head := ""
	if user != "" {
		name, _ := json.Marshal(user) // a string is always JSON
		head = `,"user":` + string(name)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("a value that cannot be JSON: %v", err))
	}
	body := strings.TrimSpace(b.String())[1:]
	if body != "}" {
		body = "," + body
	}
	return fmt.Sprintf(`{"format":%d,"kind":%q%s%s`, format, kind, head, body) + "\n"
}

type jsonSide struct {
	Location   string `json:"location"`
	Copied     int64  `json:"copied"`
	Bytes      int64  `json:"bytes"`
	Moved      int64  `json:"moved"`
	Expunged   int64  `json:"expunged"`
	Flags      int64  `json:"flags"`
	Renumbered int64  `json:"renumbered"`
	Created    int64  `json:"created"`
	Renamed    int64  `json:"renamed"`
	Deleted    int64  `json:"deleted"`
	Subscribed int64  `json:"subscribed"`
	Attributes int64  `json:"attributes"`
}

type jsonResult struct {
	User            string   `json:"user"`
	State           *string  `json:"state"` // null: none is printed
	Exit            int      `json:"exit"`
	Equal           bool     `json:"equal"`
	Error           string   `json:"error,omitempty"`
	Near            jsonSide `json:"near"`
	Far             jsonSide `json:"far"`
	Conflicts       int      `json:"conflicts"`
	Skipped         int      `json:"skipped"`
	Again           int      `json:"again"`
	Steps           int      `json:"steps"`
	Warnings        []string `json:"warnings"`
	NamesListed     int64    `json:"names_listed"`
	EntriesCompared int64    `json:"entries_compared"`
	FilesOpened     int64    `json:"files_opened"`
	BytesRead       int64    `json:"bytes_read"`
	BytesWritten    int64    `json:"bytes_written"`
	RoundTrips      int      `json:"round_trips"`
	Duration        float64  `json:"duration"` // seconds
}

// oweLine says what is printed if the run ends before it has a report.
func (r *syncRun) oweLine(user, state string) {
	r.last.owe(func(exit int, err error) {
		rep := &engine.Report{Exit: exit, Err: err, State: state}
		_ = r.print(r.result(user, rep))
	})
}

// old is the state that was given, if it is one: what stands while nothing is done.
func (r *syncRun) old() string {
	if r.state == "auto" || argument.State(r.state) != nil {
		return ""
	}
	return r.state
}

// result is what the run prints on standard output.
func (r *syncRun) result(user string, rep *engine.Report) string {
	var b strings.Builder
	keep := r.hasState && r.state == "auto"
	if !r.json {
		for _, s := range rep.Plan {
			if r.dry {
				b.WriteString(clean(s.String()) + "\n")
			}
		}
		if !r.dry && !keep {
			b.WriteString(rep.State + "\n")
		}
		return b.String()
	}
	whose := "" // where there are several users, each line says whose it is
	if r.many() {
		whose = user
	}
	for _, c := range rep.Conflicts {
		b.WriteString(jsonLineOf("conflict", whose, c))
	}
	for _, i := range rep.Skipped {
		b.WriteString(jsonLineOf("skipped", whose, i))
	}
	for _, i := range rep.Again {
		b.WriteString(jsonLineOf("again", whose, i))
	}
	for _, s := range rep.Plan {
		b.WriteString(jsonLineOf("step", whose, s))
	}
	j := jsonResult{
		User: user, Exit: rep.Exit, Equal: rep.Equal, Near: jsonSide(rep.Sides[0]), Far: jsonSide(rep.Sides[1]),
		Conflicts: len(rep.Conflicts), Skipped: len(rep.Skipped), Again: len(rep.Again), Steps: len(rep.Plan),
		Warnings: append([]string{}, rep.Warnings...), NamesListed: rep.Cost.NamesListed,
		EntriesCompared: rep.Compared, FilesOpened: rep.Cost.FilesOpened, BytesRead: rep.Cost.BytesRead,
		BytesWritten: rep.Cost.BytesWrote, RoundTrips: rep.RoundTrips, Duration: rep.Duration.Seconds(),
	}
	if rep.Err != nil {
		j.Error = rep.Err.Error()
	}
	if !r.dry && !keep {
		j.State = &rep.State
	}
	b.WriteString(jsonLine("result", j))
	return b.String()
}

// summary is the one line of -v.
func summary(rep *engine.Report) string {
	return strings.Join(append(did(rep.Sides), byRule(rep.Conflicts), rep.Duration.Round(time.Millisecond).String()), "; ")
}

// did says what was done to each side.
func did(sides [2]engine.Side) []string {
	parts := []string{}
	for i, name := range []string{"near", "far"} {
		s := sides[i]
		did := []string{}
		for _, c := range []struct {
			n    int64
			what string
		}{
			{s.Copied, "messages copied"}, {s.Moved, "moved"}, {s.Expunged, "expunged"}, {s.Flags, "flags changed"},
			{s.Renumbered, "renumbered"}, {s.Created, "mailboxes created"}, {s.Renamed, "mailboxes renamed"},
			{s.Deleted, "mailboxes deleted"}, {s.Subscribed, "subscriptions"}, {s.Attributes, "attributes"},
		} {
			if c.n > 0 {
				did = append(did, fmt.Sprintf("%d %s", c.n, c.what))
			}
		}
		if s.Bytes > 0 {
			did = append(did, progress.Bytes(s.Bytes))
		}
		if len(did) == 0 {
			did = []string{"nothing done"}
		}
		parts = append(parts, name+": "+strings.Join(did, ", "))
	}
	return parts
}

func byRule(all []engine.Conflict) string {
	count := map[int]int{}
	for _, c := range all {
		count[c.Rule]++
	}
	return byRules(count)
}

// byRules says how many conflicts each rule decided.
func byRules(count map[int]int) string {
	if len(count) == 0 {
		return "no conflicts"
	}
	out, all := []string{}, 0
	for _, rule := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("rule %d: %d", rule, count[rule]))
		all += count[rule]
	}
	return fmt.Sprintf("%d conflicts (%s)", all, strings.Join(out, ", "))
}
