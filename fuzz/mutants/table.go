package main

import (
	"path"
	"slices"
)

// mutant is one fault.
type mutant struct {
	name, file, old, new string
}

// ring is a set of tests that may notice.
type ring struct {
	name, pkg string
	args      []string
}

// rings are tried from cheap to dear. The package of place is that of the mutant.
var rings = []ring{
	{name: "place", args: []string{"-short"}},
	{name: "pure", pkg: "./fuzz/pure"},
	{name: "explore", pkg: "./fuzz/explore", args: []string{"-run", "PairsInAllModes|Triples"}}, // skipped if -short
	{name: "live", pkg: "./fuzz/live", args: []string{"-short", "-run", "Memory|Named|Observed|Interfer|Brake|Controls|Trial|Copy"}},
	{name: "maildir", pkg: "./fuzz/live", args: []string{"-short", "-run", "Maildir"}},
	{name: "crash", pkg: "./fuzz/crash", args: []string{"-short", "-run", "Crash|EveryWrite"}},
}

// blind says which rings have nothing of a package in them, or no tests.
var blind = map[string][]string{
	"store/maildir":      {"pure", "explore", "live"},
	"changelog/recorder": {"pure", "explore"},
	"changelog/logdb":    {"pure", "explore"},
	"replay":             {"place", "pure", "explore"},
	"replay/session":     {"place", "pure", "explore"},
	"replay/wire":        {"pure", "explore", "live", "maildir", "crash"},
}

// rings are those that can see the mutant.
func (m mutant) rings() (out []ring) {
	dir := path.Dir(m.file)
	for _, r := range rings {
		if slices.Contains(blind[dir], r.name) {
			continue
		}
		if r.pkg == "" {
			r.pkg = "./" + dir
		}
		out = append(out, r)
	}
	return out
}

// table is all mutants.
func table() []mutant {
	return slices.Concat(ofMerge, ofLog, ofRecorder, ofReplay, ofWire, ofMaildir)
}

// equivalents are faults that were tried and change nothing that anybody could see.
var equivalents = []struct{ what, why string }{
	{"a listing during which its mailbox changed is taken as stable (changelog/recorder/list.go)",
		"before an expunge is logged every mailbox is looked at again, and a listing's look is from before it began"},
}
