package storetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"dsync/store"
)

var runChecks = []check{
	{"Mark", checkMark},
	{"LockExcludes", checkLock},
	{"ReadOnly", checkReadOnly},
	{"OpenFindsRenamed", checkOpenRenamed},
	{"ReadWhileFlagsChange", checkConcurrent},
	{"Cancelled", checkCancelled},
	{"ReopenShowsTheSame", checkReopen},
}

func checkMark(f *fixture) {
	f.box("a")
	f.mails("a", 1)
	f.unchanged("a mark", func() {
		for _, m := range []store.Mark{{Replica: "r-1 ü", Counter: 1}, {Replica: "r-1 ü", Counter: 1<<63 + 5}, {Replica: strings.Repeat("x", 256), Counter: 0}} {
			f.ok(f.s.SetMark(m), "set mark")
			got, ok, err := f.s.Mark()
			f.ok(err, "mark")
			f.same([]any{got, ok}, []any{m, true}, "mark")
		}
		for _, bad := range []string{strings.Repeat("x", 257), "a\nb"} {
			if f.s.SetMark(store.Mark{Replica: bad}) == nil {
				f.fatalf("mark %.20q: no error", bad)
			}
		}
	})
}

func checkLock(f *fixture) {
	unlock, err := f.s.Lock(f.ctx, 0)
	f.ok(err, "lock")
	f.ok(unlock(), "unlock")
	f.need(f.Reopen != nil, "way to be opened again")
	other, err := f.Reopen(false)
	f.ok(err, "open again")
	defer other.Close()

	unlock, err = f.s.Lock(f.ctx, 0)
	f.ok(err, "lock again")
	for _, wait := range []time.Duration{0, 20 * time.Millisecond} {
		_, err = other.Lock(f.ctx, wait)
		f.wraps(err, store.ErrBusy, "lock what is locked, waiting %v", wait)
		if !strings.Contains(err.Error(), f.Holder) {
			f.fatalf("lock what is locked: %q does not name %q", err, f.Holder)
		}
	}
	ctx, cancel := context.WithTimeout(f.ctx, 10*time.Millisecond)
	defer cancel()
	if _, err = other.Lock(ctx, time.Minute); err == nil {
		f.fatalf("a lock waited for was cancelled: no error")
	}
	freed := make(chan error, 1)
	time.AfterFunc(20*time.Millisecond, func() { freed <- unlock() })
	unlockOther, err := other.Lock(f.ctx, 10*time.Second)
	f.ok(err, "lock after it was freed")
	f.ok(<-freed, "unlock")
	f.ok(unlockOther(), "unlock")
}

func checkReadOnly(f *fixture) {
	f.box("a", "b")
	body := f.mail()
	m := f.add("a", f.draft(1), body)
	f.ok(f.s.SetMark(store.Mark{Replica: "r", Counter: 1}), "set mark")
	f.need(f.Reopen != nil, "way to be opened again")
	want := f.dump()
	s, err := f.Reopen(true)
	f.ok(err, "open for reading")
	defer s.Close()
	f.same(s.Capabilities().ReadOnly, true, "ReadOnly among the capabilities")
	_, stage := s.Stage(f.ctx, "a", f.draft(2), bytes.NewReader(body))
	_, link := s.StageLink(f.ctx, "b", f.draft(2), "a", m.Handle)
	_, apply := s.Apply(f.ctx, "a", &store.Change{Expunge: []store.Handle{m.Handle}})
	for what, err := range map[string]error{
		"stage": stage, "apply": apply, "create": s.CreateMailbox(f.ctx, "c", identity("c")),
		"rename": s.RenameMailboxes(f.ctx, []store.Rename{{From: "a", To: "c"}}),
		"delete": s.DeleteMailbox(f.ctx, "b"), "mark": s.SetMark(store.Mark{Replica: "q"}),
	} {
		f.wraps(err, store.ErrReadOnly, "%s in a store opened for reading", what)
	}
	if f.caps.Link {
		f.wraps(link, store.ErrReadOnly, "link in a store opened for reading")
	}
	if f.caps.Subscriptions {
		f.wraps(s.SetSubscribed(f.ctx, "a", true), store.ErrReadOnly, "subscribe in a store opened for reading")
	}
	f.s = s
	f.same(f.dump(), want, "dump of the store opened for reading")
	f.reads("a", m.Handle, body)
}

func checkOpenRenamed(f *fixture) {
	body := f.mail()
	m := f.add(store.Inbox, f.draft(1), body)
	r, err := f.s.Open(f.ctx, store.Inbox, m.Handle)
	f.ok(err, "open")
	defer r.Close()
	f.applied(store.Inbox, &store.Change{Flags: []store.FlagChange{{Handle: m.Handle, Flags: store.Seen}}})
	f.reads(store.Inbox, m.Handle, body)
	got, err := io.ReadAll(r)
	f.ok(err, "read while flags changed")
	f.same(bytes.Equal(got, body), true, "bytes read while flags changed are the message's")
}

// checkConcurrent reads and stages in two goroutines while a third changes
// flags.
func checkConcurrent(f *fixture) {
	f.box("a")
	body := f.mail()
	m := f.add("a", f.draft(1), body)
	f.mails2("a", 2, 9)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	errs := make(chan error, 3)
	run := func(step func(i int) error) {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := step(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	run(func(int) error { return readAgain(f, m.Handle, body) })
	run(func(int) error { return scanAgain(f) })
	run(func(int) error {
		st, err := f.s.Stage(f.ctx, "a", store.NewMessage{Key: f.s.ChooseKey("", false), UID: 99, Received: date}, bytes.NewReader(body))
		if err == nil {
			err = f.s.Unstage([]*store.Staged{st})
		}
		return err
	})
	h := m.Handle
	for i := range 50 {
		h = f.applied("a", &store.Change{Flags: []store.FlagChange{{Handle: h, Flags: store.Flags(i%31 + 1)}}}).Flags[0].Handle
	}
	close(stop)
	wg.Wait()
	select {
	case err := <-errs:
		f.fatalf("while flags changed: %v", err)
	default:
	}
}

// mails2 adds messages with the UIDs from one to another.
func (f *fixture) mails2(n store.Name, from, to store.UID) {
	f.Helper()
	var c store.Change
	for uid := from; uid <= to; uid++ {
		c.Add = append(c.Add, f.stage(n, f.draft(uid), f.mail()))
	}
	f.applied(n, &c)
}

func readAgain(f *fixture, h store.Handle, want []byte) error {
	r, err := f.s.Open(f.ctx, "a", h)
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("read %d bytes that are not the message's", len(got))
	}
	return err
}

func scanAgain(f *fixture) error {
	sn, err := f.s.Scan(f.ctx, "a", nil)
	if err != nil {
		return err
	}
	if sn.Stable() && sn.Len() != 9 {
		return fmt.Errorf("a stable listing of %d messages, want 9", sn.Len())
	}
	_, skips, err := sn.Describe(f.ctx, all(sn))
	if err == nil && len(skips) > 0 {
		err = fmt.Errorf("skipped %v", skips)
	}
	return err
}

func checkCancelled(f *fixture) {
	m := f.mails(store.Inbox, 1)[0]
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	f.unchanged("a cancelled change", func() {
		_, err := f.s.Apply(ctx, store.Inbox, &store.Change{Expunge: []store.Handle{m.Handle}})
		f.wraps(err, context.Canceled, "apply")
	})
}

func checkReopen(f *fixture) {
	f.need(f.Reopen != nil, "way to be opened again")
	f.box("a", "a/b")
	f.mails("a", 3)
	f.ok(f.s.SetMark(store.Mark{Replica: "r", Counter: 3}), "set mark")
	want, id, look := f.dump(), f.s.Identity(), mustLook(f, "a")
	s, err := f.Reopen(false)
	f.ok(err, "open again")
	defer s.Close()
	f.s = s
	f.same(f.dump(), want, "dump of another opening")
	f.same(s.Identity(), id, "identity of another opening")
	f.same(mustLook(f, "a"), look, "fingerprint by another opening")
	m, ok, err := s.Mark()
	f.ok(err, "mark")
	f.same([]any{m, ok}, []any{store.Mark{Replica: "r", Counter: 3}, true}, "mark by another opening")
}
