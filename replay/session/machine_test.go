package session

import (
	"context"
	"errors"
	"testing"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

var (
	here  = changelog.Replica{ID: 1}
	there = changelog.Replica{ID: 2}
)

func seenUpTo(r changelog.Replica, n uint64) (s changelog.Seen) {
	s.Dots.AddRange(r, changelog.Range{Lo: 1, Hi: n})
	return s
}

// R5: changes of this replica that it never made are refused wherever they come: in
// what the other end has seen, as a message, in the past of one, in the tree.
func TestForged(t *testing.T) {
	dot := changelog.Dot{Replica: here, Seq: 4}
	message := func(past bool) *changelog.Message {
		m := &changelog.Message{}
		w := changelog.Write{Dot: dot}
		if past {
			m.Past.Add(dot)
			w.Dot = changelog.Dot{Replica: there, Seq: 1}
		}
		m.Origins = []changelog.Write{w}
		return m
	}
	node := &changelog.Node{GUIDs: []store.MailboxGUID{{1}}}
	node.Past.Add(dot)
	for name, c := range map[string]struct {
		seen  changelog.Seen
		delta *Delta
		more  *More
	}{
		"seen":    {seen: seenUpTo(here, 4)},
		"message": {delta: &Delta{Tree: &changelog.Tree{}, Messages: []*changelog.Message{message(false)}}},
		"past":    {delta: &Delta{Tree: &changelog.Tree{}, Messages: []*changelog.Message{message(true)}}},
		"tree":    {delta: &Delta{Tree: &changelog.Tree{Nodes: []*changelog.Node{node}}}},
		"more":    {more: &More{Messages: []*changelog.Message{message(false)}}},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(Config{First: true, Starter: true, Policy: merge.Safe}, &Hello{Version: Version, Replica: here, Seq: 3, Seen: seenUpTo(here, 3)})
			next := func(want Do) {
				t.Helper()
				if a := m.Next(); a.Do != want {
					t.Fatalf("action %d, want %d", a.Do, want)
				}
			}
			next(DoSend)
			next(DoReceive)
			err := m.Receive(&Frame{Kind: KindHello, Hello: &Hello{Version: Version, Replica: there, Seen: c.seen, Digest: changelog.Digest{1}}})
			if c.delta != nil || c.more != nil {
				if err != nil {
					t.Fatal(err)
				}
				m.Ranged(&Range{})
				if err := m.Receive(&Frame{Kind: KindRange, Range: &Range{}}); err != nil {
					t.Fatal(err)
				}
				m.Loaded(&Delta{Tree: &changelog.Tree{}})
				d := c.delta
				if d == nil {
					d = &Delta{Tree: &changelog.Tree{}}
				}
				err = m.Receive(&Frame{Kind: KindDelta, Delta: d})
			}
			if c.more != nil {
				if err != nil {
					t.Fatal(err)
				}
				m.LoadedMore(nil)
				err = m.Receive(&Frame{Kind: KindMore, More: c.more})
			}
			if !errors.Is(err, ErrForged) {
				t.Errorf("%v, want %v", err, ErrForged)
			}
		})
	}
}

// nowhere is a connection on which nothing comes.
type nowhere struct{}

func (nowhere) Send(context.Context, []byte) error      { return nil }
func (nowhere) Receive(context.Context) ([]byte, error) { return nil, ErrCut }

// A frame that is not due ends the session, whatever it holds.
func TestNotDue(t *testing.T) {
	for _, k := range []Kind{KindRange, KindDelta, KindMore, KindHashes, KindPlan, KindReady, KindFed, KindReport, KindLock, 200} {
		m := New(Config{First: true, Policy: merge.Safe}, &Hello{Version: Version, Replica: here})
		if err := m.Receive(&Frame{Kind: k}); !errors.Is(err, ErrFrame) {
			t.Errorf("kind %d: %v, want %v", k, err, ErrFrame)
		}
	}
	d := NewDriver(Config{First: true, Policy: merge.Safe}, &Hello{Version: Version, Replica: here}, nil)
	d.Conn = nowhere{}
	if err := d.run(t.Context()); !errors.Is(err, ErrCut) {
		t.Errorf("%v, want %v", err, ErrCut)
	}
}
