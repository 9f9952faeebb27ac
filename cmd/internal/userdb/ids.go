package userdb

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// IDs reads uids and gids, which may be names in files of the forms of /etc/passwd
// and /etc/group. It may be used by several goroutines.
type IDs struct {
	passwd, group string
	mu            sync.Mutex
	users, groups *lines // read when the first name is asked for
}

// NewIDs names the two files.
func NewIDs(passwd, group string) *IDs { return &IDs{passwd: passwd, group: group} }

// UID reads a number or a user's name; "" is 0, not said.
func (i *IDs) UID(s string) (uint32, error) { return i.read("uid", s, i.passwd, &i.users) }

// GID reads a number or a group's name; "" is 0, not said.
func (i *IDs) GID(s string) (uint32, error) { return i.read("gid", s, i.group, &i.groups) }

func (i *IDs) read(what, s, file string, l **lines) (n uint32, err error) {
	switch {
	case s == "":
		return 0, nil
	case strings.Trim(s, "0123456789") == "":
		n, err = number(what, s)
	default:
		i.mu.Lock()
		defer i.mu.Unlock()
		if *l == nil {
			if *l, err = readLines(file, func(line string) bool { return strings.ContainsAny(line[:1], "#+-") }, func(string) {}); err != nil {
				return 0, err
			}
		}
		row, ok := (*l).at[s]
		if !ok {
			return 0, fmt.Errorf("%s %.40q: %s has no such name", what, s, file)
		}
		n, err = number(what, field(strings.Split((*l).entry(row), ":"), 2))
	}
	if err == nil && n == 0 {
		err = errors.New(what + " 0 is root's; mail belongs to others")
	}
	return n, err
}
