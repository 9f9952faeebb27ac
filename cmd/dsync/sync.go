package main

import (
	"context"
	"os"
	"strings"

	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/owner"
	"dsync/cmd/internal/progress"
	"dsync/cmd/internal/userdb"
	"dsync/replay/wire"
)

// runSync is sync, backup and plan.
func runSync(ctx context.Context, p *program, c *call) (int, error) {
	r := &syncRun{program: p, call: c, dry: c.dryRun || c.name == "plan"}
	if c.many() {
		r.oweSummary()
	} else {
		r.oweLine(p.msg.user, r.old())
	}
	if err := r.checkWords(); err != nil {
		return 0, err
	}
	if err := r.prepare(); err != nil {
		return 0, err
	}
	if c.many() {
		return r.everyUser(ctx)
	}
	m, err := r.member(ctx, c.user)
	if err != nil {
		return 0, err
	}
	m.space = r.spaces[0]
	o, err := m.options()
	if err != nil {
		return 0, err
	}
	r.log = r.share(ctx, p, &o)
	exit := m.alone(ctx, o)
	// The result is out; others may have handed their work to this process.
	if err := r.log.Close(); err != nil {
		m.say.print(engine.Error, err.Error())
		exit = engine.Combine(exit, exitOf(err))
	}
	return exit, nil
}

// syncRun is one command line of sync, backup or plan.
type syncRun struct {
	*program
	*call
	dry     bool
	set     *config.Set
	uses    map[string]string
	base    engine.Options
	dbs     userdb.List  // empty: none is configured
	spaces  []*namespace // what -n and -N choose; nil: mail_location
	wire    wire.Options // of connections to far ends
	network *network     // to servers on the network
	raw     *os.File     // of -r; nil: none
	log     changeLog    // of all users; nil: each has one
}

// checkWords finds what is wrong whatever the settings and users are.
func (r *syncRun) checkWords() error {
	var whose []string
	for _, o := range []struct {
		given bool
		name  string
	}{{r.user != "", "-u"}, {r.allUsers, "-A"}, {r.userFile != "", "-F"}} {
		if o.given {
			whose = append(whose, o.name)
		}
	}
	switch {
	case len(whose) > 1:
		return usagef("%s exclude each other", strings.Join(whose, " and "))
	case r.many() && r.hasState && r.state != "auto":
		return usagef("-s STATE is one run's; for several users or namespaces use -s auto, which keeps each one's state in the change log")
	case (r.allNamespaces || len(r.call.spaces) > 1) && len(r.mailboxes)+len(r.guids) > 0:
		return usagef("-m and -g name mailboxes of one namespace; choose it with -n")
	case r.allNamespaces && len(r.call.spaces) > 0:
		return usagef("-n and -N exclude each other")
	case r.defaultDest && len(r.words) > 0:
		return usagef("-d stands for the destination; %q is one too many", r.words[0])
	case !r.defaultDest && len(r.words) == 0:
		return usagef("no destination; write one, like maildir:PATH, or -d")
	}
	if r.user != "" && !r.manyUsers() {
		if err := location.CheckUser(r.user); err != nil {
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
	if r.spaces, err = r.chosen(r.namespaces(r.set)); err != nil {
		return err
	}
	if r.user != "" || r.manyUsers() {
		if r.dbs, err = r.databases(r.set); err != nil {
			return err
		}
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
	b.Fatal = r.fatal
	if err := logLimits(r.set, b); err != nil {
		return err
	}
	if r.raw, err = r.rawLog(); err != nil {
		return err
	}
	r.wire = owner.LinkOptions{Timeout: r.timeout, Raw: r.raw}.Wire()
	r.network = &network{set: r.set, wire: r.wire, keep: r.many()}
	r.algorithm()
	if r.width > 0 && (r.verbose || r.debug) {
		r.msg.bar = progress.New(r.msg.w, r.width, r.now)
		if !r.many() {
			b.Progress = r.msg.progress
		}
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

// alone makes the run of the only user, and prints what came of it.
func (m *member) alone(ctx context.Context, o engine.Options) int {
	m.oweLine(m.name, "")
	rep := m.run(ctx, o)
	m.msg.clear()
	m.tell(rep, engine.Info)
	if err := m.last.pay(func() error { return m.print(m.result(o.User, rep)) }); err != nil {
		m.say.print(engine.Error, err.Error())
		rep.Exit = engine.Combine(rep.Exit, exitOf(err))
	}
	return rep.Exit
}
