package live

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"dsync/changelog"
	"dsync/fuzz/pure"
	"dsync/merge"
	"dsync/store"
	"dsync/store/memory"
)

// Op is an operation, as fuzz/pure has them.
type Op = pure.Op

// Operations that only a real store knows.
const (
	NoUIDList  pure.Verb = "nouidlist"  // dovecot-uidlist of Path is deleted
	CutUIDList pure.Verb = "cutuidlist" // its second half is lost
	NoIndex    pure.Verb = "noindex"    // Dovecot's index files of Path are deleted
	OldLog     pure.Verb = "oldlog"     // R's log is what it was at the last "save"; its mail is not
	OldBoth    pure.Verb = "oldboth"    // R's mail and log are what they were at the last "save"
)

// parse reads a history: fuzz/pure's operations, and those above.
func parse(s string) ([]Op, error) {
	var out []Op
	var plain []string
	flush := func() error {
		ops, err := pure.Parse(strings.Join(plain, ";"))
		out, plain = append(out, ops...), nil
		return err
	}
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == '\n' }) {
		var r int
		var verb, path string
		n, _ := fmt.Sscanf(strings.Replace(strings.TrimSpace(f), ":", " ", 1), "%d %s %s", &r, &verb, &path)
		switch v := pure.Verb(verb); {
		case n == 2 && (v == OldLog || v == OldBoth), n == 3 && (v == NoUIDList || v == CutUIDList || v == NoIndex):
			if err := flush(); err != nil {
				return nil, err
			}
			out = append(out, Op{Verb: v, R: r, Path: store.Name(path)})
		default:
			plain = append(plain, f)
		}
	}
	return out, flush()
}

func mustParse(s string) []Op {
	ops, err := parse(s)
	if err != nil {
		panic(fmt.Sprintf("history %q: %v", s, err))
	}
	return ops
}

// unique gives each delivery a token of its own, but for those of colliding
// histories. A name with a slash keeps its GUID.
func unique(ops []Op) []Op {
	for i := range ops {
		if ops[i].Verb == pure.Append {
			ops[i].Arg = fmt.Sprintf("t%d", i)
		}
	}
	return ops
}

// damage sprinkles what befalls Maildirs over a history.
func damage(ops []Op, rng *rand.Rand) []Op {
	for i := range ops {
		if ops[i].Verb == pure.SetAttr || ops[i].Verb == pure.Skew {
			ops[i].Verb = []pure.Verb{NoUIDList, CutUIDList, NoUIDList, NoIndex}[rng.IntN(4)]
			ops[i].Arg = ""
		}
	}
	return ops
}

// oldLogs makes two restores in three those of a log, or of mail and log.
func oldLogs(ops []Op, rng *rand.Rand) []Op {
	for i := range ops {
		if ops[i].Verb == pure.Restore {
			ops[i].Verb = []pure.Verb{pure.Restore, OldLog, OldBoth}[rng.IntN(3)]
		}
	}
	return ops
}

var errFault = errors.New("input/output error")

// faults arms what Half and Partly ask for: Half, everything stops at one side at a
// write drawn from the history; Partly, one effect in three fails at both.
func (w *world) faults(o Op) {
	for i, r := range []int{o.R, o.Peer} {
		m, ok := w.acc[r].(*memAccount)
		switch {
		case !ok:
		case o.Verb == pure.Half && i == 0:
			m.fail = memory.StopAt(w.runs%13, errFault)
		case o.Verb == pure.Partly:
			n := 0
			m.fail = func(op string, _ store.Name, item string) error {
				switch op {
				case memory.OpAdd, memory.OpIn, memory.OpFlags, memory.OpUIDs, memory.OpExpunge, memory.OpStage, memory.OpStageLink, memory.OpSubscribe, memory.OpDelete:
				default:
					return nil
				}
				h := fnv.New32a()
				fmt.Fprintf(h, "%s/%d/%s/%s", o.Arg, i, op, item)
				n++
				if h.Sum32()%3 == 0 {
					return errFault
				}
				return nil
			}
		}
	}
}

// mend takes the faults away.
func (w *world) mend() {
	for _, a := range w.acc {
		if m, ok := a.(*memAccount); ok {
			m.fail = nil
		}
	}
}

// history is what befalls logs and stores as a whole.
func (w *world) history(o Op) error {
	a := w.acc[o.R]
	w.model.loosen()
	before, err := list(a)
	if err != nil {
		return err
	}
	switch o.Verb {
	case pure.Save:
		if !marked(a) {
			return nil // what comes back without a mark is a loss, for the safety brake
		}
		if err := w.saveLog(o.R); err != nil {
			return err
		}
		return a.save()
	case pure.Restore:
		err = a.restore()
	case OldLog:
		err = w.oldLog(o.R)
	case OldBoth:
		err = errors.Join(a.restore(), w.oldLog(o.R))
	case pure.Clone:
		// An empty store in the place of one that the log knows is not a copy but
		// a loss, which the safety brake is for.
		if o.R != o.Peer && marked(w.acc[o.Peer]) {
			err = a.become(w.acc[o.Peer])
		}
	case pure.LostLog:
		err = w.loseLog(o.R)
	}
	if err != nil {
		return err
	}
	after, err := list(a)
	if err != nil {
		return err
	}
	n := after.count()
	for t := range before.count() {
		if n[t] == 0 {
			w.model.dropped[t] = true
		}
	}
	if o.Verb != pure.LostLog && o.Verb != OldLog {
		w.model.of[o.R] = newKnowledge()
		w.uids[o.R] = map[uidKey]string{}
		w.nexts[o.R] = map[boxKey]store.UID{}
	}
	return nil
}

// marked reports whether an account has been in a run.
func marked(a account) bool {
	s, err := a.open()
	if err != nil {
		return false
	}
	defer s.Close()
	_, ok, err := s.Mark()
	return ok && err == nil
}

// loseLog drops a replica's account from the change log.
func (w *world) loseLog(r int) error {
	id, ok, err := w.logOf(r)
	if err != nil || !ok {
		return err
	}
	return w.db.DropAccount(id)
}

// logOf is the replica that the change log has at the place of an account.
func (w *world) logOf(r int) (id changelog.ReplicaID, ok bool, err error) {
	s, err := w.acc[r].open()
	if err != nil {
		return 0, false, err
	}
	defer s.Close()
	id, _, ok, err = w.db.Lookup(s.Location())
	return id, ok, err
}

// saveLog keeps what the change log holds of a replica.
func (w *world) saveLog(r int) error {
	id, ok, err := w.logOf(r)
	delete(w.saved, r)
	if err != nil || !ok {
		return err
	}
	w.saved[r], err = w.db.Copy(id)
	return err
}

// oldLog brings back what saveLog kept; a replica that had no log then loses it.
func (w *world) oldLog(r int) error {
	if w.saved[r] == nil {
		return w.loseLog(r)
	}
	return w.db.PutBack(w.saved[r])
}

// shrink leaves out operations as long as the history still breaks the same law.
func shrink(ops []Op, try func([]Op) error) []Op {
	law := lawOf(try(ops))
	tries := 0
	for size := max(len(ops)/2, 1); size >= 1; {
		cut := false
		for i := 0; i+size <= len(ops) && tries < 600; {
			less := append(append([]Op{}, ops[:i]...), ops[i+size:]...)
			tries++
			if lawOf(try(less)) == law {
				ops, cut = less, true
			} else {
				i++
			}
		}
		if !cut || size > len(ops) {
			if size == 1 {
				break
			}
			size /= 2
		}
	}
	return ops
}

// text prints a history so that parse reads it back.
func text(ops []Op) string { return pure.History(ops) }

var _ = merge.Safe
