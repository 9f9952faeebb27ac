package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeEnv makes the test binary play dsync. Its value says how:
// ok, or the fault to show.
const fakeEnv = "BENCH_TEST_FAKE"

func TestMain(m *testing.M) {
	if fault := os.Getenv(fakeEnv); fault != "" {
		os.Exit(fakeDsync(fault, os.Args[1:]))
	}
	if ran, code := runInternal(os.Args[1:]); ran {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// fake writes a program that plays dsync with a fault.
func fake(t *testing.T, fault string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dsync")
	script := fmt.Sprintf("#!/bin/sh\n%s=%s exec '%s' \"$@\"\n", fakeEnv, fault, self)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// fakeDsync makes the right side a mirror of the left one.
func fakeDsync(fault string, args []string) int {
	if slices.Equal(args, []string{"version"}) {
		fmt.Println("fake 1")
		return 0
	}
	left, right, state, list := "", "", "", ""
	for i, a := range args {
		if a == "-F" {
			list = args[i+1]
		}
		if l, ok := strings.CutPrefix(a, "mail_location=maildir:"); ok {
			left = l
		}
		if a == "-s" {
			state = args[i+1]
		}
	}
	right = strings.TrimPrefix(args[len(args)-1], "maildir:")
	if state != "" && fault == "idle" {
		return show(args, state)
	}
	if fault == "status" {
		return 75
	}
	users := []byte("u")
	if list != "" {
		users, _ = os.ReadFile(list)
	}
	for _, u := range strings.Fields(string(users)) {
		if err := mirror(strings.ReplaceAll(left, "%u", u), strings.ReplaceAll(right, "%u", u)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if fault == "flags" {
		spoil(right)
	}
	return show(args, "s"+state[:min(1, len(state))])
}

func show(args []string, state string) int {
	if slices.Contains(args, "--json") {
		fmt.Printf("{\"format\":1,\"names_listed\":7}\n{\"format\":1,\"names_listed\":0,\"entries_compared\":0,\"files_opened\":0,\"state\":%q}\n", state)
		return 0
	}
	fmt.Println(state)
	return 0
}

// spoil takes the flags of one message away.
func spoil(right string) {
	names, _ := filepath.Glob(filepath.Join(right, "cur", "*:2,S"))
	os.Rename(names[0], strings.TrimSuffix(names[0], "S"))
}

func mirror(left, right string) error {
	keep := map[string]bool{}
	err := filepath.WalkDir(left, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(left, path)
		keep[rel] = true
		target := filepath.Join(right, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		return mirrorFile(path, target)
	})
	if err != nil {
		return err
	}
	return filepath.WalkDir(right, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(right, path)
		if err != nil || d.IsDir() || keep[rel] {
			return err
		}
		return os.Remove(path)
	})
}

func mirrorFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}
