package main

import (
	"errors"
	"fmt"
	"path/filepath"
)

// The kinds of run, as they stand in the report.
const (
	kindFirst     = "first sync"
	kindUnchanged = "nothing changed"
	kindChanged   = "changed"
	kindFull      = "full comparison"
)

// firstSyncs is S1: the small dataset in all rounds, the large one in few.
func (b *bench) firstSyncs() error {
	if err := b.firstSync(b.o.small, b.o.rounds, true); err != nil {
		return err
	}
	return b.firstSync(b.o.large, b.o.bigRounds, b.o.slow)
}

func (b *bench) firstSync(d dataset, rounds int, withDoveadm bool) error {
	s := b.report.section("S1", kindFirst, d)
	return b.interleaved(rounds, func(t tool) error {
		if t.name() == "doveadm" && !withDoveadm {
			s.Note = "doveadm left out: it needs about ten minutes a round for 100,000 messages; -slow includes it"
			return nil
		}
		return b.oneFirst(t, s)
	})
}

// oneFirst measures a first sync on a pair of its own.
func (b *bench) oneFirst(t tool, s *section) error {
	p, err := b.newPair(t, s.Data)
	if err != nil {
		return err
	}
	defer b.drop(p)
	return b.record(s, t, p, stepFirst)
}

// interleaved calls f for each tool in each round; every round begins with
// another tool. A wrong result that is not entered in a section (while a pair
// is prepared) is noted; the others go on.
func (b *bench) interleaved(rounds int, f func(t tool) error) error {
	for round := range rounds {
		for i := range b.tools {
			t := b.tools[(i+round)%len(b.tools)]
			if err := b.ctx.Err(); err != nil {
				return err
			}
			err := f(t)
			var wrong *wrongError
			if errors.As(err, &wrong) {
				b.report.wrong("%v", err)
				continue
			}
			if err != nil && !errors.Is(err, errNotOffered) {
				return fmt.Errorf("round %d: %s: %w", round+1, t.name(), err)
			}
		}
	}
	return nil
}

// record measures a step and enters it in the section; a wrong result is
// entered as such and is no error.
func (b *bench) record(s *section, t tool, p *pair, st step) error {
	got, err := b.measured(t, p, st)
	var wrong *wrongError
	if errors.As(err, &wrong) {
		b.report.wrong("%s, %s, %s: %s: %s", s.Scenario, s.Kind, s.Data.title(), t.name(), wrong.what)
		s.row(t.name()).Wrong = true
		err = nil
	}
	if err != nil {
		return err
	}
	row := s.row(t.name())
	row.Samples = append(row.Samples, got)
	b.say("%s %s, %s: %s: wall %.2f s, CPU %.2f s, %.0f MB", s.Scenario, s.Kind, s.Data.title(), t.name(),
		wallSeconds(got), cpuSeconds(got), megabytes(got))
	return nil
}

// nothingChanged is S2.
func (b *bench) nothingChanged() error {
	for _, d := range []dataset{b.o.small, b.o.large, b.o.many} {
		s := b.report.section("S2", kindUnchanged, d)
		err := b.interleaved(b.o.rounds, func(t tool) error {
			p, err := b.equalPair(t, d)
			if err != nil {
				return err
			}
			return b.record(s, t, p, stepAgain)
		})
		if err != nil {
			return err
		}
		if err := b.count(s, false); err != nil {
			return err
		}
	}
	return nil
}

// changed is S3.
func (b *bench) changed() error {
	s := b.report.section("S3", kindChanged, b.o.large)
	err := b.interleaved(b.o.rounds, func(t tool) error { return b.oneChanged(t, s) })
	if err != nil {
		return err
	}
	return b.count(s, true)
}

// oneChanged changes the left side of the tool's pair and measures the sync.
func (b *bench) oneChanged(t tool, s *section) error {
	p, err := b.changedPair(t, s.Data)
	if err != nil {
		return err
	}
	return b.record(s, t, p, stepAgain)
}

// changedPair is the equal pair with the next changes made on its left.
func (b *bench) changedPair(t tool, d dataset) (*pair, error) {
	p, err := b.equalPair(t, d)
	if err != nil {
		return nil, err
	}
	p.round++
	return p, change(b.ctx, p.left(), b.o.changes, p.round)
}

// memory is S4: it takes what S1 to S3 measured at the large size, and runs
// once what they did not.
func (b *bench) memory() error {
	d := b.o.large
	runs := []struct {
		kind string
		run  func(t tool, s *section) error
	}{
		{kindUnchanged, func(t tool, s *section) error {
			p, err := b.equalPair(t, d)
			if err != nil {
				return err
			}
			return b.record(s, t, p, stepAgain)
		}},
		{kindChanged, b.oneChanged},
		{kindFull, func(t tool, s *section) error {
			p, err := b.equalPair(t, d)
			if err != nil {
				return err
			}
			return b.record(s, t, p, stepFull)
		}},
		{kindFirst, func(t tool, s *section) error {
			if t.name() == "doveadm" && !b.o.slow {
				return errNotOffered
			}
			return b.oneFirst(t, s)
		}},
	}
	for _, r := range runs {
		s := b.report.section("S4", r.kind, d)
		err := b.interleaved(1, func(t tool) error {
			if earlier := b.report.samples(r.kind, d.Name, t.name()); len(earlier) > 0 {
				s.row(t.name()).Samples = earlier
				return nil
			}
			return r.run(t, s)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trace counts system calls of S1 and S3, in runs of their own.
func (b *bench) trace() error {
	first := b.report.trace("S1", kindFirst, b.o.small)
	err := b.interleaved(1, func(t tool) error {
		p, err := b.newPair(t, b.o.small)
		if err != nil {
			return err
		}
		defer b.drop(p)
		return b.traceOne(first, t, p, stepFirst)
	})
	if err != nil {
		return err
	}
	changed := b.report.trace("S3", kindChanged, b.o.large)
	return b.interleaved(1, func(t tool) error {
		p, err := b.changedPair(t, b.o.large)
		if err != nil {
			return err
		}
		return b.traceOne(changed, t, p, stepAgain)
	})
}

// traceOne runs a step under strace. A machine without strace is skipped.
func (b *bench) traceOne(tr *traceTable, t tool, p *pair, s step) error {
	cmd, err := t.command(b.ctx, p, s)
	if err != nil {
		return err
	}
	file := filepath.Join(p.aux(), "strace")
	if err := underStrace(cmd, file); err != nil {
		tr.Note = "skipped: strace is not on PATH"
		return nil
	}
	b.say("trace %s, %s: %s", tr.Kind, tr.Data.title(), t.name())
	_, err = b.measuredCommand(t, p, cmd)
	var wrong *wrongError
	if errors.As(err, &wrong) {
		b.report.wrong("trace of %s: %s: %s", tr.Kind, t.name(), wrong.what)
	} else if err != nil {
		return err
	}
	counts, err := countCallsIn(file)
	if err != nil {
		return err
	}
	tr.Rows = append(tr.Rows, traceRow{Tool: t.name(), Calls: counts})
	return nil
}
