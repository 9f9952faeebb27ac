package remote

import (
	"context"
	"errors"
	"sync"
)

// Pool keeps links whose run is over, for runs with the same far end. The zero value
// is an empty one. It may be used by several goroutines.
type Pool struct {
	mu   sync.Mutex
	idle map[string][]*Link
}

// Take gives a link that was put in under a key and is still there, nil if there is
// none.
func (p *Pool) Take(key string) *Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	for all := p.idle[key]; len(all) > 0; {
		l := all[len(all)-1]
		all = all[:len(all)-1]
		p.idle[key] = all
		if l.Alive() {
			l.again()
			return l
		}
		go l.Fail(0, "") // it is over: nothing is waited for
	}
	return nil
}

// Put keeps a link.
func (p *Pool) Put(key string, l *Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle == nil {
		p.idle = map[string][]*Link{}
	}
	p.idle[key] = append(p.idle[key], l)
}

// Close closes all, in good order as long as ctx lasts.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var wait sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, all := range p.idle { // any order: each is closed on its own
		for _, l := range all {
			wait.Go(func() {
				err := l.Close(ctx)
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
	}
	wait.Wait()
	p.idle = nil
	return errors.Join(errs...)
}
