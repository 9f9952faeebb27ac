package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/choose"
	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/progress"
)

// runSync is sync, backup and plan.
func runSync(ctx context.Context, p *program, c *call) (int, error) {
	r := &syncRun{program: p, call: c, dry: c.dryRun || c.name == "plan"}
	r.oweLine(p.msg.user, r.old())
	if err := r.checkWords(); err != nil {
		return 0, err
	}
	if err := r.prepare(); err != nil {
		return 0, err
	}
	if c.userFile != "" {
		return r.everyUser(ctx)
	}
	o, err := r.of(c.user)
	if err != nil {
		return 0, err
	}
	return r.one(ctx, o)
}

// syncRun is one command line of sync, backup or plan.
type syncRun struct {
	*program
	*call
	dry  bool
	set  *config.Set
	uses map[string]string
	base engine.Options
	// With -F: which user each account belongs to, by path.
	owner map[string]string
}

// checkWords finds what is wrong whatever the settings and users are.
func (r *syncRun) checkWords() error {
	switch {
	case r.user != "" && r.userFile != "":
		return usagef("-u and -F exclude each other")
	case r.userFile != "" && r.hasState && r.state != "auto":
		return usagef("-s STATE is one user's; with -F use -s auto, which keeps each user's state in the change log")
	case len(r.words) == 0:
		return usagef("no destination; write one, like maildir:PATH")
	}
	if r.user != "" {
		if err := checkUser(r.user); err != nil {
			return err
		}
		r.msg.user = r.user
	}
	return nil
}

// prepare reads what is the same for every user.
func (r *syncRun) prepare() (err error) {
	if r.set, err = r.settings(r.values); err != nil {
		return err
	}
	if r.uses, err = specialUses(r.set); err != nil {
		return err
	}
	b := &r.base
	b.Mode = engine.Sync
	if r.name == "backup" {
		b.Mode = engine.Backup
	} else if r.oneWay {
		b.Mode = engine.OneWay
	}
	b.Reverse, b.LockWait, b.DryRun = r.reverse, lockWait(r.values, r.set), r.dry
	b.Policy, b.SpecialUse = r.policy, r.uses
	if b.Policy == "" && r.set.Said(config.Policy) {
		b.Policy = r.set.Get(config.Policy)
	}
	if b.MaxDelete = r.maxDelete; !b.MaxDelete.Set && r.set.Said(config.MaxDelete) {
		if b.MaxDelete, err = argument.MaxDelete(r.set.Get(config.MaxDelete)); err != nil {
			return blame(r.set, config.MaxDelete, err)
		}
	}
	b.Notice = func(l engine.Level, s string) { r.msg.print(l, s) }
	b.Fatal = func(exit int, err error) {
		r.msg.print(engine.Error, err.Error())
		r.last.now(exit, err)
		os.Exit(exit)
	}
	if err := r.logLimits(b); err != nil {
		return err
	}
	r.algorithm()
	if r.width > 0 && (r.verbose || r.debug) {
		r.msg.bar = progress.New(r.msg.w, r.width, r.now)
		b.Progress = r.msg.progress
	}
	return r.filter()
}

// algorithm judges -f and -s.
func (r *syncRun) algorithm() {
	b := &r.base
	switch {
	case r.hasState && r.state == "auto":
		b.Algorithm, b.KeepState = engine.Auto, true
	case r.hasState:
		b.Algorithm, b.State = engine.Stateful, r.state
		if err := argument.State(r.state); err != nil {
			r.msg.printf(engine.Warning, "the state given cannot be read (%v); comparing everything", err)
			b.Algorithm, b.State = engine.Full, ""
		}
	}
	if r.full {
		b.Algorithm = engine.Full
	}
}

func (r *syncRun) filter() error {
	f := &r.base.Filter
	f.GUIDs, f.MaxSize, f.Flag, f.FlagNot = r.guids, r.maxSize, r.flag, r.flagNot
	f.TreeOnly = r.treeOnly && len(r.mailboxes) == 0 && len(r.guids) == 0
	now := r.now()
	var err error
	if r.since != "" {
		if f.Since, err = argument.Date(r.since, now); err != nil {
			return usagef("-t: %w", err)
		}
	}
	if r.before != "" {
		if f.Before, err = argument.Date(r.before, now); err != nil {
			return usagef("-e: %w", err)
		}
	}
	return nil
}

// of gives the options of one user's run.
func (r *syncRun) of(user string) (engine.Options, error) {
	o := r.base
	v := r.vars(user)
	o.User = v.User
	far, err := location.Destination(r.words, v)
	if err != nil {
		return o, asked(err)
	}
	near, err := r.near(r.set, v)
	if err != nil {
		return o, err
	}
	if o.ChangeLog, err = r.changeLog(r.set, v); err != nil {
		return o, err
	}
	o.Near, o.Far = near.String(), far.String()
	if samePlace(near, far) {
		return o, usagef("source and destination are the same account: %s", o.Far)
	}
	dots := !near.FS || !far.FS
	o.Filter.Mailboxes, o.Filter.Exclude = nil, nil
	for _, m := range r.mailboxes {
		if !choose.IsUse(m) {
			n, err := choose.Name(m, dots)
			if err != nil {
				return o, usagef("-m: %w", err)
			}
			m = string(n)
		}
		o.Filter.Mailboxes = append(o.Filter.Mailboxes, m)
	}
	for _, x := range r.exclude {
		if choose.IsUse(x) {
			o.Filter.Exclude = append(o.Filter.Exclude, x)
			continue
		}
		o.Filter.Exclude = append(o.Filter.Exclude, choose.Mask(x, dots)...)
	}
	return o, nil
}

// samePlace reports whether two locations name one directory.
func samePlace(a, b location.Location) bool {
	if a.Path == b.Path {
		return true
	}
	x, errX := os.Stat(a.Path)
	y, errY := os.Stat(b.Path)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// one makes one run and prints what came of it.
func (r *syncRun) one(ctx context.Context, o engine.Options) (int, error) {
	r.oweLine(o.User, "")
	rep := r.calls.run(ctx, o)
	r.msg.clear()
	if r.dry && rep.Exit == engine.ExitOK && len(rep.Plan) > 0 {
		rep.Exit = engine.ExitAgain
	}
	if err := argument.State(rep.State); err != nil {
		rep.Exit, rep.State = engine.ExitInternal, ""
		rep.Err = errors.Join(rep.Err, fmt.Errorf("internal error: the new %w", err))
	}
	r.tell(rep)
	if err := r.last.pay(func() error { return r.print(r.result(o, rep)) }); err != nil {
		r.msg.print(engine.Error, err.Error())
		rep.Exit = engine.Combine(rep.Exit, exitOf(err))
	}
	return rep.Exit, nil
}

// tell prints errors, warnings and the summary.
func (r *syncRun) tell(rep *engine.Report) {
	for _, w := range rep.Warnings {
		r.msg.print(engine.Warning, w)
	}
	for _, c := range rep.Conflicts {
		r.msg.print(engine.Debug, c.String())
	}
	for _, i := range rep.Again {
		r.msg.print(engine.Warning, i.String()+"; running again mends it")
	}
	for _, i := range rep.Skipped {
		r.msg.print(engine.Error, i.String())
	}
	if rep.Err != nil {
		r.msg.print(engine.Error, rep.Err.Error())
	}
	if r.dry {
		r.msg.printf(engine.Info, "%d steps to do; %s", len(rep.Plan), byRule(rep.Conflicts))
		return
	}
	r.msg.print(engine.Info, summary(rep))
}
