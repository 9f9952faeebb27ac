package main

import (
	"context"
	"sync"
	"time"

	"dsync/changelog/logdb"
)

// linger is how long a change log that nobody uses stays open: runs that follow one
// another do not open it anew each, and other processes wait no longer than that.
const linger = 2 * time.Second

// logs are the change logs that runs under way share.
type logs struct {
	open func(ctx context.Context, dir string, wait time.Duration, fatal func(int, error)) (*logdb.DB, error)

	mu  sync.Mutex
	all map[string]*openLog
}

// openLog is one of them. Its fields are guarded by turn.
type openLog struct {
	turn  chan struct{} // has one place
	db    *logdb.DB
	users int
	since int // counts uses, so that an old timer closes nothing
}

// use opens the change log of a directory, or takes part in it; done gives it back.
func (g *logs) use(ctx context.Context, dir string, wait time.Duration, fatal func(int, error)) (*logdb.DB, func(), error) {
	g.mu.Lock()
	if g.all == nil {
		g.all = map[string]*openLog{}
	}
	l := g.all[dir]
	if l == nil {
		l = &openLog{turn: make(chan struct{}, 1)}
		g.all[dir] = l
	}
	g.mu.Unlock()
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	defer func() { <-l.turn }()
	if l.db == nil {
		db, err := g.open(ctx, dir, wait, fatal)
		if err != nil {
			return nil, nil, err
		}
		l.db = db
	}
	l.users++
	l.since++
	return l.db, l.leave, nil
}

func (l *openLog) leave() {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.users--
	since := l.since
	if l.users > 0 {
		return
	}
	time.AfterFunc(linger, func() {
		l.turn <- struct{}{}
		defer func() { <-l.turn }()
		if l.users == 0 && l.since == since {
			l.shut()
		}
	})
}

// shut closes the database. What was committed stands, whether or not it closes well.
func (l *openLog) shut() {
	if l.db != nil {
		_ = l.db.Close()
		l.db = nil
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
