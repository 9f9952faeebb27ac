package userdb

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// IDs reads uids and gids, which may be names in files of the forms of /etc/passwd
// and /etc/group. It may be used by several goroutines.
type IDs struct {
	passwd, group string
	mu            sync.Mutex
	users, groups *lines // read when the first name is asked for
	members       map[string][]uint32
}

// NewIDs names the two files.
func NewIDs(passwd, group string) *IDs { return &IDs{passwd: passwd, group: group} }

// UID reads a number or a user's name; "" is 0, not said.
func (i *IDs) UID(s string) (uint32, error) { return i.read("uid", s, i.passwd, &i.users) }

// GID reads a number or a group's name; "" is 0, not said.
func (i *IDs) GID(s string) (uint32, error) { return i.read("gid", s, i.group, &i.groups) }

// Groups gives the gids of the groups that have a user among their members, but root's;
// none where there is no such file.
func (i *IDs) Groups(user string) ([]uint32, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.members != nil {
		return i.members[user], nil
	}
	if err := i.load(i.group, &i.groups); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	i.members = map[string][]uint32{}
	if i.groups == nil {
		return nil, nil
	}
	for _, name := range i.groups.names {
		fields := strings.Split(i.groups.entry(i.groups.at[name]), ":")
		gid, err := number("gid", field(fields, 2))
		if err != nil || gid == 0 {
			continue
		}
		for m := range strings.SplitSeq(field(fields, 3), ",") {
			if m = strings.TrimSpace(m); m != "" && len(i.members[m]) < maxGroups {
				i.members[m] = append(i.members[m], gid)
			}
		}
	}
	return i.members[user], nil
}

// maxGroups bounds the groups of a user; the kernel takes 65,536.
const maxGroups = 1024

// load reads a file, once.
func (i *IDs) load(file string, l **lines) (err error) {
	if *l == nil {
		*l, err = readLines(file, func(line string) bool { return strings.ContainsAny(line[:1], "#+-") }, func(string) {})
	}
	return err
}

func (i *IDs) read(what, s, file string, l **lines) (n uint32, err error) {
	switch {
	case s == "":
		return 0, nil
	case strings.Trim(s, "0123456789") == "":
		n, err = number(what, s)
	default:
		i.mu.Lock()
		defer i.mu.Unlock()
		if err := i.load(file, l); err != nil {
			return 0, err
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
