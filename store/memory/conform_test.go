package memory_test

import (
	"testing"
	"time"

	"dsync/store"
	"dsync/store/memory"
	"dsync/store/storetest"
)

// factory makes accounts for the conformance suite.
func factory(o memory.Options) storetest.Factory {
	return func(string) (*storetest.Instance, error) {
		o.Owner = "the first run"
		s := memory.New(o)
		return &storetest.Instance{
			Store: s, Client: outside{s.Client()}, Holder: o.Owner,
			Reopen: func(readOnly bool) (store.Store, error) {
				if readOnly {
					return s.ReopenReadOnly("another run"), nil
				}
				return s.Reopen("another run"), nil
			},
		}, nil
	}
}

func TestConformance(t *testing.T) {
	storetest.Run(t, factory(memory.Options{Seed: 1}))
}

func TestConformanceLateUIDs(t *testing.T) {
	storetest.Run(t, factory(memory.Options{Seed: 2, LateUIDs: true}))
}

func TestConformanceCoarseClock(t *testing.T) {
	storetest.Run(t, factory(memory.Options{Seed: 3, Grain: 10 * time.Second}))
}

// TestConformancePoor is a store that can do as little as any.
func TestConformancePoor(t *testing.T) {
	caps := store.Capabilities{MaxMessageSize: 6 << 20}
	storetest.Run(t, factory(memory.Options{Seed: 4, Capabilities: &caps}))
}

// TestConformanceFewKeywords is a store that keeps as many keywords as a Maildir.
func TestConformanceFewKeywords(t *testing.T) {
	caps := memory.AllCapabilities()
	caps.Keywords = 26
	storetest.Run(t, factory(memory.Options{Seed: 5, Capabilities: &caps}))
}

// outside is a Client as the suite knows it.
type outside struct{ c *memory.Client }

func (o outside) Deliver(n store.Name, body []byte, f store.Flags, received time.Time) (string, error) {
	m, err := o.c.Deliver(n, body, f, nil, received)
	return m.Key, err
}

func (o outside) SetFlags(n store.Name, key string, f store.Flags) error {
	return o.c.SetFlags(n, key, f)
}

func (o outside) Move(from store.Name, key string, to store.Name) (string, error) {
	m, err := o.c.Move(from, key, to)
	return m.Key, err
}

func (o outside) Expunge(n store.Name, key string) error  { return o.c.Expunge(n, key) }
func (o outside) CreateMailbox(n store.Name) error        { return o.c.CreateMailbox(n) }
func (o outside) DeleteMailbox(n store.Name) error        { return o.c.DeleteMailbox(n) }
func (o outside) RenameMailbox(from, to store.Name) error { return o.c.RenameMailbox(from, to) }
func (o outside) Subscribe(n store.Name, on bool) error {
	if on {
		return o.c.Subscribe(n)
	}
	return o.c.Unsubscribe(n)
}
