package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/userdb"
)

// maxUsers bounds the file of -F.
const maxUsers = userdb.MaxUsers

// databases opens the user databases that are configured; empty if there are none.
func (p *program) databases(s *config.Set) (userdb.List, error) {
	ids := userdb.NewIDs(s.Get(config.PasswdPath), s.Get(config.GroupPath))
	warn := func(text string) { p.msg.print(engine.Warning, text) }
	var out userdb.List
	for _, name := range s.Words(config.UserDatabases) {
		var d userdb.Database
		var err error
		switch name {
		case "passwd":
			d, err = userdb.OpenPasswd(s.Get(config.PasswdPath), ids, uint32(s.Number(config.FirstValidUID)), uint32(s.Number(config.LastValidUID)), warn)
		case "passwd_file":
			if s.Get(config.UsersPath) == "" {
				return nil, blame(s, config.UserDatabases, fmt.Errorf("passwd_file needs %s", config.UsersPath))
			}
			d, err = userdb.OpenPasswdFile(s.Get(config.UsersPath), ids, warn)
		case "static":
			d, err = userdb.NewTemplate(s.Get(config.StaticUID), s.Get(config.StaticGID), s.Get(config.StaticHome), s.Get(config.StaticMail), ids)
		}
		if err != nil {
			return nil, engine.Fail(engine.ExitConfig, err)
		}
		out = append(out, d)
	}
	return out, nil
}

// lookUp asks for one user; nil if there are no databases to ask.
func lookUp(ctx context.Context, dbs userdb.List, name string) (*userdb.User, error) {
	if len(dbs) == 0 {
		return nil, location.CheckUser(name)
	}
	return dbs.Lookup(ctx, name)
}

// isMask reports whether -u names more than one user.
func isMask(user string) bool { return strings.ContainsAny(user, "*?") }

// manyUsers reports whether the command line is about several users.
func (v *values) manyUsers() bool { return v.allUsers || v.userFile != "" || isMask(v.user) }

// many reports whether several runs may come of the command line.
func (v *values) many() bool { return v.manyUsers() || v.allNamespaces || len(v.spaces) > 1 }

// listUsers gives the users that -A, -u MASK or -F names, each once; without them the
// one user.
func (r *syncRun) listUsers(ctx context.Context) ([]string, error) {
	if !r.manyUsers() {
		return []string{r.user}, nil
	}
	if r.userFile != "" {
		return r.readUsers()
	}
	what, mask := "-A", ""
	if !r.allUsers {
		what, mask = "-u "+r.user, r.user
	}
	if len(r.dbs) == 0 {
		return nil, engine.Fail(engine.ExitConfig, fmt.Errorf("%s needs a user database that lists its users; set %s, or name the users in a file (-F)", what, config.UserDatabases))
	}
	users, err := r.dbs.Names(ctx, mask)
	switch {
	case errors.Is(err, userdb.ErrNoList):
		return nil, engine.Fail(engine.ExitConfig, fmt.Errorf("%s: %w", what, err))
	case err != nil:
		return nil, tooLate(ctx, err)
	case len(users) == 0:
		return nil, engine.Fail(engine.ExitNoUser, fmt.Errorf("%s: %w: the user databases list none that fits", what, location.ErrNoUser))
	}
	return users, nil
}

// readUsers reads the file of -F.
func (r *syncRun) readUsers() ([]string, error) {
	f, err := os.Open(r.userFile)
	if err != nil {
		return nil, usagef("-F: %w", err)
	}
	defer f.Close()
	var out []string
	seen := map[string]bool{}
	in := bufio.NewScanner(f)
	for in.Scan() {
		u := strings.TrimSpace(in.Text())
		switch {
		case u == "":
			continue
		case seen[u]:
			r.msg.printf(engine.Warning, "-F: %s names %s twice; one run is made", r.userFile, u)
			continue
		case len(out) == maxUsers:
			return nil, usagef("-F: %s holds more than %d users", r.userFile, maxUsers)
		}
		seen[u] = true
		out = append(out, u)
	}
	if err := in.Err(); err != nil {
		return nil, usagef("-F: read %s: %w", r.userFile, err)
	}
	if len(out) == 0 {
		return nil, usagef("-F: %s holds no user", r.userFile)
	}
	return out, nil
}
