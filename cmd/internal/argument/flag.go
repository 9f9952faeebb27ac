package argument

import (
	"fmt"
	"strings"

	"dsync/store"
)

// Flag reads a system flag (in any case) or a keyword; a "-" before it means that
// messages without it are meant.
func Flag(s string) (name string, not bool, err error) {
	name, not = strings.CutPrefix(s, "-")
	if strings.HasPrefix(name, `\`) {
		f, ok := store.ParseFlag(name)
		if !ok {
			return "", false, fmt.Errorf("flag %.40q: known are %s, and keywords", s, store.AllFlags)
		}
		return f.String(), not, nil
	}
	if err := store.CheckKeyword(name); err != nil {
		return "", false, err
	}
	return name, not, nil
}
