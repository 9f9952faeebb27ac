package pure

import (
	"fmt"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// Laws of runs that do not carry all, and of orders of runs.

// gains is P20 for one run of -1 from src to the replica that was dst and is after:
// it loses nothing, what it expunged stays away, and what it had not seen comes.
func (w *World) gains(src, dst, after *Replica) error {
	if err := w.loses(dst, after); err != nil {
		return err
	}
	return w.brings(src, dst, after)
}

// loses is the first half of P20: the destination loses nothing, and what it
// expunged stays away.
func (w *World) loses(dst, after *Replica) error {
	now := after.origins()
	l0, l := dst.Layout(), after.Layout()
	for _, s := range l0.Slots {
		if s.Shown && s.Holder != nil && (l.ByPath[s.Path] == nil || l.ByPath[s.Path].Holder == nil) {
			return fmt.Errorf("P20: -1 took mailbox %s from the destination", s.Path)
		}
	}
	have := after.Tree.Subscriptions(l)
	for _, n := range dst.Tree.Subscriptions(l0) {
		if !slices.Contains(have, n) {
			return fmt.Errorf("P20: -1 unsubscribed %s", n)
		}
	}
	for _, m := range dst.List() {
		x := now[m.ID()]
		if m.Live() {
			if x == nil || !x.Live() {
				return fmt.Errorf("P20: -1 took %s from the destination", m.Content.GUID)
			}
			p, _ := m.Place()
			q, _ := x.Place()
			if a, b := l0.In(p), l.In(q); a.Path != b.Path {
				return fmt.Errorf("P20: -1 moved %s from %s to %s", m.Content.GUID, a.Path, b.Path)
			}
		} else if x != nil && x.Live() {
			return fmt.Errorf("P20: -1 brought back %s, which the destination had expunged", m.Content.GUID)
		}
	}
	return nil
}

// brings is the other half: what the destination had not seen comes (P22).
func (w *World) brings(src, dst, after *Replica) error {
	now, mine, l := after.origins(), dst.origins(), after.Layout()
	for _, m := range src.List() {
		known := len(of(m, mine)) > 0 || slices.ContainsFunc(m.Origins, func(o changelog.Write) bool { return dst.Seen.Has(o.Dot) })
		x := of(m, now)
		switch live := len(x) > 0 && x[0].Live(); {
		case !m.Live():
		case !known && !live && !w.dead28(m):
			return fmt.Errorf("P22: -1 did not bring %s, new to the destination", m.Content.GUID)
		case known && live && len(of(m, mine)) == 0:
			return fmt.Errorf("P20: -1 brought back %s, which the destination had seen and dropped", m.Content.GUID)
		}
	}
	for _, s := range src.Layout().Slots {
		if s.Shown && s.Holder != nil && !dst.knows(s.Holder) && (l.In(s.Holder.GUID()) == nil || l.In(s.Holder.GUID()).Holder == nil) {
			return fmt.Errorf("P22: -1 did not bring mailbox %s", s.Path)
		}
	}
	return nil
}

// dead28 reports whether the last run named the message under rule 28.
func (w *World) dead28(m *changelog.Message) bool {
	return slices.ContainsFunc(w.Decisions, func(d merge.Decision) bool { return d.Rule == 28 })
}

func (r *Replica) knows(n *changelog.Node) bool {
	return slices.ContainsFunc(n.GUIDs, func(g store.MailboxGUID) bool { return r.Tree.Node(g) != nil })
}

// contents prints the mail of each mailbox by its first GUID.
func (r *Replica) contents(p *merge.Policy) map[store.MailboxGUID]string {
	out := map[store.MailboxGUID]string{}
	for _, s := range r.Layout().Slots {
		if s.Holder == nil {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%d %d %v", s.Holder.UIDValidity, s.Holder.UIDNext, s.Holder.Attributes())
		for _, m := range r.In(s) {
			fmt.Fprintf(&b, "; %d %s %v %v", m.UID, m.Content.GUID, p.Flags(m), p.Keywords(m))
		}
		out[s.Holder.GUID()] = b.String()
	}
	return out
}

// outside is P26 for -m: mailboxes that neither side nor the result shows at the
// path hold what they held. It is asked of each side.
func (w *World) outside(before, after *Replica, path store.Name, shown map[store.MailboxGUID]bool) error {
	was, now := before.contents(w.Policy), after.contents(w.Policy)
	for _, s := range before.Layout().Slots {
		if s.Holder == nil {
			continue
		}
		inside := false
		for _, n := range s.Members {
			for _, g := range n.GUIDs {
				inside = inside || shown[g]
			}
		}
		if inside {
			continue
		}
		t := after.Layout().In(s.Holder.GUID())
		if t == nil || t.Holder == nil {
			return fmt.Errorf("P26: -m %s took %s from replica %d", path, s.Path, before.Name)
		}
		a, b := was[s.Holder.GUID()], now[t.Holder.GUID()]
		if a != b && !(t.Path != s.Path && strings.SplitN(a, " ", 2)[1] == strings.SplitN(b, " ", 2)[1]) {
			return fmt.Errorf("P26: -m %s changed %s of replica %d from\n%s to %s\n%s", path, s.Path, before.Name, a, t.Path, b)
		}
	}
	return nil
}

// at collects the GUIDs shown at a path.
func (r *Replica) at(path store.Name, into map[store.MailboxGUID]bool) {
	if s := r.Layout().ByPath[path]; s != nil {
		for _, n := range s.Members {
			for _, g := range n.GUIDs {
				into[g] = true
			}
		}
	}
}

// kept is P26 for -t: no message crossed that may not.
func kept(a, b, after *Replica, may func(*changelog.Message) bool) error {
	mine := a.origins()
	for _, m := range after.List() {
		if m.Live() && len(of(m, mine)) == 0 && !may(m) {
			return fmt.Errorf("P26: %s crossed from %d to %d against the filter", m.Content.GUID, b.Name, a.Name)
		}
	}
	return nil
}

// Associative is P18: three replicas give the same, up to UIDs, in whatever order
// their states meet; linked copies (a content with several origins in some
// order) are left out.
func (w *World) Associative() error {
	if len(w.R) < 3 {
		return nil
	}
	orders := [][][2]int{{{0, 1}, {0, 2}}, {{1, 2}, {0, 1}}, {{0, 2}, {0, 1}}}
	var ends []*World
	for i, o := range orders {
		v := w.With(w.R[:3]...)
		for _, p := range o {
			if err := v.whole(v.R[p[0]], v.R[p[1]]); err != nil {
				return fmt.Errorf("in order %d of meeting: %w", i, err)
			}
		}
		ends = append(ends, v)
	}
	return w.asked(Alike(ends, func(i int) string { return fmt.Sprint(orders[i]) }))
}

// Alike is P18 for worlds that ran one history in several orders of meeting: their
// first replicas show the same, up to UIDs and linked copies. order names one.
func Alike(ends []*World, order func(int) string) error {
	linked := map[string]bool{}
	dumps := make([]string, len(ends))
	for i, v := range ends {
		for _, m := range v.R[0].Messages {
			if len(m.Origins) > 1 {
				linked[string(m.Content.GUID)] = true
			}
		}
		dumps[i] = v.R[0].Dump(v.Policy, false)
	}
	for i := range dumps {
		if dumps[i] == dumps[0] {
			continue
		}
		if x, y := without(dumps[i], linked), without(dumps[0], linked); x != y {
			return fmt.Errorf("P18: order %s gives\n%sinstead of what %s gives\n%s", order(i), x, order(0), y)
		}
	}
	return nil
}

// without takes the messages of these contents out of a Dump.
func without(dump string, guids map[string]bool) string {
	var out []string
	for _, l := range strings.SplitAfter(dump, "\n") {
		f := strings.Fields(l)
		if strings.HasPrefix(l, "  ") && len(f) > 0 && guids[f[0]] {
			continue
		}
		out = append(out, l)
	}
	return strings.Join(out, "")
}
