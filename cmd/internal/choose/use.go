package choose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dsync/store"
)

// knownUses are those of RFC 6154 and RFC 8457.
var knownUses = []string{`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Important`, `\Junk`, `\Sent`, `\Trash`}

// IsUse reports whether the argument of -m or -x is a special use, not a name.
func IsUse(s string) bool { return strings.HasPrefix(s, `\`) }

// Use reads a special use in any case.
func Use(s string) (string, error) {
	for _, u := range knownUses {
		if strings.EqualFold(u, s) {
			return u, nil
		}
	}
	return "", fmt.Errorf("special use %.40q: known are %s", s, strings.Join(knownUses, " "))
}

// Customary gives the special uses that mailboxes have by custom.
func Customary() map[string]string {
	return map[string]string{
		"Drafts": `\Drafts`,
		"Sent":   `\Sent`, "Sent Messages": `\Sent`, "Sent Items": `\Sent`, "INBOX/Sent": `\Sent`,
		"Trash": `\Trash`, "Deleted Messages": `\Trash`, "Deleted Items": `\Trash`, "INBOX/Trash": `\Trash`,
		"Junk": `\Junk`, "Spam": `\Junk`, "Junk E-mail": `\Junk`, "INBOX/Junk": `\Junk`, "INBOX/Spam": `\Junk`,
		"Archive": `\Archive`, "Archives": `\Archive`, "INBOX/Archive": `\Archive`, "INBOX/Drafts": `\Drafts`,
	}
}

// Uses reads "NAME:\Use,NAME:\Use…". The empty text says that there are none.
func Uses(s string) (map[string]string, error) {
	out := map[string]string{}
	if strings.TrimSpace(s) == "" {
		return out, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		i := strings.LastIndex(part, `:\`)
		if i < 0 {
			return nil, fmt.Errorf(`special_use %.60q: want NAME:\Use, like Sent:\Sent`, part)
		}
		use, err := Use(strings.TrimSpace(part[i+1:]))
		if err != nil {
			return nil, err
		}
		name, err := Name(strings.TrimSpace(part[:i]), false)
		if err != nil {
			return nil, fmt.Errorf("special_use: %w", err)
		}
		out[string(name)] = use
	}
	return out, nil
}

// Named gives the mailboxes that a name or special use stands for, in order.
func Named(s string, dots bool, uses map[string]string) ([]store.Name, error) {
	if !IsUse(s) {
		n, err := Name(s, dots)
		return []store.Name{n}, err
	}
	use, err := Use(s)
	if err != nil {
		return nil, err
	}
	var out []store.Name
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		if uses[name] == use {
			out = append(out, store.Name(name))
		}
	}
	return out, nil
}
