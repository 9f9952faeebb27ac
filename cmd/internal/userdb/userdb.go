package userdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"dsync/cmd/internal/location"
)

// Limits on what comes from outside.
const (
	MaxLine  = 16 << 10  // bytes of a line
	MaxFile  = 256 << 20 // bytes of a file
	MaxUsers = 1_000_000 // of a database
	MaxExtra = 64        // extra fields of a user
)

// Errors that callers tell apart.
var (
	ErrUnknown = errors.New("no user database has the user")
	ErrNoList  = errors.New("the user databases cannot list their users")
)

// EntryError says what is wrong with one user's entry.
type EntryError struct {
	User, Where string // Where: "FILE:LINE"
	Err         error
}

func (e *EntryError) Error() string { return e.Where + ": user " + e.User + ": " + e.Err.Error() }

func (e *EntryError) Unwrap() error { return e.Err }

// User is what a database knows of one user. Fields that it leaves open are zero.
type User struct {
	Name     string
	UID, GID uint32            // 0: not said
	Groups   []uint32          // of the system, besides GID
	Home     string            // absolute
	Mail     string            // a location; %u %n %d %h ~/ are not expanded yet
	Extra    map[string]string // other fields, as mail_replica
	From     string            // the database that answered, for messages
}

// Database is one source of users. It may be asked by several goroutines.
type Database interface {
	// Name is how messages and the configuration name it.
	Name() string
	// Lookup gives one user, who is the caller's; ErrUnknown if there is none of the name.
	Lookup(ctx context.Context, name string) (*User, error)
	// Names gives the names that fit the mask, each once, in the database's order.
	// An error ends it; ErrNoList if the database cannot tell.
	Names(ctx context.Context, mask string) iter.Seq2[string, error]
}

// List is several databases, asked in this order. A *Template may stand anywhere.
type List []Database

// Lookup gives a user as the first database that has the name knows him, with what
// templates add.
func (l List) Lookup(ctx context.Context, name string) (*User, error) {
	if err := location.CheckUser(name); err != nil {
		return nil, err
	}
	var u *User
	var asked []string
	for _, d := range l {
		if _, template := d.(*Template); template {
			continue
		}
		asked = append(asked, d.Name())
		var err error
		if u, err = d.Lookup(ctx, name); err == nil {
			break
		}
		if !errors.Is(err, ErrUnknown) {
			return nil, err
		}
	}
	if u == nil && len(asked) > 0 {
		return nil, fmt.Errorf("%w %q (asked: %s)", ErrUnknown, name, strings.Join(asked, ", "))
	}
	if u == nil {
		u = &User{Name: name}
	}
	for _, d := range l {
		if t, template := d.(*Template); template {
			if err := t.complete(u); err != nil {
				return nil, err
			}
		}
	}
	return u, nil
}

// Names gives the names in all databases that fit the mask, each once.
func (l List) Names(ctx context.Context, mask string) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	silent := []string{}
	for _, d := range l {
		for name, err := range d.Names(ctx, mask) {
			if errors.Is(err, ErrNoList) {
				silent = append(silent, d.Name())
				break
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return nil, err
			}
			if seen[name] || location.CheckUser(name) != nil {
				continue
			}
			if len(out) == MaxUsers {
				return nil, fmt.Errorf("the user databases list more than %d users", MaxUsers)
			}
			seen[name] = true
			out = append(out, name)
		}
	}
	if len(silent) == len(l) {
		return nil, fmt.Errorf("%w (%s): name one that can, as passwd or passwd_file, or say who they are with -F FILE", ErrNoList, strings.Join(silent, ", "))
	}
	return out, nil
}

// checkHome refuses what cannot be a home directory.
func checkHome(dir string) error {
	if dir != "" && dir[0] != '/' || strings.IndexByte(dir, 0) >= 0 || len(dir) > location.MaxLength {
		return fmt.Errorf("home %.80q is not an absolute path", dir)
	}
	return nil
}
