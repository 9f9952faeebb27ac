package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// reportFormat is the version of the JSON form.
const reportFormat = 1

// report is everything measured.
type report struct {
	Format   int           `json:"format"`
	Time     time.Time     `json:"time"`
	Machine  machine       `json:"machine"`
	Tools    []toolVersion `json:"tools"`
	Skipped  []string      `json:"skipped,omitempty"`
	Sections []*section    `json:"sections"`
	Traces   []*traceTable `json:"traces"`
	Wrong    []string      `json:"wrong,omitempty"` // results that were not right
	Targets  []target      `json:"targets"`
}

type machine struct {
	CPUs       int    `json:"cpus"`
	Kernel     string `json:"kernel"`
	Data       string `json:"data"` // directory and file system
	LoadBefore string `json:"load_before"`
	LoadAfter  string `json:"load_after"`
	FloorRSS   int64  `json:"memory_floor_kib"`
	Rounds     int    `json:"rounds"`
}

type toolVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// section is one table: one kind of run on one dataset.
type section struct {
	Scenario string          `json:"scenario"`
	Kind     string          `json:"kind"`
	Data     dataset         `json:"data"`
	Rows     []*row          `json:"rows"`
	Counters *counters       `json:"dsync_counters,omitempty"`
	Opened   []time.Duration `json:"opened_ns,omitempty"` // R3: the databases, in the order of runs
	Note     string          `json:"note,omitempty"`
}

// row is one tool's runs.
type row struct {
	Tool    string   `json:"tool"`
	Samples []sample `json:"samples"`
	Wrong   bool     `json:"wrong,omitempty"`
}

// traceTable is system calls of one kind of run.
type traceTable struct {
	Scenario string     `json:"scenario"`
	Kind     string     `json:"kind"`
	Data     dataset    `json:"data"`
	Rows     []traceRow `json:"rows"`
	Note     string     `json:"note,omitempty"`
}

type traceRow struct {
	Tool  string         `json:"tool"`
	Calls map[string]int `json:"calls"`
}

func newReport(ctx context.Context, o options, dir string) *report {
	return &report{Format: reportFormat, Time: time.Now().UTC().Truncate(time.Second), Machine: machine{
		CPUs: runtime.NumCPU(), Kernel: firstLine(ctx, "uname", "-sr"), Data: describePlace(dir),
		LoadBefore: loadAverage(), Rounds: o.rounds,
	}}
}

// describePlace names the directory and warns of a memory file system.
func describePlace(dir string) string {
	const tmpfs, ramfs = 0x01021994, 0x858458f6 // from linux/magic.h
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err == nil && (int64(s.Type) == tmpfs || int64(s.Type) == ramfs) {
		return dir + " (in memory: durability costs nothing here, S1 means little; see -data)"
	}
	return dir
}

func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	words := strings.Fields(string(data))
	return strings.Join(words[:min(3, len(words))], " ")
}

func (r *report) section(scenario, kind string, d dataset) *section {
	s := &section{Scenario: scenario, Kind: kind, Data: d}
	r.Sections = append(r.Sections, s)
	return s
}

func (r *report) trace(scenario, kind string, d dataset) *traceTable {
	t := &traceTable{Scenario: scenario, Kind: kind, Data: d}
	r.Traces = append(r.Traces, t)
	return t
}

func (r *report) wrong(format string, args ...any) {
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

// row finds or makes a tool's row.
func (s *section) row(tool string) *row {
	for _, r := range s.Rows {
		if r.Tool == tool {
			return r
		}
	}
	s.Rows = append(s.Rows, &row{Tool: tool})
	return s.Rows[len(s.Rows)-1]
}

// samples are a tool's runs of a kind on a dataset, from whatever scenario.
func (r *report) samples(kind, data, tool string) []sample {
	for _, s := range r.Sections {
		if s.Kind != kind || s.Data.Name != data {
			continue
		}
		for _, row := range s.Rows {
			if row.Tool == tool && len(row.Samples) > 0 && !row.Wrong {
				return row.Samples
			}
		}
	}
	return nil
}

func (r *report) writeJSON(file string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// markdown is the report for people.
func (r *report) markdown() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Benchmark, %s\n\n", r.Time.Format("2006-01-02 15:04 MST"))
	m := r.Machine
	fmt.Fprintf(&b, "%d CPUs, %s, data in %s, load average before %s, after %s, up to %d rounds. Peak memory cannot be told apart below %.0f MB.\n\n",
		m.CPUs, m.Kernel, m.Data, m.LoadBefore, m.LoadAfter, m.Rounds, float64(m.FloorRSS)/1024)
	for _, t := range r.Tools {
		fmt.Fprintf(&b, "- %s: %s\n", t.Name, t.Version)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "- skipped: %s\n", s)
	}
	for _, w := range r.Wrong {
		fmt.Fprintf(&b, "- **wrong result**: %s\n", w)
	}
	for _, s := range r.Sections {
		s.markdown(&b)
	}
	for _, t := range r.Traces {
		t.markdown(&b)
	}
	if len(r.Targets) > 0 {
		b.WriteString("\n## Targets\n\n| target | wanted | measured | |\n|---|---|---|---|\n")
	}
	for _, t := range r.Targets {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.Name, t.Wanted, t.Measured, t.Verdict)
	}
	return b.String()
}

func (s *section) markdown(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## %s: %s, %s\n\n", s.Scenario, s.Kind, s.Data.title())
	b.WriteString("| tool | runs | wall s median (min–max) | CPU s median (min–max) | of it user | peak MB | wall ÷ dsync | CPU ÷ dsync | exit |\n|---|---|---|---|---|---|---|---|---|\n")
	var own []sample
	for _, r := range s.Rows {
		if r.Tool == "dsync" && !r.Wrong {
			own = r.Samples
		}
	}
	for _, r := range s.Rows {
		name := r.Tool
		if r.Wrong {
			name += " (**wrong result**)"
		}
		fmt.Fprintf(b, "| %s | %d | %s | %s | %.2f | %.0f | %s | %s | %s |\n", name, len(r.Samples),
			spreadOf(r.Samples, wallSeconds), spreadOf(r.Samples, cpuSeconds), spreadOf(r.Samples, userSeconds).Median,
			spreadOf(r.Samples, megabytes).Max, ratio(r.Samples, own, wallSeconds), ratio(r.Samples, own, cpuSeconds), exitCodes(r.Samples))
	}
	if c := s.Counters; c != nil {
		fmt.Fprintf(b, "\ndsync: names_listed %d, entries_compared %d, files_opened %d\n", *c.NamesListed, *c.EntriesCompared, *c.FilesOpened)
	}
	if s.Note != "" {
		fmt.Fprintf(b, "\n%s\n", s.Note)
	}
}

func (t *traceTable) markdown(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## System calls: %s, %s, %s\n\n| tool |", t.Scenario, t.Kind, t.Data.title())
	for _, c := range traced {
		fmt.Fprintf(b, " %s |", c.column)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(traced)) + "\n")
	for _, r := range t.Rows {
		fmt.Fprintf(b, "| %s |", r.Tool)
		for _, c := range traced {
			fmt.Fprintf(b, " %d |", r.Calls[c.column])
		}
		b.WriteString("\n")
	}
	if t.Note != "" {
		fmt.Fprintf(b, "\n%s\n", t.Note)
	}
}

// String is "median (min–max)".
func (s spread) String() string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Min, s.Max)
}

// ratio is a quotient of medians; "–" where there is none.
func ratio(theirs, own []sample, figure func(sample) float64) string {
	a, b := spreadOf(theirs, figure).Median, spreadOf(own, figure).Median
	if len(own) == 0 || len(theirs) == 0 || b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}
