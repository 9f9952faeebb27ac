package explore

import (
	"strings"

	"dsync/fuzz/pure"
)

// orders lets three replicas meet in every order, until every one has met all
// changes: twelve ways, of which those that begin alike share what they begin with.
type orders struct {
	know [3]uint8 // whose changes each has met
	met  []string
	ends []*pure.World
	ways []string
}

var meetings = [3][2]int{{0, 1}, {0, 2}, {1, 2}}

// meet goes on from a world in which some have met; if a law breaks it says in which
// order they met.
func (o *orders) meet(w *pure.World) (way string, err error) {
	if o.know == [3]uint8{7, 7, 7} {
		o.ends, o.ways = append(o.ends, w), append(o.ways, strings.Join(o.met, "; "))
		return "", nil
	}
	for _, p := range meetings {
		if o.know[p[0]] == o.know[p[1]] {
			continue
		}
		next := *o
		all := o.know[p[0]] | o.know[p[1]]
		next.know[p[0]], next.know[p[1]] = all, all
		run := pure.Op{Verb: pure.SyncWhole, R: p[0], Peer: p[1]}
		next.met = append(o.met[:len(o.met):len(o.met)], run.String())
		v := w.With(w.R...)
		if err := v.Run(run); err != nil {
			return strings.Join(next.met, "; "), err
		}
		if way, err := next.meet(v); err != nil {
			return way, err
		}
		o.ends, o.ways = next.ends, next.ways
	}
	return "", nil
}

// settle asks what must hold however they met: the same mail everywhere (P17), in
// whatever order (P18), and UIDs too after one more sweep.
func (o *orders) settle(w *pure.World) (way string, err error) {
	if err := pure.Alike(o.ends, func(i int) string { return o.ways[i] }); err != nil && (w.Mute == nil || !w.Mute(pure.LawOf(err))) {
		return "", err
	}
	for i, v := range o.ends {
		if o.known(i) {
			continue
		}
		if err := v.With(v.R...).Settle(); err != nil {
			return o.ways[i], err
		}
	}
	return "", nil
}

// known reports whether an end is one that an earlier order came to.
func (o *orders) known(i int) bool {
	for _, v := range o.ends[:i] {
		same := true
		for s, r := range v.R {
			same = same && r.Same(o.ends[i].R[s])
		}
		if same {
			return true
		}
	}
	return false
}
