package main

import (
	"fmt"
	"slices"
)

// target is one line of the section "Speed" of the project's task.
type target struct {
	Name     string `json:"name"`
	Wanted   string `json:"wanted"`
	Measured string `json:"measured"`
	Verdict  string `json:"verdict"` // met, missed, not measured
}

// linearSlack is how much dearer a message may be in the large mailbox, and
// an unchanged run of it, and still count as the same.
const linearSlack = 1.25

// judge holds the figures against the targets.
func judge(r *report) []target {
	j := judgement{r}
	return []target{
		j.faster("S1 small", kindFirst, "small", "doveadm", wallSeconds, 8),
		j.faster("S1 small", kindFirst, "small", "mbsync", wallSeconds, 2),
		j.faster("S1 small (aim)", kindFirst, "small", "cp", wallSeconds, 0.5),
		j.growth("S1 wall a message, large ÷ small", kindFirst, wallSeconds, true),
		j.faster("S2 large", kindUnchanged, "large", "doveadm", cpuSeconds, 5),
		j.faster("S2 large", kindUnchanged, "large", "mbsync", cpuSeconds, 2),
		j.growth("S2 CPU, large ÷ small", kindUnchanged, cpuSeconds, false),
		j.faster("S2 many mailboxes", kindUnchanged, "many", "doveadm", cpuSeconds, 1/1.2),
		j.nothingRead("small"), j.nothingRead("large"), j.nothingRead("many"),
		j.faster("S3 large", kindChanged, "large", "doveadm", cpuSeconds, 10),
		j.faster("S3 large", kindChanged, "large", "mbsync", cpuSeconds, 1),
		j.rate(kindUnchanged, 5000), j.faster("R2 first sync", kindFirst, "users", "doveadm", wallSeconds, 5),
		j.amongMany(), j.opened(), j.peakOf("R3 peak memory, many accounts", "users", manyLogs, kindUnchanged, 1024),
		j.peak(kindUnchanged, 64), j.peak(kindChanged, 64), j.peak(kindFirst, 128), j.peak(kindFull, 128),
	}
}

type judgement struct{ r *report }

// decide fills in measured figure and verdict.
func (t target) decide(known bool, figure float64, unit string, met bool) target {
	switch {
	case !known:
		t.Measured, t.Verdict = "–", "not measured"
	case met:
		t.Measured, t.Verdict = fmt.Sprintf("%.2f%s", figure, unit), "met"
	default:
		t.Measured, t.Verdict = fmt.Sprintf("%.2f%s", figure, unit), "**missed**"
	}
	return t
}

// faster wants the other tool's figure to be at least factor times dsync's.
func (j judgement) faster(name, kind, data, other string, figure func(sample) float64, factor float64) target {
	what := "wall"
	if kind != kindFirst {
		what = "CPU"
	}
	t := target{Name: fmt.Sprintf("%s: %s of %s ÷ dsync", name, what, other), Wanted: fmt.Sprintf("≥ %.2f", factor)}
	theirs, own := j.r.samples(kind, data, other), j.r.samples(kind, data, "dsync")
	a, b := spreadOf(theirs, figure).Median, spreadOf(own, figure).Median
	known := len(theirs) > 0 && len(own) > 0 && b > 0
	if !known {
		return t.decide(false, 0, "", false)
	}
	return t.decide(true, a/b, "", a/b >= factor)
}

// growth wants dsync to cost the same at the large size as at the small one,
// by message or in all.
func (j judgement) growth(name, kind string, figure func(sample) float64, byMessage bool) target {
	t := target{Name: name, Wanted: fmt.Sprintf("≤ %.2f", linearSlack)}
	small, large := j.r.samples(kind, "small", "dsync"), j.r.samples(kind, "large", "dsync")
	a, b := spreadOf(large, figure).Median, spreadOf(small, figure).Median
	if len(small) == 0 || len(large) == 0 || b == 0 {
		return t.decide(false, 0, "", false)
	}
	if byMessage {
		a, b = a/float64(j.messages("large")), b/float64(j.messages("small"))
	}
	return t.decide(true, a/b, "", a/b <= linearSlack)
}

func (j judgement) messages(data string) int { return max(j.dataset(data).total(), 1) }

func (j judgement) dataset(name string) dataset {
	for _, s := range j.r.Sections {
		if s.Data.Name == name {
			return s.Data
		}
	}
	return dataset{}
}

// nothingRead wants dsync's counters to be 0, 0, 0 when nothing changed.
func (j judgement) nothingRead(data string) target {
	t := target{Name: "S2 " + data + ": names listed + entries compared + files opened", Wanted: "0"}
	for _, s := range j.r.Sections {
		if s.Kind == kindUnchanged && s.Data.Name == data && s.Counters != nil {
			sum := *s.Counters.NamesListed + *s.Counters.EntriesCompared + *s.Counters.FilesOpened
			return t.decide(true, float64(sum), "", sum == 0)
		}
	}
	return t.decide(false, 0, "", false)
}

// rate wants so many users a second of dsync.
func (j judgement) rate(kind string, least float64) target {
	t := target{Name: "R2 users a second: " + kind, Wanted: fmt.Sprintf("≥ %.0f", least)}
	own := j.r.samples(kind, "users", "dsync")
	wall := spreadOf(own, wallSeconds).Median
	if len(own) == 0 || wall == 0 {
		return t.decide(false, 0, "", false)
	}
	rate := float64(j.dataset("users").Users) / wall
	return t.decide(true, rate, "", rate >= least)
}

// amongMany wants a user to cost the same among many accounts as among few.
func (j judgement) amongMany() target {
	t := target{Name: "R3 CPU a user, many accounts ÷ few", Wanted: fmt.Sprintf("≤ %.2f", linearSlack)}
	few, many := j.r.samples(kindUnchanged, "users", fewLogs), j.r.samples(kindUnchanged, "users", manyLogs)
	a, b := spreadOf(many, cpuSeconds).Median, spreadOf(few, cpuSeconds).Median
	if len(few) == 0 || len(many) == 0 || b == 0 {
		return t.decide(false, 0, "", false)
	}
	return t.decide(true, a/b, "", a/b <= linearSlack)
}

// opened wants the databases of R3 opened in a second.
func (j judgement) opened() target {
	t := target{Name: "R3 seconds to open the database, at most", Wanted: "< 1"}
	for _, s := range j.r.Sections {
		if len(s.Opened) > 0 {
			most := slices.Max(s.Opened).Seconds()
			return t.decide(true, most, "", most < 1)
		}
	}
	return t.decide(false, 0, "", false)
}

// peak wants dsync's memory at the large size below a limit.
func (j judgement) peak(kind string, limit float64) target {
	return j.peakOf("S4 peak memory, large: "+kind, "large", "dsync", kind, limit)
}

func (j judgement) peakOf(name, data, row, kind string, limit float64) target {
	t := target{Name: name, Wanted: fmt.Sprintf("≤ %.0f MB", limit)}
	own := j.r.samples(kind, data, row)
	most := spreadOf(own, megabytes).Max
	return t.decide(len(own) > 0, most, " MB", most <= limit)
}
