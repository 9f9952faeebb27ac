package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/fuzz/dovecot"
	"dsync/fuzz/live"
	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
	"dsync/merge"
	"dsync/replay/session"
	"dsync/store"
	"dsync/store/memory"
)

// Sessions are whole sessions of dsync, with real logs (in memory), over accounts of
// one kind. Close it when its worlds are closed.
type Sessions struct {
	name string
	kind accountKind
	open func(dir string) (store.Store, error) // of Stores

	mu      sync.Mutex
	started int
	dir     string // of Maildirs
	d       *dovecot.Dovecot
}

// everyPebble is how many worlds there are to one whose log is in Pebble: the others
// have it on a logdb.Disk, which is a hundred times cheaper to open.
const everyPebble = 50

type accountKind int

const (
	inMemory accountKind = iota
	onDisk
	underDovecot
	underTest // the first replica's; the others are in memory
)

// Memory is the engine over accounts in memory. Its clock is its own.
func Memory() *Sessions { return &Sessions{name: "memory", kind: inMemory} }

// Maildir is the engine over Maildirs that clients change by plain file operations,
// each followed by an IMAP server's look, which gives UIDs.
func Maildir() *Sessions { return &Sessions{name: "maildir", kind: onDisk} }

// Dovecot is the engine over Maildirs that a Dovecot changes and reads.
func Dovecot() *Sessions { return &Sessions{name: "dovecot", kind: underDovecot} }

// Name implements Engine.
func (e *Sessions) Name() string { return e.name }

var worldCount atomic.Uint64

// Start implements Engine.
func (e *Sessions) Start(set Setup) (World, error) {
	if _, err := set.policy(nil); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// A log for each world: replicas of equal seeds have equal names.
	o := logdb.Options{Disk: new(logdb.Disk)}
	if e.started++; e.started%everyPebble == 0 {
		o = logdb.Options{FS: logdb.Memory()}
	}
	db, err := logdb.Open("log", o)
	if err != nil {
		return nil, fmt.Errorf("change log of the engine %s: %w", e.name, err)
	}
	id := worldCount.Add(1)
	w := &sessions{set: set, e: e, db: db, real: e.kind == onDisk || e.kind == underDovecot, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		ids: rand.New(rand.NewPCG(set.Seed, 99)), states: map[[2]int][]string{}}
	if w.accounts, err = e.accounts(set, id, w.time); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (e *Sessions) accounts(set Setup, id uint64, now func() time.Time) (out []*live.Account, err error) {
	if e.kind != inMemory && e.dir == "" {
		if e.dir, err = temporary(); err != nil {
			return nil, err
		}
	}
	if e.kind == underDovecot && e.d == nil {
		if e.d, err = newDovecot(e.dir); err != nil {
			return nil, err
		}
	}
	for i := range set.Replicas {
		var a *live.Account
		path := filepath.Join(e.dir, fmt.Sprintf("w%d-%d", id, i))
		switch e.kind {
		case inMemory, underTest:
			if e.kind == underTest && i == 0 {
				a, err = e.account(id)
				break
			}
			a = live.NewMemory(fmt.Sprintf("w%d-%d", id, i), set.Seed*64+uint64(i)+1, now)
		case onDisk:
			a, err = live.NewMaildir(path, false)
		default:
			a, err = live.NewDovecot(e.d, path, false)
		}
		if err != nil {
			return out, err
		}
		out = append(out, a)
	}
	return out, nil
}

// temporary makes a directory for Maildirs, in memory if there is such a place.
func temporary() (string, error) {
	base := os.Getenv("DSYNC_TEST_TMP")
	if i, err := os.Stat("/dev/shm"); base == "" && err == nil && i.IsDir() {
		base = "/dev/shm"
	}
	return os.MkdirTemp(base, "dsync-lab-")
}

func newDovecot(dir string) (*dovecot.Dovecot, error) {
	if !dovecot.Available() {
		return nil, fmt.Errorf("%w: Dovecot is not installed (doveadm is not on PATH)", ErrUnsupported)
	}
	at := filepath.Join(dir, "dovecot")
	if err := os.MkdirAll(at, 0o700); err != nil {
		return nil, err
	}
	return dovecot.New(at)
}

// Close ends the engine and removes the directory of its Maildirs.
func (e *Sessions) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	dir := e.dir
	e.dir, e.d = "", nil
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}

// sessions is a world of Sessions.
type sessions struct {
	e        *Sessions
	set      Setup
	db       *logdb.DB
	accounts []*live.Account
	tokens   tokens // names of contents, by GUID, where Dovecot reads
	real     bool   // the clock is the system's

	mu     sync.Mutex
	clock  time.Time
	ids    *rand.Rand
	states map[[2]int][]string

	pending []string // laws broken since the last run
}

func (w *sessions) time() time.Time {
	if w.real {
		return time.Now()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *sessions) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *sessions) newID() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if id := w.ids.Uint64(); id != 0 {
			return id
		}
	}
}

// tick is how long a real clock is waited for: evidence in files is as fine as the
// kernel's clock.
const tick = 12 * time.Millisecond

// Do implements World.
func (w *sessions) Do(s scenario.Step) error {
	w.pass(time.Millisecond)
	switch s.Verb {
	case scenario.Tick:
		if w.real {
			time.Sleep(tick)
		}
		w.pass(max(time.Second, time.Duration(s.Span)))
		return nil
	case scenario.Clock, scenario.Trim:
		return unsupported(s)
	}
	a := w.accounts[w.set.index(s.At)]
	if w.e.kind == underTest && w.set.index(s.At) == 0 && !s.Verb.IsRun() {
		if no, err := w.lacks(a, s); err != nil || no {
			return errors.Join(err, map[bool]error{true: unsupported(s)}[no])
		}
		return w.watched(s, func() error { return w.act(a, s) })
	}
	return w.act(a, s)
}

// act makes a step at an account.
func (w *sessions) act(a *live.Account, s scenario.Step) error {
	switch s.Verb {
	case scenario.Save:
		return a.Save()
	case scenario.Restore:
		if s.Value != "mail" {
			return unsupported(s) // logs of all accounts are in one database
		}
		return a.Restore()
	case scenario.Clone:
		return w.clone(a, w.accounts[w.set.index(s.With)])
	case scenario.LoseLog:
		return w.loseLog(a)
	case scenario.Damage:
		return w.damage(a, s)
	}
	if (w.e.kind == onDisk || w.e.kind == underDovecot) && s.Verb == scenario.Attribute || w.e.kind == underDovecot && (s.Verb == scenario.UIDValidity || s.Verb == scenario.UIDNext || strings.Contains(s.Message, "/")) {
		return unsupported(s)
	}
	if s.Verb == scenario.Deliver && s.Received != 0 {
		return errors.Join(a.Deliver(s.Mailbox, s.Message, s.Received.Time()), a.Number(w.seed(s.At)))
	}
	var shown *scenario.Mailbox
	if s.Message != "" && s.Verb != scenario.Deliver {
		l, err := w.List(s.At)
		if err != nil {
			return err
		}
		if shown = mailbox(l, s.Mailbox); shown == nil {
			return nil
		}
	}
	for _, o := range operations(w.set, s, shown) {
		if shown != nil && w.e.kind != underDovecot {
			o.Msg = shown.Messages[o.N].Name // the others count in another order
		}
		if err := a.Do(o); err != nil {
			return err
		}
	}
	return a.Number(w.seed(s.At))
}

// seed is what GUIDs of a replica's mailboxes are made of.
func (w *sessions) seed(replica string) string { return fmt.Sprint(w.set.Seed, " ", replica) }

var damages = map[string]pure.Verb{"uidlist": live.NoUIDList, "half-uidlist": live.CutUIDList, "index": live.NoIndex}

func (w *sessions) damage(a *live.Account, s scenario.Step) error {
	if w.e.kind == inMemory || w.e.kind == underTest {
		return unsupported(s)
	}
	a.Reconnect()
	return a.Do(pure.Op{Verb: damages[s.Value], R: w.set.index(s.At), Path: s.Mailbox})
}

// clone copies the mail of another account. An empty store in the place of one that
// the log knows would be a loss, not a copy; so the other must have met the log.
func (w *sessions) clone(a, from *live.Account) error {
	st, err := from.Open()
	if err != nil {
		return err
	}
	defer st.Close()
	if _, marked, err := st.Mark(); err != nil || !marked {
		return err
	}
	a.Reconnect()
	return a.Become(from)
}

func (w *sessions) loseLog(a *live.Account) error {
	st, err := a.Open()
	if err != nil {
		return err
	}
	defer st.Close()
	id, _, ok, err := w.db.Lookup(st.Location())
	if err != nil || !ok {
		return err
	}
	return w.db.DropAccount(id)
}

// Close implements World.
func (w *sessions) Close() error {
	errs := []error{w.db.Close()}
	for _, a := range w.accounts {
		errs = append(errs, a.Close())
	}
	return errors.Join(errs...)
}

// Sync implements World.
func (w *sessions) Sync(s scenario.Step) (Report, error) {
	policy, err := w.set.policy(s.Run)
	if err != nil {
		return Report{}, err
	}
	w.pass(time.Millisecond)
	o := session.PairOptions{Policy: policy, Run: "lab", Brake: recorder.Brake{Off: true}, LockWait: 5 * time.Second,
		Now: func() int64 { return w.time().UnixMicro() }, NewID: w.newID}
	switch s.Verb {
	case scenario.OneWay:
		o.Direction = merge.OneWay
	case scenario.Backup:
		o.Direction = merge.Mirror
	}
	if o.Filter, err = filter(s.Run); err != nil {
		return Report{}, err
	}
	ends := [2]int{w.set.index(s.At), w.set.index(s.With)}
	if err := w.arm(s, ends); err != nil {
		return Report{}, err
	}
	res, err := w.pair(ends, w.set.mode(s.Run), o)
	for _, i := range ends {
		w.accounts[i].SetFail(nil)
		w.accounts[i].Reconnect()
	}
	rep := report(res, err)
	rep.Broken, w.pending = w.pending, nil
	return rep, nil
}

// pair makes a run, and if seen-sets are equal and digests are not, and nothing says
// why, compares everything, as the program does.
func (w *sessions) pair(ends [2]int, mode scenario.Mode, o session.PairOptions) (*session.PairResult, error) {
	res, err := w.once(ends, mode, o)
	if err != nil || res.Whole || res.Outcome.Equal || o.Filter != nil || o.Direction != merge.TwoWay || len(trouble(res)) > 0 {
		return res, err
	}
	o.Whole = true
	again, err := w.once(ends, scenario.Full, o)
	if again != nil && again.Outcome != nil {
		again.Outcome.Decisions = append(res.Outcome.Decisions, again.Outcome.Decisions...)
	}
	return again, err
}

func (w *sessions) once(ends [2]int, mode scenario.Mode, o session.PairOptions) (*session.PairResult, error) {
	key := [2]int{min(ends[0], ends[1]), max(ends[0], ends[1])}
	state := ""
	switch kept := w.states[key]; mode {
	case scenario.Full, scenario.Corrupt: // an unreadable state: everything is compared
		o.Whole = true
	case scenario.State:
		if len(kept) > 0 {
			state = kept[len(kept)-1]
		}
	case scenario.Stale:
		if len(kept) > 0 {
			state = kept[max(0, len(kept)-2)]
		}
	case scenario.Foreign:
		o.Whole = true
		for k, other := range w.states { // any order: a foreign state is one like another
			if k != key {
				state = other[len(other)-1]
			}
		}
	}
	if state != "" {
		st, err := changelog.ParseState(state)
		if err != nil {
			return nil, fmt.Errorf("P13: state %q: %w", state, err)
		}
		o.Check = func(a, b *session.Hello, tags [2][]changelog.Position) bool { return disagrees(&st, a, b, tags) }
	}
	var st [2]store.Store
	var err error
	for i, r := range ends {
		if st[i], err = w.accounts[r].Open(); err != nil {
			return nil, err
		}
		defer st[i].Close()
	}
	res, err := session.Pair(context.Background(), w.db, st, o)
	if err == nil && res.Outcome != nil {
		out := res.Outcome
		s := changelog.NewState(changelog.Side{Replica: res.Replicas[0], Position: out.Positions[0]}, changelog.Side{Replica: out.Peer, Position: out.Positions[1]}, [16]byte{})
		w.states[key] = append(w.states[key], s.String())
	}
	return res, err
}

// disagrees reports whether a state is not what both logs say; then everything is
// compared.
func disagrees(s *changelog.State, a, b *session.Hello, tags [2][]changelog.Position) bool {
	for i, h := range []*session.Hello{a, b} {
		side, ok := s.Of(h.Replica.ID)
		if !ok || side.Replica != h.Replica || !slices.Contains(tags[i], side.Position) {
			return true
		}
	}
	return false
}

// filter is what a run carries.
func filter(r *scenario.Run) (*merge.Filter, error) {
	if r == nil || len(r.Only)+len(r.Except) == 0 && r.Since == 0 && r.Before == 0 {
		return nil, nil
	}
	f := &merge.Filter{}
	if len(r.Only)+len(r.Except) > 0 {
		f.Mailbox = func(n store.Name, _ []store.MailboxGUID) bool {
			return (len(r.Only) == 0 || slices.Contains(r.Only, n)) && !slices.ContainsFunc(r.Except, func(m string) bool { return fits(m, string(n)) })
		}
	}
	if r.Since != 0 || r.Before != 0 {
		f.New = func(m *changelog.Message) bool {
			return m.Received >= int64(r.Since) && (r.Before == 0 || m.Received < int64(r.Before))
		}
	}
	return f, nil
}

// fits matches * and ?, across levels.
func fits(mask, name string) bool {
	for i := range len(mask) {
		switch {
		case mask[i] == '*':
			for j := range len(name) - i + 1 {
				if fits(mask[i+1:], name[i+j:]) {
					return true
				}
			}
			return false
		case i >= len(name) || mask[i] != '?' && mask[i] != name[i]:
			return false
		}
	}
	return len(mask) == len(name)
}

var errFault = errors.New("input/output error")

// arm makes a run's faults ready. Only accounts in memory have them.
func (w *sessions) arm(s scenario.Step, ends [2]int) error {
	r := s.Run
	if !r.Faulty() {
		return nil
	}
	if r.Cut > 0 || w.e.kind == onDisk || w.e.kind == underDovecot {
		return unsupported(s)
	}
	if r.Crash != "" {
		w.accounts[w.set.index(r.Crash)].SetFail(memory.StopAt(r.CrashAt-1, errFault))
	}
	if r.Fail == "" {
		return nil
	}
	for side, i := range ends {
		w.accounts[i].SetFail(func(op string, _ store.Name, item string) error {
			switch op {
			case memory.OpAdd, memory.OpIn, memory.OpFlags, memory.OpUIDs, memory.OpExpunge, memory.OpStage, memory.OpStageLink, memory.OpSubscribe, memory.OpDelete:
			default:
				return nil
			}
			h := fnv.New32a()
			fmt.Fprintf(h, "%s/%d/%s/%s", r.Fail, side, op, item)
			if h.Sum32()%3 == 0 {
				return errFault
			}
			return nil
		})
	}
	return nil
}
