package userdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
)

// Passwd is the system's database of users, in the form of /etc/passwd.
type Passwd struct {
	*lines
	first, last uint32
	ids         *IDs
}

// OpenPasswd reads a file. Only users whose uid is from first to last count; last
// 0 is no limit, first 0 lets root count. Lines that cannot be read are given to warn.
// ids knows the users' groups.
func OpenPasswd(file string, ids *IDs, first, last uint32, warn func(string)) (*Passwd, error) {
	l, err := readLines(file, func(line string) bool { return strings.ContainsAny(line[:1], "#+-") }, warn)
	if err != nil {
		return nil, err
	}
	return &Passwd{l, first, last, ids}, nil
}

// Name is "passwd".
func (p *Passwd) Name() string { return "passwd" }

// Lookup gives a user; one whose uid does not count is ErrUnknown.
func (p *Passwd) Lookup(_ context.Context, name string) (*User, error) {
	u, err := p.lookup(name, p.parse)
	if err != nil {
		return nil, err
	}
	u.Groups, err = p.ids.Groups(name)
	return u, err
}

func (p *Passwd) parse(u *User, fields []string) (err error) {
	if len(fields) != 7 {
		return fmt.Errorf("%d fields, want 7 as in passwd(5)", len(fields))
	}
	if u.UID, err = number("uid", fields[2]); err != nil {
		return err
	}
	if u.UID < p.first || p.last != 0 && u.UID > p.last {
		return fmt.Errorf("%w: uid %d does not count", ErrUnknown, u.UID)
	}
	if u.GID, err = number("gid", fields[3]); err != nil {
		return err
	}
	u.Home = fields[5]
	return checkHome(u.Home)
}

// Names gives the users whose uid counts; one whose entry cannot be read is among
// them, and Lookup says what is wrong.
func (p *Passwd) Names(ctx context.Context, mask string) iter.Seq2[string, error] {
	return fits(ctx, p.names, mask, func(name string) bool {
		_, err := p.lookup(name, p.parse)
		return !errors.Is(err, ErrUnknown)
	})
}
