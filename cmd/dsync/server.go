package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/owner"
	"dsync/cmd/internal/progress"
	"dsync/cmd/internal/remote"
)

// runServer is the far end of remote runs, on standard input and output. Whose mail
// it is says -u, or who runs the program; never the near end.
func runServer(ctx context.Context, p *program, c *call) (int, error) {
	if len(c.listen) > 0 {
		return runListen(ctx, p, c)
	}
	f, err := p.farEnd(ctx, c)
	if err != nil {
		return 0, err
	}
	if f.Stream, err = p.stream(); err != nil {
		return 0, err
	}
	log := c.share(ctx, p, &f.Options)
	if err = log.Far(ctx, f); err != nil {
		p.msg.print(engine.Debug, err.Error()) // the near end was told, and tells people
	}
	if late := log.Close(); late != nil {
		p.msg.print(engine.Error, late.Error())
		err = errors.Join(err, late)
	}
	return engine.ExitOf(err), nil
}

// stdio is the standard input and output of a server.
func stdio() (*remote.Stream, error) {
	if _, ok := progress.Terminal(os.Stdin); ok {
		return nil, usagef("dsync server talks to another dsync, which runs it by ssh or the like; it has nothing to say to a terminal")
	}
	return remote.Stdio()
}

// farEnd says where the mail at this end is, and how it is spoken with.
func (p *program) farEnd(ctx context.Context, c *call) (*owner.FarEnd, error) {
	r := &syncRun{program: p, call: c}
	var err error
	if r.set, err = p.settings(c.values); err != nil {
		return nil, err
	}
	if c.user != "" {
		if err := location.CheckUser(c.user); err != nil {
			return nil, err
		}
		p.msg.user = c.user
		if r.dbs, err = p.databases(r.set); err != nil {
			return nil, err
		}
	}
	m, err := r.member(ctx, c.user)
	if err != nil {
		return nil, err
	}
	l, err := m.near()
	if err != nil {
		return nil, err
	}
	o := engine.Options{User: m.name, Far: l.String(), SpaceAt: m.spaceAt, Notice: m.say.print}
	if o.As, err = m.as(); err != nil {
		return nil, err
	}
	if o.ChangeLog, err = p.changeLog(r.set, m.vars); err != nil {
		return nil, err
	}
	o.Fatal = p.fatal
	if err := logLimits(r.set, &o); err != nil {
		return nil, err
	}
	f := &owner.FarEnd{Options: o, Spaces: m.spacesAt(), Wait: lockWait(c.values, r.set)}
	f.Link.Timeout = c.timeout
	f.Link.Raw, err = c.rawLog()
	return f, err
}

// rawLog opens the file of -r, which is written to as long as the program runs; nil:
// there is none.
func (v *values) rawLog() (*os.File, error) {
	if v.rawlog == "" {
		return nil, nil
	}
	f, err := os.OpenFile(v.rawlog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("-r: %w", err)
	}
	return f, nil
}

// setTimeout takes -T.
func (v *values) setTimeout(s string) error {
	d, err := argument.Seconds(s)
	if err == nil && d <= 0 {
		err = errors.New("want at least one second")
	}
	v.timeout = d
	return err
}

// connect says how to reach a far end; nil for one of this process.
func (m *member) connect(t *location.Target) func(context.Context) (*remote.Link, error) {
	if !t.Remote() {
		return nil
	}
	return func(ctx context.Context) (*remote.Link, error) {
		if t.Address != "" {
			return m.network.call(ctx, t)
		}
		return m.child(t).Run(m.wire)
	}
}

// child is the command that leads to a far end.
func (m *member) child(t *location.Target) remote.Command {
	name, _, _ := strings.Cut(t.Argv[0], " ")
	return remote.Command{Argv: t.Argv, Prefix: t.Prefix, Stderr: func(line string) { m.say.print(engine.Warning, name+": "+line) }}
}
