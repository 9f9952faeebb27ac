package scenario

import (
	"slices"

	"dsync/store"
)

// CarriesMailbox reports whether the run is about a mailbox of that name: only and
// except.
func (r *Run) CarriesMailbox(n store.Name) bool {
	return r == nil || (len(r.Only) == 0 || slices.Contains(r.Only, n)) &&
		!slices.ContainsFunc(r.Except, func(mask string) bool { return fits(mask, string(n)) })
}

// CarriesReceived reports whether the run carries new messages received then: since
// and before.
func (r *Run) CarriesReceived(m Moment) bool {
	return r == nil || m >= r.Since && (r.Before == 0 || m < r.Before)
}

// fits matches * and ?, across levels.
func fits(mask, name string) bool {
	for i := range len(mask) {
		switch {
		case mask[i] == '*':
			for j := range len(name) - i + 1 {
				if fits(mask[i+1:], name[i+j:]) {
					return true
				}
			}
			return false
		case i >= len(name) || mask[i] != '?' && mask[i] != name[i]:
			return false
		}
	}
	return len(mask) == len(name)
}
