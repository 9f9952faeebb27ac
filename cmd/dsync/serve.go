package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/owner"
	"dsync/cmd/internal/serve"
)

// serving is one dsync serve.
type serving struct {
	*program
	*call
	log     *owner.Log
	metrics *serve.Metrics
	systemd *serve.Notifier

	dir     string      // of the change log
	socket  string      // serve.socket in force; "": none
	address string      // serve.metrics in force; "": none
	page    *serve.Page // nil: none
}

// runServe holds the change log and does the work of other processes.
func runServe(ctx context.Context, p *program, c *call) (int, error) {
	if c.units {
		self, err := os.Executable()
		if err != nil {
			return 0, err
		}
		return engine.ExitOK, p.print(serve.Units(self))
	}
	s := &serving{program: p, call: c, systemd: serve.NewNotifier(p.env)}
	set, err := s.open(ctx)
	if err != nil {
		return 0, err
	}
	err = s.stay(ctx, set)
	s.systemd.Stopping()
	if s.page != nil {
		s.page.Close()
	}
	if late := s.log.Close(); late != nil {
		return 0, errors.Join(err, late)
	}
	return engine.ExitOK, err
}

// open makes this process the owner of the change log.
func (s *serving) open(ctx context.Context) (*config.Set, error) {
	set, err := s.settings(s.values)
	if err != nil {
		return nil, err
	}
	if location.Varies(set.Get(config.ChangeLog)) {
		return nil, blame(set, config.ChangeLog, errors.New("serve holds one change log, for all users: it must not hold %u"))
	}
	if s.dir, err = s.changeLog(set, s.vars("")); err != nil {
		return nil, err
	}
	setup := s.setup(&engine.Options{ChangeLog: s.dir, Fatal: s.fatal})
	setup.Ended = func(user string, rep *engine.Report) { s.metrics.Run(user, rep) }
	setup.FarEnded = func(exit int) { s.metrics.FarEnd(exit) }
	s.log = owner.New(ctx, setup)
	s.metrics = serve.NewMetrics(version, s.log.Guests)
	_, err = s.log.Owner(ctx, lockWait(s.values, set))
	return set, err
}

// stay takes work until the context ends.
func (s *serving) stay(ctx context.Context, set *config.Set) error {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	if err := s.apply(set); err != nil {
		return err
	}
	var network sync.WaitGroup
	defer network.Wait()
	if len(s.listen) > 0 {
		answer, err := s.listening(s.call, &logs{ctx: ctx, share: func(context.Context, *engine.Options) changeLog { return keptLog{s.log} }})
		if err != nil {
			return err
		}
		network.Go(func() { answer(ctx) })
	}
	s.systemd.Ready(s.status())
	s.msg.printf(engine.Info, "holding the change log %s", s.dir)
	beat := time.NewTicker(s.beat())
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-caught:
			s.reload()
		case <-beat.C:
			if s.log.Health() == nil {
				s.systemd.Alive()
			}
			s.systemd.Status(s.status())
		}
	}
}

// statusEvery is how often systemd is told what is under way.
const statusEvery = 10 * time.Second

func (s *serving) beat() time.Duration {
	if e := s.systemd.Every(); e > 0 {
		return min(e, statusEvery)
	}
	return statusEvery
}

func (s *serving) status() string {
	return fmt.Sprintf("%d runs and far ends under way for other processes", s.log.Guests())
}

// reload reads the configuration anew. What is no good changes nothing.
func (s *serving) reload() {
	s.systemd.Reloading()
	set, err := s.settings(s.values)
	if err == nil {
		err = s.apply(set)
	}
	s.metrics.Reload(err)
	if err != nil {
		s.msg.printf(engine.Error, "the configuration stays as it was: %v", err)
	} else {
		s.msg.print(engine.Info, "the configuration was read anew")
	}
	s.systemd.Ready(s.status())
}

// apply opens what the settings serve.* name, and then closes what they named before.
func (s *serving) apply(set *config.Set) error {
	if dir, err := s.changeLog(set, s.vars("")); err != nil || dir != s.dir {
		if err == nil {
			err = fmt.Errorf("another change log (%s) needs another start; %s is open", dir, s.dir)
		}
		return err
	}
	socket, address := set.Get(config.ServeSocket), set.Get(config.ServeMetrics)
	if socket == filepath.Join(s.dir, owner.SocketName) {
		socket = "" // it is there without
	}
	newSocket, newAddress := socket != s.socket, address != s.address
	if newSocket && socket != "" {
		if err := s.listenAt(socket); err != nil {
			return blame(set, config.ServeSocket, err)
		}
	}
	if newAddress {
		if err := s.turnPage(address); err != nil {
			if newSocket && socket != "" {
				s.log.Unlisten(socket)
			}
			return blame(set, config.ServeMetrics, err)
		}
		s.address = address
	}
	if newSocket {
		if s.socket != "" {
			s.log.Unlisten(s.socket)
		}
		s.socket = socket
	}
	return nil
}

// listenAt takes work at a socket, unless another process does.
func (s *serving) listenAt(path string) error {
	if c, err := owner.Dial(path); err == nil {
		c.Close()
		return fmt.Errorf("another process listens at %s", path)
	}
	return s.log.Listen(path)
}

// turnPage answers on an address, and no more on the one before.
func (s *serving) turnPage(address string) error {
	var page *serve.Page
	if address != "" {
		l, err := serve.Listen(address)
		if err != nil {
			return err
		}
		page = &serve.Page{Metrics: s.metrics, Health: s.log.Health}
		page.Serve(l)
		s.msg.printf(engine.Info, "metrics are at http://%s/metrics", l.Addr())
	}
	if s.page != nil {
		s.page.Close()
	}
	s.page = page
	return nil
}

// keptLog is a change log that stays open.
type keptLog struct{ *owner.Log }

// Close leaves it open.
func (keptLog) Close() error { return nil }
