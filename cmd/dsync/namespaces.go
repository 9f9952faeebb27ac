package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
)

// A namespace with a location is a second account of each user, synced by a run of
// its own with the namespace's replica, or with the namespace of that name at another
// host. One without is a way to write names of mail_location's mailboxes: its prefix
// is taken off in -m and -x.

// namespace is one of the configuration; nil stands for mail_location.
type namespace struct {
	name, prefix, separator, location, replica string
	list                                       bool
}

func (p *program) namespaces(s *config.Set) (out []*namespace) {
	for _, n := range s.Named(config.Namespace) {
		get := func(setting string) string { return s.Get(config.NamespaceKey(n, setting)) }
		out = append(out, &namespace{n, get("prefix"), get("separator"), get("location"), get("replica"), get("list") == "true"})
	}
	return out
}

// means reports whether an argument of -n names the namespace: by its name, or by
// its prefix, with or without the separator.
func (n *namespace) means(arg string) bool {
	return arg != "" && (arg == n.name || arg == n.prefix || arg+n.separator == n.prefix)
}

// chosen gives what -n and -N choose; mail_location alone without them.
func (v *values) chosen(all []*namespace) ([]*namespace, error) {
	if v.allNamespaces {
		out := []*namespace{nil}
		for _, n := range all {
			if n.location != "" && n.list {
				out = append(out, n)
			}
		}
		return out, nil
	}
	if len(v.spaces) == 0 {
		return []*namespace{nil}, nil
	}
	var out []*namespace
	for _, arg := range v.spaces {
		var found *namespace
		if i := slices.IndexFunc(all, func(n *namespace) bool { return n.means(arg) }); i >= 0 {
			found = all[i]
		} else if arg != "" {
			return nil, usagef("-n %s: %s", arg, unknownNamespace(all))
		}
		if found != nil && found.location == "" {
			found = nil // its mail is in mail_location
		}
		if !slices.Contains(out, found) {
			out = append(out, found)
		}
	}
	return out, nil
}

func unknownNamespace(all []*namespace) string {
	names := []string{"''"}
	for _, n := range all {
		names = append(names, n.name)
	}
	return "no such namespace; the configuration has " + strings.Join(names, ", ")
}

// nearSpace is where the namespace's mail is at this end.
func (m *member) nearSpace() (location.Location, error) {
	l, err := location.OneWord(m.space.location, m.vars)
	return l, blame(m.set, config.NamespaceKey(m.space.name, "location"), err)
}

// farSpace gives the words that name the other side of the namespace.
func (m *member) farSpace() ([]string, error) {
	if m.space.replica != "" {
		return []string{m.space.replica}, nil
	}
	words, _, err := m.destination()
	if err != nil {
		return nil, err
	}
	if t, err := m.target(words, m.vars); err == nil && !t.Remote() {
		return nil, engine.Fail(engine.ExitConfig, fmt.Errorf("namespace %s: %s is not set, and the destination %s holds another account",
			m.space.name, config.NamespaceKey(m.space.name, "replica"), strings.Join(words, " ")))
	}
	return words, nil
}

// spaceAt says, for a near end, where this end's mail of a namespace is.
func (m *member) spaceAt(name string) (string, error) {
	for _, n := range m.namespaces(m.set) {
		if n.name == name && n.location != "" {
			there := *m
			there.space = n
			l, err := there.nearSpace()
			return l.String(), err
		}
	}
	return "", engine.Fail(engine.ExitConfig, fmt.Errorf("this end has no namespace %s with a location", name))
}

// spacesAt is spaceAt as data, for another process. A namespace whose place cannot be
// said is not in it.
func (m *member) spacesAt() map[string]string {
	out := map[string]string{}
	for _, n := range m.namespaces(m.set) {
		if at, err := m.spaceAt(n.name); err == nil {
			out[n.name] = at
		}
	}
	return out
}

// plain takes prefix and separator of the namespace off a name or mask as people
// write it.
func (m *member) plain(name string) string {
	best := &namespace{}
	for _, n := range m.namespaces(m.set) {
		mine := m.space != nil && n.name == m.space.name || m.space == nil && n.location == ""
		if mine && len(n.prefix) > len(best.prefix) && strings.HasPrefix(name, n.prefix) {
			best = n
		}
	}
	if best.prefix == "" {
		return name
	}
	name = name[len(best.prefix):]
	if best.separator != "/" {
		name = strings.ReplaceAll(name, best.separator, "/")
	}
	return name
}

// errShared: another user's run is about the same namespace.
var errShared = errors.New("the namespace is the same for all users, and synced once")
