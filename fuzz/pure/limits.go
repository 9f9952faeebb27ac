package pure

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// Limited is a run between R and Peer under the limits in Arg, which are the
// program's options in short, parted by commas:
//
//	m:A        only mailbox A (several: each of them)                   -m
//	g:A        only the mailbox that R shows at A, by its GUID          -g
//	x:A x:A*   not A; not what begins with A                            -x
//	t e I      no content below number 2; none from 4 on; not number 3  -t -e -I
//	F -F       only new mail with, or without, \Flagged (any letter)    -O
//	tree       no mail at all                                           -m ''
//	1 backup   in one direction, R is the source
const Limited Verb = "limit"

// Limits are read from the Arg of a Limited run.
type Limits struct {
	Filter    merge.Filter
	Direction merge.Direction
}

// Inside reports whether a mailbox is within the limits.
func (l *Limits) Inside(p store.Name, gs []store.MailboxGUID) bool {
	return l.Filter.Mailbox == nil || l.Filter.Mailbox(p, gs)
}

// ParseLimits reads limits. guids gives the GUIDs of what R shows at a path;
// number that of a message's content; has whether a message shows a flag.
func ParseLimits(arg string, guids func(store.Name) []store.MailboxGUID, number func(*changelog.Message) int,
	has func(*changelog.Message, string) bool) (*Limits, error) {
	l := &Limits{}
	var want, except []string
	var ids []store.MailboxGUID
	var may []func(*changelog.Message) bool
	boxes := false
	for _, f := range strings.Split(arg, ",") {
		what, rest, _ := strings.Cut(f, ":")
		switch {
		case what == "m":
			want, boxes = append(want, rest), true
		case what == "g":
			ids, boxes = append(ids, guids(store.Name(rest))...), true
		case what == "x":
			except = append(except, rest)
		case f == "t":
			may = append(may, func(m *changelog.Message) bool { return number(m) >= 2 })
		case f == "e":
			may = append(may, func(m *changelog.Message) bool { return number(m) < 4 })
		case f == "I":
			may = append(may, func(m *changelog.Message) bool { return number(m) != 3 })
		case f == "tree":
			l.Filter.TreeOnly = true
		case f == "1":
			l.Direction = merge.OneWay
		case f == "backup":
			l.Direction = merge.Mirror
		case flagLetters[strings.TrimPrefix(f, "-")] != 0:
			may = append(may, func(m *changelog.Message) bool { return has(m, strings.TrimPrefix(f, "-")) != (f[0] == '-') })
		default:
			return nil, fmt.Errorf("limit %q of %q", f, arg)
		}
	}
	if boxes || len(except) > 0 {
		l.Filter.Mailbox = func(p store.Name, gs []store.MailboxGUID) bool {
			for _, x := range except {
				if begin, ok := strings.CutSuffix(x, "*"); string(p) == x || ok && strings.HasPrefix(string(p), begin) {
					return false
				}
			}
			return !boxes || slices.Contains(want, string(p)) || slices.ContainsFunc(gs, func(g store.MailboxGUID) bool { return slices.Contains(ids, g) })
		}
	}
	if len(may) > 0 {
		l.Filter.New = func(m *changelog.Message) bool {
			return !slices.ContainsFunc(may, func(f func(*changelog.Message) bool) bool { return !f(m) })
		}
	}
	return l, nil
}

// limitsOf reads the limits of a run of this world.
func (w *World) limitsOf(o Op) (*Limits, error) {
	at := func(p store.Name) []store.MailboxGUID {
		if s := w.R[o.R].Layout().ByPath[p]; s != nil && s.Holder != nil {
			return s.Holder.GUIDs
		}
		return nil
	}
	number := func(m *changelog.Message) int {
		g := string(m.Content.GUID)
		return int(g[len(g)-1]-'0') % 10
	}
	return ParseLimits(o.Arg, at, number, func(m *changelog.Message, f string) bool { return w.Policy.Flags(m)&flagLetters[f] != 0 })
}

// limited is a run under limits, with the laws that hold of any: P26, and for one
// direction what is left of P19 and P20.
func (w *World) limited(a, b *Replica, o Op) error {
	l, err := w.limitsOf(o)
	if err != nil {
		return err
	}
	w.meet(a, b)
	opt := merge.Options{Policy: w.Policy, Direction: l.Direction, Filter: &l.Filter}
	if l.Direction != merge.TwoWay {
		opt.Mint = b.mint
	}
	a0, b0 := a.Clone(), b.Clone()
	before := a.Dump(w.Policy, true)
	if _, err := w.sync(a, b, opt, nil); err != nil {
		return err
	}
	w.Reported = append(w.Reported, w.Decisions...)
	if err := w.asked(w.withinLimits(l, [2]*Replica{a0, b0}, [2]*Replica{a, b}, o)); err != nil {
		return err
	}
	if l.Direction == merge.TwoWay {
		return nil
	}
	if a.Dump(w.Policy, true) != before {
		return w.asked(errors.New("P19/P20: the source was changed"))
	}
	if l.Direction == merge.OneWay {
		if err := w.asked(w.loses(b0, b)); err != nil {
			return err
		}
	}
	if w.cameInside(l, b0, b) {
		return nil
	}
	after := b.Dump(w.Policy, true)
	if _, err := w.sync(a, b, opt, nil); err != nil {
		return err
	}
	if again := b.Dump(w.Policy, true); again != after {
		return w.asked(fmt.Errorf("P19/P20: a second run changed the destination\nfirst:\n%ssecond:\n%s", after, again))
	}
	return nil
}

// cameInside reports whether a mailbox that the destination showed outside of the
// limits is within them now, because it followed its parent: then the next run is
// another one.
func (w *World) cameInside(l *Limits, before, after *Replica) bool {
	for _, s := range before.Layout().Slots {
		if s.Holder == nil || l.Inside(s.Path, s.Holder.GUIDs) {
			continue
		}
		if t := after.Layout().In(s.Holder.GUID()); t != nil && t.Path != s.Path && l.Inside(t.Path, s.Holder.GUIDs) {
			return true
		}
	}
	return false
}

// withinLimits is P26.
func (w *World) withinLimits(l *Limits, was, is [2]*Replica, o Op) error {
	if l.Filter.Mailbox != nil {
		shown := map[store.MailboxGUID]bool{}
		for _, r := range []*Replica{was[0], was[1], is[0], is[1]} {
			for _, s := range r.Layout().Slots {
				inside := slices.ContainsFunc(s.Members, func(n *changelog.Node) bool { return l.Inside(s.Path, n.GUIDs) })
				for _, n := range s.Members {
					for _, g := range n.GUIDs {
						shown[g] = shown[g] || inside
					}
				}
			}
		}
		for s := range was {
			if err := w.outside(was[s], is[s], store.Name(o.Arg), shown); err != nil {
				return err
			}
		}
	}
	may := l.Filter.New
	if l.Filter.TreeOnly {
		may = func(*changelog.Message) bool { return false }
	}
	if may == nil {
		return nil
	}
	if err := kept(was[0], was[1], is[0], may); err != nil {
		return err
	}
	return kept(was[1], was[0], is[1], may)
}
