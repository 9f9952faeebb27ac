package explore

import (
	"fmt"
	"slices"
	"strings"

	"dsync/fuzz/pure"
)

// mode is one way in which two sides meet after their histories.
type mode struct {
	name   string
	family string
	// late is the side that made its changes a second after the other, or -1.
	late int
	// trim: the result is that of a whole run of untrimmed logs (P12).
	trim bool
	runs []pure.Op
}

// Families are the kinds of modes, in the order in which they are tried. Three
// replicas meet in whole runs alone, in every order.
var Families = []struct{ Name, Says string }{
	{"whole", "a whole run"},
	{"oneway", "-1 from either side, then whole"},
	{"backup", "backup from either side, then whole"},
	{"mailbox", "-m for each mailbox, then whole"},
	{"since", "-t and -e, then whole"},
	{"half", "a run of which one side plays nothing, then whole"},
	{"partly", "a run of which one effect in three fails, then whole"},
	{"limit", "-x, -O, the tree alone, and -m with -1 and backup, then whole"},
	{"trim", "logs trimmed before a whole run"},
	{"late", "a whole run, one side's changes a second after the other's"},
	{"lost", "the log of one side lost before a whole run"},
}

// Parts are the modes in which runs carry less than all, or all in one direction.
var Parts = []string{"whole", "oneway", "backup", "mailbox", "since", "half", "partly"}

// AllModes are the names of all families.
func AllModes() (out []string) {
	for _, f := range Families {
		out = append(out, f.Name)
	}
	return out
}

// modes lists the ways to meet of the families named.
func (o *Options) modes() ([]*mode, error) {
	if len(o.Modes) == 0 {
		o.Modes = []string{"whole"}
	}
	for _, m := range o.Modes {
		if !slices.Contains(AllModes(), m) {
			return nil, fmt.Errorf("unknown mode %.40q; known are all, %s", m, strings.Join(AllModes(), ", "))
		}
	}
	if o.Replicas > 2 {
		if slices.ContainsFunc(o.Modes, func(m string) bool { return m != "whole" }) {
			return nil, fmt.Errorf("%d replicas meet in whole runs alone; leave the modes out", o.Replicas)
		}
		return []*mode{{name: "every order", family: "whole", late: -1}}, nil
	}
	var out []*mode
	for _, m := range everyMode(o) {
		if slices.Contains(o.Modes, m.family) {
			out = append(out, m)
		}
	}
	return out, nil
}

func everyMode(o *Options) []*mode {
	whole := func(family string, late int) *mode {
		return &mode{name: "whole", family: family, late: late, runs: pure.MustParse("0=1")}
	}
	then := func(family, runs string) *mode {
		return &mode{name: runs + ", then whole", family: family, late: -1, runs: pure.MustParse(runs + "; 0=1")}
	}
	before := func(family, what string) *mode {
		return &mode{name: what + ", then whole", family: family, late: -1, runs: pure.MustParse(what + "; 0=1")}
	}
	out := []*mode{whole("whole", -1), whole("late", 0), whole("late", 1)}
	for _, run := range []string{"0=1", "1=0"} {
		out = append(out, then("oneway", run+" oneway"), then("backup", run+" backup"), then("half", run+" half"))
	}
	limits := []string{"F", "-F", "tree"}
	for _, x := range mailboxes[:o.Mailboxes] {
		out = append(out, then("mailbox", "0=1 limit m:"+x))
		limits = append(limits, "x:"+x, "m:"+x+",1", "m:"+x+",backup")
	}
	out = append(out, then("since", "0=1 limit t"), then("since", "0=1 limit e"))
	for _, l := range limits {
		out = append(out, then("limit", "0=1 limit "+l))
	}
	out = append(out, then("partly", "0=1 partly a"))
	trim := before("trim", "0:trim; 1:trim")
	trim.trim = true
	out = append(out, trim, before("lost", "0:lost"), before("lost", "1:lost"))
	slices.SortStableFunc(out, func(a, b *mode) int { return family(a.family) - family(b.family) })
	return out
}

func family(name string) int { return slices.Index(AllModes(), name) }

// history is a case in one mode as operations of two replicas, from the empty
// account on.
func (t *tails) history(c []int, m *mode) []pure.Op {
	out := pure.MustParse(t.u.past)
	for i := 1; i < t.u.o.Replicas; i++ {
		out = append(out, pure.Op{Verb: pure.SyncWhole, R: i - 1, Peer: i})
	}
	out = append(out, pure.Op{Verb: pure.Tick})
	sides := make([]int, len(c))
	for s := range sides {
		sides[s] = s
	}
	if m.late == 0 {
		slices.Reverse(sides)
	}
	for k, s := range sides {
		if k > 0 && m.late >= 0 {
			out = append(out, pure.Op{Verb: pure.Tick})
		}
		for _, o := range t.all[c[s]].ops {
			o.R = s
			out = append(out, o)
		}
	}
	return append(out, m.runs...)
}
