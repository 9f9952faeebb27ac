package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/listen"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/owner"
	"dsync/cmd/internal/remote"
)

// runListen is the far end of many near ends, on the network.
func runListen(ctx context.Context, p *program, c *call) (int, error) {
	if c.socket != "" {
		return 0, usagef("--listen and -S exclude each other: who listens does the work itself")
	}
	logs := &logs{ctx: ctx, share: p.shareLog}
	defer logs.close()
	answer, err := p.listening(c, logs)
	if err != nil {
		return 0, err
	}
	answer(ctx)
	p.msg.print(engine.Info, "stopped listening")
	return engine.ExitOK, nil
}

// listening opens the addresses of --listen. answer takes connections until its context
// ends, and must be called.
func (p *program) listening(c *call, logs *logs) (answer func(context.Context), err error) {
	if c.user != "" {
		return nil, usagef("--listen and -u exclude each other: near ends name the user, and listen.users says who may touch whose mail")
	}
	house, err := p.openHouse(c)
	if err != nil {
		return nil, err
	}
	raw, err := c.rawLog()
	if err != nil {
		return nil, err
	}
	var now atomic.Pointer[openHouse]
	now.Store(house)
	ls, err := house.listen(c.listen)
	if err != nil {
		return nil, err
	}
	logs.keep = !location.Varies(house.set.Get(config.ChangeLog))
	s := &listen.Server{
		Policy: func() *listen.Policy { return now.Load().policy },
		Serve: func(ctx context.Context, l *remote.Link, g *listen.Guest) error {
			return engine.Serve(ctx, l, now.Load().local(g, logs))
		},
		Notice: func(bad bool, line string) {
			level := engine.Info
			if bad {
				level = engine.Warning
			}
			p.msg.print(level, line)
		},
		Wire: owner.LinkOptions{Timeout: c.timeout, Raw: raw}.Wire(),
	}
	for _, l := range ls {
		p.msg.printf(engine.Info, "listening on %s%s", l.Addr(), map[bool]string{true: " without TLS"}[l.Plain])
	}
	return func(ctx context.Context) {
		defer p.rereads(c, &now)()
		s.Run(ctx, ls...)
	}, nil
}

// rereads has the configuration read anew at each SIGHUP; what is no good changes
// nothing. The caller calls what it gives, in the end.
func (p *program) rereads(c *call, now *atomic.Pointer[openHouse]) func() {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	go func() {
		for range caught {
			h, err := p.openHouse(c)
			if err != nil {
				p.msg.printf(engine.Error, "the configuration stays as it was: %v", err)
				continue
			}
			now.Store(h)
			p.msg.print(engine.Info, "the configuration was read anew")
		}
	}()
	return func() {
		signal.Stop(caught)
		close(caught)
	}
}

// openHouse is what the configuration says about guests and users.
type openHouse struct {
	*syncRun
	policy *listen.Policy
}

// openHouse reads the configuration for who listens.
func (p *program) openHouse(c *call) (*openHouse, error) {
	h := &openHouse{syncRun: &syncRun{program: p, call: c}, policy: &listen.Policy{}}
	var err error
	if h.set, err = p.settings(c.values); err != nil {
		return nil, err
	}
	if h.dbs, err = p.databases(h.set); err != nil {
		return nil, err
	}
	if near := h.set.Get(config.MailLocation); len(h.dbs) == 0 && !location.Varies(near) {
		return nil, engine.Fail(engine.ExitConfig, fmt.Errorf("whose mail is where is not said: set %s, or write %%u into %s", config.UserDatabases, config.MailLocation))
	}
	if err := logLimits(h.set, &h.base); err != nil {
		return nil, err
	}
	h.base.Fatal = p.fatal
	if err := h.readPolicy(); err != nil {
		return nil, engine.Fail(engine.ExitConfig, err)
	}
	return h, nil
}

func (h *openHouse) readPolicy() (err error) {
	s, p := h.set, h.policy
	for _, w := range s.Words(config.ListenUsers) {
		r, err := listen.ParseRule(w)
		if err != nil {
			return s.Blame(config.ListenUsers, err)
		}
		p.Rules = append(p.Rules, r)
	}
	if len(p.Rules) == 0 {
		return fmt.Errorf("nobody may touch anything: %s says who may touch whose mail, as NAME=MASK", config.ListenUsers)
	}
	if s.Said(config.ListenCert) || s.Said(config.ListenKey) {
		if p.TLS, err = listen.FarTLS(s.Get(config.ListenCert), s.Get(config.ListenKey), s.Get(config.ListenCA)); err != nil {
			return err
		}
	}
	if file := s.Get(config.ListenSecrets); file != "" {
		if p.Secrets, err = listen.ReadSecrets(file); err != nil {
			return s.Blame(config.ListenSecrets, err)
		}
	}
	if !s.Said(config.ListenCA) && p.Secrets == nil {
		return fmt.Errorf("nobody could show who he is: set %s, %s or both", config.ListenCA, config.ListenSecrets)
	}
	return nil
}

// listen opens the sockets. What cannot be kept safe is not opened.
func (h *openHouse) listen(words []string) (out []listen.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range out {
				l.Close()
			}
		}
	}()
	var all []string
	for _, w := range words {
		if w == "" {
			all = append(all, h.set.Words(config.ListenAddress)...)
		} else {
			all = append(all, w)
		}
	}
	if len(all) == 0 {
		return nil, engine.Fail(engine.ExitConfig, fmt.Errorf("%s says no address", config.ListenAddress))
	}
	for _, text := range all {
		where, plain := strings.CutPrefix(text, "tcp:")
		address, err := location.Listen(strings.TrimPrefix(where, "tcps:"), h.set.Get(config.Port))
		if err != nil {
			return out, usagef("listen to %q: %w", text, err)
		}
		switch {
		case !plain && h.policy.TLS == nil:
			return out, engine.Fail(engine.ExitConfig, fmt.Errorf("listen to %q: TLS needs %s and %s", text, config.ListenCert, config.ListenKey))
		case !h.policy.Asks(plain):
			return out, engine.Fail(engine.ExitConfig, fmt.Errorf("listen to %q: without TLS only a secret shows who is there: set %s", text, config.ListenSecrets))
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return out, fmt.Errorf("listen to %q: %w", text, err)
		}
		out = append(out, listen.Listener{Listener: l, Plain: plain})
		if plain && !listen.Loopback(l.Addr()) && h.set.Get(config.ListenPlain) != "true" {
			return out, engine.Fail(engine.ExitConfig, fmt.Errorf("listen to %q: plain tcp neither hides nor protects mail; it is for loopback, unless %s = true", text, config.ListenPlain))
		}
	}
	return out, nil
}

// errNotYours is all that a guest learns of an account that is not for it.
var errNotYours = errors.New("this end does not let you touch the mail of that user")

// local says where the mail of the users is that a guest may touch.
func (h *openHouse) local(g *listen.Guest, logs *logs) engine.Local {
	return func(ctx context.Context, user string) (engine.Options, func(), error) {
		o := h.base
		if !g.May(user) {
			h.msg.printf(engine.Warning, "%s may not touch the mail of %q", g.Name(), user)
			return o, nil, engine.Fail(engine.ExitPermission, errNotYours)
		}
		m, err := h.member(ctx, user)
		if err != nil {
			return o, nil, engine.Fail(exitOf(err), err)
		}
		if o.As, err = m.as(); err != nil {
			return o, nil, err
		}
		near, err := m.near()
		if err != nil {
			return o, nil, engine.Fail(exitOf(err), err)
		}
		if o.ChangeLog, err = h.changeLog(h.set, m.vars); err != nil {
			return o, nil, engine.Fail(exitOf(err), err)
		}
		done := func() {}
		if o.DB, done, err = logs.use(ctx, &o, lockWait(h.values, h.set)); err != nil {
			return o, nil, err
		}
		o.User, o.Far, o.SpaceAt, o.Notice = m.name, near.String(), m.spaceAt, m.say.print
		return o, done, nil
	}
}
