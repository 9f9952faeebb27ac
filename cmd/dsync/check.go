package main

import (
	"context"
	"fmt"
	"strings"

	"dsync/cmd/internal/engine"
)

// jsonChecked is the last line of check --json.
type jsonChecked struct {
	Exit     int `json:"exit"`
	Findings int `json:"findings"`
	Repaired int `json:"repaired"`
}

func runCheck(ctx context.Context, p *program, c *call) (int, error) {
	r, err := startLook(p, c)
	if err != nil {
		return 0, err
	}
	o := r.logOptions(0, nil)
	rep := p.calls.check(ctx, engine.CheckOptions{
		User: o.User, Location: o.Location, As: o.As, ChangeLog: o.ChangeLog, Notice: o.Notice,
		Repair: r.repair, LockWait: lockWait(r.values, r.set),
	})
	if rep.Err != nil {
		return 0, engine.Fail(rep.Exit, rep.Err)
	}
	var out strings.Builder
	end := jsonChecked{Exit: rep.Exit, Findings: len(rep.Findings)}
	for _, f := range rep.Findings {
		if f.Repaired {
			end.Repaired++
		}
		if r.json {
			out.WriteString(jsonLine("finding", f))
		} else {
			out.WriteString(clean(findingText(f)) + "\n")
		}
	}
	if r.json {
		out.WriteString(jsonLine("result", end))
	}
	return rep.Exit, p.print(out.String())
}

func findingText(f engine.Finding) string {
	out := f.What
	if f.GUID != "" {
		out = string(f.GUID) + ": " + out
	}
	if f.Mailbox != "" {
		out = fmt.Sprintf("%q: %s", string(f.Mailbox), out)
	}
	if f.Repaired {
		out += " (repaired)"
	}
	return out
}
