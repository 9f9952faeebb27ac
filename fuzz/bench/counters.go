package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// counters are what dsync says of its own work with --json.
type counters struct {
	NamesListed     *int64 `json:"names_listed"`
	EntriesCompared *int64 `json:"entries_compared"`
	FilesOpened     *int64 `json:"files_opened"`
	state           string
}

// parseCounters reads the lines of --json; a later value counts more than an
// earlier one.
func parseCounters(stdout string) (counters, error) {
	var c counters
	for _, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
		var row struct {
			counters
			State *string `json:"state"`
		}
		row.counters = c
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			return c, fmt.Errorf("line %.100q of --json: %w", line, err)
		}
		if row.State != nil {
			row.counters.state = *row.State
		}
		c = row.counters
	}
	if c.NamesListed == nil || c.EntriesCompared == nil || c.FilesOpened == nil {
		return c, errors.New("--json did not name names_listed, entries_compared and files_opened")
	}
	return c, nil
}

// count makes an extra run of dsync with --json on the pair of the section.
func (b *bench) count(s *section, change bool) error {
	for _, t := range b.tools {
		d, ok := t.(dsyncTool)
		if !ok {
			continue
		}
		get := b.equalPair
		if change {
			get = b.changedPair
		}
		p, err := get(t, s.Data)
		var wrong *wrongError
		if errors.As(err, &wrong) {
			return nil // noted in the rounds
		}
		if err != nil {
			return err
		}
		state := p.state
		_, stdout, stderr, err := measure(d.with(b.ctx, p, "--json"))
		if err != nil {
			return err
		}
		c, err := parseCounters(stdout)
		if err != nil {
			b.report.wrong("%s, %s: dsync --json: %v %.300s", s.Scenario, s.Data.title(), err, stderr)
			p.state = state
			return nil
		}
		p.state, s.Counters = c.state, &c
	}
	return nil
}
