package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/listen"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/remote"
	"dsync/replay/wire"
)

// closeTime bounds how long the end of a connection is waited for.
const closeTime = 5 * time.Second

// network is the connections to servers on it. The users of one command line
// share them: who is done leaves his to the next.
type network struct {
	set  *config.Set
	wire wire.Options
	keep bool

	once   sync.Once
	caller *listen.Caller
	err    error
	pool   remote.Pool
}

// call gives a connection on which nothing is under way.
func (n *network) call(ctx context.Context, t *location.Target) (*remote.Link, error) {
	if l := n.pool.Take(t.Text); l != nil {
		return l, nil
	}
	n.once.Do(func() { n.caller, n.err = callerOf(n.set, n.wire) })
	if n.err != nil {
		return nil, n.err
	}
	l, err := n.caller.Call(ctx, t.Address, t.TLS)
	var told *wire.Error
	switch {
	case err == nil || ctx.Err() != nil:
		return l, err
	case errors.As(err, &told):
		return nil, engine.Fail(told.Code, errors.New(told.Text))
	case listen.Refused(err):
		return nil, engine.Fail(engine.ExitPermission, err)
	case errors.Is(err, listen.ErrPlain):
		return nil, engine.Fail(engine.ExitConfig, err)
	}
	return nil, engine.Fail(engine.ExitTemp, err)
}

// part takes connections back; nil where none is kept.
func (n *network) part(t *location.Target) func(*remote.Link) error {
	if !n.keep || t.Address == "" {
		return nil
	}
	return func(l *remote.Link) error {
		n.pool.Put(t.Text, l)
		return nil
	}
}

// close closes all that were kept. What goes wrong then is nobody's trouble any more.
func (n *network) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = n.pool.Close(ctx)
}

// callerOf reads the settings connect.*.
func callerOf(s *config.Set, o wire.Options) (*listen.Caller, error) {
	c := &listen.Caller{Plain: s.Get(config.ConnectPlain) == "true", Wire: o}
	var err error
	if c.TLS, err = listen.NearTLS(s.Get(config.ConnectCert), s.Get(config.ConnectKey), s.Get(config.ConnectCA)); err != nil {
		return nil, engine.Fail(engine.ExitConfig, err)
	}
	if file := s.Get(config.ConnectSecret); file != "" {
		if c.Secret, err = listen.ReadSecret(file); err != nil {
			return nil, engine.Fail(engine.ExitConfig, s.Blame(config.ConnectSecret, err))
		}
	}
	return c, nil
}
