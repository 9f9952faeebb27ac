package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dsync/changelog/logdb"
	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/owner"
	"dsync/cmd/internal/remote"
)

// changeLog is the way to a change log that processes share (owner.Log).
type changeLog interface {
	Owner(ctx context.Context, wait time.Duration) (*logdb.DB, error)
	Guests() int
	Ready(ctx context.Context, wait time.Duration) error
	Run(ctx context.Context, r *owner.Run) *engine.Report
	Far(ctx context.Context, f *owner.FarEnd) error
	Close() error
}

// share makes the way to the change log of a run: the owner whom -S names, or whoever
// can be it.
func (v *values) share(ctx context.Context, p *program, o *engine.Options) changeLog {
	log := p.shareLog(ctx, o)
	if at, ok := log.(*owner.Log); ok && v.socket != "" {
		return &sentLog{at, v.socket}
	}
	return log
}

// sentLog is the change log of the owner at a socket (-S).
type sentLog struct {
	*owner.Log
	path string
}

// Ready is owner.Log's, of that owner.
func (l *sentLog) Ready(ctx context.Context, _ time.Duration) error { return l.ReadyAt(ctx, l.path) }

// Run is owner.Log's, by that owner.
func (l *sentLog) Run(ctx context.Context, r *owner.Run) *engine.Report {
	return l.RunAt(ctx, l.path, r)
}

// Far is owner.Log's, by that owner.
func (l *sentLog) Far(ctx context.Context, f *owner.FarEnd) error { return l.FarAt(ctx, l.path, f) }

// setSocket takes -S.
func (v *values) setSocket(s string) error {
	if !strings.Contains(s, "/") {
		if _, _, err := net.SplitHostPort(s); err == nil {
			return errors.New("commands are sent to a dsync serve of this machine, by the path of its socket; a far end on the network is a destination: tcps:" + s)
		}
	}
	path, err := filepath.Abs(s)
	v.socket = path
	return err
}

func (p *program) shareLog(ctx context.Context, o *engine.Options) changeLog {
	return p.calls.share(ctx, p.setup(o))
}

// setup is what this process brings to a change log.
func (p *program) setup(o *engine.Options) owner.Setup {
	return owner.Setup{
		Dir: o.ChangeLog, Fatal: o.Fatal, Notice: func(l engine.Level, s string) { p.msg.print(l, s) },
		Run: p.calls.run, Call: callFar,
	}
}

// callFar reaches a far end on the network for a run of another process.
func callFar(ctx context.Context, c *owner.Call, raw *os.File) (*remote.Link, error) {
	n := &network{set: &config.Set{}, wire: owner.LinkOptions{Timeout: c.Timeout, Raw: raw}.Wire()}
	for _, s := range c.Settings {
		if err := n.set.Put(s); err != nil {
			return nil, err
		}
	}
	return n.call(ctx, &c.Target)
}

// connectSettings are those that callFar needs.
func connectSettings(set *config.Set) (out []string) {
	for _, key := range []string{config.ConnectPlain, config.ConnectCert, config.ConnectKey, config.ConnectCA, config.ConnectSecret} {
		if set.Said(key) {
			out = append(out, key+"="+set.Get(key))
		}
	}
	return out
}

// asking is the member's run as it may be handed to another process.
func (m *member) asking(o engine.Options) *owner.Run {
	r := &owner.Run{Options: o, Level: m.msg.level}
	r.Link.Timeout, r.Link.Raw = m.wire.Timeout, m.raw
	switch t := &m.to; {
	case t.Address != "":
		r.Call = &owner.Call{Target: *t, Settings: connectSettings(m.set), Timeout: m.wire.Timeout}
	case t.Remote():
		r.Start = func(context.Context) (*remote.Stream, error) { return m.child(t).Start() }
	}
	return r
}
