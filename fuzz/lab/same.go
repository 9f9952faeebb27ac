package lab

import (
	"fmt"
	"slices"
	"strings"

	"dsync/fuzz/scenario"
	"dsync/store"
)

// rows writes all that P1 names, a line each.
func rows(l *scenario.Listing) []string {
	var out []string
	for _, b := range l.Mailboxes {
		if b.NoSelect && !slices.ContainsFunc(l.Mailboxes, func(c scenario.Mailbox) bool { return !c.NoSelect && c.Name.IsUnder(b.Name) }) {
			continue // an empty directory is nobody's
		}
		out = append(out, fmt.Sprintf("%s%s uidvalidity %d uidnext %d %s", b.Name, map[bool]string{true: " (noselect)"}[b.NoSelect], b.UIDValidity, b.UIDNext, b.Attribute))
		var ms []string
		for _, m := range b.Messages {
			var fs []string
			for _, f := range m.Flags {
				if !strings.HasPrefix(f, `\`) {
					f = store.FoldKeyword(f)
				}
				fs = append(fs, f)
			}
			slices.Sort(fs)
			ms = append(ms, fmt.Sprintf("%s/%010d %s [%s] guid %s received %d", b.Name, m.UID, m.Name, strings.Join(fs, " "), m.GUID, m.Received))
		}
		slices.Sort(ms)
		out = append(out, ms...)
	}
	var subs []string
	for _, n := range l.Subscribed {
		subs = append(subs, "subscribed "+string(n))
	}
	slices.Sort(subs)
	return append(out, subs...)
}

// same says how two listings differ; "" if they do not.
func same(a, b *scenario.Listing) string {
	x, y := rows(a), rows(b)
	var only [2][]string
	for i, pair := range [2][2][]string{{x, y}, {y, x}} {
		for _, row := range pair[0] {
			if !slices.Contains(pair[1], row) {
				only[i] = append(only[i], strings.ReplaceAll(strings.TrimSpace(row), "/0000000000 ", " "))
			}
		}
	}
	if len(only[0])+len(only[1]) == 0 {
		if len(x) != len(y) {
			return fmt.Sprintf("%d rows, %d rows", len(x), len(y))
		}
		return ""
	}
	return short(only[0]) + " | " + short(only[1])
}

// short joins the first few.
func short(rows []string) string {
	if len(rows) == 0 {
		return "nothing"
	}
	if len(rows) > 3 {
		return strings.Join(rows[:3], "; ") + fmt.Sprintf("; %d more", len(rows)-3)
	}
	return strings.Join(rows, "; ")
}

// unnumbered reports whether a listing has mail or mailboxes without an identity:
// any program that looks gives them one.
func unnumbered(l *scenario.Listing) bool {
	return slices.ContainsFunc(l.Mailboxes, func(b scenario.Mailbox) bool {
		return !b.NoSelect && (b.GUID == "" || b.UIDValidity == 0) || slices.ContainsFunc(b.Messages, func(m scenario.Message) bool { return m.UID == 0 })
	})
}

// untouched says how a listing changed that may not; identities given are no
// change.
func untouched(before, after *scenario.Listing) string {
	if unnumbered(before) {
		return same(before.WithoutUIDs(), after.WithoutUIDs())
	}
	return same(before, after)
}
