package main

import (
	"context"
	"errors"
	"fmt"

	"dsync/cmd/internal/choose"
	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/opener"
	"dsync/store"
)

// lookRun is one command line of verify, dump, log or check.
type lookRun struct {
	*program
	*call
	set  *config.Set
	uses map[string]string
	vars *location.Vars
	at   []location.Location // one for each word
	as   *opener.As
	log  string // directory of the database
}

func startLook(p *program, c *call) (*lookRun, error) {
	r := &lookRun{program: p, call: c}
	if isMask(r.user) {
		return nil, usagef("-u %s: %s is about one user", r.user, c.name)
	}
	var err error
	if r.set, err = p.settings(c.values); err != nil {
		return nil, err
	}
	if r.uses, err = specialUses(r.set); err != nil {
		return nil, err
	}
	if err = r.whose(); err != nil {
		return nil, err
	}
	for _, w := range r.words {
		l, err := location.OneWord(w, r.vars)
		if err != nil {
			return nil, asked(err)
		}
		r.at = append(r.at, l)
	}
	r.log, err = p.changeLog(r.set, r.vars)
	return r, err
}

// whose finds what the variables in locations stand for, and in whose name files are
// reached.
func (r *lookRun) whose() error {
	s := &syncRun{program: r.program, call: r.call, set: r.set}
	if r.user == "" {
		r.vars = r.program.vars("")
		return nil
	}
	err := location.CheckUser(r.user)
	if err != nil {
		return err
	}
	r.msg.user = r.user
	if s.dbs, err = r.databases(r.set); err != nil {
		return err
	}
	m, err := s.member(context.Background(), r.user)
	if err != nil {
		return err
	}
	r.vars = m.vars
	r.as, err = m.as()
	return err
}

// wanted gives what -m names; nil if there is no -m.
func (r *lookRun) wanted() ([]store.Name, error) {
	if len(r.mailboxes) == 0 && !r.treeOnly {
		return nil, nil
	}
	out := []store.Name{}
	for _, m := range r.mailboxes {
		names, err := choose.Named(m, !r.at[0].FS, r.uses)
		if err != nil {
			return nil, usagef("-m: %w", err)
		}
		out = append(out, names...)
	}
	return out, nil
}

// logOptions are those of the log of one word.
func (r *lookRun) logOptions(i int, names []store.Name) engine.LogOptions {
	return engine.LogOptions{
		User: r.vars.User, Location: r.at[i].String(), As: r.as, ChangeLog: r.log, Mailboxes: names,
		Notice: func(l engine.Level, s string) { r.msg.print(l, s) },
	}
}

// open opens the account of one word for reading.
func (r *lookRun) open(i int) (store.Store, error) {
	return r.calls.look(r.at[i].String(), r.as)
}

// unsure reports what a look could not show, and the status that follows.
func (r *lookRun) unsure(skipped []store.Skip, unstable []store.Name) int {
	exit := engine.ExitOK
	for _, n := range unstable {
		r.msg.printf(engine.Warning, "%q changed while it was listed; run again", string(n))
		exit = engine.ExitAgain
	}
	for _, s := range skipped {
		if errors.Is(s.Err, store.ErrIgnored) {
			r.msg.print(engine.Warning, s.String())
			continue
		}
		r.msg.print(engine.Error, s.String())
		exit = engine.Combine(exit, skipExit(s.Err))
	}
	return exit
}

// tooLate turns a cancelled look into its error.
func tooLate(ctx context.Context, err error) error {
	if c := ctx.Err(); c != nil {
		return engine.Fail(engine.ExitTemp, fmt.Errorf("interrupted: %w", c))
	}
	return err
}

// skipExit is the status for an item that could not be shown.
func skipExit(err error) int {
	if e := exitOf(err); e == engine.ExitPermission {
		return e
	}
	return engine.ExitData
}
