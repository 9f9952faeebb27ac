package storetest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"dsync/store"
)

// tb is what the suite needs of a test; rapid.T has it too.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Logf(format string, args ...any)
}

// fixture is one account under test with the words to work on it. Its methods
// end the test on trouble that the check did not ask for.
type fixture struct {
	tb
	*Instance
	s    store.Store
	caps store.Capabilities
	ctx  context.Context
	seed uint64
	rng  *rand.Rand
}

func newFixture(t tb, in *Instance, seed uint64) *fixture {
	return &fixture{
		tb: t, Instance: in, s: in.Store, caps: in.Store.Capabilities(),
		ctx: context.Background(), seed: seed, rng: rand.New(rand.NewPCG(seed, 1)),
	}
}

// fatalf fails the check, naming the seed.
func (f *fixture) fatalf(format string, args ...any) {
	f.Helper()
	f.Fatalf("%s (DSYNC_SEED=%d)", fmt.Sprintf(format, args...), f.seed)
}

// ok fails the check on an error.
func (f *fixture) ok(err error, what string, args ...any) {
	f.Helper()
	if err != nil {
		f.fatalf("%s: %v", fmt.Sprintf(what, args...), err)
	}
}

// wraps fails the check unless err wraps want.
func (f *fixture) wraps(err, want error, what string, args ...any) {
	f.Helper()
	if !errors.Is(err, want) {
		f.fatalf("%s: error %v, want one that wraps %q", fmt.Sprintf(what, args...), err, want)
	}
}

// same fails the check unless got equals want.
func (f *fixture) same(got, want any, what string, args ...any) {
	f.Helper()
	if !reflect.DeepEqual(got, want) {
		f.fatalf("%s: got %v, want %v", fmt.Sprintf(what, args...), got, want)
	}
}

// need skips the check if the store cannot do what it is about.
func (f *fixture) need(can bool, what string) {
	f.Helper()
	if !can {
		f.Skipf("the store has no %s", what)
	}
}

// firstValidity is the UIDVALIDITY of mailboxes that box makes.
const firstValidity store.UIDValidity = 1_700_000_000

// identity gives a mailbox named n an identity that depends on the name only.
func identity(n store.Name) store.Status {
	sum := sha256.Sum256([]byte(n))
	return store.Status{GUID: store.MailboxGUID(sum[:16]), UIDValidity: firstValidity, UIDNext: 1}
}

// box makes a mailbox, or gives INBOX an identity.
func (f *fixture) box(names ...store.Name) {
	f.Helper()
	for _, n := range names {
		f.ok(makeBox(f.ctx, f.s, n), "make %q", n)
	}
}

func makeBox(ctx context.Context, s store.Store, n store.Name) error {
	id, caps := identity(n), s.Capabilities()
	if n != store.Inbox {
		return s.CreateMailbox(ctx, n, id)
	}
	c := &store.Change{}
	if caps.MailboxGUIDs {
		c.GUID = id.GUID
	}
	if caps.AssignUIDs {
		c.UIDValidity, c.UIDNext = id.UIDValidity, id.UIDNext
	}
	_, err := s.Apply(ctx, n, c)
	return err
}

// date is the received date of messages that do not choose one.
var date = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// mail makes a small message; no two are equal.
func (f *fixture) mail() []byte {
	return fmt.Appendf(nil, "From: a@example.org\r\nSubject: %x\r\n\r\nbody %x\r\n", f.rng.Uint64(), f.rng.Uint64())
}

// draft fills in what a new message needs.
func (f *fixture) draft(uid store.UID) store.NewMessage {
	key := f.s.ChooseKey("", false)
	return store.NewMessage{Key: key, UID: uid, Content: store.Content{GUID: store.GUID("g-" + key)}, Received: date}
}

// stage stages a message and makes it durable.
func (f *fixture) stage(n store.Name, m store.NewMessage, body []byte) *store.Staged {
	f.Helper()
	st, err := f.s.Stage(f.ctx, n, m, bytes.NewReader(body))
	f.ok(err, "stage %q in %q", m.Key, n)
	f.ok(f.s.SyncStaged(f.ctx, []*store.Staged{st}), "sync staged %q", m.Key)
	return st
}

// apply makes a change; its items may fail.
func (f *fixture) apply(n store.Name, c *store.Change) *store.Result {
	f.Helper()
	r, err := f.s.Apply(f.ctx, n, c)
	f.ok(err, "change %q", n)
	lens := [5]int{len(r.Add), len(r.In), len(r.Flags), len(r.UIDs), len(r.Expunge)}
	want := [5]int{len(c.Add), len(c.In), len(c.Flags), len(c.UIDs), len(c.Expunge)}
	f.same(lens, want, "results of a change of %q (add, in, flags, uids, expunge)", n)
	return r
}

// applied makes a change of which every item must succeed.
func (f *fixture) applied(n store.Name, c *store.Change) *store.Result {
	f.Helper()
	r := f.apply(n, c)
	for what, list := range map[string][]store.Done{"add": r.Add, "in": r.In, "flags": r.Flags, "uids": r.UIDs, "expunge": r.Expunge} {
		for i, d := range list {
			f.ok(d.Err, "change %q: %s %d", n, what, i)
		}
	}
	return r
}

// add makes a message visible and gives it as listed.
func (f *fixture) add(n store.Name, m store.NewMessage, body []byte) store.Message {
	f.Helper()
	r := f.applied(n, &store.Change{Add: []*store.Staged{f.stage(n, m, body)}})
	return f.byHandle(n, r.Add[0].Handle)
}

// mails adds messages with UIDs from 1 and gives them in that order.
func (f *fixture) mails(n store.Name, count int) []store.Message {
	f.Helper()
	var c store.Change
	for i := range count {
		c.Add = append(c.Add, f.stage(n, f.draft(store.UID(i+1)), f.mail()))
	}
	r := f.applied(n, &c)
	out := make([]store.Message, count)
	for i, d := range r.Add {
		out[i] = f.byHandle(n, d.Handle)
	}
	return out
}

// scan lists a mailbox that nobody changes.
func (f *fixture) scan(n store.Name) store.Snapshot {
	f.Helper()
	sn, err := f.s.Scan(f.ctx, n, nil)
	f.ok(err, "scan %q", n)
	f.same(sn.Stable(), true, "stable listing of %q", n)
	return sn
}

// all gives the indexes of a listing.
func all(sn store.Snapshot) []int {
	idx := make([]int, sn.Len())
	for i := range idx {
		idx[i] = i
	}
	return idx
}

// list gives a mailbox's messages by UID.
func (f *fixture) list(n store.Name) []store.Message {
	f.Helper()
	sn := f.scan(n)
	list, skips, err := sn.Describe(f.ctx, all(sn))
	f.ok(err, "describe %q", n)
	if len(skips) > 0 {
		f.fatalf("describe %q: skipped %v", n, skips)
	}
	slices.SortFunc(list, func(a, b store.Message) int { return cmp.Compare(a.UID, b.UID) })
	return list
}

func (f *fixture) byHandle(n store.Name, h store.Handle) store.Message {
	f.Helper()
	list := f.list(n)
	i := slices.IndexFunc(list, func(m store.Message) bool { return m.Handle == h })
	if i < 0 {
		f.fatalf("%q is not listed in %q: %s", h, n, handles(list))
	}
	return list[i]
}

func handles(list []store.Message) string {
	var out []string
	for _, m := range list {
		out = append(out, fmt.Sprintf("%d=%q", m.UID, m.Handle))
	}
	return fmt.Sprint(out)
}

// read gives a message's bytes.
func (f *fixture) read(n store.Name, h store.Handle) []byte {
	f.Helper()
	r, err := f.s.Open(f.ctx, n, h)
	f.ok(err, "open %q in %q", h, n)
	defer r.Close()
	data, err := io.ReadAll(r)
	f.ok(err, "read %q in %q", h, n)
	return data
}

// reads fails the check unless the message has these bytes.
func (f *fixture) reads(n store.Name, h store.Handle, want []byte) {
	f.Helper()
	got := f.read(n, h)
	if bytes.Equal(got, want) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	f.fatalf("bytes of %q in %q: %d bytes, want %d; they differ from byte %d: got %.40q, want %.40q",
		h, n, len(got), len(want), at, got[at:], want[at:])
}

func (f *fixture) dump() string {
	f.Helper()
	d, err := Dump(f.ctx, f.s)
	f.ok(err, "dump")
	return d
}

// unchanged runs do and fails the check if the account shows a difference.
func (f *fixture) unchanged(what string, do func()) {
	f.Helper()
	before := f.dump()
	do()
	if after := f.dump(); after != before {
		f.fatalf("%s changed the account:\n%s", what, diff(before, after))
	}
}

func (f *fixture) status(n store.Name) store.Status {
	f.Helper()
	st, err := f.s.Status(f.ctx, n)
	f.ok(err, "status of %q", n)
	return st
}

func (f *fixture) tree() *store.Tree {
	f.Helper()
	tr, _, err := f.s.Tree(f.ctx)
	f.ok(err, "tree")
	if len(tr.Skipped) > 0 {
		f.fatalf("tree: skipped %v", tr.Skipped)
	}
	return tr
}

// names gives the tree's names; \Noselect ones in brackets.
func (f *fixture) names() []string {
	f.Helper()
	out := []string{}
	for _, m := range f.tree().Mailboxes {
		if m.NoSelect {
			out = append(out, "("+string(m.Name)+")")
		} else {
			out = append(out, string(m.Name))
		}
	}
	return out
}

// hasNames fails the check unless the tree is INBOX and these.
func (f *fixture) hasNames(what string, want ...string) {
	f.Helper()
	f.same(f.names(), append([]string{"INBOX"}, want...), "tree %s", what)
}
