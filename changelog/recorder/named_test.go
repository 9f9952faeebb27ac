package recorder_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/store"
	"dsync/store/memory"
)

// found gives what was logged since the last call, as "kind path".
func (w *world) found() []string {
	w.t.Helper()
	out := []string{}
	all := w.events()
	for _, e := range all[w.logged:] {
		what := e.Body.Kind().String()
		switch b := e.Body.(type) {
		case changelog.Deliver:
			what += " " + string(b.Path)
		case changelog.Found:
			what += " " + string(b.Path)
		case changelog.Copy:
			what += " " + string(b.Path)
		case changelog.Move:
			what += fmt.Sprintf(" %s>%s", b.From, b.To)
		case changelog.Expunge:
			what += " " + string(b.Path)
		case changelog.SetFlags:
			what += fmt.Sprintf(" %s +%v -%v", b.Path, b.Set, b.Clear)
		case changelog.SetKeywords:
			what += fmt.Sprintf(" %s +%v -%v", b.Path, b.Set, b.Clear)
		case changelog.CreateMailbox:
			what += " " + string(b.Path)
			if b.NoSelect {
				what += " noselect"
			}
		case changelog.RenameMailbox:
			what += fmt.Sprintf(" %s>%s", b.From, b.To)
		case changelog.DeleteMailbox:
			what += fmt.Sprintf(" %s %d", b.Path, b.Messages)
		case changelog.Subscribe:
			what += fmt.Sprintf(" %s %v", b.Path, b.On)
		case changelog.SetAttribute:
			what += fmt.Sprintf(" %s %s=%s", b.Path, b.Key, b.Value)
		case changelog.RaiseUIDNext:
			what += fmt.Sprintf(" %s %d", b.Path, b.UIDNext)
		case changelog.ResetUIDs:
			what += fmt.Sprintf(" %s", b.Path)
		}
		out = append(out, what)
	}
	w.logged = len(all)
	return out
}

// want scans and fails unless exactly these events were logged.
func (w *world) want(events ...string) *recorder.Look {
	w.t.Helper()
	l := w.scan(false)
	w.wantFound(events...)
	return l
}

func (w *world) wantFound(events ...string) {
	w.t.Helper()
	got := w.found()
	slices.Sort(got)
	slices.Sort(events)
	if !slices.Equal(got, events) {
		w.t.Fatalf("logged\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(events, "\n  "))
	}
}

// known gives a world whose log knows an account of INBOX, a, b and a/x with n
// messages each in INBOX and a.
func known(t *testing.T, n int, o memory.Options) *world {
	w := newWorld(t, o)
	for _, p := range []store.Name{"a", "b", "a/x"} {
		w.ok(w.c.CreateMailbox(p), "create")
	}
	for range n {
		w.deliver("INBOX")
		w.deliver("a")
	}
	w.scan(false)
	w.found()
	t.Cleanup(func() { w.db.Close() })
	return w
}

func (w *world) in(n store.Name) []store.Message {
	w.t.Helper()
	ms, err := w.c.Messages(n)
	w.ok(err, "messages")
	return ms
}

func (w *world) record(d changelog.Dot) *logdb.Record {
	w.t.Helper()
	r, err := w.r.Account().Record(d)
	w.ok(err, "record")
	return r
}

func TestFoundHasZeroStamps(t *testing.T) {
	w := known(t, 2, memory.Options{})
	for _, e := range w.events() {
		if !e.Stamp.IsFound() {
			t.Fatalf("%v has stamp %v at a first look", e.Body, e.Stamp)
		}
	}
	w.deliver("a")
	w.scan(false)
	all := w.events()
	if e := all[len(all)-1]; e.Stamp.IsFound() || e.Body.Kind() != changelog.KindDeliver {
		t.Fatalf("%v %+v after the first look", e.Stamp, e.Body)
	}
}

func TestDeliverNotesMailbox(t *testing.T) {
	w := known(t, 1, memory.Options{})
	w.deliver("b")
	w.deliver("b")
	l := w.want("deliver b", "deliver b")
	n := l.Layout.ByPath["b"].Holder
	if !slices.ContainsFunc(n.Presence, func(p changelog.NodePresence) bool { return p.Delivery }) {
		t.Fatalf("no delivery among the presence of b: %+v", n.Presence)
	}
}

func TestMove(t *testing.T) {
	w := known(t, 2, memory.Options{})
	m := w.in("INBOX")[0]
	_, err := w.c.Move("INBOX", m.Key, "b")
	w.ok(err, "move")
	w.ok(w.c.SetFlags("b", m.Key, store.Seen), "flags")
	w.want("move INBOX>b", `flags b +\Seen -`)
	w.quiet()
}

func TestMoveRenamed(t *testing.T) {
	w := known(t, 2, memory.Options{})
	_, err := w.c.MoveRenamed("INBOX", w.in("INBOX")[0].Key, "b")
	w.ok(err, "move")
	w.want("move INBOX>b")
	w.quiet()
}

func TestRenamedMoveWithoutUID(t *testing.T) {
	w := known(t, 2, memory.Options{LateUIDs: true})
	was := w.in("INBOX")[0]
	_, err := w.c.MoveRenamed("INBOX", was.Key, "b")
	w.ok(err, "move")
	w.look(false)
	w.wantFound("move INBOX>b")
	n := 0
	ids, err := w.r.Account().ByGUID(was.Content.GUID)
	w.ok(err, "by GUID")
	for _, id := range ids {
		if r := w.record(id); r.Live() {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d messages under the GUID that was moved, want 1", n)
	}
	w.ok(w.c.AssignUIDs("b"), "assign")
	w.scan(false)
	w.quiet()
}

func TestCopy(t *testing.T) {
	w := known(t, 1, memory.Options{})
	m := w.in("INBOX")[0]
	_, err := w.c.Copy("INBOX", m.Key, "b")
	w.ok(err, "copy")
	w.want("copy b")
	all := w.events()
	e := all[len(all)-1]
	if r := w.record(e.Cause); r == nil || r.Content.GUID != m.Content.GUID {
		t.Fatalf("cause %v is %+v", e.Cause, r)
	}
	w.quiet()
}

func TestCopyThenExpungeIsAMove(t *testing.T) {
	w := known(t, 1, memory.Options{})
	m := w.in("INBOX")[0]
	_, err := w.c.Copy("INBOX", m.Key, "b")
	w.ok(err, "copy")
	w.ok(w.c.Expunge("INBOX", m.Key), "expunge")
	w.want("move INBOX>b")
}

func TestFlags(t *testing.T) {
	w := known(t, 1, memory.Options{})
	m := w.in("a")[0]
	w.ok(w.c.SetFlags("a", m.Key, store.Seen|store.Flagged), "flags")
	w.ok(w.c.SetKeywords("a", m.Key, "k"), "keywords")
	w.want(`flags a +\Flagged \Seen -`, "keywords a +[k] -[]")
	w.ok(w.c.SetFlags("a", m.Key, store.Seen|store.Answered), "flags")
	w.want(`flags a +\Answered -\Flagged`)
	w.ok(w.c.SetFlags("a", m.Key, 0), "flags")
	w.ok(w.c.SetFlags("a", m.Key, store.Seen|store.Answered), "flags")
	w.want() // set and cleared between two looks
	w.quiet()
}

func TestFlagStampIsEvidence(t *testing.T) {
	w := known(t, 1, memory.Options{})
	m := w.in("a")[0]
	w.ok(w.c.SetFlags("a", m.Key, store.Seen), "flags")
	changed := w.in("a")[0].Changed.UnixMicro()
	w.ticks += 60e6
	w.want(`flags a +\Seen -`)
	all := w.events()
	if got := all[len(all)-1].Stamp.Time; got != changed {
		t.Fatalf("stamp %d, evidence %d", got, changed)
	}
}

func TestExpunge(t *testing.T) {
	w := known(t, 3, memory.Options{})
	m := w.in("a")[1]
	w.ok(w.c.Expunge("a", m.Key), "expunge")
	l := w.want("expunge a")
	ids, err := w.r.Account().ByGUID(m.Content.GUID)
	w.ok(err, "by GUID")
	r := w.record(ids[0])
	n := l.Layout.ByPath["a"].Holder
	if want := (changelog.Was{Mailbox: n.GUID(), UIDValidity: n.UIDValidity, UID: m.UID}); r.Was != want || r.Live() {
		t.Fatalf("tombstone was %+v, want %+v", r.Was, want)
	}
	v, _, err := w.r.Account().Vanished(n.GUIDs, 0)
	w.ok(err, "vanished")
	if want := []logdb.UIDRange{{Lo: m.UID, Hi: m.UID}}; !slices.Equal(v, want) {
		t.Fatalf("vanished %v, want %v", v, want)
	}
}

func TestExpungeInDoubt(t *testing.T) {
	w := known(t, 3, memory.Options{})
	m := w.in("a")[0]
	w.ok(w.c.Expunge("a", m.Key), "expunge")
	once := true
	w.mem.SetHook(func(op string) {
		if op == memory.OpScanned && once {
			once = false
			w.deliver("b") // while the mailboxes are listed
		}
	})
	l := w.look(false)
	w.mem.SetHook(nil2)
	if len(l.Doubt) == 0 || len(l.Absent) != 1 {
		t.Fatalf("doubt %v, absent %v", l.Doubt, l.Absent)
	}
	w.wantFound()
	w.want("expunge a", "deliver b")
	w.quiet()
}

func nil2(string) {}

func TestMovedWhileListed(t *testing.T) {
	for _, back := range []bool{false, true} {
		w := known(t, 2, memory.Options{})
		from, to := store.Name("a"), store.Name("b")
		if back {
			w.ok(w.c.CreateMailbox("A0"), "create")
			w.scan(false)
			w.found()
			to = "A0" // listed before a
		}
		w.deliver(to)
		w.deliver(from)
		m := w.in(from)[0]
		n := 0
		w.mem.SetHook(func(op string) {
			if op == memory.OpScan {
				if n++; n == 2 {
					_, err := w.c.Move(from, m.Key, to)
					w.ok(err, "move")
				}
			}
		})
		w.look(false)
		w.mem.SetHook(nil2)
		for _, e := range w.found() {
			if strings.HasPrefix(e, "expunge") {
				t.Fatalf("%s: a message that moved while the mailboxes were listed", e)
			}
		}
		w.scan(false)
		got := w.found()
		if !slices.Contains(got, fmt.Sprintf("move %s>%s", from, to)) && !slices.Contains(got, "copy "+string(to)) {
			t.Logf("back %v: then %v", back, got)
		}
		w.quiet()
	}
}

func TestNewUIDValidity(t *testing.T) {
	w := known(t, 2, memory.Options{})
	w.deliver("b")
	w.scan(false)
	w.found()
	w.ok(w.c.ResetUIDs("b", 0), "reset")
	w.want("reset-uids b")
	w.ok(w.c.ResetUIDs("b", 7), "reset")
	l := w.want("reset-uids b")
	if n := l.Layout.ByPath["b"].Holder; n.Past.Empty() {
		t.Fatalf("nothing tells peers that UIDVALIDITY changed")
	}
	w.quiet()
}

// A new UIDVALIDITY begins a new count.
func TestNewUIDValidityCountsAnew(t *testing.T) {
	w := known(t, 2, memory.Options{})
	w.ok(w.c.RaiseUIDNext("a", 40), "raise")
	w.scan(false)
	w.ok(w.c.ResetUIDs("a", 0), "reset")
	l := w.look(false)
	st, err := w.st.Status(ctx, "a")
	w.ok(err, "status")
	if n := l.Layout.ByPath["a"].Holder; n.UIDNext != st.UIDNext || n.UIDNext >= 40 {
		t.Fatalf("UIDNEXT %d in the log, %d in the store", n.UIDNext, st.UIDNext)
	}
}

// A message with other flags that cannot be read is not gone.
func TestUnreadableIsNotGone(t *testing.T) {
	w := known(t, 2, memory.Options{})
	m := w.in("a")[0]
	w.ok(w.c.SetFlags("a", m.Key, store.Seen), "flags")
	w.mem.SetFail(func(op string, n store.Name, _ string) error {
		if op == memory.OpDescribe && n == "a" {
			return errors.New("input/output error")
		}
		return nil
	})
	if l := w.look(false); len(l.Absent) != 1 || len(l.Doubt) != 1 {
		t.Errorf("absent %v, doubt %v", l.Absent, l.Doubt)
	}
	w.wantFound()
	w.mem.SetFail(nil)
	w.want(`flags a +\Seen -`)
}

func TestRaiseUIDNext(t *testing.T) {
	w := known(t, 2, memory.Options{})
	w.ok(w.c.RaiseUIDNext("a", 40), "raise")
	w.want("raise-uidnext a 40")
	w.deliver("a")
	w.want("deliver a")
	w.deliver("a")
	w.ok(w.c.Expunge("a", w.deliver("a").Key), "expunge")
	w.want("deliver a", "raise-uidnext a 43")
	w.quiet()
}

func TestRenames(t *testing.T) {
	w := known(t, 1, memory.Options{})
	w.ok(w.c.RenameMailbox("a", "c"), "rename")
	w.want("rename-mailbox a>c") // a/x follows
	w.ok(w.c.RenameMailbox("c", "t"), "rename")
	w.ok(w.c.RenameMailbox("b", "c"), "rename")
	w.ok(w.c.RenameMailbox("t", "b"), "rename")
	w.want("rename-mailbox c>b", "rename-mailbox b>c") // swapped
	w.ok(w.c.RenameMailbox("b/x", "q/r/x"), "rename")
	w.want("create-mailbox q noselect", "create-mailbox q/r noselect", "rename-mailbox b/x>q/r/x")
	w.ok(w.c.RenameMailbox("q", "p"), "rename")
	w.want("rename-mailbox q>p") // a parent without mail is known by what was below it
	w.ok(w.c.RenameMailbox("c", "d"), "rename")
	w.ok(w.c.CreateMailbox("c"), "create")
	w.want("rename-mailbox c>d", "create-mailbox c")
	w.quiet()
}

func TestRenameIntoItself(t *testing.T) {
	w := known(t, 1, memory.Options{})
	w.ok(w.c.RenameMailbox("a/x", "t"), "rename")
	w.ok(w.c.RenameMailbox("a", "t/a"), "rename")
	w.ok(w.c.RenameMailbox("t", "a"), "rename")
	w.want("rename-mailbox a/x>a", "rename-mailbox a>a/a")
	w.quiet()
}

func TestRenameInbox(t *testing.T) {
	w := known(t, 2, memory.Options{})
	w.ok(w.c.RenameMailbox("INBOX", "old"), "rename")
	w.want("create-mailbox old", "move INBOX>old", "move INBOX>old")
	w.quiet()
}

func TestDeleteAndRecreate(t *testing.T) {
	w := known(t, 2, memory.Options{})
	w.ok(w.c.DeleteMailbox("a"), "delete")
	w.ok(w.c.CreateMailbox("a"), "create")
	l := w.want("delete-mailbox a 2", "create-mailbox a")
	n := l.Layout.ByPath["a"].Holder
	if len(l.Tree.UVs["a"]) != 2 || n.Creates[0].Gen != 1 {
		t.Fatalf("path has shown %v, created in generation %d", l.Tree.UVs["a"], n.Creates[0].Gen)
	}
	if s := l.Layout.ByPath["a/x"]; s == nil || s.Holder == nil {
		t.Fatalf("a/x is gone")
	}
	w.quiet()
}

func TestDeleteAfterMovingOut(t *testing.T) {
	w := known(t, 2, memory.Options{})
	_, err := w.c.Move("a", w.in("a")[0].Key, "b")
	w.ok(err, "move")
	w.ok(w.c.DeleteMailbox("a"), "delete")
	w.want("delete-mailbox a 2", "move a>b")
	w.quiet()
}

func TestSubscriptionsAndAttributes(t *testing.T) {
	w := known(t, 1, memory.Options{})
	w.ok(w.c.Subscribe("a"), "subscribe")
	w.ok(w.c.Subscribe("not/there"), "subscribe")
	w.ok(w.c.SetAttribute("a", "/shared/comment", "x"), "attribute")
	w.ok(w.c.SetAttribute("", "/shared/admin", "y"), "attribute")
	w.want("subscribe a true", "subscribe not/there true", "set-attribute a /shared/comment=x", "set-attribute  /shared/admin=y")
	w.ok(w.c.RenameMailbox("a", "c"), "rename") // the subscription stays with the name
	w.ok(w.c.SetAttribute("c", "/shared/comment", ""), "attribute")
	w.want("rename-mailbox a>c", "subscribe a true", "subscribe c false", "set-attribute c /shared/comment=")
	w.quiet()
}
