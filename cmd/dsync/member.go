package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/choose"
	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/opener"
	"dsync/cmd/internal/userdb"
	"dsync/store"
)

// member is one user of a run.
type member struct {
	*syncRun
	name  string
	entry *userdb.User // nil: there is no user database
	vars  *location.Vars
	say   voice
	space *namespace      // nil: mail_location
	tried bool            // a run was made, and somebody held the account
	to    location.Target // once options were asked for
}

// member looks a user up; "" is who runs the program, whom no database is asked about.
func (r *syncRun) member(ctx context.Context, name string) (*member, error) {
	m := &member{syncRun: r, vars: r.program.vars(name)}
	m.name = m.vars.User
	m.say = r.msg.as(m.name)
	if name == "" {
		return m, nil
	}
	u, err := lookUp(ctx, r.dbs, name)
	if err != nil || u == nil {
		return m, err
	}
	m.entry = u
	m.vars.Home = func() (string, error) {
		if u.Home == "" {
			return "", fmt.Errorf("the user database (%s) says none", u.From)
		}
		return u.Home, nil
	}
	return m, nil
}

// said gives a setting that the user's entry may have, too: -o beats the entry, and
// the entry the file.
func (m *member) said(key string) (text string, fromEntry bool) {
	if m.entry != nil && (!m.set.Said(key) || m.set.FromFile(key)) {
		text = m.entry.Extra[key]
		if key == config.MailLocation && text == "" {
			text = m.entry.Mail
		}
		if text != "" {
			return text, true
		}
	}
	return m.set.Get(key), false
}

// blame makes an error about a setting one of the user's entry, if that gave it.
func (m *member) blame(key string, fromEntry bool, err error) error {
	if err == nil || !fromEntry {
		return blame(m.set, key, err)
	}
	return engine.Fail(engine.ExitConfig, fmt.Errorf("%s in the user database (%s): %w", key, m.entry.From, err))
}

// destination gives the words that name the far side.
func (m *member) destination() (words []string, fromEntry bool, err error) {
	if !m.defaultDest {
		return m.words, false, nil
	}
	text, fromEntry := m.said(config.MailReplica)
	if text == "" {
		return nil, false, engine.Fail(engine.ExitConfig, fmt.Errorf("-d: neither a user database nor the configuration says %s", config.MailReplica))
	}
	return []string{text}, fromEntry, nil
}

// far finds the other account.
func (m *member) far() (location.Target, error) {
	if m.space != nil {
		words, err := m.farSpace()
		if err != nil {
			return location.Target{}, err
		}
		t, err := m.target(words, m.vars)
		if m.space.replica != "" {
			return t, blame(m.set, config.NamespaceKey(m.space.name, "replica"), err)
		}
		return t, asked(err)
	}
	words, fromEntry, err := m.destination()
	if err != nil {
		return location.Target{}, err
	}
	t, err := m.target(words, m.vars)
	if m.defaultDest {
		return t, m.blame(config.MailReplica, fromEntry, err)
	}
	return t, asked(err)
}

// target reads a destination.
func (r *syncRun) target(words []string, v *location.Vars) (location.Target, error) {
	return location.Destination(words, v, r.set.Get(config.RemoteCmd), r.set.Get(config.Port))
}

// near finds the account that this end is.
func (m *member) near() (location.Location, error) {
	if m.space != nil {
		return m.nearSpace()
	}
	text, fromEntry := m.said(config.MailLocation)
	if text == "" {
		l, err := location.Home(m.vars)
		if err != nil && !errors.Is(err, location.ErrNoUser) {
			err = engine.Fail(engine.ExitConfig, err)
		}
		return l, err
	}
	l, err := location.OneWord(text, m.vars)
	return l, m.blame(config.MailLocation, fromEntry, err)
}

// as says in whose name the user's mail is reached: root is the user, everybody else
// is himself. nil: as whom the program runs.
func (m *member) as() (*opener.As, error) {
	u := m.entry
	if u == nil || m.uid != 0 {
		return nil, nil
	}
	as := &opener.As{UID: u.UID, GID: u.GID, Groups: u.Groups}
	if err := as.Check(); err != nil {
		return nil, engine.Fail(engine.ExitConfig, fmt.Errorf("user %s: %w (%s): as root, mail is reached as its user; say who that is in the user database, or with %s and %s",
			m.name, err, u.From, config.StaticUID, config.StaticGID))
	}
	return as, nil
}

// options gives the options of the user's run. It looks at the disk.
func (m *member) options() (engine.Options, error) {
	o := m.base
	o.User = m.name
	o.Notice = m.say.print
	var err error
	if o.As, err = m.as(); err != nil {
		return o, err
	}
	far, err := m.far()
	if err != nil {
		return o, err
	}
	near, err := m.near()
	if err != nil {
		return o, err
	}
	if m.log == nil {
		if o.ChangeLog, err = m.changeLog(m.set, m.vars); err != nil {
			return o, err
		}
	}
	m.to, o.Near, o.Far = far, near.String(), far.String()
	if m.space != nil {
		o.Namespace = m.space.name
	}
	if o.Connect = m.connect(&far); far.Remote() {
		o.Part = m.network.part(&far)
		return o, m.names(&o.Filter, !near.FS)
	}
	if samePlace(near, far.Location) {
		return o, usagef("source and destination are the same account: %s", o.Far)
	}
	return o, m.names(&o.Filter, !near.FS || !far.FS)
}

// names gives the filter the mailboxes of -m and -x; with dots, "." is a level, too.
func (m *member) names(f *engine.Filter, dots bool) error {
	f.Mailboxes, f.Exclude = nil, nil
	for _, name := range m.mailboxes {
		if !choose.IsUse(name) {
			n, err := choose.Name(m.plain(name), dots)
			if err != nil {
				return usagef("-m: %w", err)
			}
			name = string(n)
		}
		f.Mailboxes = append(f.Mailboxes, name)
	}
	for _, x := range m.exclude {
		if choose.IsUse(x) {
			f.Exclude = append(f.Exclude, x)
			continue
		}
		f.Exclude = append(f.Exclude, choose.Mask(m.plain(x), dots)...)
	}
	return nil
}

// samePlace reports whether two locations name one directory.
func samePlace(a, b location.Location) bool {
	if a.Path == b.Path {
		return true
	}
	x, errX := os.Stat(a.Path)
	y, errY := os.Stat(b.Path)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// run makes the user's run. The report is never nil.
func (m *member) run(ctx context.Context, o engine.Options) *engine.Report {
	log := m.log
	if log == nil { // a change log of this user's
		log = m.share(ctx, m.program, &o)
		defer func() {
			if err := log.Close(); err != nil {
				m.say.print(engine.Error, err.Error())
			}
		}()
	}
	rep := log.Run(ctx, m.asking(o))
	if m.dry && rep.Exit == engine.ExitOK && len(rep.Plan) > 0 {
		rep.Exit = engine.ExitAgain
	}
	if err := argument.State(rep.State); err != nil {
		rep.Exit, rep.State = engine.ExitInternal, ""
		rep.Err = errors.Join(rep.Err, fmt.Errorf("internal error: the new %w", err))
	}
	return rep
}

// held reports whether a run did nothing, since somebody else has the account.
func held(rep *engine.Report) bool {
	did := rep.Sides
	for i := range did {
		did[i].Location = ""
	}
	return errors.Is(rep.Err, store.ErrBusy) && did == [2]engine.Side{}
}

// tell prints errors, warnings and the summary, which has the weight given.
func (m *member) tell(rep *engine.Report, weight engine.Level) {
	for _, w := range rep.Warnings {
		m.say.print(engine.Warning, w)
	}
	for _, c := range rep.Conflicts {
		m.say.print(engine.Debug, c.String())
	}
	for _, i := range rep.Again {
		m.say.print(engine.Warning, i.String()+"; running again mends it")
	}
	for _, i := range rep.Skipped {
		m.say.print(engine.Error, i.String())
	}
	if rep.Err != nil {
		m.say.print(engine.Error, rep.Err.Error())
	}
	if m.dry {
		m.say.printf(weight, "%d steps to do; %s", len(rep.Plan), byRule(rep.Conflicts))
		return
	}
	m.say.print(weight, summary(rep))
}
