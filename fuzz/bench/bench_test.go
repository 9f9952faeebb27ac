package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dsync/fuzz/dovecot"
	"dsync/fuzz/require"
)

// quick is the command line of a run of a second or two.
func quick(t *testing.T, args ...string) options {
	t.Helper()
	base := []string{"-quick", "-small", "30", "-large", "60", "-mailboxes", "3", "-each", "5", "-changes", "5", "-users", "3", "-accounts", "20", "-data", t.TempDir()}
	o, err := parseOptions(append(base, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// runBench runs and reads the report back from its JSON form.
func runBench(t *testing.T, o options) (code int, r report, markdown string) {
	t.Helper()
	o.json = filepath.Join(t.TempDir(), "report.json")
	var stdout, stderr bytes.Buffer
	code = execute(t.Context(), o, &stdout, &stderr)
	data, err := os.ReadFile(o.json)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	left, err := os.ReadDir(o.data)
	if err != nil || len(left) > 0 {
		t.Errorf("data left behind: %v %v", left, err)
	}
	t.Logf("%s%s", stdout.String(), stderr.String())
	return code, r, stdout.String()
}

func TestQuickRunWithFake(t *testing.T) {
	code, r, markdown := runBench(t, quick(t, "-dsync", fake(t, "ok"), "-tools", "dsync,cp", "-rounds", "2"))
	if code != 0 || len(r.Wrong) > 0 {
		t.Fatalf("status %d, wrong %q", code, r.Wrong)
	}
	kinds := map[string]int{}
	for _, s := range r.Sections {
		for _, row := range s.Rows {
			if row.Tool == "dsync" {
				kinds[s.Scenario+" "+s.Data.Name] += len(row.Samples)
			}
		}
		if s.Scenario == "S2" && (s.Counters == nil || *s.Counters.NamesListed != 0) {
			t.Errorf("S2 %s: counters %+v", s.Data.Name, s.Counters)
		}
	}
	for name, runs := range map[string]int{"S1 small": 2, "S1 large": 1, "S2 small": 2, "S2 large": 2, "S2 many": 2, "S3 large": 2, "R2 users": 3} {
		if kinds[name] != runs {
			t.Errorf("%s: %d runs of dsync, want %d", name, kinds[name], runs)
		}
	}
	for _, s := range r.Sections {
		if s.Scenario == "R3" && (len(s.Rows) != 2 || len(s.Opened) != 4 || !strings.Contains(s.Note, "20 logs") || !strings.Contains(s.Note, "2.0 values and 0.0 ranges")) {
			t.Errorf("R3: %+v", s)
		}
	}
	for _, target := range r.Targets {
		peer := strings.Contains(target.Name, "doveadm") || strings.Contains(target.Name, "mbsync")
		if measured := target.Verdict != "not measured"; measured == peer {
			t.Errorf("target %+v", target)
		}
	}
	if !strings.Contains(markdown, "| dsync | 2 |") || !strings.Contains(markdown, "- dsync: fake 1") {
		t.Error("the report does not show dsync's runs")
	}
}

func TestWrongResultsAreFound(t *testing.T) {
	for fault, want := range map[string]string{
		"idle":   "left holds", // the mirror does nothing on later runs
		"status": "exit status 75",
		"flags":  "other sizes, flags or dates",
	} {
		t.Run(fault, func(t *testing.T) {
			scenarios := "S1"
			if fault == "idle" {
				scenarios, want = "S3", "right holds"
			}
			code, r, markdown := runBench(t, quick(t, "-dsync", fake(t, fault), "-tools", "dsync", "-scenarios", scenarios))
			if code != 1 || len(r.Wrong) == 0 || !strings.Contains(r.Wrong[0], want) {
				t.Errorf("status %d, wrong %q, want %q", code, r.Wrong, want)
			}
			if !strings.Contains(markdown, "**wrong result**") {
				t.Error("the report hides it")
			}
			for _, target := range r.Targets {
				if target.Verdict == "met" {
					t.Errorf("met by a wrong result: %+v", target)
				}
			}
		})
	}
}

func TestMissingToolsAreSkipped(t *testing.T) {
	cp, err := exec.LookPath("cp")
	if err != nil {
		t.Skip("skipped: no cp")
	}
	bin := t.TempDir()
	for _, name := range []string{"cp", "sh", "sync", "uname", "true"} {
		if err := os.Symlink(filepath.Join(filepath.Dir(cp), name), filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	code, r, _ := runBench(t, quick(t, "-dsync", filepath.Join(bin, "missing"), "-scenarios", "S1,S3,trace"))
	if code != 0 || len(r.Skipped) != 3 || len(r.Tools) != 1 {
		t.Errorf("status %d, skipped %q, tools %v", code, r.Skipped, r.Tools)
	}
	if len(r.Traces) == 0 || !strings.Contains(r.Traces[0].Note, "strace") {
		t.Errorf("missing strace is not said: %+v", r.Traces)
	}
}

func TestDovecotsDsyncIsNotTaken(t *testing.T) {
	link := filepath.Join(t.TempDir(), "dsync")
	target := filepath.Join(filepath.Dir(link), "doveadm")
	if err := os.WriteFile(target, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if _, err := findDsync(link); err == nil || !strings.Contains(err.Error(), "Dovecot") {
		t.Errorf("got %v", err)
	}
}

// The peers themselves, at a toy size.
func TestPeersGiveRightResults(t *testing.T) {
	dovecot.Require(t)
	require.Program(t, "mbsync", "mbsync")
	peersRun(t, 4, "-tools", "doveadm", "-scenarios", "S4", "-slow")
	peersRun(t, 2, "-tools", "doveadm", "-scenarios", "R2")
	r := peersRun(t, 1, "-tools", "doveadm,mbsync", "-scenarios", "S3,trace")
	for _, tr := range r.Traces {
		for _, row := range tr.Rows {
			if row.Calls["rename*"] == 0 {
				t.Errorf("trace %s of %s counts no renames", tr.Kind, row.Tool)
			}
		}
	}
}

// peersRun wants right results and so many tables with a row of each tool.
func peersRun(t *testing.T, tables int, args ...string) report {
	t.Helper()
	o := quick(t, args...)
	code, r, _ := runBench(t, o)
	if code != 0 || len(r.Wrong) > 0 || len(r.Skipped) > 0 || len(r.Sections) != tables {
		t.Fatalf("status %d, wrong %q, skipped %q, %d tables", code, r.Wrong, r.Skipped, len(r.Sections))
	}
	for _, s := range r.Sections {
		if len(s.Rows) != len(o.tools) {
			t.Errorf("%s %s %s: %d rows, want %d", s.Scenario, s.Kind, s.Data.Name, len(s.Rows), len(o.tools))
		}
	}
	return r
}

func TestDovecotSyncsToDisk(t *testing.T) {
	dovecot.Require(t)
	tool, err := findTool("doveadm", options{}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command("doveconf", "-c", tool.(doveadmTool).d.ConfigPath(), "mail_fsync").CombinedOutput()
	if err != nil || strings.TrimSpace(string(output)) != "mail_fsync = optimized" {
		t.Errorf("%s %v", output, err)
	}
}

func TestMeasureSeesCPUAndStatus(t *testing.T) {
	s, stdout, stderr, err := measure(exec.Command("sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo out; echo problem >&2; exit 3"))
	if err != nil || s.Code != 3 || stdout != "out\n" || stderr != "problem\n" {
		t.Errorf("%+v %q %q %v", s, stdout, stderr, err)
	}
	if s.cpu() < time.Millisecond || s.Wall <= 0 || s.RSS < 500 {
		t.Errorf("implausible: %+v", s)
	}
	if _, _, _, err := measure(exec.Command("sh", "-c", "kill -9 $$")); err == nil {
		t.Error("a killed command is no measurement")
	}
}
