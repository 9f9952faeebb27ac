package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"dsync/cmd/internal/choose"
	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/tomlfile"
)

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

// configFile names the file to read: that of -c, or the first that is there; "" if
// there is none.
func (p *program) configFile(v *values) string {
	if v.config != nil {
		return *v.config
	}
	var try []string
	if p.uid != 0 {
		if dir := p.env("XDG_CONFIG_HOME"); strings.HasPrefix(dir, "/") {
			try = append(try, dir+"/dsync/dsync.toml")
		} else if home := p.env("HOME"); strings.HasPrefix(home, "/") {
			try = append(try, home+"/.config/dsync/dsync.toml")
		}
	}
	for _, name := range append(try, p.etc+"/dsync.toml") {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
	return ""
}

func readConfig(s *config.Set, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, tomlfile.MaxFile+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return s.Read(name, data)
}

// settings reads -c and -o.
func (p *program) settings(v *values) (*config.Set, error) {
	s := &config.Set{}
	if name := p.configFile(v); name != "" {
		if err := readConfig(s, name); err != nil {
			return nil, engine.Fail(engine.ExitConfig, err)
		}
		p.msg.printf(engine.Debug, "settings were read from %s", name)
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
func blame(s *config.Set, key string, err error) error {
	var absent *location.Missing
	switch {
	case err == nil, errors.As(err, &absent), errors.Is(err, location.ErrNoUser):
		return err
	case s.FromFile(key):
		return engine.Fail(engine.ExitConfig, s.Blame(key, err))
	}
	return usage(s.Blame(key, err))
}

// asked makes an error about a location on the command line one of usage.
func asked(err error) error {
	if err == nil || errors.Is(err, location.ErrNoUser) {
		return err
	}
	return usage(err)
}

// changeLog finds the directory of the database.
func (p *program) changeLog(s *config.Set, v *location.Vars) (string, error) {
	if dir := s.Get(config.ChangeLog); dir != "" {
		dir, err := location.Directory(dir, v)
		return dir, blame(s, config.ChangeLog, err)
	}
	if p.uid == 0 {
		return "/var/lib/dsync", nil
	}
	if dir := p.env("XDG_STATE_HOME"); strings.HasPrefix(dir, "/") {
		return dir + "/dsync", nil
	}
	return location.Directory("~/.local/state/dsync", p.vars(""))
}

func specialUses(s *config.Set) (map[string]string, error) {
	if !s.Said(config.SpecialUse) {
		return choose.Customary(), nil
	}
	uses, err := choose.Uses(s.Get(config.SpecialUse))
	return uses, blame(s, config.SpecialUse, err)
}

// lockWait is how long another run is waited for.
func lockWait(v *values, s *config.Set) time.Duration {
	if v.lockWait != nil {
		return *v.lockWait
	}
	return time.Duration(s.Number(config.LockWait)) * time.Second
}
