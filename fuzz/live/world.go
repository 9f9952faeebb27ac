package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/fuzz/pure"
	"dsync/merge"
	"dsync/replay/session"
	"dsync/replay/wire/wiretest"
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
	Fast    Mode = "default"
	Full    Mode = "full"
	State   Mode = "state"     // -s, always started from the same side
	Turns   Mode = "state-alt" // -s, from alternating sides
	Auto    Mode = "auto"      // -s auto
	Mixed   Mode = "mixed"     // one of the others by the number of the run; stale states too
	Hostile Mode = "hostile"   // a state each: the last, an older one, a foreign one, one that cannot be read
)

// world is some replicas.
type world struct {
	acc    []account
	db     *logdb.DB
	policy *merge.Policy
	mode   Mode
	model  *model
	trace  bool // say what is done
	strict bool // tokens are messages: the model is asked

	*Source
	states map[[2]int][]string
	auto   map[[2]int]string
	saved  map[int]*logdb.Copied // logs, as "save" kept them
	runs   int
	// between is called in each run of a history, once both stores were looked at.
	between func()
	// uids is uid -> token per replica, path and UIDVALIDITY over all time (P10).
	uids  []map[uidKey]string
	nexts []map[boxKey]store.UID

	ownDB   bool                             // closed with the world
	apart   bool                             // runs are made by two halves
	link    *wiretest.Link                   // what lies between the halves in the next run; nil: no wire
	ended   func(side int)                   // called when a half over a wire has ended
	cut     int                              // the frame with which the next of them breaks; 0: none
	excused map[string]int                   // of Trial
	turn    int                              // runs of a Trial
	modseqs map[changelog.ReplicaID]*modseqs // after the last run; nil: P11 is not asked

	compared int // runs that compared everything for want of an explanation

	last   *session.PairResult
	lastRe *session.PairResult // of the second, quiet run
	said   []string
	saying sync.Mutex // over said: two halves may have something to say at once
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
	return &world{db: db, policy: merge.Safe, mode: mode, Source: NewSource(seed, false),
		states: map[[2]int][]string{}, auto: map[[2]int]string{}, saved: map[int]*logdb.Copied{}, strict: true}
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
	if w.ownDB {
		errs = append(errs, w.db.Close())
	}
	return errors.Join(errs...)
}

func (w *world) now() int64 { return w.Time().UnixMicro() }

// run does one operation and checks what must hold right after it.
func (w *world) run(o Op) error {
	if o.R >= len(w.acc) || o.Peer >= len(w.acc) {
		return nil
	}
	w.Pass(time.Millisecond)
	switch o.Verb {
	case pure.Tick:
		w.Pass(time.Second)
		return nil
	case pure.Skew, pure.Trim:
		return nil
	case pure.LostLog, pure.Clone, pure.Save, pure.Restore, OldLog, OldBoth:
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
	return session.PairOptions{Policy: w.policy, Run: "live", Brake: recorder.Brake{Off: true}, LockWait: 5 * time.Second, Now: w.now, NewID: w.NewID,
		Between: w.between, Notice: w.say}
}

func (w *world) say(_ int, s string) {
	w.saying.Lock()
	defer w.saying.Unlock()
	w.said = append(w.said, s)
}

// pair makes one run as it is asked for, without checks.
func (w *world) pair(a, b int, o session.PairOptions) (*session.PairResult, error) {
	key := [2]int{min(a, b), max(a, b)}
	mode := w.mode
	if mode == Mixed {
		mode = []Mode{Fast, State, Full, Auto, Turns, "stale", "corrupt"}[w.runs%7]
	}
	if mode == Hostile {
		mode = []Mode{State, "stale", "foreign", "corrupt", "stale"}[w.runs%5]
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
	case "foreign":
		other := changelog.Side{Replica: changelog.Replica{ID: changelog.ReplicaID(1<<40 + w.runs)}, Position: changelog.Position{Seq: 1, Tag: 1}}
		state = changelog.NewState(other, changelog.Side{Replica: changelog.Replica{ID: other.Replica.ID + 1}, Position: other.Position}, [16]byte{}).String()
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
	res, err := w.meet(st, o, state)
	if w.trace {
		fmt.Println("run", a, b, err, trouble(res))
		for i, r := range []int{a, b} {
			l, _ := list(w.acc[r])
			fmt.Println(l.text, res.Looks[i].Events, res.Changed[i])
		}
	}
	if err == nil && !o.DryRun && w.runs%3 == 0 {
		if err := sound(res); err != nil {
			return res, err
		}
	}
	if err == nil && w.modseqs != nil && !o.DryRun {
		if err := w.rising(res); err != nil {
			return res, err
		}
	}
	if err == nil && res.Outcome != nil && !o.DryRun {
		w.excuse(res.Outcome.Decisions)
		out := res.Outcome
		s := changelog.NewState(changelog.Side{Replica: res.Replicas[0], Position: out.Positions[0]}, changelog.Side{Replica: out.Peer, Position: out.Positions[1]}, [16]byte{})
		w.states[key] = append(kept, s.String())
		if mode == Auto {
			w.auto[key] = s.String()
		}
	}
	return res, err
}

// meet makes the run: by one process, or as two processes do it.
func (w *world) meet(st [2]store.Store, o session.PairOptions, state string) (*session.PairResult, error) {
	if !w.apart || o.Between != nil {
		return session.Pair(bg, w.db, st, o)
	}
	var claim *changelog.State
	if s, err := changelog.ParseState(state); state != "" && err == nil {
		claim = &s
	}
	if w.link != nil {
		a, b := w.link.Pipe()
		w.link = &wiretest.Link{}
		return Wired(bg, [2]*logdb.DB{w.db, w.db}, st, o, claim, [2]io.ReadWriteCloser{a, b}, w.ended)
	}
	cut := w.cut
	w.cut = 0
	return Apart(bg, [2]*logdb.DB{w.db, w.db}, st, o, claim, cut)
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
