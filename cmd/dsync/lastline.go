package main

import (
	"sync"
)

// lastLine is the line that sync and backup owe to standard output: it is written
// once, whatever happens.
type lastLine struct {
	mu    sync.Mutex
	write func(exit int, err error) // nil: nothing is owed
}

// owe says how the line is written if the run ends early.
func (l *lastLine) owe(write func(exit int, err error)) {
	l.mu.Lock()
	l.write = write
	l.mu.Unlock()
}

// pay writes the line with f instead, if it is still owed or never was.
func (l *lastLine) pay(f func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write = nil
	return f()
}

// now writes the owed line.
func (l *lastLine) now(exit int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.write != nil {
		l.write(exit, err)
		l.write = nil
	}
}
