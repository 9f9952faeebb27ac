package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"dsync/cmd/internal/choose"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/settings"
)

// maxUsers bounds the file of -F.
const maxUsers = 1_000_000

// login is the name of who runs the program.
func (p *program) login() string {
	if name := p.env("USER"); name != "" {
		return name
	}
	if u, err := user.LookupId(strconv.Itoa(p.uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(p.uid)
}

// vars is what a user's locations expand with.
func (p *program) vars(name string) *location.Vars {
	if name == "" {
		name = p.login()
	}
	return &location.Vars{User: name, Home: func() (string, error) {
		if home := p.env("HOME"); home != "" && name == p.login() {
			return home, nil
		}
		return p.homeOf(name)
	}}
}

// settings reads -c and -o.
func (p *program) settings(v *values) (*settings.Set, error) {
	s := &settings.Set{}
	if v.config != "" {
		f, err := os.Open(v.config)
		if err != nil {
			return nil, engine.Fail(engine.ExitConfig, err)
		}
		defer f.Close()
		if err := s.Read(v.config, f); err != nil {
			return nil, engine.Fail(engine.ExitConfig, err)
		}
	}
	for _, o := range v.settings {
		if err := s.Put(o); err != nil {
			return nil, usagef("-o: %w", err)
		}
	}
	for _, key := range s.Ignored {
		p.msg.printf(engine.Debug, "the setting %s means nothing to dsync", key)
	}
	for _, o := range v.idle {
		p.msg.printf(engine.Debug, "%s has nothing to do between local Maildirs", o)
	}
	return s, nil
}

// blame makes an error about a setting one of configuration, if a file gave it.
func blame(s *settings.Set, key string, err error) error {
	var absent *location.Missing
	switch {
	case err == nil, errors.As(err, &absent), errors.Is(err, location.ErrNoUser):
		return err
	case s.File(key) != "":
		return engine.Fail(engine.ExitConfig, fmt.Errorf("%s: %s: %w", s.File(key), key, err))
	}
	return usagef("%s: %w", key, err)
}

// asked makes an error about a location on the command line one of usage.
func asked(err error) error {
	if err == nil || errors.Is(err, location.ErrNoUser) {
		return err
	}
	return usage(err)
}

// near finds the account that this end is.
func (p *program) near(s *settings.Set, v *location.Vars) (location.Location, error) {
	text, ok := s.Get(settings.MailLocation)
	if !ok || text == "" {
		l, err := location.Home(v)
		if err != nil && !errors.Is(err, location.ErrNoUser) {
			err = engine.Fail(engine.ExitConfig, err)
		}
		return l, err
	}
	l, err := location.OneWord(text, v)
	return l, blame(s, settings.MailLocation, err)
}

// changeLog finds the directory of the database.
func (p *program) changeLog(s *settings.Set, v *location.Vars) (string, error) {
	if dir, ok := s.Get(settings.ChangeLog); ok && dir != "" {
		dir, err := location.Directory(dir, v)
		return dir, blame(s, settings.ChangeLog, err)
	}
	if p.uid == 0 {
		return "/var/lib/dsync", nil
	}
	if dir := p.env("XDG_STATE_HOME"); strings.HasPrefix(dir, "/") {
		return dir + "/dsync", nil
	}
	return location.Directory("~/.local/state/dsync", p.vars(""))
}

func specialUses(s *settings.Set) (map[string]string, error) {
	text, ok := s.Get(settings.SpecialUse)
	if !ok {
		return choose.Customary(), nil
	}
	uses, err := choose.Uses(text)
	return uses, blame(s, settings.SpecialUse, err)
}

// users reads the file of -F.
func readUsers(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usagef("-F: %w", err)
	}
	defer f.Close()
	var out []string
	in := bufio.NewScanner(f)
	for in.Scan() {
		if u := strings.TrimSpace(in.Text()); u != "" {
			out = append(out, u)
		}
		if len(out) > maxUsers {
			return nil, usagef("-F: %s holds more than %d users", name, maxUsers)
		}
	}
	if err := in.Err(); err != nil {
		return nil, usagef("-F: read %s: %w", name, err)
	}
	if len(out) == 0 {
		return nil, usagef("-F: %s holds no user", name)
	}
	return out, nil
}

// checkUser refuses what -u cannot take.
func checkUser(name string) error {
	if strings.ContainsAny(name, "*?") {
		return usage(&location.Missing{What: "-u with a mask (" + name + ") is"})
	}
	if name == "" {
		return nil
	}
	return location.CheckUser(name)
}
