package maildir

import "dsync/store"

// KeyOf implements store.Store: the base name, which flags leave alone.
func (s *Store) KeyOf(h store.Handle) string {
	_, name, ok := parseHandle(h)
	if !ok {
		return ""
	}
	base, _, _ := splitName(name)
	return base
}
