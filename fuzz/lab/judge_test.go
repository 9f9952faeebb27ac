package lab

import (
	"slices"
	"testing"

	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
	"dsync/store"
)

// spoiled is an engine whose replicas show something else after the last run than
// there is.
type spoiled struct {
	engine.Engine
	runs  int
	spoil func(replica string, l *scenario.Listing)
}

func (e spoiled) Start(set engine.Setup) (engine.World, error) {
	w, err := e.Engine.Start(set)
	return &spoiledWorld{World: w, e: e}, err
}

type spoiledWorld struct {
	engine.World
	e    spoiled
	runs int
}

func (w *spoiledWorld) Sync(s scenario.Step) (engine.Report, error) {
	w.runs++
	return w.World.Sync(s)
}

func (w *spoiledWorld) List(replica string) (*scenario.Listing, error) {
	l, err := w.World.List(replica)
	if err == nil && w.runs == w.e.runs {
		w.e.spoil(replica, l)
	}
	return l, err
}

func mailbox(l *scenario.Listing, n store.Name) *scenario.Mailbox {
	i := slices.IndexFunc(l.Mailboxes, func(b scenario.Mailbox) bool { return b.Name == n })
	if i < 0 {
		return &scenario.Mailbox{}
	}
	return &l.Mailboxes[i]
}

// again shows the first message of a mailbox once more.
func again(n store.Name) func(string, *scenario.Listing) {
	return func(_ string, l *scenario.Listing) {
		if b := mailbox(l, n); len(b.Messages) > 0 {
			m := b.Messages[0]
			m.UID = b.UIDNext
			b.UIDNext++
			b.Messages = append(b.Messages, m)
		}
	}
}

// without shows no message of a name.
func without(name string) func(string, *scenario.Listing) {
	return func(_ string, l *scenario.Listing) {
		for i := range l.Mailboxes {
			b := &l.Mailboxes[i]
			b.Messages = slices.DeleteFunc(b.Messages, func(m scenario.Message) bool { return m.Name == name })
		}
	}
}

// What is excused is excused narrowly: beside it a law that a run breaks is seen. The
// histories themselves break none.
func TestJudgeSees(t *testing.T) {
	for _, c := range []struct {
		name, history, law string
		spoil              func(replica string, l *scenario.Listing)
	}{
		{"a double where a third lost its log", "A: create X\nA: deliver m to X\nlevel\nC: lose-log\nA: flag m in X +\\Seen\nsync A B", "P9", again("X")},
		{"a double of what was copied", "A: create X\nA: deliver m to X\nlevel\nA: copy m from X to INBOX\nsync A B", "P9", again("X")},
		{"a double in a mailbox that was renamed", "A: create X\nA: deliver m to X\nlevel\nB: rename X to Y\nsync A B", "P9", again("Y")},
		{"a flag where a third lost its log", "A: deliver m to INBOX\nlevel\nC: lose-log\nA: flag m in INBOX +\\Seen\nsync A B", "P7",
			func(_ string, l *scenario.Listing) { mailbox(l, "INBOX").Messages[0].Flags = nil }},
		{"a flag beside a run of others with a filter", "A: deliver m to INBOX\nlevel\nC: flag m in INBOX +\\Flagged\nsync C D only X\nA: flag m in INBOX +\\Seen\nsync A B", "P7",
			func(_ string, l *scenario.Listing) { mailbox(l, "INBOX").Messages[0].Flags = nil }},
		{"a loss beside a rule about another message", "A: deliver m to INBOX\nA: deliver n to INBOX\nlevel\nA: flag m in INBOX +\\Seen\nA: create X\nA: move m from INBOX to X\nB: expunge m from INBOX\nsync A B", "P6", without("n")},
		{"a subscription beside a rename", "A: create X\nA: create Y\nlevel\nA: rename X to Z\nA: subscribe Y\nsync A B", "P22",
			func(_ string, l *scenario.Listing) { l.Subscribed = nil }},
		{"a mailbox beside renames on both sides", "A: create X\nA: create Y\nA: create Z\nlevel\nA: rename X to X2\nB: rename Y to Y2\nsync A B", "P22",
			func(_ string, l *scenario.Listing) {
				l.Mailboxes = slices.DeleteFunc(l.Mailboxes, func(b scenario.Mailbox) bool { return b.Name == "Z" })
			}},
		{"a name beside a rename on the other side", "A: create X\nA: create Y\nlevel\nA: rename X to X2\nB: rename Y to Y2\nsync A B", "P22",
			func(_ string, l *scenario.Listing) { mailbox(l, "X2").Name = "X" }},
		{"an attribute beside renames on both sides", "A: create X\nA: create Y\nlevel\nA: rename X to X2\nB: rename Y to Y2\nA: attribute INBOX v\nsync A B", "P22",
			func(_ string, l *scenario.Listing) { mailbox(l, "INBOX").Attribute = "" }},
		{"exit 0 beside a clock that jumps", "A: deliver m to INBOX\nlevel\nA: deliver n to INBOX\nsync A B during 3 \"A: clock 1h\"", "P3",
			func(r string, l *scenario.Listing) {
				if r == "B" {
					without("n")(r, l)
				}
			}},
		{"what -x leaves out", "A: create X\nA: deliver m to X\nlevel\nsync A B except X*", "P26", without("m")},
		{"what -t leaves out", "level\nA: deliver m to INBOX received 2026-01-01\nsync A B since 2026-01-02", "P26",
			func(_ string, l *scenario.Listing) {
				mailbox(l, "INBOX").Messages = []scenario.Message{{UID: 1, Name: "m", GUID: "m", Received: 1_767_225_600}}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := scenario.Parse("history", []byte("scenario s\nreplicas A B C D\n"+c.history+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			s := f.Scenarios[0]
			if r := Play(engine.Memory(), s, Options{}); !r.Pass {
				t.Fatalf("as it is: %v %s %s", r.Broken, r.Failed, r.Skipped)
			}
			runs := 0
			Play(spoiled{engine.Memory(), -1, nil}, s, Options{Told: func(scenario.Step, engine.Report) { runs++ }})
			for _, step := range s.Steps {
				if step.Verb == scenario.Level {
					runs += 2 * (len(s.Replicas) - 1)
				}
			}
			r := Play(spoiled{engine.Memory(), runs, c.spoil}, s, Options{})
			if !slices.Contains(r.BrokenLaws(), c.law) {
				t.Errorf("%s not seen: %v %s", c.law, r.Broken, r.Failed)
			}
		})
	}
}
