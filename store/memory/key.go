package memory

import "dsync/store"

// KeyOf implements store.Store.
func (s *Store) KeyOf(h store.Handle) string { return keyOf(h) }
