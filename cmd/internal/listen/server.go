package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"dsync/cmd/internal/remote"
	"dsync/replay/wire"
)

// Limits on connections.
const (
	MaxStrangers = 64  // not known yet
	MaxGuests    = 512 // known
	Admission    = 30 * time.Second
)

// codeTemp and codePermission are exit statuses (cli.md) that a peer is told.
const (
	codeTemp       = 75
	codePermission = 77
)

// Policy says who is let in. At least one of TLS with ClientCAs and Secrets is set.
type Policy struct {
	TLS     *tls.Config // of addresses that are not plain
	Secrets Secrets     // nil: none is asked for
	Rules   []Rule
}

// Asks reports whether anybody is asked who he is.
func (p *Policy) Asks(plain bool) bool {
	return len(p.Secrets) > 0 || !plain && p.TLS != nil && p.TLS.ClientCAs != nil
}

// Listener is a socket, and whether TLS is spoken on it.
type Listener struct {
	net.Listener
	Plain bool
}

// Server takes connections.
type Server struct {
	// Policy gives what is in force now.
	Policy func() *Policy
	// Serve answers a guest until the link ends. Its error is for the log alone.
	Serve func(ctx context.Context, l *remote.Link, g *Guest) error
	// Notice takes lines for who runs the server; bad tells which need attention.
	Notice func(bad bool, line string)
	Wire   wire.Options
	// Admission bounds how long a near end may take to show who it is; 0: 30 s.
	Admission time.Duration

	hall hall
}

// Run takes connections until ctx ends, ends those under way, and waits for them.
func (s *Server) Run(ctx context.Context, ls ...Listener) {
	if s.Admission == 0 {
		s.Admission = Admission
	}
	var all sync.WaitGroup
	stop := context.AfterFunc(ctx, func() {
		for _, l := range ls {
			l.Close()
		}
		s.hall.close()
	})
	defer stop()
	for _, l := range ls {
		all.Go(func() { s.accept(ctx, l, &all) })
	}
	all.Wait()
}

// accept takes connections of one socket. Where the system has none to give for a
// while it waits, and goes on.
func (s *Server) accept(ctx context.Context, l Listener, all *sync.WaitGroup) {
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return
		}
		if err != nil {
			if pause == 0 {
				s.Notice(true, fmt.Sprintf("take connections on %s: %v", l.Addr(), err))
			}
			pause = min(max(2*pause, 10*time.Millisecond), time.Second)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			continue
		}
		pause = 0
		all.Go(func() { s.one(ctx, c, l.Plain) })
	}
}

// one is one connection from its beginning to its end.
func (s *Server) one(ctx context.Context, c net.Conn, plain bool) {
	from := c.RemoteAddr().String()
	defer c.Close()
	defer func() {
		if r := recover(); r != nil {
			s.Notice(true, fmt.Sprintf("%s: internal error: %v; please report it: %s", from, r, debug.Stack()))
		}
	}()
	seat := s.hall.enter(c)
	defer s.hall.leave(seat)
	l, g, err := s.admit(ctx, c, plain)
	if err == nil && !s.hall.known(seat) {
		err = errors.New("too many connections")
		l.Fail(codeTemp, err.Error())
	}
	if err != nil {
		s.Notice(true, fmt.Sprintf("%s: not let in: %v", from, err))
		return
	}
	l.Name = from + " (" + g.Name() + ")"
	s.Notice(false, l.Name+": let in")
	err = s.Serve(ctx, l, g)
	switch {
	case ctx.Err() != nil:
		l.Fail(codeTemp, "the far end is being stopped; run again")
	case err == nil:
		closing, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		l.Close(closing)
	default:
		s.Notice(false, fmt.Sprintf("%s: %v", l.Name, err))
		l.Fail(codeTemp, err.Error())
	}
}

// admit finds out who is there.
func (s *Server) admit(ctx context.Context, c net.Conn, plain bool) (_ *remote.Link, _ *Guest, err error) {
	p := s.Policy()
	if !p.Asks(plain) {
		return nil, nil, errors.New("no certificates or secrets are configured, so nobody is")
	}
	begin := time.Now()
	if err := c.SetDeadline(begin.Add(s.Admission)); err != nil {
		return nil, nil, err
	}
	g := &Guest{rules: p.Rules}
	if !plain {
		t := tls.Server(c, p.TLS)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, nil, err
		}
		if c = t; p.TLS.ClientCAs != nil {
			g.Shown = append(g.Shown, certNames(t))
		}
	}
	tie, err := binding(c)
	if err != nil {
		return nil, nil, err
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	o := s.Wire
	o.Starter, o.Unknown, o.Admission = false, true, max(s.Admission-time.Since(begin), time.Millisecond)
	l := remote.New(c, c.RemoteAddr().String(), o)
	if len(p.Secrets) == 0 {
		l.Trust()
		return l, g, nil
	}
	name, err := l.Admit(ctx, p.Secrets.Of, tie)
	if err != nil {
		text := "not let in: the login is not good"
		if ctx.Err() != nil {
			text = "the far end is being stopped; run again"
		} else if errors.Is(err, remote.ErrUnexpected) {
			text = "not let in: a login is due; this end asks for a secret, which connect.secret_file names"
		}
		l.Fail(codePermission, text)
		return nil, nil, err
	}
	g.Shown = append(g.Shown, []string{name})
	return l, g, nil
}
