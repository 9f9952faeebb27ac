package pure

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// Kind chooses what histories a generator makes.
type Kind struct {
	Replicas int
	Ops      int
	Tree     bool // rename-heavy
	Parts    bool // filters, failures and half-played runs between
	Direct   bool // -1 and backup between
	Tails    bool // whole runs only, each after eight changes
	Logs     int  // 1: logs lost and cloned; 2: restored; 3: clocks wrong; 4: restored or cloned with the log, and known to be; 5: all but 2
	Limits   bool // limits of all kinds between, with -1 and backup too
	Policy   *merge.Policy
	Cover    *Coverage // counts what was hit; nil: nothing is counted
	// Mute and Excused are the world's.
	Mute    func(law string) bool
	Excused map[string]int
}

func (k Kind) policy() *merge.Policy {
	if k.Policy == nil {
		return merge.Safe
	}
	return k.Policy
}

var boxes = []store.Name{"INBOX", "A", "B", "A/C", "B/C", "INBOX/D"}

// Generate makes a history: a common past, then tails with runs between.
func (k Kind) Generate(rng *rand.Rand) []Op {
	var ops []Op
	ops = append(ops, Op{Verb: CreateBox, Path: "A"}, Op{Verb: Append, Path: "INBOX", Arg: "g0"}, Op{Verb: Append, Path: "A", Arg: "g1"},
		Op{Verb: Flag, Path: "INBOX", Arg: "F"}, Op{Verb: Flag, Path: "A", Arg: "F"}, Op{Verb: Tick})
	if rng.IntN(4) > 0 {
		for i := 1; i < k.Replicas; i++ {
			ops = append(ops, Op{Verb: SyncWhole, R: i - 1, Peer: i})
		}
	}
	for i := range k.Ops {
		o := k.one(rng)
		for k.Tails && o.isRun() {
			o = k.one(rng)
		}
		ops = append(ops, o)
		if k.Tails && i%8 == 7 {
			ops = append(ops, Op{Verb: SyncWhole, R: 0, Peer: 1})
		}
	}
	return ops
}

func (k Kind) one(rng *rand.Rand) Op {
	o := Op{R: rng.IntN(k.Replicas), Path: boxes[rng.IntN(3+rng.IntN(len(boxes)-2))], Path2: boxes[rng.IntN(len(boxes))], N: rng.IntN(3)}
	o.Peer = rng.IntN(k.Replicas)
	if rng.IntN(4) == 0 {
		o.Verb = SyncWhole
		if k.Limits && rng.IntN(2) == 0 {
			return Op{Verb: Limited, R: o.R, Peer: o.Peer, Arg: randomLimits(rng)}
		}
		if k.Parts && rng.IntN(2) == 0 {
			o.Verb = []Verb{SyncBox, SyncSince, Half, Partly}[rng.IntN(4)]
			o.Arg = fmt.Sprint(rng.IntN(8))
			if o.Verb == SyncBox || o.Verb == SyncSince || o.Verb == Half {
				o.Arg = ""
			}
			if o.Verb != SyncBox {
				o.Path = ""
			}
		} else if k.Direct && rng.IntN(2) == 0 {
			o.Verb = []Verb{OneWay, Backup}[rng.IntN(2)]
			o.Path = ""
		}
		return o
	}
	if k.Logs > 0 && rng.IntN(10) == 0 {
		o.Path, o.Path2, o.N = "", "", 0
		switch k.Logs {
		case 1:
			o.Verb = []Verb{LostLog, LostLog, Clone}[rng.IntN(3)]
		case 2:
			o.Verb = []Verb{Save, Restore}[rng.IntN(2)]
		case 4:
			o.Verb = []Verb{Save, Again, Again, Twin, Trim}[rng.IntN(5)]
		case 5:
			o.Verb = []Verb{Save, Again, Twin, Trim, LostLog, Clone}[rng.IntN(6)]
		default:
			o.Verb, o.Arg = Skew, []string{"0", "1", "-1", "3600", "-90000", "200000"}[rng.IntN(6)]
		}
		return o
	}
	mail := []Verb{Append, Append, Copy, Move, Move, Expunge, Expunge, Flag, Flag, Unflag, Keyword, Unkeyword}
	tree := []Verb{CreateBox, RenameBox, DeleteBox, Subscribe, Unsubscribe, SetAttr}
	rare := []Verb{ResetUIDs, RaiseNext, Tick, Tick}
	switch n := rng.IntN(12); {
	case k.Tree && n < 8 || n < 2:
		o.Verb = tree[rng.IntN(len(tree))]
		if k.Tree && rng.IntN(2) == 0 {
			o.Verb = RenameBox
		}
	case n == 11:
		o.Verb = rare[rng.IntN(len(rare))]
	default:
		o.Verb = mail[rng.IntN(len(mail))]
	}
	switch o.Verb {
	case Append:
		o.Arg = fmt.Sprintf("g%d", rng.IntN(5))
	case Flag, Unflag:
		o.Arg = []string{"F", "F", "S", "T"}[rng.IntN(4)]
	case Keyword, Unkeyword:
		o.Arg = []string{"kw", "KW"}[rng.IntN(2)]
	case SetAttr:
		o.Arg = fmt.Sprintf("v%d", rng.IntN(3))
	case ResetUIDs:
		o.Arg = []string{"up", "down"}[rng.IntN(2)]
	}
	return o
}

func (k Kind) world() *World {
	w := NewWorld(k.Replicas, k.policy())
	w.Mute, w.Excused = k.Mute, k.Excused
	return w
}

// randomLimits draws the limits of a run: one to three of them.
func randomLimits(rng *rand.Rand) string {
	box := func() string { return string(boxes[rng.IntN(len(boxes))]) }
	one := func() string {
		switch rng.IntN(8) {
		case 0, 1:
			return "m:" + box()
		case 2:
			return "g:" + box()
		case 3:
			return "x:" + box()
		case 4:
			return "x:" + []string{"A*", "B*", "I*"}[rng.IntN(3)]
		case 5:
			return []string{"t", "e", "I"}[rng.IntN(3)]
		case 6:
			return []string{"F", "-F", "S", "-S", "T"}[rng.IntN(5)]
		}
		return []string{"tree", "t", "m:A"}[rng.IntN(3)]
	}
	ls := []string{one()}
	for rng.IntN(3) == 0 && len(ls) < 3 {
		ls = append(ls, one())
	}
	if n := rng.IntN(6); n < 2 {
		ls = append(ls, []string{"1", "backup"}[n])
	}
	return strings.Join(ls, ",")
}

// Check runs a history and then sweeps until every change has had a path to every
// replica; all laws that the pure ring can see hold along the way, and P17 at the
// end.
func (k Kind) Check(ops []Op) error {
	w := k.world()
	if k.Cover != nil {
		w.Cover = k.Cover
		w.Cover.kinds, w.Cover.reset = map[changelog.Dot]string{}, map[int]bool{}
	}
	for i, o := range ops {
		if err := w.Run(o); err != nil {
			return fmt.Errorf("at %d, %v: %w", i, o, err)
		}
	}
	// What was met without history is known by its UIDs (rule 28), which other runs
	// may have changed: P18 cannot be asked of it (tree.md 6).
	if k.Logs != 1 && k.Logs != 5 {
		if err := w.Associative(); err != nil {
			return err
		}
	}
	return w.Converge()
}

// Converge sweeps there and back, after which every change has had a path to
// every replica and all must hold the same mail (P17); once more, and they agree
// on the UIDs too; a third time, and nothing happens.
func (w *World) Converge() error {
	if err := w.sweep(); err != nil {
		return err
	}
	return w.Settle()
}

// Settle is Converge where every change has had a path to every replica already.
func (w *World) Settle() error {
	if err := w.asked(w.equal("P17: after one sweep", false)); err != nil {
		return err
	}
	if err := w.sweep(); err != nil {
		return err
	}
	if err := w.asked(w.equal("P17: after two sweeps", true)); err != nil {
		return err
	}
	before := w.R[0].Dump(w.Policy, true)
	if err := w.sweep(); err != nil {
		return err
	}
	if after := w.R[0].Dump(w.Policy, true); after != before {
		return w.asked(fmt.Errorf("P2: the third sweep changed something\nbefore:\n%safter:\n%s", before, after))
	}
	return nil
}

func (w *World) sweep() error {
	n := len(w.R)
	for i := 1; i < n; i++ {
		if err := w.Run(Op{Verb: SyncWhole, R: i - 1, Peer: i}); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	for i := n - 1; i > 0; i-- {
		if err := w.Run(Op{Verb: SyncWhole, R: i, Peer: i - 1}); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}

func (w *World) equal(law string, uids bool) error {
	first := w.R[0].Dump(w.Policy, uids)
	for _, r := range w.R[1:] {
		if d := r.Dump(w.Policy, uids); d != first {
			return fmt.Errorf("%s replicas 0 and %d differ\n%s%s", law, r.Name, first, d)
		}
	}
	return nil
}

// CheckTrimmed is P12: a history gives the same whether logs are trimmed before each
// run or not.
func (k Kind) CheckTrimmed(ops []Op) error {
	a, b := k.world(), k.world()
	for i, o := range ops {
		if o.isRun() {
			for r := range b.R {
				b.trim(b.R[r])
			}
		}
		if err := a.Run(o); err != nil {
			return err
		}
		if err := b.Run(o); err != nil {
			return fmt.Errorf("P12: trimmed, at %d, %v: %w", i, o, err)
		}
		for r := range a.R {
			if x, y := a.R[r].Dump(a.Policy, true), b.R[r].Dump(b.Policy, true); x != y {
				return a.asked(fmt.Errorf("P12: at %d, %v: replica %d shows\n%strimmed it shows\n%s", i, o, r, x, y))
			}
		}
	}
	return b.Converge()
}

// Shrink leaves out operations as long as the history still breaks the same law.
func (k Kind) Shrink(ops []Op) []Op { return Shrink(ops, k.Try) }

// Shrink leaves out operations as long as try names the same law.
func Shrink(ops []Op, try func([]Op) error) []Op {
	law := LawOf(try(ops))
	for size := max(len(ops)/2, 1); size >= 1; {
		cut := false
		for i := 0; i+size <= len(ops); {
			less := append(append([]Op{}, ops[:i]...), ops[i+size:]...)
			if LawOf(try(less)) == law {
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

// Try is Check with a panic as an error, so that those shrink too.
func (k Kind) Try(ops []Op) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return k.Check(ops)
}

// LawOf names the law in an error of Check: the word before the first colon that
// starts with a capital P and a digit, or "panic".
func LawOf(err error) string {
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
