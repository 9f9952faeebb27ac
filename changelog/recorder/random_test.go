package recorder_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dsync/changelog/recorder"
	"dsync/store"
	"dsync/store/memory"
)

var paths = []store.Name{"INBOX", "a", "b", "a/x", "b/x", "a/x/y", "INBOX/s"}

// step makes one random change as a client; what does not apply does nothing.
func (w *world) step(rt *rapid.T) {
	n := rapid.SampledFrom(paths).Draw(rt, "mailbox")
	to := rapid.SampledFrom(paths).Draw(rt, "other")
	pick := func() (store.Message, bool) {
		ms, err := w.c.Messages(n)
		if err != nil || len(ms) == 0 {
			return store.Message{}, false
		}
		return ms[rapid.IntRange(0, len(ms)-1).Draw(rt, "message")], true
	}
	verb := rapid.SampledFrom([]string{"deliver", "deliver", "deliver", "flags", "keywords", "expunge", "move", "rename-move", "copy",
		"same", "create", "create", "rename", "delete", "subscribe", "unsubscribe", "attribute", "account", "reset", "raise", "assign"}).Draw(rt, "verb")
	m, ok := store.Message{}, false
	switch verb {
	case "flags", "keywords", "expunge", "move", "rename-move", "copy", "same":
		if m, ok = pick(); !ok {
			return
		}
	}
	switch verb {
	case "deliver":
		w.n++
		w.c.Deliver(n, fmt.Appendf(nil, "Subject: %d\n\nbody", w.n), store.Flags(rapid.IntRange(0, 31).Draw(rt, "flags")), nil, date)
	case "flags":
		w.c.SetFlags(n, m.Key, store.Flags(rapid.IntRange(0, 31).Draw(rt, "flags")))
	case "keywords":
		w.c.SetKeywords(n, m.Key, rapid.SliceOfN(rapid.SampledFrom([]string{"k", "l", "m"}), 0, 3).Draw(rt, "keywords")...)
	case "expunge":
		w.c.Expunge(n, m.Key)
	case "move":
		// A message that comes back to its mailbox under its old name has a new UID
		// although memory says that UIDs stand; a Maildir tells.
		if n == to || w.movedKeys[m.Key] {
			return
		}
		w.movedKeys[m.Key] = true
		w.c.Move(n, m.Key, to)
	case "rename-move":
		if w.late {
			return // until it has a UID, the log's GUID stands: TestRenamedMoveWithoutUID
		}
		w.c.MoveRenamed(n, m.Key, to)
	case "copy":
		w.c.Copy(n, m.Key, to)
	case "same":
		w.c.DeliverGUID(to, m.Content.GUID, fmt.Appendf(nil, "Subject: again\n\nbody"), 0, nil, date)
	case "create":
		w.c.CreateMailbox(n)
	case "rename":
		w.c.RenameMailbox(n, to)
	case "delete":
		w.c.DeleteMailbox(n)
	case "subscribe":
		w.c.Subscribe(n)
	case "unsubscribe":
		w.c.Unsubscribe(n)
	case "attribute":
		w.c.SetAttribute(n, "/shared/comment", rapid.SampledFrom([]string{"", "1", "2"}).Draw(rt, "value"))
	case "account":
		w.c.SetAttribute("", "/shared/admin", rapid.SampledFrom([]string{"", "1", "2"}).Draw(rt, "value"))
	case "reset":
		uv := 0
		if rapid.Bool().Draw(rt, "down") {
			w.n++
			uv = 5000 - w.n // never used before
		}
		w.c.ResetUIDs(n, store.UIDValidity(uv))
	case "raise":
		w.c.RaiseUIDNext(n, store.UID(rapid.IntRange(1, 30).Draw(rt, "uidnext")))
	case "assign":
		w.c.AssignUIDs(n)
	}
}

func TestRandomClients(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := memory.Options{
			Seed:     rapid.Uint64().Draw(rt, "seed"),
			LateUIDs: rapid.Bool().Draw(rt, "late UIDs"),
			Racy:     rapid.IntRange(0, 9).Draw(rt, "racy") == 0,
		}
		if rapid.IntRange(0, 4).Draw(rt, "coarse") == 0 {
			o.Grain = 20 * time.Millisecond
		}
		w := newWorld(rt, o)
		w.late = o.LateUIDs
		w.o.MaxDelete = recorder.Brake{Off: true}
		for range rapid.IntRange(1, 8).Draw(rt, "scans") {
			w.movedKeys = map[string]bool{}
			for range rapid.IntRange(0, 8).Draw(rt, "steps") {
				w.step(rt)
			}
			w.scan(rapid.IntRange(0, 5).Draw(rt, "full") == 0)
			if rapid.IntRange(0, 3).Draw(rt, "again") == 0 {
				w.open()
			}
			if rapid.Bool().Draw(rt, "quiet") {
				w.quiet()
			}
		}
		w.db.Close()
	})
}
