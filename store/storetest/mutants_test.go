package storetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"dsync/store"
	"dsync/store/memory"
)

// fake is a test that remembers how it ended.
type fake struct {
	failed  string
	skipped bool
}

func (f *fake) Helper()                        {}
func (f *fake) Logf(string, ...any)            {}
func (f *fake) Errorf(format string, a ...any) { f.failed = fmt.Sprintf(format, a...) }
func (f *fake) Fatalf(format string, a ...any) { f.Errorf(format, a...); runtime.Goexit() }
func (f *fake) Skipf(string, ...any)           { f.skipped = true; runtime.Goexit() }

// failures runs all checks on what wrap makes of a good store, and names those
// that fail.
func failures(t *testing.T, wrap func(store.Store) store.Store) map[string]string {
	out := map[string]string{}
	for _, c := range allChecks() {
		if c.name == "BodiesByteForByte" && testing.Short() {
			continue
		}
		var f fake
		done := make(chan struct{})
		go func() {
			defer close(done)
			runCheck(&f, func(string) (*Instance, error) {
				s := memory.New(memory.Options{Seed: 9})
				return &Instance{Store: wrap(s), Reopen: func(bool) (store.Store, error) { return wrap(s.Reopen("x")), nil }}, nil
			}, t.TempDir(), 7, c)
		}()
		<-done
		if f.failed != "" {
			out[c.name] = f.failed
		}
	}
	return out
}

// good forwards all; each mutant replaces one method.
type good struct{ store.Store }

type shortBody struct{ good }

func (s shortBody) Open(ctx context.Context, n store.Name, h store.Handle) (io.ReadCloser, error) {
	r, err := s.good.Open(ctx, n, h)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return io.NopCloser(bytes.NewReader(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")))), err
}

// blindCompare looks stale handles up by their key.
type blindCompare struct{ good }

func (s blindCompare) Apply(ctx context.Context, n store.Name, c *store.Change) (*store.Result, error) {
	d := *c
	fresh := func(h store.Handle) store.Handle {
		key, _, _ := bytes.Cut([]byte(h), []byte("/"))
		if found, err := s.Find(ctx, []string{string(key)}); err == nil && found[string(key)].Handle != "" {
			return found[string(key)].Handle
		}
		return h
	}
	d.Expunge, d.Flags = slices.Clone(c.Expunge), slices.Clone(c.Flags)
	for i, h := range d.Expunge {
		d.Expunge[i] = fresh(h)
	}
	return s.good.Apply(ctx, n, &d)
}

type deafLook struct{ good }

func (s deafLook) MailboxLook(ctx context.Context, n store.Name) (store.Look, error) {
	l, err := s.good.MailboxLook(ctx, n)
	if err == nil {
		l.Print = store.Fingerprint("same as ever")
	}
	return l, err
}

type noPlanCheck struct{ good }

func (s noPlanCheck) Apply(ctx context.Context, n store.Name, c *store.Change) (*store.Result, error) {
	d := *c
	d.UIDNextSeen = 0
	return s.good.Apply(ctx, n, &d)
}

type greedyDelete struct{ good }

func (s greedyDelete) DeleteMailbox(ctx context.Context, n store.Name) error {
	if n != store.Inbox && n.Check() == nil {
		inner := s.Store.(*memory.Store)
		return inner.Client().DeleteMailbox(n)
	}
	return s.good.DeleteMailbox(ctx, n)
}

type oneByOneRename struct{ good }

func (s oneByOneRename) RenameMailboxes(ctx context.Context, moves []store.Rename) error {
	for _, m := range moves {
		if err := s.good.RenameMailboxes(ctx, []store.Rename{m}); err != nil {
			return err
		}
	}
	return nil
}

type wrongDate struct{ good }

func (s wrongDate) Stage(ctx context.Context, n store.Name, m store.NewMessage, r io.Reader) (*store.Staged, error) {
	m.Received = m.Received.Add(time.Second)
	return s.good.Stage(ctx, n, m, r)
}

type noLock struct{ good }

func (noLock) Lock(context.Context, time.Duration) (func() error, error) {
	return func() error { return nil }, nil
}

type forgetfulMark struct{ good }

func (forgetfulMark) SetMark(store.Mark) error { return nil }

type lazyCleanup struct{ good }

func (lazyCleanup) Cleanup(context.Context, []store.Name) error { return nil }

// TestMutants: each broken store is caught by a check, a good one by none.
func TestMutants(t *testing.T) {
	if got := failures(t, func(s store.Store) store.Store { return good{s} }); len(got) != 1 || got["ReadOnly"] == "" {
		t.Fatalf("a good store (opened for writing where it should not be) failed %v, want ReadOnly alone", got)
	}
	for name, wrap := range map[string]func(store.Store) store.Store{
		"short body":     func(s store.Store) store.Store { return shortBody{good{s}} },
		"blind compare":  func(s store.Store) store.Store { return blindCompare{good{s}} },
		"deaf look":      func(s store.Store) store.Store { return deafLook{good{s}} },
		"no plan check":  func(s store.Store) store.Store { return noPlanCheck{good{s}} },
		"greedy delete":  func(s store.Store) store.Store { return greedyDelete{good{s}} },
		"rename in turn": func(s store.Store) store.Store { return oneByOneRename{good{s}} },
		"wrong date":     func(s store.Store) store.Store { return wrongDate{good{s}} },
		"no lock":        func(s store.Store) store.Store { return noLock{good{s}} },
		"forgetful mark": func(s store.Store) store.Store { return forgetfulMark{good{s}} },
		"lazy cleanup":   func(s store.Store) store.Store { return lazyCleanup{good{s}} },
	} {
		got := failures(t, wrap)
		delete(got, "ReadOnly")
		if len(got) == 0 {
			t.Errorf("mutant %q was not caught", name)
		}
		for check, why := range got {
			t.Logf("%s: caught by %s: %.150s", name, check, why)
		}
	}
}
