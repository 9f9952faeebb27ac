package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/fuzz/pure"
	"dsync/merge"
	"dsync/replay/session"
	"dsync/store"
)

var bg = context.Background()

func readToken(r io.Reader) (string, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	t := tokenOf(b)
	if t == "" {
		return "", fmt.Errorf("body damaged: %q", b)
	}
	return t, nil
}

// Mode is how runs are asked for.
type Mode string

// The modes of E2.
const (
	Fast  Mode = "default"
	Full  Mode = "full"
	State Mode = "state"     // -s, always started from the same side
	Turns Mode = "state-alt" // -s, from alternating sides
	Auto  Mode = "auto"      // -s auto
	Mixed Mode = "mixed"     // one of the others by the number of the run; stale states too
)

// world is some replicas.
type world struct {
	acc    []account
	db     *logdb.DB
	policy *merge.Policy
	mode   Mode
	model  *model
	real   bool // the clock is the system's
	trace  bool // say what is done
	strict bool // tokens are messages: the model is asked

	mu     sync.Mutex
	clock  time.Time
	ids    *rand.Rand
	states map[[2]int][]string
	auto   map[[2]int]string
	runs   int
	// between is called in each run of a history, once both stores were looked at.
	between func()
	// uids is uid -> token per replica, path and UIDVALIDITY over all time (P10).
	uids  []map[uidKey]string
	nexts []map[boxKey]store.UID

	compared int // runs that compared everything for want of an explanation

	last   *session.PairResult
	lastRe *session.PairResult // of the second, quiet run
	said   []string
}

type boxKey struct {
	path store.Name
	uv   store.UIDValidity
}

type uidKey struct {
	boxKey
	uid store.UID
}

func newWorld(seed uint64, mode Mode, db *logdb.DB) *world {
	return &world{db: db, policy: merge.Safe, mode: mode, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ids: rand.New(rand.NewPCG(seed, 99)),
		states: map[[2]int][]string{}, auto: map[[2]int]string{}, strict: true}
}

func (w *world) add(a account) {
	w.acc = append(w.acc, a)
	w.uids = append(w.uids, map[uidKey]string{})
	w.nexts = append(w.nexts, map[boxKey]store.UID{})
	w.model = newModel(len(w.acc))
}

func (w *world) close() error {
	var errs []error
	for _, a := range w.acc {
		errs = append(errs, a.close())
	}
	return errors.Join(errs...)
}

func (w *world) time() time.Time {
	if w.real {
		return time.Now()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) now() int64 { return w.time().UnixMicro() }

func (w *world) newID() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if id := w.ids.Uint64(); id != 0 {
			return id
		}
	}
}

// run does one operation and checks what must hold right after it.
func (w *world) run(o Op) error {
	if o.R >= len(w.acc) || o.Peer >= len(w.acc) {
		return nil
	}
	w.pass(time.Millisecond)
	switch o.Verb {
	case pure.Tick:
		w.pass(time.Second)
		return nil
	case pure.Skew, pure.Trim:
		return nil
	case pure.LostLog, pure.Clone, pure.Save, pure.Restore:
		return w.history(o)
	case pure.SyncWhole:
		if o.R == o.Peer {
			return nil
		}
		return w.whole(o.R, o.Peer)
	case pure.SyncBox, pure.SyncSince, pure.OneWay, pure.Backup, pure.Half, pure.Partly:
		if o.R == o.Peer {
			return nil
		}
		return w.part(o)
	}
	return w.client(o)
}

// client makes a client's operation and tells the model.
func (w *world) client(o Op) error {
	touched, err := w.acc[o.R].do(o)
	if w.trace {
		fmt.Println("client", o, touched)
	}
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	for _, t := range touched {
		switch o.Verb {
		case pure.Append, pure.Copy:
			w.model.made[t]++
		case pure.Move, pure.RenameBox:
			w.model.moved[o.R][t]++
		case pure.Expunge, pure.DeleteBox:
			w.model.gone[t] = true
		}
	}
	return nil
}

// pairOptions are those of a run between a and b.
func (w *world) pairOptions(a, b int) session.PairOptions {
	return session.PairOptions{Policy: w.policy, Run: "live", Brake: recorder.Brake{Off: true}, LockWait: 5 * time.Second, Now: w.now, NewID: w.newID,
		Between: w.between, Notice: func(_ int, s string) { w.said = append(w.said, s) }}
}

// pair makes one run as it is asked for, without checks.
func (w *world) pair(a, b int, o session.PairOptions) (*session.PairResult, error) {
	key := [2]int{min(a, b), max(a, b)}
	mode := w.mode
	if mode == Mixed {
		mode = []Mode{Fast, State, Full, Auto, Turns, "stale", "corrupt"}[w.runs%7]
	}
	w.runs++
	if mode == State && a > b {
		a, b = b, a
		o.Source = 1 - o.Source
	}
	if mode == Turns && o.Direction == merge.TwoWay && w.runs%2 == 0 {
		a, b = b, a
	}
	state := ""
	kept := w.states[key]
	switch mode {
	case Full:
		o.Whole = true
	case State, Turns:
		if len(kept) > 0 {
			state = kept[len(kept)-1]
		}
	case "stale":
		if len(kept) > 0 {
			state = kept[w.runs%len(kept)]
		}
	case "corrupt":
		o.Whole = true // what the program does with a state that cannot be read
	case Auto:
		state = w.auto[key]
	}
	if state != "" {
		s, err := changelog.ParseState(state)
		if err != nil {
			return nil, fmt.Errorf("P13: state %q: %w", state, err)
		}
		o.Check = func(a, b *session.Hello, tags [2][]changelog.Position) bool { return disagrees(&s, a, b, tags) }
	}
	var st [2]store.Store
	var err error
	for i, r := range []int{a, b} {
		if st[i], err = w.acc[r].open(); err != nil {
			return nil, err
		}
		defer st[i].Close()
	}
	res, err := session.Pair(bg, w.db, st, o)
	if w.trace {
		fmt.Println("run", a, b, err, trouble(res))
		for i, r := range []int{a, b} {
			l, _ := list(w.acc[r])
			fmt.Println(l.text, res.Looks[i].Events, res.Changed[i])
		}
	}
	if err == nil && !o.DryRun {
		if err := sound(res); err != nil {
			return res, err
		}
	}
	if err == nil && res.Outcome != nil && !o.DryRun {
		out := res.Outcome
		s := changelog.NewState(changelog.Side{Replica: res.Replicas[0], Position: out.Positions[0]}, changelog.Side{Replica: out.Peer, Position: out.Positions[1]}, [16]byte{})
		w.states[key] = append(kept, s.String())
		if mode == Auto {
			w.auto[key] = s.String()
		}
	}
	return res, err
}

// sync is pair as the program does it: where seen-sets are equal and digests are
// not, and nothing says why, everything is compared in the same run. It happens
// where UIDs were given anew at a third replica.
func (w *world) sync(a, b int, o session.PairOptions) (*session.PairResult, error) {
	res, err := w.pair(a, b, o)
	if err != nil || o.DryRun || res.Whole || res.Outcome.Equal || o.Filter != nil || o.Direction != merge.TwoWay || len(trouble(res)) > 0 {
		return res, err
	}
	w.compared++
	o.Whole, o.Between = true, nil
	return w.pair(a, b, o)
}

// sound is that the logs agree with themselves after a run.
func sound(res *session.PairResult) error {
	for i, e := range res.Ends {
		ps, err := e.Rec.Account().Check()
		if err != nil || len(ps) > 0 {
			return fmt.Errorf("P14: log of side %d after the run: %v %w", i, ps, err)
		}
	}
	return nil
}

// disagrees is what the program does with a state: unless it is what both logs
// say, everything is compared.
func disagrees(s *changelog.State, a, b *session.Hello, tags [2][]changelog.Position) bool {
	for i, h := range []*session.Hello{a, b} {
		side, ok := s.Of(h.Replica.ID)
		if !ok || side.Replica != h.Replica || !slices.Contains(tags[i], side.Position) {
			return true
		}
	}
	return false
}

// trouble lists what a run says it could not do.
func trouble(res *session.PairResult) (out []string) {
	if res == nil {
		return nil
	}
	for i, l := range res.Looks {
		if l == nil {
			continue
		}
		for _, n := range l.Doubt {
			out = append(out, fmt.Sprintf("%d: %q in doubt", i, n))
		}
		for _, s := range l.Skipped {
			out = append(out, fmt.Sprintf("%d: skipped %v", i, s))
		}
		if l.Braked != "" {
			out = append(out, fmt.Sprintf("%d: %s", i, l.Braked))
		}
	}
	for i, e := range res.Ends {
		if e == nil {
			continue
		}
		for _, p := range e.Reports() {
			for _, f := range p.Failed {
				out = append(out, fmt.Sprintf("%d: %s %s %s: %v", i, f.Mailbox, f.GUID, f.What, f.Err))
			}
		}
	}
	return out
}

// both lists two replicas.
func (w *world) both(a, b int) (out [2]*listing, err error) {
	for i, r := range []int{a, b} {
		if out[i], err = list(w.acc[r]); err != nil {
			return out, fmt.Errorf("list %d: %w", r, err)
		}
	}
	return out, nil
}

// whole is a two-way run over everything, with its laws.
func (w *world) whole(a, b int) error {
	before, err := w.both(a, b)
	if err != nil {
		return err
	}
	w.model.look(a, before[0])
	w.model.look(b, before[1])
	if w.runs%5 == 4 {
		if err := w.dry(a, b); err != nil {
			return err
		}
	}
	res, err := w.sync(a, b, w.pairOptions(a, b))
	w.last = res
	if err != nil {
		return fmt.Errorf("P1: the run ended with: %w", err)
	}
	after, err := w.both(a, b)
	if err != nil {
		return err
	}
	bad := trouble(res)
	if after[0].text != after[1].text {
		if res.Outcome.Equal {
			return fmt.Errorf("P3: the run says equal; %d and %d differ:\n%s", a, b, diff(after[0].text, after[1].text))
		}
		return fmt.Errorf("P1: %d and %d differ (%v):\n%s", a, b, bad, diff(after[0].text, after[1].text))
	}
	if !res.Outcome.Equal {
		return fmt.Errorf("P3: both sides are equal, the run says not (%v)", bad)
	}
	if len(bad) > 0 {
		return fmt.Errorf("P3: trouble without cause: %v", bad)
	}
	if err := w.model.whole(a, b, before, after[0]); w.strict && err != nil {
		return fmt.Errorf("%w\nbefore:\n%s\n%s\nafter:\n%s", err, before[0].text, before[1].text, after[0].text)
	}
	if err := w.stable(a, after[0]); err != nil {
		return err
	}
	if err := w.stable(b, after[1]); err != nil {
		return err
	}
	if err := w.witness(a, b); err != nil {
		return err
	}
	return w.quiet(a, b)
}

// quiet is P2: another run, started from the other side, writes nothing.
func (w *world) quiet(a, b int) error {
	if w.between != nil {
		return nil
	}
	ta, tb, err := w.traces(a, b)
	if err != nil {
		return err
	}
	res, err := w.pair(b, a, w.pairOptions(b, a))
	w.lastRe = res
	if err != nil {
		return fmt.Errorf("P2: the second run ended with: %w", err)
	}
	if bad := trouble(res); len(bad) > 0 || !res.Outcome.Equal {
		return fmt.Errorf("P2: the second run found trouble: %v, equal %v", bad, res.Outcome.Equal)
	}
	if res.Changed[0] || res.Changed[1] || res.Looks[0].Events+res.Looks[1].Events > 0 {
		return fmt.Errorf("P2: the second run wrote: %v, events %v and %v", res.Changed, w.events(res, 0), w.events(res, 1))
	}
	if len(res.Outcome.Decisions) > 0 {
		return fmt.Errorf("P25: the second run reports %v", res.Outcome.Decisions)
	}
	if !res.Whole && !res.Outcome.Quiet {
		return errors.New("P2: the second run was not quiet")
	}
	ta2, tb2, err := w.traces(a, b)
	if err != nil {
		return err
	}
	if ta2 != ta || tb2 != tb {
		return fmt.Errorf("P2: the second run left traces:\n%s%s", diff(ta, ta2), diff(tb, tb2))
	}
	return nil
}

// events lists what the look of a run found at one side.
func (w *world) events(res *session.PairResult, side int) (out []string) {
	acc := res.Ends[side].Rec.Account()
	acc.Events(0, func(_ uint64, _ int64, e *changelog.Event) error {
		out = append(out, fmt.Sprintf("%+v", e))
		return nil
	})
	return out[max(0, len(out)-res.Looks[side].Events):]
}

func (w *world) traces(a, b int) (string, string, error) {
	x, err := w.acc[a].traces()
	if err != nil {
		return "", "", err
	}
	y, err := w.acc[b].traces()
	return x, y, err
}

// dry is a dry run: it changes nothing in the stores.
func (w *world) dry(a, b int) error {
	ta, tb, err := w.traces(a, b)
	if err != nil {
		return err
	}
	o := w.pairOptions(a, b)
	o.DryRun, o.Between = true, nil
	if _, err := w.pair(a, b, o); err != nil {
		return fmt.Errorf("P2: the dry run ended with: %w", err)
	}
	ta2, tb2, err := w.traces(a, b)
	if err == nil && (ta2 != ta || tb2 != tb) {
		return fmt.Errorf("P2: a dry run left traces:\n%s%s", diff(ta, ta2), diff(tb, tb2))
	}
	return err
}

// stable is P10, and that a run leaves nothing without a UID.
func (w *world) stable(r int, l *listing) error {
	for n, st := range l.boxes {
		k := boxKey{n, st.UIDValidity}
		if st.UIDNext < w.nexts[r][k] {
			return fmt.Errorf("P10: replica %d: UIDNEXT of %s fell from %d to %d", r, n, w.nexts[r][k], st.UIDNext)
		}
		w.nexts[r][k] = st.UIDNext
		if st.UIDValidity == 0 || st.GUID.IsZero() {
			return fmt.Errorf("P10: replica %d: %s has no identity", r, n)
		}
	}
	for _, m := range l.msgs {
		st := l.boxes[m.box]
		if m.UID == 0 || m.UID >= st.UIDNext {
			return fmt.Errorf("P10: replica %d: %s in %s has UID %d, UIDNEXT %d", r, m.token, m.box, m.UID, st.UIDNext)
		}
		k := uidKey{boxKey{m.box, st.UIDValidity}, m.UID}
		if t, ok := w.uids[r][k]; ok && t != m.token {
			return fmt.Errorf("P10: replica %d: UID %d of %s was %s and is %s", r, m.UID, m.box, t, m.token)
		}
		w.uids[r][k] = m.token
	}
	return nil
}

// part is a run that is not whole or not two-way, with its laws.
func (w *world) part(o Op) error {
	a, b := o.R, o.Peer
	before, err := w.both(a, b)
	if err != nil {
		return err
	}
	w.model.look(a, before[0])
	w.model.look(b, before[1])
	po := w.pairOptions(a, b)
	switch o.Verb {
	case pure.SyncBox:
		po.Filter = &merge.Filter{Mailbox: func(p store.Name, _ []store.MailboxGUID) bool { return p == o.Path }}
	case pure.SyncSince:
		po.Filter = &merge.Filter{New: func(m *changelog.Message) bool { return m.Received%2 == 0 }}
	case pure.OneWay:
		po.Direction = merge.OneWay
	case pure.Backup:
		po.Direction = merge.Mirror
	case pure.Half, pure.Partly:
		w.faults(o)
	}
	res, err := w.pair(a, b, po)
	w.last = res
	w.mend()
	if err != nil && o.Verb != pure.Half && o.Verb != pure.Partly {
		return fmt.Errorf("P1: the run ended with: %w", err)
	}
	after, err2 := w.both(a, b)
	if err2 != nil {
		return err2
	}
	defer w.model.partial(a, b, before, after)
	bad := trouble(res)
	switch o.Verb {
	case pure.Half, pure.Partly:
		if err == nil && res.Outcome.Equal && after[0].text != after[1].text {
			return fmt.Errorf("P3: the run says equal; %d and %d differ:\n%s", a, b, diff(after[0].text, after[1].text))
		}
	case pure.SyncBox, pure.SyncSince:
		if len(bad) > 0 {
			return fmt.Errorf("P3: trouble without cause: %v", bad)
		}
		return w.outside(o, before, after)
	default:
		if len(bad) > 0 {
			return fmt.Errorf("P3: trouble without cause: %v", bad)
		}
		return w.direct(o, po, before, after)
	}
	return w.kept(before, after)
}

// kept: what nobody removed is still there after any run.
func (w *world) kept(before, after [2]*listing) error {
	for i := range before {
		n := after[i].count()
		for t := range before[i].count() {
			if n[t] == 0 && !w.model.gone[t] {
				return fmt.Errorf("P6: %s, which nobody removed, is lost at side %d", t, i)
			}
		}
	}
	return nil
}

// outside is P26: what a filter leaves out is untouched.
func (w *world) outside(o Op, before, after [2]*listing) error {
	if err := w.kept(before, after); err != nil {
		return err
	}
	if o.Verb != pure.SyncBox {
		return nil
	}
	for i := range before {
		had := map[string]bool{}
		for _, m := range before[i].msgs {
			if m.box != o.Path {
				had[m.token] = true
			}
		}
		n := after[i].count()
		for t := range had {
			if n[t] == 0 {
				return fmt.Errorf("P26: %s, outside of %s, is gone at side %d", t, o.Path, i)
			}
		}
	}
	return nil
}

// direct is P19 and P20.
func (w *world) direct(o Op, po session.PairOptions, before, after [2]*listing) error {
	if before[0].text != after[0].text && !lateUIDs(before[0]) {
		return fmt.Errorf("P19/P20: the source was changed:\n%s", diff(before[0].text, after[0].text))
	}
	if o.Verb == pure.Backup {
		for t := range before[1].count() {
			w.model.gone[t] = w.model.gone[t] || after[1].count()[t] == 0
		}
		if s, d := after[0].plain(), after[1].plain(); s != d {
			return fmt.Errorf("P19: after backup\n%s", diff(s, d))
		}
	} else {
		n := after[1].count()
		for t, c := range before[1].count() {
			if n[t] < c {
				return fmt.Errorf("P20: %s is gone at the destination", t)
			}
		}
	}
	t1, t2, err := w.traces(o.R, o.Peer)
	if err != nil {
		return err
	}
	res, err := w.pair(o.R, o.Peer, po)
	if err != nil {
		return fmt.Errorf("P19/P20: the second run ended with: %w", err)
	}
	u1, u2, err := w.traces(o.R, o.Peer)
	if err == nil && (t1 != u1 || t2 != u2) {
		return fmt.Errorf("P19/P20: a second run left traces (%v):\n%s%s", trouble(res), diff(t1, u1), diff(t2, u2))
	}
	return err
}

func lateUIDs(l *listing) bool {
	for _, st := range l.boxes {
		if st.GUID.IsZero() || st.UIDValidity == 0 {
			return true
		}
	}
	return slices.ContainsFunc(l.msgs, func(m message) bool { return m.UID == 0 })
}

// converge sweeps there and back, after which all replicas must show the same mail;
// once more, and they agree on UIDs too (P17).
func (w *world) converge() error {
	for range 2 {
		if err := w.sweep(); err != nil {
			return err
		}
	}
	var first *listing
	for r, a := range w.acc {
		l, err := list(a)
		if err != nil {
			return err
		}
		if first == nil {
			first = l
		}
		if l.text != first.text {
			return fmt.Errorf("P17: replicas 0 and %d differ:\n%s", r, diff(first.text, l.text))
		}
	}
	n := first.count()
	for t, c := range w.model.made {
		if !w.model.gone[t] && !w.model.dropped[t] && n[t] == 0 {
			return fmt.Errorf("P6: %s, made and never removed, is nowhere", t)
		}
		if n[t] > c && !w.model.apart {
			return fmt.Errorf("P9: %s, made %d times, is there %d times", t, c, n[t])
		}
	}
	return nil
}

func (w *world) sweep() error {
	n := len(w.acc)
	w.between = nil
	for i := 1; i < n; i++ {
		if err := w.run(Op{Verb: pure.SyncWhole, R: i - 1, Peer: i}); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	for i := n - 1; i > 1; i-- {
		if err := w.run(Op{Verb: pure.SyncWhole, R: i - 2, Peer: i - 1}); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}

// lawOf names the law in an error.
func lawOf(err error) string {
	if err == nil {
		return ""
	}
	for _, f := range strings.FieldsFunc(err.Error(), func(r rune) bool { return r == ' ' || r == ':' || r == '\n' }) {
		if len(f) >= 2 && f[0] == 'P' && f[1] >= '0' && f[1] <= '9' || f == "panic" {
			return f
		}
	}
	return "other"
}
