package maildir

import (
	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// OpenOn is Open on another file system than the system's: for memdisk.
func OpenOn(f fsys.FS, o Options) (*Store, error) { return openOn(f, o) }

// CreateOn is Create on another file system.
func CreateOn(f fsys.FS, o Options) (*Store, error) { return createOn(f, o) }

var _ store.Store = (*Store)(nil)
