package pure

import (
	"fmt"
	"math/bits"
	"os"
	"strings"
	"testing"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// openP7 is the case that shared/design/messages.md leaves open, with the messages,
// mailboxes and the mailbox of -m as letters: `A: EX; A: MV; C: AP; B–A; A: CP, F+;
// C: EX; -m A–C cut short; C–B; backup A→B`. A is 0, B is 1, C is 2.
type openP7 struct{ ex, mv, ap, cp, flag, cex, box string }

// readings calls f with every reading: the messages m, n of X and o of Y are held
// by all, m is flagged.
func readings(f func(i int, o openP7)) {
	i := 0
	for _, ex := range []string{"X#n", "Y#o", "X#m"} {
		for _, mv := range []string{"X#m>Y", "X#m>INBOX", "X#n>Y", "Y#o>X"} {
			for _, ap := range []string{"X", "Y"} {
				for _, cp := range []string{"Y#m>X", "Y#m>INBOX", "X#m>Y", "INBOX#m>X", "Y#n>X", "X#o>Y", "Y#o>X", "X#n>Y"} {
					for _, flag := range []string{"Y#m", "X#m", "INBOX#m", "Y#o", "X#o", "X#n", "Y#n"} {
						for _, cex := range []string{"X#m", "X#n", "Y#o", ap + "#new"} {
							for _, box := range []string{"X", "Y", "INBOX"} {
								f(i, openP7{ex, mv, ap, cp, flag, cex, box})
								i++
							}
						}
					}
				}
			}
		}
	}
}

// before is the history up to the run that is cut.
func (o openP7) before() string {
	return "0:cr X,Y; 0:ap X m; 0:ap X n; 0:ap Y o; 0:f+F X#m; 0=1; 1=2; 0=1; 0:ex " + o.ex + "; 0:mv " + o.mv + "; 2:ap " + o.ap +
		" new; 1=0; 0:cp " + o.cp + "; 0:f+S " + o.flag + "; 2:ex " + o.cex
}

// play plays a reading; cut says of the effects of the -m run which fail, as bits in
// the order in which they are asked for. effects is how many there are.
func (o openP7) play(cut uint64) (effects int, err error) {
	w := NewWorld(3, merge.Safe)
	run := func(history string) error {
		ops, err := Parse(history)
		if err != nil {
			return err
		}
		for _, op := range ops {
			if err := w.Run(op); err != nil {
				return err
			}
		}
		return nil
	}
	if err := run(o.before()); err != nil {
		return 0, err
	}
	asked := map[string]int{}
	fails := func(side int, id string) bool {
		k := fmt.Sprint(side, id)
		n, ok := asked[k]
		if !ok {
			n = len(asked)
			asked[k] = n
		}
		return n < 64 && cut>>n&1 == 1
	}
	a, c := w.R[0], w.R[2]
	w.meet(a, c)
	opt := merge.Options{Policy: w.Policy, Filter: &merge.Filter{Mailbox: func(p store.Name, _ []store.MailboxGUID) bool { return string(p) == o.box }}}
	if _, err := w.sync(a, c, opt, fails); err != nil {
		return len(asked), err
	}
	if err := run("2=1; 0=1 backup"); err != nil {
		return len(asked), err
	}
	shown := withoutUIDs(a.Show(w.Policy))
	if err := run("0=1"); err != nil {
		return len(asked), err
	}
	if after := withoutUIDs(a.Show(w.Policy)); after != shown {
		return len(asked), fmt.Errorf("P7/P19: what the backup made equal, the next whole run changes at its source: %s, then %s", shown, after)
	}
	set := w.flagged()
	if err := w.Converge(); err != nil {
		return len(asked), err
	}
	for id := range set {
		for _, r := range w.R {
			if m := r.byOrigin(id); m != nil && m.Live() && merge.Safe.Flags(m)&store.Seen == 0 {
				return len(asked), fmt.Errorf("P7: \\Seen of %s, which nobody cleared, is gone at %d: %s", m.Content.GUID, r.Name, r.Show(w.Policy))
			}
		}
	}
	return len(asked), nil
}

// flagged are the messages that show \Seen at A.
func (w *World) flagged() map[changelog.Dot]bool {
	out := map[changelog.Dot]bool{}
	for _, m := range w.R[0].List() {
		if m.Live() && merge.Safe.Flags(m)&store.Seen != 0 {
			out[m.ID()] = true
		}
	}
	return out
}

func (r *Replica) byOrigin(d changelog.Dot) *changelog.Message {
	for _, m := range r.List() {
		for _, o := range m.Origins {
			if o.Dot == d {
				return m
			}
		}
	}
	return nil
}

// E4, E9: the open P7 in every reading, and in each cut at every effect, everything
// but one effect, and each pair of effects. Without DSYNC_EXHAUSTIVE=1 every
// two thousandth reading, or so.
func TestOpenP7(t *testing.T) {
	step := 2003
	if os.Getenv("DSYNC_EXHAUSTIVE") != "" {
		step = 1
	}
	played, cuts := 0, 0
	var bad []string
	readings(func(i int, o openP7) {
		if i%step != 0 || len(bad) > 5 {
			return
		}
		played++
		n, err := o.play(0)
		for cut := uint64(1); err == nil && cut < 1<<min(n, 12); cut++ {
			if ones := bits.OnesCount64(cut); ones > 2 && ones < min(n, 12)-1 && cut&(cut+1) != 0 && !suffix(cut, n) {
				continue // neither few, nor all but one, nor a beginning, nor an end
			}
			cuts++
			if _, err = o.play(cut); err != nil {
				err = fmt.Errorf("cut %b: %w", cut, err)
			}
		}
		if err != nil {
			bad = append(bad, fmt.Sprintf("reading %d: %s; 0=2 -m %s: %v", i, o.before(), o.box, err))
		}
	})
	t.Logf("%d readings, %d cuts", played, cuts)
	if len(bad) > 0 {
		t.Errorf("%s", strings.Join(bad, "\n"))
	}
}

// suffix reports whether the set bits are the last of n.
func suffix(cut uint64, n int) bool {
	rest := cut | (1<<bits.TrailingZeros64(cut) - 1)
	return rest == 1<<min(n, 12)-1 && cut == rest&^(1<<bits.TrailingZeros64(cut)-1)
}
