// Package opener opens the account that a location names.
//
// # Contract
//
//   - Locations are read with location.Parse, so that "::" and the like mean the
//     same everywhere; relative paths count from the working directory.
//   - Look makes nothing, not even a directory that Dovecot would make when it
//     first writes. An account that is not there wraps store.ErrGone.
//   - With a user (As) the account's files are reached in that user's name; nil is who
//     runs the program.
package opener

import (
	"fmt"
	"os"

	"dsync/cmd/internal/location"
	"dsync/store"
	"dsync/store/maildir"
)

// Look opens an account to be read only.
func Look(loc string, as *As) (store.Store, error) {
	l, err := location.Parse(loc, nil)
	if err != nil {
		return nil, err
	}
	if l.Control != "" {
		if _, err := os.Stat(l.Control); err != nil {
			return nil, fmt.Errorf("open %s: CONTROL: %w: %w", l, store.ErrGone, err)
		}
	}
	return opened(maildir.Open(optionsAs(l, as)))
}

// Open opens an account to be synced.
func Open(loc string, as *As) (store.Store, error) {
	l, err := location.Parse(loc, nil)
	if err != nil {
		return nil, err
	}
	return opened(maildir.Open(optionsAs(l, as)))
}

// Create makes an account with an empty INBOX where there is none, and opens it.
func Create(loc string, as *As) (store.Store, error) {
	l, err := location.Parse(loc, nil)
	if err != nil {
		return nil, err
	}
	return opened(maildir.Create(optionsAs(l, as)))
}

// opened gives no store with an error, rather than one that is a nil pointer.
func opened(s *maildir.Store, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// As is a user of the system in whose name files are reached, where the process is
// root's.
type As = maildir.As

func optionsAs(l location.Location, as *As) maildir.Options {
	o := options(l)
	o.As = as
	return o
}

func options(l location.Location) maildir.Options {
	return maildir.Options{
		Path: l.Path, FS: l.FS, UTF8: l.UTF8, Control: l.Control, Inbox: l.Inbox,
		Index: l.Index, Subscriptions: l.Subscriptions, DirName: l.DirName,
	}
}

// Name is how the store at a location names itself (store.Store.Location), also
// where there is none yet.
func Name(loc string) (string, error) {
	l, err := location.Parse(loc, nil)
	if err != nil {
		return "", err
	}
	return options(l).String(), nil
}
