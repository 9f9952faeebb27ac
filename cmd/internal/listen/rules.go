package listen

import (
	"fmt"
	"strings"

	"dsync/cmd/internal/choose"
	"dsync/store"
)

// Rule says that who is known by a name that fits Name may touch the accounts of
// users who fit User. "*" and "?" stand for any text and any character.
type Rule struct{ Name, User string }

// ParseRule reads "NAME=MASK", or "MASK" for whoever is let in.
func ParseRule(s string) (Rule, error) {
	r := Rule{"*", s}
	if name, mask, ok := strings.Cut(s, "="); ok {
		r = Rule{name, mask}
	}
	if r.Name == "" || r.User == "" {
		return r, fmt.Errorf("%.60q: want NAME=MASK, the name of a secret or certificate and the users whose accounts it may touch", s)
	}
	return r, nil
}

// Guest is a near end that was let in.
type Guest struct {
	// Shown are the names that it showed to be known by, by each means that was asked
	// for: of a certificate all that it has, of a secret one.
	Shown [][]string
	rules []Rule
}

// Name is how messages call the guest.
func (g *Guest) Name() string {
	var out []string
	for _, names := range g.Shown {
		if len(names) > 0 {
			out = append(out, names[0])
		}
	}
	return strings.Join(out, "+")
}

// May reports whether the guest may touch a user's account: by every means by which it
// showed who it is.
func (g *Guest) May(user string) bool {
	if user == "" || len(g.Shown) == 0 {
		return false
	}
	for _, names := range g.Shown {
		if !g.oneMay(names, user) {
			return false
		}
	}
	return true
}

func (g *Guest) oneMay(names []string, user string) bool {
	for _, r := range g.rules {
		if !choose.Match(r.User, store.Name(user)) {
			continue
		}
		for _, n := range names {
			if choose.Match(r.Name, store.Name(n)) {
				return true
			}
		}
	}
	return false
}
