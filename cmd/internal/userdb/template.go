package userdb

import (
	"context"
	"fmt"
	"iter"

	"dsync/cmd/internal/location"
)

// Template is what all users have in common, with %u %n %d for what differs; what
// is empty it does not say.
type Template struct {
	uid, gid   uint32
	home, mail string
}

// NewTemplate makes one. uid and gid are numbers or names of the system's, home is
// an absolute path, mail a location.
func NewTemplate(uid, gid, home, mail string, ids *IDs) (t *Template, err error) {
	t = &Template{home: home, mail: mail}
	if t.uid, err = ids.UID(uid); err != nil {
		return nil, err
	}
	if t.gid, err = ids.GID(gid); err != nil {
		return nil, err
	}
	return t, checkHome(home)
}

// Name is "static".
func (t *Template) Name() string { return "static" }

// Lookup gives whoever is asked for.
func (t *Template) Lookup(_ context.Context, name string) (*User, error) {
	u := &User{Name: name, From: t.Name()}
	return u, t.complete(u)
}

// complete adds what u leaves open.
func (t *Template) complete(u *User) error {
	if u.Home == "" && t.home != "" {
		home, err := location.Expand(t.home, &location.Vars{User: u.Name})
		if err == nil {
			err = checkHome(home)
		}
		if err != nil {
			return fmt.Errorf("home of the user database static: %w", err)
		}
		u.Home = home
	}
	if u.UID == 0 {
		u.UID = t.uid
	}
	if u.GID == 0 {
		u.GID = t.gid
	}
	if u.Mail == "" {
		u.Mail = t.mail
	}
	if u.From == "" {
		u.From = t.Name()
	}
	return nil
}

// Names is ErrNoList.
func (t *Template) Names(context.Context, string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { yield("", ErrNoList) }
}
