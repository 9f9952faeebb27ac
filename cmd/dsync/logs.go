package main

import (
	"context"
	"sync"
	"time"

	"dsync/changelog/logdb"
	"dsync/cmd/internal/engine"
)

// linger is how long a change log that nobody uses stays open: runs that follow one
// another do not open it anew each, and other processes wait no longer than that.
const linger = 2 * time.Second

// logs are the change logs that runs under way share.
type logs struct {
	ctx   context.Context // of what other processes hand over
	share func(context.Context, *engine.Options) changeLog
	keep  bool // what is open stays open: other processes hand their work to this one

	mu  sync.Mutex
	all map[string]*openLog
}

// openLog is one of them. Its fields are guarded by turn.
type openLog struct {
	turn  chan struct{} // has one place
	keep  bool
	log   changeLog // nil: not open
	users int
	since int // counts uses, so that an old timer closes nothing
}

// use opens the change log of a directory, or takes part in it; done gives it back.
func (g *logs) use(ctx context.Context, o *engine.Options, wait time.Duration) (*logdb.DB, func(), error) {
	dir := o.ChangeLog
	g.mu.Lock()
	if g.all == nil {
		g.all = map[string]*openLog{}
	}
	l := g.all[dir]
	if l == nil {
		l = &openLog{turn: make(chan struct{}, 1), keep: g.keep}
		g.all[dir] = l
	}
	g.mu.Unlock()
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	defer func() { <-l.turn }()
	if l.log == nil {
		l.log = g.share(g.ctx, o)
	}
	db, err := l.log.Owner(ctx, wait)
	if err != nil {
		return nil, nil, err
	}
	l.users++
	l.since++
	return db, l.leave, nil
}

func (l *openLog) leave() {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.users--
	since := l.since
	if l.users == 0 && !l.keep {
		l.shutLater(since)
	}
}

// shutLater closes the change log when it was not used for a while, here or by others
// through this process.
func (l *openLog) shutLater(since int) {
	time.AfterFunc(linger, func() {
		l.turn <- struct{}{}
		defer func() { <-l.turn }()
		switch {
		case l.users > 0 || l.since != since || l.log == nil:
		case l.log.Guests() > 0:
			l.shutLater(since)
		default:
			l.shut()
		}
	})
}

// shut closes the database. What was committed stands, whether or not it closes well.
func (l *openLog) shut() {
	if l.log != nil {
		_ = l.log.Close()
		l.log = nil
	}
}

// close closes all. No run is under way.
func (g *logs) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.all { // any order
		l.turn <- struct{}{}
		l.shut()
		<-l.turn
	}
}
