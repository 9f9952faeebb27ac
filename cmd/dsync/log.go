package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/engine"
)

func runLog(ctx context.Context, p *program, c *call) (int, error) {
	r, err := startLook(p, c)
	if err != nil {
		return 0, err
	}
	names, err := r.wanted()
	if err != nil {
		return 0, err
	}
	if names != nil && len(names) == 0 {
		return 0, engine.Fail(engine.ExitNoMailbox, errors.New("no mailbox fits -m "+strings.Join(r.mailboxes, ", ")))
	}
	o := r.logOptions(0, names)
	o.Headers = r.verbose || r.debug
	if r.since != "" {
		if o.Since, err = argument.Date(r.since, p.now()); err != nil {
			return 0, usagef("--since: %w", err)
		}
	}
	out := &spool{}
	defer out.Close()
	err = p.calls.log(ctx, o, func(l engine.LogLine) error {
		line := clean(logText(l)) + "\n"
		if r.json {
			l.Time, l.Made = l.Time.UTC(), l.Made.UTC()
			line = jsonLine("event", l)
		}
		_, err := out.Write([]byte(line))
		return err
	})
	if err != nil {
		return 0, tooLate(ctx, err)
	}
	return engine.ExitOK, p.printSpool(out)
}

// logText is one entry for people.
func logText(l engine.LogLine) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s %s %s", l.Time.UTC().Format(time.RFC3339), l.Dot, l.Event)
	if l.Mailbox != "" {
		fmt.Fprintf(&w, " %q", string(l.Mailbox))
	}
	if l.To != "" {
		fmt.Fprintf(&w, " -> %q", string(l.To))
	}
	if l.UID != 0 {
		fmt.Fprintf(&w, " uid %d", l.UID)
	}
	if l.GUID != "" {
		w.WriteString(" " + string(l.GUID))
	}
	if l.What != "" {
		w.WriteString(" " + l.What)
	}
	if l.Origin != "" && l.Origin != "here" {
		w.WriteString(", from " + l.Origin)
	}
	if !l.Made.IsZero() {
		w.WriteString(", made " + l.Made.UTC().Format(time.RFC3339))
	}
	if l.Cause != "" {
		w.WriteString(", after " + l.Cause)
	}
	if l.Overrode != nil {
		w.WriteString("; " + l.Overrode.String())
	}
	if l.Subject != "" || l.From != "" {
		fmt.Fprintf(&w, "; subject %q from %q", l.Subject, l.From)
	}
	return w.String()
}
