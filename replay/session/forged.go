package session

import (
	"errors"
	"fmt"

	"dsync/changelog"
)

// ErrForged: the other end shows changes of this replica that it never made. A log
// that was restored is known by its tags before, and goes on under a new epoch; what is
// left is a lie or a fault, and would be taken for changes that are still to come.
var ErrForged = errors.New("the other end shows changes of this replica that it never made")

// forged looks for such changes in what came.
func (m *Machine) forged(t *changelog.Tree, ms []*changelog.Message) error {
	top := func(d *changelog.Dots) error {
		if n := d.Max(m.me.Replica); n > m.me.Seq {
			return fmt.Errorf("%w: number %d, the last is %d", ErrForged, n, m.me.Seq)
		}
		return nil
	}
	for _, x := range ms {
		high := uint64(0)
		x.EachLive(func(d changelog.Dot) {
			if d.Replica == m.me.Replica {
				high = max(high, d.Seq)
			}
		})
		if high > m.me.Seq {
			return fmt.Errorf("%w: number %d, the last is %d", ErrForged, high, m.me.Seq)
		}
		if err := top(&x.Past); err != nil {
			return err
		}
	}
	if t == nil {
		return nil
	}
	for _, n := range t.Nodes {
		if d := n.Mentions(); top(&d) != nil {
			return top(&d)
		}
	}
	for _, b := range t.Bare {
		if d := b.Mentions(); top(&d) != nil {
			return top(&d)
		}
	}
	return nil
}
