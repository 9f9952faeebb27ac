package logdb

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"dsync/changelog"
	"dsync/store"
)

var testRest = &Rest{Looks: [32]byte{1, 2}, Paths: []store.Name{"INBOX", "a"}, Oldest: 7}

// putRest brings an account to rest.
func putRest(t *testing.T, a *Account) {
	t.Helper()
	m := a.Meta()
	m.Rest = testRest
	b := a.Batch()
	b.PutMeta(&m)
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
}

// A rest stands until the next batch of any kind, in memory and in the database; of an
// account at rest one value is read.
func TestRest(t *testing.T) { onBoth(t, testTestRest) }

func testTestRest(t *testing.T, fresh func() Options) {
	node := &changelog.Node{GUIDs: []store.MailboxGUID{testGUID(1)}}
	one := func(f func(b *Batch)) func(d *DB, a *Account) error {
		return func(_ *DB, a *Account) error {
			b := a.Batch()
			f(b)
			return b.Commit(true)
		}
	}
	for what, change := range map[string]func(d *DB, a *Account) error{
		"record":  one(func(b *Batch) { b.PutRecord(nil, message(3)) }),
		"node":    one(func(b *Batch) { b.PutNode(nil, node) }),
		"mailbox": one(func(b *Batch) { b.PutMailbox(&Mailbox{GUID: testGUID(1)}) }),
		"event": one(func(b *Batch) {
			b.AppendEvents(9, []changelog.Event{{Dot: message(3).ID(), Body: changelog.Deliver{}}})
		}),
		"report":   one(func(b *Batch) { b.PutReport(9, []byte("x")) }),
		"intent":   one(func(b *Batch) { b.PutIntent(Intent{Kind: 1}) }),
		"vanished": one(func(b *Batch) { b.AddVanished(9, testGUID(1), 5, []store.UID{3}) }),
		"meta": func(_ *DB, a *Account) error {
			m := a.Meta()
			m.Seq++
			b := a.Batch()
			b.PutMeta(&m)
			return b.Commit(true)
		},
		"rebuild": func(_ *DB, a *Account) error { return a.Rebuild() },
		"trim":    func(_ *DB, a *Account) error { _, err := a.Trim(6, 0); return err },
		"another's place": func(d *DB, a *Account) error {
			return d.Bind("here", "1:2", 9)
		},
	} {
		t.Run(what, func(t *testing.T) {
			o := fresh()
			d := openMem(t, o)
			a := newAccount(t, d, 7)
			newAccount(t, d, 9)
			if err := d.Bind("here", "1:2", 7); err != nil {
				t.Fatal(err)
			}
			b := a.Batch()
			b.PutReport(5, []byte("old"))
			if err := b.Commit(true); err != nil {
				t.Fatal(err)
			}
			putRest(t, a)
			if err := d.Bind("here", "1:2", 7); err != nil { // its own again
				t.Fatal(err)
			}
			d.Close()
			d = openMem(t, o)
			gets, walks := d.Reads()
			a, err := d.AccountAtRest(7)
			if err != nil || fmt.Sprint(a.Last().Rest) != fmt.Sprint(testRest) || a.Meta().Rest != nil {
				t.Fatal(err, a.Last().Rest, a.Meta().Rest)
			}
			if now, then := d.Reads(); now-gets != 3 || then != walks { // Meta has read the other two
				t.Errorf("%d gets, %d walks", now-gets, then-walks)
			}
			if err := change(d, a); err != nil {
				t.Fatal(err)
			}
			if a.Last().Rest != nil {
				t.Error("still at rest")
			}
			d.Close()
			d = openMem(t, o)
			defer d.Close()
			if a, err = d.Account(7); err != nil || a.Last().Rest != nil {
				t.Error("at rest when opened again", err)
			}
			if problems, err := a.Check(); err != nil || len(problems) > 0 {
				t.Error(problems, err)
			}
		})
	}
}

// What AccountAtRest left unread and cannot be read is told by Load, and no batch of
// the account can be made.
func TestRestOverDamage(t *testing.T) {
	o := Options{Disk: new(Disk)}
	d := openMem(t, o)
	putRest(t, newAccount(t, d, 7))
	raw(t, d, prefix(nil, 7, famListing), nil)
	d.Close()
	d = openMem(t, o)
	defer d.Close()
	a, err := d.AccountAtRest(7)
	if err != nil {
		t.Fatal(err)
	}
	m := a.Meta()
	b := a.Batch()
	b.PutMeta(&m)
	if err := a.Load(); !IsDamage(err) {
		t.Error(err)
	}
	if err := b.Commit(true); !IsDamage(err) {
		t.Errorf("committed over damage: %v", err)
	}
	if _, err := d.Account(7); !IsDamage(err) {
		t.Error(err)
	}
}

// TrimDue of an account at rest goes by the age that was noted.
func TestRestTrimDue(t *testing.T) {
	o := Options{Disk: new(Disk)}
	d := openMem(t, o)
	putRest(t, newAccount(t, d, 7))
	d.Close()
	d = openMem(t, o)
	defer d.Close()
	a, err := d.AccountAtRest(7)
	if err != nil {
		t.Fatal(err)
	}
	for olderThan, want := range map[int64]bool{testRest.Oldest: false, testRest.Oldest + 1: true} {
		if due, err := a.TrimDue(olderThan, 1); due != want || err != nil {
			t.Errorf("older than %d: %v, %v", olderThan, due, err)
		}
	}
}

// Accounts that nobody holds are let go; one that somebody holds stays the same.
func TestAccountsAreLetGo(t *testing.T) {
	d := openMem(t, Options{Disk: new(Disk)})
	defer d.Close()
	for i := range changelog.ReplicaID(200) {
		newAccount(t, d, i+1)
	}
	kept, err := d.Account(3)
	if err != nil {
		t.Fatal(err)
	}
	held := func() (n int) {
		for i := range d.held {
			h := &d.held[i]
			h.mu.Lock()
			n += len(h.by)
			h.mu.Unlock()
		}
		return n
	}
	for range 100 {
		if runtime.GC(); held() == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := held(); n != 1 {
		t.Errorf("%d accounts are held", n)
	}
	if a, err := d.Account(3); err != nil || a != kept {
		t.Error("another value for the same account", err)
	}
	if m := kept.Meta(); m.Replica.ID != 3 {
		t.Error(m.Replica)
	}
}
