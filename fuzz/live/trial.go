package live

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/fuzz/pure"
	"dsync/merge"
	"dsync/store/memory"
)

// Trial makes histories in whole sessions, with real logs, on accounts in memory,
// under a policy of the caller's choice, and asks the laws that only sessions have:
//
//	P1 P2 P3 P10 P17  the history as it is
//	P11               the logs' modseqs rise, and what vanished is listed
//	P13               every run is given a state: its last, an older one, a foreign
//	                  one, one that cannot be read; all ends as without
//	P14               one run, drawn by the seed, stops at a write of one side, and is
//	                  made again; all ends as without, but for UIDs
//	P15               of two replicas half of what clients do between two runs is done
//	                  in the midst of the second
//	P23               no run takes a body that is there, and one with nothing to do
//	                  compares nothing
//
// Everything follows from the Trial and the history. What flags a policy shows is
// asked by fuzz/pure.
type Trial struct {
	Replicas int
	Policy   *merge.Policy
	// Turns are policies that the runs of a history take in turn; the sweeps in the
	// end have Policy. nil: all have Policy. Then P13 to P15 are not asked.
	Turns []*merge.Policy
	Seed  uint64
	// Mute, if not nil, names laws that are not asked.
	Mute func(law string) bool
	// Excused, if not nil, takes the number of a rule that let mail go, by law (P6).
	Excused map[string]int
}

// Unique gives each delivery of a history a content of its own: then messages can be
// told by their bodies.
func Unique(ops []Op) []Op { return unique(slices.Clone(ops)) }

// Try makes the history and gives the first law that broke, as the first word of an
// error that names one; a panic is an error too.
func (t Trial) Try(ops []Op) error {
	plain, err := t.play(ops, Fast, -1)
	if err != nil || len(t.Turns) > 0 {
		return err
	}
	inner := t // P13 and P14 are broken by any law that holds in the plain history
	inner.Mute = func(law string) bool { return plain.broke[law] }
	if t.asks("P13") {
		hostile, err := inner.play(ops, Hostile, -1)
		if err != nil {
			return fmt.Errorf("P13: with a state of any kind for each run: %w", err)
		}
		if plain.last.text != hostile.last.text {
			return fmt.Errorf("P13: with a state of any kind for each run all ends otherwise:\n%s", diff(plain.last.text, hostile.last.text))
		}
	}
	if runs := stoppable(ops); len(runs) > 0 && t.asks("P14") {
		at := runs[int(t.draw("run")%uint64(len(runs)))]
		stopped, err := inner.play(ops, Fast, at)
		if err != nil {
			return fmt.Errorf("P14: with %v stopped and made again: %w", ops[at], err)
		}
		if a, b := plain.last.plain(), stopped.last.plain(); a != b {
			return fmt.Errorf("P14: with %v stopped and made again all ends otherwise:\n%s", ops[at], diff(a, b))
		}
	}
	if t.Replicas == 2 && t.asks("P15") {
		return t.ask(t.meddle(ops), &plain)
	}
	return nil
}

func (t Trial) asks(law string) bool { return t.Mute == nil || !t.Mute(law) }

// draw is a number for a purpose.
func (t Trial) draw(what string) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, t.Seed, what)
	return h.Sum64() >> 16
}

// runsOf lists where a history has whole runs.
func runsOf(ops []Op) (out []int) {
	for i, o := range ops {
		if o.Verb == pure.SyncWhole && o.R != o.Peer {
			out = append(out, i)
		}
	}
	return out
}

// stoppable lists the runs after which no client picks a message by where it stands:
// a run that is stopped and made again may give other UIDs, and then the third message
// is another one.
func stoppable(ops []Op) []int {
	last := 0
	for i, o := range ops {
		switch o.Verb {
		case pure.Copy, pure.Move, pure.Expunge, pure.Flag, pure.Unflag, pure.Keyword, pure.Unkeyword:
			last = i
		}
	}
	return slices.DeleteFunc(runsOf(ops), func(i int) bool { return i < last })
}

func (t Trial) world(mode Mode) (*world, error) {
	db, err := logdb.Open("log", logdb.Options{Disk: new(logdb.Disk)})
	if err != nil {
		return nil, err
	}
	w := newWorld(t.Seed, mode, db)
	w.ownDB, w.policy, w.strict, w.excused = true, t.Policy, false, t.Excused
	w.modseqs = map[changelog.ReplicaID]*modseqs{}
	for i := range t.Replicas {
		w.add(newMemAccount(fmt.Sprint("trial-", i), t.Seed*16+uint64(i)+1, w.Time, false))
	}
	return w, nil
}

// played is a world after its history, and the laws that broke and were passed over.
type played struct {
	last  *listing
	broke map[string]bool
}

// ask gives an error of a law that is asked, and notes that of another.
func (t Trial) ask(err error, p *played) error {
	if err == nil || t.asks(lawOf(err)) {
		return err
	}
	p.broke[lawOf(err)] = true
	return nil
}

// play makes a history; stop is the index of the run that is stopped once, or -1.
// Laws that are not asked are passed over.
func (t Trial) play(ops []Op, mode Mode, stop int) (out played, err error) {
	out.broke = map[string]bool{}
	w, err := t.world(mode)
	if err != nil {
		return out, err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		err = errors.Join(err, w.close())
	}()
	for i, o := range ops {
		if len(t.Turns) > 0 && isRun(o) {
			w.policy = t.Turns[w.turn%len(t.Turns)]
			w.turn++
		}
		if i == stop {
			w.stopped(o, int(t.draw("write")%14), int(t.draw("side")%2))
		}
		if err := t.ask(w.run(o), &out); err != nil {
			return out, fmt.Errorf("at %d, %v: %w", i, o, err)
		}
	}
	w.policy = t.Policy
	if err := t.ask(w.converge(), &out); err != nil {
		return out, err
	}
	out.last, err = list(w.acc[0])
	return out, err
}

func isRun(o Op) bool {
	return slices.Contains([]pure.Verb{pure.SyncWhole, pure.SyncBox, pure.SyncSince, pure.OneWay, pure.Backup, pure.Half, pure.Partly}, o.Verb)
}

// stopped makes a run that ends at the n-th write of one side. What it says counts
// for nothing: the process is gone.
func (w *world) stopped(o Op, n, side int) {
	m := w.acc[[2]int{o.R, o.Peer}[side]].(*memAccount)
	m.fail = memory.StopAt(n, errFault)
	w.pair(o.R, o.Peer, w.pairOptions(o.R, o.Peer))
	m.fail = nil
}

// meddle is P15: of two replicas half of what clients do between two runs is done in
// the midst of the second.
func (t Trial) meddle(ops []Op) (err error) {
	w, err := t.world(Fast)
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		err = errors.Join(err, w.close())
	}()
	for from, round := 0, uint64(0); from < len(ops); round++ {
		to := from
		for to < len(ops) && ops[to].Verb != pure.SyncWhole {
			to++
		}
		half := from + (to-from+1)/2
		for _, o := range clientOps(ops[from:half], from) {
			if err := w.run(o); err != nil {
				return err
			}
		}
		w.Pass(time.Second)
		if err := w.meddled(0, 1, clientOps(ops[half:to], half), t.Seed*7+round); err != nil {
			return err
		}
		from = to + 1
	}
	return nil
}

// frugal is P23 for a whole run: no body came that was there. Of a run with nothing
// to do quiet asks.
func (w *world) frugal(before, after [2]*listing) error {
	var fetched, came int64
	for i, e := range w.last.Ends {
		for _, r := range e.Reports() {
			fetched += r.Fetched
		}
		had := before[i].count()
		for t, n := range after[i].count() { // any order: a sum
			came += int64(max(0, n-had[t]))
		}
	}
	if fetched > came {
		return fmt.Errorf("P23: %d bodies were taken, where %d came", fetched, came)
	}
	return nil
}

// excuse notes the mail that a rule let go, as the report of a run names it (P6).
func (w *world) excuse(ds []merge.Decision) {
	for _, d := range ds {
		if d.Rule == 15 && !d.Message.IsZero() {
			w.model.gone[string(d.GUID)] = true
			if w.excused != nil {
				w.excused["P6"] = d.Rule
			}
		}
	}
}
