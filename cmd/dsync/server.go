package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/progress"
	"dsync/cmd/internal/remote"
	"dsync/replay/wire"
)

// runServer is the far end of remote runs, on standard input and output. Whose mail
// it is says -u, or who runs the program; never the near end.
func runServer(ctx context.Context, p *program, c *call) (int, error) {
	if len(c.listen) > 0 {
		return runListen(ctx, p, c)
	}
	local, err := p.localOf(ctx, c)
	if err != nil {
		return 0, err
	}
	o, err := c.wireOptions()
	if err != nil {
		return 0, err
	}
	stream, err := p.stream()
	if err != nil {
		return 0, err
	}
	l := remote.New(stream, "the near end", o)
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		l.Close(closing)
	}()
	if err := engine.Serve(ctx, l, local); err != nil {
		p.msg.print(engine.Debug, err.Error()) // the near end was told, and tells people
		return engine.ExitOf(err), nil
	}
	return engine.ExitOK, nil
}

// stdio is the standard input and output of a server.
func stdio() (io.ReadWriteCloser, error) {
	if _, ok := progress.Terminal(os.Stdin); ok {
		return nil, usagef("dsync server talks to another dsync, which runs it by ssh or the like; it has nothing to say to a terminal")
	}
	return remote.Stdio()
}

// closeTime bounds how long the end of a connection is waited for.
const closeTime = 5 * time.Second

// localOf says where the mail at this end is.
func (p *program) localOf(ctx context.Context, c *call) (engine.Local, error) {
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
	o.Fatal = func(exit int, err error) {
		p.msg.print(engine.Error, err.Error())
		os.Exit(exit)
	}
	if err := logLimits(r.set, &o); err != nil {
		return nil, err
	}
	return func(context.Context, string) (engine.Options, func(), error) { return o, func() {}, nil }, nil
}

// wireOptions are -T and -r. The raw log is written to as long as the program runs.
func (v *values) wireOptions() (o wire.Options, err error) {
	o.Timeout = v.timeout
	if v.rawlog == "" {
		return o, nil
	}
	f, err := os.OpenFile(v.rawlog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return o, fmt.Errorf("-r: %w", err)
	}
	o.Raw = f
	return o, nil
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
		name, _, _ := strings.Cut(t.Argv[0], " ")
		c := remote.Command{Argv: t.Argv, Prefix: t.Prefix, Stderr: func(line string) { m.say.print(engine.Warning, name+": "+line) }}
		return c.Run(m.wire)
	}
}
